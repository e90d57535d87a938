//! How a store can fail.

use std::fmt;

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
    /// `upload` and the pieces written to it.
    Upload,
    /// Finishing an upload.
    Finish,
    /// Giving an upload up.
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

/// A store operation that failed. Reads well after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The key exists already and keys are written once.
    #[error("{operation} {key}: it already exists")]
    Exists {
        /// What was tried.
        operation: StoreOperation,
        /// On which key.
        key: String,
    },
    /// The content is no longer the one that was read.
    #[error("replace {key}: it was modified since it was read")]
    Changed {
        /// The key.
        key: String,
    },
    /// There is no such key.
    #[error("{operation} {key}: it does not exist")]
    NotFound {
        /// What was tried.
        operation: StoreOperation,
        /// On which key.
        key: String,
    },
    /// The object is shorter than the range that was asked for.
    #[error("read bytes {start} to {end} of {key}: its size is {size} bytes")]
    OutOfRange {
        /// The key.
        key: String,
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// The object's size in bytes.
        size: u64,
    },
    /// The store itself is not there, or is not what a store has to be.
    #[error("open the store {store}: {problem}")]
    NoStore {
        /// The store, as the user named it.
        store: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The store refuses access.
    #[error("{operation} {key}: access is denied")]
    Denied {
        /// What was tried.
        operation: StoreOperation,
        /// On which key or store.
        key: String,
        /// The store's answer.
        #[source]
        source: BoxError,
    },
    /// There is no space left.
    #[error("{operation} {key}: the store is full")]
    Full {
        /// What was tried.
        operation: StoreOperation,
        /// On which key.
        key: String,
        /// The store's answer.
        #[source]
        source: BoxError,
    },
    /// Something passing: throttling, a dropped connection.
    #[error("{operation} {key}: the store does not respond as expected")]
    Unavailable {
        /// What was tried.
        operation: StoreOperation,
        /// On which key.
        key: String,
        /// The store's answer.
        #[source]
        source: BoxError,
    },
    /// Anything else.
    #[error("{operation} {key}")]
    Failed {
        /// What was tried.
        operation: StoreOperation,
        /// On which key.
        key: String,
        /// The store's answer.
        #[source]
        source: BoxError,
    },
}

impl Diagnostic for StoreError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exists { .. } | Self::Changed { .. } => ErrorKind::Conflict,
            Self::NotFound { .. } | Self::NoStore { .. } => ErrorKind::Gone,
            Self::OutOfRange { .. } => ErrorKind::Corrupt,
            // Nothing helps until somebody gives space, which is what Denied says about permissions.
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
            Self::NotFound { .. } | Self::OutOfRange { .. } => {
                "the object is missing or truncated; restore it from a copy of the store, or use another recovery point"
            }
            Self::Unavailable { .. } => "run the command again in a few minutes",
            Self::Failed { .. } => "resolve the cause, then run the command again",
        }
        .to_owned()
    }
}
