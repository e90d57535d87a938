//! Notices as messages to an SNS topic.

use async_trait::async_trait;
use lifeboat_aws::SnsTopic;

use crate::ports::Notifier;
use crate::state::Notice;

/// Publishes notices to an SNS topic.
#[derive(Debug, Clone)]
pub struct SnsNotifier(pub SnsTopic);

#[async_trait]
impl Notifier for SnsNotifier {
    async fn notify(&self, notice: &Notice) -> bool {
        let sent = self.0.publish(&subject(notice), &message(notice)).await;
        if let Err(error) = &sent {
            tracing::warn!(%error, "a notification was not sent; the next tick retries it");
        }
        sent.is_ok()
    }
}

fn subject(notice: &Notice) -> String {
    let what = if notice.opened { "opened" } else { "closed" };
    format!(
        "Lifeboat {what} {} for {}",
        notice.issue.id, notice.issue.application
    )
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
