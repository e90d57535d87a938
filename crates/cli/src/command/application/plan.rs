//! `lifeboat application plan`: the whole plan of a restore, made by the delegate of the recovery side.

use std::fmt::Write as _;

use clap::Args;
use lifeboat_aws::coordinator::CoordinatorClient;
use lifeboat_deploy::recovery::RecoveryPlan;
use lifeboat_infrastructure::{Reason, Severity};
use lifeboat_model::request::{ApplicationStatus, PlanRequest, PlanState, PlanStatus, Request};
use lifeboat_model::{
    ApplicationName, ClusterName, Code, EnvironmentId, Exit, RecoveryPointId, RequestToken,
};
use lifeboat_plan::ClusterPlan;
use lifeboat_plan::cluster_plan::markdown::escaped;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NameArguments, follow, named, options};
use crate::command::infrastructure::build::{cost, plan_table};
use crate::command::restore_options::RestoreOptionArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Document, OutputFormat, write_out};

pub(super) const AFTER: &str = "Examples:
  lifeboat application plan shop latest --profile recovery --region eu-central-1
  lifeboat plan shop@latest --markdown --profile recovery > change-request.md

  Shows what `lifeboat application restore` with the same options would do, before anything is
  written: the AWS resources that it creates and changes, what becomes of each object, its
  translations, what is not restored and why, and what must be fixed first. What does not exist
  yet is a symbol, such as ${network.SubnetPrivateA}. Change sets are created to find the
  differences of stacks that exist, and deleted. The hash stays the same until then:
  `lifeboat application restore --expect-plan` carries out this plan or nothing.

Exit codes: 0 a restore would carry it out, 2 there is no such application, point or cluster,
6 no plan could be made, 10 a restore would reject it, 12 AWS or the coordinator failed";

/// Options of `lifeboat application plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArguments {
    /// The application.
    #[command(flatten)]
    pub of: NameArguments,
    /// The recovery point: latest, latest-complete, an id or the beginning of one
    #[arg(value_name = "POINT", default_value = "latest")]
    pub point: String,
    /// Only this cluster of the application
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub cluster: Option<ClusterName>,
    /// The EKS cluster of the recovery environment to plan for; needs --cluster
    #[arg(long, value_name = "NAME", requires = "cluster", help_heading = "Target")]
    pub into: Option<ClusterName>,
    /// What would be restored, and how.
    #[command(flatten)]
    pub restore_options: RestoreOptionArguments,
    /// Idempotency token of the request: the same token plans only once, and shows that plan
    #[arg(long, value_name = "TOKEN", help_heading = "Request")]
    pub token: Option<RequestToken>,
    /// Print Markdown, for a change request
    #[arg(long, help_heading = "Output")]
    pub markdown: bool,
}

/// The plan of a recovery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecoveryPlanDocument {
    /// Always `lifeboat.dev/recovery-plan/v1`.
    pub format: String,
    /// The application.
    pub application: ApplicationName,
    /// The recovery environment.
    pub environment: EnvironmentId,
    /// The recovery point.
    pub point: RecoveryPointId,
    /// The token of the request for the plan.
    pub token: RequestToken,
    /// SHA-256, hexadecimal, over the recovery point, the hash of the AWS resources, and those of the clusters with their
    /// targets. It depends neither on what the recovery environment holds nor on times: the plan has the same hash before,
    /// while and after a restore carries it out. Absent if a part could not be planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The command that carries out this plan or nothing; with the options of the plan, if it has any. Absent without a
    /// hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<String>,
    /// Whether a restore would reject the plan.
    pub rejected: bool,
    /// The AWS resources that a restore would build; absent if restores of the application build none (`rebuild` in the
    /// application document).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<RecoveryPlan>,
    /// The objects of each cluster.
    pub clusters: Vec<ClusterPlan>,
}

impl RecoveryPlanDocument {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/recovery-plan/v1";

    fn new(status: &PlanStatus, of: &ApplicationStatus, parts: Parts, asked: &PlanRequest) -> Self {
        Self {
            format: Self::FORMAT.to_owned(),
            application: of.application.clone(),
            environment: of.recovery.clone(),
            point: status.point.clone(),
            token: status.token.clone(),
            hash: status.hash.clone(),
            restore: status.hash.as_ref().map(|hash| command(status, asked, hash)),
            rejected: status.state == PlanState::Rejected,
            infrastructure: parts.infrastructure,
            clusters: parts.clusters,
        }
    }

