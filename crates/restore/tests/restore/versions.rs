//! Objects whose captured version the target does not serve.

use lifeboat_plan::{RestoreOptions, RuleId, SourceType};
use lifeboat_restore::LeaseHolder;
use serde_json::{Value, json};

use crate::support::{Captured, apply, connect, fixture, live, restored, run, turn};

fn source_type(group: &str, version: &str, resource: &str, kind: &str, served: &[&str]) -> SourceType {
    SourceType {
        resource: lifeboat_model::ResourceType {
            group: group.into(),
            version: version.into(),
            resource: resource.into(),
            kind: kind.into(),
            namespaced: true,
        },
        singular: String::new(),
        short_names: Vec::new(),
        verbs: Vec::new(),
        served_versions: served.iter().map(|version| (*version).to_owned()).collect(),
        custom: group.ends_with(".example"),
    }
}

fn one(of: SourceType, object: &Value) -> Captured {
    let mut captured = Captured::default();
    captured.types.push(of);
    captured.objects.push((0, object.to_string().into_bytes()));
    captured
}

/// Returns a PodDisruptionBudget as an old server stored it: `v1beta1`, which the target does not serve.
fn budget(namespace: &str, spec: &Value) -> Captured {
    one(
        source_type(
            "policy",
            "v1beta1",
            "poddisruptionbudgets",
            "PodDisruptionBudget",
            &["v1", "v1beta1"],
        ),
        &json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "old", "namespace": namespace, "uid": "u-pdb"}, "spec": spec}),
    )
}

#[tokio::test]
async fn a_built_in_type_goes_into_a_common_version_that_accepts_every_field() {
    let fixture = fixture();
    apply(
        &fixture.target,
        "{apiVersion: v1, kind: Namespace, metadata: {name: version-common}}",
    );
    let spec = json!({"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}});
    let done = restored(&budget("version-common", &spec), &RestoreOptions::default()).await;
    assert!(done.plan.objects[0].preflight);
    assert_eq!(done.plan.rules[&RuleId::OtherVersion].objects, 1);
    let path = "/apis/policy/v1/namespaces/version-common/poddisruptionbudgets/old";
    assert_eq!(live(path).await["spec"], spec);
}

#[tokio::test]
async fn a_field_that_the_common_version_would_lose_is_named_before_anything_is_written() {
    let fixture = fixture();
    apply(
        &fixture.target,
        "{apiVersion: v1, kind: Namespace, metadata: {name: version-lossy}}",
    );
    let spec = json!({"minAvailable": 1, "ofOld": true, "selector": {"matchLabels": {"app": "a"}}});
    let captured = budget("version-lossy", &spec);
    let api = connect(&fixture.target).await;
    {
        let _turn = turn().await;
        let refused = run(
            &api,
            &captured,
            &RestoreOptions::default(),
            LeaseHolder::this_process(),
        )
        .await;
        let refused = refused
            .err()
            .map(|error| format!("{error:?}"))
            .unwrap_or_default();
        assert!(
            refused.contains("ofOld") && refused.contains("policy/v1"),
            "{refused}"
        );
    }
    let path = "/apis/policy/v1/namespaces/version-lossy/poddisruptionbudgets";
    assert_eq!(live(path).await["items"], json!([]));
}

#[tokio::test]
async fn an_object_that_validation_no_longer_accepts_is_named_before_anything_is_written() {
    let fixture = fixture();
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "old", "namespace": "version-stricter", "uid": "u-old"}, "data": {"no key": "v"}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "version-stricter", "uid": "u-ns"}});
    let mut captured = one(source_type("", "v1", "configmaps", "ConfigMap", &["v1"]), &object);
    let mut namespaces = source_type("", "v1", "namespaces", "Namespace", &["v1"]);
    namespaces.resource.namespaced = false;
    captured.types.push(namespaces);
    captured.objects.push((1, namespace.to_string().into_bytes()));
    let options = RestoreOptions {
        validate: true,
        ..RestoreOptions::default()
    };
    let api = connect(&fixture.target).await;
    {
        let _turn = turn().await;
        let refused = run(&api, &captured, &options, LeaseHolder::this_process()).await;
        let refused = refused
            .err()
            .map(|error| format!("{error:?}"))
            .unwrap_or_default();
        assert!(refused.contains("no key"), "{refused}");
    }
    let path = "/api/v1/namespaces?fieldSelector=metadata.name%3Dversion-stricter";
    assert_eq!(live(path).await["items"], json!([]));
}

/// Returns a definition for the target that serves `v2` only.
fn definition(name: &str, conversion: &str) -> String {
    format!(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: rafts.{name}.example}}
spec:
  group: {name}.example
  scope: Namespaced
  names: {{plural: rafts, singular: raft, kind: Raft, listKind: RaftList}}
  conversion: {conversion}
  versions:
  - name: v2
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: version-{name}}}
"
    )
}

/// Returns a raft in `v1`, and the definition of the source, which serves both versions.
fn raft(name: &str, conversion: &Value) -> Captured {
    let group = format!("{name}.example");
    let mut captured = one(
        source_type(&group, "v1", "rafts", "Raft", &["v1", "v2"]),
        &json!({"apiVersion": format!("{group}/v1"), "kind": "Raft",
            "metadata": {"name": "log", "namespace": format!("version-{name}"), "uid": "u-raft"}, "spec": {"logs": 7}}),
    );
    let mut definitions = source_type(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        &["v1"],
    );
    definitions.resource.namespaced = false;
    captured.types.push(definitions);
    let version = |name: &str, storage: bool| {
        json!({"name": name, "served": true, "storage": storage,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
    };
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("rafts.{group}"), "uid": "u-crd"}, "spec": {
            "group": group, "scope": "Namespaced", "conversion": conversion,
            "names": {"plural": "rafts", "singular": "raft", "kind": "Raft", "listKind": "RaftList"},
            "versions": [version("v1", true), version("v2", false)]}});
    captured.objects.push((1, definition.to_string().into_bytes()));
    captured
}

#[tokio::test]
async fn a_custom_resource_changes_its_version_by_name_where_no_webhook_converts_it() {
    let fixture = fixture();
    apply(&fixture.target, &definition("byname", "{strategy: None}"));
    let captured = raft("byname", &json!({"strategy": "None"}));
    restored(&captured, &RestoreOptions::default()).await;
    let raft = live("/apis/byname.example/v2/namespaces/version-byname/rafts/log").await;
    assert_eq!(raft["spec"], json!({"logs": 7}));
}

#[tokio::test]
async fn a_custom_resource_that_only_a_webhook_could_convert_is_listed_and_not_written() {
    let fixture = fixture();
    apply(&fixture.target, &definition("byhook", "{strategy: None}"));
    let webhook = json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://127.0.0.1:1/convert"}}});
    let done = restored(&raft("byhook", &webhook), &RestoreOptions::default()).await;
    let left = done.plan.not_restored.iter();
    let left: Vec<_> = left.map(|left| (&*left.object.name, left.rule)).collect();
    assert_eq!(left, [("log", RuleId::VersionNotServed)]);
    let rafts = live("/apis/byhook.example/v2/namespaces/version-byhook/rafts").await;
    assert_eq!(rafts["items"], json!([]));
}
