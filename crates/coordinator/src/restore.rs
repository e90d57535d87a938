//! Restores: one at a time for each target cluster, each ending exactly once.

use jiff::SignedDuration;
use lifeboat_model::request::RestoreState;
use lifeboat_model::{Code, Problem, RequestToken, Side};

use super::TRIES;
use super::backup::{End, later};
use super::decision::DecisionBuilder;
use super::state::{BuildRun, JobEntry, RestoreEnd, RestoreRun};
use lifeboat_jobs::keys::report_key;
use lifeboat_jobs::{DataKeysWork, Done, JobView, RestoreDone, RestoreWork, Work, data_keys_job};

/// The delay after a failure until the next attempt. Short, because a user waits for a restore.
const BACKOFF: SignedDuration = SignedDuration::from_secs(30);

/// The number of ended restores that are kept in the state.
const REMEMBERED: usize = 50;

impl DecisionBuilder<'_> {
    pub(super) fn advance_restores(&mut self) {
        let mut runs = std::mem::take(&mut self.state.restores);
        for run in runs.iter_mut().filter(|run| run.end.is_none()) {
            self.advance_restore(run);
        }
        self.state.restores = runs;
    }

    fn advance_restore(&mut self, run: &mut RestoreRun) {
        let Some(entry) = &mut run.job else {
            if run.cancelled {
                self.end_restore(run, RestoreState::Cancelled, Vec::new(), None);
            } else if run.rebuild
                && let Some(problem) = self.build_of(&run.token).and_then(failure_of)
            {
                self.end_restore(run, RestoreState::Failed, vec![problem], None);
            }
            return;
        };
        if run.cancelled {
            entry.cancelled.get_or_insert(self.now);
        }
        let end = self.end_of(entry, Side::Recovery);
        match end {
            End::Open => self.advance_data_keys(run),
            End::Cancelled => self.end_restore(run, RestoreState::Cancelled, Vec::new(), None),
            // The nodes are part of what was asked for.
            End::Done(Done::Restore(_)) if run.rebuild && self.is_building(&run.token) => {}
            End::Done(Done::Restore(done)) => {
                let nodes = self.build_of(&run.token).and_then(failure_of);
                let state = match done.matches_plan && nodes.is_none() {
                    true => RestoreState::Done,
                    false => RestoreState::Incomplete,
                };
                let mut problems = shortfalls(&done);
                problems.extend(nodes);
                let report = done.report.map(|epoch| report_key(&entry.job, epoch).to_string());
                self.end_restore(run, state, problems, report);
            }
            End::Done(_) => {
                let problem = Problem::new(
                    Code::JobDocumentRefused,
                    format!("the result of the restore {} is of the wrong kind", run.token),
                    "deploy the same version of Lifeboat in all environments of the application",
                );
                self.end_restore(run, RestoreState::Failed, vec![problem], None);
            }
            End::Failed(problem, retry) => {
                if run.cancelled {
                    self.end_restore(run, RestoreState::Cancelled, vec![problem], None);
                } else if problem.code == Code::EndpointPrivate && self.is_private(&run.target) {
                    // The private delegate goes on. If there is none, an issue has the command that deploys it.
                    run.job = None;
                    run.failed_before = Some(problem);
                } else if retry && run.attempt < TRIES {
                    run.job = None;
                    run.data_keys = None;
                    run.next_at = later(self.now, BACKOFF * (1 << (run.attempt - 1)));
                    run.attempt += 1;
                    run.failed_before = Some(problem);
                } else {
                    self.end_restore(run, RestoreState::Failed, vec![problem], None);
                }
            }
        }
    }

    /// Assigns the job that wraps the data keys of the recovery point for the current epoch of a private delegate.
    fn advance_data_keys(&mut self, run: &mut RestoreRun) {
        let Some(entry) = &run.job else {
            return;
        };
        let claim = self.inventory.jobs.get(&entry.job).and_then(JobView::owner);
        let (Some(claim), Work::Restore(restore), true) =
            (claim, &entry.work, entry.job.delegate().cluster().is_some())
        else {
            return;
        };
        let Some(recipient) = claim.recipient.clone() else {
            return;
        };
        let job = data_keys_job(&entry.job, claim.epoch);
        let held = run.data_keys.take().filter(|held| held.job == job);
        let mut data_keys = held.unwrap_or_else(|| {
            let work = Work::DataKeys(DataKeysWork {
                point: restore.point.clone(),
                vault: restore.vault.clone(),
                signer: restore.signer.clone(),
                recipient,
            });
            JobEntry::new(job, run.environment.clone(), work, self.now)
        });
        // The private delegate reads the result, also that it failed.
        self.follow(&mut data_keys);
        run.data_keys = Some(data_keys);
    }

    /// Returns whether a restore waits for the private delegate of its target.
    pub(super) fn waits_for_delegate(&self, run: &RestoreRun) -> bool {
        let failed = run.failed_before.as_ref();
        run.end.is_none()
            && run.job.is_none()
            && failed.is_some_and(|problem| problem.code == Code::EndpointPrivate)
            && self.lacks_private_delegate(&run.target)
    }

    /// Returns whether something of the build of a request is still to be built.
    fn is_building(&self, token: &RequestToken) -> bool {
        self.build_of(token).is_some_and(|build| build.end.is_none())
    }

    fn end_restore(
        &self,
        run: &mut RestoreRun,
        state: RestoreState,
        problems: Vec<Problem>,
        report: Option<String>,
    ) {
        run.data_keys = None;
        run.end = Some(RestoreEnd {
            state,
            at: self.now,
            job: run.job.take().map(|entry| entry.job),
            problems,
            report,
        });
    }

    pub(super) fn start_restores(&mut self) {
        let mut runs = std::mem::take(&mut self.state.restores);
        for at in 0..runs.len() {
            let run = &runs[at];
            let waits = run.end.is_none() && run.job.is_none() && run.next_at <= self.now;
            // Restores run in the order of their requests; one that waits for its next attempt keeps its
            // place.
            let busy = runs[..at]
                .iter()
                .any(|other| other.end.is_none() && other.target.arn == run.target.arn);
            if !waits || busy || self.waits_for_delegate(run) {
                continue;
            }
            let built = self.build_of(&run.token).and_then(|build| build.built.clone());
            if run.rebuild && built.is_none() {
                continue;
            }
            // The key that signed this recovery point, which need not be the one that is pinned now.
            let Some(signer) = self.state.pins.signer_of(run.signer.as_ref()) else {
                continue;
            };
            let (delegate, target) = self.delegate_of(run.target.clone());
            let work = Work::Restore(RestoreWork {
                point: run.point.clone(),
                vault: self.inventory.vault_place.clone(),
                cluster: run.cluster.clone(),
                target,
                signer: signer.public_key.clone(),
                options: run.options.clone(),
                built,
                expected_plan: run.expected_plan,
            });
            let job = self.job_now_of(&delegate, &format!("restore-{}", run.cluster));
            let mut entry = JobEntry::new(job, run.environment.clone(), work, self.now);
            self.follow(&mut entry);
            runs[at].job = Some(entry);
        }
        forget_oldest(&mut runs, REMEMBERED, |run| run.end.is_some());
        self.state.restores = runs;
    }
}

/// Removes the oldest runs that are over, except the newest `kept` of them.
pub(super) fn forget_oldest<T>(runs: &mut Vec<T>, kept: usize, is_over: impl Fn(&T) -> bool) {
    let over = runs.iter().filter(|run| is_over(run)).count();
    let mut surplus = over.saturating_sub(kept);
    runs.retain(|run| {
        let drop = surplus > 0 && is_over(run);
        surplus -= usize::from(drop);
        !drop
    });
}

/// Returns why a build failed.
fn failure_of(build: &BuildRun) -> Option<Problem> {
    build.end.as_ref()?.problem.clone()
}

/// Words what a restore has not done.
fn shortfalls(done: &RestoreDone) -> Vec<Problem> {
    let problem = match (done.matches_plan, done.failed) {
        (true, _) => return Vec::new(),
        (false, 0) => Problem::new(
            Code::ProofFailed,
            format!(
                "the target has {} unexplained differences from the plan",
                done.unexplained
            ),
            "the report lists each",
        ),
        (false, failed) => Problem::new(
            Code::RestoreIncomplete,
            format!("{failed} planned objects are missing in the target"),
            "the report lists each with its reason; start the restore again to continue it",
        ),
    };
    vec![problem]
}
