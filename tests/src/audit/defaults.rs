//! Checks objects that each cluster makes itself: what users added to them in the source must be in the target.

use serde_json::Value;

use super::{Evidence, Fault, Finding};
use crate::compare::differences;
use crate::snapshot::Key;

/// Objects whose content belongs to one cluster: its certificates, addresses and keys.
const OF_ONE_CLUSTER: [(&str, &str); 5] = [
    ("configmaps", "kube-root-ca.crt"),
    ("configmaps", "extension-apiserver-authentication"),
    (
        "configmaps",
        "kube-apiserver-legacy-service-account-token-tracking",
    ),
    ("services", "kubernetes"),
    ("endpointslices.discovery.k8s.io", "kubernetes"),
];

pub(super) fn check(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    for key in evidence.claims.not_restored.keys() {
        let (Some(object), Some(found)) = (evidence.source.get(key), evidence.target.get(key)) else {
            continue;
        };
        let of_one_cluster = OF_ONE_CLUSTER.contains(&(key.type_name.as_str(), key.name.as_str()))
            || key.type_name == "endpoints"
            || super::passing_type(&key.type_name)
            || evidence.moving.contains(key);
        let Some(fresh) = fresh(evidence, key).filter(|_| !of_one_cluster) else {
            continue;
        };
        // The names of namespaces differ, not what is added.
        for added in differences(fresh, object, evidence.source.has_status(key)) {
            let place = added.place.to_string();
            if !added.in_target || ["/metadata/name", "/metadata/namespace"].contains(&place.as_str()) {
                continue;
            }
            if !holds(object.pointer(&place), found.pointer(&place)) {
                findings.push(Finding::new(
                    Fault::Content,
                    key,
                    format!("{place} was added in the source and is not in the target"),
                ));
            }
        }
    }
}

/// Returns the object as a new cluster has it. Each namespace gets the same `default` account.
fn fresh<'a>(evidence: &'a Evidence<'_>, key: &Key) -> Option<&'a Value> {
    let account = key.type_name == "serviceaccounts" && key.name == "default";
    let any = || account.then(|| Key::new("serviceaccounts", "default", "default"));
    evidence.before.get(key).or_else(|| evidence.before.get(&any()?))
}

/// Returns whether a value of the target has all of a value of the source.
fn holds(source: Option<&Value>, target: Option<&Value>) -> bool {
    match (source, target) {
        (Some(Value::Array(source)), Some(Value::Array(target))) => {
            source.iter().all(|element| target.contains(element))
        }
        (source, target) => source == target,
    }
}
