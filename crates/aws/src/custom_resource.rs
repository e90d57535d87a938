//! Custom resources of CloudFormation: the request that a function receives, and the answer that it sends to the
//! presigned URL in the request (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html>).

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

/// The maximum length of a reason, in bytes. CloudFormation rejects answers of more than 4,096 bytes (AWS
/// CloudFormation User Guide, "Custom resource response objects"), of which the names of stack and resource take a few
/// hundred, and JSON may escape the quoted text.
pub const LONGEST_REASON: usize = 1_024;

/// The request of a custom resource.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceRequest {
    /// The operation.
    pub request_type: RequestType,
    /// The type in the template, such as `Custom::LifeboatApplication`.
    pub resource_type: String,
    /// The URL for the answer. It is presigned, so it is a secret until it expires.
    #[serde(rename = "ResponseURL", deserialize_with = "redacted")]
    pub response_url: Redacted<String>,
    /// The ARN of the stack.
    pub stack_id: String,
    /// The id of the request.
    pub request_id: String,
    /// The name of the resource in the template.
    pub logical_resource_id: String,
    /// The name that an earlier answer gave to the resource; absent for `Create`.
    #[serde(default)]
    pub physical_resource_id: Option<String>,
    /// The properties in the template. CloudFormation sends numbers and booleans as strings.
    #[serde(default)]
    pub resource_properties: Map<String, Value>,
}

/// The operation that CloudFormation requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum RequestType {
    /// The resource is new.
    Create,
    /// Its properties have changed.
    Update,
    /// The resource is to be deleted. Also requested after a creation that failed, and for the former resource after an
    /// update that was answered with another name.
    Delete,
}

/// Deserializes a presigned URL.
///
/// # Errors
/// If the value is not a string.
pub fn redacted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Redacted<String>, D::Error> {
    String::deserialize(deserializer).map(Redacted::new)
}

/// The answer to a [`ResourceRequest`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceAnswer {
    /// `SUCCESS` or `FAILED`.
    pub status: &'static str,
    /// Why it failed; shown in the CloudFormation console.
    pub reason: String,
    /// The name of the resource. If an update changes it, CloudFormation deletes the former resource.
    pub physical_resource_id: String,
    /// The stack of the request.
    pub stack_id: String,
    /// The id of the request.
    pub request_id: String,
    /// The name of the resource in the template, from the request.
    pub logical_resource_id: String,
}

impl ResourceAnswer {
    /// Creates the answer to a request: the resource's name, or why it failed. A failed creation has the name
    /// [`NO_RESOURCE_ID`], and a failed update keeps the former name.
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

/// The name of a resource that could not be created: CloudFormation requires a name, and sends a request to delete it.
/// No identifier of ours contains parentheses.
pub const NO_RESOURCE_ID: &str = "(none)";

/// Shortens a reason to [`LONGEST_REASON`].
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

/// Sends answers to CloudFormation over HTTPS, with the certificates that the system trusts.
pub struct Responder {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Responder {
    /// Reads the system's certificates.
    ///
    /// # Errors
    /// If there are none.
    pub fn new() -> Result<Self, BoxError> {
        // Also allows plain HTTP: the local AWS has no certificate. CloudFormation itself uses HTTPS.
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Sends an answer to the presigned URL of its request.
    ///
    /// # Errors
    /// If it cannot be sent; CloudFormation then waits for its timeout. No error contains the URL, because its
    /// signature is a secret.
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
