//! The coordinator's answers as text. As JSON and YAML they are printed as the coordinator sent them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lifeboat_model::request::{
    Accepted, Answer, ApplicationStatus, BuildStatus, PlanState, PlanStatus, PointStatus, PointsAnswer,
    RestoreState, RestoreStatus, StatusAnswer,
};
use lifeboat_model::{Code, Severity};
use lifeboat_plan::report::Report;
use serde::{Serialize, Serializer};

use crate::output::table::Table;
use crate::output::{Document, human, yaml};

/// The number of ended restores that are shown.
const ENDED: usize = 3;

/// An answer of the coordinator, and the time that ages are counted from.
#[derive(Debug, Clone)]
pub struct AnswerDocument {
    answer: Answer,
    now: Timestamp,
    reports: Vec<Report>,
}

impl AnswerDocument {
    /// Creates a document for an answer received at `now`.
    #[must_use]
    pub fn new(answer: Answer, now: Timestamp) -> Self {
        Self {
            answer,
            now,
            reports: Vec::new(),
        }
    }

    /// Adds the reports of the restores in the answer. They are only in the text; programs find the addresses of the
    /// reports in the answer.
    #[must_use]
    pub fn with_reports(self, reports: Vec<Report>) -> Self {
        Self { reports, ..self }
    }
}

impl Serialize for AnswerDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.answer.serialize(serializer)
    }
}

impl Document for AnswerDocument {
    fn table(&self) -> String {
        let mut text = self.answer_text();
        for report in &self.reports {
            let title = format!("\nreport of {} of {}\n", report.cluster, report.point);
            text.push_str(&title);
            text.push_str(&report.text());
        }
        text
    }
}

