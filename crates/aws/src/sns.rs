//! Tells people of issues through a topic.

use async_trait::async_trait;
use aws_sdk_sns::Client;
use lifeboat_jobs::coordinator::state::Notice;
use lifeboat_jobs::coordinator::tick::Notifier;
use lifeboat_model::Arn;

use crate::{AwsContext, AwsError};

/// SNS takes subjects of up to 100 characters of printable ASCII
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
const LONGEST_SUBJECT: usize = 100;

/// Publishes notices to an SNS topic.
#[derive(Debug, Clone)]
pub struct SnsNotifier {
    client: Client,
    topic: Arn,
}

impl SnsNotifier {
    /// For a topic of the context's Region.
    #[must_use]
    pub fn new(context: &AwsContext, topic: Arn) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            topic,
        }
    }
}

#[async_trait]
impl Notifier for SnsNotifier {
    async fn notify(&self, notice: &Notice) -> bool {
        let sent = (self.client.publish())
            .topic_arn(self.topic.as_str())
            .subject(subject(notice))
            .message(message(notice))
            .send()
            .await
            .map_err(|error| AwsError::new("sns:Publish", self.topic.as_str(), error));
        if let Err(error) = &sent {
            tracing::warn!(%error, "a notice was not sent; the next tick sends it");
        }
        sent.is_ok()
    }
}

fn subject(notice: &Notice) -> String {
    let what = if notice.opened { "opened" } else { "closed" };
    let text = format!(
        "Lifeboat {what} {} for {}",
        notice.issue.id, notice.issue.application
    );
    text.chars()
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .take(LONGEST_SUBJECT)
        .collect()
}

fn message(notice: &Notice) -> String {
    let issue = &notice.issue;
    let mut text = format!("{}: {}\n{}\n", issue.code, issue.message, issue.guidance);
    if let Some(command) = issue.command.as_ref().filter(|_| notice.opened) {
        text.push_str(&format!("\n  {command}\n"));
    }
    for alternative in issue.alternatives.iter().filter(|_| notice.opened) {
        text.push_str(&format!(
            "\nor, {}:\n\n  {}\n",
            alternative.what, alternative.command
        ));
    }
    text
}
