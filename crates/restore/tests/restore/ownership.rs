//! Field ownership after a restore: every tool can still change and remove its own fields.

use lifeboat_local::{Cluster, Webhook};
use lifeboat_plan::report::ChangedBy;
use lifeboat_plan::{RestoreOptions, RuleId};
use serde_json::{Value, json};

use crate::support::{Captured, apply, fixture, live, proven_again, restored, until};

fn managers(object: &Value) -> Vec<(String, String)> {
    let entries = object["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|entry| (text(entry, "manager"), text(entry, "operation")))
        .collect()
}

#[tokio::test]
async fn a_field_applied_before_is_removed_by_its_applier_after_the_restore() {
    let fixture = fixture();
    let manifest = "
apiVersion: v1
kind: Namespace
metadata: {name: own-apply}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: applied, namespace: own-apply}
data: {keep: 'yes', remove: soon, odd: plain}
";
    apply(&fixture.source, manifest);
    let mut captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "own-apply" && kind == "configmaps" && name == "applied") || name == "own-apply"
    })
    .await;
    // The target parses the body of an apply as YAML, which folds, trims or rejects these characters if they
    // are not escaped. Any client that applies has the same problem, so that the test changes the captured
    // bytes instead.
    let odd = "\u{2028} a \u{2028} b \u{2029} c \u{85} d\u{7f}\u{80}\u{9f}\u{feff}\u{fffe}\u{ffff} \u{1f6df}\u{1ffff}\r\n\t\\ ";
    captured.edit("ConfigMap", "applied", |object| {
        object["data"]["odd"] = odd.into();
    });
    restored(&captured, &RestoreOptions::default()).await;
    let path = "/api/v1/namespaces/own-apply/configmaps/applied";
    let restored = live(path).await;
    assert_eq!(
        restored["data"],
        json!({"keep": "yes", "remove": "soon", "odd": odd}),
        "every character is there"
    );
    assert_eq!(
        managers(&restored),
        [("kubectl".to_owned(), "Apply".to_owned())],
        "nobody but the former owner owns it"
    );
    apply(&fixture.target, &manifest.replace(", remove: soon", ""));
    assert_eq!(live(path).await["data"], json!({"keep": "yes", "odd": "plain"}));
}

#[tokio::test]
async fn each_of_several_owners_keeps_its_own_fields() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: own-several}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shared, namespace: own-several}
data: {applied: one}
",
    );
    let patch = r#"{"data":{"updated":"two"}}"#;
    let arguments = [
        "-n",
        "own-several",
        "patch",
        "configmap",
        "shared",
        "--type=merge",
        "-p",
        patch,
    ];
    let manager = ["--field-manager=editor"];
    fixture
        .source
        .kubectl_output(&[&arguments[..], &manager[..]].concat())
        .expect("the patch applies");
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "own-several" && kind == "configmaps" && name == "shared") || name == "own-several"
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let path = "/api/v1/namespaces/own-several/configmaps/shared";
    let before = &captured
        .objects
        .iter()
        .map(|(_, raw)| serde_json::from_slice::<Value>(raw));
    let before = before
        .clone()
        .flatten()
        .find(|object| object["kind"] == "ConfigMap");
    let before = before.expect("it was captured");
    assert_eq!(
        live(path).await["metadata"]["managedFields"],
        before["metadata"]["managedFields"],
        "the entries are those of the source, times included"
    );
    // The applier removes its field; the editor's field stays.
    apply(
        &fixture.target,
        "
apiVersion: v1
kind: ConfigMap
metadata: {name: shared, namespace: own-several}
data: {}
",
    );
    assert_eq!(live(path).await["data"], json!({"updated": "two"}));
}

/// A definition of rafts that are stored as `v1`; the webhook converts to `v2`, in which their only field has
/// another name.
fn rafts(webhook: &Webhook) -> String {
    format!(
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: rafts.own.example}}
spec:
  group: own.example
  scope: Namespaced
  names: {{plural: rafts, singular: raft, kind: Raft, listKind: RaftList}}
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig: {{url: '{}/convert', caBundle: {}}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
  - name: v2
    served: true
    storage: false
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
",
        webhook.url(),
        webhook.ca_bundle()
    )
}

