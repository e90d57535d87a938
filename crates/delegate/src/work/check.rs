//! Access checks: whether the role can describe each cluster, connect, authenticate, and do everything that
//! is needed.

use async_trait::async_trait;
use lifeboat_apiserver::access::{Denied, denied_reads, denied_writes};
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler};
use lifeboat_jobs::{AccessFinding, AccessReport, CheckWork, ClusterTarget, Done, Outcome};
use lifeboat_model::{Code, Diagnostic as _, Problem, Side, TypeName};

use super::{Delegate, SidePorts};
use crate::commands;

/// The maximum number of types that a sentence names; of the others it gives the number.
const NAMED: usize = 8;

#[async_trait(?Send)]
impl Handler<CheckWork> for Delegate {
    async fn handle(&self, _: &Epoch<'_>, work: &CheckWork) -> EpochEnd {
        self.check(work).await
    }
}

impl Delegate {
    async fn check(&self, work: &CheckWork) -> EpochEnd {
        let CheckWork {
            clusters: targets,
            cluster_tags: tags,
        } = work;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        if !tags.is_empty() {
            match self.clusters.tagged(tags).await {
                Ok(clusters) => found = clusters,
                Err(unreachable) if unreachable.retry => {
                    let problems = unreachable.findings.into_iter().map(|f| f.problem).collect();
                    return EpochEnd::Result(
                        Outcome::Failed {
                            problems,
                            retry: true,
                        },
                        Vec::new(),
                    );
                }
                Err(unreachable) => missing = unreachable.findings,
            }
        }
        let mut reports = Vec::new();
        for target in targets.iter().chain(&found) {
            match self.access(target).await {
                Ok(report) => reports.push(report),
                Err(end) => return end,
            }
        }
        EpochEnd::Result(Outcome::Done(Done::Check { found, missing }), reports)
    }

    async fn access(&self, target: &ClusterTarget) -> Result<AccessReport, EpochEnd> {
        let api = match self.clusters.connect(target).await {
            Ok(api) => api,
            Err(unreachable) => return Ok(self.report(target, Some(&unreachable))),
        };
        let denied = match self.side() {
            Side::Primary => denied_reads(&api).await,
            Side::Recovery => denied_writes(&api).await,
        };
        let denied =
            denied.map_err(|error| EpochEnd::failed(error.problem(), error.kind().is_retryable()))?;
        let mut report = self.report(target, None);
        report.findings.extend(self.insufficient_access(target, &denied));
        Ok(report)
    }

    /// Returns the side that this delegate serves.
    fn side(&self) -> Side {
        match self.side {
            SidePorts::Primary { .. } => Side::Primary,
            SidePorts::Recovery { .. } => Side::Recovery,
        }
    }

    /// Returns one finding for all types with missing permissions. A recovery point is made without types
    /// that cannot be read and is marked Partial; a restore would omit objects, which is worse.
    pub(super) fn insufficient_access(
        &self,
        target: &ClusterTarget,
        denied: &Denied,
    ) -> Option<AccessFinding> {
        if denied.types.is_empty() {
            return None;
        }
        let (side, types) = (self.side(), enumerated(&denied.types));
        let (verb, guidance) = match side {
            Side::Primary => (
                "list",
                "run the command to allow read access to everything, or exclude the types from the application",
            ),
            Side::Recovery => (
                "write",
                "run the command; a restore writes objects of every type, so it needs cluster-admin",
            ),
        };
        let message = format!(
            "{} is not allowed to {verb} {types} in {}",
            self.role, target.name
        );
        let problem = Problem::new(Code::InsufficientAccess, message, guidance);
        let finding = match &denied.user {
            Some(user) => commands::grant_access(problem, &target.arn, user, &self.application, side),
            None => AccessFinding::new(problem),
        };
        Some(match side {
            Side::Primary => finding.as_partial(),
            Side::Recovery => finding,
        })
    }
}

/// Formats the types as part of a sentence.
fn enumerated(types: &[TypeName]) -> String {
    let mut words: Vec<String> = types.iter().take(NAMED).map(ToString::to_string).collect();
    match types.len() - words.len() {
        0 => {}
        1 => words.push("1 more type".to_owned()),
        more => words.push(format!("{more} more types")),
    }
    match words.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_types_are_one_sentence() {
        let types = |count: usize| -> Vec<TypeName> {
            (0..count)
                .map(|number| TypeName::from(format!("t{number}").as_str()))
                .collect()
        };
        assert_eq!(enumerated(&types(1)), "t0");
        assert_eq!(enumerated(&types(3)), "t0, t1 and t2");
        assert!(enumerated(&types(9)).ends_with("t7 and 1 more type"));
        assert!(enumerated(&types(60)).ends_with("t7 and 52 more types"));
    }
}
