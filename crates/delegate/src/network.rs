//! What this function observes in its VPC: whether it reaches Amazon S3 and the API server, and if not, how the first step
//! fails.
//!
//! The answer of an invocation has the observations: a function that does not reach S3 can say nothing else. Nothing here needs
//! a registration, a job or another service. The client of S3 hides in its errors which step failed, so name, connection and TLS
//! are tried apart from it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use lifeboat_format::pem;
use lifeboat_jobs::{ClusterEndpoint, NetworkCheck};
use lifeboat_model::ObjectKey;
use lifeboat_model::network::{ADDRESSES, NetworkFailure, NetworkObservations, TargetObservation};
use lifeboat_store::ports::ObjectStore;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;

mod proxy;
mod requests;
mod steps;
mod tls;

use steps::{connect, resolve};

/// The port of HTTPS.
const HTTPS: u16 = 443;

/// The time limits of the steps. The longest check, 22 seconds for S3 beside the API server, leaves the invoker time within half
/// a minute.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of a resolution: the resolver of a VPC answers within milliseconds, and the C library asks a silent one again after five
    /// seconds (resolv.conf(5), `timeout`).
    pub resolve: Duration,
    /// Of a connection to one address: lost packets are sent again after one and three seconds (RFC 6298, section 2).
    pub connect: Duration,
    /// Of a TLS handshake, which takes milliseconds within a Region.
    pub handshake: Duration,
    /// Of all requests to S3, whose client waits between attempts.
    pub requests: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(3),
            handshake: Duration::from_secs(3),
            requests: Duration::from_secs(8),
        }
    }
}

/// Resolves host names.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// Returns the addresses of a host.
    ///
    /// # Errors
    /// The error of the C library in words, as it tells a name that does not exist from a resolver that does not answer.
    async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>>;
}

/// The resolver of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Observes the network of the function.
pub struct NetworkProbe {
    /// The URL of the endpoint that the client of S3 uses.
    pub endpoint: String,
    /// The scratch bucket.
    pub scratch: Arc<dyn ObjectStore>,
    /// The key of the delegate's registration, which it may read and write.
    pub key: ObjectKey,
    /// The prefix of the delegate's jobs, which it may list.
    pub jobs: String,
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
    /// Resolves host names.
    pub resolver: Arc<dyn Resolve>,
    /// The certificates of the authorities that the client of S3 trusts.
    pub authorities: RootCertStore,
    /// The time limits.
    pub limits: Limits,
}

/// A server to be reached.
struct Server {
    host: String,
    port: u16,
    /// The authorities that may have signed its certificate; none without TLS.
    authorities: Option<RootCertStore>,
}

impl Server {
    fn of_url(url: &str, authorities: RootCertStore) -> Option<Self> {
        let url: Uri = url.parse().ok()?;
        let is_tls = url.scheme_str() != Some("http");
        let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            host: host.to_owned(),
            port: url.port_u16().unwrap_or(if is_tls { HTTPS } else { 80 }),
            authorities: is_tls.then_some(authorities),
        })
    }

    fn observation(&self) -> TargetObservation {
        TargetObservation {
            host: self.host.clone(),
            port: self.port,
            addresses: Vec::new(),
            failure: None,
        }
    }
}

impl NetworkProbe {
    /// Tries everything that the check names, at the same time.
    pub async fn observe(&self, check: &NetworkCheck) -> NetworkObservations {
        let api_server = async {
            match &check.api_server {
                Some(endpoint) => Some(self.api_server(endpoint).await),
                None => None,
            }
        };
        let (s3, api_server) = tokio::join!(self.s3(), api_server);
        NetworkObservations {
            s3,
            api_server,
            proxy: proxy::variable(&self.variables, &self.endpoint),
        }
    }

    async fn s3(&self) -> TargetObservation {
        let Some(server) = Server::of_url(&self.endpoint, self.authorities.clone()) else {
            return unusable();
        };
        let mut observation = server.observation();
        // The client of S3 does not go this way if there is a proxy.
        if proxy::variable(&self.variables, &self.endpoint).is_none()
            && let Err(failure) = self.way(&server, &mut observation).await
        {
            observation.failure = Some(failure);
            return observation;
        }
        observation.failure = self.requests().await.err();
        observation
    }

    async fn api_server(&self, endpoint: &ClusterEndpoint) -> TargetObservation {
        let Some(server) = Server::of_url(&endpoint.url, authorities(&endpoint.ca)) else {
            return unusable();
        };
        let mut observation = server.observation();
        let tried = match self.way(&server, &mut observation).await {
            Ok(Some(stream)) => requests::version(stream, &server.host, self.limits.handshake).await,
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        observation.failure = tried.err();
        observation
    }

    /// Resolves the name, connects, and shakes hands. Notes the addresses.
    async fn way(
        &self,
        server: &Server,
        observation: &mut TargetObservation,
    ) -> Result<Option<tls::Stream>, NetworkFailure> {
        let resolved = resolve(self.resolver.as_ref(), server, self.limits.resolve).await?;
        let mut addresses: Vec<IpAddr> = resolved.iter().map(SocketAddr::ip).collect();
        addresses.sort();
        addresses.dedup();
        addresses.truncate(ADDRESSES);
        observation.addresses = addresses;
        let stream: TcpStream = connect(&resolved, self.limits.connect).await?;
        match &server.authorities {
            Some(authorities) => {
                let shaken = tls::handshake(stream, &server.host, authorities.clone(), self.limits.handshake);
                shaken.await.map(Some)
            }
            None => Ok(None),
        }
    }
}

/// The observation of an endpoint whose URL is none. The host of an observation is never empty.
fn unusable() -> TargetObservation {
    TargetObservation {
        host: "-".to_owned(),
        port: HTTPS,
        addresses: Vec::new(),
        failure: Some(NetworkFailure::NameNotFound {}),
    }
}

/// Returns the certificates of the authorities that the client of S3 trusts: those of the system.
#[must_use]
pub fn system_authorities() -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    store
}

/// Returns the certificates in a PEM text.
fn authorities(text: &str) -> RootCertStore {
    let blocks = text.split_inclusive("-----END CERTIFICATE-----");
    let certificates = blocks.filter_map(pem::decode);
    let certificates = certificates.filter(|(label, _)| *label == "CERTIFICATE");
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates.map(|(_, der)| CertificateDer::from(der)));
    store
}

#[cfg(test)]
mod tests;
