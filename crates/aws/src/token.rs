//! Tokens that the API servers of EKS accept.
//!
//! A token is `k8s-aws-v1.` and the base64 (URL alphabet, no padding) of a presigned URL: a `GetCallerIdentity` of the
//! Regional STS endpoint, signed together with the header `x-k8s-aws-id`, whose value is the name of the cluster. The
//! authenticator of the cluster sends that request to STS and receives the identity of the caller; it never receives a
//! key. The format is that of aws-iam-authenticator
//! (<https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster>) and of
//! `aws eks get-token` (<https://docs.aws.amazon.com/cli/latest/reference/eks/get-token.html>).
//!
//! Signing needs no network. The *Regional* endpoint is used, because requests to the global one do not use the VPC
//! endpoints on the API server's side
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html>).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use lifeboat_model::{Redacted, Region};
use lifeboat_store::ports::{Clock, TokenError, TokenSource};
use tokio::sync::Mutex;

use crate::AwsContext;

mod presign;

use presign::{caller_identity_url, sts_endpoint};

/// The prefix of every token.
const PREFIX: &str = "k8s-aws-v1.";

/// The age at which a token is replaced. The authenticator accepts a token for 15 minutes after it was signed,
/// regardless of the expiry in its URL, and aws-iam-authenticator itself uses one for 14 (`pkg/token/token.go`,
/// `presignedURLExpiration` and `GetWithSTS`). Ten minutes allow for clock skew and for requests that wait.
const RENEW_AFTER: Duration = Duration::from_secs(10 * 60);

/// A token expires with the credentials that signed it, so it is replaced this long before.
const CREDENTIALS_MARGIN: Duration = Duration::from_secs(60);

/// Creates tokens for one EKS cluster.
pub struct EksTokenSource {
    cluster: String,
    region: Region,
    endpoint: String,
    credentials: SharedCredentialsProvider,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<CachedToken>>,
}

struct CachedToken {
    token: Redacted<String>,
    made: Timestamp,
    until: Timestamp,
}

impl std::fmt::Debug for EksTokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EksTokenSource({}, {}, [redacted])", self.cluster, self.region)
    }
}

impl EksTokenSource {
    /// Creates tokens for the cluster with this name in the context's Region. The STS endpoint is that of the Region,
    /// or the one that `AWS_ENDPOINT_URL_STS` or `AWS_ENDPOINT_URL` sets.
    #[must_use]
    pub fn new(context: &AwsContext, cluster: &str, clock: Arc<dyn Clock>) -> Self {
        let region = context.region().clone();
        let endpoint = context.endpoint_override("STS");
        Self {
            cluster: cluster.to_owned(),
            endpoint: endpoint.unwrap_or_else(|| sts_endpoint(&region)),
            region,
            credentials: context.credentials(),
            clock,
            held: Mutex::new(None),
        }
    }

    async fn make(&self, now: Timestamp) -> Result<CachedToken, TokenError> {
        let credentials = self.credentials.provide_credentials().await;
        let credentials = credentials.map_err(|error| self.no_credentials(error))?;
        let url = caller_identity_url(
            &self.endpoint,
            &self.region,
            &self.cluster,
            &credentials,
            now.into(),
        );
        let url = url.map_err(|error| TokenError::Denied {
            cluster: self.cluster.clone(),
            source: error,
        })?;
        Ok(CachedToken {
            token: Redacted::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(url.expose()))),
            made: now,
            until: renewal(now, &credentials),
        })
    }

    fn no_credentials(&self, error: CredentialsError) -> TokenError {
        let cluster = self.cluster.clone();
        match &error {
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
                TokenError::Denied {
                    cluster,
                    source: error.into(),
                }
            }
            _ => TokenError::Unavailable {
                cluster,
                source: error.into(),
            },
        }
    }
}

/// Returns when a token that is signed now must be replaced.
fn renewal(now: Timestamp, credentials: &Credentials) -> Timestamp {
    let usual = now.saturating_add(RENEW_AFTER).unwrap_or(Timestamp::MAX);
    let end = credentials
        .expiry()
        .and_then(|end: SystemTime| Timestamp::try_from(end).ok());
    match end.and_then(|end| end.saturating_sub(CREDENTIALS_MARGIN).ok()) {
        // Tokens that are signed in the credentials' last minute are not reused.
        Some(end) => usual.min(end.max(now)),
        None => usual,
    }
}

#[async_trait]
impl TokenSource for EksTokenSource {
    async fn token(&self) -> Result<Redacted<String>, TokenError> {
        let now = self.clock.now();
        // Held while a token is created, so that concurrent requests create only one.
        let mut held = self.held.lock().await;
        // If the clock was set back, the token must not be kept longer.
        if let Some(held) = (held.as_ref()).filter(|held| held.made <= now && now < held.until) {
            return Ok(held.token.clone());
        }
        let made = self.make(now).await?;
        let token = made.token.clone();
        *held = Some(made);
        Ok(token)
    }
}

#[cfg(test)]
mod tests;