#[tokio::test]
async fn an_owner_in_a_version_that_a_webhook_converts_still_owns_its_fields() {
    let fixture = fixture();
    let webhook = Webhook::start(0).expect("a port is free");
    apply(&fixture.source, &rafts(&webhook));
    fixture
        .source
        .kubectl_output(&["wait", "--for=condition=Established", "crd/rafts.own.example"])
        .expect("the definition is established");
    let raft = "
apiVersion: v1
kind: Namespace
metadata: {name: own-converted}
---
apiVersion: own.example/v2
kind: Raft
metadata: {name: log, namespace: own-converted}
spec: {timbers: 7, sail: red}
";
    apply(&fixture.source, raft);
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "own-converted" && kind.starts_with("rafts"))
            || ["own-converted", "rafts.own.example"].contains(&name)
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let path = "/apis/own.example/v1/namespaces/own-converted/rafts/log";
    let raft_there = live(path).await;
    assert_eq!(raft_there["spec"], json!({"logs": 7, "sail": "red"}));
    assert_eq!(
        managers(&raft_there),
        [("kubectl".to_owned(), "Apply".to_owned())],
        "nobody but the former owner owns it"
    );
    assert_eq!(
        raft_there["metadata"]["managedFields"][0]["apiVersion"],
        "own.example/v2"
    );
    // Its owner, which uses v2, removes a field.
    apply(&fixture.target, &raft.replace("timbers: 7, ", ""));
    assert_eq!(live(path).await["spec"], json!({"sail": "red"}));
}

/// Returns manager, operation and version of each entry.
fn versions(object: &Value) -> Vec<(String, String, String)> {
    let entries = object["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    entries
        .iter()
        .map(|entry| {
            (
                text(entry, "manager"),
                text(entry, "operation"),
                text(entry, "apiVersion"),
            )
        })
        .collect()
}

fn apply_as(cluster: &Cluster, manager: &str, manifest: &str) {
    let manager = format!("--field-manager={manager}");
    cluster
        .kubectl_with_input(&["apply", "--server-side", &manager, "-f", "-"], manifest)
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Returns a definition of pipelines; each version with the schema of its spec.
fn pipelines(group: &str, versions: &[(&str, Value)]) -> String {
    let versions: Vec<Value> = versions
        .iter()
        .enumerate()
        .map(|(at, (name, spec))| {
            json!({"name": name, "served": true, "storage": at == 0,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}})
        })
        .collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("pipelines.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "versions": versions, "names":
            {"plural": "pipelines", "singular": "pipeline", "kind": "Pipeline", "listKind": "PipelineList"}}})
    .to_string()
}

