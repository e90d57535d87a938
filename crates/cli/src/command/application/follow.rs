//! Waits for a backup or a restore, and shows its progress.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_aws::session::Session;
use lifeboat_aws::{S3Location, S3Store};
use lifeboat_deploy::CloudFormation;
use lifeboat_deploy::recovery::SeenEvents;
use lifeboat_model::request::{
    Accepted, ApplicationStatus, BackupRequest, PlanStatus, PointsAnswer, Request, RestoreState,
    RestoreStatus, StatusAnswer,
};
use lifeboat_model::{Code, Diagnostic as _, EnvironmentId, Exit, ObjectKey, RecoveryPointId};
use lifeboat_plan::report::Report;
use lifeboat_store::ports::ObjectStore;
use lifeboat_system::SystemRandomness;
use lifeboat_system::sleep;
use serde::de::DeserializeOwned;

use super::answer::{plan_line, restore_line};
use crate::context::Context;
use crate::failure::Failure;
use lifeboat_aws::coordinator::CoordinatorClient;

/// The pause between two status requests. For each of them the coordinator reads the application's state, which costs a
/// dozen requests to S3; a backup takes a minute.
const PAUSE: Duration = Duration::from_secs(3);

/// Every how many status requests the events of stacks are read: CloudFormation throttles at about one request per second,
/// and the delegate asks too.
const LOOKS: u32 = 3;

/// Requests a backup and waits for its recovery point.
pub(super) async fn backup(
    coordinator: &CoordinatorClient,
    request: BackupRequest,
    context: &Context,
) -> Result<(PointsAnswer, Exit), Failure> {
    let application = request.application.clone();
    // Points that exist, and a backup that is running, were started before this request.
    let mut before: BTreeSet<RecoveryPointId> = ids(&coordinator.points(&application).await?);
    let status = coordinator.status(&application).await?;
    let had_failed = has_failed(&status);
    let accepted = coordinator.accepted(&Request::Backup(request)).await?;
    tell_accepted(context, &accepted);
    match status.backup {
        Some(run) if !accepted.repeated => {
            before.insert(run.point);
        }
        Some(_) => {}
        // The earlier request with this token has ended: the newest point is its point, or a later one, which is as
        // good.
        None if accepted.repeated => before.clear(),
        None => {}
    }
    let (mut shown, mut has_begun) = (String::new(), false);
    loop {
        let status = coordinator.status(&application).await?;
        let mut points = coordinator.points(&application).await?;
        points.points.retain(|point| !before.contains(&point.point));
        // Newest first.
        if let Some(point) = points.points.first().cloned() {
            let exit = if point.complete {
                Exit::Success
            } else {
                Exit::Partial
            };
            points.points = vec![point];
            return Ok((points, exit));
        }
        if let Some(failure) = given_up(&status, has_begun || !had_failed) {
            return Err(failure);
        }
        has_begun |= status
            .backup
            .as_ref()
            .is_some_and(|run| !before.contains(&run.point));
        let line = backup_line(&status);
        if line != shown {
            context.progress.note(&line);
            shown = line;
        }
        sleep(PAUSE).await;
    }
}

fn ids(points: &PointsAnswer) -> BTreeSet<RecoveryPointId> {
    points.points.iter().map(|point| point.point.clone()).collect()
}

fn has_failed(status: &ApplicationStatus) -> bool {
    status.issues.iter().any(|issue| issue.code == Code::BackupFailed)
}

/// Returns why the backup will not complete: its attempts are exhausted, or it cannot start before a user resolves an
/// issue. The issue of an earlier backup does not count, so `is_ours` says whether it belongs to this one.
fn given_up(status: &ApplicationStatus, is_ours: bool) -> Option<Failure> {
    if status.backup.is_some() {
        return None;
    }
    let issue = status.issues.iter().find(|issue| match issue.code {
        Code::BackupFailed => is_ours,
        Code::NotRegistered | Code::SigningKeyChanged | Code::RecoveryKeyChanged => true,
        _ => false,
    })?;
    Some(
        Failure::new(issue.code, issue.message.clone()).remedy(match &issue.command {
            Some(command) => format!("{}: `{command}`", issue.guidance),
            None => issue.guidance.clone(),
        }),
    )
}

