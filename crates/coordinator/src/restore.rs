//! Restores: one at a time for each target cluster, each ending exactly once.

use jiff::SignedDuration;
use lifeboat_model::request::RestoreState;
use lifeboat_model::{Code, Problem, RequestToken, Side};

use super::TRIES;
use super::backup::{End, later};
use super::decision::DecisionBuilder;
use super::state::{BuildRun, JobEntry, RestoreEnd, RestoreRun};
use lifeboat_jobs::keys::report_key;
use lifeboat_jobs::{Done, RestoreDone, RestoreWork, Work};

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
        match self.end_of(entry, Side::Recovery) {
            End::Open => {}
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
                } else if retry && run.attempt < TRIES {
                    run.job = None;
                    run.next_at = later(self.now, BACKOFF * (1 << (run.attempt - 1)));
                    run.attempt += 1;
                    run.failed_before = Some(problem);
                } else {
                    self.end_restore(run, RestoreState::Failed, vec![problem], None);
                }
            }
        }
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
            if !waits || busy {
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
            let work = Work::Restore(RestoreWork {
                point: run.point.clone(),
                vault: self.inventory.vault_place.clone(),
                cluster: run.cluster.clone(),
                target: run.target.clone(),
                signer: signer.public_key.clone(),
                options: run.options.clone(),
                built,
                expected_plan: run.expected_plan,
            });
            let job = self.job_now(&format!("restore-{}", run.cluster));
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
