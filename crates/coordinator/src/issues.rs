//! Issues: computed again in each tick, so that they close when their cause is fixed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lifeboat_jobs::{AccessFinding, ClusterTarget};
use lifeboat_model::request::RestoreState;
use lifeboat_model::{
    Arn, ClusterName, Code, EnvironmentId, Issue, IssueId, Problem, RecoveryPointId, Schedule, Side,
};

use super::access::{KeyProblem, Subject, Worded, role_of};
use super::catalogue::{damaged_point_problem, with_cause};
use super::clusters::{sources, targets};
use super::decision::DecisionBuilder;
use super::state::Notice;
use crate::retention::last_good;

/// The delay of a recovery point after its scheduled time before it counts as missed.
const OVERDUE_GRACE: SignedDuration = SignedDuration::from_mins(15);

/// The maximum number of notices that wait for an SNS topic that fails; older ones are dropped, the issues
/// stay.
const NOTICES: usize = 100;

/// Returns when a new recovery point is overdue after one made at `since`: after two scheduled times, plus
/// [`OVERDUE_GRACE`].
pub(super) fn overdue_at(schedule: &Schedule, since: Timestamp) -> Option<Timestamp> {
    let first = schedule.next_after(since)?;
    schedule.next_after(first)?.checked_add(OVERDUE_GRACE).ok()
}

/// Returns the subject of issues about a cluster.
fn about_cluster(environment: &EnvironmentId, cluster: &Arn) -> String {
    let name = cluster.resource().trim_start_matches("cluster/");
    format!("{environment}/{name}")
}

