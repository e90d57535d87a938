//! Warns of workloads whose Pods validating admission kept away in the source: it comes last, so that it does not refuse
//! what is older than it is, and in the target they come up before it.

use lifeboat_model::{Code, ObjectRef};

use super::super::Resolver;
use super::{warning, writes};
use crate::builder::summary::Extra;
use crate::builder::workloads::Refusal;
use crate::lint::LintFinding;
use crate::table::{count, examples};
use crate::wave::Wave;

pub(super) fn add(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    let validating: Vec<usize> = sorted
        .iter()
        .copied()
        .filter(|index| writes(work, *index) && validates_pods(work, *index))
        .collect();
    if validating.is_empty() {
        return;
    }
    let facts = &work.draft.workloads;
    let refused = sorted
        .iter()
        .filter(|index| writes(work, **index))
        .filter(|index| {
            let uid = &work.item(**index).uid;
            // What a quota or a Pod Security Standard may have refused comes after it.
            let is_limited = work
                .waves
                .get(*index)
                .is_some_and(|(wave, _)| *wave == Wave::LimitedWorkloads);
            facts.lacking.contains(uid)
                && !is_limited
                && may_be_refused(work, &validating, facts.refusals.get(uid))
        });
    let refused: Vec<&ObjectRef> = refused.map(|index| &work.decisions.targets[*index]).collect();
    if refused.is_empty() {
        return;
    }
    let have = if refused.len() == 1 { "has" } else { "have" };
    let judges = validating.iter().map(|index| &work.decisions.targets[*index]);
    found.push(warning(
        "refused-pods",
        Code::PlanRefused,
        None,
        format!(
            "{} {have} fewer Pods in the source than asked for, and may have them all in the target, because the admission \
             that may refuse them is restored after them ({}): {}.",
            count(refused.len(), "workload"),
            examples(judges),
            examples(refused.into_iter())
        ),
        "check whether these Pods may run; if not, scale the workloads to the Pods that they had with a patch (`--patches`)",
    ));
}

/// Returns whether an item is a validating webhook or policy that applies to Pods.
fn validates_pods(work: &Resolver<'_>, index: usize) -> bool {
    match work.item(index).extra.as_deref() {
        Some(Extra::ValidatingPolicy(of_pods)) => *of_pods,
        Some(Extra::Webhooks(webhooks)) => {
            work.is_type(
                index,
                "admissionregistration.k8s.io",
                "validatingwebhookconfigurations",
            ) && webhooks.iter().any(|webhook| webhook.of_pods)
        }
        _ => false,
    }
}

/// Returns whether one of these may have refused the Pods of a workload. Only ReplicaSets and Deployments say what did.
fn may_be_refused(work: &Resolver<'_>, validating: &[usize], refusal: Option<&Refusal>) -> bool {
    match refusal {
        None => true,
        Some(Refusal::Other) => false,
        Some(Refusal::Validation(name)) => {
            validating
                .iter()
                .any(|index| match work.item(*index).extra.as_deref() {
                    Some(Extra::Webhooks(webhooks)) => webhooks.iter().any(|webhook| *webhook.name == **name),
                    _ => *work.item(*index).name == **name,
                })
        }
    }
}
