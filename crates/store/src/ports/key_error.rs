//! Errors of key operations.

use lifeboat_format::keys::Fingerprint;
use lifeboat_model::{Code, Diagnostic, ErrorKind};

use super::BoxError;

/// A failed key operation. The text can be appended to "failed to". Contains no key and no plaintext.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The data key was wrapped for other recovery keys.
    #[error("unwrap the data key: it was wrapped for {}, and the given key is {held}", any_of(.wanted))]
    WrongKey {
        /// The recovery keys of which one is required.
        wanted: Vec<Fingerprint>,
        /// The recovery key that is available.
        held: Fingerprint,
    },
    /// The recovery key is the right one, but the wrapped key cannot be decrypted.
    #[error("unwrap the data key: it is damaged, or was not written by lifeboat")]
    Unwrap {
        /// The recovery key that is available.
        held: Fingerprint,
    },
    /// The data key cannot be wrapped.
    #[error("wrap the data key for {recipient}")]
    Wrap {
        /// The public half of the recovery key.
        recipient: Fingerprint,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The signing key cannot be used.
    #[error("sign with {signer}")]
    Sign {
        /// The signing key.
        signer: Fingerprint,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The key service does not respond.
    #[error("connect to the service of {key}")]
    Unavailable {
        /// The key that was requested.
        key: Fingerprint,
        /// The response of the service.
        #[source]
        source: BoxError,
    },
    /// The key service denies access.
    #[error("use {key}: access is denied")]
    Denied {
        /// The key that was requested.
        key: Fingerprint,
        /// The response of the service.
        #[source]
        source: BoxError,
    },
}

fn any_of(keys: &[Fingerprint]) -> String {
    let names: Vec<&str> = keys.iter().map(Fingerprint::as_str).collect();
    names.join(" or ")
}

impl Diagnostic for KeyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::WrongKey { .. } => ErrorKind::Invalid,
            Self::Unwrap { .. } => ErrorKind::Corrupt,
            Self::Wrap { .. } | Self::Sign { .. } => ErrorKind::Bug,
            Self::Unavailable { .. } => ErrorKind::Retry,
            Self::Denied { .. } => ErrorKind::Denied,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::WrongKey { .. } => Code::RecoveryKeyMismatch,
            Self::Unwrap { .. } => Code::PackCorrupt,
            Self::Wrap { .. } | Self::Sign { .. } => Code::UnsupportedKeyType,
            Self::Unavailable { .. } | Self::Denied { .. } => Code::KeyUnreadable,
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::WrongKey { wanted, .. } => {
                format!("use the private key of the recovery key {}", any_of(wanted))
            }
            Self::Unwrap { .. } => "use another recovery point; this one cannot be decrypted".to_owned(),
            Self::Wrap { .. } | Self::Sign { .. } => {
                "resolve the cause, or create new keys with `lifeboat keys generate`".to_owned()
            }
            Self::Unavailable { .. } => "run the command again in a few minutes".to_owned(),
            Self::Denied { .. } => "grant the identity that runs lifeboat the use of the key".to_owned(),
        }
    }
}
