//! Clusters that were just built: EKS says ACTIVE before the endpoint answers, and before an access entry and its policies
//! take effect (<https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html>).

use std::time::Duration;

use lifeboat_apiserver::{Api, access};
use lifeboat_jobs::{AccessFinding, ClusterTarget};

use super::{Clusters, Unreachable};

/// How long a cluster that was just built is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Settling {
    /// The number of times that the cluster is tried.
    pub tries: u32,
    /// The pause between two of them.
    pub pause: Duration,
}

/// Five minutes of pauses: the name of an endpoint takes up to two minutes to be resolved everywhere, an access entry
/// seconds. A delegate has 15 minutes.
impl Default for Settling {
    fn default() -> Self {
        Self {
            tries: 30,
            pause: Duration::from_secs(10),
        }
    }
}

impl Settling {
    /// Connects to a cluster that was just built, once it answers and lets this delegate do everything.
    ///
    /// # Errors
    /// What the last try ended with. If only permissions are missing at the end, there is a connection: the restore names
    /// them.
    pub async fn connect(self, clusters: &dyn Clusters, target: &ClusterTarget) -> Result<Api, Unreachable> {
        let mut number = 1;
        loop {
            let is_last = number >= self.tries;
            match clusters.connect(target).await {
                Ok(api) => {
                    let denied = matches!(access::may_do_everything(&api).await, Ok(false));
                    if is_last || !denied {
                        return Ok(api);
                    }
                    tracing::info!(cluster = %target.name, number, "the permissions are not effective yet");
                }
                Err(unreachable) if is_last || !may_pass(&unreachable) => return Err(unreachable),
                Err(unreachable) => {
                    let code = unreachable.findings.first().map(AccessFinding::code);
                    tracing::info!(cluster = %target.name, number, ?code, "the cluster cannot be reached yet");
                }
            }
            lifeboat_system::sleep(self.pause).await;
            number += 1;
        }
    }
}

/// Reports whether a cluster that was just built may come to let the delegate in without a change by the user.
fn may_pass(unreachable: &Unreachable) -> bool {
    let is_entry = |finding: &AccessFinding| matches!(finding, AccessFinding::NoAccessEntry { .. });
    unreachable.retry || unreachable.findings.iter().all(is_entry)
}

#[cfg(test)]
mod tests;
