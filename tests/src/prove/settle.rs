//! What stood still while a backup was made.

use std::collections::BTreeSet;

use crate::compare::differences;
use crate::compare::owners::differing_owners;
use crate::snapshot::{Key, Snapshot};

/// The objects that changed, came or went between two censuses by themselves. Which state of them a
/// backup in between holds, if any, cannot be known.
#[must_use]
pub fn moving(earlier: &Snapshot, later: &Snapshot) -> BTreeSet<Key> {
    let keys: BTreeSet<&Key> = earlier.objects.keys().chain(later.objects.keys()).collect();
    keys.into_iter()
        .filter(|key| match (earlier.objects.get(key), later.objects.get(key)) {
            (Some(before), Some(after)) => {
                !differences(before, after, later.has_status(key)).is_empty()
                    || !differing_owners(before, after).is_empty()
            }
            _ => true,
        })
        .cloned()
        .collect()
}
