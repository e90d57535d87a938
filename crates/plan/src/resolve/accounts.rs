//! Removes Secrets that will not exist from the `secrets` of ServiceAccounts.

use std::collections::BTreeSet;

use lifeboat_model::ObjectRef;
use lifeboat_translate::pointer;
use serde_json::Value;

use super::Resolver;
use crate::builder::summary::Extra;
use crate::rule::RuleId;

pub(super) fn secrets(work: &mut Resolver<'_>, sorted: &[usize]) {
    let accounts: Vec<usize> = sorted
        .iter()
        .copied()
        .filter(|index| work.is_planned(*index))
        .filter(|index| matches!(work.item(*index).extra.as_deref(), Some(Extra::AccountSecrets(_))))
        .collect();
    if accounts.is_empty() {
        return;
    }
    let planned: BTreeSet<ObjectRef> = sorted
        .iter()
        .filter(|index| work.is_planned(**index) && work.is_type(**index, "", "secrets"))
        .map(|index| work.decisions.targets[*index].clone())
        .collect();
    let draft = work.draft;
    for index in accounts {
        let Some(Extra::AccountSecrets(entries)) = draft.items[index].extra.as_deref() else {
            continue;
        };
        let namespace = work.decisions.targets[index].namespace.clone();
        let is_there = |entry: &&Value| {
            let name = pointer::text(entry, "/name").unwrap_or_default();
            let secret = ObjectRef::new("secrets".into(), namespace.as_deref(), name);
            planned.contains(&secret)
                || work
                    .facts
                    .existing
                    .get(&secret)
                    .is_some_and(|existing| !existing.created_by_this_run)
        };
        let (kept, dropped): (Vec<&Value>, Vec<&Value>) = entries.iter().partition(is_there);
        if dropped.is_empty() {
            continue;
        }
        let left: Vec<Value> = kept.into_iter().cloned().collect();
        work.edit(index, "/secrets", (!left.is_empty()).then_some(Value::from(left)));
        for entry in dropped {
            let name = pointer::text(entry, "/name").unwrap_or_default().to_owned();
            work.change(index, "/secrets", RuleId::AccountSecret, Some(name), None);
        }
    }
}
