//! The delegate's half of the protocol: claims jobs, keeps them, and ends them.
//!
//! Every function may be called again after a lost response: a key that exists with the same bytes counts as
//! written.

use bytes::Bytes;
use jiff::Timestamp;
use lifeboat_model::{Code, EnvironmentId, ObjectKey, Problem};

use super::FORMAT;
use super::checkpoint::Progress;
use super::document::{Assignment, Checkpoint, Claim};
use super::folder::{FORGERIES, Folder};
use super::keys::JobFile;
use super::pending::PendingJob;
use super::read::{Document, LARGE};
use super::result::{JobResult, Outcome};
use super::signed::Trust;
use lifeboat_store::ports::{ObjectStore, StoreError};

/// The result of a write-once request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The document was created.
    New,
    /// It existed with the same bytes.
    Same,
    /// The key exists with other bytes, and stays unchanged.
    Other,
}

/// Creates a key by a conditional write, or finds that it exists with the same bytes.
///
/// # Errors
/// If a request to the store fails.
pub async fn put_once(store: &dyn ObjectStore, key: &ObjectKey, bytes: Bytes) -> Result<Written, StoreError> {
    match store.put_new(key, bytes.clone()).await {
        Ok(_) => Ok(Written::New),
        Err(StoreError::Exists { .. }) => {
            // An object of another size is not read: somebody else wrote it, and it may be of any size.
            let size = bytes.len() as u64;
            let is_same =
                store.head(key).await?.size == size && store.get_range(key, 0..size).await? == bytes;
            Ok(if is_same { Written::Same } else { Written::Other })
        }
        Err(error) => Err(error),
    }
}

/// Claims a job for an invocation, with the public half of a key pair of this epoch if there is one; `None` if another invocation has claimed it.
///
/// # Errors
/// If a request to the store fails.
pub async fn claim(
    store: &dyn ObjectStore,
    pending: &PendingJob,
    invocation: &str,
    now: Timestamp,
    deadline: Timestamp,
    recipient: Option<String>,
) -> Result<Option<Claim>, StoreError> {
    let Assignment { job, epoch, .. } = &pending.assignment;
    let claim = Claim {
        format: FORMAT,
        job: job.clone(),
        epoch: *epoch,
        invocation: invocation.to_owned(),
        claimed_at: now,
        deadline,
        recipient,
    };
    let key = JobFile::Claim(*epoch).key(job);
    match put_once(store, &key, claim.to_bytes().into()).await? {
        Written::New | Written::Same => Ok(Some(claim)),
        Written::Other => Ok(None),
    }
}

/// Whether the owner of a claim may continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// It may continue.
    Go,
    /// Another epoch owns the job, or the job has ended: stop at once and write nothing more.
    Fenced,
    /// The job is cancelled: stop and write the result [`super::Outcome::Cancelled`].
    Cancelled,
}

/// Checks whether the owner of `claim` may continue: between long steps, and right before a result. Only documents that
/// the coordinator has signed fence or cancel; a claim needs an assignment, so that the assignment of a later epoch is
/// enough.
///
/// # Errors
/// If a request to the store fails.
pub async fn check_ownership(
    store: &dyn ObjectStore,
    claim: &Claim,
    environment: &EnvironmentId,
    trust: Trust<'_>,
) -> Result<Ownership, StoreError> {
    let folder = Folder {
        store,
        job: &claim.job,
        trust,
        newest: None,
    };
    let files = folder.files().await?;
    if files.contains_key(&JobFile::Result) {
        return Ok(Ownership::Fenced);
    }
    let later = files.keys().filter_map(|file| match file {
        JobFile::Assignment(epoch) if *epoch > claim.epoch => Some(*epoch),
        _ => None,
    });
    for epoch in later.take(FORGERIES) {
        if let Some(Ok(assignment)) = folder.assignment(&files, epoch).await?
            && assignment.environment == *environment
        {
            return Ok(Ownership::Fenced);
        }
    }
    match folder.cancel(&files).await? {
        Some(Ok(cancel)) if cancel.environment == *environment => Ok(Ownership::Cancelled),
        _ => Ok(Ownership::Go),
    }
}

