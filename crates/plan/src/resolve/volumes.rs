//! The binding of volumes to their claims.

use std::collections::BTreeSet;

use super::Resolver;
use crate::builder::summary::Extra;
use crate::prepare::Bound;
use crate::rule::RuleId;

/// Decides how volumes are bound. A volume whose claim is restored is reserved for it by name alone, because the
/// claim gets another UID. A volume whose claim is gone or terminating keeps the UID of that claim, so that the
/// target sets it to `Released` and does not bind it to another claim of that name. With a reclaim policy that
/// deletes such volumes, the target's controllers would do so immediately, perhaps while the source still needs the
/// data; such volumes are not restored.
///
/// If the recovery point contains the claim of a `Released` volume after all, because the two were captured at
/// different times, the volume is handled as any other. A `Bound` volume is treated as bound unless the recovery
/// point shows that its claim is terminating: the claims may not have been captured at all.
pub(super) fn bindings(work: &mut Resolver<'_>) {
    let volumes: Vec<(usize, Bound)> = (0..work.decisions.exclusions.len())
        .filter(|index| work.is_planned(*index))
        .filter_map(|index| match work.item(index).extra.as_deref() {
            Some(Extra::Bound(bound)) => Some((index, bound.clone())),
            _ => None,
        })
        .collect();
    if volumes.is_empty() {
        return;
    }
    let is_claim = |index: &usize| work.is_type(*index, "", "persistentvolumeclaims");
    let (mut staying, mut going) = (BTreeSet::new(), BTreeSet::new());
    for index in (0..work.decisions.exclusions.len()).filter(is_claim) {
        let uid = &work.draft.items[index].uid;
        match &work.decisions.exclusions[index] {
            None => staying.insert(uid),
            Some((RuleId::TerminatingNamespace, _)) => going.insert(uid),
            Some(_) => false,
        };
    }
    let skipped = work.draft.skipped.iter();
    going.extend(
        skipped
            .filter(|skipped| skipped.rule == RuleId::Terminating)
            .map(|skipped| &skipped.uid),
    );
    let unselected = &work.draft.unselected_uids;
    let decided: Vec<(usize, Bound, bool)> = volumes
        .into_iter()
        .map(|(index, bound)| {
            let claim = &bound.claim;
            // A patch may have removed the claim and kept the controller's annotation.
            let is_tied = claim.is_empty()
                || match bound.released {
                    true => staying.contains(claim) || unselected.contains(claim),
                    false => !going.contains(claim),
                };
            (index, bound, is_tied)
        })
        .collect();
    for (index, bound, is_tied) in decided {
        if is_tied {
            for (path, value) in bound.binding {
                work.edit(index, path, None);
                work.change(index, path, RuleId::VolumeBinding, Some(value), None);
            }
        } else if bound.deletes {
            let detail = (!bound.released).then(|| "the claim was being deleted".to_owned());
            work.decisions.exclusions[index] = Some((RuleId::ReleasedVolume, detail));
        }
    }
}
