//! Builds: the AWS resources that the clusters of a recovery point stand on, in this environment.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_deploy::diagnosis::is_retryable;
use lifeboat_deploy::recovery::{BuildWatch, Built};
use lifeboat_format::VerifyingKey;
use lifeboat_infrastructure::{Adoption, Descriptions, Finding, RecoveryFacts, Severity, replicas};
use lifeboat_jobs::result::WARNINGS;
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler};
use lifeboat_jobs::{BuildDone, BuildWork, Doing, Done, Failure, Outcome, Progress};
use lifeboat_model::{Code, Problem, StackOutcome};
use lifeboat_recovery_point::{PointError, PointRepository, ReadablePoint, Silent};
use lifeboat_store::ports::{KeyUnwrapper, ObjectStore};
use lifeboat_translate::IdentityMap;
use serde_json::{Map, Value};

use super::restore::{other_vault, signer_of};
use super::{Delegate, SidePorts, failure};
use crate::infrastructure::BuildStacks;

#[async_trait(?Send)]
impl Handler<BuildWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &BuildWork) -> EpochEnd {
        let SidePorts::Recovery {
            unwrapper,
            vault,
            place,
            stacks,
        } = &self.side
        else {
            return Self::wrong_delegate("build");
        };
        if let Some(problem) = other_vault(&work.vault, place) {
            return EpochEnd::failed(problem, false);
        }
        let Some(stacks) = stacks else {
            return EpochEnd::failed(not_granted(), false);
        };
        self.build(epoch, work, unwrapper.as_ref(), vault, stacks.as_ref())
            .await
    }
}

impl Delegate {
    async fn build(
        &self,
        epoch: &Epoch<'_>,
        work: &BuildWork,
        unwrapper: &dyn KeyUnwrapper,
        vault: &Arc<dyn ObjectStore>,
        stacks: &dyn BuildStacks,
    ) -> EpochEnd {
        let watch = BuildWatch::new(self.clock.now());
        let mut run = Box::pin(async {
            let signer = signer_of(&work.signer)?;
            let descriptions = self.descriptions(work, &signer, unwrapper, vault).await?;
            let failed = |problem: Problem| {
                let retry = is_retryable(problem.code);
                (problem, retry)
            };
            let facts = self.facts(work);
            let replicated = replicas(&descriptions, &facts);
            let sources: Vec<String> = replicated.map(|(source, _)| source.to_owned()).collect();
            let built = stacks
                .build(&descriptions, facts, work.mode, work.expected_plan, &watch)
                .await
                .map_err(failed)?;
            // Last, because EFS does not resume a replication; and before the Pods start that write.
            if work.failover {
                stacks.fail_over(sources).await.map_err(failed)?;
            }
            Ok(built)
        });
        let doing = || watch.progress().map(Doing::Build);
        match (epoch.while_told(run.as_mut(), lifeboat_system::sleep, doing)).await {
            Ok(Ok(built)) => {
                let built = built.map(|built| done(built, work.expected_plan.is_some()));
                let done = built.unwrap_or_default();
                EpochEnd::Result(Outcome::Done(Done::Build(done)), Vec::new())
            }
            Ok(Err((problem, retry))) => EpochEnd::failed(problem, retry),
            // CloudFormation goes on by itself; the next epoch waits for what was started.
            Err(why) => why.end(|| Progress::Nothing {}),
        }
    }

    /// Reads the descriptions of the recovery point. The pinned key has signed its digests, and that of their file is
    /// compared; the files of its clusters are not read.
    async fn descriptions(
        &self,
        work: &BuildWork,
        signer: &VerifyingKey,
        unwrapper: &dyn KeyUnwrapper,
        vault: &Arc<dyn ObjectStore>,
    ) -> Result<Descriptions, (Problem, bool)> {
        let vault = PointRepository::new(Arc::clone(vault), self.application.clone());
        let failed = |error: PointError| failure(&error);
        let signed = vault.open(&work.point, signer).await.map_err(failed)?;
        let readable = signed.decrypt(unwrapper).await.map_err(failed)?;
        descriptions_of(&readable).await
    }

    pub(super) fn facts(&self, work: &BuildWork) -> RecoveryFacts {
        let environment = self.environment.clone();
        let mut facts = RecoveryFacts::new(environment.account, environment.region, self.application.clone());
        facts.delegate_role = Some(self.role.to_string());
        facts.managed_addons = work.managed_addons;
        facts.irsa_to_pod_identity = work.irsa_to_pod_identity;
        facts.allow_nearest_version = work.allow_nearest_version;
        facts.hold_nodes = work.hold_nodes;
        let names = work.cluster_names.iter();
        facts.cluster_names = names
            .map(|(from, to)| (from.to_string(), to.to_string()))
            .collect();
        let adopted = work.adopt.iter();
        facts.adopted = adopted.map(|(from, to)| Adoption::mapped(from, to)).collect();
        facts.adopt_existing.clone_from(&work.adopt_existing);
        facts.adopt_tags.clone_from(&work.adopt_tags);
        facts
    }
}

/// Reads the descriptions of a recovery point.
pub(super) async fn descriptions_of(point: &ReadablePoint) -> Result<Descriptions, (Problem, bool)> {
    let named = point.point().point();
    let document = point
        .descriptions(&Silent)
        .await
        .map_err(|error| failure(&error))?;
    let document = document.ok_or_else(|| {
        let problem = Problem::of(
            Code::NoDescriptions,
            format!("the recovery point {named} does not describe AWS resources"),
        );
        (problem, false)
    })?;
    Descriptions::parse(&document).map_err(|error| {
        // The causes quote the text that they fail at, which may be a secret of user data.
        let problem = Problem::new(
            Code::InvalidDocument,
            format!("failed to read the descriptions of the recovery point {named}: {error}"),
            "deploy the same version of Lifeboat in all environments of the application",
        );
        (problem, false)
    })
}

/// Returns the result of a build; with symbols for the restores of a plan that was reviewed.
fn done(built: Built, with_symbols: bool) -> BuildDone {
    let unchanged = built
        .stacks
        .iter()
        .filter(|built| built.outcome == StackOutcome::Unchanged);
    let unchanged = unchanged.count();
    let is_warning = |finding: &&Finding| finding.severity == Severity::Warning;
    let warnings: BTreeSet<&Finding> = built.findings.iter().filter(is_warning).collect();
    let told = warnings.iter().take(WARNINGS);
    BuildDone {
        changed: (built.stacks.len() - unchanged) as u64,
        unchanged: unchanged as u64,
        identities: map_of(&built.identities),
        symbols: match with_symbols {
            true => map_of(&built.symbols),
            false => Map::new(),
        },
        warnings: told.map(|finding| Failure::from(&finding.problem())).collect(),
        more_warnings: warnings.len().saturating_sub(WARNINGS) as u64,
        stacks: built.stacks,
    }
}

fn map_of(identities: &IdentityMap) -> Map<String, Value> {
    match serde_json::to_value(identities) {
        Ok(Value::Object(map)) => map,
        _ => unreachable!("an identity map can always be written as a JSON object"),
    }
}

pub(super) fn not_granted() -> Problem {
    Problem::new(
        Code::AwsDenied,
        "the delegate was deployed without the permissions to build what clusters stand on",
        "run `lifeboat deploy application` again with a document that has `rebuild` or `standby` in `infrastructure`",
    )
}
