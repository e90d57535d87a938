//! A recovery point that was opened with the pinned key: its statement is verified, and its files exist with
//! the signed sizes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use lifeboat_format::limits::check_manifest_size;
use lifeboat_format::manifest::{ClusterRecord, PackRecord, open_envelope};
use lifeboat_format::verify::{VerifyError, check_file, check_place};
use lifeboat_format::{DataKey, Hasher, Sha256, Statement, VerifyingKey, WrappedKey};
use lifeboat_model::{ApplicationName, ClusterName, RecoveryPointId};

use crate::layout::{file_key, manifest_key, point_prefix};
use crate::progress::{Progress, Work};
use crate::readable::ReadablePoint;
use crate::summary::SignedSummary;
use lifeboat_store::listing::sizes;
use lifeboat_store::ports::{KeyError, KeyUnwrapper, ObjectStore, StoreError};

mod error;

pub use error::PointError;

/// The number of bytes per read of a file.
const READ_BYTES: u64 = 1 << 20;

/// The number of concurrent reads, so that the store works while we compute digests.
const READS_AHEAD: usize = 3;

/// A data key of a recovery point.
#[derive(Debug)]
pub struct UnwrappedKey {
    /// The name by which packs refer to it.
    pub id: String,
    /// The key as the manifest holds it.
    pub wrapped: WrappedKey,
    /// The key.
    pub key: DataKey,
}

/// A recovery point whose manifest was verified. Clones share it.
#[derive(Clone)]
pub struct RecoveryPoint {
    pub(crate) store: Arc<dyn ObjectStore>,
    statement: Arc<Statement>,
    manifest: Sha256,
}

impl std::fmt::Debug for RecoveryPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecoveryPoint({}/{})", self.application(), self.point())
    }
}