    fn verdict(&self) -> &'static str {
        match self.rejected {
            true => "a restore REJECTS it: resolve what is to be fixed first",
            false => "a restore carries it out",
        }
    }

    /// Returns the plan as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!("# Recovery plan of {}\n\n", self.application);
        let rows = [
            ("Recovery point", format!("`{}`", self.point)),
            ("Environment", format!("`{}`", self.environment)),
            ("Verdict", self.verdict().to_owned()),
        ];
        out.push_str("| | |\n|---|---|\n");
        for (name, value) in rows {
            line(&mut out, &format!("| {name} | {value} |"));
        }
        let code = |text: &String| format!("`{text}`");
        for (name, text) in [("Hash", &self.hash), ("Restore", &self.restore)] {
            if let Some(value) = text.as_ref().map(code) {
                line(&mut out, &format!("| {name} | {value} |"));
            }
        }
        out.push_str("\n## AWS resources\n\n");
        match &self.infrastructure {
            Some(plan) => stacks_markdown(&mut out, plan),
            None => line(&mut out, NOT_BUILT),
        }
        for cluster in &self.clusters {
            out.push('\n');
            out.push_str(&cluster.markdown());
        }
        out
    }
}

/// Returns the command that restores by a plan.
fn command(status: &PlanStatus, asked: &PlanRequest, hash: &str) -> String {
    let mut command = format!("lifeboat restore {}@{}", asked.application, status.point);
    for (option, value) in [("--cluster", &asked.cluster), ("--into", &asked.into)] {
        if let Some(value) = value {
            let _ = write!(command, " {option} {value}");
        }
    }
    if !asked.options.is_empty() {
        // They may be the content of files.
        command.push_str(" [the options of this plan]");
    }
    let _ = write!(command, " --expect-plan {hash}");
    command
}

/// What is said in place of the AWS resources if a restore builds none.
const NOT_BUILT: &str = "Not part of this plan: restores of the application build none (`rebuild` in `infrastructure` of the application document).";

impl Document for RecoveryPlanDocument {
    fn table(&self) -> String {
        let mut out = format!(
            "recovery plan of {} at {}: {}\n",
            self.application,
            self.point,
            self.verdict()
        );
        if let Some(hash) = &self.hash {
            line(&mut out, &format!("  hash {hash}"));
        }
        out.push('\n');
        line(&mut out, &format!("AWS resources in {}", self.environment));
        match &self.infrastructure {
            Some(plan) => {
                if let Some(hash) = &plan.hash {
                    line(&mut out, &format!("  hash {hash}"));
                }
                let table = plan_table(&plan.stacks, &plan.adopted, &plan.cost);
                for text in table.lines() {
                    line(&mut out, &format!("  {text}"));
                }
            }
            None => line(&mut out, &format!("  {NOT_BUILT}")),
        }
        for cluster in &self.clusters {
            out.push('\n');
            out.push_str(&cluster.text());
        }
        if let Some(restore) = &self.restore {
            line(
                &mut out,
                &format!("\nto carry out this plan or nothing: {restore}"),
            );
        }
        out
    }
}

/// Lists the properties that differ from the primary in another way than by the name of a counterpart.
fn differences_markdown(out: &mut String, plan: &RecoveryPlan) {
    let mut rows = Vec::new();
    for stack in &plan.stacks {
        for of in &stack.differences {
            let kept = of.differences.iter();
            for one in kept.filter(|one| one.reason != Reason::Translated) {
                let cells = [&stack.stack, &of.resource, &one.path].map(|text| escaped(text));
                rows.push(format!("| {} | {} |", cells.join(" | "), one.reason));
            }
        }
    }
    if !rows.is_empty() {
        line(out, "\n### Differences from the primary\n");
        line(out, "| Stack | Resource | Property | Reason |");
        line(out, "|---|---|---|---|");
    }
    for row in rows {
        line(out, &row);
    }
}

