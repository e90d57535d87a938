//! A plan for people: how much of what, in which order, what is changed and why, what is left out and
//! why, and what a careful operator should read before it runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lifeboat_plan::{Action, LintFinding, Need, Plan, RuleId, Severity, Wave};

use super::PlanDocument;
use crate::output::human;
use crate::output::table::Table;

/// How many objects are named as examples of a rule; `--output json` names all.
const EXAMPLES: usize = 3;

/// The whole plan.
pub(super) fn plan(document: &PlanDocument) -> String {
    let plan = &document.plan;
    let mut text = format!(
        "plan to restore {} of {} into {}\n",
        plan.cluster, plan.point, document.target
    );
    text.push_str(&summary(plan));
    text.push_str(&waves(plan));
    text.push_str(&changes(plan));
    text.push_str(&left_out(plan));
    text.push_str(&missing(plan));
    text.push_str(&notes(plan));
    text.push_str(&findings(&document.findings));
    line(&mut text, format_args!("\nhash  {}", document.hash));
    if document.is_refused() {
        text.push_str("A restore refuses this plan; mend the findings of severity error first.\n");
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    drop(writeln!(text, "{arguments}"));
}

fn summary(plan: &Plan) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for object in &plan.objects {
        *counts.entry(verb(object.action)).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(verb, count)| format!("{} {verb}", human::count(*count)))
        .collect();
    let mut text = format!(
        "  {}{}{}\n",
        human::counted(plan.objects.len() as u64, "object", "objects"),
        if parts.is_empty() { "" } else { ": " },
        parts.join(", ")
    );
    line(
        &mut text,
        format_args!(
            "  {} not restored, by rule",
            human::count(plan.not_restored.len() as u64)
        ),
    );
    if plan.unselected > 0 {
        line(
            &mut text,
            format_args!("  {} not selected", human::count(plan.unselected)),
        );
    }
    text
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "to create",
        Action::CreateOrUpdate => "to create or complete",
        Action::Keep => "to keep as they are",
        Action::Update => "to update",
        Action::Recreate => "to delete and make anew",
    }
}

fn waves(plan: &Plan) -> String {
    let mut waves: BTreeMap<Wave, BTreeMap<String, u64>> = BTreeMap::new();
    for object in &plan.objects {
        *waves
            .entry(object.wave)
            .or_default()
            .entry(object.target.r#type.to_string())
            .or_default() += 1;
    }
    if waves.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["WAVE", "WHAT", ">OBJECTS", "TYPES"]);
    for (wave, types) in waves {
        let number = Wave::ALL
            .iter()
            .position(|each| *each == wave)
            .map_or(0, |at| at + 1);
        let listed: Vec<String> = types
            .iter()
            .map(|(name, count)| format!("{name} {}", human::count(*count)))
            .collect();
        table.row([
            number.to_string(),
            wave.title().to_owned(),
            human::count(types.values().sum()),
            listed.join(", "),
        ]);
    }
    format!("\n{}", table.render(0))
}

/// The rules that change objects, with a few objects each.
fn changes(plan: &Plan) -> String {
    let mut examples: BTreeMap<RuleId, Vec<String>> = BTreeMap::new();
    for object in &plan.objects {
        for change in &object.changes {
            let list = examples.entry(change.rule).or_default();
            if list.len() < EXAMPLES {
                let from = change.from.as_deref().unwrap_or("nothing");
                let to = change.to.as_deref().unwrap_or("nothing");
                list.push(format!("{} {}: {from} -> {to}", object.target, change.path));
            }
        }
    }
    let left_out: std::collections::BTreeSet<RuleId> =
        plan.not_restored.iter().map(|object| object.rule).collect();
    let rules: Vec<_> = plan
        .rules
        .iter()
        .filter(|(rule, _)| !left_out.contains(rule))
        .collect();
    if rules.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nchanged, by rule\n");
    for (rule, used) in rules {
        line(
            &mut text,
            format_args!(
                "  {rule}  {}\n      {}",
                human::counted(used.objects, "object", "objects"),
                used.reason
            ),
        );
        for example in examples.get(rule).into_iter().flatten() {
            line(&mut text, format_args!("      {example}"));
        }
    }
    text
}

fn left_out(plan: &Plan) -> String {
    let mut rules: BTreeMap<RuleId, Vec<String>> = BTreeMap::new();
    for left in &plan.not_restored {
        let detail = left
            .detail
            .as_ref()
            .map_or_else(String::new, |detail| format!(" ({detail})"));
        rules
            .entry(left.rule)
            .or_default()
            .push(format!("{}{detail}", left.object));
    }
    if rules.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nnot restored, by rule\n");
    for (rule, objects) in rules {
        line(
            &mut text,
            format_args!(
                "  {rule}  {}\n      {}",
                human::counted(objects.len() as u64, "object", "objects"),
                rule.reason()
            ),
        );
        for object in objects.iter().take(EXAMPLES) {
            line(&mut text, format_args!("      {object}"));
        }
        if objects.len() > EXAMPLES {
            line(
                &mut text,
                format_args!(
                    "      and {} more",
                    human::count((objects.len() - EXAMPLES) as u64)
                ),
            );
        }
    }
    text
}

fn missing(plan: &Plan) -> String {
    if plan.missing.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nneeded, and neither in the plan nor in the target\n");
    for each in &plan.missing {
        let need = match each.need {
            Need::Exists => "cannot be created without it",
            Need::Works => "does not work without it",
            Need::Perhaps => "may need it",
        };
        let wider = if each.in_point {
            "; the recovery point holds it, the selection leaves it out"
        } else {
            ""
        };
        line(
            &mut text,
            format_args!(
                "  {}: {} and {} in all {need}{wider}",
                each.needed,
                each.example,
                human::counted(each.objects, "object", "objects")
            ),
        );
    }
    text
}

fn notes(plan: &Plan) -> String {
    let mut text = String::new();
    for note in &plan.notes {
        match &note.object {
            Some(object) => line(&mut text, format_args!("  {object}: {}", note.text)),
            None => line(&mut text, format_args!("  {}", note.text)),
        }
    }
    if text.is_empty() {
        text
    } else {
        format!("\nto know\n{text}")
    }
}

/// What the lint found.
pub(in crate::command) fn findings(findings: &[LintFinding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let object = finding
            .object
            .as_ref()
            .map_or_else(String::new, |object| format!(" {object}:"));
        line(
            &mut text,
            format_args!(
                "  {severity} {} ({}):{object} {}\n      to mend it: {}",
                finding.code, finding.check, finding.message, finding.guidance
            ),
        );
    }
    if text.is_empty() {
        text
    } else {
        format!("\nfindings\n{text}")
    }
}
