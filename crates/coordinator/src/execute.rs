//! Executes actions. Every action may be executed twice, by two processes at once, and again after a lost
//! response.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use lifeboat_format::manifest::PackRecord;
use lifeboat_format::verify::VerifyError;
use lifeboat_format::{Hasher, Sha256, VerifyingKey};
use lifeboat_model::{
    ApplicationName, Code, Diagnostic as _, ErrorKind, JobId, ObjectKey, Problem, RecoveryPointId,
};

use super::archive::segment_key;
use super::ports::Ports;
use super::{Action, ActionOutcome};
use lifeboat_jobs::claim::{Written, put_once};
use lifeboat_jobs::read::SIGNED;
use lifeboat_jobs::signed::{Authenticated, read_signed};
use lifeboat_jobs::{JobFile, Trust};
use lifeboat_recovery_point::layout::{file_key, manifest_key, point_prefix};
use lifeboat_recovery_point::point::{PointError, RecoveryPoint};
use lifeboat_recovery_point::progress::Silent;
use lifeboat_store::listing::delete_all;
use lifeboat_store::ports::{ObjectStore, StoreError};
use lifeboat_store::prefix::{CAPTURES, PrefixStore};

/// The size of one read from a file of the vault, in bytes.
const PIECE: u64 = 1 << 20;

/// The number of files copied concurrently. A pack has up to 64 MiB and is streamed; each copy holds a few
/// pieces of 1 MiB and up to three upload parts of 8 MiB.
const FILES_AT_ONCE: usize = 4;

/// The maximum difference between the clocks of the coordinator and a delegate. A delegate whose clock differs more
/// from that of AWS cannot sign its requests (SigV4 allows five minutes).
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Executes an action; returns the result if the buckets do not show it. Long copies stop at `until` and
/// continue later.
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
        } => {
            let captures: Arc<dyn ObjectStore> =
                Arc::new(PrefixStore::new(ports.scratch(environment), CAPTURES));
            let copy = Copy {
                ports,
                application,
                point,
                captures,
                started: *started,
                until,
            };
            Ok(copy.outcome(*manifest, signer).await)
        }
        Action::VerifyVault { point, signer } => verify(ports, application, point, signer).await,
        Action::DeleteCapture { environment, point } => {
            let captures = PrefixStore::new(ports.scratch(environment), CAPTURES);
            remove(&captures, application, point).await.map(|()| None)
        }
        Action::ExpirePoint { point } => {
            remove(ports.vault.as_ref(), application, point).await?;
            Ok(Some(ActionOutcome::Expired { point: point.clone() }))
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

/// Removes a recovery point: the manifest first, so that leftover files never count as a recovery point.
async fn remove(
    store: &dyn ObjectStore,
    application: &ApplicationName,
    point: &RecoveryPointId,
) -> Result<(), StoreError> {
    store.delete(&manifest_key(application, point)).await?;
    delete_all(store, &point_prefix(application, point))
        .await
        .map(drop)
}

async fn verify(
    ports: &Ports,
    application: &ApplicationName,
    point: &RecoveryPointId,
    signer: &str,
) -> Result<Option<ActionOutcome>, StoreError> {
    let checked = async {
        let key = pinned(signer)?;
        let opened = RecoveryPoint::open(Arc::clone(&ports.vault), application, point, &key).await?;
        opened.verify_digests(&Silent).await?;
        Ok::<(), CopyError>(())
    };
    let damaged = match checked.await {
        Ok(()) => None,
        Err(CopyError::Point(PointError::Store { source })) => return Err(source),
        Err(error) => Some(error.problem()),
    };
    Ok(Some(ActionOutcome::Verified {
        point: point.clone(),
        damaged,
    }))
}

fn pinned(pem: &str) -> Result<VerifyingKey, CopyError> {
    VerifyingKey::from_pem(pem).map_err(|_| CopyError::Pin)
}

/// A failed copy of a recovery point into the vault.
#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Point(#[from] PointError),
    #[error("read the pinned signing key")]
    Pin,
    #[error("copy the recovery point {point}: its manifest differs from the one that the delegate reported")]
    OtherManifest { point: RecoveryPointId },
    #[error(
        "copy the recovery point {point}: its manifest was created at {created_at}, but its backup began at {started} and the time is {now}"
    )]
    Time {
        point: RecoveryPointId,
        created_at: Timestamp,
        started: Timestamp,
        now: Timestamp,
    },
    #[error("write the recovery point {point} into the vault")]
    Write {
        point: RecoveryPointId,
        #[source]
        source: StoreError,
    },
}

impl CopyError {
    fn retry(&self) -> bool {
        match self {
            Self::Point(PointError::Store { .. }) => true,
            Self::Write { source, .. } => source.kind() != ErrorKind::Denied,
            // The capture differs from what was sealed; a retry cannot change that.
            Self::Point(_) | Self::Pin | Self::OtherManifest { .. } | Self::Time { .. } => false,
        }
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Point(error) => error.problem(),
            Self::Write { source, .. } => source.problem(),
            Self::Time { .. } => Problem::of(Code::PointTimeRefused, format!("failed to {self}")),
            Self::Pin | Self::OtherManifest { .. } => Problem::new(
                Code::VaultingFailed,
                format!("failed to {self}"),
                "check who can write to the scratch bucket; the next backup creates another recovery point",
            ),
        }
    }
}

