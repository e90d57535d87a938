//! Errors of AWS calls, in one form for all services.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use lifeboat_model::ErrorKind;

/// A call to AWS that failed, after the retries of the SDK.
///
/// Contains the service's error code, its message and the id of the request, which AWS support asks for. None of them
/// contains credentials or content.
#[derive(Debug)]
pub struct AwsError {
    action: &'static str,
    on: String,
    status: Option<u16>,
    code: Option<String>,
    message: String,
    request_id: Option<String>,
    kind: ErrorKind,
    /// Whether no request was sent because there were no credentials to sign it.
    unsigned: bool,
}

/// Error codes by which services limit the rate of requests. The SDKs treat them as such, too
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>).
const THROTTLING: &[&str] = &[
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
];

/// Error codes of a Region that is not enabled in the account: of EC2, and of STS.
const REGION_NOT_ENABLED: &[&str] = &["OptInRequired", "RegionDisabledException"];

/// Error codes by which services report that the credentials themselves are not valid, regardless of the request.
const BAD_CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthFailure",
];

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: ", self.action, self.on)?;
        match (&self.code, self.status) {
            (Some(code), _) if self.message.is_empty() => f.write_str(code)?,
            (Some(code), _) => write!(f, "{code}: {}", self.message)?,
            (None, Some(status)) if self.message.is_empty() => write!(f, "HTTP status {status}")?,
            (None, Some(status)) => write!(f, "HTTP status {status}: {}", self.message)?,
            (None, None) => f.write_str(&self.message)?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl StdError for AwsError {}

impl AwsError {
    /// Converts the error of an SDK, including those of services without an adapter in this crate. `action` is the IAM
    /// action, `on` the resource as a user knows it.
    pub fn new<E>(action: &'static str, on: impl Into<String>, error: SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let request_id = error.request_id().map(str::to_owned);
        let (code, message, kind) = match &error {
            SdkError::ServiceError(service) => {
                let code = service.err().code().map(str::to_owned);
                let message = service.err().message().unwrap_or_default().to_owned();
                let kind = classify(status.unwrap_or(0), code.as_deref());
                (code, message, kind)
            }
            SdkError::ResponseError(_) => (None, chain(&error), ErrorKind::Retry),
            SdkError::TimeoutError(_) => (None, "no response in time".to_owned(), ErrorKind::Retry),
            other => {
                let kind = match credentials(other) {
                    Some(
                        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_),
                    ) => ErrorKind::Denied,
                    Some(_) => ErrorKind::Retry,
                    None if matches!(other, SdkError::ConstructionFailure(_)) => ErrorKind::Invalid,
                    None => ErrorKind::Retry,
                };
                (None, chain(other), kind)
            }
        };
        Self {
            action,
            on: on.into(),
            status,
            code,
            message,
            request_id,
            kind,
            unsigned: credentials(&error).is_some(),
        }
    }

    /// Creates an error for an answer that the service's documentation does not describe.
    pub(crate) fn unexpected(action: &'static str, on: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            action,
            on: on.into(),
            status: None,
            code: None,
            message: what.into(),
            request_id: None,
            kind: ErrorKind::Invalid,
            unsigned: false,
        }
    }

    /// Creates an error for an answer whose body ended early.
    pub(crate) fn interrupted(action: &'static str, on: impl Into<String>, cause: &dyn StdError) -> Self {
        Self {
            kind: ErrorKind::Retry,
            ..Self::unexpected(action, on, chain(cause))
        }
    }

    /// Returns how a caller must handle the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Reports whether the credentials are missing, expired or not valid, so that every other request would fail too.
    #[must_use]
    pub fn is_about_credentials(&self) -> bool {
        self.unsigned || self.code().is_some_and(|code| BAD_CREDENTIALS.contains(&code))
    }

    /// Reports whether the service limits the rate of requests.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        self.code().is_some_and(|code| THROTTLING.contains(&code))
    }

    /// Reports whether the Region is not enabled in the account.
    #[must_use]
    pub fn is_region_not_enabled(&self) -> bool {
        self.code().is_some_and(|code| REGION_NOT_ENABLED.contains(&code))
    }

    /// Returns the error code of the service, such as `AccessDenied`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns what the service said, or why there is no answer.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Returns the IAM action that the call required, such as `s3:PutObject`.
    #[must_use]
    pub fn action(&self) -> &'static str {
        self.action
    }
}

/// Classifies an error. The code takes precedence over the status: KMS answers 400 for nearly every error.
fn classify(status: u16, code: Option<&str>) -> ErrorKind {
    let code = code.unwrap_or_default();
    match code {
        // The codes that the SDKs treat as throttling or transient. Some come with status 400.
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "LimitExceeded"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "InternalError"
        | "ServiceUnavailable"
        | "ConditionalRequestConflict"
        | "OperationAborted"
        | "KMSInternalException"
        | "DependencyTimeoutException"
        | "KeyUnavailableException"
        | "ServerException"
        | "ServiceUnavailableException" => ErrorKind::Retry,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedAccess"
        | "AllAccessDisabled"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "DisabledException"
        | "KMSInvalidStateException" => ErrorKind::Denied,
        "NoSuchKey"
        | "NoSuchBucket"
        | "NoSuchUpload"
        | "NotFound"
        | "NotFoundException"
        | "ResourceNotFoundException" => ErrorKind::Gone,
        "PreconditionFailed" => ErrorKind::Conflict,
        _ => match status {
            408 | 429 | 500..=599 => ErrorKind::Retry,
            401 | 403 => ErrorKind::Denied,
            404 | 410 => ErrorKind::Gone,
            409 | 412 => ErrorKind::Conflict,
            _ => ErrorKind::Invalid,
        },
    }
}

fn credentials<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CredentialsError> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// Formats an error and its causes as one line. A cause that the text already ends with is not repeated.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_what_to_do_whatever_the_status_is() {
        for (status, code, kind) in [
            (400, Some("ThrottlingException"), ErrorKind::Retry),
            (400, Some("AccessDeniedException"), ErrorKind::Denied),
            (400, Some("NotFoundException"), ErrorKind::Gone),
            (409, Some("DisabledException"), ErrorKind::Denied),
            (409, Some("ConditionalRequestConflict"), ErrorKind::Retry),
            (412, Some("PreconditionFailed"), ErrorKind::Conflict),
            (412, None, ErrorKind::Conflict),
            (403, None, ErrorKind::Denied),
            (404, None, ErrorKind::Gone),
            (503, Some("SomethingNew"), ErrorKind::Retry),
            (400, Some("ValidationException"), ErrorKind::Invalid),
        ] {
            assert_eq!(classify(status, code), kind, "{status} {code:?}");
        }
    }
}
