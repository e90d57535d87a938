//! The report of a restore that was not proven: only what the API server's responses show.

use lifeboat_plan::report::{
    Changed, ChangedBy, NotRestoredGroup, REPORT_FORMAT_VERSION, Report, Restored, Summary, Verdict,
};
use lifeboat_plan::{Action, Plan, PlannedObject, RuleId};
use lifeboat_restore::execute::RestoreOutcome;
use lifeboat_restore::outcome::ObjectResult;

/// Why an object is missing after an interrupt.
pub(super) const NOT_ATTEMPTED: &str = "the restore was interrupted before it was written";

/// Returns a report without a proof. Its verdict is that the cluster does not match the plan, because the target was
/// not read back; documents show it as `notProven`.
pub(super) fn report(plan: &Plan, outcome: &RestoreOutcome) -> Report {
    let mut restored = Vec::new();
    let mut changed = Vec::new();
    let mut not_restored = Vec::new();
    let mut kept = 0;
    for (object, result) in plan.objects.iter().zip(&outcome.results) {
        match result {
            ObjectResult::Failed(failure) => not_restored.push(NotRestoredGroup {
                object: object.source().clone(),
                planned: true,
                rule: None,
                why: Some(failure.to_string()),
            }),
            ObjectResult::NotAttempted => not_restored.push(NotRestoredGroup {
                object: object.source().clone(),
                planned: true,
                rule: None,
                why: Some(NOT_ATTEMPTED.to_owned()),
            }),
            ObjectResult::Restored | ObjectResult::Kept | ObjectResult::KeptUnplanned => {
                if *result != ObjectResult::Restored {
                    kept += 1;
                }
                restored.push(Restored::from(object));
                if object.action != Action::Keep {
                    changed.extend(changes(object));
                }
            }
        }
    }
    let failed = not_restored.len() as u64;
    not_restored.extend(plan.not_restored.iter().map(|left| NotRestoredGroup {
        object: left.object.clone(),
        planned: false,
        rule: Some(left.rule),
        why: left.detail.clone(),
    }));
    let summary = Summary {
        planned: plan.objects.len() as u64,
        restored: restored.len() as u64,
        kept,
        changed_by_plan: changed.len() as u64,
        left_out: plan.not_restored.len() as u64,
        failed,
        ..Summary::default()
    };
    restored.sort();
    changed.sort();
    not_restored.sort();
    Report {
        format_version: REPORT_FORMAT_VERSION,
        verdict: Verdict::DiffersFromPlan,
        point: plan.point.clone(),
        cluster: plan.cluster.clone(),
        plan: plan.hash(),
        summary,
        restored,
        changed,
        not_restored,
        unplanned: Vec::new(),
        workloads: Vec::new(),
        leftovers: Vec::new(),
        notes: Vec::new(),
        rules: plan.rules.clone(),
        warnings: Vec::new(),
    }
}

fn changes(object: &PlannedObject) -> impl Iterator<Item = Changed> + '_ {
    object.changes.iter().map(|change| {
        let by_patch = change.rule == RuleId::Patch;
        Changed {
            object: object.target.clone(),
            path: change.path.clone(),
            by: if by_patch {
                ChangedBy::Patch
            } else {
                ChangedBy::Rule
            },
            rule: Some(change.rule),
            who: change.patch.map(|number| format!("patch {number}")),
            difference: None,
            from: change.from.clone(),
            to: change.to.clone(),
        }
    })
}
