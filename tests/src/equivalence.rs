//! Compares two restored clusters, for example after an undisturbed and an interrupted restore.

use std::collections::BTreeSet;

use crate::audit::passing_type;
use crate::compare::differences;
use crate::compare::owners::{differing_owners, owners};
use crate::snapshot::{Key, Snapshot};

/// Returns all differences between two clusters, except for objects that each cluster creates itself.
#[must_use]
pub fn differing(one: &Snapshot, other: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    let keys: BTreeSet<&Key> = one.objects.keys().chain(other.objects.keys()).collect();
    for key in keys {
        // Each cluster has its own certificate authority and API server address.
        let own = passing_type(&key.type_name)
            || key.name == "extension-apiserver-authentication"
            || key.name == "kube-apiserver-legacy-service-account-token-tracking"
            || key.name == "kube-root-ca.crt"
            || (key.namespace == "default" && key.name == "kubernetes");
        if own {
            continue;
        }
        match (one.objects.get(key), other.objects.get(key)) {
            (Some(first), Some(second)) => {
                for difference in differences(first, second, one.has_status(key)) {
                    found.push(format!("{key}: {difference}"));
                }
                for difference in differing_owners(first, second) {
                    found.push(format!("{key}: {difference}"));
                }
                let names = |object| {
                    owners(object)
                        .into_iter()
                        .map(|owner| (owner.kind, owner.name, owner.controller))
                        .collect::<Vec<_>>()
                };
                if names(first) != names(second) {
                    found.push(format!("{key}: other owners"));
                }
            }
            (Some(_), None) => found.push(format!("{key}: only in the first")),
            _ => found.push(format!("{key}: only in the second")),
        }
    }
    for (name, snapshot) in [("first", one), ("second", other)] {
        let living = snapshot.uids();
        for (key, object) in &snapshot.objects {
            for owner in owners(object) {
                if !living.contains(owner.uid.as_str()) {
                    found.push(format!("{key}: an owner is not alive in the {name}"));
                }
            }
        }
    }
    found
}
