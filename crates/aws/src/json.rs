//! Single calls of services with the protocol AWS JSON 1.1, whose SDK would be a dependency for one call only. Requests go
//! through the client of the SDKs: the same connections, timeouts and attempts, and the same errors.

use std::error::Error as StdError;
use std::fmt;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::HttpStatusCodeClassifier;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{AwsContext, AwsError};

/// The media type of the protocol (<https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>).
const MEDIA_TYPE: &str = "application/x-amz-json-1.1";

/// A call of a service.
#[derive(Debug, Clone, Copy)]
pub struct JsonCall<'a> {
    /// The service as its endpoint and its signatures name it, such as `wafv2`.
    pub service: &'static str,
    /// The prefix of the operation in the header `X-Amz-Target`, such as `AWSWAF_20190729`.
    pub target: &'static str,
    /// The operation, such as `ListWebACLs`.
    pub operation: &'static str,
    /// The action of IAM, such as `wafv2:ListWebACLs`.
    pub action: &'static str,
    /// The resource as a user knows it.
    pub on: &'a str,
}

/// The service refuses a call.
#[derive(Debug)]
struct Refused(ErrorMetadata);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Refused {}

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl JsonCall<'_> {
    /// Sends the call, and returns the answer.
    ///
    /// # Errors
    /// [`AwsError`] if the service refuses the call or does not answer, if the answer is another one, or if there are no
    /// credentials.
    pub async fn send<T: DeserializeOwned>(
        &self,
        context: &AwsContext,
        input: &Value,
    ) -> Result<T, AwsError> {
        let failed = |error: SdkError<Refused, HttpResponse>| AwsError::new(self.action, self.on, error);
        let config = context.sdk_config();
        let credentials = context.credentials().provide_credentials().await;
        let credentials = credentials.map_err(|error| failed(SdkError::construction_failure(error)))?;
        let endpoint = self.endpoint(context);
        let request = self.signed(config, &endpoint, &credentials, input.to_string());
        let request = request.map_err(|error| failed(SdkError::construction_failure(error)))?;
        let sent = self.operation_at(config, &endpoint).invoke(request).await;
        let answer = sent.map_err(failed)?;
        serde_json::from_value(answer)
            .map_err(|error| AwsError::unexpected(self.action, self.on, error.to_string()))
    }

    /// Returns the endpoint of the service in the Region (<https://docs.aws.amazon.com/general/latest/gr/rande.html>).
    fn endpoint(&self, context: &AwsContext) -> String {
        let region = context.region();
        let configured = context.endpoint_override(self.service);
        let fips = if context.sdk_config().use_fips() == Some(true) {
            "-fips"
        } else {
            ""
        };
        configured.unwrap_or_else(|| {
            let suffix = region.partition().dns_suffix();
            format!("https://{}{fips}.{region}.{suffix}", self.service)
        })
    }

    /// Returns the request with its signature. It is valid for five minutes, longer than all attempts take.
    fn signed(
        &self,
        config: &SdkConfig,
        endpoint: &str,
        credentials: &Credentials,
        body: String,
    ) -> Result<HttpRequest, BoxError> {
        let now = config.time_source().unwrap_or_default().now();
        let region = config.region().map(AsRef::as_ref).unwrap_or_default();
        let identity = credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let url = format!("{}/", endpoint.trim_end_matches('/'));
        let target = format!("{}.{}", self.target, self.operation);
        let headers = [("content-type", MEDIA_TYPE), ("x-amz-target", &target)];
        let signable = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new("POST", &url, headers.into_iter(), signable)?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        let request = http::Request::post("/");
        let request = headers
            .into_iter()
            .fold(request, |request, (name, value)| request.header(name, value));
        let mut request = request.body(body.into())?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(HttpRequest::try_from(request)?)
    }

    fn operation_at(&self, config: &SdkConfig, endpoint: &str) -> Operation<HttpRequest, Value, Refused> {
        let mut operation = Operation::builder()
            .service_name(self.service)
            .operation_name(self.operation)
            .endpoint_url(endpoint)
            .no_auth()
            .retry_classifier(HttpStatusCodeClassifier::default());
        if let Some(client) = config.http_client() {
            operation = operation.http_client(client);
        }
        if let Some(version) = config.behavior_version() {
            operation = operation.behavior_version(version);
        }
        if let Some(retries) = config.retry_config() {
            operation = operation.standard_retry(retries);
        }
        if let Some(timeouts) = config.timeout_config() {
            operation = operation.timeout_config(timeouts.clone());
        }
        if let Some(sleep) = config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        if let Some(time) = config.time_source() {
            operation = operation.time_source(time);
        }
        operation.serializer(Ok).deserializer(answer).build()
    }
}

/// Reads an answer.
fn answer(response: &HttpResponse) -> Result<Value, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body).map_err(OrchestratorError::other);
    }
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let of_header = response.headers().get("x-amzn-errortype");
    let code = of_header.or_else(|| document["__type"].as_str());
    // A code may have the namespace of its model before `#` and an address behind `:`.
    let code = code.and_then(|code| code.split(':').next()?.rsplit('#').next());
    let message = document["message"]
        .as_str()
        .or_else(|| document["Message"].as_str());
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = code {
        metadata = metadata.code(code);
    }
    if let Some(message) = message {
        metadata = metadata.message(message);
    }
    Err(OrchestratorError::operation(Refused(metadata.build())))
}
