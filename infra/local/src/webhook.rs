//! The webhooks of the sample application and of tests: a small HTTPS server with one thread for each connection.
//!
//! `/validate` rejects an object with the annotation [`FORBIDDEN`]; `/mutate` adds the annotation
//! [`ADMITTED`] to an object that lacks it; `/inject` adds the container [`SIDECAR`] to a Pod that
//! lacks it; `/convert` renames `spec.logs` of `v1` to `spec.timbers` of `v2` and back.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::certificates::Authority;

/// The annotation of objects that the validating webhook rejects.
pub(crate) const FORBIDDEN: &str = "shop.example.com/forbidden";
/// The annotation that the mutating webhook adds.
pub(crate) const ADMITTED: &str = "shop.example.com/admitted";
/// The container that the injecting webhook adds.
const SIDECAR: &str = "proxy";

/// API servers close an unused connection long before this timeout.
const IDLE: Duration = Duration::from_secs(300);
/// In bytes. An API server rejects objects above about 3 MiB, and a review contains two of them.
const LARGEST_BODY: usize = 16 << 20;

/// The error of starting the webhooks.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The certificate could not be created.
    #[error("failed to create the certificate of the webhook")]
    Certificate(#[source] rcgen::Error),
    /// TLS could not be set up.
    #[error("failed to set up TLS for the webhook")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The port could not be opened.
    #[error("failed to open the port of the webhook")]
    Listen(#[source] std::io::Error),
}

/// A running server. Dropping it closes the port. Calls of API servers then fail, and so do the
/// requests that need them, because the failure policy of the webhooks is `Fail`.
pub struct Webhook {
    address: SocketAddr,
    ca_pem: String,
    stopped: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Webhook {
    /// Starts the webhooks on a port of the loopback interface, 0 for a free one.
    ///
    /// # Errors
    /// If the port cannot be opened.
    pub fn start(port: u16) -> Result<Self, WebhookError> {
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        Self::listen(SocketAddr::new(address, port), vec![address.to_string()])
    }

    /// Starts the webhooks on a free port of another address of this machine, as the backend of a Service: the Pods
    /// behind the Service have that address.
    ///
    /// # Errors
    /// If the port cannot be opened.
    pub fn start_behind(service: &str, namespace: &str, address: IpAddr) -> Result<Self, WebhookError> {
        let names = vec![format!("{service}.{namespace}.svc"), address.to_string()];
        Self::listen(SocketAddr::new(address, 0), names)
    }

    fn listen(address: SocketAddr, names: Vec<String>) -> Result<Self, WebhookError> {
        let authority = Authority::create("lifeboat-local-webhook").map_err(WebhookError::Certificate)?;
        let signed = authority.server(&names).map_err(WebhookError::Certificate)?;
        let certificate = CertificateDer::from_pem_slice(signed.certificate.as_bytes()).map_err(tls)?;
        let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).map_err(tls)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate], key)
            })
            .map_err(tls)?;
        let listener = TcpListener::bind(address).map_err(WebhookError::Listen)?;
        let address = listener.local_addr().map_err(WebhookError::Listen)?;
        let stopped = Arc::new(AtomicBool::new(false));
        let accepting = std::thread::spawn({
            let stopped = stopped.clone();
            move || accept(&listener, &Arc::new(config), &stopped)
        });
        Ok(Self {
            address,
            ca_pem: authority.pem().to_owned(),
            stopped,
            accepting: Some(accepting),
        })
    }

    /// Returns the URL of the server, `https://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Returns the port of the server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the authority of the server's certificate, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Returns the authority as a `caBundle`: base64 of the PEM.
    #[must_use]
    pub fn ca_bundle(&self) -> String {
        STANDARD.encode(&self.ca_pem)
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then stops.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn tls(error: impl std::error::Error + Send + Sync + 'static) -> WebhookError {
    WebhookError::Tls(Box::new(error))
}

fn accept(listener: &TcpListener, config: &Arc<ServerConfig>, stopped: &Arc<AtomicBool>) {
    for connection in listener.incoming() {
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(connection) = connection else { continue };
        let (config, stopped) = (config.clone(), stopped.clone());
        // If a connection breaks, the API server opens another one.
        std::thread::spawn(move || serve(connection, config, &stopped));
    }
}

fn serve(
    connection: TcpStream,
    config: Arc<ServerConfig>,
    stopped: &AtomicBool,
) -> Result<(), std::io::Error> {
    connection.set_read_timeout(Some(IDLE))?;
    connection.set_nodelay(true)?;
    let session = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(session, connection));
    while let Some((path, body)) = read_request(&mut stream)? {
        if stopped.load(Ordering::SeqCst) {
            break;
        }
        let (status, answer) = answer(&path, &body);
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        let stream = stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(answer.as_bytes())?;
        stream.flush()?;
    }
    Ok(())
}

