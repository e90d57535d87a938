//! Messages to an SNS topic.

use aws_sdk_sns::Client;
use lifeboat_model::Arn;

use crate::{AwsContext, AwsError};

/// The maximum length of a subject. SNS accepts up to 100 characters of printable ASCII
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const LONGEST_SUBJECT: usize = 100;

/// An SNS topic of the context's Region.
#[derive(Debug, Clone)]
pub struct SnsTopic {
    client: Client,
    arn: Arn,
}

impl SnsTopic {
    /// Creates a client of the topic with this ARN.
    #[must_use]
    pub fn new(context: &AwsContext, arn: Arn) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            arn,
        }
    }

    /// Publishes a message. The subject is reduced to what SNS accepts.
    ///
    /// # Errors
    /// If SNS refuses or cannot be reached.
    pub async fn publish(&self, subject: &str, message: &str) -> Result<(), AwsError> {
        (self.client.publish())
            .topic_arn(self.arn.as_str())
            .subject(accepted(subject))
            .message(message)
            .send()
            .await
            .map(drop)
            .map_err(|error| AwsError::new("sns:Publish", self.arn.as_str(), error))
    }
}

fn accepted(subject: &str) -> String {
    subject
        .chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(LONGEST_SUBJECT)
        .collect()
}