/// A copy from the captures of a scratch bucket into the vault.
struct Copy<'a> {
    ports: &'a Ports,
    application: &'a ApplicationName,
    point: &'a RecoveryPointId,
    captures: Arc<dyn ObjectStore>,
    /// When the backup began, by the coordinator's clock.
    started: Timestamp,
    until: Timestamp,
}

impl Copy<'_> {
    async fn outcome(&self, manifest: Sha256, signer: &str) -> Option<ActionOutcome> {
        let point = self.point.clone();
        match self.run(manifest, signer).await {
            Ok(true) => None,
            Ok(false) => Some(ActionOutcome::VaultUnfinished { point }),
            Err(error) => Some(ActionOutcome::VaultFailed {
                point,
                problem: error.problem(),
                retry: error.retry(),
            }),
        }
    }

    /// Copies every file, each digest checked before the file becomes visible, the manifest last. Returns
    /// whether all are copied.
    async fn run(&self, manifest: Sha256, signer: &str) -> Result<bool, CopyError> {
        let key = pinned(signer)?;
        let opened =
            RecoveryPoint::open(Arc::clone(&self.captures), self.application, self.point, &key).await?;
        if opened.manifest_digest() != manifest {
            return Err(CopyError::OtherManifest {
                point: self.point.clone(),
            });
        }
        self.check_time(opened.statement().predicate.created_at)?;
        let packs: Vec<&PackRecord> = opened.files().filter(|pack| pack.point.is_none()).collect();
        let copies = stream::iter(packs).map(|pack| self.file_in_time(&opened, pack));
        let are_done: Vec<bool> = copies.buffer_unordered(FILES_AT_ONCE).try_collect().await?;
        if are_done.contains(&false) {
            return Ok(false);
        }
        let name = manifest_key(self.application, self.point);
        let (bytes, _) = self
            .captures
            .get(&name)
            .await
            .map_err(|source| PointError::Store { source })?;
        if Sha256::of(&bytes) != manifest {
            return Err(CopyError::OtherManifest {
                point: self.point.clone(),
            });
        }
        let written = put_once(self.ports.vault.as_ref(), &name, bytes).await;
        match written.map_err(|source| self.write_error(source))? {
            Written::New | Written::Same => Ok(true),
            Written::Other => Err(CopyError::OtherManifest {
                point: self.point.clone(),
            }),
        }
    }

    /// Checks that the creation time in the manifest is between the start of the backup and now.
    fn check_time(&self, created_at: Timestamp) -> Result<(), CopyError> {
        let now = self.ports.clock.now();
        let early = self.started.duration_since(created_at) > SKEW;
        let late = created_at.duration_since(now) > SKEW;
        match early || late {
            true => Err(CopyError::Time {
                point: self.point.clone(),
                created_at,
                started: self.started,
                now,
            }),
            false => Ok(()),
        }
    }

    /// Copies a file unless the time is up; returns whether the vault has it.
    async fn file_in_time(&self, opened: &RecoveryPoint, pack: &PackRecord) -> Result<bool, CopyError> {
        if self.ports.clock.now() >= self.until {
            return Ok(false);
        }
        self.file(opened, pack).await.map(|()| true)
    }

    async fn file(&self, opened: &RecoveryPoint, pack: &PackRecord) -> Result<(), CopyError> {
        let vault = self.ports.vault.as_ref();
        let name = file_key(self.application, self.point, &pack.name);
        if self.is_there(&name, pack).await? {
            return Ok(());
        }
        let mut upload = vault
            .upload(&name)
            .await
            .map_err(|source| self.write_error(source))?;
        let mut hasher = Hasher::default();
        let mut pieces = std::pin::pin!(opened.pieces(pack));
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            hasher.update(&piece);
            upload
                .write(piece)
                .await
                .map_err(|source| self.write_error(source))?;
        }
        let found = hasher.finish();
        if found != pack.sha256 {
            // Best effort: an aborted upload never becomes visible.
            let _ = upload.abort().await;
            let source = VerifyError::Digest {
                name: pack.name.clone(),
                expected: pack.sha256,
                found,
            };
            return Err(opened.file_error(pack, source).into());
        }
        match upload.finish().await {
            Ok(_) => Ok(()),
            // Another coordinator copied it, or the response to the first attempt was lost.
            Err(StoreError::Exists { .. }) => self.is_there(&name, pack).await.map(drop),
            Err(source) => Err(self.write_error(source)),
        }
    }

    /// Returns whether the vault contains the complete file. A file that differs from the signed digest is
    /// deleted.
    async fn is_there(&self, name: &ObjectKey, pack: &PackRecord) -> Result<bool, CopyError> {
        let vault = self.ports.vault.as_ref();
        let mut hasher = Hasher::default();
        let mut start = 0;
        while start < pack.bytes {
            let end = pack.bytes.min(start + PIECE);
            match vault.get_range(name, start..end).await {
                Ok(piece) => hasher.update(&piece),
                Err(StoreError::NotFound { .. }) => return Ok(false),
                Err(StoreError::OutOfRange { .. }) => break,
                Err(source) => return Err(self.write_error(source)),
            }
            start = end;
        }
        if start == pack.bytes && hasher.finish() == pack.sha256 {
            return Ok(true);
        }
        vault
            .delete(name)
            .await
            .map_err(|source| self.write_error(source))?;
        Ok(false)
    }

    fn write_error(&self, source: StoreError) -> CopyError {
        CopyError::Write {
            point: self.point.clone(),
            source,
        }
    }
}
