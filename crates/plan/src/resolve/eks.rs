//! What an EKS cluster that was made for the restore lacks: the objects of self-managed add-ons, and entries that users
//! added to `aws-auth`. Whatever it has stays its own.

use lifeboat_translate::pointer;
use serde_json::Value;

use super::Resolver;
use crate::Action;
use crate::builder::summary::OfEks;
use crate::rule::RuleId;

/// The webhooks that EKS creates in every cluster.
const WEBHOOKS: [&str; 3] = [
    "pod-identity-webhook",
    "vpc-resource-mutating-webhook",
    "vpc-resource-validating-webhook",
];

/// Plans the objects of EKS that the target lacks, if it is a cluster of EKS. The others are not restored.
pub(super) fn complete(work: &mut Resolver<'_>) {
    let is_of_eks = |webhook: &Value| {
        let name = pointer::text(webhook, "/metadata/name");
        name.is_some_and(|name| WEBHOOKS.contains(&name))
    };
    let is_eks = work.facts.webhooks.iter().any(is_of_eks);
    for (index, item) in work.draft.items.iter().enumerate() {
        let Some(of_eks) = item.of_eks().filter(|_| work.is_planned(index)) else {
            continue;
        };
        let existing = work.facts.existing.get(&work.decisions.targets[index]);
        match of_eks {
            OfEks::Addon { detail } => {
                if !is_eks || existing.is_some_and(|existing| !existing.created_by_this_run) {
                    let detail = detail.as_deref().map(str::to_owned);
                    work.decisions.exclusions[index] = Some((RuleId::EksManaged, detail));
                }
            }
            OfEks::AwsAuth { entries, .. } => {
                let live = existing.and_then(|existing| Some((existing, existing.body.as_deref()?)));
                let (data, added) = match live {
                    _ if !is_eks => (None, entries.clone()),
                    Some((existing, live)) => {
                        let added = entries.missing(live);
                        // After an interruption they are there already, and the plan has the same objects.
                        let is_changed = !added.is_empty() || existing.created_by_this_run;
                        work.decisions.actions[index] = Action::Merge;
                        (is_changed.then(|| entries.merged(live)), added)
                    }
                    None => (Some(entries.data()), entries.clone()),
                };
                let Some(data) = data else {
                    work.decisions.exclusions[index] = Some((RuleId::EksManaged, None));
                    continue;
                };
                work.edit(index, "/data", Some(data));
                for (list, text) in added.texts() {
                    let path = format!("/data/{list}");
                    work.change(index, &path, RuleId::AwsAuthAdded, None, Some(text));
                }
            }
        }
    }
}

/// Returns the manager to whom entries belong that are added to `aws-auth`.
pub(super) fn manager(item: &crate::builder::summary::ObjectSummary) -> Option<&str> {
    match item.of_eks() {
        Some(OfEks::AwsAuth { manager, .. }) => manager.as_deref(),
        _ => None,
    }
}
