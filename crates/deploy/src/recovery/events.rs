//! The events of the recovery stacks of an application, as they happen, for somebody who waits for a build of the
//! delegate.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lifeboat_infrastructure::TAG;
use lifeboat_model::{ApplicationName, Problem};

use crate::stack::{Stacks, line};

/// The events that were seen of the recovery stacks of an application. Nothing is changed.
#[derive(Debug, Default)]
pub struct SeenEvents {
    seen: BTreeSet<(String, String)>,
    /// The stacks that were in progress when they were read last.
    running: BTreeSet<String>,
}

impl SeenEvents {
    /// Returns a line for each event after `since` that was not seen yet: the stack, and the resource with its status and
    /// the reason. The events of a stack are in their order.
    ///
    /// # Errors
    /// The code of a failed call.
    pub async fn next(
        &mut self,
        stacks: &dyn Stacks,
        application: &ApplicationName,
        since: Timestamp,
    ) -> Result<Vec<String>, Problem> {
        let all = stacks.all().await?;
        let ours = all
            .into_iter()
            .filter(|(_, stack)| stack.tags.get(TAG).map(String::as_str) == Some(application.as_str()));
        let running = ours.filter(|(_, stack)| stack.status.ends_with("_IN_PROGRESS"));
        let running: BTreeSet<String> = running.map(|(name, _)| name).collect();
        // Those that have ended since are read once more.
        let before = std::mem::replace(&mut self.running, running.clone());
        let mut lines = Vec::new();
        for name in running.union(&before) {
            let events = match stacks.events(name).await {
                Ok(events) => events,
                // A stack that was deleted has no events any more.
                Err(_) if !running.contains(name) => continue,
                Err(problem) => return Err(problem),
            };
            for event in events.into_iter().rev() {
                let is_earlier = event.at.is_some_and(|at| at < since);
                if !is_earlier && self.seen.insert((event.id.clone(), event.status.clone())) {
                    lines.push(format!("{name}: {}", line(&event)));
                }
            }
        }
        Ok(lines)
    }
}
