//! Workloads that admission kept from creating Pods.

use std::collections::BTreeSet;

use super::Resolver;
use crate::builder::summary::Extra;
use crate::wave::Wave;

/// Moves workloads that had fewer Pods than they ask for behind the quotas and the Pod Security Standard of their
/// namespace.
pub(super) fn hold_back(work: &mut Resolver<'_>, sorted: &[usize]) {
    let planned = || sorted.iter().copied().filter(|index| work.is_planned(*index));
    let limited: BTreeSet<&str> = planned()
        .filter_map(|index| {
            let target = &work.decisions.targets[index];
            match work.item(index).extra.as_deref() {
                Some(Extra::PodSecurity(_)) => Some(&*target.name),
                _ if work.is_type(index, "", "resourcequotas") => target.namespace.as_deref(),
                _ => None,
            }
        })
        .collect();
    let lacking = &work.draft.workloads.lacking;
    let held: Vec<usize> = planned()
        .filter(|index| lacking.contains(&work.item(*index).uid))
        .filter(|index| {
            let namespace = work.decisions.targets[*index].namespace.as_deref();
            namespace.is_some_and(|namespace| limited.contains(namespace))
        })
        .collect();
    for index in held {
        // The backends of webhooks stay before what they admit.
        work.waves.entry(index).or_insert((Wave::LimitedWorkloads, 0));
    }
}
