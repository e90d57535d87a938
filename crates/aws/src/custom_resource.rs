//! Custom resources of CloudFormation: the request that a function gets, and the one answer that it puts to the
//! presigned URL in it
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html>).

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lifeboat_model::Redacted;
use lifeboat_store::ports::BoxError;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The most of a reason, in bytes. CloudFormation refuses answers of more than 4,096 bytes (AWS CloudFormation User
/// Guide, "Custom resource response objects"), of which the names of stack and resource take some hundred, and JSON
/// may escape what is quoted here.
pub const LONGEST_REASON: usize = 1_024;

/// The request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceRequest {
    /// What is to be done.
    pub request_type: RequestType,
    /// The type in the template, such as `Custom::LifeboatApplication`.
    pub resource_type: String,
    /// Where the answer goes. Presigned, so it is a secret for as long as it holds.
    #[serde(rename = "ResponseURL", deserialize_with = "redacted")]
    pub response_url: Redacted<String>,
    /// The stack.
    pub stack_id: String,
    /// The request.
    pub request_id: String,
    /// The resource in the template.
    pub logical_resource_id: String,
    /// The name that the resource was given, but for `Create`.
    #[serde(default)]
    pub physical_resource_id: Option<String>,
    /// The properties in the template. Numbers and truth values arrive as texts.
    #[serde(default)]
    pub resource_properties: Map<String, Value>,
}

/// What CloudFormation wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum RequestType {
    /// The resource is new.
    Create,
    /// Its properties have changed.
    Update,
    /// It is to go. Also asked after a creation that failed, and for the former resource where an update was
    /// answered with another name.
    Delete,
}

/// Reads a presigned URL.
///
/// # Errors
/// Where it is no text.
pub fn redacted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Redacted<String>, D::Error> {
    String::deserialize(deserializer).map(Redacted::new)
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceAnswer {
    /// `SUCCESS` or `FAILED`.
    pub status: &'static str,
    /// Why it failed; the console shows it.
    pub reason: String,
    /// The resource's name. Another one than before makes CloudFormation delete the former resource.
    pub physical_resource_id: String,
    /// As in the request.
    pub stack_id: String,
    /// As in the request.
    pub request_id: String,
    /// As in the request.
    pub logical_resource_id: String,
}

impl ResourceAnswer {
    /// The answer to a request: the resource's name, or why it failed. A resource that could not be made has no
    /// name, and an update that failed leaves the former one.
    #[must_use]
    pub fn new(request: &ResourceRequest, outcome: Result<String, String>) -> Self {
        let former = request.physical_resource_id.clone();
        let (status, reason, name) = match outcome {
            Ok(name) => ("SUCCESS", String::new(), name),
            Err(reason) => (
                "FAILED",
                shortened(&reason),
                former.unwrap_or_else(|| NO_RESOURCE_ID.to_owned()),
            ),
        };
        Self {
            status,
            reason,
            physical_resource_id: name,
            stack_id: request.stack_id.clone(),
            request_id: request.request_id.clone(),
            logical_resource_id: request.logical_resource_id.clone(),
        }
    }
}

/// The name of a resource that could not be made: CloudFormation wants one, and asks to delete it. No identifier of
/// ours has parentheses.
pub const NO_RESOURCE_ID: &str = "(none)";

/// As much of a reason as the console gets to see.
#[must_use]
pub fn shortened(reason: &str) -> String {
    const DOTS: &str = " [...]";
    if reason.len() <= LONGEST_REASON {
        return reason.to_owned();
    }
    format!(
        "{}{DOTS}",
        &reason[..reason.floor_char_boundary(LONGEST_REASON - DOTS.len())]
    )
}

/// Puts answers where CloudFormation waits for them: over HTTPS, by the certificates that the system trusts.
pub struct Responder {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Responder {
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

    /// Puts an answer to the presigned URL of its request.
    ///
    /// # Errors
    /// Where it does not arrive; CloudFormation then waits for its timeout. No error quotes the URL: it is signed.
    pub async fn put(&self, url: &Redacted<String>, answer: &impl Serialize) -> Result<(), BoxError> {
        // The URL is signed for an empty content type (CloudFormation User Guide, "Custom resource response
        // objects"); hyper adds none.
        let put = Request::builder()
            .method(Method::PUT)
            .uri(url.expose().as_str())
            .body(Full::new(Bytes::from(serde_json::to_vec(answer)?)))
            .map_err(|_| "the response URL is not a URL")?;
        let response = (self.client.request(put).await).map_err(|_| "CloudFormation cannot be reached")?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("CloudFormation's bucket answers {status}").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    fn request(former: Option<&str>) -> ResourceRequest {
        let mut request = json!({
            "RequestType": "Update", "ResourceType": "Custom::LifeboatApplication", "StackId": "s",
            "RequestId": "r", "LogicalResourceId": "Shop", "ResponseURL": "https://example.com/?signature=x",
            "ServiceToken": "arn", "ResourceProperties": {"Document": "name: shop"},
        });
        if let Some(former) = former {
            request["PhysicalResourceId"] = former.into();
        }
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn a_failure_keeps_the_former_name() {
        let made = ResourceAnswer::new(&request(None), Ok("shop".to_owned()));
        assert_eq!(
            (made.status, made.physical_resource_id.as_str()),
            ("SUCCESS", "shop")
        );
        let failed = ResourceAnswer::new(&request(Some("shop")), Err("no".to_owned()));
        assert_eq!(
            (failed.status, failed.physical_resource_id.as_str()),
            ("FAILED", "shop")
        );
        let failed = ResourceAnswer::new(&request(None), Err("ä".repeat(LONGEST_REASON)));
        assert_eq!(failed.physical_resource_id, NO_RESOURCE_ID);
        assert!(failed.reason.len() <= LONGEST_REASON && failed.reason.ends_with("[...]"));
    }

    #[test]
    fn the_signed_address_is_not_shown() {
        assert!(!format!("{:?}", request(None)).contains("signature"));
    }
}
