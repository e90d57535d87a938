//! Renders the report as text, with the verdict first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Changed, ChangedBy, NotRestoredGroup, Report, Verdict, Workload, WorkloadState};
use crate::TargetLeftover;
use crate::compare::Difference;
use crate::table::{count, examples, line, shown};

/// The number of lines of one group that are shown.
const SHOWN: usize = 5;

impl Report {
    /// Returns the report as text. Everything that is shortened here is complete in the JSON format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.verdict_text(&mut out);
        self.failed_text(&mut out);
        self.workloads_text(&mut out);
        self.leftovers_text(&mut out);
        self.changed_text(&mut out);
        self.left_out_text(&mut out);
        if !self.unplanned.is_empty() {
            line!(out);
            line!(out, "unplanned objects in the target ({})", self.unplanned.len());
            line!(
                out,
                "  {}",
                examples(self.unplanned.iter().map(|entry| &entry.object))
            );
        }
        out.push_str(&self.warnings_text());
        out
    }

    /// Returns the warnings as text; empty without any.
    #[must_use]
    pub fn warnings_text(&self) -> String {
        let warnings = self.warnings.iter();
        warnings.map(|warning| format!("\nwarning {warning}\n")).collect()
    }

    fn verdict_text(&self, out: &mut String) {
        let s = &self.summary;
        let verdict = match self.verdict {
            Verdict::MatchesPlan => "Cluster matches the plan.",
            Verdict::WorkloadsNotReady => "Cluster matches the plan, but workloads are NOT ready yet.",
            Verdict::WorkloadsDiffer => {
                "Cluster matches the plan, but workloads do NOT run what the source ran."
            }
            Verdict::NamesPrimary => "Cluster matches the plan, but restored objects NAME the primary.",
            Verdict::DiffersFromPlan => "Cluster does NOT match the plan.",
        };
        line!(out, "{verdict}");
        line!(
            out,
            "  {} of {} planned objects are in the target",
            s.restored,
            s.planned
        );
        let rows = [
            (s.failed, "planned but missing"),
            (s.unexplained, "unexplained differences"),
            (
                s.workloads_differing,
                "workloads that run something else than in the source",
            ),
            (
                s.workloads_not_ready,
                "workloads with fewer ready Pods than in the source",
            ),
            (s.owners, "fields with other owners than planned"),
            (s.leftovers, "identifiers of the primary in restored objects"),
            (
                s.leftovers_elsewhere,
                "identifiers of the primary in other objects of the target",
            ),
            (s.kept, "existing objects kept"),
            (s.changed_by_plan, "fields changed by rules and patches"),
            (
                s.changed_by_target,
                "fields set by defaults, admission and controllers of the target",
            ),
            (s.left_out, "objects excluded by rules"),
            (s.unplanned, "unplanned objects in the target"),
        ];
        for (number, words) in rows.into_iter().filter(|(number, _)| *number > 0) {
            line!(out, "  {words}: {number}");
        }
        let hash: String = self.plan.chars().take(12).collect();
        line!(
            out,
            "  recovery point {}, cluster {}, plan {hash}",
            self.point,
            self.cluster
        );
    }

    fn failed_text(&self, out: &mut String) {
        let failed: Vec<&NotRestoredGroup> = self.not_restored.iter().filter(|entry| entry.planned).collect();
        if !failed.is_empty() {
            line!(out);
            line!(out, "planned but missing ({})", failed.len());
            let mut by_why: BTreeMap<&str, Vec<&NotRestoredGroup>> = BTreeMap::new();
            for entry in failed {
                by_why
                    .entry(entry.why.as_deref().unwrap_or(""))
                    .or_default()
                    .push(entry);
            }
            for (why, entries) in by_why {
                line!(out, "  {}", examples(entries.iter().map(|entry| &entry.object)));
                line!(out, "    {why}");
            }
        }
        let unexplained: Vec<&Changed> = self
            .changed
            .iter()
            .filter(|change| change.by == ChangedBy::Unexplained)
            .collect();
        if !unexplained.is_empty() {
            line!(out);
            line!(out, "unexplained differences ({})", unexplained.len());
            // These decide the verdict, so every one is shown.
            for change in unexplained {
                line!(out, "  {} {}", change.object, of_change(change));
            }
        }
        self.owners_text(out);
    }

    fn owners_text(&self, out: &mut String) {
        let owners: Vec<&Changed> = self
            .changed
            .iter()
            .filter(|change| change.by == ChangedBy::Ownership)
            .collect();
        if owners.is_empty() {
            return;
        }
        line!(out);
        line!(out, "fields with other owners than planned ({})", owners.len());
        for change in owners {
            let manager = change.who.as_deref().unwrap_or_default();
            let word = match change.difference {
                Some(Difference::Added) => "owns it, which is not planned",
                _ => "does not own it, which is planned",
            };
            line!(out, "  {} {}: {manager} {word}", change.object, change.path);
        }
    }

    fn workloads_text(&self, out: &mut String) {
        // These decide the verdict, so every one is shown.
        for (state, title) in [
            (
                WorkloadState::Differs,
                "workloads that run something else than in the source",
            ),
            (
                WorkloadState::NotReady,
                "workloads with fewer ready Pods than in the source",
            ),
        ] {
            let found: Vec<&Workload> = self.workloads.iter().filter(|one| one.state == state).collect();
            if found.is_empty() {
                continue;
            }
            line!(out);
            line!(out, "{title} ({})", found.len());
            for workload in found {
                let Workload {
                    object,
                    ready,
                    wanted,
                    differences,
                    ..
                } = workload;
                line!(out, "  {object}: {ready} of {wanted} Pods ready");
                for one in differences {
                    let change = shown(one.source.as_deref(), one.target.as_deref(), &one.path);
                    line!(out, "    {change}");
                }
            }
        }
        if !self.notes.is_empty() {
            line!(out);
            line!(out, "notes");
            for note in &self.notes {
                match &note.object {
                    Some(object) => line!(out, "  {object}: {}", note.text),
                    None => line!(out, "  {}", note.text),
                }
            }
        }
    }

    fn leftovers_text(&self, out: &mut String) {
        for (restored, title) in [
            (true, "identifiers of the primary in restored objects"),
            (false, "identifiers of the primary in other objects of the target"),
        ] {
            let found: Vec<&TargetLeftover> = self
                .leftovers
                .iter()
                .filter(|one| one.restored == restored)
                .collect();
            if found.is_empty() {
                continue;
            }
            line!(out);
            line!(out, "{title} ({})", found.len());
            for one in found.iter().take(SHOWN) {
                let declared = one
                    .reason
                    .as_ref()
                    .map_or_else(String::new, |why| format!(" ({why})"));
                line!(out, "  {} {}: {}{declared}", one.object, one.path, one.token);
            }
            if found.len() > SHOWN {
                line!(out, "  and {} more", found.len() - SHOWN);
            }
        }
    }

    fn changed_text(&self, out: &mut String) {
        let mut groups: BTreeMap<(ChangedBy, String), Vec<&Changed>> = BTreeMap::new();
        for change in self
            .changed
            .iter()
            .filter(|change| !matches!(change.by, ChangedBy::Unexplained | ChangedBy::Ownership))
        {
            let title = match (change.by, change.rule, &change.who) {
                (ChangedBy::Rule, Some(rule), _) => rule.as_str().to_owned(),
                (ChangedBy::Patch, _, Some(title)) => title.clone(),
                (ChangedBy::Controller, _, Some(manager)) => manager.clone(),
                (ChangedBy::Existing, ..) => "kept objects that differ from the recovery point".to_owned(),
                (ChangedBy::Admission, ..) => "defaults, allocations and admission".to_owned(),
                _ => String::new(),
            };
            groups.entry((change.by, title)).or_default().push(change);
        }
        if !groups.is_empty() {
            line!(out);
            line!(out, "changed ({})", groups.values().map(Vec::len).sum::<usize>());
        }
        for ((by, title), changes) in groups {
            let word = match by {
                ChangedBy::Rule => "by rule ",
                ChangedBy::Patch => "by patch ",
                ChangedBy::Controller => "by controller ",
                _ => "",
            };
            line!(out, "  {word}{title} ({})", count(changes.len(), "field"));
            if let Some(rule) = changes
                .first()
                .and_then(|change| change.rule)
                .filter(|_| by == ChangedBy::Rule)
            {
                line!(out, "    {}", rule.reason());
            }
            for change in changes.iter().take(SHOWN) {
                line!(out, "      {} {}", change.object, of_change(change));
            }
            if changes.len() > SHOWN {
                line!(out, "      and {} more", changes.len() - SHOWN);
            }
        }
    }

    fn left_out_text(&self, out: &mut String) {
        let mut by_rule: BTreeMap<_, Vec<&NotRestoredGroup>> = BTreeMap::new();
        for entry in &self.not_restored {
            if let Some(rule) = entry.rule {
                by_rule.entry(rule).or_default().push(entry);
            }
        }
        if !by_rule.is_empty() {
            line!(out);
            line!(
                out,
                "not restored, by rule ({})",
                by_rule.values().map(Vec::len).sum::<usize>()
            );
        }
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
}

fn of_change(change: &Changed) -> String {
    shown(change.from.as_deref(), change.to.as_deref(), &change.path)
}
