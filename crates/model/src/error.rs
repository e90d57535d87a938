//! How a caller should react to an error, independent of the operation that failed.

use serde::{Deserialize, Serialize};

/// The kind of an error, by the reaction that it calls for. Retry policy depends on the kind and never on a
/// message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The same call may succeed later: throttling, a dropped connection, an internal server error.
    Retry,
    /// Something else changed or holds the resource; read it again before the next attempt.
    Conflict,
    /// The caller lacks a permission. Retrying cannot succeed until the permission is granted.
    Denied,
    /// The resource does not exist or no longer exists: not found, expired, compacted.
    Gone,
    /// The input or the request is invalid.
    Invalid,
    /// Stored or received bytes differ from what was written or signed.
    Corrupt,
    /// The deadline of the operation has passed.
    Deadline,
    /// An assumption of Lifeboat's own code does not hold.
    Bug,
}

impl ErrorKind {
    /// Whether another attempt may succeed without any change by a user.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Retry | Self::Conflict | Self::Deadline)
    }
}