impl RecoveryPoint {
    /// Opens a recovery point. Checks the signature first, then that the manifest was signed for this
    /// location, then that every file exists with its signed size.
    ///
    /// # Errors
    /// [`PointError`] with the file and the reason.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        application: &ApplicationName,
        point: &RecoveryPointId,
        key: &VerifyingKey,
    ) -> Result<Self, PointError> {
        let (statement, manifest) = read_manifest(store.as_ref(), application, point, key).await?;
        let opened = Self {
            store,
            statement: Arc::new(statement),
            manifest,
        };
        opened.check_presence().await?;
        Ok(opened)
    }

    /// Returns the statement as it was signed.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Returns the application that the recovery point belongs to.
    #[must_use]
    pub fn application(&self) -> &ApplicationName {
        &self.statement.predicate.application
    }

    /// Returns the id of the recovery point.
    #[must_use]
    pub fn point(&self) -> &RecoveryPointId {
        &self.statement.predicate.point
    }

    /// Returns the digest of `manifest.json`, which identifies the whole recovery point.
    #[must_use]
    pub fn manifest_digest(&self) -> Sha256 {
        self.manifest
    }

    /// Returns the record of a cluster.
    ///
    /// # Errors
    /// [`PointError::NoCluster`] with the clusters that exist.
    pub fn cluster(&self, name: &ClusterName) -> Result<&ClusterRecord, PointError> {
        let clusters = &self.statement.predicate.clusters;
        clusters
            .iter()
            .find(|cluster| cluster.name == *name)
            .ok_or_else(|| PointError::NoCluster {
                point: self.point().clone(),
                wanted: name.clone(),
                there: clusters.iter().map(|c| c.name.clone()).collect(),
            })
    }

    /// Returns all files of the recovery point.
    pub fn files(&self) -> impl Iterator<Item = &PackRecord> {
        self.statement.predicate.packs()
    }

    /// Returns the total size of all files in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files().map(|pack| pack.bytes).sum()
    }

    /// Returns the summary of the recovery point.
    #[must_use]
    pub fn summary(&self) -> SignedSummary {
        SignedSummary::of(&self.statement, self.manifest)
    }

    /// Reads every file once and compares its digest with the signed one. Needs no private key.
    ///
    /// # Errors
    /// [`PointError`] with the first file that differs from what was signed.
    pub async fn verify_digests(&self, progress: &dyn Progress) -> Result<(), PointError> {
        self.verify_digests_after(0, progress).await
    }

    /// Like [`RecoveryPoint::verify_digests`], without the first `verified` files in the order of the manifest.
    pub(crate) async fn verify_digests_after(
        &self,
        verified: usize,
        progress: &dyn Progress,
    ) -> Result<(), PointError> {
        progress.begin(Work::VerifyDigests, self.bytes());
        for pack in self.files().skip(verified) {
            progress.file(pack.name.as_str());
            let mut hasher = Hasher::default();
            let mut pieces = std::pin::pin!(self.pieces(pack));
            while let Some(piece) = pieces.next().await {
                let piece = piece?;
                hasher.update(&piece);
                progress.advance(piece.len() as u64);
            }
            self.check_digest(pack, hasher.finish())?;
        }
        progress.end(Work::VerifyDigests);
        Ok(())
    }

    /// Unwraps the data keys, each once, in the order of the manifest.
    ///
    /// # Errors
    /// [`PointError::Key`] if the recovery point was made for another recovery key.
    pub async fn unwrap_keys(&self, unwrapper: &dyn KeyUnwrapper) -> Result<Vec<UnwrappedKey>, PointError> {
        let mut keys = Vec::new();
        for record in &self.statement().predicate.keys {
            let failed = |source| PointError::Key {
                point: self.point().clone(),
                source,
            };
            let held = unwrapper.fingerprint();
            let wrapped = record.for_recipient(&held).ok_or_else(|| {
                failed(KeyError::WrongKey {
                    wanted: record.fingerprints().cloned().collect(),
                    held,
                })
            })?;
            keys.push(UnwrappedKey {
                id: record.id.clone(),
                key: unwrapper.unwrap_key(&wrapped).await.map_err(failed)?,
                wrapped,
            });
        }
        Ok(keys)
    }

    /// Unwraps the data keys, each once, so that contents can be read.
    ///
    /// # Errors
    /// [`PointError::Key`] if the recovery point was made for another recovery key.
    pub async fn decrypt(&self, unwrapper: &dyn KeyUnwrapper) -> Result<ReadablePoint, PointError> {
        ReadablePoint::decrypt(self.clone(), unwrapper).await
    }

    /// Returns the recovery point that contains the file of a pack.
    pub(crate) fn pack_owner<'a>(&'a self, pack: &'a PackRecord) -> &'a RecoveryPointId {
        pack.point.as_ref().unwrap_or_else(|| self.point())
    }

    pub(crate) fn check_digest(&self, pack: &PackRecord, found: Sha256) -> Result<(), PointError> {
        let checked = match pack.point {
            None => check_file(&self.statement, &pack.name, found, pack.bytes),
            Some(_) if found == pack.sha256 => Ok(()),
            Some(_) => Err(VerifyError::Digest {
                name: pack.name.clone(),
                expected: pack.sha256,
                found,
            }),
        };
        checked.map_err(|source| self.file_error(pack, source))
    }

    /// Returns the error for a file whose bytes differ from what was signed.
    #[must_use]
    pub fn file_error(&self, pack: &PackRecord, source: VerifyError) -> PointError {
        PointError::File {
            point: self.pack_owner(pack).clone(),
            source,
        }
    }

    /// Reads a file in order, in pieces. The stream is complete unless it ends with an error.
    pub fn pieces(&self, pack: &PackRecord) -> impl Stream<Item = Result<Bytes, PointError>> + use<> {
        let (point, pack) = (self.clone(), Arc::new(pack.clone()));
        let starts = (0..pack.bytes).step_by(usize::try_from(READ_BYTES).expect("a mebibyte fits"));
        stream::iter(starts)
            .map(move |start| {
                let (point, pack) = (point.clone(), Arc::clone(&pack));
                async move {
                    let end = pack.bytes.min(start + READ_BYTES);
                    point.read(&pack, start..end).await
                }
            })
            .buffered(READS_AHEAD)
    }

    pub(crate) async fn read(&self, pack: &PackRecord, range: Range<u64>) -> Result<Bytes, PointError> {
        let key = file_key(self.application(), self.pack_owner(pack), &pack.name);
        match self.store.get_range(&key, range).await {
            Ok(bytes) => Ok(bytes),
            Err(StoreError::NotFound { .. }) => Err(self.missing(pack)),
            Err(StoreError::OutOfRange { size, .. }) => Err(self.file_error(
                pack,
                VerifyError::Size {
                    name: pack.name.clone(),
                    expected: pack.bytes,
                    found: size,
                },
            )),
            Err(source) => Err(PointError::Store { source }),
        }
    }

    fn missing(&self, pack: &PackRecord) -> PointError {
        PointError::FileMissing {
            point: self.pack_owner(pack).clone(),
            name: pack.name.clone(),
        }
    }

    async fn check_presence(&self) -> Result<(), PointError> {
        let mut listings: BTreeMap<&RecoveryPointId, BTreeMap<String, u64>> = BTreeMap::new();
        for pack in self.files() {
            let holder = self.pack_owner(pack);
            if !listings.contains_key(holder) {
                let prefix = point_prefix(self.application(), holder);
                let listed = sizes(self.store.as_ref(), &prefix)
                    .await
                    .map_err(|source| PointError::Store { source })?;
                listings.insert(holder, listed);
            }
            match listings[holder].get(pack.name.as_str()) {
                None => return Err(self.missing(pack)),
                Some(found) if *found != pack.bytes => {
                    let size = VerifyError::Size {
                        name: pack.name.clone(),
                        expected: pack.bytes,
                        found: *found,
                    };
                    return Err(self.file_error(pack, size));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// Reads a manifest and returns it only if it is signed with the pinned key for this location.
pub(crate) async fn read_manifest(
    store: &dyn ObjectStore,
    application: &ApplicationName,
    point: &RecoveryPointId,
    key: &VerifyingKey,
) -> Result<(Statement, Sha256), PointError> {
    let bytes = manifest_bytes(store, application, point).await?;
    let statement = open_envelope(&bytes, key).map_err(|source| PointError::Manifest {
        point: point.clone(),
        source,
    })?;
    check_place(&statement, application, point).map_err(|source| PointError::File {
        point: point.clone(),
        source,
    })?;
    Ok((statement, Sha256::of(&bytes)))
}

/// Reads a manifest without verifying it. One that is too large is refused before it is read.
pub(crate) async fn manifest_bytes(
    store: &dyn ObjectStore,
    application: &ApplicationName,
    point: &RecoveryPointId,
) -> Result<Bytes, PointError> {
    let name = manifest_key(application, point);
    let not_found = || PointError::NotFound {
        application: application.clone(),
        wanted: point.to_string(),
    };
    let failed = |source| match source {
        StoreError::NotFound { .. } => not_found(),
        source => PointError::Store { source },
    };
    // A party that can write to the store must not be able to exhaust our memory.
    let listed = store.list(name.as_str(), None, 1).await.map_err(failed)?;
    let size = listed
        .first()
        .filter(|l| l.key == name)
        .ok_or_else(not_found)?
        .size;
    check_manifest_size(size).map_err(|limit| PointError::Manifest {
        point: point.clone(),
        source: limit.into(),
    })?;
    Ok(store.get(&name).await.map_err(failed)?.0)
}
