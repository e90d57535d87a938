//! Access to one API server: raw requests with retries, responses with a size limit, and streams.
//!
//! Objects are passed as bytes. This module does not know their types; the caller decides how much of a
//! response to parse.

mod admission;
mod answer;
mod error;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::de::DeserializeOwned;

use lifeboat_system::retry::{Jitter, RetryPolicy};

pub use admission::AnswerCause;
pub use answer::{Answer, ByteStream};
pub use error::{ApiError, Refusal};

/// The maximum size in bytes of a response in memory. Lists are streamed; other responses are single objects
/// (etcd's limit is 1.5 MiB) and discovery documents (a few MiB with thousands of CRDs).
const ANSWER_CAP: usize = 64 << 20;

/// A connection to one API server. Clones are cheap and share the connection pool.
#[derive(Clone)]
pub struct Api {
    client: kube::Client,
    server: Arc<str>,
    policy: RetryPolicy,
    jitter: Jitter,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Creates a connection with an existing client. `server` is the name of the API server in messages.
    #[must_use]
    pub fn from_client(client: kube::Client, server: &str) -> Self {
        Self {
            client,
            server: server.into(),
            policy: RetryPolicy::default(),
            jitter: Jitter::seeded(0),
        }
    }

    /// Creates a connection with any HTTP service: a transport that fails on purpose, or one that signs
    /// requests.
    pub fn from_service<S, B>(service: S, server: &str) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<tower::BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<tower::BoxError>,
    {
        Self::from_client(kube::Client::new(service, "default"), server)
    }

    /// Replaces the retry policy.
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Replaces the source of jitter.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Returns the address of the API server, without credentials.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the retry policy of single requests.
    #[must_use]
    pub fn retry_policy(&self) -> RetryPolicy {
        self.policy
    }

    /// Returns the source of jitter, for callers that retry more than a single request.
    #[must_use]
    pub fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    /// Returns the underlying client, to add a layer to it.
    #[must_use]
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Reads `path` and parses the response.
    ///
    /// # Errors
    /// [`ApiError`]; a response without the expected form is [`ApiError::NotKubernetes`].
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.get(path, "application/json").await?.json()
    }

    /// Reads `path`, requesting one of the media types in `accept`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get(&self, path: &str, accept: &'static str) -> Result<Answer, ApiError> {
        self.request(get_request(path, accept)?).await
    }

    /// Sends a request and reads the whole response. Every status other than 2xx is an error
    /// ([`ApiError::Refused`]).
    ///
    /// Retried by the policy: reads after any transient failure; writes only if the server reports that it
    /// did nothing (429, 503) or no connection was made; PUT, PATCH and DELETE also after a broken
    /// connection, because they are idempotent. A POST whose connection broke is not retried: only the caller
    /// can read whether it took effect.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn request(&self, request: Request<Bytes>) -> Result<Answer, ApiError> {
        self.request_with(request, self.policy).await
    }

    /// Like [`Api::request`], with a policy for this call.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn request_with(
        &self,
        request: Request<Bytes>,
        policy: RetryPolicy,
    ) -> Result<Answer, ApiError> {
        let mut backoff = policy.begin(&self.jitter);
        loop {
            match self.attempt(&request).await {
                Ok(mut answer) => {
                    answer.attempts = backoff.attempts();
                    return Ok(answer);
                }
                Err(error) if error.may_repeat(request.method()) => error.pause(&mut backoff).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens `path` as a stream of bytes. The policy only retries the start of the response; the reader
    /// handles a failure in the middle.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn open_stream(&self, path: &str) -> Result<ByteStream, ApiError> {
        self.open_stream_with(path, self.policy).await
    }

    /// Like [`Api::open_stream`], with a policy for this call.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn open_stream_with(&self, path: &str, policy: RetryPolicy) -> Result<ByteStream, ApiError> {
        let request = get_request(path, "application/json")?;
        let mut backoff = policy.begin(&self.jitter);
        loop {
            match self.open(&request).await {
                Ok(response) => return Ok(ByteStream::new(path, response)),
                Err(error) => error.pause(&mut backoff).await?,
            }
        }
    }

    async fn attempt(&self, request: &Request<Bytes>) -> Result<Answer, ApiError> {
        let response = self.open(request).await?;
        let (parts, body) = response.into_parts();
        let body = collect(body, request.uri().path(), ANSWER_CAP).await?;
        Ok(Answer {
            path: request.uri().path().to_owned(),
            status: parts.status,
            headers: parts.headers,
            body,
            attempts: 1,
        })
    }

    /// Sends the request once and returns the head of the response, unless it is an error response.
    async fn open(&self, request: &Request<Bytes>) -> Result<Response<Body>, ApiError> {
        let path = request.uri().path();
        let copy = request.clone().map(Body::from);
        let response =
            (self.client.send(copy).await).map_err(|e| ApiError::from_kube(&self.server, path, e))?;
        // Compression is never requested; an intermediary that compresses anyway may truncate the stream
        // undetected, because a gzip stream may end after any member.
        if let Some(encoding) = response.headers().get(header::CONTENT_ENCODING)
            && encoding != "identity"
        {
            return Err(ApiError::Encoded {
                path: path.to_owned(),
                encoding: String::from_utf8_lossy(encoding.as_bytes()).into_owned(),
            });
        }
        if response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        // The text of an error response is useful, but a failure to read it must not hide the status.
        let body = collect(body, path, ANSWER_CAP).await.unwrap_or_default();
        let refusal = Refusal::read(request.method(), path, parts.status, &parts.headers, &body);
        Err(ApiError::Refused(Box::new(refusal)))
    }
}

fn get_request(path: &str, accept: &'static str) -> Result<Request<Bytes>, ApiError> {
    Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(header::ACCEPT, HeaderValue::from_static(accept))
        .body(Bytes::new())
        .map_err(|cause| ApiError::Request {
            path: path.to_owned(),
            cause,
        })
}

async fn collect(mut body: Body, path: &str, cap: usize) -> Result<Bytes, ApiError> {
    let mut collected = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|cause| ApiError::interrupted(path, cause))?;
        if let Ok(data) = frame.into_data() {
            if collected.len() + data.len() > cap {
                return Err(ApiError::TooLarge {
                    path: path.to_owned(),
                    cap,
                });
            }
            collected.extend_from_slice(&data);
        }
    }
    Ok(collected.into())
}

/// Returns the delay of a `Retry-After` header. Only seconds are parsed: Kubernetes sends nothing else, and a
/// date would have to be compared with a clock that may be wrong.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(text.trim().parse().ok()?))
}

#[cfg(test)]
mod tests;
