//! Finds the jobs that a delegate may claim.
//!
//! The bucket is searched within limits, so that whoever writes into it can make neither a look expensive nor a
//! real job starve: a job that an event names is looked at first, a search that reached its limit goes on at its end
//! the next time, and only a folder with an assignment of the coordinator is looked into further.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lifeboat_format::VerifyingKey;
use lifeboat_model::{DelegateId, Diagnostic as _, EnvironmentId, JobId};
use lifeboat_store::listing::MAX_KEYS;
use lifeboat_store::ports::{Listed, ObjectStore, StoreError};

use super::document::{Assignment, Checkpoint};
use super::folder::{Files, Folder, is_epoch_of_a_job};
use super::keys::{JobFile, jobs_prefix};
use super::read::DocumentError;
use super::signed::Trust;
use super::view::{JobView, Refused, ResultValidity};

/// The maximum number of pages of a listing per look. A backup every minute writes some 12,000 keys in the two days
/// that are listed.
const PAGES: usize = 30;

/// The maximum number of jobs without a result that are looked into per look. A delegate has a few at a time.
const LOOKS: usize = 200;

/// The maximum number of refused documents that are told by name; of the others there is the number.
const TOLD: usize = 32;

/// A job that a delegate may claim.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingJob {
    /// The newest assignment.
    pub assignment: Assignment,
    /// The checkpoint to continue from.
    pub checkpoint: Option<Checkpoint>,
}

/// The jobs that an invocation of a delegate finds in its bucket.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PendingJobs {
    /// The open jobs: the one that an event named, then the oldest first.
    pub open: Vec<PendingJob>,
    /// Documents that were ignored, to be logged; not more than a few dozen.
    pub refused: Vec<Refused>,
    /// The number of documents that were ignored.
    pub refusals: usize,
}

/// Where the next search begins, if the last one reached its limit before the end of the listing. It lives as long as
/// the process.
#[derive(Debug, Default)]
pub struct Rotation(Mutex<Option<String>>);

impl Rotation {
    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, key: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }
}

/// A delegate that looks for its jobs.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// Its scratch bucket.
    pub store: &'a dyn ObjectStore,
    /// Its id.
    pub delegate: &'a DelegateId,
    /// Its environment.
    pub environment: &'a EnvironmentId,
    /// The keys of the coordinator.
    pub keys: &'a [VerifyingKey],
    /// Where the search goes on.
    pub rotation: &'a Rotation,
    /// The job that the event of the invocation names, if any. Who can write into the bucket chooses it.
    pub named: Option<&'a JobId>,
}

/// The folder of a job in a page of a listing.
struct Listing {
    name: String,
    files: Files,
}

