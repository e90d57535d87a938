//! Errors of reading descriptions.

use lifeboat_aws::AwsError;
use lifeboat_infrastructure::description::Missing;
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

    /// Returns the call without an answer, for a recovery point that is made without descriptions.
    #[must_use]
    pub fn missing(&self) -> Missing {
        let answer = self.answer();
        let code = match (answer.code(), answer.status()) {
            (Some(code), _) => code.to_owned(),
            (None, Some(status)) => format!("HttpStatus{status}"),
            (None, None) => "NoAnswer".to_owned(),
        };
        Missing {
            resource: "AWS".to_owned(),
            call: answer.action().to_owned(),
            code,
        }
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
