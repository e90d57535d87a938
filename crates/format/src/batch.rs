//! Batches: the objects of one type that go into one frame.

use lifeboat_model::{Code, Diagnostic, ErrorKind, TypeName};

use crate::compress::{CompressionError, Compressor, MAX_PLAINTEXT};
use crate::digest::LineDigest;
use crate::index::IndexEntry;
use crate::metadata::{MetadataError, ObjectMetadata, peek_metadata};

/// The number of raw bytes at which a batch is written as a frame. 1 MiB contains several hundred objects,
/// enough for zstd to find their common parts, and is also the amount that must be read to get a single
/// object.
pub const BATCH_TARGET: usize = 1 << 20;

/// The error for an object that cannot be added to a batch, or a batch that cannot be compressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes are not an object with a name.
    #[error("an item of the list is not a Kubernetes object")]
    NotAnObject(#[source] MetadataError),
    /// The bytes are not JSON: a line break inside a string, or not UTF-8.
    #[error("an item of the list is not JSON: {what}")]
    NotJson {
        /// What is wrong.
        what: &'static str,
    },
    /// The batch would exceed the maximum size of a frame.
    #[error("the batch is full")]
    Full,
    /// The batch could not be compressed.
    #[error("the batch could not be packed")]
    Compress(#[source] CompressionError),
}

impl Diagnostic for BatchError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAnObject(cause) => cause.kind(),
            Self::NotJson { .. } => ErrorKind::Invalid,
            Self::Full => ErrorKind::Bug,
            Self::Compress(cause) => cause.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotAnObject(_) | Self::NotJson { .. } => Code::InvalidList,
            Self::Full => Code::Bug,
            Self::Compress(cause) => cause.code(),
        }
    }
}

/// A finished batch: the content of one frame, and its index entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The type of all objects in the batch.
    pub type_name: TypeName,
    /// The lines of the objects, compressed as one zstd frame.
    pub compressed: Vec<u8>,
    /// The index entries of the objects, in order.
    pub entries: Vec<IndexEntry>,
    /// The total size of the lines in bytes, line ends included.
    pub raw_bytes: u64,
}

/// Collects objects of one type as lines. The buffers are reused for the next batch.
#[derive(Debug)]
pub struct BatchBuilder {
    type_name: TypeName,
    /// `"apiVersion":"apps/v1",` and `"kind":"Deployment",`, for items that do not contain them.
    api_version_member: Vec<u8>,
    kind_member: Vec<u8>,
    lines: Vec<u8>,
    entries: Vec<IndexEntry>,
}

impl BatchBuilder {
    /// Creates a builder for objects of one type. `api_version` and `kind` are added to items that do not
    /// contain them: items in lists of built-in types do not.
    #[must_use]
    pub fn new(api_version: &str, kind: &str, type_name: TypeName) -> Self {
        let member =
            |name: &str, value: &str| format!("{name:?}:{},", serde_json::Value::from(value)).into_bytes();
        Self {
            type_name,
            api_version_member: member("apiVersion", api_version),
            kind_member: member("kind", kind),
            lines: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Adds an item as the API server sent it.
    ///
    /// # Errors
    /// [`BatchError`]; the batch is unchanged.
    pub fn push(&mut self, raw: &[u8]) -> Result<(), BatchError> {
        let found = peek_metadata(raw).map_err(BatchError::NotAnObject)?;
        self.push_glanced(raw, &found)
    }

    /// Adds an item whose metadata is already known. `found` must be the result of [`peek_metadata`] for the
    /// same bytes.
    pub fn push_glanced(&mut self, raw: &[u8], found: &ObjectMetadata<'_>) -> Result<(), BatchError> {
        let added = self.api_version_member.len() + self.kind_member.len() + 1;
        if self.lines.len() + raw.len() + added > MAX_PLAINTEXT {
            return Err(BatchError::Full);
        }
        if std::str::from_utf8(raw).is_err() {
            return Err(BatchError::NotJson {
                what: "it is not UTF-8",
            });
        }
        let raw = raw.trim_ascii();
        let Some(rest) = raw.strip_prefix(b"{") else {
            return Err(BatchError::NotAnObject(MetadataError::NotAnObject {
                at: 0,
                expected: "an object",
            }));
        };
        let begin = self.lines.len();
        self.lines.push(b'{');
        if !found.has_api_version {
            self.lines.extend_from_slice(&self.api_version_member);
        }
        if !found.has_kind {
            self.lines.extend_from_slice(&self.kind_member);
        }
        self.lines.extend_from_slice(rest);
        if memchr::memchr(b'\n', rest).is_some() && !join_lines(&mut self.lines[begin..]) {
            self.lines.truncate(begin);
            return Err(BatchError::NotJson {
                what: "a string holds a line break",
            });
        }
        let line = &self.lines[begin..];
        self.entries.push(IndexEntry {
            namespace: found.namespace.as_deref().unwrap_or_default().to_owned(),
            name: found.name.clone().into_owned(),
            digest: LineDigest::of(line),
            bytes: line.len() as u64,
        });
        self.lines.push(b'\n');
        Ok(())
    }

    /// Returns the total size of the lines in bytes.
    #[must_use]
    pub fn raw_len(&self) -> usize {
        self.lines.len()
    }

    /// Returns the number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the batch contains no objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether [`BATCH_TARGET`] is reached, so the batch should be finished.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lines.len() >= BATCH_TARGET
    }

    /// Compresses the batch and begins the next one.
    ///
    /// # Errors
    /// [`BatchError::Compress`] if zstd fails.
    pub fn finish(&mut self, compressor: &mut Compressor) -> Result<Batch, BatchError> {
        let compressed = compressor.compress(&self.lines).map_err(BatchError::Compress)?;
        let raw_bytes = self.lines.len() as u64;
        self.lines.clear();
        // Release the memory of a very large object instead of keeping it until the end of the capture.
        self.lines.shrink_to(2 * BATCH_TARGET);
        Ok(Batch {
            type_name: self.type_name.clone(),
            compressed,
            entries: std::mem::take(&mut self.entries),
            raw_bytes,
        })
    }
}

/// Replaces line breaks between tokens with spaces. Returns false if a line break is inside a string.
fn join_lines(line: &mut [u8]) -> bool {
    let (mut in_string, mut escaped) = (false, false);
    for byte in line {
        match byte {
            b'\n' if in_string => return false,
            b'\n' => *byte = b' ',
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests;
