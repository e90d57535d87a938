//! StatefulSets of which a part of the Pods runs a former revision, because their partition holds the rollout.
//!
//! Only the ControllerRevision of the former revision has its template, and a new StatefulSet has no former revision. Its
//! controller records the template that it finds first as the current revision, and gives that one to all Pods below the
//! partition (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions>). It must not find a
//! number of Pods with it: those above the partition would run the former revision for a while, on data of the current
//! one; and without Pods but with the current template it takes that one for the current revision
//! (<https://github.com/kubernetes/kubernetes/issues/121534>).

use std::collections::BTreeSet;

use lifeboat_model::{Code, ObjectRef};

use super::Resolver;
use crate::lint::{LintFinding, Severity};
use crate::planned::{Action, HeldRevision, Note};
use crate::rule::RuleId;

/// Plans the former revision of each StatefulSet whose rollout is held. Returns those of which it is not known.
pub(super) fn hold(work: &mut Resolver<'_>, sorted: &[usize]) -> BTreeSet<usize> {
    let mut unknown = BTreeSet::new();
    for &index in sorted {
        let item = &work.draft.items[index];
        let Some(rollout) = work.draft.workloads.held.get(&item.uid) else {
            continue;
        };
        // The history of a StatefulSet that exists stays.
        if !work.is_planned(index)
            || !matches!(work.decisions.actions[index], Action::Create | Action::Recreate)
        {
            continue;
        }
        let target = work.decisions.targets[index].clone();
        let known = (item.uid.clone(), rollout.former.clone());
        let Some(revision) = work.draft.workloads.revisions.get(&known) else {
            let missing = without_revision(&target, &rollout.former);
            work.decisions.findings.push(missing);
            unknown.insert(index);
            continue;
        };
        let held = HeldRevision {
            revision: ObjectRef {
                r#type: "controllerrevisions.apps".into(),
                namespace: item.namespace.clone(),
                name: rollout.former.as_ref().into(),
            },
            digest: hex::encode(revision.digest),
            locator: revision.locator,
        };
        if !revision.leftovers.is_empty() {
            let leftovers = revision.leftovers.clone();
            work.decisions.held_leftovers.insert(index, leftovers);
        }
        let text = format!(
            "Its Pods below ordinal {} get the revision {}, which they run in the source, and the others the revision {}.",
            rollout.from, rollout.former, rollout.current
        );
        let object = Some(target);
        work.decisions.notes.insert(Note { object, text });
        work.decisions.held.insert(index, held);
        work.note_use(RuleId::RevisionHeld);
    }
    unknown
}

fn without_revision(set: &ObjectRef, former: &str) -> LintFinding {
    LintFinding {
        severity: Severity::Warning,
        check: "older-revision".to_owned(),
        code: Code::PlanRefused,
        object: Some(set.clone()),
        message: format!(
            "Pods of {set} below its partition run the revision {former} in the source, whose ControllerRevision the recovery point does not have; in the target all get the current one."
        ),
        guidance: "back up ControllerRevisions too, finish or undo the rollout in the source and back up again, or patch the template to the revision that is to run"
            .to_owned(),
    }
}
