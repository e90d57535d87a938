//! A minimal HTTP client for the API server, without an asynchronous runtime.
//!
//! It uses HTTP/1.0 with one connection per request: the response ends with the connection, and
//! there is no chunked encoding to parse.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// A loaded API server on two cores responds within a second or two.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A complete response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value, std::io::Error> {
        serde_json::from_slice(&self.body).map_err(std::io::Error::other)
    }
}

/// The address of an API server and the token to authenticate with.
#[derive(Clone)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    port: u16,
    token: String,
}

impl Client {
    pub(crate) fn new(port: u16, ca_pem: &str, token: &str) -> Result<Self, std::io::Error> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(std::io::Error::other)?;
        roots.add(authority).map_err(std::io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
            port,
            token: token.to_owned(),
        })
    }

    pub(crate) fn get(&self, path: &str, accept: &str) -> Result<Answer, std::io::Error> {
        self.send("GET", path, accept, &[])
    }

    /// Creates an object in a collection. An object that exists already is not an error.
    pub(crate) fn create(&self, collection: &str, object: &Value) -> Result<(), std::io::Error> {
        let answer = self.send(
            "POST",
            collection,
            "application/json",
            object.to_string().as_bytes(),
        )?;
        match answer.status {
            200..=299 | 409 => Ok(()),
            status => Err(std::io::Error::other(format!(
                "{collection} answered {status}: {}",
                String::from_utf8_lossy(&answer.body)
            ))),
        }
    }

    /// Replaces an object that exists.
    pub(crate) fn replace(&self, path: &str, object: &Value) -> Result<(), std::io::Error> {
        let answer = self.send("PUT", path, "application/json", object.to_string().as_bytes())?;
        match answer.status {
            200..=299 => Ok(()),
            status => Err(std::io::Error::other(format!(
                "{path} answered {status}: {}",
                String::from_utf8_lossy(&answer.body)
            ))),
        }
    }

    /// Deletes an object. One that does not exist is not an error.
    pub(crate) fn delete(&self, path: &str) -> Result<(), std::io::Error> {
        let answer = self.send("DELETE", path, "application/json", &[])?;
        match answer.status {
            200..=299 | 404 => Ok(()),
            status => Err(std::io::Error::other(format!(
                "{path} answered {status}: {}",
                String::from_utf8_lossy(&answer.body)
            ))),
        }
    }

    fn send(&self, method: &str, path: &str, accept: &str, body: &[u8]) -> Result<Answer, std::io::Error> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        socket.set_nodelay(true)?;
        let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        let session = ClientConnection::new(self.config.clone(), name).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(session, socket);
        let mut request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nAccept: {accept}\r\nAuthorization: Bearer {}\r\n",
            self.port, self.token
        );
        if !body.is_empty() {
            request.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes())?;
        stream.write_all(body)?;
        stream.flush()?;
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            // Go closes the connection without a TLS close_notify.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
            other => {
                other?;
            }
        }
        parse(bytes)
    }
}

fn parse(mut bytes: Vec<u8>) -> Result<Answer, std::io::Error> {
    let broken = || std::io::Error::new(std::io::ErrorKind::InvalidData, "the answer is not HTTP");
    let head = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(broken)?;
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let status = text
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(broken)?;
    let body = bytes.split_off(head + 4);
    let announced = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())
            .flatten()
    });
    if announced.is_some_and(|length| length != body.len()) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Answer { status, body })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_cut_is_refused() {
        let whole = b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok";
        let answer = parse(whole.to_vec()).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
        assert!(parse(whole[..whole.len() - 1].to_vec()).is_err());
        assert!(parse(b"HTTP/1.0 200 OK\r\n".to_vec()).is_err());
    }
}
