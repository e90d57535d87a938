//! The responses to `status` and `points`, from the state alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifeboat_format::manifest::Completeness;
use lifeboat_model::request::{
    ApplicationStatus, BackupStatus, BuildStatus, PlanState, PlanStatus, PlannedClusterStatus, PlannedPart,
    PointStatus, PointsAnswer, RestoreState, RestoreStatus,
};
use lifeboat_model::{Application, ApplicationName, ClusterName, JobId, Problem, RecoveryPointId};

use lifeboat_jobs::keys::plan_part_key;
use lifeboat_jobs::{Doing, Failure, JobView, PartDone};

use super::clusters::sources;
use super::issues::overdue_at;
use super::state::{BackupRun, BuildRun, BuildStage, JobEntry, PlanRun, PointEntry, RestoreRun, State};
use crate::retention::{PointFacts, last_good};

/// Returns the status of an application. `jobs` are those in progress: what their delegates tell is passed on.
#[must_use]
pub fn status(
    application: &Application,
    state: &State,
    jobs: &BTreeMap<JobId, JobView>,
    now: Timestamp,
) -> ApplicationStatus {
    let doing = |job: Option<&JobEntry>| jobs.get(&job?.job)?.doing.as_ref();
    let facts: Vec<PointFacts> = state
        .points
        .iter()
        .map(|(point, entry)| entry.facts(point, false))
        .collect();
    let good = last_good(&facts);
    let mut issues: Vec<_> = state.issues.values().cloned().collect();
    issues.sort_by(|a, b| (a.severity, &a.id).cmp(&(b.severity, &b.id)));
    ApplicationStatus {
        application: application.name.clone(),
        primary: application.primary.clone(),
        recovery: application.recovery.clone(),
        clusters: sources(application, &state.found)
            .into_iter()
            .map(|c| c.name)
            .collect(),
        schedule: application.schedule.to_string(),
        signing_key: state
            .pins
            .signing_key
            .as_ref()
            .map(|pin| pin.fingerprint.to_string()),
        last_good: good.map(|good| point_status(&good.point, &state.points[&good.point])),
        age_seconds: good.map(|good| now.duration_since(good.created_at).as_secs()),
        overdue_at: overdue_at(
            &application.schedule,
            good.map_or(state.created_at, |good| good.created_at),
        ),
        next_backup: next_backup(application, state, now),
        backup: state.backup.as_ref().map(backup_status),
        restores: (state.restores.iter().rev())
            .map(|run| restore_status(run, state.build_of(&run.token), doing(run.job.as_ref())))
            .collect(),
        builds: (state.builds.iter().rev())
            .map(|run| build_status(run, doing(run.job.as_ref())))
            .collect(),
        plans: state.plans.iter().rev().map(plan_status).collect(),
        issues,
    }
}

fn next_backup(application: &Application, state: &State, now: Timestamp) -> Option<Timestamp> {
    let scheduled = match state.last_started {
        Some(last) => application.schedule.next_after(last)?,
        None => now,
    };
    let retry = state.retry.as_ref().map_or(scheduled, |retry| retry.at);
    let next = if state.requested.is_some() {
        now
    } else {
        scheduled.min(retry)
    };
    Some(next.max(now))
}

/// Returns a page of the recovery points of an application, the latest first.
#[must_use]
pub fn points(
    application: &ApplicationName,
    page: BTreeMap<&RecoveryPointId, &PointEntry>,
    next: Option<RecoveryPointId>,
) -> PointsAnswer {
    let mut points: Vec<_> = page.into_iter().collect();
    points.sort_by_key(|(point, entry)| std::cmp::Reverse((entry.order, *point)));
    PointsAnswer {
        application: application.clone(),
        points: points
            .into_iter()
            .map(|(point, entry)| point_status(point, entry))
            .collect(),
        next,
    }
}

fn point_status(point: &RecoveryPointId, entry: &PointEntry) -> PointStatus {
    PointStatus {
        point: point.clone(),
        created_at: entry.created_at,
        complete: entry.completeness == Completeness::Complete,
        objects: entry.objects,
        bytes: entry.bytes,
        vaulted_at: entry.vaulted_at,
        verified_at: entry.verified_at,
        damaged: entry.damaged.clone(),
        kept_by: entry.kept_by.iter().map(ToString::to_string).collect(),
    }
}

