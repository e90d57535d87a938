//! Connects to an API server with an address and a source of tokens, without a kubeconfig.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response, Uri, header};
use kube::Config;
use kube::client::Body;
use lifeboat_format::pem;
use lifeboat_model::{Code, Diagnostic, ErrorKind, Problem};
use lifeboat_store::ports::TokenSource;
use tower::{BoxError, Service};

use super::{ConnectError, ConnectOptions, KubeconfigSource};
use crate::api::{Api, ApiError};
use crate::discovery::ServerVersion;
use lifeboat_system::retry::{Jitter, RetryPolicy};

/// The address of an API server and the credentials for it.
#[derive(Clone)]
pub struct Address {
    /// Its URL, with `https`.
    pub server: String,
    /// The certificates of the authorities that may have signed the server's certificate, as PEM. No other
    /// authority is trusted.
    pub ca_pem: String,
    /// The source of tokens, called before every request.
    pub token: Arc<dyn TokenSource>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// The options of a connection to an address; the defaults are those of [`ConnectOptions`].
#[derive(Debug, Clone)]
pub struct AddressOptions {
    /// The timeout of a TCP and TLS connection.
    pub connect_timeout: Duration,
    /// The maximum time without data during a response.
    pub read_timeout: Duration,
    /// The seed for the jitter of retry delays.
    pub seed: u64,
}

impl Default for AddressOptions {
    fn default() -> Self {
        let usual = ConnectOptions::new(KubeconfigSource::Merged(Vec::new()), None);
        Self {
            connect_timeout: usual.connect_timeout,
            read_timeout: usual.read_timeout,
            seed: usual.seed,
        }
    }
}

/// A failed connection to an address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The address is invalid.
    #[error("use {server} as the address of an API server: {why}")]
    Unusable {
        /// The URL.
        server: String,
        /// What is wrong with it or its certificates.
        why: String,
    },
    /// The API server returns no usable response, or the token source failed.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Diagnostic for AddressError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unusable { .. } => ErrorKind::Invalid,
            Self::Api(error) => error.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Unusable { .. } => Code::ClusterUnreachable,
            Self::Api(error) => error.code(),
        }
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Unusable { .. } => {
                let guidance = "check the endpoint in the description of the cluster";
                Problem::new(self.code(), format!("failed to {self}"), guidance)
            }
            Self::Api(error) => error.problem(),
        }
    }
}

impl Api {
    /// Connects to an address and checks that a Kubernetes API server responds.
    ///
    /// # Errors
    /// [`AddressError`] distinguishes the causes. An API server that does not accept the token responds with
    /// 401: [`ApiError::Refused`].
    pub async fn connect_to(
        address: &Address,
        options: &AddressOptions,
    ) -> Result<(Self, ServerVersion), AddressError> {
        let api = Self::at(address, options)?;
        let version = ServerVersion::read(&api.clone().with_retry(RetryPolicy::HASTY)).await?;
        tracing::info!(server = api.server(), version = version.git_version, "connected");
        Ok((api, version))
    }

    /// Creates a connection to an address, without checking it.
    ///
    /// # Errors
    /// [`AddressError::Unusable`].
    pub fn at(address: &Address, options: &AddressOptions) -> Result<Self, AddressError> {
        let unusable = |why: String| AddressError::Unusable {
            server: address.server.clone(),
            why,
        };
        let url: Uri =
            (address.server.parse()).map_err(|e: http::uri::InvalidUri| unusable(e.to_string()))?;
        // A token must not be sent over an unencrypted connection.
        if url.scheme_str() != Some("https") || url.host().is_none() {
            return Err(unusable(
                "it does not start with https:// and a host name".to_owned(),
            ));
        }
        let authorities = certificates(&address.ca_pem);
        if authorities.is_empty() {
            return Err(unusable("it has no certificate authority data".to_owned()));
        }
        let mut config = Config::new(url);
        config.root_cert = Some(authorities);
        let connect = ConnectOptions {
            connect_timeout: options.connect_timeout,
            read_timeout: options.read_timeout,
            seed: options.seed,
            ..ConnectOptions::new(KubeconfigSource::Merged(Vec::new()), None)
        };
        let plain = Self::from_config(config, &connect).map_err(|error| match error {
            ConnectError::Api(error) => AddressError::Api(error),
            other => unusable(other.to_string()),
        })?;
        let signing = Bearer {
            client: plain.client().clone(),
            token: Arc::clone(&address.token),
        };
        Ok(Self::from_service(signing, plain.server()).with_jitter(Jitter::seeded(options.seed)))
    }
}

/// Returns the DER of every certificate in a PEM text.
fn certificates(text: &str) -> Vec<Vec<u8>> {
    (text.split_inclusive("-----END CERTIFICATE-----"))
        .filter_map(pem::decode)
        .filter_map(|(label, der)| (label == "CERTIFICATE").then_some(der))
        .collect()
}

/// Adds a token to every request.
struct Bearer {
    client: kube::Client,
    token: Arc<dyn TokenSource>,
}

impl Service<Request<Body>> for Bearer {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Each clone of the client waits for its own readiness.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (client, source) = (self.client.clone(), Arc::clone(&self.token));
        Box::pin(async move {
            let token = source.token().await?;
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|error| kube::Error::Auth(kube::client::AuthError::InvalidBearerToken(error)))?;
            // Excludes the header from debug output.
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
            Ok(client.send(request).await?)
        })
    }
}

#[cfg(test)]
mod tests;
