//! A recovery point whose data keys are available: its index, frames by ranged reads, streams of objects, and
//! the verification of all contents.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use lifeboat_format::compress::MAX_PLAINTEXT;
use lifeboat_format::manifest::{PackRecord, PackRecordKind};
use lifeboat_format::{
    DataKey, Frame, FrameOpener, FrameRef, PackError, PackIdentity, PackReader, PackSummary, PackVersion,
    read_index,
};
use lifeboat_model::ClusterName;
use zeroize::Zeroizing;

use crate::point::{PointError, RecoveryPoint};
use crate::progress::{Progress, Work};
use lifeboat_store::ports::KeyUnwrapper;

mod contents;
mod index;

pub use contents::ContentsReport;
pub use index::{Index, IndexedFrame, ObjectBatch, ObjectLocation};

/// The number of frames that are read ahead.
const FRAMES_AHEAD: usize = 3;

/// A recovery point whose contents can be decrypted.
pub struct ReadablePoint {
    point: RecoveryPoint,
    keys: BTreeMap<String, DataKey>,
}

/// A readable recovery point whose files were all verified against the signed digests. A restore accepts no
/// other.
#[derive(Debug)]
pub struct VerifiedPoint(ReadablePoint);

impl Deref for VerifiedPoint {
    type Target = ReadablePoint;

    fn deref(&self) -> &ReadablePoint {
        &self.0
    }
}

impl std::fmt::Debug for ReadablePoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReadablePoint({:?}, [redacted])", self.point)
    }
}

/// Errors of reading a pack: those of the pack itself, and those of the caller's frame handler.
enum Failure {
    Pack(PackError),
    Point(PointError),
}

impl From<PackError> for Failure {
    fn from(error: PackError) -> Self {
        Self::Pack(error)
    }
}

impl ReadablePoint {
    pub(crate) async fn decrypt(
        point: RecoveryPoint,
        unwrapper: &dyn KeyUnwrapper,
    ) -> Result<Self, PointError> {
        let keys = point.unwrap_keys(unwrapper).await?.into_iter();
        let keys = keys.map(|unwrapped| (unwrapped.id, unwrapped.key)).collect();
        Ok(Self { point, keys })
    }

    /// Reads every file once and compares its digest with the signed one.
    ///
    /// # Errors
    /// [`PointError`] with the first file that differs from what was signed.
    pub async fn verify(self, progress: &dyn Progress) -> Result<VerifiedPoint, PointError> {
        self.verify_after(0, progress).await
    }

    /// Like [`ReadablePoint::verify`], for a caller whose earlier process has verified the first `verified` files, in
    /// the order of the manifest. Files of a recovery point never change, and each frame that is read is
    /// authenticated again when it is decrypted.
    ///
    /// # Errors
    /// [`PointError`] with the first file that differs from what was signed.
    pub async fn verify_after(
        self,
        verified: usize,
        progress: &dyn Progress,
    ) -> Result<VerifiedPoint, PointError> {
        self.point.verify_digests_after(verified, progress).await?;
        Ok(VerifiedPoint(self))
    }

    /// Returns the recovery point without its keys.
    #[must_use]
    pub fn point(&self) -> &RecoveryPoint {
        &self.point
    }

    /// Returns the key of the digests that replace this recovery point's values ([`DataKey::redaction_key`]
    /// of its first data key). A recovery point without a data key has no objects, so the fixed key that is
    /// returned then protects nothing.
    #[must_use]
    pub fn redaction_key(&self) -> Zeroizing<[u8; 32]> {
        match self.keys.first_key_value() {
            Some((_, key)) => key.redaction_key(),
            None => Zeroizing::new([0; 32]),
        }
    }

    /// Reads the whole index of a cluster into memory: about 200 bytes for each object.
    ///
    /// # Errors
    /// [`PointError`] with the file and the reason.
    pub async fn index(&self, cluster: &ClusterName) -> Result<Index, PointError> {
        self.index_with(cluster, &crate::progress::Silent).await
    }

