//! Errors of store operations.

use std::fmt;

use lifeboat_format::Sha256;
use lifeboat_model::{Code, Diagnostic, ErrorKind};

/// The cause of a failure in an adapter.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The operations of a store, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOperation {
    /// Opening the store itself.
    Open,
    /// `put_new`.
    Create,
    /// `replace`.
    Replace,
    /// `get`, `get_range`.
    Read,
    /// `head`.
    Inspect,
    /// `list`, `list_folders`.
    List,
    /// `delete`.
    Delete,
    /// `upload`, and writing its pieces.
    Upload,
    /// Finishing an upload.
    Finish,
    /// Aborting an upload.
    Abort,
}

impl fmt::Display for StoreOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Read => "read",
            Self::Inspect => "inspect",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Upload => "upload",
            Self::Finish => "finish the upload of",
            Self::Abort => "abort the upload of",
        })
    }
}

/// A failed store operation. The text can be appended to "failed to".
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The key already exists, and keys are written once.
    #[error("{operation} {key}: it already exists")]
    Exists {
        /// The operation that was attempted.
        operation: StoreOperation,
        /// The key of the operation.
        key: String,
    },
    /// The content is no longer the expected one.
    #[error("replace {key}: it was modified since it was read")]
    Changed {
        /// The key.
        key: String,
    },
    /// The key does not exist.
    #[error("{operation} {key}: it does not exist")]
    NotFound {
        /// The operation that was attempted.
        operation: StoreOperation,
        /// The key of the operation.
        key: String,
    },
    /// The object is shorter than the requested range.
    #[error("read bytes {start} to {end} of {key}: its size is {size} bytes")]
    OutOfRange {
        /// The key.
        key: String,
        /// The offset of the first requested byte.
        start: u64,
        /// The offset after the last requested byte.
        end: u64,
        /// The size of the object in bytes.
        size: u64,
    },
    /// The content of an upload has another digest than was announced.
    #[error("finish the upload of {key}: its SHA-256 is {found}, not {expected}")]
    OtherContent {
        /// The key.
        key: String,
        /// The digest that was announced.
        expected: Sha256,
        /// The digest of the content.
        found: Sha256,
    },
    /// The store does not exist, or is not suitable as a store.
    #[error("open the store {store}: {problem}")]
    NoStore {
        /// The store, as named by the user.
        store: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The store denies access.
    #[error("{operation} {key}: access is denied")]
    Denied {
        /// The operation that was attempted.
        operation: StoreOperation,
        /// The key or store of the operation.
        key: String,
        /// The response of the store.
        #[source]
        source: BoxError,
    },
    /// There is no space left.
    #[error("{operation} {key}: the store is full")]
    Full {
        /// The operation that was attempted.
        operation: StoreOperation,
        /// The key of the operation.
        key: String,
        /// The response of the store.
        #[source]
        source: BoxError,
    },
    /// A temporary failure: throttling, or a dropped connection.
    #[error("{operation} {key}: the store does not respond as expected")]
    Unavailable {
        /// The operation that was attempted.
        operation: StoreOperation,
        /// The key of the operation.
        key: String,
        /// The response of the store.
        #[source]
        source: BoxError,
    },
    /// Any other failure.
    #[error("{operation} {key}")]
    Failed {
        /// The operation that was attempted.
        operation: StoreOperation,
        /// The key of the operation.
        key: String,
        /// The response of the store.
        #[source]
        source: BoxError,
    },
}

impl Diagnostic for StoreError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. } | Self::Changed { .. } => ErrorKind::Conflict,
            Self::NotFound { .. } | Self::NoStore { .. } => ErrorKind::Gone,
            Self::OutOfRange { .. } | Self::OtherContent { .. } => ErrorKind::Corrupt,
            // A full store also needs action by a user, as `Denied` expresses for permissions.
            Self::Denied { .. } | Self::Full { .. } => ErrorKind::Denied,
            Self::Unavailable { .. } => ErrorKind::Retry,
            Self::Failed { .. } => ErrorKind::Invalid,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Exists { .. } | Self::Changed { .. } => Code::StoreConflict,
            Self::NoStore { .. } => Code::StoreNotFound,
            Self::Denied { .. } => Code::StoreDenied,
            Self::Full { .. } => Code::StoreFull,
            Self::NotFound { .. }
            | Self::OutOfRange { .. }
            | Self::OtherContent { .. }
            | Self::Unavailable { .. }
            | Self::Failed { .. } => Code::StoreFailed,
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::Exists { .. } | Self::Changed { .. } => {
                "another run writes to the same store; wait until it ends, then run the command again"
            }
            Self::NoStore { .. } => "check the path of the store, or create the folder first",
            Self::Denied { .. } => "grant the user that runs lifeboat read and write access to the store",
            Self::Full { .. } => "free space in the store or use another one, then run the command again",
            Self::NotFound { .. } | Self::OutOfRange { .. } | Self::OtherContent { .. } => {
                "the object is missing or truncated; restore it from a copy of the store, or use another recovery point"
            }
            Self::Unavailable { .. } => "run the command again in a few minutes",
            Self::Failed { .. } => "resolve the cause, then run the command again",
        }
        .to_owned()
    }
}
