//! The state of one job, derived from its documents in a bucket.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifeboat_model::{Diagnostic as _, Epoch, JobId, ObjectKey, Problem};

use super::document::{Assignment, Cancel, Checkpoint, Claim, Doing};
use super::keys::JobFile;
use super::read::DocumentError;
use super::result::JobResult;
use super::{GRACE, LONGEST_INVOCATION, MAX_EPOCHS};

/// The number of refused documents that a view records. More of them say the same: somebody else writes into the
/// folder.
const REFUSALS: usize = 8;

/// The valid documents of one job in a bucket that decide its state ([`super::folder`]).
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// The job ID.
    pub job: JobId,
    /// The assignments by epoch.
    pub assignments: BTreeMap<Epoch, Assignment>,
    /// The claims by epoch.
    pub claims: BTreeMap<Epoch, Claim>,
    /// The checkpoints by epoch.
    pub checkpoints: BTreeMap<Epoch, Checkpoint>,
    /// The result, whether or not it counts.
    pub result: Option<JobResult>,
    /// The request to end early, if any.
    pub cancel: Option<Cancel>,
    /// What the owner is doing, if it was asked for ([`super::folder::Folder::progress`]).
    pub doing: Option<Doing>,
    /// The documents that were ignored.
    pub refused: Vec<Refused>,
}

/// A document that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its key.
    pub key: ObjectKey,
    /// Why it is ignored.
    pub problem: Problem,
}

/// The validity of a job's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ResultValidity<'a> {
    /// There is no result.
    Open,
    /// The owner has ended the job with this result.
    Counts(&'a JobResult),
    /// A delegate that no longer owned the job wrote it: it has no effect. Because a result can be written
    /// only once, the job cannot end any more; its work has to be done by another job.
    Fenced(&'a JobResult),
    /// The object at the result's key is not a valid result. The consequence is the same.
    Invalid,
}

/// The status of a job for the coordinator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JobStatus<'a> {
    /// It has not been assigned.
    Unassigned,
    /// It waits for a delegate.
    Unclaimed {
        /// The newest epoch, which no delegate has claimed.
        epoch: Epoch,
    },
    /// A delegate works on it.
    Running(&'a Claim),
    /// The next epoch is due: the previous one has ended without a result.
    Due {
        /// The number of the next epoch.
        epoch: Epoch,
        /// Whether the previous epoch wrote a checkpoint; otherwise its owner was given up.
        checkpoint: bool,
    },
    /// All [`MAX_EPOCHS`] epochs have ended.
    Exhausted,
    /// It has ended.
    Ended(&'a JobResult),
    /// The job cannot end: its result is fenced or invalid.
    Lost,
}

impl JobView {
    /// Returns the view of a job without documents.
    #[must_use]
    pub fn empty(job: JobId) -> Self {
        Self {
            job,
            assignments: BTreeMap::new(),
            claims: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            result: None,
            cancel: None,
            doing: None,
            refused: Vec::new(),
        }
    }

    pub(super) fn refuse(&mut self, key: ObjectKey, error: &DocumentError) {
        // Whether a job can end depends on its result being refused or missing.
        if self.refused.len() < REFUSALS || key == JobFile::Result.key(&self.job) {
            self.refused.push(Refused {
                key,
                problem: error.problem(),
            });
        }
    }

    /// Rejects a result from an environment that the job was not assigned to, or of an epoch that was not
    /// claimed.
    pub(super) fn check_result(&mut self) {
        let Some(result) = &self.result else {
            return;
        };
        let (found, expected) = match self.assignments.get(&result.epoch) {
            Some(assignment) if assignment.environment != result.environment => (
                format!("environment {}", result.environment),
                format!("environment {}", assignment.environment),
            ),
            Some(_) if self.claims.contains_key(&result.epoch) => return,
            _ => (
                format!("epoch {}", result.epoch),
                "an epoch that was claimed".to_owned(),
            ),
        };
        self.result = None;
        let key = JobFile::Result.key(&self.job);
        let error = DocumentError::Foreign {
            key: key.to_string(),
            found,
            expected,
        };
        self.refuse(key, &error);
    }

    /// Returns the newest assigned epoch; `None` if the job is not assigned.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.assignments.keys().next_back().copied()
    }

    /// Returns the newest assignment.
    #[must_use]
    pub fn assignment(&self) -> Option<&Assignment> {
        self.assignments.values().next_back()
    }

    /// Returns the owner of the job: the highest claim of an assigned epoch.
    #[must_use]
    pub fn owner(&self) -> Option<&Claim> {
        self.claims
            .iter()
            .rev()
            .find(|(epoch, _)| self.assignments.contains_key(epoch))
            .map(|(_, claim)| claim)
    }

    /// Returns whether the job has a result that counts.
    #[must_use]
    pub fn validity(&self) -> ResultValidity<'_> {
        match (&self.result, self.owner()) {
            (Some(result), Some(owner)) if result.epoch >= owner.epoch => ResultValidity::Counts(result),
            (Some(result), _) => ResultValidity::Fenced(result),
            (None, _) => {
                let place = JobFile::Result.key(&self.job);
                match self.refused.iter().any(|refused| refused.key == place) {
                    true => ResultValidity::Invalid,
                    false => ResultValidity::Open,
                }
            }
        }
    }

    /// Returns the status of the job at `now`. `seen` is when the coordinator first saw the owner's claim, by
    /// its own clock, so that a delegate with a wrong clock cannot hold a job forever.
    #[must_use]
    pub fn status(&self, now: Timestamp, seen: Option<Timestamp>) -> JobStatus<'_> {
        match self.validity() {
            ResultValidity::Counts(result) => return JobStatus::Ended(result),
            ResultValidity::Fenced(_) | ResultValidity::Invalid => return JobStatus::Lost,
            ResultValidity::Open => {}
        }
        let Some(epoch) = self.epoch() else {
            return JobStatus::Unassigned;
        };
        let checkpoint = self.checkpoints.contains_key(&epoch);
        let given_up = match self.claims.get(&epoch) {
            None => return JobStatus::Unclaimed { epoch },
            Some(claim) if checkpoint || is_given_up(claim, now, seen) => true,
            Some(claim) => return JobStatus::Running(claim),
        };
        debug_assert!(given_up, "an epoch that is open or running was answered above");
        if epoch.get() >= MAX_EPOCHS {
            return JobStatus::Exhausted;
        }
        JobStatus::Due {
            epoch: epoch.next(),
            checkpoint,
        }
    }
}

/// Returns whether the owner's invocation must have ended.
fn is_given_up(claim: &Claim, now: Timestamp, seen: Option<Timestamp>) -> bool {
    let longest = seen
        .unwrap_or(now)
        .saturating_add(LONGEST_INVOCATION)
        .unwrap_or(Timestamp::MAX);
    let end = claim.deadline.min(longest);
    end.saturating_add(GRACE).is_ok_and(|end| end < now)
}

#[cfg(test)]
mod tests;
