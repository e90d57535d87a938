//! Warns of custom resources that are older than the rules of their definition, before an API server refuses them.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::{Code, ObjectRef};

use super::super::Resolver;
use super::super::versions::{self, Version};
use super::warning;
use crate::builder::crds;
use crate::lint::{LintFinding, Severity};
use crate::planned::Action;
use crate::table::{count, examples};

/// The number of rules of a definition that a finding names.
const SHOWN_RULES: usize = 5;

/// What the definition of a type in the target does with objects that break its rules.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Definition {
    /// The restore writes it, and it is without these rules while the objects are created.
    Written,
    /// The target holds the same, and the restore does not change it.
    Kept,
    /// The target holds another one: only its API server knows ([`crate::RestoreOptions::validate`]).
    Unknown,
}

/// The objects of one type that break rules, and these rules.
#[derive(Default)]
struct Broken<'a> {
    objects: Vec<&'a ObjectRef>,
    rules: BTreeSet<String>,
}

pub(super) fn add(work: &Resolver<'_>, sorted: &[usize], found: &mut Vec<LintFinding>) {
    // By the type, and whether the definition refuses the objects even without the rules that objects may break.
    let mut types: BTreeMap<(u32, bool), Broken<'_>> = BTreeMap::new();
    for &index in sorted.iter().filter(|index| is_created(work, **index)) {
        let item = work.item(index);
        let rules = || item.broken().iter().map(|rule| work.draft.schemas.rule(*rule));
        let refused = rules().any(|rule| rule.always);
        let relevant = rules().filter(|rule| rule.always == refused);
        let texts = relevant.map(|rule| format!("{}: {}", rule.violation.path, rule.violation.rule));
        let mut texts = texts.peekable();
        if texts.peek().is_some() {
            let broken = types.entry((item.r#type, refused)).or_default();
            broken.objects.push(&work.decisions.targets[index]);
            broken.rules.extend(texts);
        }
    }
    for ((r#type, refused), broken) in types {
        let resource = &work.draft.source_type(r#type).resource;
        let name = format!("{}.{}", resource.resource, resource.group);
        found.extend(match (definition(work, r#type, &name), refused) {
            (Definition::Unknown, _) => None,
            (_, true) => Some(refused_always(&name, &broken)),
            (Definition::Written, false) => Some(created_without_rules(&name, &broken)),
            (Definition::Kept, false) => Some(refused_by_target(&name, &broken)),
        });
    }
}

fn is_created(work: &Resolver<'_>, index: usize) -> bool {
    work.is_planned(index)
        && matches!(
            work.decisions.actions[index],
            Action::Create | Action::CreateOrUpdate | Action::Recreate
        )
}

/// Returns what the target does with objects of a type, if it has the captured schema for them.
fn definition(work: &Resolver<'_>, r#type: u32, name: &str) -> Definition {
    let at = usize::try_from(r#type).expect("a u32 fits");
    if !matches!(work.decisions.versions[at], Version::Same(_)) {
        return Definition::Unknown;
    }
    if versions::planned_definition(work, name).is_some_and(|action| action != Action::Keep) {
        return Definition::Written;
    }
    let resource = &work.draft.source_type(r#type).resource;
    let target = ObjectRef::new(crds::TYPE.into(), None, name);
    let existing = work.facts.existing.get(&target);
    let live = existing.and_then(|live| crds::CrdFacts::read(name, live.body.as_deref()?));
    let captured = work.draft.definition_of(resource);
    let schema = |facts: &crds::CrdFacts| facts.schemas.get(&resource.version).cloned();
    match (live.as_ref().and_then(schema), captured.and_then(schema)) {
        (Some(live), Some(captured)) if live == captured => Definition::Kept,
        _ => Definition::Unknown,
    }
}

/// Returns the objects and the rules that they break as text.
fn described(broken: &Broken<'_>) -> String {
    let mut rules: Vec<&str> = broken.rules.iter().map(String::as_str).collect();
    let more = rules.len().saturating_sub(SHOWN_RULES);
    rules.truncate(SHOWN_RULES);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let objects = examples(broken.objects.iter().copied());
    format!("{objects} ({}{more})", rules.join("; "))
}

fn verb(broken: &Broken<'_>, one: &'static str, several: &'static str) -> &'static str {
    if broken.objects.len() == 1 { one } else { several }
}

fn created_without_rules(name: &str, broken: &Broken<'_>) -> LintFinding {
    let number = count(broken.objects.len(), "object");
    let breaks = verb(broken, "breaks", "break");
    let are = verb(broken, "It is", "They are");
    let text = format!(
        "{number} of {name} {breaks} rules of the definition, which are younger: {}. {are} created while the \
         definition is without these rules; then the definition is applied as captured.",
        described(broken)
    );
    warning(
        "older-than-rules",
        Code::DefinitionBroken,
        None,
        text,
        "nothing has to be done; a patch (`--patches`) that corrects them keeps the rules in force throughout",
    )
}

fn refused_by_target(name: &str, broken: &Broken<'_>) -> LintFinding {
    let number = count(broken.objects.len(), "object");
    let breaks = verb(broken, "breaks", "break");
    let text = format!(
        "{number} of {name} {breaks} rules of the definition, which the target holds and the restore does not \
         change, so that it refuses them: {}.",
        described(broken)
    );
    warning(
        "older-than-rules",
        Code::DefinitionBroken,
        None,
        text,
        "restore with `--existing update`, so that the definition is without these rules while they are created, or \
         correct them with a patch (`--patches`)",
    )
}

fn refused_always(name: &str, broken: &Broken<'_>) -> LintFinding {
    let number = count(broken.objects.len(), "object");
    let has = verb(broken, "does not have", "do not have");
    let text = format!(
        "{number} of {name} {has} the structure that the definition describes, so that every API server refuses \
         them: {}.",
        described(broken)
    );
    LintFinding {
        severity: Severity::Error,
        ..warning(
            "refused-by-definition",
            Code::DefinitionBroken,
            None,
            text,
            "correct them with a patch (`--patches`), or exclude them with `--exclude-type`",
        )
    }
}