impl Search<'_> {
    /// Lists the jobs of the delegate whose newest epoch is not claimed. `since` is a job name or a prefix of
    /// one: jobs that sort before it are over and are not read, so that old jobs cause no requests.
    ///
    /// # Errors
    /// If a request to the store fails.
    pub async fn run(&self, since: &str) -> Result<PendingJobs, StoreError> {
        let mut pending = PendingJobs::default();
        if let Some(job) = self.named
            && job.delegate() == *self.delegate
            && job.name() >= since
        {
            let files = self.folder(job).files().await?;
            self.look(job, &files, &mut pending).await?;
        }
        let prefix = jobs_prefix(self.delegate);
        let start = format!("{prefix}{since}");
        let mut after = self.rotation.get().filter(|at| *at > start).unwrap_or(start);
        let mut looks = 0;
        for _ in 0..PAGES {
            let page = self.store.list(&prefix, Some(&after), MAX_KEYS).await?;
            let is_last = page.len() < MAX_KEYS;
            let folders = folders(&prefix, &page);
            let count = folders.len();
            for (number, Listing { name, mut files }) in folders.into_iter().enumerate() {
                // The names of jobs begin with their time; no other folder is one.
                if !name.starts_with(|c: char| c.is_ascii_digit()) {
                    self.rotation.set(None);
                    return Ok(pending);
                }
                if looks == LOOKS {
                    self.rotation.set(Some(after));
                    return Ok(pending);
                }
                let end = end_of(&prefix, &name);
                if let Ok(job) = JobId::new(self.delegate, &name) {
                    // The last folder of a page goes on in the next one.
                    if !is_last && number + 1 == count {
                        files = self.folder(&job).files().await?;
                    }
                    // A job with a result is over and is not read; most are.
                    let is_assigned = files.keys().any(|file| matches!(file, JobFile::Assignment(_)));
                    if is_assigned && !files.contains_key(&JobFile::Result) && self.named != Some(&job) {
                        looks += 1;
                        self.look(&job, &files, &mut pending).await?;
                    }
                }
                after = end;
            }
            if is_last {
                self.rotation.set(None);
                return Ok(pending);
            }
            // A page without a folder of a job has keys of other forms only.
            if let (0, Some(last)) = (count, page.last()) {
                after = last.key.to_string();
            }
        }
        self.rotation.set(Some(after));
        Ok(pending)
    }

    fn folder<'s>(&'s self, job: &'s JobId) -> Folder<'s> {
        Folder {
            store: self.store,
            job,
            trust: Trust::Keys(self.keys),
            newest: None,
        }
    }

    /// Reads a job, and adds it if it is pending.
    async fn look(&self, job: &JobId, files: &Files, pending: &mut PendingJobs) -> Result<(), StoreError> {
        let folder = self.folder(job);
        let mut view = folder.view(files).await?;
        if let Some(assignment) = view.assignment().cloned() {
            let is_free =
                view.validity() == ResultValidity::Open && !view.claims.contains_key(&assignment.epoch);
            if assignment.environment != *self.environment {
                self.refuse_foreign(&assignment, &mut view);
            } else if is_free {
                let checkpoint = folder
                    .checkpoint_before(files, assignment.epoch, &mut view)
                    .await?;
                pending.open.push(PendingJob {
                    assignment,
                    checkpoint,
                });
            }
        }
        pending.refusals += view.refused.len();
        let room = TOLD.saturating_sub(pending.refused.len());
        pending.refused.extend(view.refused.into_iter().take(room));
        Ok(())
    }

    /// Refuses the assignment of another environment's delegate.
    fn refuse_foreign(&self, assignment: &Assignment, view: &mut JobView) {
        let key = JobFile::Assignment(assignment.epoch).key(&assignment.job);
        let error = DocumentError::Foreign {
            key: key.to_string(),
            found: format!("environment {}", assignment.environment),
            expected: format!("environment {}", self.environment),
        };
        view.refused.push(Refused {
            key,
            problem: error.problem(),
        });
    }
}

/// Groups the keys of a page by the folder after the prefix.
fn folders(prefix: &str, page: &[Listed]) -> Vec<Listing> {
    let mut folders: Vec<Listing> = Vec::new();
    for listed in page {
        let rest = listed.key.as_str().strip_prefix(prefix);
        let Some((name, _)) = rest.and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        if folders.last().is_none_or(|folder| folder.name != name) {
            folders.push(Listing {
                name: name.to_owned(),
                files: Files::new(),
            });
        }
        let file = JobFile::of_key(listed.key.as_str()).map(|(_, file)| file);
        if let (Some(folder), Some(file)) = (folders.last_mut(), file.filter(|file| is_epoch_of_a_job(*file)))
        {
            folder.files.insert(file, listed.size);
        }
    }
    folders
}

/// Returns a key after all keys of a folder and before those of the next one: `0` follows `/`.
fn end_of(prefix: &str, name: &str) -> String {
    format!("{prefix}{name}0")
}

/// How long a delegate reads a job. The epochs of a job end within one day ([`super::MAX_EPOCHS`]).
const READ_FOR: SignedDuration = SignedDuration::from_hours(48);

/// How much longer the coordinator waits for a job: clocks differ, and an invocation that has read the job may still
/// claim it.
const UNREAD_GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Returns the prefix of the oldest job names that a delegate still reads: those of the last two days.
#[must_use]
pub fn since(now: Timestamp) -> String {
    let then = now.saturating_sub(READ_FOR).unwrap_or(Timestamp::MIN);
    then.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Returns whether no delegate reads a job any more, so that no further epoch of it will be claimed.
#[must_use]
pub fn is_unread(job: &JobId, now: Timestamp) -> bool {
    job.name() < since(now.saturating_sub(UNREAD_GRACE).unwrap_or(Timestamp::MIN)).as_str()
}

#[cfg(test)]
mod tests;
