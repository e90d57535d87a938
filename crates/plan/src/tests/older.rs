//! Workloads whose Pods are older than the mutating admission of Pods.

use serde_json::{Value, json};

use crate::testing::{Fixture, named};

const BEFORE: &str = "2026-11-20T00:00:00Z";
const AFTER: &str = "2026-11-22T00:00:00Z";

fn created(mut object: Value, uid: &str, at: &str) -> Value {
    object["metadata"]["uid"] = uid.into();
    object["metadata"]["creationTimestamp"] = at.into();
    object
}

fn owned(mut object: Value, kind: &str, name: &str, uid: &str) -> Value {
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}]);
    object
}

fn policy(resource: &str) -> Value {
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "resources": [resource], "operations": ["CREATE"]}]);
    let mut policy = named(
        "admissionregistration.k8s.io/v1beta1",
        "MutatingAdmissionPolicy",
        "inject",
        json!({"spec": {"matchConstraints": {"resourceRules": rules}}}),
    );
    policy["metadata"]
        .as_object_mut()
        .expect("it is a map")
        .remove("namespace");
    created(policy, "policy-0", "2026-11-21T00:00:00Z")
}

/// A Deployment with a Pod that was created at a time.
fn workload(at: &str) -> [Value; 3] {
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}});
    let deployment = named(
        "apps/v1",
        "Deployment",
        "web",
        json!({"spec": {"replicas": 1, "template": template}, "status": {"observedGeneration": 1, "replicas": 1}}),
    );
    let set = named(
        "apps/v1",
        "ReplicaSet",
        "web-1",
        json!({"spec": {"replicas": 1, "template": template}}),
    );
    let pod = named(
        "v1",
        "Pod",
        "web-1-x",
        json!({"spec": {"containers": [{"name": "web", "image": "web:1"}]}, "status": {"phase": "Running"}}),
    );
    [
        created(deployment, "deployment-0", BEFORE),
        created(owned(set, "Deployment", "web", "deployment-0"), "set-0", BEFORE),
        created(owned(pod, "ReplicaSet", "web-1", "set-0"), "pod-0", at),
    ]
}

fn findings(policy: Value, workload: [Value; 3]) -> Vec<String> {
    let objects: Vec<Value> = std::iter::once(policy).chain(workload).collect();
    let findings = Fixture::new(objects).plan().lint().into_iter();
    let older = findings.filter(|finding| finding.check == "older-pods");
    older.map(|finding| finding.message).collect()
}

#[test]
fn a_workload_with_pods_older_than_a_mutating_policy_is_named() {
    let found = findings(policy("pods"), workload(BEFORE));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("deployments.apps shop/web") && found[0].contains("inject"),
        "{found:?}"
    );
}

#[test]
fn a_workload_with_younger_pods_or_without_a_policy_of_pods_is_not_named() {
    assert_eq!(findings(policy("pods"), workload(AFTER)), [""; 0]);
    assert_eq!(findings(policy("configmaps"), workload(BEFORE)), [""; 0]);
}
