//! What the Pods of a workload run: the part of a Pod that its template and the admission of its cluster decide.
//!
//! Pods of controllers are not restored; the controllers of the target make them again. Two Pods with the same shape
//! run the same containers with the same images, volumes, classes and account. What differs between any two Pods of a
//! workload (names, nodes, tokens, hashes) is not part of it, and neither are values of environment variables and
//! annotations: those of the template are compared with the workload, and injected ones may name the Region.

use std::collections::BTreeMap;

use lifeboat_translate::pointer;
use serde_json::{Map, Value, json};

/// Labels and annotations that controllers set on each of their Pods, and what admission adds to them from the cluster
/// around them: the zone of their node, the defaults of a LimitRange.
const OF_OTHERS: [&str; 12] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "kubernetes.io/limit-ranger",
];

/// Texts of the spec that decide where and as whom a Pod runs.
const TEXTS: [&str; 4] = [
    "serviceAccountName",
    "runtimeClassName",
    "priorityClassName",
    "schedulerName",
];

/// Returns the shape of a Pod.
#[must_use]
pub fn of_pod(pod: &Value) -> Value {
    shape(pod, Managers::of(pod).as_ref())
}

/// Returns the shape that the Pods of a workload have if admission changes nothing; `None` for objects without a
/// template.
#[must_use]
pub fn of_template(workload: &Value) -> Option<Value> {
    let template = workload.pointer("/spec/template")?;
    Some(shape(template, None))
}

/// Returns the label by which the Pods of one revision of a workload are told from those of another.
#[must_use]
pub fn revision(pod: &Value) -> Option<&str> {
    ["pod-template-hash", "controller-revision-hash"]
        .iter()
        .find_map(|key| pointer::text(pod, &pointer::of(&["metadata", "labels", key])))
}

/// Returns whether a Pod has the condition `Ready`.
#[must_use]
pub fn is_ready(pod: &Value) -> bool {
    pointer::list(pod, "/status/conditions").any(|condition| {
        pointer::text(condition, "/type") == Some("Ready")
            && pointer::text(condition, "/status") == Some("True")
    })
}

/// Returns whether a Pod runs or is to run: it has not finished, and is not being deleted.
#[must_use]
pub fn is_active(pod: &Value) -> bool {
    let phase = pointer::text(pod, "/status/phase");
    let is_deleted = pod
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|time| !time.is_null());
    !is_deleted && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// Returns where the shape of a Pod differs from that of its template: paths with the value of the Pod, `None` where
/// the Pod lacks what the template has.
#[must_use]
pub fn injected(pod: &Value, template: &Value) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    lifeboat_translate::diff::diff(template, pod, &mut |path, sides| {
        let value = sides.right.map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        found.insert(path.clone(), value);
    });
    found
}

/// The managers of the fields of a Pod.
struct Managers<'a> {
    /// The entry of the one that created it.
    creator: &'a Value,
    all: Vec<&'a Value>,
}

impl<'a> Managers<'a> {
    /// Returns the managers; `None` if the Pod does not say who created it.
    fn of(pod: &'a Value) -> Option<Self> {
        let all: Vec<&Value> = pointer::list(pod, "/metadata/managedFields").collect();
        let creator = all.iter().copied().find(|entry| {
            entry.get("subresource").is_none() && entry.pointer("/fieldsV1/f:spec/f:containers").is_some()
        })?;
        Some(Self { creator, all })
    }

    /// Returns whether a label or an annotation was set after the Pod was created, as network plugins do for each Pod.
    /// What admission adds to the request of the creator belongs to nobody.
    fn is_later(&self, field: &str, key: &str) -> bool {
        let field = format!("/fieldsV1/f:metadata/f:{field}");
        let key = format!("f:{key}");
        let owns = |entry: &Value| entry.pointer(&field).is_some_and(|keys| keys.get(&key).is_some());
        !owns(self.creator) && self.all.iter().any(|entry| owns(entry))
    }
}