fn established(cluster: &Cluster, group: &str) {
    let definition = format!("crd/pipelines.{group}");
    cluster
        .kubectl_output(&["wait", "--for=condition=Established", &definition])
        .unwrap_or_else(|error| panic!("{error}"));
    // The type is served a moment later.
    let mut waits = 0;
    while let Err(error) = cluster.kubectl_output(&["get", &format!("pipelines.{group}"), "-A"]) {
        waits += 1;
        assert!(waits < 100, "{error}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

async fn captured_pipelines(namespace: &str, group: &str) -> Captured {
    Captured::from(&fixture().source, |kind, of, name| {
        (of == namespace && kind.starts_with("pipelines"))
            || name == namespace
            || name == format!("pipelines.{group}")
    })
    .await
}

#[tokio::test]
async fn an_owner_in_a_version_that_its_definition_dropped_keeps_its_fields() {
    let fixture = fixture();
    let (group, namespace) = ("removed.example", "own-removed");
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    apply(
        &fixture.source,
        &pipelines(group, &[("v1", any.clone()), ("v1alpha1", any.clone())]),
    );
    apply(
        &fixture.source,
        &format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}"),
    );
    established(&fixture.source, group);
    let team_b = |timeout: &str| {
        format!(
            "{{apiVersion: {group}/v1, kind: Pipeline, metadata: {{name: release, namespace: {namespace}, annotations: {{cost: '12'}}}}, spec: {{{timeout}}}}}"
        )
    };
    apply_as(
        &fixture.source,
        "team-a",
        &format!(
            "{{apiVersion: {group}/v1alpha1, kind: Pipeline, metadata: {{name: release, namespace: {namespace}, labels: {{team: a}}}}, spec: {{stages: [build], image: ci}}}}"
        ),
    );
    apply_as(&fixture.source, "team-b", &team_b("timeout: 10m"));
    apply(&fixture.source, &pipelines(group, &[("v1", any)]));
    let captured = captured_pipelines(namespace, group).await;
    let done = restored(&captured, &RestoreOptions::default()).await;
    assert_eq!(done.plan.rules[&RuleId::OwnershipVersion].objects, 1);
    let path = format!("/apis/{group}/v1/namespaces/{namespace}/pipelines/release");
    let of = |manager: &str| (manager.to_owned(), "Apply".to_owned(), format!("{group}/v1"));
    let mut found = versions(&live(&path).await);
    found.sort();
    assert_eq!(found, [of("team-a"), of("team-b")]);
    apply_as(&fixture.target, "team-b", &team_b(""));
    let spec = &live(&path).await["spec"];
    assert_eq!(
        *spec,
        json!({"stages": ["build"], "image": "ci"}),
        "its owner removes it"
    );
}

#[tokio::test]
async fn an_owner_in_a_version_that_lacks_a_field_of_the_object_keeps_its_fields() {
    let fixture = fixture();
    let (group, namespace) = ("lacking.example", "own-lacking");
    let text = json!({"type": "string"});
    let old = json!({"type": "object", "properties": {"image": text, "timeout": text}});
    let mut stored = old.clone();
    stored["properties"]["background"] = json!({"type": "boolean", "default": true});
    apply(
        &fixture.source,
        &pipelines(group, &[("v1", stored), ("v2beta1", old)]),
    );
    apply(
        &fixture.source,
        &format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}"),
    );
    established(&fixture.source, group);
    let policy = |timeout: &str| {
        format!(
            "{{apiVersion: {group}/v2beta1, kind: Pipeline, metadata: {{name: policy, namespace: {namespace}}}, spec: {{image: ci{timeout}}}}}"
        )
    };
    apply_as(&fixture.source, "team-a", &policy(", timeout: 10m"));
    let captured = captured_pipelines(namespace, group).await;
    restored(&captured, &RestoreOptions::default()).await;
    let path = format!("/apis/{group}/v1/namespaces/{namespace}/pipelines/policy");
    let policy_there = live(&path).await;
    assert_eq!(
        policy_there["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:spec": {"f:image": {}, "f:timeout": {}}}),
        "{policy_there}"
    );
    apply_as(&fixture.target, "team-a", &policy(""));
    assert_eq!(
        live(&path).await["spec"],
        json!({"image": "ci", "background": true}),
        "it removes its field in the version that it uses"
    );
}

