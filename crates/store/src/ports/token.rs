//! Bearer tokens for authentication with an API server.

use async_trait::async_trait;
use lifeboat_model::{Code, Diagnostic, ErrorKind, Redacted};

use super::BoxError;

/// A source of bearer tokens for one cluster, which renews them in time.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// Returns a token that is valid for some more minutes. Called before every request, so a source caches a
    /// token for as long as it can be used.
    ///
    /// # Errors
    /// [`TokenError`] if no token is available.
    async fn token(&self) -> Result<Redacted<String>, TokenError>;
}

/// The error for a token that is not available. The text can be appended to "failed to". Contains no
/// credentials.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The provider of the credentials that tokens are created from does not respond.
    #[error("renew the token for {cluster}")]
    Unavailable {
        /// The cluster that the token is for.
        cluster: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// There are no credentials to create a token from.
    #[error("create a token for {cluster}")]
    Denied {
        /// The cluster that the token is for.
        cluster: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
}

impl Diagnostic for TokenError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } => ErrorKind::Retry,
            Self::Denied { .. } => ErrorKind::Denied,
        }
    }

    fn code(&self) -> Code {
        Code::Unauthenticated
    }

    fn guidance(&self) -> String {
        match self {
            Self::Unavailable { .. } => "run the command again in a few minutes",
            Self::Denied { .. } => "provide credentials to the identity that runs lifeboat",
        }
        .to_owned()
    }
}
