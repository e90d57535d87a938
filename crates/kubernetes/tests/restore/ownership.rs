//! Who owns the fields afterwards: every tool can still change and remove what is its own.

use lifeboat_plan::RestoreOptions;
use serde_json::{Value, json};

use crate::support::{Captured, apply, live, restored, world};

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
    let world = world();
    let manifest = "
apiVersion: v1
kind: Namespace
metadata: {name: own-apply}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: applied, namespace: own-apply}
data: {keep: 'yes', remove: soon}
";
    apply(&world.source, manifest);
    let captured = Captured::from(&world.source, |kind, namespace, name| {
        (namespace == "own-apply" && kind == "configmaps" && name == "applied") || name == "own-apply"
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let path = "/api/v1/namespaces/own-apply/configmaps/applied";
    assert_eq!(
        managers(&live(path).await),
        [("kubectl".to_owned(), "Apply".to_owned())],
        "nobody but the former owner owns it"
    );
    apply(&world.target, &manifest.replace(", remove: soon", ""));
    assert_eq!(live(path).await["data"], json!({"keep": "yes"}));
}

#[tokio::test]
async fn each_of_several_owners_keeps_its_own_fields() {
    let world = world();
    apply(
        &world.source,
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
    world
        .source
        .kubectl_output(&[&arguments[..], &manager[..]].concat())
        .expect("the patch applies");
    let captured = Captured::from(&world.source, |kind, namespace, name| {
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
    // The applier takes its field away; the editor's stays.
    apply(
        &world.target,
        "
apiVersion: v1
kind: ConfigMap
metadata: {name: shared, namespace: own-several}
data: {}
",
    );
    assert_eq!(live(path).await["data"], json!({"updated": "two"}));
}
