//! Errors of reading descriptions.

use lifeboat_aws::AwsError;
use lifeboat_model::{Code, Diagnostic, ErrorKind};

/// Why nothing could be described. Reads well after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// A service throttles or does not answer, after the retries of the SDK, or the credentials are not valid.
    #[error("describe the AWS resources of the clusters")]
    Unanswered(#[from] AwsError),
}

impl DescribeError {
    /// Returns what AWS returned.
    #[must_use]
    pub fn answer(&self) -> &AwsError {
        let Self::Unanswered(answer) = self;
        answer
    }
}

impl Diagnostic for DescribeError {
    fn kind(&self) -> ErrorKind {
        self.answer().kind()
    }

    fn code(&self) -> Code {
        if self.answer().is_about_credentials() {
            Code::NoCredentials
        } else {
            Code::AwsFailed
        }
    }
}
