//! One backup flow for every caller: clusters into packs, then the seal that makes the recovery point.
//!
//! [`ClusterCapture`] writes one cluster of a recovery point and can be stopped and continued by another process.
//! [`Backup`] captures all clusters in one process and seals them.

use std::sync::Arc;

use jiff::Timestamp;
use lifeboat_apiserver::Api;
use lifeboat_format::RecipientKey;
use lifeboat_format::manifest::{PackRecord, WrappedKeyRecord};
use lifeboat_model::{ApplicationName, ClusterName, Code, Diagnostic, ErrorKind, Problem, RecoveryPointId};
use lifeboat_recovery_point::cursor::{CapturedCluster, ClusterCheckpoint, ListingCheckpoint};
use lifeboat_recovery_point::layout::WriterId;
use lifeboat_recovery_point::seal::{NewPoint, SealedPoint, seal};
use lifeboat_recovery_point::writer::WrittenPacks;
use lifeboat_recovery_point::{PointError, PointRepository, PointWriter, SealError};
use lifeboat_store::ports::{Clock, ObjectStore, Randomness, Signer};
use tokio_util::sync::CancellationToken;

use crate::{CaptureError, CaptureEvent, CaptureOptions, CaptureProgress, Ended, capture_part, within};

/// The capture of one cluster into the packs of a recovery point.
pub struct ClusterCapture<'a> {
    /// The API server of the cluster.
    pub api: &'a Api,
    /// What is captured, and how fast.
    pub options: &'a CaptureOptions,
    /// Where the packs go.
    pub store: Arc<dyn ObjectStore>,
    /// The application.
    pub application: &'a ApplicationName,
    /// The recovery point.
    pub point: &'a RecoveryPointId,
    /// The name of the cluster in the application.
    pub cluster: &'a ClusterName,
    /// The public half of the recovery key.
    pub recipient: &'a RecipientKey,
    /// Which writer this is, where several processes write packs of the same recovery point.
    pub writer: Option<WriterId>,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Where data keys come from.
    pub randomness: &'a dyn Randomness,
}

/// How the capture of a cluster ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ClusterEnd {
    /// The cluster is captured.
    Complete {
        /// The cluster as the manifest describes it.
        cluster: Box<CapturedCluster>,
        /// What a user should know beside what is missing.
        notes: Vec<String>,
    },
    /// The capture was cancelled. It continues from the checkpoint; without one it begins anew.
    Stopped(Option<Box<ClusterCheckpoint>>),
}

impl ClusterCapture<'_> {
    /// Captures the cluster, or what `from` leaves of it, until the end or until `cancellation`. The packs that were
    /// written by a capture that fails are removed where the store allows it.
    ///
    /// # Errors
    /// [`CaptureError`] where nothing more can be read or written. A type that cannot be read is no error: the record
    /// of the cluster names it.
    pub async fn run(
        &self,
        from: Option<ClusterCheckpoint>,
        cancellation: &CancellationToken,
        progress: &mut (dyn CaptureProgress + Send),
    ) -> Result<ClusterEnd, CaptureError> {
        let mut writer = PointWriter::create(
            Arc::clone(&self.store),
            self.application,
            self.point,
            self.cluster,
            self.recipient,
            self.randomness,
        )?;
        if let Some(id) = self.writer {
            // The name of a data key differs between all clusters, parts and epochs of a recovery point.
            writer = writer
                .with_key_id(format!("k-{}-{id}", self.cluster))
                .with_series(id);
        }
        let (mut written, listing) = match from {
            Some(from) => Written::from_checkpoint(from),
            None => (Written::nothing(self.clock.now()), None),
        };
        let captured = capture_part(
            self.api,
            self.options,
            listing,
            cancellation,
            &mut writer,
            progress,
        );
        let ended = match captured.await {
            Ok(Ended::Stopped(None)) => {
                // What cannot be removed is removed with the unfinished recovery point.
                drop(writer.abort().await);
                return Ok(ClusterEnd::Stopped(None));
            }
            Ok(ended) => ended,
            Err(error) => {
                drop(writer.abort().await);
                return Err(error);
            }
        };
        written.add(writer.finish().await?);
        Ok(match ended {
            Ended::Complete(mut captured) => {
                let notes = std::mem::take(&mut captured.notes);
                let (started_at, finished_at) = (written.started_at, self.clock.now());
                let record =
                    captured.into_record(self.cluster.clone(), started_at, finished_at, written.packs);
                ClusterEnd::Complete {
                    cluster: Box::new(CapturedCluster {
                        record,
                        keys: written.keys,
                    }),
                    notes,
                }
            }
            Ended::Stopped(listing) => ClusterEnd::Stopped(
                listing.map(|listing| Box::new(written.into_checkpoint(self.cluster, *listing))),
            ),
        })
    }
}