impl DecisionBuilder<'_> {
    pub(super) fn find_issues(&mut self) {
        let unavailable = self.inventory.unavailable.clone();
        for (environment, cause) in unavailable {
            self.raise(&environment.to_string(), &self.unavailable(&environment, &cause));
        }
        for KeyProblem {
            about,
            problem,
            command,
        } in self.key_problems()
        {
            let issue = Issue::new(&self.state.application, about, &problem, self.now);
            self.found.push(issue.with_command(command));
        }
        let refused = [&self.inventory.primary.refused, &self.inventory.recovery.refused];
        for refused in refused.into_iter().flatten() {
            self.raise(refused.key.as_str(), &refused.problem);
        }
        self.recovery_key_issue();
        self.access_issues();
        if let Some(cause) = self.state.failed.clone() {
            self.raise("", &failed_backup(&cause));
        }
        if let Some(problem) = self.overdue() {
            self.raise("", &problem);
        }
        let damaged: Vec<(RecoveryPointId, Problem)> = self
            .state
            .points
            .iter()
            .filter_map(|(point, entry)| Some((point.clone(), entry.damaged.clone()?)))
            .collect();
        for (point, problem) in damaged {
            self.raise_acknowledgeable(point.as_str(), &damaged_point_problem(&point, &problem));
        }
        if let Err(cause) = &self.inventory.vault {
            let bucket = &self.inventory.vault_place.bucket;
            let problem = Problem::of(
                Code::VaultUnavailable,
                format!("the vault {bucket} does not answer: copies into it and deletions wait"),
            );
            self.raise("", &with_cause(problem, cause));
        }
        self.restore_issues();
        self.standby_issue();
        self.deployment_issues();
        self.keep_issues();
    }

    /// Returns the problem of an environment whose scratch bucket cannot be read.
    fn unavailable(&self, environment: &EnvironmentId, cause: &Problem) -> Problem {
        let side = match *environment == self.inventory.application.recovery {
            true => "restores wait; backups continue",
            false => "backups wait; the recovery points in the vault can be restored",
        };
        let bucket = environment.scratch_bucket();
        let problem = Problem::new(
            Code::EnvironmentUnavailable,
            format!("the environment {environment} does not answer: {side}"),
            format!(
                "check the bucket {bucket} and its policy, and the AWS Health Dashboard of {}",
                environment.region
            ),
        );
        with_cause(problem, cause)
    }

    /// Finds that the recovery key could not unwrap a data key.
    fn recovery_key_issue(&mut self) {
        let Some(failure) = &self.state.recovery_key_failure else {
            return;
        };
        let environment = &self.inventory.application.recovery;
        let problem = Problem::of(
            Code::RecoveryKeyUnusable,
            format!(
                "the recovery key in {environment} cannot unwrap data keys: no recovery point can be restored"
            ),
        );
        let problem = with_cause(problem, &failure.problem());
        self.raise("", &problem);
    }

    fn access_issues(&mut self) {
        let application = &self.inventory.application;
        let sides = [
            (
                Side::Primary,
                &application.primary,
                sources(application, &self.state.found),
            ),
            (
                Side::Recovery,
                &application.recovery,
                targets(application, &self.state.found),
            ),
        ];
        let mut found = Vec::new();
        for (side, environment, clusters) in sides {
            found.extend(
                clusters
                    .iter()
                    .flat_map(|cluster| self.network_issues(environment, cluster)),
            );
            for report in clusters
                .iter()
                .filter_map(|c| self.state.access.get(c.arn.as_str()))
            {
                let about = about_cluster(environment, &report.arn);
                let Some(subject) = Subject::of(&application.name, side, environment, report) else {
                    continue;
                };
                for finding in &report.findings {
                    let worded = subject.word(finding);
                    let Some(worded) = self.worded_by_deployment(&report.arn, finding, worded) else {
                        continue;
                    };
                    let issue = self.issue(&about, worded).about_cluster(&report.cluster);
                    found.push(if finding.is_partial() {
                        issue.as_warning()
                    } else {
                        issue
                    });
                }
            }
        }
        self.found.append(&mut found);
        self.waiting_restores();
        self.search_issues();
    }

    /// Returns what the network of the private delegate of a cluster lacks. Each cause has an issue of its own, with what has to
    /// be changed in its id.
    fn network_issues(&self, environment: &EnvironmentId, cluster: &ClusterTarget) -> Vec<Issue> {
        let private = self.state.private.get(cluster.arn.as_str());
        let causes = private.into_iter().flat_map(|private| &private.network);
        let issues = causes.map(|cause| {
            let about = format!("{}/{}", about_cluster(environment, &cluster.arn), cause.about());
            let issue = self
                .issue(&about, Worded::network(cause, environment))
                .about_cluster(&cluster.name);
            if cause.is_warning() {
                issue.as_warning()
            } else {
                issue
            }
        });
        issues.collect()
    }

    /// Finds restores whose target is reached from its VPC only, and has no private delegate yet.
    fn waiting_restores(&mut self) {
        let application = &self.inventory.application;
        let environment = &application.recovery;
        let mut found = Vec::new();
        for run in self
            .state
            .restores
            .iter()
            .filter(|run| self.waits_for_delegate(run))
        {
            let about = about_cluster(environment, &run.target.arn);
            let Some(role) = role_of(None, &application.name, environment, Side::Recovery, None) else {
                continue;
            };
            let subject = Subject {
                application: &application.name,
                side: Side::Recovery,
                cluster: &run.target.arn,
                called: &run.cluster,
                role,
            };
            let finding = AccessFinding::PrivateEndpoint {};
            let worded = subject.word(&finding);
            let Some(worded) = self.worded_by_deployment(&run.target.arn, &finding, worded) else {
                continue;
            };
            found.push(self.issue(&about, worded).about_cluster(&run.cluster));
        }
        self.found.append(&mut found);
    }

    fn issue(&self, about: &str, worded: Worded) -> Issue {
        let Worded {
            problem,
            command,
            alternatives,
        } = worded;
        Issue::new(&self.state.application, about, &problem, self.now)
            .with_command(command)
            .with_alternatives(alternatives)
    }

    /// Finds problems of the search for clusters by tag.
    fn search_issues(&mut self) {
        let application = &self.inventory.application;
        if application.cluster_tags.is_empty() || self.state.searched_at.is_none() {
            return;
        }
        let about = application.primary.to_string();
        // A search is about the environment; the role is that of its access stack.
        let any = Arn::cluster(&application.primary, "any").ok();
        let role = role_of(None, &application.name, &application.primary, Side::Primary, None);
        let mut found = Vec::new();
        let name = ClusterName::parse("any").ok();
        if let (Some(cluster), Some(name), Some(role)) = (any, name, role) {
            let subject = Subject {
                application: &application.name,
                side: Side::Primary,
                cluster: &cluster,
                called: &name,
                role,
            };
            let search = self.state.search.iter();
            found.extend(search.map(|finding| self.issue(&about, subject.word(finding))));
        }
        if found.is_empty() && self.state.found.is_empty() {
            let tags: Vec<String> = (application.cluster_tags.iter())
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let problem = Problem::new(
                Code::NoTaggedCluster,
                format!("no EKS cluster of {about} has the tags {}", tags.join(", ")),
                "tag the clusters of the application, or correct `clusterTags` in the application document",
            );
            found.push(Issue::new(&self.state.application, &about, &problem, self.now));
        }
        self.found.append(&mut found);
    }

    /// Returns a problem if two scheduled times have passed without a good recovery point.
    fn overdue(&self) -> Option<Problem> {
        let facts = self.facts();
        let good = last_good(&facts);
        let since = good.map_or(self.state.created_at, |good| good.created_at);
        let schedule = &self.inventory.application.schedule;
        let missed = self.now > overdue_at(schedule, since)?;
        let what = match good {
            Some(good) => format!("the last good recovery point is {}", good.point),
            None => "there is no good recovery point".to_owned(),
        };
        missed.then(|| {
            Problem::new(
                Code::BackupOverdue,
                format!("{what}, but the schedule ({schedule}) requires a newer one"),
                "resolve the other issues of the application, then start a backup with `lifeboat application backup`",
            )
        })
    }

    /// Finds the last failed restore into each cluster, until another one succeeds.
    fn restore_issues(&mut self) {
        let mut last = BTreeMap::new();
        for run in &self.state.restores {
            if let Some(end) = &run.end
                && end.state != RestoreState::Cancelled
            {
                last.insert(&run.target.arn, (run, end));
            }
        }
        let mut found = Vec::new();
        for (run, end) in last.into_values() {
            if end.state != RestoreState::Failed {
                continue;
            }
            let mut problem = Problem::new(
                Code::RestoreFailed,
                format!(
                    "the restore {} of {} into {} has failed",
                    run.token, run.point, run.target.arn
                ),
                "resolve the cause, then start the restore again with `lifeboat application restore`",
            );
            problem
                .causes
                .extend(end.problems.first().map(|cause| cause.message.clone()));
            let issue = Issue::new(
                &self.state.application,
                run.target.arn.resource(),
                &problem,
                self.now,
            )
            .about_cluster(&run.cluster)
            .as_warning();
            found.push(issue);
        }
        self.found.append(&mut found);
    }

    /// Updates the open issues: found ones are open since they were first found, the others are closed.
    fn keep_issues(&mut self) {
        let mut open: BTreeMap<IssueId, Issue> = BTreeMap::new();
        for mut issue in std::mem::take(&mut self.found) {
            if let Some(held) = self.state.issues.get(&issue.id) {
                issue.since = held.since;
            }
            open.entry(issue.id.clone()).or_insert(issue);
        }
        let notice = |opened, issue: &Issue| Notice {
            opened,
            at: self.now,
            issue: issue.clone(),
        };
        let held = &self.state.issues;
        let closed = held
            .iter()
            .filter(|(id, _)| !open.contains_key(*id))
            .map(|(_, issue)| notice(false, issue));
        let opened = open
            .iter()
            .filter(|(id, _)| !held.contains_key(*id))
            .map(|(_, issue)| notice(true, issue));
        let mut notices: Vec<Notice> = closed.chain(opened).collect();
        self.state.notices.append(&mut notices);
        let surplus = self.state.notices.len().saturating_sub(NOTICES);
        self.state.notices.drain(..surplus);
        self.state.issues = open;
        for notice in &self.state.notices {
            self.actions.push(super::Action::Notify(Box::new(notice.clone())));
        }
    }
}

fn failed_backup(cause: &Problem) -> Problem {
    let mut problem = Problem::new(
        Code::BackupFailed,
        "the last backup failed",
        cause.guidance.clone(),
    );
    problem.causes.push(format!("{}: {}", cause.code, cause.message));
    problem.causes.extend(cause.causes.iter().cloned());
    problem
}
