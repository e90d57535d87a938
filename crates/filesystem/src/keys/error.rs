//! Errors of key files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use lifeboat_format::keys::KeyError as FormatKeyError;
use lifeboat_model::{Code, Diagnostic, ErrorKind};

/// The public or the private half of a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPart {
    /// The public key. It may be published.
    Public,
    /// The private key. It must stay with its owner.
    Private,
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Private => "private",
        })
    }
}

/// A key file that cannot be used or created. The text can be appended to "failed to".
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file cannot be read.
    #[error("read the key file {}", path.display())]
    Unreadable {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file does not contain a key in PEM.
    #[error("read the key file {}: it contains no PEM key", path.display())]
    NotPem {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file contains the other half of a key pair.
    #[error("use the key file {}: it does not contain the {wanted} key", path.display())]
    WrongHalf {
        /// The path of the file.
        path: PathBuf,
        /// The half that is required.
        wanted: KeyPart,
    },
    /// The key has an unsupported type or size.
    #[error("use the key file {}: it does not contain {expected}", path.display())]
    WrongKind {
        /// The path of the file.
        path: PathBuf,
        /// What is required.
        expected: &'static str,
    },
    /// The key is in an older PEM format.
    #[error("use the key file {}: {label} is not supported", path.display())]
    Legacy {
        /// The path of the file.
        path: PathBuf,
        /// The label of the PEM block.
        label: String,
        /// The command that converts it.
        command: String,
    },
    /// The key is protected by a password.
    #[error("use the key file {}: it is protected by a password", path.display())]
    Encrypted {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file already exists.
    #[error("write the key file {}: it already exists", path.display())]
    Exists {
        /// The path of the file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("write the key file {}", path.display())]
    Unwritable {
        /// The path of the file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The cryptographic library failed to generate a key.
    #[error("generate a key")]
    Generate,
}

impl Diagnostic for PemError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreadable { source, .. } | Self::Unwritable { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::Gone,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::Invalid,
            },
            Self::Exists { .. } => ErrorKind::Conflict,
            Self::Generate => ErrorKind::Bug,
            _ => ErrorKind::Invalid,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } | Self::NotPem { .. } | Self::Encrypted { .. } => Code::KeyUnreadable,
            Self::WrongHalf { .. } => Code::PublicPrivateKeyMismatch,
            Self::WrongKind { .. } | Self::Legacy { .. } => Code::UnsupportedKeyType,
            Self::Exists { .. } => Code::KeyExists,
            Self::Unwritable { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Code::StoreDenied,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StoreFull,
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    Code::StoreNotFound
                }
                _ => Code::StoreFailed,
            },
            Self::Generate => Code::Bug,
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::Unreadable { path, .. } => format!(
                "check the path and its permissions with `ls -l {}`, or create keys with `lifeboat keys generate`",
                path.display()
            ),
            Self::NotPem { .. } => "use a file created by `lifeboat keys generate` or `openssl genpkey`".to_owned(),
            Self::WrongHalf {
                path,
                wanted: KeyPart::Public,
            } => format!(
                "use the public key, as printed by `openssl pkey -in {} -pubout`; backups never need the private recovery key, so do not store it on this machine",
                path.display()
            ),
            Self::WrongHalf { .. } => {
                "use the private key, the file that ends with `.key.pem`"
                    .to_owned()
            }
            Self::WrongKind { .. } => {
                "recovery keys are RSA with 4096 bits, signing keys are ECDSA on P-256; check that the two files are not swapped, or create keys with `lifeboat keys generate`"
                    .to_owned()
            }
            Self::Legacy { command, .. } => format!("convert it with `{command}`"),
            Self::Encrypted { path } => format!(
                "remove the password with `openssl pkey -in {0} -out {0}.new`",
                path.display()
            ),
            Self::Exists { .. } => {
                "choose another folder; keys are never overwritten, because recovery points encrypted for them would be lost"
                    .to_owned()
            }
            Self::Unwritable { path, .. } => {
                format!("choose a writable folder instead of {}", path.display())
            }
            Self::Generate => "run the command again; if it fails again, report it".to_owned(),
        }
    }
}

impl PemError {
    pub(super) fn from_public(path: &Path, error: FormatKeyError) -> Self {
        let path = path.to_owned();
        match error {
            FormatKeyError::PrivateHalf { .. } => Self::WrongHalf {
                path,
                wanted: KeyPart::Public,
            },
            FormatKeyError::WrongKind { expected } => Self::WrongKind { path, expected },
            _ => Self::NotPem { path },
        }
    }
}
