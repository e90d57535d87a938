//! Which answers of S3 pass, beyond those that the SDK knows.

use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;

/// S3 answers a conditional write with `409 ConditionalRequestConflict` while another write or a
/// deletion of the same key is under way, and asks for the write to be repeated
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>, "Conditional write
/// behavior"). The SDK does not.
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
