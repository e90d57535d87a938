//! Errors of the splitter.

use lifeboat_model::{Code, Diagnostic, ErrorKind};

/// The error for input that is not one complete list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The input ended inside the list.
    #[error("the list ends after {bytes} bytes, before it is complete")]
    Truncated {
        /// The number of bytes that arrived.
        bytes: u64,
    },
    /// A byte that is not valid at this position of a list.
    #[error("byte {at} of the list is not {expected}")]
    Unexpected {
        /// The offset in the whole input, in bytes.
        at: u64,
        /// What was expected.
        expected: &'static str,
    },
    /// The API server answered with a `Status` object instead of a list.
    #[error("the server returned a Status instead of a list: {code} {reason}: {message}")]
    Status {
        /// The HTTP status code in the `Status`; 0 if it contains none.
        code: u16,
        /// The machine-readable reason, such as `Expired`.
        reason: String,
        /// The human-readable message.
        message: String,
    },
    /// The object is complete but has no `items`, or no `kind` or `apiVersion`.
    #[error("the answer is not a list: {what}")]
    NotAList {
        /// What is missing.
        what: String,
    },
    /// A field occurs twice in the list.
    #[error("the list has the field {field:?} twice")]
    Repeated {
        /// The name of the field.
        field: String,
    },
    /// An item or field is larger than [`super::MAX_ITEM`] or [`super::MAX_FIELD`].
    #[error("the {what} at byte {at} of the list is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The offset of its beginning, in bytes.
        at: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// Brackets are nested deeper than any API server accepts.
    #[error("the list is nested too deeply at byte {at}")]
    TooDeep {
        /// The offset at which the limit was exceeded, in bytes.
        at: u64,
    },
    /// [`super::Splitter::push`] was called after it had failed.
    #[error("the list was read after an error")]
    Poisoned,
}

impl Diagnostic for SplitError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Truncated { .. } | Self::Unexpected { .. } => ErrorKind::Retry,
            Self::Status { code, .. } => match code {
                401 | 403 => ErrorKind::Denied,
                404 | 410 => ErrorKind::Gone,
                409 => ErrorKind::Conflict,
                429 | 500..=599 | 0 => ErrorKind::Retry,
                _ => ErrorKind::Invalid,
            },
            Self::NotAList { .. } | Self::Repeated { .. } | Self::TooLarge { .. } | Self::TooDeep { .. } => {
                ErrorKind::Invalid
            }
            Self::Poisoned => ErrorKind::Bug,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Poisoned => Code::Bug,
            _ => Code::InvalidList,
        }
    }
}