/// Reads the next request of a connection: its path and its body. Returns nothing at the end of the connection.
fn read_request(stream: &mut impl BufRead) -> Result<Option<(String, Vec<u8>)>, std::io::Error> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split_ascii_whitespace().nth(1).unwrap_or("/").to_owned();
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    if length > LARGEST_BODY {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some((path, body)))
}

/// Computes the response to one review, without other inputs.
fn answer(path: &str, body: &[u8]) -> (&'static str, Value) {
    let Ok(review) = serde_json::from_slice::<Value>(body) else {
        return ("400 Bad Request", json!({ "message": "not an admission review" }));
    };
    let request = &review["request"];
    let mut response = json!({ "uid": request["uid"], "allowed": true });
    let path = path.split('?').next().unwrap_or(path);
    match path {
        "/validate" => {
            if request["object"]["metadata"]["annotations"]
                .get(FORBIDDEN)
                .is_some()
            {
                response["allowed"] = false.into();
                response["status"] = json!({
                    "code": 403,
                    "message": format!("objects with the annotation {FORBIDDEN} are forbidden"),
                });
            }
        }
        "/convert" => return ("200 OK", conversion(request)),
        "/mutate" => add_patch(&mut response, admission_patch(&request["object"])),
        "/inject" => add_patch(&mut response, sidecar_patch(&request["object"])),
        _ => {
            return (
                "404 Not Found",
                json!({ "message": "the webhook does not exist" }),
            );
        }
    }
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response,
    });
    ("200 OK", answer)
}

/// Answers a conversion review (Kubernetes documentation, "Versions in CustomResourceDefinitions",
/// section "Webhook conversion").
fn conversion(request: &Value) -> Value {
    let wanted = request["desiredAPIVersion"].as_str().unwrap_or_default();
    let (old, new) = if wanted.ends_with("/v2") {
        ("logs", "timbers")
    } else {
        ("timbers", "logs")
    };
    let mut objects = request["objects"].as_array().cloned().unwrap_or_default();
    for object in &mut objects {
        object["apiVersion"] = wanted.into();
        if let Some(spec) = object["spec"].as_object_mut()
            && let Some(value) = spec.remove(old)
        {
            spec.insert(new.to_owned(), value);
        }
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "ConversionReview",
        "response": {
            "uid": request["uid"],
            "result": { "status": "Success" },
            "convertedObjects": objects,
        },
    })
}

fn add_patch(response: &mut Value, patch: Option<Value>) {
    if let Some(patch) = patch {
        response["patchType"] = "JSONPatch".into();
        response["patch"] = STANDARD.encode(patch.to_string()).into();
    }
}

/// Returns the JSON patch that adds the sidecar; nothing if it is present.
fn sidecar_patch(pod: &Value) -> Option<Value> {
    let mut containers = pod["spec"]["containers"].as_array()?.iter();
    if containers.any(|container| container["name"] == SIDECAR) {
        return None;
    }
    let sidecar = json!({ "name": SIDECAR, "image": "mesh/proxy:1" });
    Some(json!([{ "op": "add", "path": "/spec/containers/-", "value": sidecar }]))
}

