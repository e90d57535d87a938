//! Workloads whose Pods validating admission kept away in the source.

use serde_json::{Value, json};

use crate::testing::{Fixture, named};

fn rules(resource: &str) -> Value {
    json!([{"apiGroups": [""], "apiVersions": ["v1"], "resources": [resource], "operations": ["CREATE"]}])
}

fn cluster_scoped(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = named(api_version, kind, name, rest);
    object["metadata"]
        .as_object_mut()
        .expect("it is a map")
        .remove("namespace");
    object
}

fn webhook(resource: &str) -> Value {
    let webhook = json!({"name": "no.example.com", "rules": rules(resource),
        "clientConfig": {"url": "https://no.example.com"}});
    let rest = json!({ "webhooks": [webhook] });
    let api_version = "admissionregistration.k8s.io/v1";
    cluster_scoped(api_version, "ValidatingWebhookConfiguration", "no", rest)
}

fn policy() -> Value {
    let rest = json!({"spec": {"matchConstraints": {"resourceRules": rules("pods")}}});
    let api_version = "admissionregistration.k8s.io/v1";
    cluster_scoped(api_version, "ValidatingAdmissionPolicy", "no-pods", rest)
}

/// A Deployment that asks for two Pods and has none.
fn deployment(message: Option<&str>) -> Value {
    let conditions =
        message.map(|message| json!([{"type": "ReplicaFailure", "status": "True", "message": message}]));
    named(
        "apps/v1",
        "Deployment",
        "web",
        json!({"spec": {"replicas": 2}, "status": {"observedGeneration": 1, "conditions": conditions}}),
    )
}

fn findings(objects: &[Value]) -> Vec<String> {
    let findings = Fixture::new(objects).plan().lint().into_iter();
    let refused = findings.filter(|finding| finding.check == "refused-pods");
    refused.map(|finding| finding.message).collect()
}

#[test]
fn workloads_whose_pods_validation_refused_are_named() {
    let by_webhook = r#"admission webhook "no.example.com" denied the request: no"#;
    let by_policy = "pods \"web-1-x\" is forbidden: ValidatingAdmissionPolicy 'no-pods' with binding 'b' denied request: no";
    let without_backend = r#"Internal error occurred: failed calling webhook "no.example.com": no such host"#;
    for message in [None, Some(by_webhook), Some(by_policy), Some(without_backend)] {
        let found = findings(&[webhook("pods"), policy(), deployment(message)]);
        assert_eq!(found.len(), 1, "{message:?}");
        assert!(found[0].contains("deployments.apps shop/web"), "{found:?}");
        assert!(found[0].contains("no-pods"), "{found:?}");
    }
}

#[test]
fn workloads_that_lack_pods_for_another_reason_are_not_named() {
    let quota = "pods \"web-1-x\" is forbidden: exceeded quota: most, requested: pods=1";
    let elsewhere = r#"admission webhook "other.example.com" denied the request: no"#;
    for message in [quota, elsewhere] {
        assert_eq!(
            findings(&[webhook("pods"), deployment(Some(message))]),
            [""; 0],
            "{message}"
        );
    }
    // No validation of Pods, and no lack of them.
    assert_eq!(findings(&[webhook("configmaps"), deployment(None)]), [""; 0]);
    let mut whole = deployment(None);
    whole["status"]["replicas"] = json!(2);
    assert_eq!(findings(&[webhook("pods"), whole]), [""; 0]);
}

#[test]
fn a_namespace_with_a_quota_gets_its_pods_after_the_quota() {
    let quota = named(
        "v1",
        "ResourceQuota",
        "most",
        json!({"spec": {"hard": {"pods": "0"}}}),
    );
    assert_eq!(findings(&[webhook("pods"), quota, deployment(None)]), [""; 0]);
}
