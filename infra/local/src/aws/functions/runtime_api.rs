//! The Runtime API of Lambda (2018-06-01), from which a function's `bootstrap` reads its events.
//! Each process gets a server of its own, so that requests of an ended process do not reach the
//! next one.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::aws::gateway::wire::{Body, full, json_answer};

const PREFIX: &str = "/2018-06-01/runtime/";
/// Lambda's limit for the response of a function, in bytes.
const LONGEST_ANSWER: usize = 6 << 20;

/// One event for a function.
pub(super) struct Event {
    pub(super) id: String,
    /// When the process will be killed, in milliseconds since 1970.
    pub(super) deadline_ms: u64,
    pub(super) function_arn: String,
    pub(super) body: Bytes,
}

/// The host's side of the Runtime API.
pub(super) struct RuntimeApi {
    pub(super) port: u16,
    /// True once the process has requested its first event.
    pub(super) ready: watch::Receiver<bool>,
    events: mpsc::Sender<Event>,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    ready: watch::Sender<bool>,
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    current: Mutex<Option<(String, oneshot::Sender<Bytes>)>>,
    init_error: Mutex<Option<Bytes>>,
}

impl RuntimeApi {
    pub(super) async fn start() -> Result<Self, std::io::Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (ready_sender, ready) = watch::channel(false);
        let (events, receiver) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            ready: ready_sender,
            events: tokio::sync::Mutex::new(receiver),
            current: Mutex::default(),
            init_error: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self {
            port,
            ready,
            events,
            shared,
            server,
        })
    }

    /// Sends an event to the function; the response arrives through the returned receiver.
    pub(super) async fn hand_out(&self, event: Event) -> oneshot::Receiver<Bytes> {
        let (sender, receiver) = oneshot::channel();
        *lock(&self.shared.current) = Some((event.id.clone(), sender));
        // This fails only if the server has ended, and then the receiver reports that.
        let _ = self.events.send(event).await;
        receiver
    }

    /// Returns the error that the process reported before it ended without requesting an event.
    pub(super) fn init_error(&self) -> Option<Bytes> {
        lock(&self.shared.init_error).take()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shared = shared.clone();
                async move { Ok::<_, Infallible>(answer(&shared, request).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    if parts.method == Method::GET && segments == ["invocation", "next"] {
        return next(shared).await;
    }
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        return refusal(StatusCode::BAD_REQUEST, "failed to read the body");
    };
    match segments.as_slice() {
        ["init", "error"] => {
            *lock(&shared.init_error) = Some(body);
            accepted()
        }
        ["invocation", id, "response"] if body.len() > LONGEST_ANSWER => {
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({LONGEST_ANSWER} bytes)."
            );
            let error = json!({ "errorType": "Function.ResponseSizeTooLarge", "errorMessage": message });
            reply(shared, id, error.to_string().into());
            refusal(StatusCode::PAYLOAD_TOO_LARGE, &message)
        }
        ["invocation", id, "response" | "error"] => {
            if reply(shared, id, body) {
                accepted()
            } else {
                refusal(StatusCode::BAD_REQUEST, "Invalid request ID")
            }
        }
        _ => refusal(StatusCode::NOT_FOUND, "the path does not exist"),
    }
}

async fn next(shared: &Shared) -> Response<Body> {
    let _ = shared.ready.send(true);
    let Some(event) = shared.events.lock().await.recv().await else {
        return refusal(StatusCode::GONE, "the host is shutting down");
    };
    let mut response = Response::new(full(event.body));
    let trace = "Root=1-00000000-000000000000000000000000;Sampled=0";
    for (name, value) in [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", event.id.as_str()),
        ("lambda-runtime-deadline-ms", &event.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", &event.function_arn),
        ("lambda-runtime-trace-id", trace),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Sends a response to the invocation that waits for it; false if none does.
fn reply(shared: &Shared, id: &str, body: Bytes) -> bool {
    let mut current = lock(&shared.current);
    match current.take() {
        Some((wanted, sender)) if wanted == id => sender.send(body).is_ok(),
        other => {
            *current = other;
            false
        }
    }
}

fn accepted() -> Response<Body> {
    json_answer(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    json_answer(
        status,
        &json!({ "errorMessage": message, "errorType": "InvalidRequest" }),
    )
}
