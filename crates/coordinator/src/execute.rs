//! Executes actions. Every action may be executed twice, by two processes at once, and again after a lost
//! response.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use lifeboat_model::{ApplicationName, JobId, ObjectKey, RecoveryPointId};

use super::archive::segment_key;
use super::ports::Ports;
use super::{Action, ActionOutcome};
use lifeboat_jobs::read::SIGNED;
use lifeboat_jobs::signed::{Authenticated, read_signed};
use lifeboat_jobs::{JobFile, Trust};
use lifeboat_recovery_point::layout::{manifest_key, point_prefix};
use lifeboat_store::listing::MAX_KEYS;
use lifeboat_store::ports::{ObjectStore, StoreError};
use lifeboat_store::prefix::{CAPTURES, PrefixStore};

mod copy;
mod verify;

pub use verify::Verification;

/// The number of objects that are deleted concurrently.
const DELETIONS_AT_ONCE: usize = 8;

/// Executes an action; returns the result if the buckets do not show it. Copies, verifications and deletions
/// stop at `until`, and the next tick continues them.
///
/// # Errors
/// If a store fails; the next tick makes the same decision again.
pub async fn execute(
    ports: &Ports,
    application: &ApplicationName,
    action: &Action,
    until: Timestamp,
) -> Result<Option<ActionOutcome>, StoreError> {
    match action {
        Action::PutAssignment(assignment) => {
            let store = ports.scratch(&assignment.environment);
            let key = JobFile::Assignment(assignment.epoch).key(&assignment.job);
            put(ports, store.as_ref(), &assignment.job, &key, assignment.as_ref()).await
        }
        Action::PutCancel { environment, cancel } => {
            let store = ports.scratch(environment);
            let key = JobFile::Cancel.key(&cancel.job);
            put(ports, store.as_ref(), &cancel.job, &key, cancel).await
        }
        Action::VaultPoint {
            environment,
            point,
            manifest,
            signer,
            started,
            until: lease,
        } => {
            let captures: Arc<dyn ObjectStore> =
                Arc::new(PrefixStore::new(ports.scratch(environment), CAPTURES));
            let copy = copy::Copy {
                ports,
                application,
                point,
                captures,
                started: *started,
                until: until.min(*lease),
            };
            Ok(copy.outcome(*manifest, signer).await)
        }
        Action::VerifyVault { point, signer } => {
            verify::verify(ports, application, point, signer, until).await
        }
        Action::DeleteCapture { environment, point } => {
            let captures = PrefixStore::new(ports.scratch(environment), CAPTURES);
            remove(ports, &captures, application, point, until)
                .await
                .map(|_| None)
        }
        Action::ExpirePoint { point } => {
            let removed = remove(ports, ports.vault.as_ref(), application, point, until).await?;
            Ok(removed.then(|| ActionOutcome::Expired { point: point.clone() }))
        }
        Action::DeleteSegment { id } => {
            let key = segment_key(application, id);
            ports.state.delete(&key).await.map(|()| None)
        }
        Action::Notify(notice) => Ok(ports
            .notifier
            .notify(notice)
            .await
            .then(|| ActionOutcome::Notified(notice.clone()))),
    }
}

/// Signs and writes a document of a job. A key that cannot be used delays this document and nothing else.
async fn put<T: Authenticated + PartialEq + Sync>(
    ports: &Ports,
    store: &dyn ObjectStore,
    job: &JobId,
    key: &ObjectKey,
    document: &T,
) -> Result<Option<ActionOutcome>, StoreError> {
    let signed = ports
        .assignment_key
        .sign(document, ports.clock.as_ref(), ports.timer.as_ref())
        .await;
    let bytes = match signed {
        Ok(bytes) => bytes,
        Err(problem) => {
            let causes = problem.causes.join(": ");
            tracing::error!(%job, code = %problem.code, problem = %problem.message, %causes, "a document was not signed; the next tick signs it");
            return Ok(Some(ActionOutcome::Unsigned));
        }
    };
    let is_ours = match store.put_new(key, bytes.into()).await {
        Ok(_) => true,
        // A coordinator that decided the same has written it, with another signature.
        Err(StoreError::Exists { .. }) => is_written(store, key, document).await?,
        Err(error) => return Err(error),
    };
    Ok((!is_ours).then(|| ActionOutcome::Forged { job: job.clone() }))
}

/// Returns whether a key holds this document. The signatures of two coordinators differ, the content does not.
async fn is_written<T: Authenticated + PartialEq>(
    store: &dyn ObjectStore,
    key: &ObjectKey,
    document: &T,
) -> Result<bool, StoreError> {
    let size = store.head(key).await?.size;
    if size == 0 || size > SIGNED as u64 {
        return Ok(false);
    }
    let bytes = store.get_range(key, 0..size).await?;
    let found = read_signed::<T>(key, &bytes, Trust::Content);
    Ok(found.is_ok_and(|found| found == *document))
}

/// Removes a recovery point: the manifest first, so that leftover files never count as a recovery point. What is left at
/// `until` is removed by the next tick.
async fn remove(
    ports: &Ports,
    store: &dyn ObjectStore,
    application: &ApplicationName,
    point: &RecoveryPointId,
    until: Timestamp,
) -> Result<bool, StoreError> {
    store.delete(&manifest_key(application, point)).await?;
    let prefix = point_prefix(application, point);
    while ports.clock.now() < until {
        let page = store.list(&prefix, None, MAX_KEYS).await?;
        let is_last = page.len() < MAX_KEYS;
        let deletions = page.iter().map(|listed| async {
            match ports.clock.now() < until {
                true => store.delete(&listed.key).await,
                false => Ok(()),
            }
        });
        let deletions: Vec<_> = deletions.collect();
        stream::iter(deletions)
            .buffer_unordered(DELETIONS_AT_ONCE)
            .try_collect::<()>()
            .await?;
        if is_last {
            return Ok(ports.clock.now() < until);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
