//! Writes one cluster's capture to a recovery point: receives batches and writes packs and their index.
//!
//! Memory use is independent of the size of the cluster. Kept at any time are the pieces of a pack that are
//! not in the store yet (about [`PIECE`] each for objects and for the index), the index lines of the current
//! index frame, and one small record for each finished pack.
//!
//! Tasks that list types concurrently compress batches themselves and pass them to the one writer, which only
//! encrypts, hashes and uploads.

use std::sync::Arc;

use bytes::Bytes;
use lifeboat_format::manifest::{PackRecord, WrappedKeyRecord};
use lifeboat_format::{
    Batch, CompressionError, Compressor, DataKey, IndexBuilder, IndexError, KeyError, PackError,
    PackIdentity, PackKind, PackWriter, RecipientKey,
};
use lifeboat_model::{ApplicationName, ClusterName, Code, Diagnostic, ErrorKind, PackName, RecoveryPointId};
use zeroize::Zeroizing;

use crate::layout::{WriterId, file_key, pack_names};
use lifeboat_store::ports::{ObjectStore, Randomness, StoreError, Upload};

/// The size in bytes at which a pack is closed. It is large enough that a store is not filled with small
/// files, and small enough that uploading one again costs little.
pub const PACK_BYTES: u64 = 64 << 20;

/// The number of bytes that are collected before they are uploaded. Frames are smaller than what is efficient
/// for stores.
pub const PIECE: usize = 1 << 20;

/// The id of the data key if a recovery point contains one cluster.
pub const FIRST_KEY: &str = "k-0";

/// The error for packs that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The data key cannot be wrapped for the recovery key.
    #[error("wrap the data key")]
    Wrap(#[source] KeyError),
    /// The store failed.
    #[error("write the pack {name}")]
    Store {
        /// The name of the pack.
        name: PackName,
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The pack cannot be encrypted.
    #[error("encrypt the pack {name}")]
    Pack {
        /// The name of the pack.
        name: PackName,
        /// The cause.
        #[source]
        source: PackError,
    },
    /// The index cannot be created.
    #[error("write the index of the cluster")]
    Index(#[source] IndexError),
    /// The compression library cannot allocate memory, or the content is too large for a frame.
    #[error("compress what is written")]
    Compress(#[source] CompressionError),
    /// An earlier call failed or was cancelled, so the packs are incomplete.
    #[error("continue writing packs after an earlier failure")]
    Broken,
}

impl Diagnostic for WriteError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Wrap(source) => source.kind(),
            Self::Store { source, .. } => source.kind(),
            Self::Pack { source, .. } => source.kind(),
            Self::Index(source) => source.kind(),
            Self::Compress(source) => source.kind(),
            Self::Broken => ErrorKind::Bug,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Wrap(source) => source.code(),
            Self::Store { source, .. } => source.code(),
            Self::Pack { source, .. } => source.code(),
            Self::Index(source) => source.code(),
            Self::Compress(source) => source.code(),
            Self::Broken => Code::Bug,
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::Store { source, .. } => return source.guidance(),
            Self::Wrap(_) => "check the public key of the recovery key",
            _ => "run the backup again; if it fails again, report a bug",
        }
        .to_owned()
    }
}

/// The result of a finished writer, for the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPacks {
    /// The files; packs of objects and their indexes alternate.
    pub packs: Vec<PackRecord>,
    /// The wrapped data key of the packs.
    pub key: WrappedKeyRecord,
    /// The number of objects in the packs.
    pub objects: u64,
    /// The total size of the objects' lines in bytes, line ends included.
    pub bytes: u64,
}

/// Writes the packs of one cluster of a recovery point.
pub struct PointWriter {
    store: Arc<dyn ObjectStore>,
    application: ApplicationName,
    point: RecoveryPointId,
    cluster: ClusterName,
    data_key: DataKey,
    key: WrappedKeyRecord,
    series: Option<WriterId>,
    pack_bytes: u64,
    piece: usize,
    compressor: Compressor,
    lines: IndexBuilder,
    open: Option<OpenPair>,
    written: Vec<PackRecord>,
    objects: u64,
    bytes: u64,
    /// Set while a call is running, and permanently if a call did not complete.
    broken: bool,
}

