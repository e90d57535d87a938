//! The plan of a cluster as text for a terminal.

use std::fmt::Write as _;

use lifeboat_model::Problem;

use super::{ChangeGroup, ClusterPlan, ComparedWith};
use crate::Action;
use crate::table::{action_word, count, examples, line, short_name, shown};

/// The number of changes of a rule that are shown. The others are in the JSON.
const SHOWN_CHANGES: usize = 5;
/// The number of objects of a group that are named.
const SHOWN_OBJECTS: usize = 3;
/// The number of notes that are shown.
const SHOWN_NOTES: usize = 10;

impl ClusterPlan {
    /// Returns the plan as text: long lists are cut, and counted.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        line!(out, "{} of {} into {}", self.cluster, self.point, self.into);
        line!(out, "  {}", self.summary());
        line!(out, "  {}", self.comparison());
        if let Some(hash) = &self.hash {
            line!(out, "  hash {hash}");
        }
        problems(&mut out, "fix first", &self.first);
        let mut wave = None;
        for group in &self.objects {
            if wave != Some(group.wave) {
                wave = Some(group.wave);
                line!(out);
                line!(out, "  {}", group.wave.title());
            }
            let names: Vec<String> = group.objects.iter().take(SHOWN_OBJECTS).map(short_name).collect();
            let more = more(group.count, names.len());
            let word = action_word(group.action);
            line!(
                out,
                "    {:>6} {} {word}: {}{more}",
                group.count,
                group.r#type,
                names.join(", ")
            );
        }
        changes(&mut out, "translations", &self.translations);
        changes(&mut out, "changes", &self.changes);
        if !self.not_restored.is_empty() {
            line!(out);
            line!(out, "  not restored");
        }
        for group in &self.not_restored {
            line!(out, "    {} ({})", group.rule, counted(group.count, "object"));
            line!(out, "      {}", group.reason);
            let named = examples(group.objects.iter().map(|one| &one.object).take(SHOWN_OBJECTS));
            line!(
                out,
                "        {named}{}",
                more(group.count, group.objects.len().min(SHOWN_OBJECTS))
            );
        }
        let mut required = self.required().peekable();
        if required.peek().is_some() {
            line!(out);
            line!(out, "  needed and missing");
        }
        for missing in required {
            let users = counted(missing.objects, "object");
            line!(
                out,
                "    {}: needed by {users}, such as {}",
                missing.needed,
                missing.example
            );
        }
        problems(&mut out, "warnings", &self.warnings);
        if !self.notes.is_empty() {
            line!(out);
            line!(out, "  notes");
        }
        for note in self.notes.iter().take(SHOWN_NOTES) {
            match &note.object {
                Some(object) => line!(out, "    {object}: {}", note.text),
                None => line!(out, "    {}", note.text),
            }
        }
        if self.notes.len() > SHOWN_NOTES {
            line!(out, "    and {} more", self.notes.len() - SHOWN_NOTES);
        }
        out
    }

    /// Returns the numbers of objects by what becomes of them.
    pub(super) fn summary(&self) -> String {
        if self.hash.is_none() {
            return "no plan could be made".to_owned();
        }
        let create = self.count(&[Action::Create, Action::CreateOrUpdate]);
        let mut parts = vec![format!("{} to create", counted(create, "object"))];
        for (action, word) in [
            (Action::Update, "to update"),
            (Action::Merge, "to extend"),
            (Action::Recreate, "to recreate"),
            (Action::Keep, "to keep"),
        ] {
            let number = self.count(&[action]);
            if number > 0 {
                parts.push(format!("{number} {word}"));
            }
        }
        let total = |groups: &[ChangeGroup]| groups.iter().map(|group| group.count).sum::<u64>();
        parts.push(counted(total(&self.translations), "translation"));
        let left_out: u64 = self.not_restored.iter().map(|group| group.count).sum();
        parts.push(format!("{left_out} not restored"));
        if self.unselected > 0 {
            parts.push(format!("{} not selected", self.unselected));
        }
        parts.join(", ")
    }

    /// Returns what the plan was compared with, as a clause.
    pub(super) fn comparison(&self) -> &'static str {
        match self.compared_with {
            ComparedWith::Target => "compared with the objects of the target cluster",
            ComparedWith::EmptyCluster => "compared with an empty cluster of the same version",
        }
    }
}

fn changes(out: &mut String, title: &str, groups: &[ChangeGroup]) {
    if groups.is_empty() {
        return;
    }
    line!(out);
    line!(out, "  {title}");
    for group in groups {
        line!(out, "    {} ({})", group.rule, counted(group.count, "change"));
        line!(out, "      {}", group.reason);
        for change in group.changes.iter().take(SHOWN_CHANGES) {
            let text = shown(change.from.as_deref(), change.to.as_deref(), &change.path);
            line!(out, "        {} {text}", change.object);
        }
        let shown = group.changes.len().min(SHOWN_CHANGES);
        if group.count > shown as u64 {
            line!(out, "        and {} more", group.count - shown as u64);
        }
    }
}

fn problems(out: &mut String, title: &str, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    line!(out);
    line!(out, "  {title}");
    for problem in problems {
        line!(out, "    {}: {}", problem.code, problem.message);
        for cause in &problem.causes {
            line!(out, "      {cause}");
        }
        line!(out, "      fix: {}", problem.guidance);
    }
}

fn more(count: u64, shown: usize) -> String {
    match count.saturating_sub(shown as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

pub(super) fn counted(number: u64, thing: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), thing)
}
