//! The index: where each object of a cluster lies, who it is, and its digest.
//!
//! The content of an index frame is lines of JSON: for each frame of objects one head line that names
//! the frame, then one line for each object in it, in order. Every byte of such a line is paid for once
//! for each object of the cluster, so a line holds only what must be known without reading the object.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lifeboat_model::{Code, Diagnostic, ErrorKind, PackName, TypeName};
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::compress::{CompressionError, Compressor};
use crate::digest::{LineDigest, Sha256};
use crate::pack::FrameLocation;

/// How many bytes of lines make an index frame worth writing. Restoring one namespace reads the whole
/// index, so frames need not be small; a quarter MiB keeps the memory of the writer low.
pub const INDEX_TARGET: usize = 256 << 10;

/// What the index says of one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// The object's namespace; empty for types without.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The digest of its line, without the line end.
    pub digest: LineDigest,
    /// The size of its line, without the line end.
    pub bytes: u64,
}

/// A frame of objects, as the index names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameRef {
    /// The pack that holds the frame.
    pub pack: PackName,
    /// Where the frame lies in it.
    pub location: FrameLocation,
    /// The type of all objects in it.
    pub type_name: TypeName,
}

/// An index that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A line is not what the format says.
    #[error("line {line} of the index is not {expected}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// What was expected.
        expected: &'static str,
    },
    /// The lines could not be compressed.
    #[error("the index could not be packed")]
    Compress(#[source] CompressionError),
}

impl Diagnostic for IndexError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Line { .. } => ErrorKind::Corrupt,
            Self::Compress(cause) => cause.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Line { .. } => Code::PackCorrupt,
            Self::Compress(cause) => cause.code(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    /// The file name of the pack: the index and the packs that it names lie in one folder.
    #[serde(borrow)]
    pack: Cow<'a, str>,
    frame: u32,
    offset: u64,
    length: u32,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

/// Collects index lines until they are worth a frame.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    lines: Vec<u8>,
}

impl IndexBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the group of a batch that was written to `pack` at `location`.
    pub fn add(&mut self, pack: &PackName, location: FrameLocation, batch: &Batch) {
        let head = Head {
            pack: Cow::Borrowed(file_name(pack)),
            frame: location.frame,
            offset: location.offset,
            length: location.length,
            r#type: Cow::Borrowed(batch.type_name.as_str()),
        };
        self.line(&head);
        for entry in &batch.entries {
            let digest = URL_SAFE_NO_PAD.encode(entry.digest.0);
            self.line(&(&entry.namespace, &entry.name, digest, entry.bytes));
        }
    }

    fn line(&mut self, value: &impl Serialize) {
        serde_json::to_writer(&mut self.lines, value)
            .expect("text and numbers can always be written as JSON");
        self.lines.push(b'\n');
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether [`INDEX_TARGET`] is reached and a frame should be written.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lines.len() >= INDEX_TARGET
    }

    /// Packs the lines, for [`crate::PackWriter::append`], and begins the next frame.
    ///
    /// # Errors
    /// [`IndexError::Compress`] where zstd fails.
    pub fn finish(&mut self, compressor: &mut Compressor) -> Result<Vec<u8>, IndexError> {
        let compressed = compressor.compress(&self.lines).map_err(IndexError::Compress)?;
        self.lines.clear();
        Ok(compressed)
    }
}

fn file_name(pack: &PackName) -> &str {
    pack.as_str()
        .rsplit_once('/')
        .map_or(pack.as_str(), |(_, file)| file)
}

/// Reads the content of an index frame. `index_pack` is the name of the index pack that holds it:
/// packs are named relative to its folder.
#[must_use]
pub fn read_index<'a>(plaintext: &'a [u8], index_pack: &'a PackName) -> IndexReader<'a> {
    IndexReader {
        rest: plaintext,
        folder: index_pack
            .as_str()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder),
        line: 0,
        failed: false,
    }
}

/// The groups of an index frame, one for each frame of objects.
#[derive(Debug)]
pub struct IndexReader<'a> {
    rest: &'a [u8],
    folder: &'a str,
    line: usize,
    failed: bool,
}

impl<'a> IndexReader<'a> {
    fn next_line(&mut self) -> Result<Option<&'a [u8]>, IndexError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let end = memchr::memchr(b'\n', self.rest).ok_or_else(|| self.wrong("a whole line"))?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(Some(line))
    }

    fn wrong(&self, expected: &'static str) -> IndexError {
        IndexError::Line {
            line: self.line,
            expected,
        }
    }

    fn group(&mut self) -> Result<Option<(FrameRef, Vec<IndexEntry>)>, IndexError> {
        let Some(line) = self.next_line()? else {
            return Ok(None);
        };
        let head: Head<'_> = serde_json::from_slice(line).map_err(|_| self.wrong("the head of a group"))?;
        let pack = PackName::parse(format!("{}/{}", self.folder, head.pack))
            .map_err(|_| self.wrong("the head of a group with the file name of a pack"))?;
        let frame = FrameRef {
            pack,
            location: FrameLocation {
                frame: head.frame,
                offset: head.offset,
                length: head.length,
            },
            type_name: TypeName::from(head.r#type.as_ref()),
        };
        let mut entries = Vec::new();
        while self.rest.first() == Some(&b'[') {
            let Some(line) = self.next_line()? else { break };
            entries.push(read_entry(line).ok_or_else(|| self.wrong("the entry of an object"))?);
        }
        Ok(Some((frame, entries)))
    }
}

/// Reads a line of version 2, or one of version 1: an index pack of an earlier point that a newer one
/// names is as it was written. The two differ in their number of elements.
fn read_entry(line: &[u8]) -> Option<IndexEntry> {
    type Current<'a> = (String, String, Cow<'a, str>, u64);
    // The UID behind the others is not used: it stands in the object.
    type First<'a> = (String, String, Cow<'a, str>, u64, Cow<'a, str>);
    if let Ok((namespace, name, digest, bytes)) = serde_json::from_slice::<Current<'_>>(line) {
        return Some(IndexEntry {
            namespace,
            name,
            digest: LineDigest(read_digest(&digest)?),
            bytes,
        });
    }
    let (namespace, name, digest, bytes, _) = serde_json::from_slice::<First<'_>>(line).ok()?;
    Some(IndexEntry {
        namespace,
        name,
        digest: Sha256(read_digest(&digest)?).into(),
        bytes,
    })
}

/// Decodes a digest of exactly `N` bytes.
fn read_digest<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut value = [0; N];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut value).ok()?;
    (length == N).then_some(value)
}

impl Iterator for IndexReader<'_> {
    type Item = Result<(FrameRef, Vec<IndexEntry>), IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let group = self.group();
        self.failed = group.is_err();
        group.transpose()
    }
}

#[cfg(test)]
mod tests;
