//! Field ownership after a restore: every tool can still change and remove its own fields.

use lifeboat_local::Webhook;
use lifeboat_plan::RestoreOptions;
use serde_json::{Value, json};

use crate::support::{Captured, apply, fixture, live, restored};

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
