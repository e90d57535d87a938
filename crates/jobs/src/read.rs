//! Reads documents that other parties wrote: checks the size, then the format version, then the content, then
//! that the document belongs to its key.

use lifeboat_model::{Code, Diagnostic, ErrorKind, ObjectKey, Problem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::FORMAT;
use super::document::{Assignment, Cancel, Checkpoint, Claim};
use super::keys::JobFile;
use super::result::JobResult;

/// The maximum size in bytes of a document without records of types. Larger ones were not written by
/// Lifeboat.
pub const SMALL: usize = 256 << 10;

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
    /// The document has a newer format version.
    #[error("read {key}: format {found} is not supported; this version reads format {FORMAT}")]
    Newer {
        /// The key of the document.
        key: String,
        /// Its format version.
        found: u64,
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
            Self::Newer { .. } => ErrorKind::Invalid,
            Self::Oversized { .. } | Self::Malformed { .. } | Self::Foreign { .. } => ErrorKind::Corrupt,
        }
    }

    fn code(&self) -> Code {
        Code::JobDocumentRefused
    }

    fn problem(&self) -> Problem {
        let guidance = match self {
            Self::Newer { .. } => {
                "deploy the same version of Lifeboat in all environments of the application"
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
document!(JobResult, LARGE, |_| JobFile::Result);
document!(Cancel, SMALL, |_| JobFile::Cancel);

#[derive(Deserialize)]
struct Version {
    format: u64,
}

/// Parses a document in a format of Lifeboat. Checks size and version first, so that a newer document is
/// distinguished from an invalid one.
///
/// # Errors
/// [`DocumentError`].
pub fn parse<T: DeserializeOwned>(key: &ObjectKey, bytes: &[u8], limit: usize) -> Result<T, DocumentError> {
    let key = || key.to_string();
    if bytes.len() > limit {
        return Err(DocumentError::Oversized {
            key: key(),
            bytes: bytes.len(),
            limit,
        });
    }
    let malformed = |error: serde_json::Error| DocumentError::Malformed {
        key: key(),
        what: error.to_string(),
    };
    let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
    if version.format > u64::from(FORMAT) {
        return Err(DocumentError::Newer {
            key: key(),
            found: version.format,
        });
    }
    if version.format < u64::from(FORMAT) {
        return Err(DocumentError::Malformed {
            key: key(),
            what: format!("format {} does not exist", version.format),
        });
    }
    serde_json::from_slice(bytes).map_err(malformed)
}

/// Reads a document of a job.
///
/// # Errors
/// [`DocumentError`].
pub fn read<T: Document>(key: &ObjectKey, bytes: &[u8]) -> Result<T, DocumentError> {
    let document: T = parse(key, bytes, T::LIMIT)?;
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