fn shape(pod: &Value, managers: Option<&Managers<'_>>) -> Value {
    let mut shape = Map::new();
    let mut put = |name: &str, value: Value| {
        let is_empty = match &value {
            Value::Object(map) => map.is_empty(),
            Value::Null => true,
            _ => false,
        };
        if !is_empty {
            shape.insert(name.to_owned(), value);
        }
    };
    let token = pointer::list(pod, "/spec/volumes").find(|volume| is_token(volume));
    let token = token.and_then(|volume| pointer::text(volume, "/name"));
    for list in ["initContainers", "containers"] {
        let path = format!("/spec/{list}");
        let containers = pointer::list(pod, &path)
            .filter_map(|one| Some((pointer::text(one, "/name")?.to_owned(), container(one, token))));
        put(list, Value::Object(containers.collect()));
    }
    let volumes = pointer::list(pod, "/spec/volumes").filter_map(|volume| {
        let name = pointer::text(volume, "/name")?;
        // The claims of a StatefulSet have the name of the Pod.
        let kind = volume.as_object()?.keys().find(|key| *key != "name");
        (Some(name) != token).then(|| (name.to_owned(), json!(kind)))
    });
    put("volumes", Value::Object(volumes.collect()));
    let secrets = pointer::list(pod, "/spec/imagePullSecrets")
        .filter_map(|secret| Some((pointer::text(secret, "/name")?.to_owned(), json!(true))));
    put("imagePullSecrets", Value::Object(secrets.collect()));
    for name in TEXTS {
        let text = pointer::text(pod, &format!("/spec/{name}"));
        put(name, json!(text.filter(|text| !text.is_empty())));
    }
    for name in ["labels", "annotations"] {
        let map = pod
            .pointer(&format!("/metadata/{name}"))
            .and_then(Value::as_object);
        let keys = map.into_iter().flat_map(Map::keys).filter(|key| {
            let is_later = managers.is_some_and(|managers| managers.is_later(name, key));
            !is_later && !OF_OTHERS.contains(&key.as_str())
        });
        put(
            name,
            Value::Object(keys.map(|key| (key.clone(), json!(true))).collect()),
        );
    }
    Value::Object(shape)
}

fn container(container: &Value, token: Option<&str>) -> Value {
    let names = |path: &str, key: &str| -> Map<String, Value> {
        pointer::list(container, path)
            .filter(|one| token.is_none() || pointer::text(one, "/name") != token)
            .filter_map(|one| Some((pointer::text(one, key)?.to_owned(), json!(true))))
            .collect()
    };
    let mut shape = Map::new();
    shape.insert("image".to_owned(), json!(pointer::text(container, "/image")));
    for (name, map) in [
        ("env", names("/env", "/name")),
        ("mounts", names("/volumeMounts", "/mountPath")),
    ] {
        if !map.is_empty() {
            shape.insert(name.to_owned(), Value::Object(map));
        }
    }
    // An init container that is always restarted is a sidecar.
    if let Some(policy) = pointer::text(container, "/restartPolicy") {
        shape.insert("restartPolicy".to_owned(), json!(policy));
    }
    Value::Object(shape)
}

/// Returns whether the ServiceAccount admission plugin has injected the volume (`kube-api-access-xxxxx`).
pub(crate) fn is_token(volume: &Value) -> bool {
    let name = pointer::text(volume, "/name").unwrap_or_default();
    name.starts_with("kube-api-access-")
        && pointer::list(volume, "/projected/sources")
            .any(|source| source.get("serviceAccountToken").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({
            "metadata": {
                "labels": {"app": "web", "pod-template-hash": "abc", "injected": "yes"},
                "annotations": {"inject": "done", "network": "10.0.0.1", "kubernetes.io/limit-ranger": "cpu"},
                "managedFields": [
                    {"manager": "kube-controller-manager", "fieldsV1": {
                        "f:metadata": {"f:labels": {".": {}, "f:app": {}}, "f:annotations": {"f:inject": {}}},
                        "f:spec": {"f:containers": {}}}},
                    {"manager": "multus", "fieldsV1": {"f:metadata": {"f:annotations": {"f:network": {}}}}},
                ],
            },
            "spec": {
                "nodeName": "n1",
                "containers": [{"name": "web", "image": "web:1", "volumeMounts": [
                    {"name": "kube-api-access-x1", "mountPath": "/var/run/secrets"}, {"name": "data", "mountPath": "/data"}]}],
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}},
                    {"name": "kube-api-access-x1", "projected": {"sources": [{"serviceAccountToken": {}}]}}],
            },
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        })
    }

    #[test]
    fn names_tokens_and_later_annotations_are_not_part_of_it_and_what_admission_added_is() {
        let shape = of_pod(&pod());
        assert_eq!(
            shape,
            json!({
                "containers": {"web": {"image": "web:1", "mounts": {"/data": true}}},
                "volumes": {"data": "persistentVolumeClaim"},
                "labels": {"app": true, "injected": true}, "annotations": {"inject": true},
            })
        );
        assert!(is_ready(&pod()) && is_active(&pod()));
        assert_eq!(revision(&pod()), Some("abc"));
    }

    #[test]
    fn what_admission_injected_is_the_difference_from_the_template() {
        let workload = json!({"spec": {"template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}});
        let template = of_template(&workload).expect("it has a template");
        let mut with_sidecar = workload["spec"]["template"].clone();
        with_sidecar["spec"]["containers"]
            .as_array_mut()
            .expect("a list")
            .push(json!({"name": "proxy", "image": "proxy:1"}));
        let found = injected(&of_pod(&with_sidecar), &template);
        let paths: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(paths, ["/containers/proxy"]);
        assert!(injected(&of_pod(&workload["spec"]["template"]), &template).is_empty());
    }
}
