//! Tokens with which an API server knows who asks.

use async_trait::async_trait;
use lifeboat_model::{Code, Diagnostic, ErrorKind, Redacted};

use super::BoxError;

/// Gives bearer tokens for one cluster, and renews them in time.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A token that is valid for some minutes more. Asked before every request, so that a source keeps
    /// what it made for as long as it can be used.
    ///
    /// # Errors
    /// [`TokenError`] where there is none to be had.
    async fn token(&self) -> Result<Redacted<String>, TokenError>;
}

/// Why there is no token. Reads well after "failed to". Holds no credential.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Whoever gives the credentials that tokens are made from does not answer.
    #[error("renew the token for {cluster}")]
    Unavailable {
        /// The cluster.
        cluster: String,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// There are no credentials that a token could be made from.
    #[error("create a token for {cluster}")]
    Denied {
        /// The cluster.
        cluster: String,
        /// What went wrong.
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