/// A pack of objects and its index, which are closed together: the index of a pack can be read without any
/// other, so that a later recovery point can reference both again.
struct OpenPair {
    objects: OpenPack,
    index: OpenPack,
}

struct OpenPack {
    name: PackName,
    kind: PackKind,
    writer: PackWriter,
    upload: Box<dyn Upload>,
    /// The bytes that have not been uploaded yet.
    pending: Vec<u8>,
}

impl PointWriter {
    /// Begins the packs of `cluster`. Nothing is written before the first batch. A new data key is generated
    /// and wrapped for each recovery key, so this process cannot later read what it wrote.
    ///
    /// # Errors
    /// [`WriteError::Wrap`].
    pub fn create(
        store: Arc<dyn ObjectStore>,
        application: &ApplicationName,
        point: &RecoveryPointId,
        cluster: &ClusterName,
        recipients: &[RecipientKey],
        ids: &dyn Randomness,
    ) -> Result<Self, WriteError> {
        let mut random = Zeroizing::new([0; 32]);
        ids.random(random.as_mut());
        let data_key = DataKey::from_random(*random);
        let key = WrappedKeyRecord::wrap(FIRST_KEY, application, Some(cluster), &data_key, recipients)
            .map_err(WriteError::Wrap)?;
        Ok(Self {
            store,
            application: application.clone(),
            point: point.clone(),
            cluster: cluster.clone(),
            data_key,
            key,
            series: None,
            pack_bytes: PACK_BYTES,
            piece: PIECE,
            compressor: Compressor::new().map_err(WriteError::Compress)?,
            lines: IndexBuilder::new(),
            open: None,
            written: Vec::new(),
            objects: 0,
            bytes: 0,
            broken: false,
        })
    }

    /// Sets the id of the data key; [`FIRST_KEY`] by default. Each cluster of a recovery point has its own.
    #[must_use]
    pub fn with_key_id(mut self, id: impl Into<String>) -> Self {
        self.key.id = id.into();
        self
    }

    /// Sets the series in the names of the packs, for one of several writers of the same cluster and recovery
    /// point. Each writer needs its own series: a name is written only once, and the files of a writer that
    /// was killed are never continued.
    #[must_use]
    pub fn with_series(mut self, series: WriterId) -> Self {
        self.series = Some(series);
        self
    }

    /// Sets the size in bytes at which packs are closed; [`PACK_BYTES`] by default.
    #[must_use]
    pub fn with_pack_bytes(mut self, bytes: u64) -> Self {
        self.pack_bytes = bytes;
        self
    }

    /// Sets the size in bytes of uploaded pieces; [`PIECE`] by default.
    #[must_use]
    pub fn with_piece(mut self, bytes: usize) -> Self {
        self.piece = bytes;
        self
    }

    /// Returns the recovery point that is written.
    #[must_use]
    pub fn point(&self) -> &RecoveryPointId {
        &self.point
    }

    /// Returns the cluster that is written.
    #[must_use]
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Appends a batch as one frame. An empty batch is ignored.
    ///
    /// # Errors
    /// [`WriteError`]; after that, the writer can only be aborted.
    pub async fn append(&mut self, batch: Batch) -> Result<(), WriteError> {
        if batch.entries.is_empty() {
            return Ok(());
        }
        self.begin()?;
        let mut pair = match self.open.take() {
            Some(pair) => pair,
            None => self.open_pair().await?,
        };
        let location = pair.objects.append(&batch.compressed)?;
        self.lines.add(&pair.objects.name, location, &batch);
        self.objects += batch.entries.len() as u64;
        self.bytes += batch.raw_bytes;
        // Releases the memory before waiting for the store.
        drop(batch);
        if self.lines.is_full() {
            self.flush_lines(&mut pair)?;
        }
        pair.objects.send(self.piece).await?;
        pair.index.send(self.piece).await?;
        if pair.objects.writer.bytes() >= self.pack_bytes {
            self.close(pair).await?;
        } else {
            self.open = Some(pair);
        }
        self.broken = false;
        Ok(())
    }

