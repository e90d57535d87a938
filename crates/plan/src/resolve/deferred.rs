//! Fields that are set after the objects that are older than they are.
//!
//! Admission judges objects when they are created and lets live on what exists. A default class that is younger than an
//! object without a class would be given to it, and a Pod Security Standard that is younger than a Pod would reject it.

use lifeboat_model::ObjectRef;

use super::Resolver;
use crate::builder::summary::Extra;
use crate::planned::{Action, Deferred, DeferredUntil, Edit};
use crate::rule::RuleId;
use crate::wave::Wave;

pub(super) fn add(work: &mut Resolver<'_>, sorted: &[usize]) {
    let mut later = Vec::new();
    for &index in sorted {
        if !work.is_planned(index)
            || !matches!(
                work.decisions.actions[index],
                Action::Create | Action::CreateOrUpdate | Action::Recreate
            )
        {
            continue;
        }
        let absent = |paths: &[String]| -> Vec<Edit> {
            let edit = |path: &String| Edit {
                path: path.clone(),
                value: None,
            };
            paths.iter().map(edit).collect()
        };
        let (rule, until, fields) = match work.item(index).extra.as_deref() {
            Some(Extra::DefaultClass { paths, .. }) if judges(work, index) => {
                let until = match is_younger_than_pods(work, index) {
                    true => DeferredUntil::PodsExist,
                    false => DeferredUntil::Workloads,
                };
                (RuleId::DefaultDeferred, until, absent(paths))
            }
            Some(Extra::PodSecurity(paths)) if has_pods(work, &work.item(index).name) => (
                RuleId::PodSecurityDeferred,
                DeferredUntil::PodsExist,
                absent(paths),
            ),
            _ => continue,
        };
        if work.is_type(index, "scheduling.k8s.io", "priorityclasses") && until == DeferredUntil::PodsExist {
            later.push(work.item(index).name.clone());
        }
        work.note_use(rule);
        work.decisions.deferred.insert(index, Deferred { until, fields });
    }
    for class in later {
        younger_workloads(work, sorted, &class);
    }
}

/// Moves workloads whose Pods got a default PriorityClass that their template does not name behind the class.
fn younger_workloads(work: &mut Resolver<'_>, sorted: &[usize], class: &str) {
    let facts = &work.draft.workloads;
    let mut younger = std::collections::BTreeSet::new();
    for (controller, classes) in &facts.classes {
        if classes.contains(class) {
            let set = facts.replica_sets.get(controller);
            younger.insert(set.map_or(controller, |set| &set.deployment));
        }
    }
    for &index in sorted {
        if !work.is_planned(index) {
            continue;
        }
        let item = &work.draft.items[index];
        let names_one =
            (item.needs.iter()).any(|needed| needed.r#type == "priorityclasses.scheduling.k8s.io");
        if younger.contains(&item.uid) && !names_one {
            work.waves.insert(index, (Wave::YoungerWorkloads, 0));
        }
    }
}

/// Returns whether more Pods of controllers had no PriorityClass than this one: it became the default after they were
/// created.
fn is_younger_than_pods(work: &Resolver<'_>, index: usize) -> bool {
    let pods = &work.draft.workloads.priority_classes;
    let with = |class: &str| pods.get(class).copied().unwrap_or(0);
    work.is_type(index, "scheduling.k8s.io", "priorityclasses") && with("") > with(&work.item(index).name)
}

/// Returns whether objects without a class are to be restored that would get this one.
fn judges(work: &Resolver<'_>, index: usize) -> bool {
    let classless = &work.draft.classless;
    if work.is_type(index, "scheduling.k8s.io", "priorityclasses") {
        classless.contains("pods") || is_younger_than_pods(work, index)
    } else if work.is_type(index, "storage.k8s.io", "storageclasses") {
        classless.contains("persistentvolumeclaims")
    } else {
        classless.contains("ingresses")
    }
}

fn has_pods(work: &Resolver<'_>, namespace: &str) -> bool {
    work.draft.workloads.namespaces.contains(namespace)
}

/// Removes the class of a Pod that is neither in the plan nor in the target: admission would reject the Pod, which ran
/// in the source without it.
pub(super) fn drop_deleted_classes(work: &mut Resolver<'_>, sorted: &[usize]) {
    const CLASSES: &str = "priorityclasses.scheduling.k8s.io";
    let exists = |work: &Resolver<'_>, class: &ObjectRef| {
        let planned = |index: &usize| work.is_planned(*index) && work.decisions.targets[*index] == *class;
        class.name.starts_with("system-")
            || work.facts.existing.contains(class)
            || sorted
                .binary_search_by(|index| work.decisions.targets[*index].cmp(class))
                .is_ok_and(|at| planned(&sorted[at]))
    };
    let mut gone = Vec::new();
    for &index in sorted {
        if !work.is_planned(index) || !work.is_type(index, "", "pods") {
            continue;
        }
        let needed = work
            .item(index)
            .needs
            .iter()
            .find(|needed| needed.r#type == CLASSES);
        if let Some(class) = needed
            .map(|needed| needed.object(None))
            .filter(|class| !exists(work, class))
        {
            gone.push((index, class.name));
        }
    }
    for (index, class) in gone {
        let path = "/spec/priorityClassName";
        work.edit(index, path, None);
        work.change(
            index,
            path,
            RuleId::PodClassDeleted,
            Some(class.to_string()),
            None,
        );
    }
}

/// Leaves to admission what the RuntimeClass of a Pod decides today and decided otherwise when the Pod was created.
pub(super) fn node_selectors(work: &mut Resolver<'_>, sorted: &[usize]) {
    let mut other = Vec::new();
    for &index in sorted.iter().filter(|index| work.is_planned(**index)) {
        let Some(Extra::Runtime(runtime)) = work.item(index).extra.as_deref() else {
            continue;
        };
        let Some(selector) = work.draft.workloads.runtime_classes.get(runtime.class.as_str()) else {
            continue;
        };
        for (key, value) in &runtime.node_selector {
            if selector.get(&**key).is_some_and(|wanted| **wanted != **value) {
                let path = lifeboat_translate::pointer::of(&["spec", "nodeSelector", key]);
                other.push((index, path, value.to_string()));
            }
        }
    }
    for (index, path, value) in other {
        work.edit(index, &path, None);
        work.change(index, &path, RuleId::PodRuntimeClass, Some(value), None);
    }
}
