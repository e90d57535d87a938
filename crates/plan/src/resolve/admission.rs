//! Mutating admission before the workloads that it changes.
//!
//! Pods of controllers are made anew, so that what admission injects into them must be there first: the backends of
//! mutating webhooks, then the configurations and policies, then all other workloads. Validating admission comes last.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::{Code, ObjectRef};

use super::Resolver;
use crate::builder::Selector;
use crate::builder::summary::{Extra, Webhook};
use crate::lint::{LintFinding, Severity};
use crate::wave::Wave;

/// Finds the waves of mutating configurations and policies that apply to Pods, and of the workloads behind them.
pub(super) fn arrange(work: &mut Resolver<'_>, sorted: &[usize]) {
    policies(work, sorted);
    let configurations: Vec<(usize, Vec<Webhook>)> = sorted
        .iter()
        .filter(|index| work.is_planned(**index) && is_mutating(work, **index))
        .filter_map(|index| match work.item(*index).extra.as_deref() {
            Some(Extra::Webhooks(webhooks)) => {
                let of_pods: Vec<Webhook> = webhooks.iter().filter(|hook| hook.of_pods).cloned().collect();
                (!of_pods.is_empty()).then_some((*index, of_pods))
            }
            _ => None,
        })
        .collect();
    if configurations.is_empty() {
        return;
    }
    let workloads = workloads(work, sorted);
    for (index, webhooks) in configurations {
        match backends(work, &webhooks, &workloads) {
            Ok(found) => {
                for &backend in &found {
                    work.waves.insert(backend, (Wave::AdmissionBackends, 0));
                }
                let awaits = found
                    .iter()
                    .map(|backend| work.decisions.targets[*backend].clone())
                    .collect();
                work.decisions.awaits.insert(index, awaits);
                work.waves.insert(index, (Wave::MutatingAdmission, 1));
            }
            Err(why) => {
                let object = work.decisions.targets[index].clone();
                work.decisions.findings.push(late(&object, &why));
            }
        }
    }
}

fn is_mutating(work: &Resolver<'_>, index: usize) -> bool {
    work.is_type(
        index,
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
    )
}

/// Policies need no backend.
fn policies(work: &mut Resolver<'_>, sorted: &[usize]) {
    let mut early = BTreeSet::new();
    for &index in sorted {
        if work.is_planned(index)
            && let Some(Extra::MutatingPolicy(true)) = work.item(index).extra.as_deref()
        {
            early.insert(work.item(index).name.clone());
            work.waves.insert(index, (Wave::MutatingAdmission, 0));
        }
    }
    for &index in sorted {
        if work.is_planned(index)
            && let Some(Extra::PolicyBinding(policy)) = work.item(index).extra.as_deref()
            && early.contains(&**policy)
        {
            work.waves.insert(index, (Wave::MutatingAdmission, 1));
        }
    }
}

/// The planned workloads of each namespace of the source, with the labels of their Pods.
type Workloads<'a> = BTreeMap<String, Vec<(usize, &'a Selector)>>;

fn workloads<'a>(work: &Resolver<'a>, sorted: &[usize]) -> Workloads<'a> {
    let mut found = Workloads::new();
    for &index in sorted.iter().filter(|index| work.is_planned(**index)) {
        let item = &work.draft.items[index];
        if let (Some(Extra::PodLabels(labels)), Some(namespace)) = (item.extra.as_deref(), &item.namespace) {
            found
                .entry(namespace.to_string())
                .or_default()
                .push((index, labels));
        }
    }
    found
}

/// Returns the planned workloads behind webhooks; why there are none if a webhook could reject Pods before anything
/// answers it, or would let them pass unchanged.
fn backends(
    work: &Resolver<'_>,
    webhooks: &[Webhook],
    workloads: &Workloads<'_>,
) -> Result<BTreeSet<usize>, String> {
    let mut found = BTreeSet::new();
    for webhook in webhooks {
        let Some((namespace, name)) = &webhook.backend else {
            // Nothing is known of the server behind a URL, and a failure rejects everything that the rules match.
            if webhook.fails_closed && webhook.of_others {
                return Err(format!(
                    "the webhook {} is called by URL and matches more than Pods",
                    webhook.name
                ));
            }
            continue;
        };
        // The configuration was prepared for the target, and Services are known by their name in the source.
        let service = work.draft.selecting.iter().find(|((of, service), _)| {
            **service == **name && work.draft.settings.namespaces.map(of) == namespace.as_str()
        });
        let behind: Vec<usize> = service
            .and_then(|((of, _), selector)| Some((workloads.get(&**of)?, selector)))
            .map(|(workloads, selector)| {
                let selected = |labels: &Selector| selector.iter().all(|label| labels.contains(label));
                let own = workloads.iter().filter(|(_, labels)| selected(labels));
                own.map(|(index, _)| *index).collect()
            })
            .unwrap_or_default();
        let runs = |index: &usize| work.draft.workloads.ready_of(&work.item(*index).uid) > 0;
        if behind.iter().any(runs) {
            found.extend(behind);
            continue;
        }
        let in_target = ObjectRef::new("services".into(), Some(namespace), name);
        if behind.is_empty() && work.facts.existing.contains(&in_target) {
            continue;
        }
        return Err(match behind.is_empty() {
            true => format!(
                "no workload of the plan is behind the Service {namespace}/{name} of the webhook {}",
                webhook.name
            ),
            false => format!(
                "the Pods behind the Service {namespace}/{name} of the webhook {} were not ready in the source",
                webhook.name
            ),
        });
    }
    Ok(found)
}

fn late(object: &ObjectRef, why: &str) -> LintFinding {
    LintFinding {
        severity: Severity::Warning,
        check: "admission-after-workloads".to_owned(),
        code: Code::PlanRefused,
        object: Some(object.clone()),
        message: format!("{object} changes Pods and is created after the workloads: {why}. Pods that controllers create come up without its changes."),
        guidance: "start its backend in the target first, or restart the workloads (`kubectl rollout restart`) once it answers".to_owned(),
    }
}
