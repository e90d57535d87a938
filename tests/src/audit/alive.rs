//! Checks that workloads of the target run as in the source (no child duplicated or missing, ready
//! and bound again), and that every object of the target has an explanation.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Evidence, Fault, Finding};
use crate::compare::owners::controller;
use crate::snapshot::{Key, Snapshot, array, text};

pub(super) fn check(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let (before, after) = (children(evidence.source), children(evidence.target));
    for (key, object) in &evidence.source.objects {
        let Some(image) = evidence.image(key).filter(|_| !evidence.moving.contains(key)) else {
            continue;
        };
        let Some(found) = evidence.target.get(&image) else {
            continue;
        };
        for child in ["pods", "replicasets.apps"] {
            let count = |all: &BTreeMap<(Key, &'static str), usize>, owner: &Key| {
                all.get(&(owner.clone(), child)).copied().unwrap_or(0)
            };
            let (had, has) = (count(&before, key), count(&after, &image));
            // An owner that did not have all its children in the source may have them now, but no more.
            let whole = child == "pods" && had < has && Some(has as u64) == wanted(found);
            // The report names the workload, and the plan named it before.
            let named = had > has && evidence.claims.differing.contains(&image);
            if had != has && !whole && !named {
                let fault = if had < has {
                    Fault::Doubled
                } else {
                    Fault::Childless
                };
                findings.push(Finding::new(
                    fault,
                    key,
                    format!("had {had} living {child} and has {has}"),
                ));
            }
        }
        for pointer in ready_fields(&key.type_name) {
            let (had, has) = (object.pointer(pointer), found.pointer(pointer));
            let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
            let whole = number(had) < number(has) && wanted(found) == Some(number(has));
            if had != has && !whole && !evidence.claims.differing.contains(&image) {
                let show = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                findings.push(Finding::new(
                    Fault::NotReady,
                    key,
                    format!("{pointer} was {} and is {}", show(had), show(has)),
                ));
            }
        }
        for condition in true_conditions(&key.type_name) {
            if holds(object, condition) && !holds(found, condition) {
                findings.push(Finding::new(
                    Fault::NotReady,
                    key,
                    format!("was {condition} and is not"),
                ));
            }
        }
    }
    unexpected(evidence, findings);
}

/// Returns the number of Pods that a workload requests.
fn wanted(object: &Value) -> Option<u64> {
    match text(object, "/kind") {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => {
            object["spec"]["replicas"].as_u64()
        }
        "DaemonSet" => object["status"]["desiredNumberScheduled"].as_u64(),
        _ => None,
    }
}

/// Returns the status fields that must be the same on both sides.
fn ready_fields(type_name: &str) -> &'static [&'static str] {
    match type_name {
        "deployments.apps" | "statefulsets.apps" | "replicasets.apps" => {
            &["/status/replicas", "/status/readyReplicas"]
        }
        "daemonsets.apps" => &["/status/numberReady", "/status/desiredNumberScheduled"],
        "jobs.batch" => &["/status/succeeded", "/status/failed"],
        "persistentvolumeclaims" => &["/status/phase", "/spec/volumeName"],
        "persistentvolumes" => &["/status/phase", "/spec/claimRef/namespace", "/spec/claimRef/name"],
        "namespaces" => &["/status/phase"],
        _ => &[],
    }
}

/// Returns the conditions that must be true in the target if they are true in the source.
fn true_conditions(type_name: &str) -> &'static [&'static str] {
    match type_name {
        "customresourcedefinitions.apiextensions.k8s.io" => &["Established", "NamesAccepted"],
        "jobs.batch" => &["Complete", "Failed", "Suspended"],
        "deployments.apps" => &["Available"],
        "apiservices.apiregistration.k8s.io" => &["Available"],
        _ => &[],
    }
}

fn holds(object: &Value, condition: &str) -> bool {
    array(object, "/status/conditions").any(|entry| entry["type"] == condition && entry["status"] == "True")
}

/// Counts the Pods that have not ended, and the ReplicaSets with replicas, of each top-level owner.
fn children(snapshot: &Snapshot) -> BTreeMap<(Key, &'static str), usize> {
    let mut counts = BTreeMap::new();
    for child in ["pods", "replicasets.apps"] {
        for (key, object) in snapshot.of_type(child) {
            let empty = child == "replicasets.apps" && object["spec"]["replicas"].as_u64() == Some(0);
            if ended(object) || empty {
                continue;
            }
            let top = top_owner(snapshot, key, object);
            if top != *key {
                *counts.entry((top, child)).or_insert(0) += 1;
            }
        }
    }
    counts
}

/// Returns whether an object is a Pod that has ended, or is being deleted.
pub(super) fn ended(object: &Value) -> bool {
    matches!(text(object, "/status/phase"), "Succeeded" | "Failed")
        || !text(object, "/metadata/deletionTimestamp").is_empty()
}

/// Returns the last of an object's controllers, and the object itself if it has none.
pub(super) fn top_owner(snapshot: &Snapshot, key: &Key, object: &Value) -> Key {
    let mut top = key.clone();
    let mut next = object;
    while let Some((owner, found)) = owner_of(snapshot, next, &key.namespace) {
        top = owner;
        next = found;
    }
    top
}

fn owner_of<'a>(snapshot: &'a Snapshot, object: &Value, namespace: &str) -> Option<(Key, &'a Value)> {
    let owner = controller(object)?;
    let name = snapshot.type_of(&owner.api_version, &owner.kind)?.name();
    [namespace, ""].iter().find_map(|namespace| {
        let key = Key::new(&name, namespace, &owner.name);
        let found = snapshot.get(&key)?;
        (text(found, "/metadata/uid") == owner.uid).then_some((key, found))
    })
}

/// Finds objects of the target that were created since the restore began and that neither the
/// report nor a controller explains.
fn unexpected(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let claims = evidence.claims;
    let images: BTreeSet<Key> = claims
        .restored
        .keys()
        .filter_map(|key| evidence.image(key))
        .collect();
    for (key, object) in &evidence.target.objects {
        let alias = evidence.target.aliases.iter().any(|(alias, first)| {
            first == key && (images.contains(alias) || claims.unplanned.contains(alias))
        });
        let explained = alias
            || images.contains(key)
            || claims.unplanned.contains(key)
            || evidence.before.get(key).is_some()
            || super::reasons::passing_type(&key.type_name) && !key.name.starts_with("lifeboat")
            || owner_of(evidence.target, object, &key.namespace).is_some()
            || made_by_the_cluster(evidence, key, object);
        if !explained {
            findings.push(Finding::new(
                Fault::Unexpected,
                key,
                "is in the target, and nothing says where it comes from",
            ));
        }
    }
}

fn made_by_the_cluster(evidence: &Evidence<'_>, key: &Key, object: &Value) -> bool {
    let service = |name: &str| {
        evidence
            .target
            .get(&Key::new("services", &key.namespace, name))
            .is_some()
    };
    match key.type_name.as_str() {
        "configmaps" => key.name == "kube-root-ca.crt",
        "serviceaccounts" => key.name == "default",
        "ipaddresses.networking.k8s.io" => true,
        "endpoints" => service(&key.name),
        "endpointslices.discovery.k8s.io" => {
            service(text(object, "/metadata/labels/kubernetes.io~1service-name"))
        }
        "apiservices.apiregistration.k8s.io" => !text(
            object,
            "/metadata/labels/kube-aggregator.kubernetes.io~1automanaged",
        )
        .is_empty(),
        _ => false,
    }
}
