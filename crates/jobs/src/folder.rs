//! Reads the folder of a job within limits: somebody who can write into it can add keys and documents of any
//! number and size, and neither memory nor time of a reader may grow with them.
//!
//! Sizes are known from the listing before anything is read. Only the documents that decide the state of the
//! job are read, one after the other and the newest first: the newest assignment, the newest claim, the
//! checkpoints of the newest epoch and of the one before, the result and the cancellation.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use lifeboat_model::{Epoch, JobId};
use lifeboat_store::listing::MAX_KEYS;
use lifeboat_store::ports::{ObjectStore, StoreError};

use super::MAX_EPOCHS;
use super::document::{Assignment, Cancel, Checkpoint, Claim, Doing, ProgressReport};
use super::keys::{JobFile, job_prefix};
use super::read::{Document, DocumentError, SIGNED, read};
use super::result::JobResult;
use super::signed::{Authenticated, Trust, read_signed};
use super::view::{JobView, ResultValidity};

/// The number of keys that are looked at concurrently in a folder that is too full to be listed.
const LOOKS_AT_ONCE: usize = 8;

/// The number of assignments of one job that are read although those before them did not count. Who can write that many
/// can also overwrite the one of the coordinator.
pub(super) const FORGERIES: usize = 8;

/// Whether a job can have this epoch.
pub(super) fn is_epoch_of_a_job(file: JobFile) -> bool {
    match file {
        JobFile::Assignment(epoch)
        | JobFile::Claim(epoch)
        | JobFile::Checkpoint(epoch)
        | JobFile::Progress(epoch) => epoch.get() <= MAX_EPOCHS,
        JobFile::Result | JobFile::Cancel => true,
    }
}

/// The documents in a folder, with their sizes in bytes.
pub type Files = BTreeMap<JobFile, u64>;

/// A job's folder in a bucket.
#[derive(Clone, Copy)]
pub struct Folder<'a> {
    /// The bucket.
    pub store: &'a dyn ObjectStore,
    /// The job.
    pub job: &'a JobId,
    /// Whose documents count as those of the coordinator.
    pub trust: Trust<'a>,
    /// The newest epoch that was assigned, if the reader knows it: later ones are not read.
    pub newest: Option<Epoch>,
}

/// A document that was read, or why it has no effect.
type Read<T> = Option<Result<T, DocumentError>>;

