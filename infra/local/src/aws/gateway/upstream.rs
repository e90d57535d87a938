//! The gateway's client of fakecloud.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::wire::{Body, full};
use crate::aws::credentials::{Credentials, SignError, sign_request};

/// The user in each account whose keys sign the gateway's own requests.
const OWN_USER: &str = "lifeboat-local-gateway";

/// The error of a request to fakecloud.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The connection failed.
    #[error("fakecloud did not respond")]
    Send(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request could not be built.
    #[error("failed to build the request to fakecloud")]
    Request(#[source] http::Error),
    /// The request could not be signed.
    #[error("failed to sign the request to fakecloud")]
    Sign(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The response was an error.
    #[error("fakecloud returned {status}: {body}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The response body.
        body: String,
    },
}

impl From<SignError> for UpstreamError {
    fn from(error: SignError) -> Self {
        Self::Sign(Box::new(error))
    }
}

/// A response whose body was read completely.
pub(crate) struct Answer {
    pub(crate) parts: http::response::Parts,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn is_success(&self) -> bool {
        self.parts.status.is_success()
    }

    /// Returns the same response with another body.
    pub(crate) fn with_json(mut self, body: &Value) -> Response<Body> {
        self.body = body.to_string().into();
        self.into_response()
    }

    pub(crate) fn into_response(mut self) -> Response<Body> {
        self.parts.headers.remove(header::TRANSFER_ENCODING);
        // hyper sets the length of the new body.
        self.parts.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(self.parts, full(self.body))
    }
}

/// A connection pool to fakecloud, and the keys of an administrator in each account.
pub(crate) struct Upstream {
    client: Client<HttpConnector, Body>,
    address: SocketAddr,
    administrators: Mutex<BTreeMap<String, Credentials>>,
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            address,
            administrators: Mutex::default(),
        }
    }

    /// Forwards a request unchanged: the signature covers method, path, headers and the host that
    /// the caller used, so none of these may change.
    pub(crate) async fn forward(
        &self,
        parts: http::request::Parts,
        body: Body,
    ) -> Result<Response<Body>, UpstreamError> {
        let mut request = Request::from_parts(parts, body);
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        *request.uri_mut() = self.uri(path)?;
        request.headers_mut().remove(header::CONNECTION);
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|error| UpstreamError::Send(error.into()))?;
        Ok(answer.map(|body| body.map_err(Into::into).boxed()))
    }

    /// Forwards a request and reads the response completely.
    pub(crate) async fn ask(
        &self,
        parts: http::request::Parts,
        body: Bytes,
    ) -> Result<Answer, UpstreamError> {
        let answer = self.forward(parts, full(body)).await?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(UpstreamError::Send)?.to_bytes();
        Ok(Answer { parts, body })
    }

    /// Sends a request that is signed with the given credentials.
    pub(crate) async fn ask_as(
        &self,
        credentials: &Credentials,
        service: &str,
        region: &str,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Result<Answer, UpstreamError> {
        let mut request = request
            .header(header::HOST, self.address.to_string())
            .body(body.into())
            .map_err(UpstreamError::Request)?;
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        *request.uri_mut() = self.uri(path)?;
        sign_request(&mut request, credentials, service, region)?;
        let (parts, body) = request.into_parts();
        self.ask(parts, body).await
    }

    /// Sends a request as the gateway's own administrator of an account.
    pub(crate) async fn ask_as_administrator(
        &self,
        account: &str,
        service: &str,
        region: &str,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Result<Answer, UpstreamError> {
        let credentials = self.administrator(account).await?;
        self.ask_as(&credentials, service, region, request, body).await
    }

    /// Sends a request that fakecloud answers without a check of signature and permissions, as it does for keys that
    /// begin with `test`. No policy of a bucket applies to it.
    pub(crate) async fn ask_unchecked(
        &self,
        service: &str,
        region: &str,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Result<Answer, UpstreamError> {
        let credentials = Credentials {
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
            session_token: None,
        };
        self.ask_as(&credentials, service, region, request, body).await
    }

    /// Sends a request in the query protocol as the administrator of an account.
    pub(crate) async fn query_as_administrator(
        &self,
        account: &str,
        service: &str,
        region: &str,
        form: String,
    ) -> Result<Answer, UpstreamError> {
        let request = Request::post("/").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask_as_administrator(account, service, region, request, form)
            .await
    }

    /// Creates an administrator of an account, which also creates the account.
    pub(crate) async fn create_administrator(
        &self,
        account: &str,
        user: &str,
    ) -> Result<(Credentials, String), UpstreamError> {
        let request = Request::post(self.uri("/_fakecloud/iam/create-admin")?)
            .header(header::CONTENT_TYPE, "application/json")
            .body(())
            .map_err(UpstreamError::Request)?;
        let (parts, ()) = request.into_parts();
        let body = json!({ "accountId": account, "userName": user }).to_string();
        let answer = self.ask(parts, body.into()).await?;
        let refused = || UpstreamError::Refused {
            status: answer.parts.status,
            body: "no administrator was created".into(),
        };
        let body = answer.json();
        let text = |name: &str| body[name].as_str().map(str::to_owned).ok_or_else(refused);
        let credentials = Credentials {
            access_key_id: text("accessKeyId")?,
            secret_access_key: text("secretAccessKey")?,
            session_token: None,
        };
        Ok((credentials, text("arn")?))
    }

    /// Returns the accounts in which the gateway has an administrator.
    pub(crate) fn accounts(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    pub(crate) async fn administrator(&self, account: &str) -> Result<Credentials, UpstreamError> {
        if let Some(known) = self.lock().get(account) {
            return Ok(known.clone());
        }
        let (credentials, _) = self.create_administrator(account, OWN_USER).await?;
        // Two threads may create one at the same time. The first is kept; both work.
        Ok(self
            .lock()
            .entry(account.to_owned())
            .or_insert(credentials)
            .clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Credentials>> {
        self.administrators.lock().expect("no holder of this lock panics")
    }

    fn uri(&self, path: &str) -> Result<Uri, UpstreamError> {
        Uri::builder()
            .scheme("http")
            .authority(self.address.to_string())
            .path_and_query(path)
            .build()
            .map_err(UpstreamError::Request)
    }
}

/// Returns a request of the JSON protocol with its target.
pub(crate) fn json_target(target: &str) -> http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri("/")
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
        .header("x-amz-target", target)
}
