//! Conversion of S3's answers to errors of a store.

use std::error::Error as StdError;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use lifeboat_model::ErrorKind;
use lifeboat_store::ports::{StoreError, StoreOperation};

use crate::AwsError;

/// A request to S3, for the messages of its errors.
pub(super) struct RequestContext {
    pub(super) operation: StoreOperation,
    /// The IAM action that allows it.
    pub(super) action: &'static str,
    /// The URL of the key or prefix.
    pub(super) url: String,
    pub(super) bucket: String,
}

impl RequestContext {
    pub(super) fn error<E>(&self, error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        self.failure(AwsError::new(self.action, &self.url, error))
    }

    pub(super) fn failure(&self, error: AwsError) -> StoreError {
        let (operation, key) = (self.operation, self.url.clone());
        if error.code() == Some("NoSuchBucket") {
            return StoreError::NoStore {
                store: format!("s3://{}", self.bucket),
                problem: "the bucket does not exist",
            };
        }
        match error.kind() {
            ErrorKind::Gone => StoreError::NotFound { operation, key },
            ErrorKind::Denied => StoreError::Denied {
                operation,
                key,
                source: error.into(),
            },
            // A conflict in a request without a condition is a conflict with another request, and is transient.
            ErrorKind::Retry | ErrorKind::Conflict => StoreError::Unavailable {
                operation,
                key,
                source: error.into(),
            },
            _ => StoreError::Failed {
                operation,
                key,
                source: error.into(),
            },
        }
    }
}

/// Returns the error for an answer without an entity tag. S3 returns one with every object, so such an answer is not
/// from S3.
pub(super) fn no_tag(asked: &RequestContext) -> StoreError {
    let what = "the response contains no ETag";
    asked.failure(AwsError::unexpected(asked.action, &asked.url, what))
}