    /// Reads the index like [`ReadablePoint::index`] and reports progress.
    ///
    /// # Errors
    /// [`PointError`] with the file and the reason.
    pub async fn index_with(
        &self,
        cluster: &ClusterName,
        progress: &dyn Progress,
    ) -> Result<Index, PointError> {
        let record = self.point.cluster(cluster)?;
        let packs = || record.packs.iter().filter(|p| p.kind == PackRecordKind::Index);
        progress.begin(Work::ReadIndex, packs().map(|p| p.bytes).sum());
        // The index is in memory as a whole: it must not be larger than what was signed. No frame is without an object.
        let (mut objects, mut groups) = (0, 0);
        let mut frames = Vec::new();
        for pack in packs() {
            self.read_pack(Some(cluster), pack, progress, &mut |frame| {
                for group in read_index(frame.plaintext, &pack.name) {
                    let (frame, entries) = group.map_err(|source| PointError::Index {
                        point: self.point.pack_owner(pack).clone(),
                        name: pack.name.clone(),
                        source,
                    })?;
                    objects += entries.len() as u64;
                    groups += 1;
                    if objects.max(groups) > record.objects {
                        return Err(PointError::Contents {
                            point: self.point.pack_owner(pack).clone(),
                            name: pack.name.to_string(),
                            what: format!(
                                "it names more than the {} objects of the manifest",
                                record.objects
                            ),
                        });
                    }
                    frames.push(IndexedFrame { frame, entries });
                }
                Ok(())
            })
            .await?;
        }
        progress.end(Work::ReadIndex);
        Ok(Index::new(frames))
    }

    /// Reads one frame with one ranged read and decrypts it. The result is lines of JSON, one for each
    /// object.
    ///
    /// # Errors
    /// [`PointError`] with the file and the reason.
    pub async fn read_frame(&self, frame: &FrameRef) -> Result<Bytes, PointError> {
        let (cluster, pack) = self.pack(frame)?;
        let location = frame.location;
        let end = location.offset.saturating_add(u64::from(location.length));
        let bytes = self.point.read(pack, location.offset..end).await?;
        let fail = |source| self.pack_error(pack, source);
        let (version, key) = (self.version(pack), self.key(pack)?);
        let opener = FrameOpener::new(version, pack.kind.into(), key, self.identity(Some(cluster), pack))
            .map_err(fail)?;
        let plaintext = opener.open(location, &bytes).map_err(fail)?;
        Ok(plaintext.into())
    }

    /// Reads one frame of an index and checks each object in it against the index.
    ///
    /// # Errors
    /// [`PointError`] with the file and the reason.
    pub async fn batch(&self, index: &Index, number: u32) -> Result<ObjectBatch, PointError> {
        let indexed = index.frame(number).ok_or_else(|| PointError::Contents {
            point: self.point.point().clone(),
            name: "the index".to_owned(),
            what: format!("frame {number} does not exist"),
        })?;
        self.numbered_batch(number, indexed.clone()).await
    }

    async fn numbered_batch(
        &self,
        number: u32,
        indexed: Arc<IndexedFrame>,
    ) -> Result<ObjectBatch, PointError> {
        let plaintext = self.read_frame(&indexed.frame).await?;
        let frame = indexed.frame.clone();
        ObjectBatch::check(number, indexed, plaintext).map_err(|what| self.contents_error(&frame, what))
    }

