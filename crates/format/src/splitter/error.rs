//! Why bytes are not a list.

use lifeboat_model::{Code, Diagnostic, ErrorKind};

/// Input that is not one complete list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The input ended inside the list.
    #[error("the list ends after {bytes} bytes, before it is complete")]
    Truncated {
        /// How many bytes arrived.
        bytes: u64,
    },
    /// Something that cannot stand here in a list.
    #[error("byte {at} of the list is not {expected}")]
    Unexpected {
        /// The offset in the whole input.
        at: u64,
        /// What would have been right.
        expected: &'static str,
    },
    /// The server answered with a `Status` object in place of a list.
    #[error("the server returned a Status instead of a list: {code} {reason}: {message}")]
    Status {
        /// The HTTP code that the Status names; 0 where it names none.
        code: u16,
        /// The machine-readable reason, such as `Expired`.
        reason: String,
        /// The message for people.
        message: String,
    },
    /// The object is complete but has no `items`, or no `kind` or `apiVersion`.
    #[error("the answer is not a list: {what}")]
    NotAList {
        /// What is missing.
        what: String,
    },
    /// A field of the list stands twice.
    #[error("the list has the field {field:?} twice")]
    Repeated {
        /// The field.
        field: String,
    },
    /// An item or field is larger than [`super::MAX_ITEM`] or [`super::MAX_FIELD`].
    #[error("the {what} at byte {at} of the list is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Where it begins.
        at: u64,
        /// The limit.
        limit: usize,
    },
    /// Brackets are nested deeper than any API server accepts.
    #[error("the list is nested too deeply at byte {at}")]
    TooDeep {
        /// Where it was given up.
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
