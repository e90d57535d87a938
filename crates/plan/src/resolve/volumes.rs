//! Volumes whose claims are gone.

use std::collections::BTreeSet;

use super::Work;
use crate::draft::skeleton::Extra;
use crate::prepare::Released;
use crate::rule::RuleId;

/// A volume whose claim is gone keeps the uid of that claim, so that the target calls it Released too.
/// Where a reclaim policy says to delete such volumes the target's controllers would do so at once,
/// perhaps while the source still needs the data: those are left out. Where the point holds the claim
/// after all, because the two were captured at different moments, the volume is one as any other.
pub(super) fn released(work: &mut Work<'_>) {
    let volumes: Vec<(usize, Released)> = (0..work.fates.len())
        .filter(|index| work.is_planned(*index))
        .filter_map(|index| match work.item(index).extra.as_deref() {
            Some(Extra::Released(released)) => Some((index, released.clone())),
            _ => None,
        })
        .collect();
    if volumes.is_empty() {
        return;
    }
    let claims: BTreeSet<&str> = (0..work.fates.len())
        .filter(|index| work.is_planned(*index) && work.is_type(*index, "", "persistentvolumeclaims"))
        .map(|index| &*work.draft.items[index].uid)
        .collect();
    let found: Vec<bool> = volumes
        .iter()
        .map(|(_, volume)| {
            claims.contains(volume.claim.as_str())
                || work.draft.unselected_uids.contains(volume.claim.as_str())
        })
        .collect();
    for ((index, volume), found) in volumes.into_iter().zip(found) {
        if found {
            for (path, value) in volume.binding {
                work.edit(index, path, None);
                work.change(index, path, RuleId::VolumeBinding, Some(value), None);
            }
        } else if volume.deletes {
            work.fates[index] = Some((RuleId::ReleasedVolume, None));
        }
    }
}