    /// Streams the objects of these frames ([`Index::into_numbered`]), in the given order, each checked against the
    /// index. A few frames are kept in memory.
    pub fn objects<'a, F>(&'a self, frames: F) -> impl Stream<Item = Result<ObjectBatch, PointError>> + 'a
    where
        F: IntoIterator<Item = (u32, Arc<IndexedFrame>)>,
        F::IntoIter: 'a,
    {
        stream::iter(frames)
            .map(move |(number, indexed)| self.numbered_batch(number, indexed))
            .buffered(FRAMES_AHEAD)
    }

    /// Reads the descriptions of AWS resources: one document of JSON. `None` if the recovery point has none.
    ///
    /// # Errors
    /// [`PointError`] with the file and the reason.
    pub async fn descriptions(&self, progress: &dyn Progress) -> Result<Option<Bytes>, PointError> {
        let infrastructure = &self.point.statement().predicate.infrastructure;
        let Some(pack) = infrastructure.as_ref().and_then(|record| record.pack.as_ref()) else {
            return Ok(None);
        };
        let mut document = Vec::new();
        self.read_pack(None, pack, progress, &mut |frame| {
            document.extend_from_slice(frame.plaintext);
            let is_too_large = document.len() > MAX_PLAINTEXT;
            match is_too_large {
                true => Err(self.descriptions_error(pack, "it has more than one frame of descriptions")),
                false => Ok(()),
            }
        })
        .await?;
        match document.pop() {
            Some(b'\n') if !document.contains(&b'\n') => Ok(Some(document.into())),
            _ => Err(self.descriptions_error(pack, "it is not one line")),
        }
    }

    fn descriptions_error(&self, pack: &PackRecord, what: &str) -> PointError {
        PointError::Contents {
            point: self.point.pack_owner(pack).clone(),
            name: pack.name.to_string(),
            what: what.to_owned(),
        }
    }

    /// Decrypts everything and checks every object against the index, the index against the packs, and the
    /// counts against the manifest.
    ///
    /// # Errors
    /// [`PointError`] with the file and the first mismatch.
    pub async fn verify_contents(&self, progress: &dyn Progress) -> Result<ContentsReport, PointError> {
        contents::verify(self, progress).await
    }

    /// Reads a whole pack in order and passes on each frame after it was authenticated. At the end, checks
    /// that the file is complete and equals what was signed.
    async fn read_pack(
        &self,
        cluster: Option<&ClusterName>,
        pack: &PackRecord,
        progress: &dyn Progress,
        on_frame: &mut (dyn FnMut(Frame<'_>) -> Result<(), PointError> + Send),
    ) -> Result<(), PointError> {
        progress.file(pack.name.as_str());
        let fail = |source| self.pack_error(pack, source);
        let (version, key) = (self.version(pack), self.key(pack)?);
        let identity = self.identity(cluster, pack);
        let mut reader = PackReader::new(version, pack.kind.into(), key, identity).map_err(fail)?;
        let mut pieces = std::pin::pin!(self.point.pieces(pack));
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            let pushed = reader.push(&piece, |frame| on_frame(frame).map_err(Failure::Point));
            match pushed {
                Ok(()) => {}
                Err(Failure::Pack(source)) => return Err(fail(source)),
                Err(Failure::Point(error)) => return Err(error),
            }
            progress.advance(piece.len() as u64);
        }
        let PackSummary { sha256, frames, .. } = reader.finish().map_err(fail)?;
        self.point.check_digest(pack, sha256)?;
        if frames != pack.frames {
            return Err(PointError::Contents {
                point: self.point.pack_owner(pack).clone(),
                name: pack.name.to_string(),
                what: format!("it has {frames} frames; the manifest lists {}", pack.frames),
            });
        }
        Ok(())
    }

    /// Returns what the key of a pack is bound to. The names are those under which the point is opened, so that the pack
    /// of another application does not open, whatever the manifest says about its key.
    fn identity<'a>(&'a self, cluster: Option<&'a ClusterName>, pack: &'a PackRecord) -> PackIdentity<'a> {
        PackIdentity {
            application: self.point.application(),
            cluster,
            point: self.point.pack_owner(pack),
            name: &pack.name,
        }
    }

    fn version(&self, pack: &PackRecord) -> PackVersion {
        self.point.statement().predicate.pack_version(pack)
    }

    /// Returns the record of the pack that contains a frame, and the cluster that it belongs to.
    fn pack(&self, frame: &FrameRef) -> Result<(&ClusterName, &PackRecord), PointError> {
        let clusters = self.point.statement().predicate.clusters.iter();
        let mut packs =
            clusters.flat_map(|cluster| cluster.packs.iter().map(move |pack| (&cluster.name, pack)));
        packs
            .find(|(_, pack)| pack.name == frame.pack && pack.kind == PackRecordKind::Objects)
            .ok_or_else(|| {
                self.contents_error(
                    frame,
                    "the index refers to a pack that is not in the manifest".to_owned(),
                )
            })
    }

    fn key(&self, pack: &PackRecord) -> Result<&DataKey, PointError> {
        self.keys.get(&pack.key).ok_or_else(|| PointError::Contents {
            point: self.point.point().clone(),
            name: pack.name.to_string(),
            what: format!("its key {} is not in the manifest", pack.key),
        })
    }

    fn pack_error(&self, pack: &PackRecord, source: PackError) -> PointError {
        PointError::Pack {
            point: self.point.pack_owner(pack).clone(),
            name: pack.name.clone(),
            source,
        }
    }

    fn contents_error(&self, frame: &FrameRef, what: String) -> PointError {
        PointError::Contents {
            point: self.point.point().clone(),
            name: frame.pack.to_string(),
            what: format!("frame {}: {what}", frame.location.frame),
        }
    }
}
