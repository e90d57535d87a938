//! What a caller should do about an error, independent of which operation failed.

use serde::{Deserialize, Serialize};

/// The prescriptive kind of an error. Retry policy reads this and never a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The same call may succeed later: throttling, a dropped connection, an internal server error.
    Retry,
    /// Something else changed or holds the thing first; read again before another attempt.
    Conflict,
    /// The caller lacks a permission; trying again cannot help until somebody grants it.
    Denied,
    /// The thing does not exist (any more): not found, expired, compacted.
    Gone,
    /// The input or request is wrong.
    Invalid,
    /// Stored or received bytes are not what was written or signed.
    Corrupt,
    /// The time allowed for the operation has passed.
    Deadline,
    /// An assumption of Lifeboat's own code does not hold.
    Bug,
}

impl ErrorKind {
    /// Whether another try may succeed without anybody's doing.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Retry | Self::Conflict | Self::Deadline)
    }
}
