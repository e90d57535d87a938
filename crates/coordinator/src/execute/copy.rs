//! The copy of a sealed recovery point from a scratch bucket into the vault.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use lifeboat_format::manifest::PackRecord;
use lifeboat_format::verify::VerifyError;
use lifeboat_format::{Hasher, Sha256, VerifyingKey};
use lifeboat_jobs::claim::{Written, put_once};
use lifeboat_model::{
    ApplicationName, Code, Diagnostic as _, ErrorKind, ObjectKey, PackName, Problem, RecoveryPointId,
};
use lifeboat_recovery_point::layout::{file_key, manifest_key};
use lifeboat_recovery_point::point::{PointError, RecoveryPoint};
use lifeboat_store::ports::{ObjectStore, StoreError};

use crate::ActionOutcome;
use crate::ports::Ports;

/// The size of one read from a file of the vault, in bytes.
const PIECE: u64 = 1 << 20;

/// The largest file that is copied, in bytes. A delegate closes a pack at 64 MiB; the manifest of another writer may
/// name one that no coordinator could copy in its time.
const LARGEST_FILE: u64 = 128 << 20;

/// The number of files copied concurrently. A pack has up to 64 MiB and is streamed; each copy holds a few
/// pieces of 1 MiB and up to three upload parts of 8 MiB.
const FILES_AT_ONCE: usize = 4;

/// The first version of the format whose data keys are bound to an application and a cluster. With an earlier one the
/// primary of one application could seal the packs of another as its own. Recovery points in the vault that are older
/// are restored nevertheless: they were copied by a coordinator that knew no other.
const BOUND: u32 = 3;

/// The maximum difference between the clocks of the coordinator and a delegate. A delegate whose clock differs more
/// from that of AWS cannot sign its requests (SigV4 allows five minutes).
const SKEW: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn pinned(pem: &str) -> Result<VerifyingKey, CopyError> {
    VerifyingKey::from_pem(pem).map_err(|_| CopyError::Pin)
}

/// A failed copy of a recovery point into the vault.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    #[error(transparent)]
    Point(#[from] PointError),
    #[error("read the pinned signing key")]
    Pin,
    #[error("copy the recovery point {point}: its manifest differs from the one that the delegate reported")]
    OtherManifest { point: RecoveryPointId },
    #[error(
        "copy the recovery point {point}: its file {name} has {bytes} bytes, more than the limit of {LARGEST_FILE}"
    )]
    TooLarge {
        point: RecoveryPointId,
        name: PackName,
        bytes: u64,
    },
    #[error(
        "copy the recovery point {point}: its manifest was created at {created_at}, but its backup began at {started} and the time is {now}"
    )]
    Time {
        point: RecoveryPointId,
        created_at: Timestamp,
        started: Timestamp,
        now: Timestamp,
    },
    #[error(
        "copy the recovery point {point}: its format is version {version}, and its keys are not bound to its application"
    )]
    OldFormat { point: RecoveryPointId, version: u32 },
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
            Self::Point(_)
            | Self::Pin
            | Self::OtherManifest { .. }
            | Self::TooLarge { .. }
            | Self::Time { .. }
            | Self::OldFormat { .. } => false,
        }
    }

    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::Point(error) => error.problem(),
            Self::Write { source, .. } => source.problem(),
            Self::Time { .. } => Problem::of(Code::PointTimeRefused, format!("failed to {self}")),
            Self::OldFormat { .. } => Problem::new(
                Code::VaultingFailed,
                format!("failed to {self}"),
                "update the stack of the application in the primary account; the next backup creates another recovery point",
            ),
            Self::Pin | Self::OtherManifest { .. } | Self::TooLarge { .. } => Problem::new(
                Code::VaultingFailed,
                format!("failed to {self}"),
                "check who can write to the scratch bucket; the next backup creates another recovery point",
            ),
        }
    }
}

/// What the vault has of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileState {
    /// The complete file.
    Whole,
    /// Nothing.
    Missing,
    /// The time was up before it was known.
    Unknown,
}

/// A copy from the captures of a scratch bucket into the vault.
pub(super) struct Copy<'a> {
    pub(super) ports: &'a Ports,
    pub(super) application: &'a ApplicationName,
    pub(super) point: &'a RecoveryPointId,
    pub(super) captures: Arc<dyn ObjectStore>,
    /// When the backup began, by the coordinator's clock.
    pub(super) started: Timestamp,
    pub(super) until: Timestamp,
}