fn backup_line(status: &ApplicationStatus) -> String {
    match &status.backup {
        Some(run) if run.attempt > 1 => format!("{}: {}, attempt {}", run.point, run.phase, run.attempt),
        Some(run) => format!("{}: {}", run.point, run.phase),
        None => "waiting for the backup to start".to_owned(),
    }
}

/// Waits for the restores of a request.
pub(super) async fn restore(
    coordinator: &CoordinatorClient,
    accepted: &Accepted,
    context: &Context,
) -> Result<(StatusAnswer, Exit), Failure> {
    tell_accepted(context, accepted);
    let mut shown = BTreeSet::new();
    let mut looks: u32 = 0;
    let mut builds = BuildEvents::default();
    loop {
        let is_look = looks.is_multiple_of(LOOKS);
        let mut status = coordinator.status(&accepted.application).await?;
        status.restores.retain(|restore| restore.token == accepted.token);
        status.builds.retain(|build| build.token == accepted.token);
        if status.restores.is_empty() {
            return Err(Failure::new(
                Code::CoordinatorFailed,
                format!("the coordinator no longer has the restore {}", accepted.token),
            )
            .remedy(
                "it may have ended earlier; check the target, or run the command again with another --token",
            ));
        }
        let lines = status.restores.iter().map(restore_line);
        let failures = status
            .restores
            .iter()
            .filter_map(|restore| restore.failed_before.as_ref());
        let lines = lines.chain(failures.map(ToString::to_string));
        let lines: BTreeSet<String> = lines.chain(progress_lines(&status)).collect();
        for line in lines.difference(&shown) {
            context.progress.note(line);
        }
        shown = lines;
        builds
            .show(coordinator.session(), &status, is_look, context)
            .await;
        looks += 1;
        if status.restores.iter().all(|restore| restore.state.is_over()) {
            let exit = exit_of(&status.restores);
            let applications = vec![status];
            let problems = Vec::new();
            return Ok((
                StatusAnswer {
                    applications,
                    problems,
                },
                exit,
            ));
        }
        sleep(PAUSE).await;
    }
}

/// Returns what the delegates tell of a restore, line by line.
fn progress_lines(status: &ApplicationStatus) -> Vec<String> {
    let builds = status.builds.iter().filter_map(|build| {
        let progress = build.progress.as_ref()?;
        Some(format!("{}: {progress}", build.token))
    });
    let restores = status.restores.iter().filter_map(|restore| {
        let progress = restore.progress.as_ref()?;
        Some(format!("{}: {}: {progress}", restore.token, restore.into))
    });
    builds.chain(restores).collect()
}

/// The events of stacks while a restore builds them: read with the credentials of the user, as they happen, or else those
/// that the delegate tells.
#[derive(Default)]
struct BuildEvents {
    /// CloudFormation in the recovery environment, once something is built.
    stacks: Option<CloudFormation>,
    seen: SeenEvents,
    /// Whether the credentials of the user cannot read the events.
    is_told: bool,
    /// The events of the delegate that were shown.
    told: BTreeSet<String>,
}

impl BuildEvents {
    /// Shows the events that are new. `is_look` says whether CloudFormation may be asked.
    async fn show(
        &mut self,
        session: &Session,
        status: &ApplicationStatus,
        is_look: bool,
        context: &Context,
    ) {
        let builds = (status.restores.iter()).filter(|restore| {
            restore
                .phase
                .as_ref()
                .is_some_and(|phase| phase.contains("building"))
        });
        let Some(since) = builds.map(|restore| restore.requested_at).min() else {
            return;
        };
        // The coordinator may be in another account than the recovery environment.
        self.is_told |= session.environment().account != status.recovery.account;
        if !self.is_told && is_look {
            let stacks = self.stacks.get_or_insert_with(|| {
                let session = session.in_region(&status.recovery.region);
                CloudFormation::new(session.context(), &status.recovery)
            });
            match self.seen.next(stacks, &status.application, since).await {
                Ok(lines) => lines.iter().for_each(|line| context.progress.note(line)),
                Err(problem) => {
                    self.is_told = true;
                    let text = format!(
                        "the events of the stacks are those that the delegate tells: {}",
                        problem.message
                    );
                    context.progress.note(text);
                }
            }
        }
        if self.is_told {
            let lines = self.told(status);
            lines.iter().for_each(|line| context.progress.note(line));
        }
    }

