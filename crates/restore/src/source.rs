//! Sources of the objects' bytes during a restore.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_format::FrameRef;
use lifeboat_model::{Diagnostic as _, ErrorKind};
use lifeboat_recovery_point::ReadablePoint;
use tokio::sync::OnceCell;

/// A failure to read an object's bytes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("read {what} of the recovery point: {cause}")]
pub struct SourceError {
    /// The frame or object that was asked for.
    pub what: String,
    /// The cause, without any content of the object.
    pub cause: String,
    /// How a caller reacts to the failure.
    pub kind: ErrorKind,
}

impl SourceError {
    /// Returns the kind, which says how a caller reacts.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// A source of whole frames: newline-terminated objects of one type, in the order of the recovery point.
#[async_trait]
pub trait FrameSource: Send + Sync {
    /// Returns the plaintext of the frame with this number (`Locator::frame`).
    async fn frame(&self, frame: u32) -> Result<Bytes, SourceError>;
}

/// A source of single objects by frame and position.
#[async_trait]
pub trait ObjectSource: Send + Sync {
    /// Returns the object's bytes as captured.
    async fn object(&self, frame: u32, position: u32) -> Result<Bytes, SourceError>;
}

/// The number of frames in the cache. A restore reads in the order of its plan, which follows the order of
/// the frames except for objects that a rule moves to another wave or depth. With frames of about 1 MiB this
/// limits the memory of the source to tens of MiB.
const FRAMES_KEPT: usize = 16;

/// A source of objects that caches the most recently used frames.
pub struct CachedFrames<F> {
    frames: F,
    kept: Mutex<VecDeque<(u32, Arc<OnceCell<Frame>>)>>,
}

struct Frame {
    plaintext: Bytes,
    /// The start and end of each object in bytes, without its newline.
    objects: Vec<(usize, usize)>,
}

impl<F: FrameSource> CachedFrames<F> {
    /// Creates a cache on top of `frames`.
    pub fn new(frames: F) -> Self {
        Self {
            frames,
            kept: Mutex::new(VecDeque::new()),
        }
    }

    /// Returns the cell of a frame. The first caller reads the frame; concurrent callers wait for the same
    /// read.
    fn cell(&self, frame: u32) -> Arc<OnceCell<Frame>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(number, _)| *number == frame) {
            let entry = kept.remove(at).expect("the position was just found");
            let cell = Arc::clone(&entry.1);
            kept.push_back(entry);
            return cell;
        }
        if kept.len() == FRAMES_KEPT {
            kept.pop_front();
        }
        let cell = Arc::new(OnceCell::new());
        kept.push_back((frame, Arc::clone(&cell)));
        cell
    }
}

#[async_trait]
impl<F: FrameSource> ObjectSource for CachedFrames<F> {
    async fn object(&self, frame: u32, position: u32) -> Result<Bytes, SourceError> {
        let cell = self.cell(frame);
        let read = cell
            .get_or_try_init(|| async {
                let plaintext = self.frames.frame(frame).await?;
                Ok::<_, SourceError>(Frame {
                    objects: lines(&plaintext),
                    plaintext,
                })
            })
            .await?;
        let missing = || SourceError {
            what: format!("object {position} of frame {frame}"),
            cause: format!("the frame contains {} objects", read.objects.len()),
            kind: ErrorKind::Corrupt,
        };
        let at = usize::try_from(position).map_err(|_| missing())?;
        let (start, end) = *read.objects.get(at).ok_or_else(missing)?;
        Ok(read.plaintext.slice(start..end))
    }
}

/// The frames of one cluster of a recovery point, by their numbers in its index.
pub struct PointFrames<'a> {
    point: &'a ReadablePoint,
    frames: Vec<FrameRef>,
}

impl<'a> PointFrames<'a> {
    /// Creates a source that reads these frames, in the order of the index, from `point`.
    #[must_use]
    pub fn new(point: &'a ReadablePoint, frames: Vec<FrameRef>) -> Self {
        Self { point, frames }
    }
}

