//! What a bucket says about one job, and what follows from it.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use lifeboat_model::{Diagnostic as _, Epoch, JobId, ObjectKey, Problem};

use super::document::{Assignment, Cancel, Checkpoint, Claim};
use super::keys::JobFile;
use super::read::{DocumentError, read};
use super::result::JobResult;
use super::{GRACE, LONGEST_INVOCATION, MAX_EPOCHS};

/// Everything that the bucket holds for one job, as far as it can be believed.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    /// The job.
    pub job: JobId,
    /// Which epochs are allowed.
    pub assignments: BTreeMap<Epoch, Assignment>,
    /// Which epochs have an owner.
    pub claims: BTreeMap<Epoch, Claim>,
    /// Which epochs have ended, how far.
    pub checkpoints: BTreeMap<Epoch, Checkpoint>,
    /// How the job ended, counting or not.
    pub result: Option<JobResult>,
    /// Whether it is to end early.
    pub cancel: Option<Cancel>,
    /// What cannot be believed.
    pub refused: Vec<Refused>,
}

/// A document that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its key.
    pub key: ObjectKey,
    /// Why.
    pub problem: Problem,
}

/// What the place of the result says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ResultValidity<'a> {
    /// It is empty.
    Open,
    /// The owner has ended the job.
    Counts(&'a JobResult),
    /// A delegate that had lost the job wrote it: it has no effect. Because a result is written once, the
    /// job cannot end any more; its work has to be done by another job.
    Fenced(&'a JobResult),
    /// Something that is no result lies there, with the same consequence.
    Invalid,
}

/// Where a job stands for the coordinator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JobStatus<'a> {
    /// It has not been assigned.
    Unassigned,
    /// It waits for a delegate.
    Unclaimed {
        /// The epoch that is open.
        epoch: Epoch,
    },
    /// A delegate works on it.
    Running(&'a Claim),
    /// The next epoch is due.
    Due {
        /// Its number.
        epoch: Epoch,
        /// Whether the former one came to a checkpoint, rather than being given up.
        checkpoint: bool,
    },
    /// It has had all its epochs.
    Exhausted,
    /// It has ended.
    Ended(&'a JobResult),
    /// It can never end: its result is fenced or spoilt.
    Lost,
}

impl JobView {
    /// A job of which nothing is there.
    #[must_use]
    pub fn empty(job: JobId) -> Self {
        Self {
            job,
            assignments: BTreeMap::new(),
            claims: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            result: None,
            cancel: None,
            refused: Vec::new(),
        }
    }

    /// What the files of a job's folder say. Files that are no documents are passed over: delegates may
    /// keep reports beside them.
    pub fn assemble(job: JobId, files: impl IntoIterator<Item = (ObjectKey, Bytes)>) -> Self {
        let mut view = Self::empty(job);
        for (key, bytes) in files {
            if let Err(error) = view.add(&key, &bytes) {
                view.refuse(key, error);
            }
        }
        view.check_result();
        view
    }

    fn add(&mut self, key: &ObjectKey, bytes: &[u8]) -> Result<(), DocumentError> {
        let Some((job, file)) = JobFile::of_key(key.as_str()) else {
            return Ok(());
        };
        if job != self.job {
            return Ok(());
        }
        match file {
            JobFile::Assignment(epoch) => drop(self.assignments.insert(epoch, read(key, bytes)?)),
            JobFile::Claim(epoch) => drop(self.claims.insert(epoch, read(key, bytes)?)),
            JobFile::Checkpoint(epoch) => drop(self.checkpoints.insert(epoch, read(key, bytes)?)),
            JobFile::Result => self.result = Some(read(key, bytes)?),
            JobFile::Cancel => self.cancel = Some(read(key, bytes)?),
        }
        Ok(())
    }

    fn refuse(&mut self, key: ObjectKey, error: DocumentError) {
        self.refused.push(Refused {
            key,
            problem: error.problem(),
        });
    }

    /// A result from an environment that the job was not given to, or of an epoch that nobody has
    /// claimed, is none.
    fn check_result(&mut self) {
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
        self.refuse(key, error);
    }

    /// The newest epoch that is allowed; none where the job is not assigned.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.assignments.keys().next_back().copied()
    }

    /// The newest assignment.
    #[must_use]
    pub fn assignment(&self) -> Option<&Assignment> {
        self.assignments.values().next_back()
    }

    /// Who owns the job: the highest claim for an epoch that is allowed.
    #[must_use]
    pub fn owner(&self) -> Option<&Claim> {
        self.claims
            .iter()
            .rev()
            .find(|(epoch, _)| self.assignments.contains_key(epoch))
            .map(|(_, claim)| claim)
    }

    /// The newest checkpoint before an epoch, from which it goes on.
    #[must_use]
    pub fn checkpoint_before(&self, epoch: Epoch) -> Option<&Checkpoint> {
        self.checkpoints
            .range(..epoch)
            .next_back()
            .map(|(_, checkpoint)| checkpoint)
    }

    /// Whether the job has a result that counts.
    #[must_use]
    pub fn verdict(&self) -> ResultValidity<'_> {
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

    /// Where the job stands now. `seen` is when the coordinator first saw the owner's claim, by its own
    /// clock, so that a delegate whose clock is wrong cannot hold a job for ever.
    #[must_use]
    pub fn standing(&self, now: Timestamp, seen: Option<Timestamp>) -> JobStatus<'_> {
        match self.verdict() {
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

/// Whether an owner cannot be at work any more.
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
