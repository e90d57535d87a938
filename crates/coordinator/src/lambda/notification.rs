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

/// The maximum size of a message in bytes. SNS accepts 256 KiB, subject and attributes included
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>), and refuses a larger one each time it is sent.
const LARGEST: usize = 250 << 10;

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
    shortened(text)
}

/// Cuts a message that SNS would refuse.
fn shortened(mut text: String) -> String {
    const REST: &str = "…\n(shortened; `lifeboat status` shows the issue)\n";
    if text.len() > LARGEST {
        let mut end = LARGEST - REST.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(REST);
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lifeboat_model::{ApplicationName, Code, Issue, Problem};

    use super::*;

    #[test]
    fn a_notice_that_is_too_large_leaves_shortened() {
        let notice = |letters: usize| {
            let problem = Problem::of(Code::BackupFailed, "é".repeat(letters));
            let at = "2026-11-21T10:00:00Z".parse().unwrap();
            let issue = Issue::new(&ApplicationName::parse("shop").unwrap(), "", &problem, at);
            let opened = true;
            Notice { opened, at, issue }
        };
        let short = message(&notice(10));
        assert!(short.contains("éééééééééé\n") && !short.contains("shortened"));
        for letters in [128_000, 128_001, 1_000_000] {
            let long = message(&notice(letters));
            assert!(
                long.len() <= LARGEST && long.ends_with("shows the issue)\n"),
                "{letters}"
            );
        }
    }
}
