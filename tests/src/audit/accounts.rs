//! Checks that each object of the source is in exactly one list of the report, and that the list's
//! statement is true.

use serde_json::Value;

use super::{ChangeReason, Evidence, Fault, Finding, Restored, why};
use crate::compare::owners::{differing_owners, owners, place_of};
use crate::compare::{Place, differences};
use crate::snapshot::{Key, text};

pub(super) fn check(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let (source, claims) = (evidence.source, evidence.claims);
    let living = evidence.target.uids();
    for key in &claims.twice {
        findings.push(Finding::new(Fault::Twice, key, "stands in more than one list"));
    }
    for (key, object) in &source.objects {
        let names = || {
            std::iter::once(key).chain(
                source
                    .aliases
                    .iter()
                    .filter(move |(_, first)| *first == key)
                    .map(|(alias, _)| alias),
            )
        };
        let restored = names().find_map(|name| Some((name, claims.restored.get(name)?)));
        let left_out = names().find_map(|name| claims.not_restored.get(name));
        match (restored, left_out) {
            (Some(_), Some(_)) => findings.push(Finding::new(
                Fault::Twice,
                key,
                "is said to be restored and not to be",
            )),
            (Some((name, restored)), None) => {
                let image = restored.target.clone().unwrap_or_else(|| name.clone());
                match evidence.target.get(&image) {
                    Some(_) if evidence.moving.contains(key) => {}
                    Some(found) => compare(key, object, found, restored, evidence, &living, findings),
                    None if why(evidence, key, object) == Some(ChangeReason::Passing) => {}
                    None => findings.push(Finding::new(
                        Fault::Absent,
                        key,
                        format!("{image} is not in the target"),
                    )),
                }
            }
            (None, _) if evidence.moving.contains(key) => {}
            (None, Some(reason)) => match why(evidence, key, object) {
                Some(found) if found.fits(&reason.rule) => {}
                Some(found) => findings.push(Finding::new(
                    Fault::UntrueReason,
                    key,
                    format!(
                        "the report says `{}` ({}), but it is: {found}",
                        reason.rule, reason.text
                    ),
                )),
                None => findings.push(Finding::new(
                    Fault::UntrueReason,
                    key,
                    format!("nothing supports `{}` ({})", reason.rule, reason.text),
                )),
            },
            (None, None) if why(evidence, key, object) == Some(ChangeReason::Passing) => {}
            (None, None) => findings.push(Finding::new(Fault::Forgotten, key, "is in no list")),
        }
    }
    for key in claims.restored.keys().chain(claims.not_restored.keys()) {
        // Short-lived objects, such as Events and Leases, may have been created and deleted since the snapshot.
        if source.get(key).is_none()
            && !evidence.moving.contains(key)
            && !super::reasons::passing_type(&key.type_name)
        {
            findings.push(Finding::new(
                Fault::Invented,
                key,
                "is in the report and not in the source",
            ));
        }
    }
}

fn compare(
    key: &Key,
    source: &Value,
    target: &Value,
    restored: &Restored,
    evidence: &Evidence<'_>,
    living: &std::collections::BTreeSet<&str>,
    findings: &mut Vec<Finding>,
) {
    let reported = |place: &Place| restored.changes.iter().any(|change| change.place.touches(place));
    let planned = |place: &Place| {
        restored
            .changes
            .iter()
            .any(|change| change.planned && change.place.touches(place))
    };
    let without_status = evidence.source.has_status(key) && !evidence.with_status.contains(&key.type_name);
    for difference in differences(source, target, without_status) {
        // The target may add what the source's own admission would have added. A value of the
        // source must not change that way: both clusters are configured alike, so only the plan has
        // a reason to change it.
        let is_kept = difference.in_source && !of_the_cluster(&difference.place);
        let explained = if is_kept || is_choice(&difference.place) {
            planned(&difference.place)
        } else {
            reported(&difference.place)
        };
        if !explained {
            let said = if reported(&difference.place) {
                ", and the report ascribes it to the target"
            } else {
                ", and the report does not say so"
            };
            findings.push(Finding::new(Fault::Content, key, format!("{difference}{said}")));
        }
    }
    let ownership = Place::parse("/metadata/managedFields");
    for difference in differing_owners(source, target) {
        // If the report lists a field as changed, its changed owner is explained, too.
        if !difference.gained && !reported(&place_of(&difference.field)) && !reported(&ownership) {
            findings.push(Finding::new(Fault::FieldOwner, key, difference.to_string()));
        }
    }
    references(key, source, target, &reported, evidence, living, findings);
}

/// Returns whether a field depends on the cluster: a Deployment's revision is counted from the
/// ReplicaSets that its controller finds, and a Pod has the zone of its node.
fn of_the_cluster(place: &Place) -> bool {
    [
        "/metadata/annotations/deployment.kubernetes.io~1revision",
        "/metadata/labels/topology.kubernetes.io~1region",
        "/metadata/labels/topology.kubernetes.io~1zone",
    ]
    .iter()
    .any(|own| Place::parse(own) == *place)
}

/// Returns whether a controller acts on the presence of a field: an Ingress with a class gets a load balancer, a claim
/// with a class gets a volume. No admission may add it to an object that was without it.
fn is_choice(place: &Place) -> bool {
    [
        "/spec/ingressClassName",
        "/spec/storageClassName",
        "/spec/volumeName",
    ]
    .iter()
    .any(|choice| Place::parse(choice) == *place)
}

/// Checks that owner references name the same owners as in the source, with their new UIDs, and that those exist.
fn references(
    key: &Key,
    source: &Value,
    target: &Value,
    reported: &dyn Fn(&Place) -> bool,
    evidence: &Evidence<'_>,
    living: &std::collections::BTreeSet<&str>,
    findings: &mut Vec<Finding>,
) {
    let after = owners(target);
    for owner in &after {
        if !living.contains(owner.uid.as_str()) {
            findings.push(Finding::new(
                Fault::Reference,
                key,
                format!(
                    "its owner {} {} is not alive under that UID",
                    owner.kind, owner.name
                ),
            ));
        }
    }
    if reported(&Place::parse("/metadata/ownerReferences")) {
        return;
    }
    for owner in owners(source) {
        let Some(seen) = evidence.source.type_of(&owner.api_version, &owner.kind) else {
            findings.push(Finding::new(
                Fault::Reference,
                key,
                format!(
                    "its owner {} {} is of no known type and was kept silently",
                    owner.kind, owner.name
                ),
            ));
            continue;
        };
        let found = after
            .iter()
            .find(|other| other.kind == owner.kind && other.name == owner.name);
        match found {
            Some(other) => {
                let namespace = text(target, "/metadata/namespace");
                let alive = [namespace, ""]
                    .iter()
                    .filter_map(|namespace| {
                        evidence
                            .target
                            .get(&Key::new(&seen.name(), namespace, &owner.name))
                    })
                    .any(|object| text(object, "/metadata/uid") == other.uid);
                if !alive || other.controller != owner.controller {
                    findings.push(Finding::new(
                        Fault::Reference,
                        key,
                        format!(
                            "its reference to {} {} means something else now",
                            owner.kind, owner.name
                        ),
                    ));
                }
            }
            None => findings.push(Finding::new(
                Fault::Reference,
                key,
                format!(
                    "its reference to {} {} is gone and no list says so",
                    owner.kind, owner.name
                ),
            )),
        }
    }
}
