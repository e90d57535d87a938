//! The plan of a cluster as Markdown, for a change request.

use std::fmt::Write as _;

use lifeboat_model::Problem;

use super::text::counted;
use super::{ChangeGroup, ClusterPlan};
use crate::table::{action_word, line, short_name};

/// The number of changes of a rule that a table has. The others are in the JSON.
const ROWS: usize = 50;
/// The number of objects of a group that are named.
const NAMES: usize = 10;

impl ClusterPlan {
    /// Returns the plan as a section of Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        line!(out, "## Cluster {} into {}", self.cluster, self.into);
        line!(out);
        let summary = self.summary();
        line!(out, "- {summary}");
        line!(out, "- {}", self.comparison());
        if let Some(hash) = &self.hash {
            line!(out, "- hash `{hash}`");
        }
        problems(&mut out, "Fix first", &self.first);
        if !self.objects.is_empty() {
            heading(&mut out, "Objects");
            line!(out, "| Wave | Type | Action | Count | Objects |");
            line!(out, "|---|---|---|--:|---|");
        }
        for group in &self.objects {
            let mut names: Vec<String> = group.objects.iter().take(NAMES).map(short_name).collect();
            let more = group.count.saturating_sub(names.len() as u64);
            if more > 0 {
                names.push(format!("and {more} more"));
            }
            let cells = [
                group.wave.title(),
                &group.r#type,
                action_word(group.action),
                &group.count.to_string(),
                &names.join(", "),
            ];
            line!(out, "{}", row(&cells));
        }
        changes(&mut out, "Translations", &self.translations);
        changes(&mut out, "Changes", &self.changes);
        if !self.not_restored.is_empty() {
            heading(&mut out, "Not restored");
            line!(out, "| Rule | Count | Reason | Objects |");
            line!(out, "|---|--:|---|---|");
        }
        for group in &self.not_restored {
            let objects = group.objects.iter().take(NAMES).map(|one| one.object.to_string());
            let mut names: Vec<String> = objects.collect();
            let more = group.count.saturating_sub(names.len() as u64);
            if more > 0 {
                names.push(format!("and {more} more"));
            }
            let count = group.count.to_string();
            line!(
                out,
                "{}",
                row(&[group.rule.as_str(), &count, &group.reason, &names.join(", ")])
            );
        }
        if self.required().next().is_some() {
            heading(&mut out, "Needed and missing");
            line!(out, "| Object | Needed by |");
            line!(out, "|---|---|");
        }
        for missing in self.required() {
            let users = format!(
                "{}, such as {}",
                counted(missing.objects, "object"),
                missing.example
            );
            line!(out, "{}", row(&[&missing.needed.to_string(), &users]));
        }
        problems(&mut out, "Warnings", &self.warnings);
        out
    }
}

fn heading(out: &mut String, title: &str) {
    line!(out);
    line!(out, "### {title}");
    line!(out);
}

fn changes(out: &mut String, title: &str, groups: &[ChangeGroup]) {
    if groups.is_empty() {
        return;
    }
    heading(out, title);
    line!(out, "| Object | Path | Captured | Planned | Rule |");
    line!(out, "|---|---|---|---|---|");
    for group in groups {
        for change in group.changes.iter().take(ROWS) {
            let value = |value: &Option<String>| value.as_deref().map_or_else(|| "(none)".to_owned(), code);
            let cells = [
                &change.object.to_string(),
                &code(&change.path),
                &value(&change.from),
                &value(&change.to),
                group.rule.as_str(),
            ];
            line!(out, "{}", raw_row(&cells));
        }
        let more = group.count.saturating_sub(group.changes.len().min(ROWS) as u64);
        if more > 0 {
            line!(
                out,
                "{}",
                row(&["", "", "", &format!("and {more} more"), group.rule.as_str()])
            );
        }
    }
}

fn problems(out: &mut String, title: &str, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    heading(out, title);
    for problem in problems {
        line!(out, "- **{}** {}", problem.code, escaped(&problem.message));
        for cause in &problem.causes {
            line!(out, "  - {}", escaped(cause));
        }
        line!(out, "  - fix: {}", one_line(&problem.guidance));
    }
}

/// Returns a row of a table of plain texts.
fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
    raw_row(&cells.iter().map(String::as_str).collect::<Vec<_>>())
}

fn raw_row(cells: &[&str]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns text without a meaning in Markdown: values of objects must neither break a table nor become links or HTML.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '!' | '~'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Returns text as code in a cell of a table (GitHub Flavored Markdown 4.10: a pipe in a cell is escaped, in code too).
fn code(text: &str) -> String {
    let text = one_line(text).replace('|', "\\|");
    let fence = "`".repeat(1 + longest_run(&text));
    match text.contains('`') {
        true => format!("{fence} {text} {fence}"),
        false => format!("`{text}`"),
    }
}

/// Returns the length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}