fn backup_status(run: &BackupRun) -> BackupStatus {
    let phase = match (&run.vaulting, &run.seal) {
        (Some(_), _) => "vaulting",
        (None, Some(_)) => "sealing",
        (None, None) => "capturing",
    };
    BackupStatus {
        point: run.point.clone(),
        started_at: run.started_at,
        phase: phase.to_owned(),
        attempt: run.attempt,
    }
}

/// What a restore does while it runs, its attempt, and why the attempt before failed.
fn phase(run: &RestoreRun, build: Option<&BuildRun>) -> (&'static str, u32, Option<Problem>) {
    let of_build = |build: &BuildRun, phase| (phase, build.attempt, build.failed_before.clone());
    match build.filter(|build| build.end.is_none()) {
        Some(build) if build.stage == BuildStage::Clusters => of_build(build, "building clusters"),
        // A failure of the nodes is the one that takes longer to heal.
        Some(build) if run.job.is_none() || build.failed_before.is_some() => {
            of_build(build, "building nodes")
        }
        Some(_) => (
            "restoring objects and building nodes",
            run.attempt,
            run.failed_before.clone(),
        ),
        None => ("restoring objects", run.attempt, run.failed_before.clone()),
    }
}

fn restore_status(run: &RestoreRun, build: Option<&BuildRun>, doing: Option<&Doing>) -> RestoreStatus {
    let built = build.and_then(|build| build.job.as_ref());
    let (phase, attempt, failed_before) = phase(run, build);
    let runs = run.end.is_none();
    let state = match (&run.end, run.job.as_ref().or(built)) {
        (Some(end), _) => end.state,
        (None, Some(_)) => RestoreState::Running,
        (None, None) => RestoreState::Waiting,
    };
    RestoreStatus {
        token: run.token.clone(),
        point: run.point.clone(),
        cluster: run.cluster.clone(),
        into: run.target.eks_name().unwrap_or_else(|| run.cluster.clone()),
        requested_at: run.requested_at,
        state,
        phase: runs.then(|| phase.to_owned()),
        attempt: runs.then_some(attempt),
        failed_before: failed_before.filter(|_| runs),
        progress: match doing {
            Some(Doing::Restore(progress)) if runs => Some(progress.clone()),
            _ => None,
        },
        ended_at: run.end.as_ref().map(|end| end.at),
        problems: run
            .end
            .as_ref()
            .map(|end| end.problems.clone())
            .unwrap_or_default(),
        report: (run.end.as_ref())
            .and_then(|end| end.report.as_ref())
            .map(|key| format!("s3://{}/{key}", run.environment.scratch_bucket())),
    }
}

fn build_status(run: &BuildRun, doing: Option<&Doing>) -> BuildStatus {
    BuildStatus {
        token: run.token.clone(),
        progress: match doing {
            Some(Doing::Build(progress)) if run.end.is_none() => Some(progress.clone()),
            _ => None,
        },
        stacks: run.report.stacks.clone(),
        warnings: run.report.warnings.iter().map(Failure::problem).collect(),
        more_warnings: run.report.more_warnings,
    }
}

fn plan_status(run: &PlanRun) -> PlanStatus {
    let end = run.end.as_ref();
    let parts = end.and_then(|end| Some((end.job.as_ref()?, end.done.as_ref()?)));
    let part = |part: &PartDone, cluster: Option<&ClusterName>| {
        let (job, _) = parts?;
        let key = plan_part_key(job, part.epoch, cluster);
        Some(PlannedPart {
            rejected: part.rejected,
            report: format!("s3://{}/{key}", run.environment.scratch_bucket()),
        })
    };
    let clusters = run.clusters.iter().filter_map(|target| {
        let (_, done) = parts?;
        Some(PlannedClusterStatus {
            cluster: target.name.clone(),
            into: target.eks_name().unwrap_or_else(|| target.name.clone()),
            part: part(done.clusters.get(&target.name)?, Some(&target.name))?,
        })
    });
    PlanStatus {
        token: run.token.clone(),
        point: run.point.clone(),
        requested_at: run.requested_at,
        state: match (end, &run.job) {
            (Some(end), _) => end.state,
            (None, Some(_)) => PlanState::Running,
            (None, None) => PlanState::Waiting,
        },
        ended_at: end.map(|end| end.at),
        problems: end.map(|end| end.problems.clone()).unwrap_or_default(),
        hash: run.hash().map(|hash| hash.to_string()),
        infrastructure: parts.and_then(|(_, done)| part(done.infrastructure.as_ref()?, None)),
        clusters: clusters.collect(),
    }
}
