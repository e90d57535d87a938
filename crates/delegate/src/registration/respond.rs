//! Puts the answer where CloudFormation waits for it.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lifeboat_jobs::ports::BoxError;
use lifeboat_model::Redacted;

use super::Responder;

/// Answers over HTTPS, by the certificates that the system trusts.
pub struct HttpsResponder {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HttpsResponder {
    /// Reads the system's certificates.
    ///
    /// # Errors
    /// Where there are none.
    pub fn new() -> Result<Self, BoxError> {
        // Plain HTTP too: the local AWS has no certificate. CloudFormation itself gives HTTPS.
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }
}

#[async_trait]
impl Responder for HttpsResponder {
    async fn put(&self, url: &Redacted<String>, body: Vec<u8>) -> Result<(), BoxError> {
        // The URL is signed for an empty content type (CloudFormation User Guide, "Custom resource
        // response objects"); hyper adds none. No error may quote the URL: it is signed.
        let request = Request::builder()
            .method(Method::PUT)
            .uri(url.expose().as_str())
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| "the response URL is no URL")?;
        let response =
            (self.client.request(request).await).map_err(|_| "CloudFormation cannot be reached")?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("CloudFormation's bucket answers {status}").into()),
        }
    }
}