impl AnswerDocument {
    fn answer_text(&self) -> String {
        match &self.answer {
            Answer::Accepted(accepted) => accepted_text(accepted),
            Answer::Status(status) => status_text(status, self.now),
            Answer::Points(points) => points_text(points, self.now),
            Answer::Application(document) => match serde_json::to_value(document) {
                Ok(value) => yaml::render(&value),
                Err(error) => format!("{error}\n"),
            },
            Answer::Applications(names) if names.is_empty() => no_applications(),
            Answer::Applications(names) => names.iter().map(|name| format!("{name}\n")).collect(),
            Answer::Refused(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
        }
    }
}

fn no_applications() -> String {
    "no applications; create one with `lifeboat application put FILE`\n".to_owned()
}

fn accepted_text(accepted: &Accepted) -> String {
    let again = if accepted.repeated {
        "already accepted, not started again"
    } else {
        "accepted"
    };
    let point = match &accepted.point {
        Some(point) => format!(", recovery point {point}"),
        None => String::new(),
    };
    let mut text = format!("{again}: {}{point}\n", accepted.token);
    for passed in &accepted.passed_over {
        text.push_str(&format!("passed over {}: {}\n", passed.point, passed.reason));
    }
    text.push_str(&format!(
        "follow it with `lifeboat status {}`\n",
        accepted.application
    ));
    text
}

/// Reports whether an application needs attention: it has no recovery point within its schedule, or an issue of
/// severity error is open.
#[must_use]
pub fn needs_attention(status: &ApplicationStatus) -> bool {
    is_late(status)
        || status
            .issues
            .iter()
            .any(|issue| issue.severity == Severity::Error)
}

/// Reports whether the last good point is missing or older than the schedule allows.
fn is_late(status: &ApplicationStatus) -> bool {
    let overdue = status
        .issues
        .iter()
        .any(|issue| issue.code == Code::BackupOverdue);
    status.last_good.is_none() || overdue
}

fn status_text(status: &StatusAnswer, now: Timestamp) -> String {
    if status.applications.is_empty() && status.problems.is_empty() {
        return no_applications();
    }
    let mut texts: Vec<String> = status
        .applications
        .iter()
        .map(|status| application_text(status, now))
        .collect();
    texts.extend(status.problems.iter().map(|problem| format!("{problem}\n")));
    texts.join("\n")
}

fn application_text(status: &ApplicationStatus, now: Timestamp) -> String {
    let mut text = format!("{}: {}\n", status.application, verdict(status));
    let mut field = |name: &str, value: String| text.push_str(&format!("  {name:<11} {value}\n"));
    field("primary", status.primary.to_string());
    field("recovery", status.recovery.to_string());
    let clusters: Vec<&str> = status.clusters.iter().map(|cluster| cluster.as_str()).collect();
    field(
        "clusters",
        match clusters.as_slice() {
            [] => "none found yet".to_owned(),
            names => names.join(", "),
        },
    );
    field("last good", last_good(status, now));
    let next = match status.next_backup {
        Some(at) if at > now => format!("in {}", human::age(now, at)),
        Some(_) => "now".to_owned(),
        None => "never".to_owned(),
    };
    field("next", format!("{next} ({})", status.schedule));
    if let Some(run) = &status.backup {
        let attempt = match run.attempt {
            1 => String::new(),
            attempt => format!(", attempt {attempt}"),
        };
        field(
            "backup",
            format!(
                "{} {} for {}{attempt}",
                run.point,
                run.phase,
                human::age(run.started_at, now)
            ),
        );
    }
    let mut ended = 0;
    let mut requests = BTreeSet::new();
    for restore in &status.restores {
        ended += usize::from(restore.state.is_over());
        if restore.state.is_over() && ended > ENDED {
            continue;
        }
        requests.insert(&restore.token);
        field("restore", restore_line(restore));
        if let Some(progress) = &restore.progress {
            field("", progress.to_string());
        }
        for problem in restore.failed_before.iter().chain(&restore.problems) {
            text_of_problem(&mut field, problem);
        }
        if let Some(place) = &restore.report {
            field("", format!("report in {place}"));
        }
    }
    // A request for several clusters has one build.
    for build in status
        .builds
        .iter()
        .filter(|build| requests.contains(&build.token))
    {
        text_of_build(&mut field, build);
    }
    let mut ended = 0;
    for plan in &status.plans {
        ended += usize::from(plan.state.is_over());
        if plan.state.is_over() && ended > 1 {
            continue;
        }
        field("plan", plan_line(plan));
        for problem in &plan.problems {
            text_of_problem(&mut field, problem);
        }
    }
    if let Some(key) = &status.signing_key {
        field("signed by", key.clone());
    }
    if status.issues.is_empty() {
        field("issues", "none".to_owned());
        return text;
    }
    text.push_str("  issues\n");
    for issue in &status.issues {
        let about = match &issue.cluster {
            Some(cluster) => format!("{cluster}: "),
            None => String::new(),
        };
        text.push_str(&format!(
            "    {} {} since {}: {about}{}\n      fix: {}\n",
            issue.severity,
            issue.code,
            human::age(issue.since, now),
            issue.message,
            issue.guidance
        ));
        if let Some(command) = &issue.command {
            text.push_str(&copied(command));
        }
        for other in &issue.alternatives {
            text.push_str(&format!("      or, {}:\n{}", other.what, copied(&other.command)));
        }
    }
    text
}

/// Formats a command so that it can be copied: on lines of its own, and without indentation if it contains a
/// here-document, because indentation would change the document.
fn copied(command: &str) -> String {
    let indent = if command.contains("<<") { "" } else { "        " };
    command.lines().map(|line| format!("{indent}{line}\n")).collect()
}

fn text_of_build(field: &mut impl FnMut(&str, String), build: &BuildStatus) {
    if let Some(progress) = &build.progress {
        field("building", progress.to_string());
    }
    for built in &build.stacks {
        field("built", format!("{} {}", built.stack, built.outcome));
    }
    for warning in &build.warnings {
        for (number, line) in warning.to_string().lines().enumerate() {
            field(if number == 0 { "warning" } else { "" }, line.to_owned());
        }
    }
    if build.more_warnings > 0 {
        let more = human::counted(build.more_warnings, "further warning", "further warnings");
        field("", format!("{more}; the plan lists all of them"));
    }
}

fn text_of_problem(field: &mut impl FnMut(&str, String), problem: &lifeboat_model::Problem) {
    for line in problem.to_string().lines() {
        field("", format!("  {line}"));
    }
}

fn verdict(status: &ApplicationStatus) -> &'static str {
    if status.last_good.is_none() {
        "NOT PROTECTED YET"
    } else if is_late(status) {
        "OVERDUE"
    } else if needs_attention(status) {
        "protected, with issues"
    } else {
        "protected"
    }
}

