//! Plans and reports as text for display: summaries first, long lists grouped by rule with counts and examples.
//! Everything else is in the JSON format.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lifeboat_model::ObjectRef;

use crate::rule::RuleId;
use crate::{Action, Plan, PlannedObject, Severity, Wave};

/// The number of objects of a group that are named.
const EXAMPLES: usize = 3;
/// The number of notes that are shown.
const SHOWN_NOTES: usize = 10;
/// The number of changes of one rule that are shown with their values.
const SHOWN_CHANGES: usize = 5;

/// Appends a line; writing to a `String` cannot fail.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($arg:tt)*) => {{
        let _ = writeln!($out, $($arg)*);
    }};
}
pub(crate) use line;

/// Returns a count with the noun in singular or plural: `1 object`, `2 objects`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) if !thing.ends_with("ey") => format!("{number} {stem}ies"),
        _ => format!("{number} {thing}s"),
    }
}

/// Returns the first names of a list, and the number of the others.
pub(crate) fn examples<'a>(objects: impl Iterator<Item = &'a ObjectRef>) -> String {
    let all: Vec<&ObjectRef> = objects.collect();
    let mut text: String = all
        .iter()
        .take(EXAMPLES)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > EXAMPLES {
        let _ = write!(text, " and {} more", all.len() - EXAMPLES);
    }
    text
}

