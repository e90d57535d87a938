//! Names and connections.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lifeboat_model::network::NetworkFailure;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Resolve, Server};

/// The number of addresses that are tried: what keeps a function from one of S3 keeps it from all of them, and one server may
/// be out of order.
const TRIED: usize = 2;

/// What the C libraries glibc and musl say when no resolver has answered (`EAI_AGAIN`). Rust keeps their words only.
const NO_ANSWER: [&str; 2] = ["Temporary failure in name resolution", "Try again"];

/// Returns the addresses of a server.
///
/// # Errors
/// That its name does not exist, or that no resolver answers.
pub(super) async fn resolve(
    resolver: &dyn Resolve,
    server: &Server,
    limit: Duration,
) -> Result<Vec<SocketAddr>, NetworkFailure> {
    if let Ok(address) = server.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, server.port)]);
    }
    match timeout(limit, resolver.resolve(&server.host, server.port)).await {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Err(error)) if NO_ANSWER.iter().any(|said| error.to_string().contains(said)) => {
            Err(NetworkFailure::ResolverSilent {})
        }
        Ok(_) => Err(NetworkFailure::NameNotFound {}),
        Err(_) => Err(NetworkFailure::ResolverSilent {}),
    }
}

/// Connects to one of the addresses.
///
/// # Errors
/// How the last attempt failed.
pub(super) async fn connect(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, NetworkFailure> {
    let mut failure = NetworkFailure::NameNotFound {};
    for address in addresses.iter().take(TRIED) {
        failure = match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => refused(&error),
            Err(_) => NetworkFailure::TimedOut {},
        };
    }
    Err(failure)
}

fn refused(error: &Error) -> NetworkFailure {
    match error.kind() {
        ErrorKind::ConnectionRefused => NetworkFailure::Refused {},
        ErrorKind::TimedOut => NetworkFailure::TimedOut {},
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => NetworkFailure::Interrupted {
            said: error.to_string(),
        },
        // Also what a firewall of the host answers: EPERM, EHOSTUNREACH, ENETUNREACH.
        _ => NetworkFailure::Unreachable {},
    }
}
