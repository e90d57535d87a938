//! The index of a cluster in memory, and batches of objects that were checked against it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use lifeboat_format::{FrameRef, IndexEntry, LineDigest};
use lifeboat_model::{ObjectRef, TypeName};

/// The index entry of one frame of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedFrame {
    /// The location of the frame, and the type of its objects.
    pub frame: FrameRef,
    /// The entries of its objects, in order.
    pub entries: Vec<IndexEntry>,
}

/// The index of a cluster: its frames, numbered from 0 in the order in which they were stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    frames: Vec<Arc<IndexedFrame>>,
}

/// The location of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectLocation<'a> {
    /// The number of its frame in the index.
    pub frame: u32,
    /// The position of the object in the frame, from 0.
    pub position: u32,
    /// The type of the object.
    pub type_name: &'a TypeName,
    /// The index entry of the object.
    pub entry: &'a IndexEntry,
}

impl Index {
    pub(super) fn new(frames: Vec<IndexedFrame>) -> Self {
        Self {
            frames: frames.into_iter().map(Arc::new).collect(),
        }
    }

    /// Returns all frames. The position of a frame is its number.
    pub fn frames(&self) -> impl Iterator<Item = &IndexedFrame> {
        self.frames.iter().map(|indexed| &**indexed)
    }

    /// Returns all frames with their numbers. Whoever reads them one after the other frees the entries of each with its
    /// batch.
    pub fn into_numbered(self) -> impl Iterator<Item = (u32, Arc<IndexedFrame>)> {
        (0..).zip(self.frames)
    }

    /// Returns the frame with this number.
    #[must_use]
    pub fn frame(&self, number: u32) -> Option<&Arc<IndexedFrame>> {
        self.frames.get(usize::try_from(number).ok()?)
    }

    /// Returns the numbers of all frames.
    pub fn numbers(&self) -> std::ops::Range<u32> {
        0..number(self.frames.len())
    }

    /// Returns the numbers of the frames of a type, in order.
    pub fn frames_of<'a>(&'a self, type_name: &'a TypeName) -> impl Iterator<Item = u32> + 'a {
        let frames = self.frames.iter().enumerate();
        frames
            .filter(move |(_, indexed)| indexed.frame.type_name == *type_name)
            .map(|(at, _)| number(at))
    }

    /// Returns the types that have objects, and the number of objects of each.
    #[must_use]
    pub fn types(&self) -> BTreeMap<&TypeName, u64> {
        let mut types = BTreeMap::new();
        for indexed in &self.frames {
            *types.entry(&indexed.frame.type_name).or_default() += indexed.entries.len() as u64;
        }
        types
    }

    /// Returns the total number of objects.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.frames.iter().map(|f| f.entries.len() as u64).sum()
    }

    /// Returns the locations of the frames in order, without the entries of their objects.
    #[must_use]
    pub fn frame_refs(&self) -> Vec<FrameRef> {
        self.frames.iter().map(|indexed| indexed.frame.clone()).collect()
    }

    /// Iterates over all objects, in the order in which they were stored.
    pub fn iter(&self) -> impl Iterator<Item = ObjectLocation<'_>> {
        self.frames.iter().enumerate().flat_map(|(at, indexed)| {
            indexed
                .entries
                .iter()
                .enumerate()
                .map(move |(position, entry)| ObjectLocation {
                    frame: number(at),
                    position: number(position),
                    type_name: &indexed.frame.type_name,
                    entry,
                })
        })
    }

    /// Returns the location of an object.
    #[must_use]
    pub fn find(&self, object: &ObjectRef) -> Option<ObjectLocation<'_>> {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        self.iter().find(|located| {
            *located.type_name == object.r#type
                && *located.entry.name == *object.name
                && located.entry.namespace == namespace
        })
    }
}

/// A pack numbers its frames with 32 bits, and an index with more frames would not fit in memory.
fn number(at: usize) -> u32 {
    u32::try_from(at).expect("an index in memory has fewer than 2^32 parts")
}

/// The objects of one frame, each checked against its index entry.
#[derive(Debug, Clone)]
pub struct ObjectBatch {
    number: u32,
    indexed: Arc<IndexedFrame>,
    plaintext: Bytes,
    /// The offset of each line.
    starts: Vec<usize>,
}

impl ObjectBatch {
    /// Compares the lines of a frame with the index, one by one.
    pub(super) fn check(number: u32, indexed: Arc<IndexedFrame>, plaintext: Bytes) -> Result<Self, String> {
        let starts = check_lines(&indexed.entries, &plaintext)?;
        Ok(Self {
            number,
            indexed,
            plaintext,
            starts,
        })
    }

    /// Returns the number of the frame in the index.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns the type of all objects.
    #[must_use]
    pub fn type_name(&self) -> &TypeName {
        &self.indexed.frame.type_name
    }

    /// Returns the number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are no objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Returns the object at a position: its JSON without a line end.
    #[must_use]
    pub fn object(&self, position: u32) -> Option<Bytes> {
        let position = usize::try_from(position).ok()?;
        let start = *self.starts.get(position)?;
        let length = usize::try_from(self.indexed.entries[position].bytes).ok()?;
        Some(self.plaintext.slice(start..start + length))
    }

    /// Iterates over all objects in order, with their positions and index entries.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &IndexEntry, &[u8])> {
        let parts = self.starts.iter().zip(&self.indexed.entries).enumerate();
        parts.map(|(position, (start, entry))| {
            let length = usize::try_from(entry.bytes).expect("the length was compared with a line in memory");
            (number(position), entry, &self.plaintext[*start..start + length])
        })
    }
}

/// Compares lines with index entries: their number, sizes and digests. Returns the offset of each line.
pub(super) fn check_lines(entries: &[IndexEntry], plaintext: &[u8]) -> Result<Vec<usize>, String> {
    let mut starts = Vec::with_capacity(entries.len());
    let mut at = 0_usize;
    for (position, entry) in entries.iter().enumerate() {
        let line = usize::try_from(entry.bytes)
            .ok()
            .and_then(|length| at.checked_add(length))
            .filter(|end| plaintext.get(*end) == Some(&b'\n'))
            .map(|end| &plaintext[at..end])
            .ok_or_else(|| format!("the length of object {position} differs from the index"))?;
        if LineDigest::of(line) != entry.digest {
            return Err(format!("the digest of object {position} differs from the index"));
        }
        starts.push(at);
        at += line.len() + 1;
    }
    if at == plaintext.len() {
        Ok(starts)
    } else {
        Err(format!(
            "it contains more than the {} objects of the index",
            entries.len()
        ))
    }
}