/// Returns the JSON patch that adds the annotation; nothing if it is present, so that a second pass
/// changes nothing.
fn admission_patch(object: &Value) -> Option<Value> {
    let annotations = &object["metadata"]["annotations"];
    if annotations.get(ADMITTED).is_some() {
        return None;
    }
    if annotations.is_object() {
        let path = format!("/metadata/annotations/{}", ADMITTED.replace('/', "~1"));
        return Some(json!([{ "op": "add", "path": path, "value": "true" }]));
    }
    Some(json!([{ "op": "add", "path": "/metadata/annotations", "value": { ADMITTED: "true" } }]))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn review(annotations: &Value) -> Vec<u8> {
        json!({ "request": { "uid": "u-1", "object": { "metadata": { "annotations": annotations } } } })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn a_forbidden_object_is_refused_and_any_other_admitted() {
        let (_, refused) = answer("/validate?timeout=5s", &review(&json!({ FORBIDDEN: "yes" })));
        assert_eq!(refused["response"]["allowed"], false);
        assert_eq!(refused["response"]["uid"], "u-1");
        let (_, admitted) = answer("/validate", &review(&Value::Null));
        assert_eq!(admitted["response"]["allowed"], true);
    }

    #[test]
    fn the_annotation_is_added_once() {
        for annotations in [Value::Null, json!({ "other": "1" })] {
            let (_, changed) = answer("/mutate", &review(&annotations));
            let patch = STANDARD
                .decode(changed["response"]["patch"].as_str().unwrap())
                .unwrap();
            assert!(String::from_utf8(patch).unwrap().contains("admitted"));
        }
        let (_, unchanged) = answer("/mutate", &review(&json!({ ADMITTED: "true" })));
        assert!(unchanged["response"].get("patch").is_none());
    }

    #[test]
    fn the_sidecar_is_added_once() {
        let review = |containers: Value| {
            json!({ "request": { "uid": "u-1", "object": { "spec": { "containers": containers } } } })
                .to_string()
        };
        let (_, changed) = answer(
            "/inject?timeout=5s",
            review(json!([{ "name": "web" }])).as_bytes(),
        );
        let patch = STANDARD
            .decode(changed["response"]["patch"].as_str().unwrap())
            .unwrap();
        assert!(String::from_utf8(patch).unwrap().contains("mesh/proxy:1"));
        let both = json!([{ "name": "web" }, { "name": SIDECAR }]);
        let (_, unchanged) = answer("/inject", review(both).as_bytes());
        assert!(unchanged["response"].get("patch").is_none());
    }

    #[test]
    fn a_field_has_the_name_of_the_version_that_is_wanted() {
        let review = |wanted: &str, spec: Value| {
            let object = json!({ "apiVersion": "rafts.example/v0", "spec": spec });
            json!({ "request": { "uid": "u-1", "desiredAPIVersion": wanted, "objects": [object] } })
                .to_string()
        };
        for (wanted, spec, expected) in [
            ("rafts.example/v2", json!({ "logs": 7 }), json!({ "timbers": 7 })),
            ("rafts.example/v1", json!({ "timbers": 7 }), json!({ "logs": 7 })),
        ] {
            let (_, answer) = answer("/convert?timeout=30s", review(wanted, spec).as_bytes());
            let converted = &answer["response"]["convertedObjects"][0];
            assert_eq!(converted["apiVersion"], wanted);
            assert_eq!(converted["spec"], expected);
            assert_eq!(answer["response"]["uid"], "u-1");
        }
    }

    #[test]
    fn what_is_not_a_review_gets_an_error() {
        assert_eq!(answer("/validate", b"{").0, "400 Bad Request");
        assert_eq!(answer("/elsewhere", b"{}").0, "404 Not Found");
    }
}
