//! Answers of S3 that are retried in addition to those that the SDK retries.

use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;

/// Retries conditional writes that S3 answers with `409 ConditionalRequestConflict`. It does so while another write or
/// deletion of the same key is in progress, and documents that the write must be repeated
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>, "Conditional write behavior"). The
/// SDK does not retry these.
#[derive(Debug)]
pub(super) struct RetryWriteConflicts;

impl ClassifyRetry for RetryWriteConflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(response) if response.status().as_u16() == 409 => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "conflicts of conditional writes"
    }
}
