//! Tokens with which an API server knows who asks.

use async_trait::async_trait;
use lifeboat_model::{Code, ErrorKind, Problem, Redacted};

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

impl TokenError {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } => ErrorKind::Retry,
            Self::Denied { .. } => ErrorKind::Denied,
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::Unauthenticated
    }

    /// What the user can do about it.
    #[must_use]
    pub fn guidance(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "run the command again in a few minutes",
            Self::Denied { .. } => "provide credentials to the identity that runs lifeboat",
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
