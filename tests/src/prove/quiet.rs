//! What stood still while a backup was made.

use crate::census::Census;
use crate::compare::differences;
use crate::compare::owners::differing_owners;

/// The later of two censuses without the content of what changed in between by itself, and how many
/// objects that were. Those that came or went are left out; an object that changed keeps its place but
/// nothing that could be compared.
#[must_use]
pub fn stable(earlier: &Census, mut later: Census) -> (Census, usize) {
    let mut moved = 0;
    later.objects.retain(|key, object| {
        let Some(before) = earlier.objects.get(key) else {
            moved += 1;
            return false;
        };
        if !differences(before, object, earlier.has_status(key)).is_empty()
            || !differing_owners(before, object).is_empty()
        {
            moved += 1;
            return false;
        }
        true
    });
    (later, moved)
}
