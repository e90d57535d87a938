//! The backup flow that all callers share: capture clusters into packs, then seal the recovery point.
//!
//! [`ClusterCapture`] writes one cluster of a recovery point and can be stopped and continued by another process.
//! [`Backup`] captures all clusters in one process and seals them.

use std::collections::BTreeSet;
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
use lifeboat_recovery_point::{
    PointError, PointRepository, PointWriter, SealError, WriteError, write_descriptions,
};
use lifeboat_store::ports::{Clock, ObjectStore, Randomness, Signer};
use tokio_util::sync::CancellationToken;

use crate::infrastructure::{DescribeResources, describe};
use crate::{CaptureError, CaptureEvent, CaptureOptions, CaptureProgress, Ended, capture_part, within};

/// The capture of one cluster into the packs of a recovery point.
pub struct ClusterCapture<'a> {
    /// The API server of the cluster.
    pub api: &'a Api,
    /// What is captured, with which concurrency and retries.
    pub options: &'a CaptureOptions,
    /// The store that the packs are written to.
    pub store: Arc<dyn ObjectStore>,
    /// The application.
    pub application: &'a ApplicationName,
    /// The recovery point.
    pub point: &'a RecoveryPointId,
    /// The name of the cluster in the application.
    pub cluster: &'a ClusterName,
    /// The public halves of the recovery keys, to each of which data keys are wrapped.
    pub recipients: &'a [RecipientKey],
    /// The identity of this writer, if several processes write packs of the same recovery point.
    pub writer: Option<WriterId>,
    /// The source of the current time.
    pub clock: &'a dyn Clock,
    /// The source of randomness for data keys.
    pub randomness: &'a dyn Randomness,
}

/// The outcome of the capture of a cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum ClusterEnd {
    /// The capture is complete.
    Complete {
        /// The record of the cluster for the manifest.
        cluster: Box<CapturedCluster>,
        /// Notes for the user, in addition to what is missing.
        notes: Vec<String>,
    },
    /// The capture was cancelled. It continues from the checkpoint; without one it starts from the beginning.
    Stopped(Option<Box<ClusterCheckpoint>>),
}

impl ClusterCapture<'_> {
    /// Captures the cluster, or what remains after the checkpoint `from`, until the end or until `cancellation`. If
    /// the capture fails, its packs are removed where the store allows it.
    ///
    /// # Errors
    /// [`CaptureError`] if nothing more can be read or written. A type that cannot be read is not an error: the
    /// record of the cluster lists it.
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
            self.recipients,
            self.randomness,
        )?;
        if let Some(id) = self.writer {
            // The name of a data key must differ between all clusters, parts and epochs of a recovery point.
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
                // Packs that cannot be removed now are removed with the unfinished recovery point.
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

/// The packs and keys that all processes have written for a cluster.
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

    /// Adds the packs of one writer. A key without packs is left out, because each restore would pay one KMS call for
    /// it.
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
    /// The name of the cluster in the application.
    pub name: ClusterName,
    /// Its API server.
    pub api: &'a Api,
    /// What is captured, with which concurrency and retries. The deadline applies to this cluster.
    pub options: CaptureOptions,
}

/// A backup of an application: all of its clusters, captured one after another and sealed together.
pub struct Backup<'a> {
    /// The store that the recovery point is written to.
    pub store: Arc<dyn ObjectStore>,
    /// The application.
    pub application: &'a ApplicationName,
    /// The clusters of the application.
    pub clusters: Vec<SourceCluster<'a>>,
    /// The AWS resources that they stand on, and the names of the clusters in EKS; none if these are not described.
    pub infrastructure: Option<(&'a dyn DescribeResources, BTreeSet<String>)>,
    /// The public halves of the recovery keys, to each of which data keys are wrapped.
    pub recipients: &'a [RecipientKey],
    /// The key that signs the manifest.
    pub signer: &'a dyn Signer,
    /// The version of the program, recorded in the manifest.
    pub version: &'a str,
    /// The source of the current time.
    pub clock: &'a dyn Clock,
    /// The source of randomness for data keys and IDs.
    pub randomness: &'a dyn Randomness,
}

/// A backup that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct BackedUp {
    /// The recovery point.
    pub sealed: SealedPoint,
    /// Notes for the user, in addition to what is missing.
    pub notes: Vec<String>,
}

impl Backup<'_> {
    /// Creates the recovery point. It becomes visible with its manifest, which is written last.
    ///
    /// # Errors
    /// [`BackupError`]; no recovery point was created, and the next backup removes what was written.
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
                recipients: self.recipients,
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
        let infrastructure = match self.infrastructure {
            None => None,
            Some((resources, clusters)) => {
                progress.event(&CaptureEvent::Describing);
                let described = describe(resources, clusters, &captured, self.clock.now()).await;
                let written = write_descriptions(
                    self.store.as_ref(),
                    self.application,
                    &point,
                    1,
                    described,
                    self.recipients,
                    self.randomness,
                );
                Some(written.await?)
            }
        };
        progress.event(&CaptureEvent::Sealing);
        let new = NewPoint {
            application: self.application,
            point: &point,
            created_at,
            version: self.version,
        };
        let sealed = seal(
            self.store.as_ref(),
            self.signer,
            new.predicate(captured, infrastructure),
        )
        .await?;
        Ok(BackedUp {
            sealed,
            notes: all_notes,
        })
    }
}

/// The error of a backup that created no recovery point.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A cluster cannot be captured.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Earlier recovery points cannot be read from the store.
    #[error(transparent)]
    Store(#[from] PointError),
    /// The descriptions of AWS resources cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The recovery point cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Diagnostic for BackupError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Capture(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Write(error) => error.kind(),
            Self::Seal(error) => error.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Capture(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Write(error) => error.code(),
            Self::Seal(error) => error.code(),
        }
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Capture(error) => error.problem(),
            Self::Store(error) => error.problem(),
            Self::Write(error) => error.problem(),
            Self::Seal(error) => error.problem(),
        }
    }
}