    /// Returns a line for each event of the delegate that was not shown yet.
    fn told(&mut self, status: &ApplicationStatus) -> Vec<String> {
        let progress = status.builds.iter().filter_map(|build| build.progress.as_ref());
        let lines = progress.flat_map(|progress| progress.events.iter().map(ToString::to_string));
        lines.filter(|line| self.told.insert(line.clone())).collect()
    }
}

/// Waits for the plan of a request. Returns the status of the application, and that of the plan.
///
/// # Errors
/// If the coordinator cannot be asked, or no longer has the plan.
pub(super) async fn plan(
    coordinator: &CoordinatorClient,
    accepted: &Accepted,
    context: &Context,
) -> Result<(ApplicationStatus, PlanStatus), Failure> {
    tell_accepted(context, accepted);
    let mut shown = String::new();
    loop {
        let status = coordinator.status(&accepted.application).await?;
        let Some(plan) = status
            .plans
            .iter()
            .find(|plan| plan.token == accepted.token)
            .cloned()
        else {
            return Err(Failure::new(
                Code::CoordinatorFailed,
                format!("the coordinator no longer has the plan {}", accepted.token),
            )
            .remedy("run the command again with another --token"));
        };
        let line = plan_line(&plan);
        if line != shown {
            context.progress.note(&line);
            shown = line;
        }
        if plan.state.is_over() {
            return Ok((status, plan));
        }
        sleep(PAUSE).await;
    }
}

/// Reads the reports of restores that have ended. A report that cannot be read, for example because the scratch bucket
/// belongs to another account than the credentials, is only noted: the answer contains its address.
pub(super) async fn reports(
    coordinator: &CoordinatorClient,
    status: &StatusAnswer,
    context: &Context,
) -> Vec<Report> {
    let mut reports = Vec::new();
    for application in &status.applications {
        let places = application
            .restores
            .iter()
            .filter_map(|restore| restore.report.as_ref());
        for place in places {
            match read(coordinator, &application.recovery, place, Code::CoordinatorFailed).await {
                Ok(report) => reports.push(report),
                Err(failure) => context.progress.note(failure.to_string()),
            }
        }
    }
    reports
}

/// Reads a document of the scratch bucket of an environment. What cannot be parsed has the given code.
///
/// # Errors
/// If the document does not exist or may not be read, or is not of the expected kind.
pub(super) async fn read<T: DeserializeOwned>(
    coordinator: &CoordinatorClient,
    environment: &EnvironmentId,
    place: &str,
    code: Code,
) -> Result<T, Failure> {
    let doing = || format!("failed to read the report {place}");
    let bucket = environment.scratch_bucket();
    let key = place.strip_prefix(&format!("s3://{bucket}/")).unwrap_or_default();
    let key = ObjectKey::parse(key).map_err(|error| Failure::of(code, doing(), &error))?;
    let location = S3Location::bucket(bucket, environment.account.clone());
    let session = coordinator.session().in_region(&environment.region);
    let store = S3Store::new(session.context(), location, Arc::new(SystemRandomness));
    let (bytes, _) = (store.get(&key).await).map_err(|error| Failure::from(error.problem()))?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::of(code, doing(), &error))
}

fn exit_of(restores: &[RestoreStatus]) -> Exit {
    let is_refused = |restore: &RestoreStatus| {
        let mut problems = restore.problems.iter();
        problems.any(|problem| problem.code == Code::PlanChanged)
    };
    if restores.iter().all(|restore| restore.state == RestoreState::Done) {
        Exit::Success
    } else if restores.iter().any(is_refused) {
        Exit::PlanRefused
    } else {
        Exit::DiffersFromPlan
    }
}

fn tell_accepted(context: &Context, accepted: &Accepted) {
    let again = if accepted.repeated { "already " } else { "" };
    context.progress.note(format!(
        "{again}accepted as {}; it continues if this command is interrupted",
        accepted.token
    ));
}

#[cfg(test)]
mod tests;