#[async_trait]
impl FrameSource for PointFrames<'_> {
    async fn frame(&self, frame: u32) -> Result<Bytes, SourceError> {
        let what = || format!("frame {frame}");
        let at = usize::try_from(frame).ok();
        let frame = at.and_then(|at| self.frames.get(at)).ok_or_else(|| SourceError {
            what: what(),
            cause: "the index has no such frame".to_owned(),
            kind: ErrorKind::Corrupt,
        })?;
        // Reading authenticates the frame; the digest in the plan then verifies that each object is the
        // planned one.
        (self.point.read_frame(frame).await).map_err(|error| SourceError {
            what: what(),
            cause: error.to_string(),
            kind: error.kind(),
        })
    }
}

fn lines(plaintext: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', plaintext) {
        found.push((start, end));
        start = end + 1;
    }
    if start < plaintext.len() {
        found.push((start, plaintext.len()));
    }
    found
}

/// Objects in memory, for tests and for restores of a few objects without a recovery point.
#[derive(Default)]
pub struct MemorySource {
    frames: BTreeMap<u32, Vec<Bytes>>,
}

impl MemorySource {
    /// Creates a source of these objects, all in frame 0, in this order.
    pub fn new(objects: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let objects = objects.into_iter().map(Bytes::from).collect();
        Self {
            frames: BTreeMap::from([(0, objects)]),
        }
    }
}

#[async_trait]
impl ObjectSource for MemorySource {
    async fn object(&self, frame: u32, position: u32) -> Result<Bytes, SourceError> {
        usize::try_from(position)
            .ok()
            .and_then(|at| self.frames.get(&frame)?.get(at))
            .cloned()
            .ok_or_else(|| SourceError {
                what: format!("object {position} of frame {frame}"),
                cause: "there is no such object".to_owned(),
                kind: ErrorKind::Corrupt,
            })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Counted(AtomicUsize);

    #[async_trait]
    impl FrameSource for &Counted {
        async fn frame(&self, frame: u32) -> Result<Bytes, SourceError> {
            let reads = self.0.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if frame == 99 && reads == 0 {
                return Err(SourceError {
                    what: "frame 99".into(),
                    cause: "gone".into(),
                    kind: ErrorKind::Retry,
                });
            }
            Ok(Bytes::from(format!("{{\"f\":{frame}}}\n{{\"second\":1}}\n")))
        }
    }

    #[tokio::test]
    async fn a_frame_is_read_once_for_all_who_ask_at_the_same_time() {
        let counted = Counted(AtomicUsize::new(0));
        let source = CachedFrames::new(&counted);
        let both = futures::future::join_all((0..8).map(|i| source.object(7, i % 2))).await;
        assert_eq!(both[0].as_ref().unwrap().as_ref(), b"{\"f\":7}");
        assert_eq!(both[1].as_ref().unwrap().as_ref(), b"{\"second\":1}");
        assert_eq!(counted.0.load(Ordering::SeqCst), 1);
        assert_eq!(source.object(7, 2).await.unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[tokio::test]
    async fn a_failed_read_is_not_remembered_and_old_frames_are_let_go() {
        let counted = Counted(AtomicUsize::new(0));
        let source = CachedFrames::new(&counted);
        assert!(source.object(99, 0).await.is_err());
        assert!(source.object(99, 0).await.is_ok());
        for frame in 0..u32::try_from(FRAMES_KEPT).unwrap() {
            source.object(frame, 0).await.unwrap();
        }
        let before = counted.0.load(Ordering::SeqCst);
        source.object(0, 0).await.unwrap();
        assert_eq!(counted.0.load(Ordering::SeqCst), before);
        source.object(99, 0).await.unwrap();
        assert_eq!(counted.0.load(Ordering::SeqCst), before + 1);
    }
}