impl Copy<'_> {
    pub(super) async fn outcome(&self, manifest: Sha256, signer: &str) -> Option<ActionOutcome> {
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
        let version = opened.statement().predicate.format_version;
        if version < BOUND {
            return Err(CopyError::OldFormat {
                point: self.point.clone(),
                version,
            });
        }
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

    fn is_time_up(&self) -> bool {
        self.ports.clock.now() >= self.until
    }

    /// Copies a file; returns whether the vault has it, or the time is up. A file that was begun is begun anew the next
    /// time, with a longer lease.
    async fn file_in_time(&self, opened: &RecoveryPoint, pack: &PackRecord) -> Result<bool, CopyError> {
        if pack.bytes > LARGEST_FILE {
            return Err(CopyError::TooLarge {
                point: self.point.clone(),
                name: pack.name.clone(),
                bytes: pack.bytes,
            });
        }
        if self.is_time_up() {
            return Ok(false);
        }
        let vault = self.ports.vault.as_ref();
        let name = file_key(self.application, self.point, &pack.name);
        match self.state_of(&name, pack).await? {
            FileState::Whole => return Ok(true),
            FileState::Unknown => return Ok(false),
            FileState::Missing => {}
        }
        let mut upload = vault
            .upload_verified(&name, pack.sha256)
            .await
            .map_err(|source| self.write_error(source))?;
        let mut pieces = std::pin::pin!(opened.pieces(pack));
        while let Some(piece) = pieces.next().await {
            if self.is_time_up() {
                // Best effort: an upload that is not finished never becomes visible.
                drop(upload.abort().await);
                return Ok(false);
            }
            upload
                .write(piece?)
                .await
                .map_err(|source| self.write_error(source))?;
        }
        match upload.finish().await {
            Ok(_) => Ok(true),
            Err(StoreError::OtherContent { expected, found, .. }) => {
                let source = VerifyError::Digest {
                    name: pack.name.clone(),
                    expected,
                    found,
                };
                Err(opened.file_error(pack, source).into())
            }
            // Another coordinator copied it, or the response to the first attempt was lost.
            Err(StoreError::Exists { .. }) => Ok(self.state_of(&name, pack).await? == FileState::Whole),
            Err(source) => Err(self.write_error(source)),
        }
    }

    /// Returns whether the vault contains the complete file. A file whose content was verified when it was written is
    /// not read; one that differs from the signed digest is deleted.
    async fn state_of(&self, name: &ObjectKey, pack: &PackRecord) -> Result<FileState, CopyError> {
        let vault = self.ports.vault.as_ref();
        let info = match vault.head(name).await {
            Ok(info) => info,
            Err(StoreError::NotFound { .. }) => return Ok(FileState::Missing),
            Err(source) => return Err(self.write_error(source)),
        };
        let is_whole = match info.sha256 {
            _ if info.size != pack.bytes => false,
            Some(sha256) => sha256 == pack.sha256,
            // A store without a record of digests, or an object of a former version.
            None => match self.digest(name, pack).await? {
                Some(sha256) => sha256 == pack.sha256,
                None => return Ok(FileState::Unknown),
            },
        };
        if is_whole {
            return Ok(FileState::Whole);
        }
        vault
            .delete(name)
            .await
            .map_err(|source| self.write_error(source))?;
        Ok(FileState::Missing)
    }

    /// Reads a file of the vault; `None` if the time is up before its end.
    async fn digest(&self, name: &ObjectKey, pack: &PackRecord) -> Result<Option<Sha256>, CopyError> {
        let mut hasher = Hasher::default();
        let mut start = 0;
        while start < pack.bytes {
            if self.is_time_up() {
                return Ok(None);
            }
            let end = pack.bytes.min(start + PIECE);
            let piece = self.ports.vault.get_range(name, start..end).await;
            hasher.update(&piece.map_err(|source| self.write_error(source))?);
            start = end;
        }
        Ok(Some(hasher.finish()))
    }

    fn write_error(&self, source: StoreError) -> CopyError {
        CopyError::Write {
            point: self.point.clone(),
            source,
        }
    }
}
