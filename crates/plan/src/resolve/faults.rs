//! Faults that prevent a plan: options that match nothing, patches that do not apply, two objects with the same
//! target.

use lifeboat_model::{Code, Problem};
use lifeboat_translate::identity::IdentityFault;

use super::Resolver;
use crate::builder::PlanBuilder;

/// Returns every fault of the options, given the contents of the recovery point.
pub(super) fn of_options(draft: &PlanBuilder) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut unknown = |what: &str, given: &str, command: &str| {
        problems.push(Problem::new(
            Code::UnknownSelector,
            format!("the recovery point has no {what} {given:?}"),
            format!("list its contents with `{command}`"),
        ));
    };
    let show = format!("lifeboat show {}", draft.point);
    let settings = &draft.settings;
    let filter = &settings.selection.filter;
    let rule_types = settings.rules.restore_status.iter().flat_map(|rule| &rule.types);
    let patch_types = settings.patches.iter().flat_map(|patch| &patch.when.types);
    for selector in filter
        .types
        .iter()
        .chain(&filter.exclude_types)
        .chain(rule_types)
        .chain(patch_types)
    {
        if !draft.types.iter().any(|r#type| r#type.is_named_by(selector)) {
            unknown("type", &selector.0, &show);
        }
    }
    for namespace in filter
        .namespaces
        .iter()
        .map(String::as_str)
        .chain(settings.namespaces.sources())
    {
        if !draft.namespaces.contains(namespace) {
            unknown("namespace", namespace, &show);
        }
    }
    for pattern in &settings.selection.names {
        let matches = |name: &str| lifeboat_translate::glob::matches(pattern, name);
        let held = draft.items.iter().any(|item| matches(&item.name))
            || draft.skipped.iter().any(|skipped| matches(&skipped.name))
            || draft.unselected.iter().any(|(_, _, name)| matches(name));
        if !held {
            unknown("object of the name", pattern, &show);
        }
    }
    for target in settings
        .namespaces
        .sources()
        .filter_map(|source| settings.namespaces.get(source))
    {
        if !is_namespace_name(target) {
            problems.push(Problem::new(
                Code::Usage,
                format!("{target:?} is not a valid namespace name"),
                "use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
            ));
        }
    }
    problems.extend(settings.identity_faults.iter().map(IdentityFault::problem));
    for (index, patch) in settings.patches.iter().enumerate() {
        for fault in patch.faults() {
            problems.push(Problem::new(
                Code::PatchFailed,
                format!(
                    "{} is not valid: at {:?}: {}",
                    patch.title(index),
                    fault.pointer,
                    fault.reason
                ),
                "correct the patch",
            ));
        }
    }
    for (object, fault) in &draft.patch_faults {
        let index = usize::try_from(fault.patch).unwrap_or(usize::MAX);
        let title = settings
            .patches
            .get(index)
            .map_or_else(|| format!("patch {index}"), |patch| patch.title(index));
        problems.push(Problem::new(
            Code::PatchFailed,
            format!(
                "{title} does not apply to {object}: at {:?}: {}",
                fault.failure.pointer, fault.failure.reason
            ),
            format!(
                "narrow the `when` of the patch, or inspect the object with `lifeboat cat {} {object}`",
                draft.point
            ),
        ));
    }
    problems
}

fn is_namespace_name(text: &str) -> bool {
    let inner = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (1..=63).contains(&text.len()) && inner && !text.starts_with('-') && !text.ends_with('-')
}

/// Returns the fault of several source objects with the same name in the target.
pub(super) fn collision(work: &Resolver<'_>, group: &[usize]) -> Problem {
    let sources: Vec<String> = group
        .iter()
        .map(|index| work.source_ref(*index).to_string())
        .collect();
    let target = group
        .first()
        .map_or_else(String::new, |index| work.decisions.targets[*index].to_string());
    Problem::new(
        Code::NameCollision,
        format!("{} would all become {target}", sources.join(" and ")),
        "map the namespaces to different names, or exclude one of the objects",
    )
}
