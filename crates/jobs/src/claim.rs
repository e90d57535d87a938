//! The delegate's half of the protocol: lists open jobs, claims them, and ends them.
//!
//! Every function may be called again after a lost response: a key that exists with the same bytes counts as
//! written.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use lifeboat_model::{ApplicationName, Code, Diagnostic as _, EnvironmentId, JobId, ObjectKey, Problem};

use super::FORMAT;
use super::checkpoint::Progress;
use super::document::{Assignment, Checkpoint, Claim};
use super::keys::{JobFile, job_prefix, jobs_prefix};
use super::read::{Document, DocumentError, LARGE};
use super::result::{JobResult, Outcome};
use super::view::{JobView, Refused, ResultValidity};
use lifeboat_store::listing;
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
            let (found, _) = store.get(key).await?;
            Ok(if found == bytes {
                Written::Same
            } else {
                Written::Other
            })
        }
        Err(error) => Err(error),
    }
}

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
    /// The open jobs, oldest first.
    pub open: Vec<PendingJob>,
    /// Documents that were ignored, to be logged.
    pub refused: Vec<Refused>,
}

/// Reads all documents of one job.
///
/// # Errors
/// If a request to the store fails.
pub async fn view(store: &dyn ObjectStore, job: &JobId) -> Result<JobView, StoreError> {
    let listed = listing::all(store, &job_prefix(job)).await?;
    view_of(store, job.clone(), listed.into_iter().map(|l| (l.key, l.size))).await
}

async fn view_of(
    store: &dyn ObjectStore,
    job: JobId,
    keys: impl IntoIterator<Item = (ObjectKey, u64)>,
) -> Result<JobView, StoreError> {
    let keys = keys
        .into_iter()
        .filter(|(key, _)| JobFile::of_key(key.as_str()).is_some());
    let reads: Vec<_> = keys.map(|(key, size)| read_file(store, key, size)).collect();
    let reads = stream::iter(reads).buffered(READS_AT_ONCE);
    let files: Vec<Option<(ObjectKey, Bytes)>> = reads.try_collect().await?;
    Ok(JobView::assemble(job, files.into_iter().flatten()))
}

/// Reads a file of a job; `None` if it has expired since it was listed.
async fn read_file(
    store: &dyn ObjectStore,
    key: ObjectKey,
    size: u64,
) -> Result<Option<(ObjectKey, Bytes)>, StoreError> {
    // A file that is too large is refused without a read.
    let bytes = if size > LARGE as u64 {
        store.get_range(&key, 0..LARGE as u64 + 1).await
    } else {
        store.get(&key).await.map(|(bytes, _)| bytes)
    };
    match bytes {
        Ok(bytes) => Ok(Some((key, bytes))),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The number of files of a job that are read concurrently: most jobs have fewer.
const READS_AT_ONCE: usize = 8;

/// Lists the jobs of an application whose newest epoch is not claimed. `since` is a job name or a prefix of
/// one: jobs that sort before it are over and are not read, so that old jobs cause no requests.
///
/// # Errors
/// If a request to the store fails.
pub async fn pending_jobs(
    store: &dyn ObjectStore,
    application: &ApplicationName,
    environment: &EnvironmentId,
    since: &str,
) -> Result<PendingJobs, StoreError> {
    let prefix = jobs_prefix(application);
    let listed = listing::after(store, &prefix, Some(&format!("{prefix}{since}"))).await?;
    let mut jobs: Vec<(JobId, Vec<(ObjectKey, u64)>)> = Vec::new();
    for listed in listed {
        let Some((job, _)) = JobFile::of_key(listed.key.as_str()) else {
            continue;
        };
        match jobs.last_mut() {
            Some((held, keys)) if *held == job => keys.push((listed.key, listed.size)),
            _ => jobs.push((job, vec![(listed.key, listed.size)])),
        }
    }
    let mut pending = PendingJobs::default();
    for (job, keys) in jobs {
        // A job with a result in the listing is over and is not read; most are.
        if keys.iter().any(|(key, _)| *key == JobFile::Result.key(&job)) {
            continue;
        }
        let mut view = view_of(store, job, keys).await?;
        pending.refused.append(&mut view.refused);
        pending.refused.extend(foreign(&view, environment));
        if let Some(job) = pending_job(&view, environment) {
            pending.open.push(job);
        }
    }
    Ok(pending)
}

/// Returns the job as refused if its assignment names another environment.
fn foreign(view: &JobView, environment: &EnvironmentId) -> Option<Refused> {
    let assignment = view.assignment().filter(|a| a.environment != *environment)?;
    let key = JobFile::Assignment(assignment.epoch).key(&assignment.job);
    let error = DocumentError::Foreign {
        key: key.to_string(),
        found: format!("environment {}", assignment.environment),
        expected: format!("environment {environment}"),
    };
    Some(Refused {
        key,
        problem: error.problem(),
    })
}

fn pending_job(view: &JobView, environment: &EnvironmentId) -> Option<PendingJob> {
    let assignment = view.assignment()?;
    let open = view.validity() == ResultValidity::Open && !view.claims.contains_key(&assignment.epoch);
    (open && assignment.environment == *environment).then(|| PendingJob {
        assignment: assignment.clone(),
        checkpoint: view.checkpoint_before(assignment.epoch).cloned(),
    })
}

/// Claims a job for an invocation; `None` if another invocation has claimed it.
///
/// # Errors
/// If a request to the store fails.
pub async fn claim(
    store: &dyn ObjectStore,
    pending: &PendingJob,
    invocation: &str,
    now: Timestamp,
    deadline: Timestamp,
) -> Result<Option<Claim>, StoreError> {
    let Assignment { job, epoch, .. } = &pending.assignment;
    let claim = Claim {
        format: FORMAT,
        job: job.clone(),
        epoch: *epoch,
        invocation: invocation.to_owned(),
        claimed_at: now,
        deadline,
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

/// Checks whether the owner of `claim` may continue: between long steps, and right before a result.
///
/// # Errors
/// If a request to the store fails.
pub async fn check_ownership(store: &dyn ObjectStore, claim: &Claim) -> Result<Ownership, StoreError> {
    let listed = listing::all(store, &job_prefix(&claim.job)).await?;
    let mut permission = Ownership::Go;
    for (_, file) in listed.iter().filter_map(|l| JobFile::of_key(l.key.as_str())) {
        match file {
            JobFile::Result => return Ok(Ownership::Fenced),
            JobFile::Assignment(epoch) | JobFile::Claim(epoch) if epoch > claim.epoch => {
                return Ok(Ownership::Fenced);
            }
            JobFile::Cancel => permission = Ownership::Cancelled,
            _ => {}
        }
    }
    Ok(permission)
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
        outcome: Outcome::Failed {
            problems: vec![problem],
            retry: false,
        },
        access: Vec::new(),
        ..result.clone()
    }
}

/// Returns the prefix of the oldest job names that a delegate still reads: those of the last two days. The
/// epochs of a job end within one day ([`super::MAX_EPOCHS`]).
#[must_use]
pub fn since(now: Timestamp) -> String {
    let two_days = jiff::SignedDuration::from_hours(48);
    let then = now.saturating_sub(two_days).unwrap_or(Timestamp::MIN);
    then.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::result::Done;
    use crate::work::ClusterTarget;
    use lifeboat_model::Epoch;
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
