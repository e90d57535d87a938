//! The index of a cluster in memory, and batches of objects that were checked against it.

use std::collections::BTreeMap;

use bytes::Bytes;
use lifeboat_format::{FrameRef, IndexEntry, LineDigest};
use lifeboat_model::{ObjectRef, TypeName};

/// One frame of objects, as the index names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedFrame {
    /// Where it lies, and of which type its objects are.
    pub frame: FrameRef,
    /// Its objects, in order.
    pub entries: Vec<IndexEntry>,
}

/// The index of a cluster: its frames, numbered from 0 in the order in which they were stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    frames: Vec<IndexedFrame>,
}

/// Where an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectLocation<'a> {
    /// The number of its frame in the index.
    pub frame: u32,
    /// Its position in the frame.
    pub position: u32,
    /// The type of its frame.
    pub type_name: &'a TypeName,
    /// What the index says of it.
    pub entry: &'a IndexEntry,
}

impl Index {
    pub(super) fn new(frames: Vec<IndexedFrame>) -> Self {
        Self { frames }
    }

    /// All frames; a frame's place is its number.
    #[must_use]
    pub fn frames(&self) -> &[IndexedFrame] {
        &self.frames
    }

    /// The frame of this number.
    #[must_use]
    pub fn frame(&self, number: u32) -> Option<&IndexedFrame> {
        self.frames.get(usize::try_from(number).ok()?)
    }

    /// The numbers of all frames.
    pub fn numbers(&self) -> std::ops::Range<u32> {
        0..number(self.frames.len())
    }

    /// The numbers of the frames of a type, in order.
    pub fn frames_of<'a>(&'a self, type_name: &'a TypeName) -> impl Iterator<Item = u32> + 'a {
        let frames = self.frames.iter().enumerate();
        frames
            .filter(move |(_, indexed)| indexed.frame.type_name == *type_name)
            .map(|(at, _)| number(at))
    }

    /// Every type that has objects, and how many.
    #[must_use]
    pub fn types(&self) -> BTreeMap<&TypeName, u64> {
        let mut types = BTreeMap::new();
        for indexed in &self.frames {
            *types.entry(&indexed.frame.type_name).or_default() += indexed.entries.len() as u64;
        }
        types
    }

    /// How many objects there are.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.frames.iter().map(|f| f.entries.len() as u64).sum()
    }

    /// Every object, in the order in which they were stored.
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

    /// Where an object lies.
    #[must_use]
    pub fn find(&self, object: &ObjectRef) -> Option<ObjectLocation<'_>> {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        self.iter().find(|located| {
            *located.type_name == object.r#type
                && located.entry.name == object.name
                && located.entry.namespace == namespace
        })
    }
}

/// A pack numbers its frames with 32 bits, and memory ends before an index has more.
fn number(at: usize) -> u32 {
    u32::try_from(at).expect("an index in memory has fewer than 2^32 parts")
}

/// The objects of one frame, each of which is the one that the index names.
#[derive(Debug, Clone)]
pub struct ObjectBatch<'a> {
    number: u32,
    indexed: &'a IndexedFrame,
    plaintext: Bytes,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'a> ObjectBatch<'a> {
    /// Compares a frame's lines with the index, one by one.
    pub(super) fn check(number: u32, indexed: &'a IndexedFrame, plaintext: Bytes) -> Result<Self, String> {
        let starts = check_lines(&indexed.entries, &plaintext)?;
        Ok(Self {
            number,
            indexed,
            plaintext,
            starts,
        })
    }

    /// The number of the frame in the index.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The type of all objects.
    #[must_use]
    pub fn type_name(&self) -> &'a TypeName {
        &self.indexed.frame.type_name
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The object at a position: its JSON without a line end.
    #[must_use]
    pub fn object(&self, position: u32) -> Option<Bytes> {
        let position = usize::try_from(position).ok()?;
        let start = *self.starts.get(position)?;
        let length = usize::try_from(self.indexed.entries[position].bytes).ok()?;
        Some(self.plaintext.slice(start..start + length))
    }

    /// All objects in order, with their positions and index entries.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &'a IndexEntry, &[u8])> {
        let parts = self.starts.iter().zip(&self.indexed.entries).enumerate();
        parts.map(|(position, (start, entry))| {
            let length = usize::try_from(entry.bytes).expect("the length was compared with a line in memory");
            (number(position), entry, &self.plaintext[*start..start + length])
        })
    }
}

/// Compares lines with index entries: as many, as long, of the same digest. Answers where each begins.
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
