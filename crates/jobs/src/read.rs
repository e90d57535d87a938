//! Reads documents that other parties wrote: checks the size, then the format version, then the content, then
//! that the document belongs to its key.

use lifeboat_model::text::bounded;
use lifeboat_model::{Code, Diagnostic, ErrorKind, ObjectKey, Problem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::FORMAT;
use super::document::{Assignment, Cancel, Checkpoint, Claim, ProgressReport};
use super::keys::JobFile;
use super::result::JobResult;

/// The maximum size in bytes of a document without records of types. Larger ones were not written by
/// Lifeboat.
pub const SMALL: usize = 256 << 10;

/// The maximum size in bytes of a signed document: the base64 of a [`SMALL`] one, and its signature.
pub const SIGNED: usize = SMALL / 3 * 4 + (4 << 10);

/// The maximum size in bytes of a checkpoint or result: these contain a record of about 500 bytes for each
/// type of a cluster, and clusters with thousands of types exist.
pub const LARGE: usize = 2 << 20;

/// A document that has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The document exceeds its maximum size.
    #[error("read {key}: its size of {bytes} bytes exceeds the limit of {limit}")]
    Oversized {
        /// The key of the document.
        key: String,
        /// Its size in bytes.
        bytes: usize,
        /// The maximum size in bytes.
        limit: usize,
    },
    /// The document has another format version.
    #[error("read {key}: format {found} is not supported; this version reads format {supported}")]
    OtherFormat {
        /// The key of the document.
        key: String,
        /// Its format version.
        found: u64,
        /// The version that is read.
        supported: u32,
    },
    /// No key of the coordinator has signed the document.
    #[error("read {key}: no key of the coordinator has signed it")]
    Unsigned {
        /// The key of the document.
        key: String,
    },
    /// The content is not a valid document of this kind.
    #[error("read {key}: {what}")]
    Malformed {
        /// The key of the document.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// The document belongs to another key.
    #[error("read {key}: it is for {found}, not for {expected}")]
    Foreign {
        /// The key of the document.
        key: String,
        /// The key, application or environment that the document belongs to.
        found: String,
        /// What its key requires.
        expected: String,
    },
}

impl Diagnostic for DocumentError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::OtherFormat { .. } => ErrorKind::Invalid,
            Self::Unsigned { .. } => ErrorKind::Denied,
            Self::Oversized { .. } | Self::Malformed { .. } | Self::Foreign { .. } => ErrorKind::Corrupt,
        }
    }

    fn code(&self) -> Code {
        Code::JobDocumentRefused
    }

    fn problem(&self) -> Problem {
        let guidance = match self {
            Self::OtherFormat { .. } => {
                "deploy the same version of Lifeboat in all environments of the application"
            }
            Self::Unsigned { .. } => {
                "check who else can write to the scratch bucket; the document had no effect. If the key of the coordinator was changed, deploy the access stacks with the new CoordinatorPublicKey, then the applications"
            }
            _ => "check who else can write to the scratch bucket; the document had no effect",
        };
        Problem::new(self.code(), format!("failed to {self}"), guidance)
    }
}

/// A document of a job.
pub trait Document: Serialize + DeserializeOwned {
    /// The maximum size in bytes.
    const LIMIT: usize;

    /// Checks that the document belongs to this job and file; the error says what it belongs to.
    fn belongs(&self, job: &str, file: JobFile) -> Result<(), String>;

    /// Serializes the document. Equal documents have equal bytes.
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("documents have string keys and no other cause to fail")
    }
}

macro_rules! document {
    ($type:ty, $limit:expr, $file:expr) => {
        impl Document for $type {
            const LIMIT: usize = $limit;

            fn belongs(&self, job: &str, file: JobFile) -> Result<(), String> {
                let own: fn(&Self) -> JobFile = $file;
                if self.job.as_str() == job && own(self) == file {
                    Ok(())
                } else {
                    Err(own(self).key(&self.job).to_string())
                }
            }
        }
    };
}

impl Document for Assignment {
    const LIMIT: usize = SMALL;

    fn belongs(&self, job: &str, file: JobFile) -> Result<(), String> {
        let own = JobFile::Assignment(self.epoch);
        if self.job.as_str() != job || own != file {
            return Err(own.key(&self.job).to_string());
        }
        match self.application == self.job.application() {
            true => Ok(()),
            false => Err(format!("the application {}", self.application)),
        }
    }
}

document!(Claim, SMALL, |d| JobFile::Claim(d.epoch));
document!(Checkpoint, LARGE, |d| JobFile::Checkpoint(d.epoch));
document!(ProgressReport, SMALL, |d| JobFile::Progress(d.epoch));
document!(JobResult, LARGE, |_| JobFile::Result);
document!(Cancel, SMALL, |_| JobFile::Cancel);

#[derive(Deserialize)]
struct Version {
    format: u64,
}

/// Parses a document that is not part of a job: an application, a state or a registration. Their formats have
/// version 1. Checks size and version first, so that a newer document is distinguished from an invalid one.
///
/// # Errors
/// [`DocumentError`].
pub fn parse<T: DeserializeOwned>(key: &ObjectKey, bytes: &[u8], limit: usize) -> Result<T, DocumentError> {
    parse_format(key, bytes, limit, 1)
}

/// Parses a document of this format version.
///
/// # Errors
/// [`DocumentError`].
pub fn parse_format<T: DeserializeOwned>(
    key: &ObjectKey,
    bytes: &[u8],
    limit: usize,
    supported: u32,
) -> Result<T, DocumentError> {
    if bytes.len() > limit {
        return Err(DocumentError::Oversized {
            key: key.to_string(),
            bytes: bytes.len(),
            limit,
        });
    }
    let malformed = |error: serde_json::Error| malformed(key, &error);
    let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
    if version.format != u64::from(supported) {
        return Err(DocumentError::OtherFormat {
            key: key.to_string(),
            found: version.format,
            supported,
        });
    }
    serde_json::from_slice(bytes).map_err(malformed)
}

/// Returns the error of a document that cannot be parsed. The parser repeats parts of the document.
pub(crate) fn malformed(key: &ObjectKey, error: &serde_json::Error) -> DocumentError {
    DocumentError::Malformed {
        key: key.to_string(),
        what: bounded(&error.to_string()),
    }
}

/// Reads a document of a job.
///
/// # Errors
/// [`DocumentError`].
pub fn read<T: Document>(key: &ObjectKey, bytes: &[u8]) -> Result<T, DocumentError> {
    let document: T = parse_format(key, bytes, T::LIMIT, FORMAT)?;
    let (job, file) = JobFile::of_key(key.as_str()).ok_or_else(|| DocumentError::Malformed {
        key: key.to_string(),
        what: "not the key of a document".to_owned(),
    })?;
    match document.belongs(job.as_str(), file) {
        Ok(()) => Ok(document),
        Err(found) => Err(DocumentError::Foreign {
            key: key.to_string(),
            found,
            expected: key.to_string(),
        }),
    }
}
