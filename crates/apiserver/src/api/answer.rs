//! What an API server answers: whole, or as a stream.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::de::DeserializeOwned;

use super::ApiError;

/// An answer with a status of 2xx, read to its end.
#[derive(Clone)]
pub struct Answer {
    pub(super) path: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it was sent.
    pub body: Bytes,
    /// How often the request was made until this answer came.
    pub attempts: u32,
}

impl std::fmt::Debug for Answer {
    /// Shows no body: it may hold a Secret.
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
    /// [`ApiError::NotKubernetes`] where the body is not of the expected form. The message names the
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

/// Where parsing stopped. serde's own message may quote values, and a value may be secret.
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

/// An answer that is read piece by piece.
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

    /// The headers of the answer.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The next piece, or nothing at the end. A connection that ends early is an error, never an end:
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
