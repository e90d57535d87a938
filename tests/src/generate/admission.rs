//! What admits, changes or rejects objects, most of it younger than some of them.

use serde_json::{Value, json};

use super::{Draft, Phase};

fn class(name: &str, value: i32, default: bool) -> Value {
    json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
        "value": value, "globalDefault": default
    })
}

fn pod_of(draft: &mut Draft, phase: Phase, fields: &Value) {
    let (name, namespace) = (draft.name("judged"), draft.namespace());
    let mut spec = json!({"containers": [{"name": "main", "image": "registry.example.com/judged:1"}]});
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    draft.create(
        phase,
        "kubectl",
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}),
    );
}

/// A default class that some Pods are older than.
pub(super) fn default_priority(draft: &mut Draft) {
    let name = draft.name("default-priority");
    let value = draft.rng.i32(1..1000);
    draft.apply(Phase::Policies, "kubectl", class(&name, value, true));
    for phase in [Phase::Old, Phase::Young] {
        pod_of(draft, phase, &json!({}));
    }
}

/// A class that is deleted while Pods have it.
pub(super) fn retired_priority(draft: &mut Draft) {
    let name = draft.name("retired");
    let object = class(&name, 7, false);
    draft.apply(Phase::Begin, "kubectl", object.clone());
    pod_of(draft, Phase::Old, &json!({"priorityClassName": name}));
    draft.delete(Phase::Policies, &object);
}

/// A runtime class whose overhead changes after Pods were admitted.
pub(super) fn overhead(draft: &mut Draft) {
    let name = draft.name("runtime");
    let mut object = json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "sandbox",
        "overhead": {"podFixed": {"cpu": "100m"}}
    });
    draft.apply(Phase::Begin, "kubectl", object.clone());
    for phase in [Phase::Old, Phase::Young] {
        pod_of(draft, phase, &json!({"runtimeClassName": name}));
    }
    object["overhead"]["podFixed"]["cpu"] = json!("250m");
    draft.apply(Phase::Policies, "kubectl", object);
}

/// A namespace that gets stricter Pod security than its Pods fulfil.
pub(super) fn pod_security(draft: &mut Draft) {
    let (namespace, level) = (draft.namespace(), draft.one(&["baseline", "restricted"]));
    pod_of(draft, Phase::Old, &json!({"hostPID": true}));
    draft.apply(
        Phase::Policies,
        "platform",
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {
                "pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/warn": "restricted"
            }}
        }),
    );
}

/// Defaults and limits of containers that existing Pods do not have.
pub(super) fn limit_range(draft: &mut Draft) {
    let (name, namespace) = (draft.name("limits"), draft.namespace());
    let mut limit = json!({"type": "Container", "defaultRequest": {"cpu": "5m"}, "default": {"cpu": "50m"}});
    if draft.once_in(2) {
        limit["max"] = json!({"cpu": "100m", "memory": "32Mi"});
        limit["default"]["memory"] = json!("32Mi");
    }
    draft.apply(
        Phase::Policies,
        "platform",
        json!({
            "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": name, "namespace": namespace},
            "spec": {"limits": [limit]}
        }),
    );
    pod_of(draft, Phase::Old, &json!({}));
}

/// A quota below what the namespace uses already.
pub(super) fn quota(draft: &mut Draft) {
    let (name, namespace) = (draft.name("quota"), draft.namespace());
    let hard = draft.one(&[
        "pods",
        "count/configmaps",
        "services",
        "count/deployments.apps",
        "persistentvolumeclaims",
    ]);
    let most = draft.rng.u32(0..3);
    draft.apply(
        Phase::Policies,
        "platform",
        json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name, "namespace": namespace},
            "spec": {"hard": {hard: most.to_string()}}
        }),
    );
    pod_of(draft, Phase::Old, &json!({}));
}

/// A policy that rejects objects that exist.
pub(super) fn validating_policy(draft: &mut Draft) {
    let (name, config, namespace) = (draft.name("policy"), draft.name("settings"), draft.namespace());
    draft.apply(
        Phase::Old,
        "helm",
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": config, "namespace": namespace},
            "data": {"owner": "nobody"}
        }),
    );
    draft.apply(
        Phase::Policies,
        "platform",
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]
                }]},
                "validations": [{"expression": "!has(object.data) || !('owner' in object.data)", "message": "owner is not allowed"}]
            }
        }),
    );
    draft.apply(
        Phase::Policies,
        "platform",
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}
        }),
    );
}

/// A policy that changes Pods or ConfigMaps, older or younger than what it changes.
pub(super) fn mutating_policy(draft: &mut Draft) {
    let name = draft.name("mutation");
    let phase = draft.one(&[Phase::Begin, Phase::Policies]);
    let (resource, expression) = match draft.rng.u32(0..3) {
        0 => (
            "pods",
            r#"[JSONPatch{op: "add", path: "/spec/containers/-", value: Object.spec.containers{name: "sidecar", image: "registry.example.com/sidecar:1"}}]"#,
        ),
        1 => (
            "pods",
            r#"[JSONPatch{op: "add", path: "/metadata/labels", value: has(object.metadata.labels) ? object.metadata.labels : {}}, JSONPatch{op: "add", path: "/metadata/labels/injected", value: "yes"}]"#,
        ),
        _ => (
            "configmaps",
            r#"[JSONPatch{op: "add", path: "/metadata/annotations", value: has(object.metadata.annotations) ? object.metadata.annotations : {}}, JSONPatch{op: "add", path: "/metadata/annotations/seen", value: "yes"}]"#,
        ),
    };
    // One namespace, because the objects of kube-system are the server's.
    let namespace = draft.namespace();
    draft.apply(
        phase,
        "platform",
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail", "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                    "resourceRules": [{
                        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]
                    }]
                },
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}]
            }
        }),
    );
    draft.apply(
        phase,
        "platform",
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name}, "spec": {"policyName": name}
        }),
    );
    for phase in [Phase::Old, Phase::Young] {
        let name = draft.name("plain");
        draft.apply(
            phase,
            "helm",
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace},
                "data": {"key": "value"}
            }),
        );
    }
}