impl Folder<'_> {
    /// Lists the documents of the job.
    ///
    /// # Errors
    /// If a request to the store fails.
    pub async fn files(&self) -> Result<Files, StoreError> {
        let listed = self.store.list(&job_prefix(self.job), None, MAX_KEYS).await?;
        if listed.len() == MAX_KEYS {
            return self.look().await;
        }
        let files = listed.iter().filter_map(|listed| {
            let (job, file) = JobFile::of_key(listed.key.as_str())?;
            (job == *self.job && is_epoch_of_a_job(file)).then_some((file, listed.size))
        });
        Ok(files.collect())
    }

    /// Looks for each document by its key: a folder has fewer than 300 documents that decide, and whatever else it contains
    /// must not hide them.
    async fn look(&self) -> Result<Files, StoreError> {
        let last = self.newest.map_or(MAX_EPOCHS, Epoch::get).min(MAX_EPOCHS);
        let epochs = (1..=last).filter_map(Epoch::new);
        let of_epoch = |epoch| {
            [
                JobFile::Assignment(epoch),
                JobFile::Claim(epoch),
                JobFile::Checkpoint(epoch),
            ]
        };
        let files = epochs
            .flat_map(of_epoch)
            .chain([JobFile::Result, JobFile::Cancel]);
        let looks: Vec<_> = files.map(|file| self.size(file)).collect();
        let found: Vec<Option<(JobFile, u64)>> =
            stream::iter(looks).buffered(LOOKS_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn size(&self, file: JobFile) -> Result<Option<(JobFile, u64)>, StoreError> {
        match self.store.head(&file.key(self.job)).await {
            Ok(info) => Ok(Some((file, info.size))),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the documents that decide the state of the job.
    ///
    /// # Errors
    /// If a request to the store fails.
    pub async fn view(&self, files: &Files) -> Result<JobView, StoreError> {
        let mut view = JobView::empty(self.job.clone());
        // The newest assignment that counts, and those before it down to the newest claim, which owns the job.
        for epoch in self.assigned(files, &mut view) {
            if view.refused.len() >= FORGERIES {
                break;
            }
            self.take_assignment(files, epoch, &mut view).await?;
            if view.assignments.contains_key(&epoch) && self.take_claim(files, epoch, &mut view).await? {
                break;
            }
        }
        if let Some(epoch) = view.epoch()
            && let Some(checkpoint) = self.checkpoint(files, epoch, &mut view).await?
        {
            view.checkpoints.insert(epoch, checkpoint);
        }
        self.take_result(files, &mut view).await?;
        view.cancel = match self.cancel(files).await? {
            Some(Err(error)) => {
                view.refuse(JobFile::Cancel.key(self.job), &error);
                None
            }
            Some(Ok(cancel)) => Some(cancel),
            None => None,
        };
        Ok(view)
    }

    /// Returns the epochs with an assignment, newest first. One that the reader knows not to have been assigned is
    /// refused.
    fn assigned(&self, files: &Files, view: &mut JobView) -> Vec<Epoch> {
        let mut epochs: Vec<Epoch> = (files.keys().rev())
            .filter_map(|file| match file {
                JobFile::Assignment(epoch) => Some(*epoch),
                _ => None,
            })
            .collect();
        if let (Some(newest), Some(last)) = (self.newest, epochs.first().copied())
            && last > newest
        {
            let key = JobFile::Assignment(last).key(self.job);
            let error = DocumentError::Foreign {
                key: key.to_string(),
                found: format!("epoch {last}"),
                expected: format!("an epoch up to {newest}, the last one that was assigned"),
            };
            view.refuse(key, &error);
            epochs.retain(|epoch| *epoch <= newest);
        }
        epochs
    }

    async fn take_assignment(
        &self,
        files: &Files,
        epoch: Epoch,
        view: &mut JobView,
    ) -> Result<(), StoreError> {
        match self.assignment(files, epoch).await? {
            Some(Ok(assignment)) => drop(view.assignments.insert(epoch, assignment)),
            Some(Err(error)) => view.refuse(JobFile::Assignment(epoch).key(self.job), &error),
            None => {}
        }
        Ok(())
    }

    /// Reads a claim; returns whether there is a valid one.
    async fn take_claim(&self, files: &Files, epoch: Epoch, view: &mut JobView) -> Result<bool, StoreError> {
        match self.document::<Claim>(files, JobFile::Claim(epoch)).await? {
            Some(Ok(claim)) => drop(view.claims.insert(epoch, claim)),
            Some(Err(error)) => view.refuse(JobFile::Claim(epoch).key(self.job), &error),
            None => {}
        }
        Ok(view.claims.contains_key(&epoch))
    }

    /// Reads the result, and the assignment and claim of the epoch that wrote it.
    async fn take_result(&self, files: &Files, view: &mut JobView) -> Result<(), StoreError> {
        let result: JobResult = match self.document(files, JobFile::Result).await? {
            Some(Ok(result)) => result,
            Some(Err(error)) => {
                view.refuse(JobFile::Result.key(self.job), &error);
                return Ok(());
            }
            None => return Ok(()),
        };
        let epoch = result.epoch;
        if self.newest.is_none_or(|newest| epoch <= newest) && !view.claims.contains_key(&epoch) {
            if !view.assignments.contains_key(&epoch) {
                self.take_assignment(files, epoch, view).await?;
            }
            self.take_claim(files, epoch, view).await?;
        }
        view.result = Some(result);
        view.check_result();
        Ok(())
    }

    /// Returns the newest valid checkpoint before an epoch, from which the epoch continues.
    ///
    /// # Errors
    /// If a request to the store fails.
    pub async fn checkpoint_before(
        &self,
        files: &Files,
        epoch: Epoch,
        view: &mut JobView,
    ) -> Result<Option<Checkpoint>, StoreError> {
        for earlier in (1..epoch.get()).rev().filter_map(Epoch::new) {
            if let Some(checkpoint) = self.checkpoint(files, earlier, view).await? {
                return Ok(Some(checkpoint));
            }
        }
        Ok(None)
    }

    async fn checkpoint(
        &self,
        files: &Files,
        epoch: Epoch,
        view: &mut JobView,
    ) -> Result<Option<Checkpoint>, StoreError> {
        match self.document(files, JobFile::Checkpoint(epoch)).await? {
            Some(Ok(checkpoint)) => return Ok(Some(checkpoint)),
            Some(Err(error)) => view.refuse(JobFile::Checkpoint(epoch).key(self.job), &error),
            None => {}
        }
        Ok(None)
    }

    /// Reads what the owner of a running job is doing, within limits. `None` if it does not tell, or if its report cannot be
    /// read: it may be replaced at any time.
    ///
    /// # Errors
    /// If a request to the store fails.
    pub async fn progress(&self, files: &Files, view: &JobView) -> Result<Option<Doing>, StoreError> {
        let running = view.owner().filter(|owner| {
            let has_ended = view.checkpoints.contains_key(&owner.epoch);
            view.validity() == ResultValidity::Open && view.epoch() == Some(owner.epoch) && !has_ended
        });
        let Some(owner) = running else {
            return Ok(None);
        };
        let report: Read<ProgressReport> = self.document(files, JobFile::Progress(owner.epoch)).await?;
        Ok(report.and_then(Result::ok).map(|report| report.doing.bounded()))
    }

    /// Reads the assignment of an epoch.
    ///
    /// # Errors
    /// If a request to the store fails.
    pub async fn assignment(&self, files: &Files, epoch: Epoch) -> Result<Read<Assignment>, StoreError> {
        self.signed(files, JobFile::Assignment(epoch)).await
    }

    /// Reads the request to end the job early.
    ///
    /// # Errors
    /// If a request to the store fails.
    pub async fn cancel(&self, files: &Files) -> Result<Read<Cancel>, StoreError> {
        self.signed(files, JobFile::Cancel).await
    }

    async fn signed<T: Authenticated>(&self, files: &Files, file: JobFile) -> Result<Read<T>, StoreError> {
        let bytes = self.bytes(files, file, SIGNED).await?;
        Ok(bytes.map(|bytes| read_signed(&file.key(self.job), &bytes?, self.trust)))
    }

    async fn document<T: Document>(&self, files: &Files, file: JobFile) -> Result<Read<T>, StoreError> {
        let bytes = self.bytes(files, file, T::LIMIT).await?;
        Ok(bytes.map(|bytes| read(&file.key(self.job), &bytes?)))
    }

    /// Reads a file whose size is within a limit; `None` if there is none, or if it has expired since it was listed.
    async fn bytes(&self, files: &Files, file: JobFile, limit: usize) -> Result<Read<Bytes>, StoreError> {
        let Some(size) = files.get(&file).copied() else {
            return Ok(None);
        };
        let key = file.key(self.job);
        if size > limit as u64 {
            return Ok(Some(Err(DocumentError::Oversized {
                key: key.to_string(),
                bytes: usize::try_from(size).unwrap_or(usize::MAX),
                limit,
            })));
        }
        let bytes = match size {
            0 => Ok(Bytes::new()),
            // Not more than was listed, even if the object was replaced by a larger one since.
            _ => self.store.get_range(&key, 0..size).await,
        };
        match bytes {
            Ok(bytes) => Ok(Some(Ok(bytes))),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(StoreError::OutOfRange { .. }) => Ok(Some(Err(DocumentError::Malformed {
                key: key.to_string(),
                what: "it was replaced while it was read".to_owned(),
            }))),
            Err(error) => Err(error),
        }
    }
}

/// Reads a job within limits.
///
/// # Errors
/// If a request to the store fails.
pub async fn view(
    store: &dyn ObjectStore,
    job: &JobId,
    trust: Trust<'_>,
    newest: Option<Epoch>,
) -> Result<JobView, StoreError> {
    let folder = Folder {
        store,
        job,
        trust,
        newest,
    };
    let files = folder.files().await?;
    folder.view(&files).await
}

#[cfg(test)]
mod tests;
