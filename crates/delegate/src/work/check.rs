//! Access checks: can the role see each cluster, reach it, enter it, and read everything in it?

use lifeboat_jobs::job::{AccessFinding, AccessReport, ClusterTarget, Done, Outcome};
use lifeboat_kubernetes::access::{Unreadable, unreadable};
use lifeboat_model::{Code, Problem};

use super::{Delegate, End, failed, worth_a_retry};

impl Delegate {
    pub(super) async fn check(&self, targets: &[ClusterTarget]) -> End {
        let mut reports = Vec::new();
        for target in targets {
            match self.access(target).await {
                Ok(report) => reports.push(report),
                Err(end) => return end,
            }
        }
        End::Result(Outcome::Done(Done::Check { found: Vec::new() }), reports)
    }

    async fn access(&self, target: &ClusterTarget) -> Result<AccessReport, End> {
        let api = match self.clusters.connect(target).await {
            Ok(api) => api,
            Err(unreachable) => return Ok(self.report(target, Some(&unreachable))),
        };
        let missing = unreadable(&api)
            .await
            .map_err(|error| failed(error.problem(), worth_a_retry(error.kind())))?;
        let mut report = self.report(target, None);
        report.findings = missing
            .iter()
            .map(|missing| self.narrow(target, missing))
            .collect();
        Ok(report)
    }

    /// A type that may not be read. The point is made without it, and says so.
    fn narrow(&self, target: &ClusterTarget, missing: &Unreadable) -> AccessFinding {
        AccessFinding {
            problem: Problem::new(
                Code::AccessTooNarrow,
                format!("{} may not list {} in {}", self.role, missing.r#type, target.name),
                "run the command to let it read everything, and nothing more",
            ),
            command: Some(missing.command.clone()),
            partial: true,
        }
    }
}
