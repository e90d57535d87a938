//! The index: the location, the identity and the digest of each object of a cluster.
//!
//! The content of an index frame is lines of JSON: for each frame of objects, one head line that names the
//! frame, then one line for each object in it, in order. The size of such a line counts once for each object
//! of the cluster, so a line contains only what must be known without reading the object.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lifeboat_model::{Code, Diagnostic, ErrorKind, PackName, TypeName};
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::compress::{CompressionError, Compressor};
use crate::digest::{LineDigest, Sha256};
use crate::pack::FrameLocation;

/// The number of bytes of lines at which an index frame is written. Restoring one namespace reads the whole
/// index, so frames need not be small; 256 KiB limits the memory of the writer.
pub const INDEX_TARGET: usize = 256 << 10;

/// The index entry of one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// The namespace of the object; empty for cluster-scoped types.
    pub namespace: String,
    /// The name of the object.
    pub name: String,
    /// The digest of the object's line, without the line end.
    pub digest: LineDigest,
    /// The size of the object's line in bytes, without the line end.
    pub bytes: u64,
}

/// A frame of objects, as referenced by the index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameRef {
    /// The pack that contains the frame.
    pub pack: PackName,
    /// The location of the frame in the pack.
    pub location: FrameLocation,
    /// The type of all objects in the frame.
    pub type_name: TypeName,
}

/// The error for an index that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A line does not have the form that the format requires.
    #[error("line {line} of the index is not {expected}")]
    Line {
        /// The number of the line, from 1.
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
    /// The file name of the pack. The index and the packs that it names are in the same folder.
    #[serde(borrow)]
    pack: Cow<'a, str>,
    frame: u32,
    offset: u64,
    length: u32,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

/// Collects index lines until there are enough for a frame.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    lines: Vec<u8>,
}

impl IndexBuilder {
    /// Creates an empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the entries of a batch that was written to `pack` at `location`.
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

    /// Whether the builder contains no lines.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether [`INDEX_TARGET`] is reached, so a frame should be written.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lines.len() >= INDEX_TARGET
    }

    /// Compresses the lines for [`crate::PackWriter::append`] and begins the next frame.
    ///
    /// # Errors
    /// [`IndexError::Compress`] if zstd fails.
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

/// Reads the content of an index frame. `index_pack` is the name of the index pack that contains the frame;
/// the packs in the index are named relative to its folder.
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

/// An iterator over the groups of an index frame, one for each frame of objects.
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

/// Parses a line of version 2 or of version 1: an index pack of an earlier recovery point, referenced by a
/// newer one, is unchanged. The versions differ in their number of elements.
fn read_entry(line: &[u8]) -> Option<IndexEntry> {
    type Current<'a> = (String, String, Cow<'a, str>, u64);
    // The UID after the other elements is not used: the object contains it.
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

/// Decodes a digest of exactly `N` bytes; `None` for any other length.
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
