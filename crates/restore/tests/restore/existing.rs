//! Objects that already exist in the target.

use lifeboat_plan::{ExistingPolicy, RestoreOptions};
use serde_json::json;

use crate::support::{Captured, Restored, apply, fixture, live, restored};

async fn with_policy(policy: ExistingPolicy, namespace: &str) -> Restored {
    let fixture = fixture();
    let manifest = |value: &str, extra: &str| {
        format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: {namespace}}}
data: {{value: {value}{extra}}}
"
        )
    };
    apply(&fixture.source, &manifest("captured", ""));
    apply(&fixture.target, &manifest("live", ", local: only"));
    let captured = Captured::from(&fixture.source, |kind, of, name| {
        (of == namespace && kind == "configmaps" && name == "settings") || name == namespace
    })
    .await;
    let options = RestoreOptions {
        existing: policy,
        ..RestoreOptions::default()
    };
    restored(&captured, &options).await
}

#[tokio::test]
async fn keep_leaves_it_and_tells_the_difference() {
    let done = with_policy(ExistingPolicy::Keep, "existing-keep").await;
    let settings = live("/api/v1/namespaces/existing-keep/configmaps/settings").await;
    assert_eq!(settings["data"], json!({"value": "live", "local": "only"}));
    let report = serde_json::to_string(&done.report).expect("a report can be written");
    assert!(report.contains("/data/value"), "{report}");
}

#[tokio::test]
async fn update_brings_it_to_the_captured_state_and_keeps_its_identity() {
    let path = "/api/v1/namespaces/existing-update/configmaps/settings";
    let done = with_policy(ExistingPolicy::Update, "existing-update").await;
    let settings = live(path).await;
    assert_eq!(settings["data"], json!({"value": "captured"}));
    let object = lifeboat_model::ObjectRef::new("configmaps".into(), Some("existing-update"), "settings");
    let known = done.facts.existing.get(&object).expect("it exists");
    assert_eq!(settings["metadata"]["uid"], known.uid.to_string());
}

#[tokio::test]
async fn recreate_makes_it_anew() {
    let fixture = fixture();
    apply(
        &fixture.target,
        "{apiVersion: v1, kind: Namespace, metadata: {name: existing-new}}",
    );
    let path = "/api/v1/namespaces/existing-new/configmaps/settings";
    let captured = {
        let manifest = |value: &str| {
            format!(
                "
apiVersion: v1
kind: Namespace
metadata: {{name: existing-new}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: existing-new}}
immutable: true
data: {{value: {value}}}
"
            )
        };
        apply(&fixture.source, &manifest("captured"));
        apply(&fixture.target, &manifest("live"));
        // Only the immutable object: recreating the namespace would delete everything else in it.
        Captured::from(&fixture.source, |kind, of, name| {
            of == "existing-new" && kind == "configmaps" && name == "settings"
        })
        .await
    };
    let before = live(path).await;
    let options = RestoreOptions {
        existing: ExistingPolicy::Recreate,
        ..RestoreOptions::default()
    };
    restored(&captured, &options).await;
    let settings = live(path).await;
    assert_eq!(settings["data"], json!({"value": "captured"}));
    assert_ne!(settings["metadata"]["uid"], before["metadata"]["uid"]);
}
