//! TLS handshakes, for whose certificate it is.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use lifeboat_model::network::NetworkFailure;
use lifeboat_model::text::bounded;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A connection with TLS.
pub(super) type Stream = tokio_rustls::client::TlsStream<TcpStream>;

/// Shakes hands with the server of this name.
///
/// # Errors
/// Whose certificate it is instead, that it does not speak TLS, or that the connection ends.
pub(super) async fn handshake(
    stream: TcpStream,
    host: &str,
    authorities: RootCertStore,
    limit: Duration,
) -> Result<Stream, NetworkFailure> {
    let interrupted = |said: &str| NetworkFailure::Interrupted { said: bounded(said) };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| NetworkFailure::NameNotFound {})?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| interrupted(&error.to_string()))?;
    let config = builder.with_root_certificates(authorities).with_no_client_auth();
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(limit, connected).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(interrupted("no answer to the TLS handshake in time")),
    }
}

fn failed(error: &Error) -> NetworkFailure {
    let said = bounded(&error.to_string());
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => NetworkFailure::OtherName {},
        Some(rustls::Error::InvalidCertificate(_)) => NetworkFailure::UnknownIssuer {},
        Some(rustls::Error::InvalidMessage(_)) => NetworkFailure::OtherAnswer { status: None, said },
        _ if error.kind() == ErrorKind::UnexpectedEof => NetworkFailure::Interrupted {
            said: "the connection ended during the TLS handshake".to_owned(),
        },
        _ => NetworkFailure::Interrupted { said },
    }
}
