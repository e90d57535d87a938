//! From answers of S3 to errors of a store.

use std::error::Error as StdError;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use lifeboat_model::ErrorKind;
use lifeboat_store::ports::{StoreError, StoreOperation};

use crate::AwsError;

/// What was asked of S3, for the message of what went wrong.
pub(super) struct RequestContext {
    pub(super) operation: StoreOperation,
    /// The IAM action that allows it.
    pub(super) action: &'static str,
    /// The key or prefix.
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
            // A conflict that nobody awaited is one with another request, and passes.
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

/// S3 gives an entity tag with every object; an answer without one is not from S3.
pub(super) fn no_tag(asked: &RequestContext) -> StoreError {
    let what = "the response contains no ETag";
    asked.failure(AwsError::unexpected(asked.action, &asked.url, what))
}