fn last_good(status: &ApplicationStatus, now: Timestamp) -> String {
    let Some(point) = &status.last_good else {
        return "none".to_owned();
    };
    let lateness = if is_late(status) {
        "older than the schedule allows"
    } else {
        "within the schedule"
    };
    format!(
        "{}, {} old, {lateness}; {}, {} in {}",
        point.point,
        human::age(point.created_at, now),
        completeness(point),
        human::counted(point.objects, "object", "objects"),
        human::bytes(point.bytes)
    )
}

fn completeness(point: &PointStatus) -> &'static str {
    match (&point.damaged, point.complete) {
        (Some(_), _) => "DAMAGED",
        (None, true) => "Complete",
        (None, false) => "Partial",
    }
}

/// Returns the progress of a restore as one line.
pub(super) fn restore_line(restore: &RestoreStatus) -> String {
    let state = match restore.state {
        RestoreState::Waiting => "is waiting",
        RestoreState::Running => "is running",
        RestoreState::Done => "succeeded: the cluster matches the plan",
        RestoreState::Incomplete => "ended: the cluster does NOT match the plan",
        RestoreState::Failed => "FAILED",
        RestoreState::Cancelled => "was cancelled",
    };
    let doing = match &restore.phase {
        Some(phase) => format!(": {phase}"),
        None => String::new(),
    };
    let attempt = match restore.attempt {
        Some(attempt) if attempt > 1 => format!(", attempt {attempt}"),
        _ => String::new(),
    };
    let before = match &restore.failed_before {
        Some(problem) => format!(" after {}", problem.code),
        None => String::new(),
    };
    format!(
        "{}: {} of {} into {} {state}{doing}{attempt}{before}",
        restore.token, restore.cluster, restore.point, restore.into
    )
}

/// Returns the progress of a plan as one line.
pub(super) fn plan_line(plan: &PlanStatus) -> String {
    let state = match plan.state {
        PlanState::Waiting => "is waiting",
        PlanState::Running => "is being made",
        PlanState::Done => "is made: a restore carries it out",
        PlanState::Rejected => "is made: a restore REJECTS it",
        PlanState::Failed => "FAILED",
        PlanState::Cancelled => "was cancelled",
    };
    format!("{}: the plan of {} {state}", plan.token, plan.point)
}

fn points_text(points: &PointsAnswer, now: Timestamp) -> String {
    if points.points.is_empty() {
        return format!("no recovery points of application {}\n", points.application);
    }
    let mut table = Table::new(&[
        "POINT",
        ">AGE",
        "COMPLETENESS",
        ">OBJECTS",
        ">SIZE",
        ">VERIFIED",
        "KEPT AS",
    ]);
    let mut damaged = String::new();
    for point in &points.points {
        table.row([
            point.point.to_string(),
            human::age(point.created_at, now),
            completeness(point).to_owned(),
            human::count(point.objects),
            human::bytes(point.bytes),
            human::age(point.verified_at, now),
            point.kept_by.join(", "),
        ]);
        if let Some(problem) = &point.damaged {
            damaged.push_str(&format!("\n{} is damaged\n  {problem}\n", point.point));
        }
    }
    format!("{}{damaged}", table.render(0))
}

#[cfg(test)]
mod tests;
