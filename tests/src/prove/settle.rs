//! Finds the objects that changed while a backup was made.

use std::collections::BTreeSet;

use crate::compare::differences;
use crate::compare::owners::differing_owners;
use crate::snapshot::{Key, Snapshot};

/// Returns the objects that changed, appeared or disappeared between two snapshots by themselves.
/// Which of their states a backup in between contains, if any, cannot be determined.
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