fn stacks_markdown(out: &mut String, plan: &RecoveryPlan) {
    line(out, "| Stack | State | Created | Changed | Removed |");
    line(out, "|---|---|--:|--:|--:|");
    for stack in &plan.stacks {
        let count = |action: &str| {
            stack
                .changes
                .iter()
                .filter(|change| change.action == action)
                .count()
        };
        let (created, removed) = (count("Add"), count("Remove"));
        let changed = stack.changes.len() - created - removed;
        let state = if stack.exists { "exists" } else { "new" };
        line(
            out,
            &format!("| {} | {state} | {created} | {changed} | {removed} |", stack.name),
        );
    }
    if plan.stacks.iter().any(|stack| !stack.changes.is_empty()) {
        line(out, "\n### Resources\n");
        line(out, "| Stack | Action | Type | Resource | Properties |");
        line(out, "|---|---|---|---|---|");
    }
    for stack in &plan.stacks {
        for change in &stack.changes {
            let action = match change.replacement.as_deref() {
                Some("True" | "Conditional") => "Replace",
                _ => change.action.as_str(),
            };
            let properties: Vec<String> = change.properties.iter().map(|name| escaped(name)).collect();
            let cells = [
                escaped(&stack.stack),
                escaped(action),
                escaped(&change.r#type),
                escaped(&change.resource),
                properties.join(", "),
            ];
            line(out, &format!("| {} |", cells.join(" | ")));
        }
    }
    differences_markdown(out, plan);
    let adopted = plan.stacks.iter().flat_map(|stack| &stack.adopted);
    let mut adopted = adopted.chain(&plan.adopted).peekable();
    if adopted.peek().is_some() {
        line(out, "\n### Adopted\n");
        line(out, "| Primary | Recovery | Found by |");
        line(out, "|---|---|---|");
    }
    for one in adopted {
        let cells = [escaped(&one.from), escaped(&one.to), one.rule.to_string()];
        line(out, &format!("| {} |", cells.join(" | ")));
    }
    line(out, "\n### Cost\n\n```text");
    out.push_str(&cost::table(&plan.cost));
    line(out, "```");
    let findings = plan.stacks.iter().flat_map(|stack| &stack.findings);
    let mut findings: Vec<_> = findings
        .filter(|finding| finding.severity != Severity::Note)
        .collect();
    findings.sort();
    findings.dedup();
    for (title, severity) in [("Fix first", Severity::Error), ("Warnings", Severity::Warning)] {
        let mut of = findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .peekable();
        if of.peek().is_some() {
            line(out, &format!("\n### {title}\n"));
        }
        for finding in of {
            let (resource, what) = (escaped(&finding.resource), escaped(&finding.what));
            line(out, &format!("- **{}** {resource}: {what}", finding.code));
            line(out, &format!("  - fix: {}", finding.remedy));
        }
    }
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}

/// The parts of a plan.
struct Parts {
    infrastructure: Option<RecoveryPlan>,
    clusters: Vec<ClusterPlan>,
}

/// Requests a plan, waits for it and prints it.
///
/// # Errors
/// If no plan can be made, or its parts cannot be read.
pub(super) fn run(arguments: &PlanArguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.markdown && context.output != OutputFormat::Table {
        return Err(
            Failure::new(Code::Usage, "--markdown and --output name two formats")
                .remedy("choose one of both"),
        );
    }
    let document = context.block_on(async {
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        Box::pin(make(arguments, context)).await
    })?;
    match arguments.markdown {
        true => {
            context.progress.close();
            write_out(document.markdown().as_bytes())?;
        }
        false => context.print(&document)?,
    }
    Ok(match document.rejected {
        true => Exit::PlanRefused,
        false => Exit::Success,
    })
}

async fn make(arguments: &PlanArguments, context: &Context) -> Result<RecoveryPlanDocument, Failure> {
    let request = PlanRequest {
        application: arguments.of.name.clone(),
        point: arguments.point.clone(),
        cluster: arguments.cluster.clone(),
        into: arguments.into.clone(),
        options: options(&arguments.restore_options.options()?)?,
        token: Some(named(arguments.token.as_ref())),
    };
    let coordinator = CoordinatorClient::new(arguments.of.ask.aws.open().await?);
    let accepted = coordinator.accepted(&Request::Plan(request.clone())).await?;
    let (of, status) = follow::plan(&coordinator, &accepted, context).await?;
    match status.state {
        PlanState::Done | PlanState::Rejected => {}
        _ => return Err(failed(&status)),
    }
    let parts = read(&coordinator, &of.recovery, &status).await?;
    Ok(RecoveryPlanDocument::new(&status, &of, parts, &request))
}

async fn read(
    coordinator: &CoordinatorClient,
    environment: &EnvironmentId,
    status: &PlanStatus,
) -> Result<Parts, Failure> {
    let mut parts = Parts {
        infrastructure: None,
        clusters: Vec::new(),
    };
    if let Some(part) = &status.infrastructure {
        let read = follow::read(coordinator, environment, &part.report, Code::PlanUnreadable);
        parts.infrastructure = Some(read.await?);
    }
    for cluster in &status.clusters {
        let read = follow::read(
            coordinator,
            environment,
            &cluster.part.report,
            Code::PlanUnreadable,
        );
        parts.clusters.push(read.await?);
    }
    Ok(parts)
}

/// Returns why there is no plan.
fn failed(status: &PlanStatus) -> Failure {
    let named = format!("the plan {} of {}", status.token, status.point);
    if status.state == PlanState::Cancelled {
        return Failure::new(Code::JobCancelled, format!("{named} was cancelled"));
    }
    let mut problem = lifeboat_model::Problem::of(Code::PlanFailed, format!("{named} could not be made"));
    if let Some(cause) = status.problems.first() {
        problem.causes.push(format!("{}: {}", cause.code, cause.message));
        problem.causes.extend(cause.causes.iter().cloned());
        problem.guidance.clone_from(&cause.guidance);
    }
    problem.into()
}

#[cfg(test)]
mod tests;