/// Ends the epoch of `claim` with a checkpoint.
///
/// # Errors
/// If a request to the store fails.
pub async fn checkpoint(
    store: &dyn ObjectStore,
    claim: &Claim,
    progress: Progress,
    now: Timestamp,
) -> Result<Written, StoreError> {
    let checkpoint = Checkpoint {
        format: FORMAT,
        job: claim.job.clone(),
        epoch: claim.epoch,
        at: now,
        progress,
    };
    let key = JobFile::Checkpoint(claim.epoch).key(&claim.job);
    put_once(store, &key, checkpoint.to_bytes().into()).await
}

/// Ends the job. [`Written::Other`] means that another epoch has already ended it.
///
/// A result larger than the coordinator reads ([`LARGE`]) ends the job as failed: otherwise the work would be
/// repeated until the last epoch, with the same result.
///
/// # Errors
/// If a request to the store fails.
pub async fn finish(store: &dyn ObjectStore, result: &JobResult) -> Result<Written, StoreError> {
    let mut bytes = result.to_bytes();
    if bytes.len() > LARGE {
        bytes = without_contents(result, bytes.len()).to_bytes();
    }
    put_once(store, &JobFile::Result.key(&result.job), bytes.into()).await
}

fn without_contents(result: &JobResult, size: usize) -> JobResult {
    let problem = Problem::new(
        Code::JobDocumentRefused,
        format!(
            "the result of {} has {size} bytes, more than the limit of {LARGE}",
            result.job
        ),
        "back up fewer clusters or types per application, and report this as a bug",
    );
    JobResult {
        outcome: Outcome::failed(&problem, false),
        access: Vec::new(),
        ..result.clone()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::result::Done;
    use crate::work::ClusterTarget;
    use lifeboat_model::{Epoch, JobId};
    use lifeboat_store::memory::MemoryStore;

    /// Returns a result with this number of clusters.
    fn result(clusters: usize) -> JobResult {
        let found = (0..clusters).map(|number| {
            let name = format!("cluster-{number}");
            let arn = format!("arn:aws:eks:eu-west-1:111111111111:cluster/{name}");
            serde_json::from_value::<ClusterTarget>(serde_json::json!({"name": name, "arn": arn})).unwrap()
        });
        JobResult {
            format: FORMAT,
            job: JobId::parse("shop/20261121T112233Z-7f3a9c-check").unwrap(),
            epoch: Epoch::new(1).unwrap(),
            at: Timestamp::UNIX_EPOCH,
            outcome: Outcome::Done(Done::Check {
                key: None,
                found: found.collect(),
                missing: Vec::new(),
            }),
            access: Vec::new(),
            environment: EnvironmentId::parse("111111111111-eu-west-1").unwrap(),
            delegate: lifeboat_model::Arn::parse("arn:aws:lambda:eu-west-1:111111111111:function:f").unwrap(),
        }
    }

    #[test]
    fn a_result_that_nobody_would_read_ends_the_job_as_failed() {
        futures::executor::block_on(async {
            for (clusters, is_done) in [(10, true), (40_000, false)] {
                let (store, result) = (MemoryStore::new(), result(clusters));
                assert_eq!(finish(&store, &result).await.unwrap(), Written::New);
                let key = JobFile::Result.key(&result.job);
                let (bytes, _) = store.get(&key).await.unwrap();
                assert!(bytes.len() <= LARGE);
                let read: JobResult = crate::read::read(&key, &bytes).unwrap();
                assert_eq!(matches!(read.outcome, Outcome::Done(_)), is_done);
                assert_eq!(finish(&store, &result).await.unwrap(), Written::Same);
            }
        });
    }
}