    /// Closes the last pack. All files are in the store then, but have no effect until a manifest references
    /// them.
    ///
    /// # Errors
    /// [`WriteError`]; the files that were written are removed by the next run.
    pub async fn finish(mut self) -> Result<WrittenPacks, WriteError> {
        self.begin()?;
        if let Some(pair) = self.open.take() {
            self.close(pair).await?;
        }
        Ok(WrittenPacks {
            packs: self.written,
            key: self.key,
            objects: self.objects,
            bytes: self.bytes,
        })
    }

    /// Aborts and removes everything that was written.
    ///
    /// # Errors
    /// If the store cannot remove it; the next run removes it then.
    pub async fn abort(mut self) -> Result<(), WriteError> {
        if let Some(pair) = self.open.take() {
            pair.objects.abort().await?;
            pair.index.abort().await?;
        }
        for pack in &self.written {
            let key = file_key(&self.application, &self.point, &pack.name);
            self.store.delete(&key).await.map_err(store_error(&pack.name))?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), WriteError> {
        if self.broken {
            return Err(WriteError::Broken);
        }
        self.broken = true;
        Ok(())
    }

    async fn open_pair(&mut self) -> Result<OpenPair, WriteError> {
        let pairs = u32::try_from(self.written.len() / 2).expect("packs of 64 MiB never number so many");
        let (objects, index) = pack_names(&self.cluster, self.series.as_ref(), pairs);
        Ok(OpenPair {
            objects: self.open_pack(objects, PackKind::Objects).await?,
            index: self.open_pack(index, PackKind::Index).await?,
        })
    }

    async fn open_pack(&mut self, name: PackName, kind: PackKind) -> Result<OpenPack, WriteError> {
        let identity = PackIdentity {
            application: &self.application,
            cluster: Some(&self.cluster),
            point: &self.point,
            name: &name,
        };
        let writer = PackWriter::new(kind, &self.data_key, identity).map_err(pack_error(&name))?;
        let key = file_key(&self.application, &self.point, &name);
        let upload = self.store.upload(&key).await.map_err(store_error(&name))?;
        Ok(OpenPack {
            name,
            kind,
            writer,
            upload,
            pending: Vec::new(),
        })
    }

    fn flush_lines(&mut self, pair: &mut OpenPair) -> Result<(), WriteError> {
        let compressed = self
            .lines
            .finish(&mut self.compressor)
            .map_err(WriteError::Index)?;
        pair.index.append(&compressed)?;
        Ok(())
    }

    async fn close(&mut self, mut pair: OpenPair) -> Result<(), WriteError> {
        if !self.lines.is_empty() {
            self.flush_lines(&mut pair)?;
        }
        let objects = pair.objects.close(&self.key.id).await?;
        let index = pair.index.close(&self.key.id).await?;
        self.written.extend([objects, index]);
        Ok(())
    }
}

impl OpenPack {
    fn append(&mut self, compressed: &[u8]) -> Result<lifeboat_format::FrameLocation, WriteError> {
        self.writer
            .append(compressed, &mut self.pending)
            .map_err(pack_error(&self.name))
    }

    /// Uploads the pending bytes if there are at least `at_least`.
    async fn send(&mut self, at_least: usize) -> Result<(), WriteError> {
        if self.pending.len() < at_least || self.pending.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.pending));
        self.upload.write(piece).await.map_err(store_error(&self.name))
    }

    async fn close(mut self, key: &str) -> Result<PackRecord, WriteError> {
        let summary = self
            .writer
            .finish(&mut self.pending)
            .map_err(pack_error(&self.name))?;
        let last = Bytes::from(self.pending);
        self.upload.write(last).await.map_err(store_error(&self.name))?;
        self.upload.finish().await.map_err(store_error(&self.name))?;
        Ok(PackRecord::new(self.name, self.kind, key, &summary))
    }

    async fn abort(self) -> Result<(), WriteError> {
        self.upload.abort().await.map_err(store_error(&self.name))
    }
}

pub(crate) fn store_error(name: &PackName) -> impl FnOnce(StoreError) -> WriteError + '_ {
    |source| WriteError::Store {
        name: name.clone(),
        source,
    }
}

pub(crate) fn pack_error(name: &PackName) -> impl FnOnce(PackError) -> WriteError + '_ {
    |source| WriteError::Pack {
        name: name.clone(),
        source,
    }
}
