//! Follows one job: writes its assignments, allows epochs, and detects its end.

use jiff::SignedDuration;
use lifeboat_model::{Code, Problem};

use super::decision::DecisionBuilder;
use super::state::{FirstObserved, JobEntry};
use super::{Action, ActionOutcome, TICK, UNCLAIMED_TIMEOUT};
use lifeboat_jobs::pending::is_unread;
use lifeboat_jobs::{Cancel, FORMAT, JobResult, JobStatus, JobView, Outcome};

/// The time after a cancellation during which a delegate may still claim the job.
const CANCEL_WAIT: SignedDuration = SignedDuration::from_secs(2 * TICK.as_secs());

/// The time without a written assignment after which this is an issue: two ticks. A key service or a bucket that
/// throttles answers by then.
const UNWRITTEN_TIMEOUT: SignedDuration = SignedDuration::from_secs(2 * TICK.as_secs());

/// The status of a job after this decision.
pub(super) enum Step {
    /// It has not ended.
    Open,
    /// It has a result that counts.
    Ended(Box<JobResult>),
    /// It was cancelled.
    Cancelled,
    /// It ended without a result that counts.
    Lost(Problem),
}

impl DecisionBuilder<'_> {
    /// Follows a job.
    pub(super) fn follow(&mut self, entry: &mut JobEntry) -> Step {
        if !self.inventory.is_available(&entry.environment) {
            return Step::Open;
        }
        let forged = ActionOutcome::Forged {
            job: entry.job.clone(),
        };
        if self.inventory.performed.contains(&forged) {
            return Step::Lost(lost(
                entry,
                "an unexpected object exists at the key of one of its documents",
            ));
        }
        let view = match self.inventory.jobs.get(&entry.job) {
            Some(view) => self.validated(entry, view),
            None => JobView::empty(entry.job.clone()),
        };
        let seen = entry
            .seen
            .filter(|seen| Some(seen.epoch) == view.owner().map(|owner| owner.epoch));
        match view.status(self.now, seen.map(|seen| seen.at)) {
            JobStatus::Ended(result) => match result.outcome {
                Outcome::Cancelled {} => return Step::Cancelled,
                _ => return Step::Ended(Box::new(result.clone())),
            },
            JobStatus::Lost => {
                return Step::Lost(lost(
                    entry,
                    "its result was not written by the delegate that owned it",
                ));
            }
            JobStatus::Exhausted => {
                return Step::Lost(lost(entry, "it reached its maximum number of epochs"));
            }
            JobStatus::Due { .. } if entry.cancelled.is_some() => return Step::Cancelled,
            // Its environment did not answer for days. A job that nobody claims would otherwise never end.
            JobStatus::Due { .. } | JobStatus::Unclaimed { .. } | JobStatus::Unassigned
                if entry.cancelled.is_none() && is_unread(&entry.job, self.now) =>
            {
                return Step::Lost(lost(entry, "no delegate has claimed it within two days"));
            }
            JobStatus::Due { epoch, .. } => {
                if epoch > entry.epoch() {
                    entry.issued.push(self.now);
                }
            }
            JobStatus::Running(claim) => {
                if seen.is_none() {
                    entry.seen = Some(FirstObserved {
                        epoch: claim.epoch,
                        at: self.now,
                    });
                }
            }
            status @ (JobStatus::Unclaimed { .. } | JobStatus::Unassigned) => {
                if let Some(since) = entry.cancelled
                    && self.now.duration_since(since) >= CANCEL_WAIT
                {
                    return Step::Cancelled;
                }
                if let JobStatus::Unclaimed { .. } = status {
                    self.watch_silence(entry);
                }
            }
        }
        self.assign(entry, &view);
        self.cancel(entry, &view);
        Step::Open
    }

    /// Returns the view without assignments that the coordinator did not write: only the coordinator allows
    /// epochs.
    fn validated(&mut self, entry: &JobEntry, view: &JobView) -> JobView {
        let mut validated = view.clone();
        validated
            .assignments
            .retain(|epoch, found| entry.assignment(*epoch).as_ref() == Some(found));
        if validated.assignments.len() < view.assignments.len() {
            self.raise(
                entry.job.as_str(),
                &Problem::new(
                    Code::JobDocumentRefused,
                    format!("an assignment of the job {} was not written by the coordinator", entry.job),
                    "check who else can write to the scratch bucket; the assignment has no effect on recovery points",
                ),
            );
        }
        // A cancellation that the coordinator has not decided does not replace its own.
        validated.cancel = validated
            .cancel
            .filter(|found| cancel_of(entry).as_ref() == Some(found));
        for refused in &view.refused {
            self.raise(refused.key.as_str(), &refused.problem);
        }
        validated
    }

    fn assign(&mut self, entry: &JobEntry, view: &JobView) {
        let epoch = entry.epoch();
        if let Some(assignment) = entry.assignment(epoch)
            && !view.assignments.contains_key(&epoch)
        {
            if self.now.duration_since(assignment.issued_at) >= UNWRITTEN_TIMEOUT {
                let problem = Problem::of(
                    Code::AssignmentNotWritten,
                    format!(
                        "the assignment of the job {} could not be signed, or not be written into the scratch bucket of {}, since {}",
                        entry.job, entry.environment, assignment.issued_at
                    ),
                );
                self.raise(&entry.environment.to_string(), &problem);
            }
            self.actions.push(Action::PutAssignment(Box::new(assignment)));
        }
    }

    fn cancel(&mut self, entry: &JobEntry, view: &JobView) {
        if let Some(cancel) = cancel_of(entry)
            && view.cancel.is_none()
        {
            self.actions.push(Action::PutCancel {
                environment: entry.environment.clone(),
                cancel,
            });
        }
    }

    fn watch_silence(&mut self, entry: &JobEntry) {
        let Some(issued) = entry.issued.last() else {
            return;
        };
        if self.now.duration_since(*issued) < UNCLAIMED_TIMEOUT {
            return;
        }
        let problem = Problem::new(
            Code::DelegateNotResponding,
            format!(
                "no delegate in {} has claimed the job {} yet",
                entry.environment, entry.job
            ),
            "check the log and the schedule of the delegate's function in that environment",
        );
        self.raise(&entry.environment.to_string(), &problem);
    }
}

/// Returns the request to end a job early, if it is cancelled.
fn cancel_of(entry: &JobEntry) -> Option<Cancel> {
    Some(Cancel {
        format: FORMAT,
        job: entry.job.clone(),
        environment: entry.environment.clone(),
        at: entry.cancelled?,
        reason: "it was cancelled on request".to_owned(),
    })
}

fn lost(entry: &JobEntry, why: &str) -> Problem {
    Problem::new(
        Code::JobLost,
        format!("the {} job {} was lost: {why}", entry.work.kind(), entry.job),
        "check the log of the delegate; the work is retried automatically",
    )
}
