//! Responses of an API server, complete or as a stream.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::de::DeserializeOwned;

use super::ApiError;

/// A response with a status of 2xx, read to its end.
#[derive(Clone)]
pub struct Answer {
    pub(super) path: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as received.
    pub body: Bytes,
    /// The number of attempts of the request.
    pub attempts: u32,
}

impl std::fmt::Debug for Answer {
    /// Omits the body, which may contain a Secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("path", &self.path)
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Parses the body.
    ///
    /// # Errors
    /// [`ApiError::NotKubernetes`] if the body does not have the expected form. The message gives the
    /// position and never quotes the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| ApiError::NotKubernetes {
            path: self.path.clone(),
            why: format!(
                "{} ({})",
                describe_body(&self.headers, &self.body),
                position(&error)
            ),
        })
    }
}

/// Returns the position of a parse error. serde's own message may quote values, which may be secret.
fn position(error: &serde_json::Error) -> String {
    format!(
        "{:?} at line {}, column {}",
        error.classify(),
        error.line(),
        error.column()
    )
}

pub(super) fn describe_body(headers: &HeaderMap, body: &[u8]) -> String {
    let media = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("no content type");
    let looks = match body.iter().find(|b| !b.is_ascii_whitespace()) {
        None => "an empty body",
        Some(b'<') => "a web page",
        Some(b'{' | b'[') => "JSON of another form",
        Some(_) => "neither JSON nor a web page",
    };
    format!("the answer is {looks} ({media}, {} bytes)", body.len())
}

/// A response that is read in pieces.
pub struct ByteStream {
    path: String,
    headers: HeaderMap,
    body: Body,
}

impl std::fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByteStream")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl ByteStream {
    pub(super) fn new(path: &str, response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            path: path.split('?').next().unwrap_or(path).to_owned(),
            headers: parts.headers,
            body,
        }
    }

    /// Returns the headers of the response.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the next piece, or `None` at the end. A connection that ends early is an error and not an end:
    /// HTTP/1.1 marks the end by length or by a last chunk, and hyper checks both.
    ///
    /// # Errors
    /// [`ApiError::Interrupted`].
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|cause| ApiError::interrupted(&self.path, cause))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}
