//! Checks what the age of objects decides: which of two default classes is effective, and which of two Ingresses has a
//! host and a path.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use super::{Evidence, Fault, Finding};
use crate::snapshot::{Key, Snapshot, array, text};

pub(super) fn check(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let after = winners(evidence.target);
    for (contest, winner) in winners(evidence.source) {
        let Some(image) = evidence.image(winner) else {
            continue;
        };
        match after.get(&contest) {
            Some(now) if **now == image => {}
            now => findings.push(Finding::new(
                Fault::Age,
                winner,
                format!(
                    "was {contest}, and in the target {} is",
                    now.map_or("nothing".to_owned(), ToString::to_string)
                ),
            )),
        }
    }
}

fn winners(snapshot: &Snapshot) -> BTreeMap<String, &Key> {
    let mut found = BTreeMap::new();
    for (type_name, annotation) in [
        (
            "storageclasses.storage.k8s.io",
            "storageclass.kubernetes.io~1is-default-class",
        ),
        (
            "ingressclasses.networking.k8s.io",
            "ingressclass.kubernetes.io~1is-default-class",
        ),
    ] {
        // The youngest default class is effective; of two of the same second the first by name.
        let path = format!("/metadata/annotations/{annotation}");
        let youngest = snapshot
            .of_type(type_name)
            .filter(|(_, class)| text(class, &path) == "true")
            .min_by_key(|(key, class)| (Reverse(created(class).to_owned()), key.name.clone()));
        if let Some((key, _)) = youngest {
            found.insert(format!("the effective default of {type_name}"), key);
        }
    }
    let mut paths: BTreeMap<String, (&str, &Key)> = BTreeMap::new();
    for (key, ingress) in snapshot.of_type("ingresses.networking.k8s.io") {
        for rule in array(ingress, "/spec/rules") {
            for path in array(rule, "/http/paths") {
                let place = format!(
                    "the Ingress of {}{} in class {:?}",
                    text(rule, "/host"),
                    text(path, "/path"),
                    text(ingress, "/spec/ingressClassName")
                );
                let mine = (created(ingress), key);
                let oldest = paths.entry(place).or_insert(mine);
                *oldest = (*oldest).min(mine);
            }
        }
    }
    found.extend(paths.into_iter().map(|(place, (_, key))| (place, key)));
    found
}

fn created(object: &Value) -> &str {
    text(object, "/metadata/creationTimestamp")
}