#[tokio::test]
async fn an_owner_in_a_version_of_a_built_in_type_keeps_its_fields_if_the_target_serves_it() {
    let fixture = fixture();
    let namespace = "own-built-in";
    apply(
        &fixture.source,
        &format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {{name: web, namespace: {namespace}}}
spec: {{maxReplicas: 3, targetCPUUtilizationPercentage: 50, scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}}}
"
        ),
    );
    let mut captured = Captured::from(&fixture.source, |kind, of, name| {
        (of == namespace && kind.starts_with("horizontalpodautoscalers")) || name == namespace
    })
    .await;
    // A version that API servers do not serve any more.
    captured.edit("HorizontalPodAutoscaler", "web", |object| {
        let removed = json!({"manager": "editor", "operation": "Update", "apiVersion": "autoscaling/v2beta2",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:minReplicas": {}}}, "time": "2020-01-01T00:00:00Z"});
        if let Some(entries) = object["metadata"]["managedFields"].as_array_mut() {
            entries.push(removed);
        }
    });
    restored(&captured, &RestoreOptions::default()).await;
    let path = format!("/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/web");
    let found = versions(&live(&path).await);
    let has = |manager: &str, operation: &str, version: &str| {
        found.contains(&(manager.to_owned(), operation.to_owned(), version.to_owned()))
    };
    assert!(has("kubectl", "Apply", "autoscaling/v1"), "{found:?}");
    assert!(has("editor", "Update", "autoscaling/v2"), "{found:?}");
}

#[tokio::test]
async fn what_nobody_owned_is_owned_by_nobody_and_what_the_object_lacks_keeps_its_owner() {
    let fixture = fixture();
    let namespace = "own-nobody";
    apply(
        &fixture.source,
        &format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: empty, namespace: {namespace}}}
data: {{}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: unowned, namespace: {namespace}}}
data: {{a: b}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: own-nobody-part, labels: {{own-nobody: 'true'}}}}
rules: [{{apiGroups: [''], resources: [pods], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: own-nobody-all}}
aggregationRule: {{clusterRoleSelectors: [{{matchLabels: {{own-nobody: 'true'}}}}]}}
rules: []
"
        ),
    );
    let role_path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/own-nobody-all";
    until(&fixture.source, role_path, "aggregated", |role| {
        role["rules"].as_array().is_some_and(|rules| !rules.is_empty())
    })
    .await;
    let mut captured = Captured::from(&fixture.source, |kind, of, name| {
        (of == namespace && kind == "configmaps" && name != "kube-root-ca.crt")
            || name.starts_with("own-nobody")
    })
    .await;
    captured.edit("ConfigMap", "unowned", |object| {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
    });
    // As of a role whose rules were aggregated before the API server tracked owners.
    captured.edit("ClusterRole", "own-nobody-all", |object| {
        let entries = object["metadata"]["managedFields"].as_array_mut();
        entries
            .expect("it has owners")
            .retain(|entry| entry["manager"] == "kubectl");
    });
    restored(&captured, &RestoreOptions::default()).await;
    let unowned = live(&format!("/api/v1/namespaces/{namespace}/configmaps/unowned")).await;
    assert_eq!(versions(&unowned), []);
    let empty = live(&format!("/api/v1/namespaces/{namespace}/configmaps/empty")).await;
    assert_eq!(
        empty["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:data": {}}),
        "{empty}"
    );
    let role = live(role_path).await;
    let owners: Vec<&Value> = role["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["fieldsV1"].get("f:rules").is_some())
        .map(|entry| &entry["manager"])
        .collect();
    assert!(
        owners
            .iter()
            .all(|owner| **owner == "clusterrole-aggregation-controller"),
        "{owners:?}"
    );
}

#[tokio::test]
async fn owners_that_are_not_as_planned_are_reported_and_the_cluster_does_not_match_the_plan() {
    let fixture = fixture();
    let namespace = "own-proven";
    apply(
        &fixture.source,
        &format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: shared, namespace: {namespace}}}
data: {{applied: one}}
"
        ),
    );
    apply_as(
        &fixture.source,
        "team-b",
        &format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: shared, namespace: {namespace}}}, data: {{other: two}}}}"
        ),
    );
    let captured = Captured::from(&fixture.source, |kind, of, name| {
        (of == namespace && kind == "configmaps" && name == "shared") || name == namespace
    })
    .await;
    let done = restored(&captured, &RestoreOptions::default()).await;
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/shared");
    let mut entries = live(&path).await["metadata"]["managedFields"].clone();
    let lost = entries.as_array_mut().expect("it has owners");
    lost.retain(|entry| entry["manager"] != "team-b");
    lost.push(
        json!({"manager": "lifeboat", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:applied": {}}}, "time": "2026-01-01T00:00:00Z"}),
    );
    let patch = json!({"metadata": {"managedFields": lost}}).to_string();
    fixture
        .target
        .kubectl_output(&[
            "-n",
            namespace,
            "patch",
            "configmap",
            "shared",
            "--type=merge",
            "-p",
            &patch,
        ])
        .unwrap_or_else(|error| panic!("{error}"));
    let report = proven_again(&captured, &done).await;
    assert!(!report.matches_plan());
    assert_eq!(report.summary.owners, 2);
    let owners: Vec<_> = (report.changed.iter())
        .filter(|change| change.by == ChangedBy::Ownership)
        .map(|change| (change.path.as_str(), change.who.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(
        owners,
        [("/data", "lifeboat (Update)"), ("/data", "team-b (Apply)")]
    );
    assert!(
        report
            .text()
            .contains("fields with other owners than planned (2)")
    );
}