/// What all processes have written of a cluster.
struct Written {
    packs: Vec<PackRecord>,
    keys: Vec<WrappedKeyRecord>,
    started_at: Timestamp,
}

impl Written {
    fn nothing(started_at: Timestamp) -> Self {
        Self {
            packs: Vec::new(),
            keys: Vec::new(),
            started_at,
        }
    }

    fn from_checkpoint(from: ClusterCheckpoint) -> (Self, Option<ListingCheckpoint>) {
        let written = Self {
            packs: from.packs,
            keys: from.keys,
            started_at: from.started_at,
        };
        (written, Some(from.listing))
    }

    /// A key without packs is left out: it would cost each restore a call of KMS.
    fn add(&mut self, written: WrittenPacks) {
        if !written.packs.is_empty() {
            self.packs.extend(written.packs);
            self.keys.push(written.key);
        }
    }

    fn into_checkpoint(self, cluster: &ClusterName, listing: ListingCheckpoint) -> ClusterCheckpoint {
        ClusterCheckpoint {
            name: cluster.clone(),
            started_at: self.started_at,
            listing,
            packs: self.packs,
            keys: self.keys,
        }
    }
}

/// A cluster to back up.
pub struct SourceCluster<'a> {
    /// Its name in the application.
    pub name: ClusterName,
    /// Its API server.
    pub api: &'a Api,
    /// What is captured, and how fast. The deadline is that of this cluster.
    pub options: CaptureOptions,
}

/// A backup of an application: all of its clusters, captured one after another and sealed together.
pub struct Backup<'a> {
    /// Where the recovery point goes.
    pub store: Arc<dyn ObjectStore>,
    /// The application.
    pub application: &'a ApplicationName,
    /// Its clusters.
    pub clusters: Vec<SourceCluster<'a>>,
    /// The public half of the recovery key.
    pub recipient: &'a RecipientKey,
    /// The signing key.
    pub signer: &'a dyn Signer,
    /// The version of the program, for the manifest.
    pub version: &'a str,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Where data keys and ids come from.
    pub randomness: &'a dyn Randomness,
}

/// A backup that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct BackedUp {
    /// The recovery point.
    pub sealed: SealedPoint,
    /// What a user should know beside what is missing.
    pub notes: Vec<String>,
}

impl Backup<'_> {
    /// Makes the recovery point. It becomes visible with its manifest, which is written last.
    ///
    /// # Errors
    /// [`BackupError`]; no recovery point was made, and what was written of it is removed by the next backup.
    pub async fn run(self, progress: &mut (dyn CaptureProgress + Send)) -> Result<BackedUp, BackupError> {
        let repository = PointRepository::new(Arc::clone(&self.store), self.application.clone());
        let point = repository.next_id(self.clock, self.randomness).await?;
        let created_at = self.clock.now();
        let (mut captured, mut all_notes) = (Vec::new(), Vec::new());
        for cluster in &self.clusters {
            let capture = ClusterCapture {
                api: cluster.api,
                options: &cluster.options,
                store: Arc::clone(&self.store),
                application: self.application,
                point: &point,
                cluster: &cluster.name,
                recipient: self.recipient,
                writer: None,
                clock: self.clock,
                randomness: self.randomness,
            };
            let cancellation = CancellationToken::new();
            let run = capture.run(None, &cancellation, progress);
            match within(cluster.options.deadline, run).await? {
                ClusterEnd::Complete { cluster, notes } => {
                    captured.push(*cluster);
                    all_notes.extend(notes);
                }
                ClusterEnd::Stopped(_) => unreachable!("nobody else holds this token"),
            }
        }
        progress.event(&CaptureEvent::Sealing);
        let new = NewPoint {
            application: self.application,
            point: &point,
            created_at,
            version: self.version,
        };
        let sealed = seal(self.store.as_ref(), self.signer, new.predicate(captured)).await?;
        Ok(BackedUp {
            sealed,
            notes: all_notes,
        })
    }
}

/// Why no recovery point was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A cluster cannot be captured.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The store cannot be read for earlier recovery points.
    #[error(transparent)]
    Store(#[from] PointError),
    /// The recovery point cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Diagnostic for BackupError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Capture(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Seal(error) => error.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Capture(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Seal(error) => error.code(),
        }
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Capture(error) => error.problem(),
            Self::Store(error) => error.problem(),
            Self::Seal(error) => error.problem(),
        }
    }
}