impl Plan {
    /// Returns the plan as text: the actions by wave, the changes and the objects that are not restored with reasons,
    /// and the findings of the lint.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = String::new();
        self.summary(&mut out);
        self.waves(&mut out);
        self.changes(&mut out);
        self.left_out(&mut out);
        self.known_leftovers(&mut out);
        self.findings_and_notes(&mut out);
        out
    }

    fn summary(&self, out: &mut String) {
        let hash = self.hash();
        line!(out, "Plan {} for {} of {}", &hash[..12], self.cluster, self.point);
        let by = |wanted: &[Action]| self.objects.iter().filter(|o| wanted.contains(&o.action)).count();
        let create = by(&[Action::Create, Action::CreateOrUpdate]);
        let mut parts = vec![format!("{} to create", count(create, "object"))];
        for (action, word) in [
            (Action::Update, "to update"),
            (Action::Merge, "to extend"),
            (Action::Recreate, "to recreate"),
            (Action::Keep, "to keep"),
        ] {
            let number = by(&[action]);
            if number > 0 {
                parts.push(format!("{number} {word}"));
            }
        }
        parts.push(format!("{} not restored", self.not_restored.len()));
        if self.unselected > 0 {
            parts.push(format!("{} not selected", self.unselected));
        }
        line!(out, "{}", parts.join(", "));
    }

    fn waves(&self, out: &mut String) {
        for wave in Wave::ALL {
            let objects: Vec<&PlannedObject> = self.objects.iter().filter(|o| o.wave == wave).collect();
            if objects.is_empty() {
                continue;
            }
            line!(out);
            line!(out, "{} ({})", wave.title(), objects.len());
            let mut types: BTreeMap<(&str, Action), Vec<&ObjectRef>> = BTreeMap::new();
            for object in objects {
                types
                    .entry((object.target.r#type.as_str(), object.action))
                    .or_default()
                    .push(&object.target);
            }
            for ((name, action), targets) in types {
                let names: Vec<String> = targets.iter().take(EXAMPLES).map(|t| short_name(t)).collect();
                let more = targets.len().saturating_sub(names.len());
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                let word = action_word(action);
                line!(
                    out,
                    "  {:>6} {name} {word}: {}{more}",
                    targets.len(),
                    names.join(", ")
                );
            }
        }
    }

    fn changes(&self, out: &mut String) {
        let mut by_rule: BTreeMap<RuleId, Vec<(&PlannedObject, &crate::PlannedChange)>> = BTreeMap::new();
        for object in &self.objects {
            for change in &object.changes {
                by_rule.entry(change.rule).or_default().push((object, change));
            }
        }
        let quiet: Vec<(&RuleId, &crate::RuleUse)> = self
            .rules
            .iter()
            .filter(|(rule, _)| {
                !by_rule.contains_key(rule) && !self.not_restored.iter().any(|n| n.rule == **rule)
            })
            .collect();
        if by_rule.is_empty() && quiet.is_empty() {
            return;
        }
        line!(out);
        line!(out, "changes");
        for (rule, used) in quiet {
            line!(
                out,
                "  {rule} ({})",
                count(usize::try_from(used.objects).unwrap_or(usize::MAX), "object")
            );
            line!(out, "    {}", rule.reason());
        }
        for (rule, changes) in by_rule {
            line!(out, "  {rule} ({})", count(changes.len(), "change"));
            line!(out, "    {}", rule.reason());
            for (object, change) in changes.iter().take(SHOWN_CHANGES) {
                let title = change.patch.map_or_else(String::new, |index| {
                    let index = usize::try_from(index).unwrap_or(usize::MAX);
                    self.settings
                        .patches
                        .get(index)
                        .map_or_else(String::new, |p| format!(" ({})", p.title(index)))
                });
                let change = shown(change.from.as_deref(), change.to.as_deref(), &change.path);
                line!(out, "      {} {change}{title}", object.target);
            }
            if changes.len() > SHOWN_CHANGES {
                line!(out, "      and {} more", changes.len() - SHOWN_CHANGES);
            }
        }
    }

    fn left_out(&self, out: &mut String) {
        let mut by_rule: BTreeMap<RuleId, Vec<&crate::NotRestored>> = BTreeMap::new();
        for entry in &self.not_restored {
            by_rule.entry(entry.rule).or_default().push(entry);
        }
        if by_rule.is_empty() {
            return;
        }
        line!(out);
        line!(out, "not restored");
        for (rule, entries) in by_rule {
            line!(out, "  {rule} ({})", count(entries.len(), "object"));
            line!(out, "    {}", rule.reason());
            line!(
                out,
                "      {}",
                examples(entries.iter().map(|entry| &entry.object))
            );
        }
    }

    /// Adds what may still name the primary, by the reason that the identity map gives.
    fn known_leftovers(&self, out: &mut String) {
        let mut by_reason: BTreeMap<&str, Vec<&ObjectRef>> = BTreeMap::new();
        for object in &self.objects {
            for reason in object
                .leftovers()
                .iter()
                .filter_map(|leftover| leftover.reason.as_deref())
            {
                by_reason.entry(reason).or_default().push(&object.target);
            }
        }
        if by_reason.is_empty() {
            return;
        }
        line!(out);
        line!(out, "names the primary, as the identity map declares");
        for (reason, objects) in by_reason {
            line!(out, "  {reason} ({})", count(objects.len(), "identifier"));
            line!(out, "      {}", examples(objects.into_iter()));
        }
    }

    fn findings_and_notes(&self, out: &mut String) {
        let findings = self.lint();
        if !findings.is_empty() {
            line!(out);
            line!(out, "findings");
        }
        for finding in findings {
            let word = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            line!(
                out,
                "  {word} {} {}: {}",
                finding.code,
                finding.check,
                finding.message
            );
            line!(out, "    fix: {}", finding.guidance);
        }
        if !self.notes.is_empty() {
            line!(out);
            line!(out, "notes");
        }
        for note in self.notes.iter().take(SHOWN_NOTES) {
            match &note.object {
                Some(object) => line!(out, "  {object}: {}", note.text),
                None => line!(out, "  {}", note.text),
            }
        }
        if self.notes.len() > SHOWN_NOTES {
            line!(out, "  and {} more", self.notes.len() - SHOWN_NOTES);
        }
    }
}

/// Returns the name of an object without its type.
pub(crate) fn short_name(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{namespace}/{}", object.name),
        None => object.name.to_string(),
    }
}

/// Returns an action as a word.
pub(crate) fn action_word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::CreateOrUpdate => "create or update",
        Action::Keep => "keep",
        Action::Update => "update",
        Action::Merge => "extend",
        Action::Recreate => "recreate",
    }
}

/// Returns one change as text.
pub(crate) fn shown(from: Option<&str>, to: Option<&str>, path: &str) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!("{path}: {from} → {to}"),
        (Some(from), None) => format!("{path}: {from} → (none)"),
        (None, Some(to)) => format!("{path}: (none) → {to}"),
        (None, None) => path.to_owned(),
    }
}
