//! What can be wrong with a key file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use lifeboat_format::keys::KeyError as FormatKeyError;
use lifeboat_model::{Code, ErrorKind, Problem};

/// One half of a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPart {
    /// May be known to everybody.
    Public,
    /// Must stay with its owner.
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

/// A key file that cannot be used or made. Reads well after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file cannot be read.
    #[error("read the key file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds no key in PEM.
    #[error("read the key file {}: it holds no key in PEM", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
    },
    /// The file holds the other half.
    #[error("use the key file {}: it does not hold the {wanted} half", path.display())]
    WrongHalf {
        /// The file.
        path: PathBuf,
        /// The half that is needed.
        wanted: KeyPart,
    },
    /// The key is of another sort or size.
    #[error("use the key file {}: it does not hold {expected}", path.display())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What is needed.
        expected: &'static str,
    },
    /// The key is in an older PEM form.
    #[error("use the key file {}: {label} is an older form", path.display())]
    Legacy {
        /// The file.
        path: PathBuf,
        /// The label of the PEM block.
        label: String,
        /// The command that converts it.
        command: String,
    },
    /// The key is protected by a password.
    #[error("use the key file {}: it is protected by a password", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A file is in the way.
    #[error("write the key file {}: it exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("write the key file {}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The crypto library does not make a key.
    #[error("make a new key")]
    Generate,
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

    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
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

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } | Self::NotPem { .. } | Self::Encrypted { .. } => Code::KeyUnreadable,
            Self::WrongHalf { .. } => Code::WrongKeyHalf,
            Self::WrongKind { .. } | Self::Legacy { .. } => Code::WrongKeyKind,
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

    /// What the user can do about it.
    #[must_use]
    pub fn guidance(&self) -> String {
        match self {
            Self::Unreadable { path, .. } => format!(
                "check the path and its permissions with `ls -l {}`, or make keys with `lifeboat keys generate`",
                path.display()
            ),
            Self::NotPem { .. } => "give a file that `lifeboat keys generate` or `openssl genpkey` made".to_owned(),
            Self::WrongHalf {
                path,
                wanted: KeyPart::Public,
            } => format!(
                "give the public half, made by `openssl pkey -in {} -pubout`; keep the private recovery key \
                 away from the machine that makes backups, which never needs it",
                path.display()
            ),
            Self::WrongHalf { .. } => {
                "give the private half, the file that ends with `.key.pem`; it should be where restores are \
                 made and nowhere else"
                    .to_owned()
            }
            Self::WrongKind { .. } => {
                "recovery keys are RSA with 4096 bits and signing keys ECDSA on P-256; check that the two were \
                 not taken for each other, or make keys with `lifeboat keys generate`"
                    .to_owned()
            }
            Self::Legacy { command, .. } => format!("convert it with `{command}`"),
            Self::Encrypted { path } => format!(
                "remove the password with `openssl pkey -in {0} -out {0}.new`",
                path.display()
            ),
            Self::Exists { .. } => {
                "name another folder; keys are never overwritten, because points made with them could not be \
                 read any more"
                    .to_owned()
            }
            Self::Unwritable { path, .. } => {
                format!("name a folder that can be written instead of {}", path.display())
            }
            Self::Generate => "run the command again; if it fails again, report it".to_owned(),
        }
    }

    /// The error as it is shown to a user.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.code(), format!("failed to {self}"), self.guidance());
        match std::error::Error::source(self) {
            Some(source) => problem.caused_by(source),
            None => problem,
        }
    }
}
