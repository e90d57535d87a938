//! Plans: what a restore would do in this environment, without doing it.
//!
//! Objects are translated to the symbols of the stacks, whether these exist or not. The hash of a cluster is that of its
//! plan for an empty cluster: it is the same before, while and after the stacks are built and the objects restored, and a
//! restore that expects a plan makes it again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_deploy::diagnosis::is_retryable;
use lifeboat_format::Sha256;
use lifeboat_format::manifest::ClusterRecord;
use lifeboat_infrastructure::Descriptions;
use lifeboat_jobs::claim::{Written, put_once};
use lifeboat_jobs::keys::plan_part_key;
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler};
use lifeboat_jobs::{
    AccessReport, ClusterTarget, Done, Failure, Outcome, PartDone, PlanCheckpoint, PlanDone, PlanWork,
    Progress, RestoreCheckpoint,
};
use lifeboat_model::{ArnKind, ClusterName, Code, Diagnostic as _, Problem};
use lifeboat_plan::{ClusterPlan, ComparedWith, RestoreOptions, Severity};
use lifeboat_recovery_point::VerifiedPoint;
use lifeboat_restore::execute::{CachedFrames, PointFrames};
use lifeboat_restore::preflight::preflight;
use lifeboat_restore::recover::{Planned, RecoverError, draft};
use lifeboat_store::ports::{KeyUnwrapper, ObjectStore};
use lifeboat_translate::identity::Kind;
use serde::Serialize;

use super::build::{descriptions_of, not_granted};
use super::restore::{other_vault, read_options, with_declared};
use super::watch::ProgressCounter;
use super::{Delegate, SidePorts, failure};
use crate::clusters::Unreachable;
use crate::infrastructure::BuildStacks;

/// Why no plan is made, and whether another try may succeed.
type Failed = (Problem, bool);

#[async_trait(?Send)]
impl Handler<PlanWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &PlanWork) -> EpochEnd {
        let SidePorts::Recovery {
            unwrapper,
            vault,
            place,
            stacks,
        } = &self.side
        else {
            return Self::wrong_delegate("plan");
        };
        if let Some(problem) = other_vault(&work.vault, place) {
            return EpochEnd::failed(problem, false);
        }
        let options = match read_options(&work.options) {
            Ok(options) => options,
            Err(problem) => return EpochEnd::failed(problem, false),
        };
        let earlier = earlier(epoch);
        let counted = ProgressCounter::after(RestoreCheckpoint {
            verified_files: earlier.verified_files,
            ..RestoreCheckpoint::default()
        });
        let planner = Planner {
            delegate: self,
            epoch,
            work,
            stacks: stacks.as_deref(),
            counted: &counted,
            clusters: Mutex::new(earlier.clusters),
            access: Mutex::new(Vec::new()),
        };
        let mut run = Box::pin(planner.run(options, unwrapper.as_ref(), vault));
        let ended = epoch.while_owned(run.as_mut(), lifeboat_system::sleep).await;
        drop(run);
        let access = planner
            .access
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match ended {
            Ok(Ok(done)) => EpochEnd::Result(Outcome::Done(Done::Plan(done)), access),
            Ok(Err((problem, retry))) => EpochEnd::Result(Outcome::failed(&problem, retry), access),
            Err(why) => {
                let clusters = planner.clusters.into_inner();
                why.end(|| {
                    Progress::Plan(PlanCheckpoint {
                        verified_files: counted.checkpoint().verified_files,
                        clusters: clusters.unwrap_or_else(PoisonError::into_inner),
                    })
                })
            }
        }
    }
}

/// One epoch of a plan.
struct Planner<'a> {
    delegate: &'a Delegate,
    epoch: &'a Epoch<'a>,
    work: &'a PlanWork,
    stacks: Option<&'a dyn BuildStacks>,
    counted: &'a ProgressCounter,
    /// The clusters that are planned.
    clusters: Mutex<BTreeMap<ClusterName, PartDone>>,
    access: Mutex<Vec<AccessReport>>,
}

impl Planner<'_> {
    async fn run(
        &self,
        mut options: RestoreOptions,
        unwrapper: &dyn KeyUnwrapper,
        vault: &Arc<dyn ObjectStore>,
    ) -> Result<PlanDone, Failed> {
        let PlanWork { point, signer, .. } = self.work;
        let opened = self.delegate.open(point, signer, unwrapper, vault, self.counted);
        let point = opened.await?;
        let mut infrastructure = None;
        let mut descriptions = None;
        if let Some(build) = &self.work.build {
            let described = descriptions_of(&point).await?;
            let stacks = self.stacks.ok_or_else(|| (not_granted(), false))?;
            let planned = stacks.plan(&described, self.delegate.facts(build)).await;
            let planned = planned.map_err(|problem| {
                let retry = is_retryable(problem.code);
                (problem, retry)
            })?;
            let rejected = !planned.errors().is_empty();
            infrastructure = Some(self.write(None, rejected, planned.hash, &planned).await?);
            options.identities = Some(with_declared(planned.identities, options.identities));
            descriptions = Some(described);
        }
        for target in &self.work.clusters {
            if self.done().contains_key(&target.name) {
                continue;
            }
            let reviewed = Reviewed {
                point: &point,
                options: &options,
                descriptions: descriptions.as_ref(),
                target,
            };
            let planned = self.cluster(&reviewed).await?;
            let hash = planned.hash.as_deref().and_then(|hash| hash.parse().ok());
            let part = self
                .write(Some(&target.name), planned.rejected, hash, &planned)
                .await?;
            self.done().insert(target.name.clone(), part);
        }
        Ok(PlanDone {
            infrastructure,
            clusters: self.done().clone(),
        })
    }

    fn done(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterName, PartDone>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn cluster(&self, reviewed: &Reviewed<'_>) -> Result<ClusterPlan, Failed> {
        let target = reviewed.target;
        let record = record_of(reviewed.point, &target.name)?;
        let connected = self.delegate.clusters.connect(target).await;
        let (compared_with, mut first, warnings) = match &connected {
            Ok(_) => (ComparedWith::Target, Vec::new(), Vec::new()),
            Err(unreachable) => {
                let (first, warnings) = self.without_target(unreachable);
                (ComparedWith::EmptyCluster, first, warnings)
            }
        };
        self.report(target, connected.as_ref().err());
        let into = eks_name(target);
        let names = (&target.name, &into);
        let planned = self.plan(reviewed, record, connected.as_ref().ok()).await;
        let mut document = match planned {
            Ok((planned, hash, refusals)) => {
                first.extend(refusals);
                ClusterPlan::new(&planned.plan, hash, names, compared_with, first)
            }
            Err(RecoverError::NoPlan { problems }) => {
                first.extend(problems);
                ClusterPlan::refused(self.work.point.as_str(), names, compared_with, first)
            }
            Err(error) => return Err((error.problem(), error.kind().is_retryable())),
        };
        document.warnings.extend(warnings);
        Ok(document)
    }

    /// Makes the plan of a cluster, and asks the target what it would refuse. Returns the hash of the plan for an empty
    /// cluster too.
    async fn plan(
        &self,
        reviewed: &Reviewed<'_>,
        record: &ClusterRecord,
        target: Option<&Api>,
    ) -> Result<(Planned, String, Vec<Problem>), RecoverError> {
        let for_empty = reviewed.plan(record, self.counted).await?;
        let hash = for_empty.hash.clone();
        let Some(api) = target else {
            return Ok((for_empty, hash, Vec::new()));
        };
        // Not both at once: each may have 300,000 objects.
        drop(for_empty);
        let point = reviewed.point;
        let drafted = draft(point, record, reviewed.options.clone(), self.counted).await?;
        let planned = drafted.plan(api, None, self.counted).await?;
        let findings = planned.plan.lint();
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Ok((planned, hash, Vec::new()));
        }
        let frames = CachedFrames::new(PointFrames::new(point, planned.frames.clone()));
        let refusals = preflight(api, &planned.plan, &planned.facts, &frames).await?;
        Ok((planned, hash, refusals))
    }

    /// Returns what must be fixed first, and what should be known, if the target cannot be reached. A cluster that is built
    /// need not exist yet.
    fn without_target(&self, unreachable: &Unreachable) -> (Vec<Problem>, Vec<Problem>) {
        let problems: Vec<Problem> = unreachable.failures().iter().map(Failure::problem).collect();
        match &self.work.build {
            // The restore is the work of the private delegate, and begins with a plan of its own.
            _ if unreachable.private.is_some() => (Vec::new(), vec![not_compared()]),
            None => (problems, Vec::new()),
            Some(_) if does_not_exist(unreachable) => Default::default(),
            Some(_) => (Vec::new(), problems),
        }
    }

    /// Adds the access to a cluster, which becomes an issue if something is missing. What is built need not exist.
    fn report(&self, target: &ClusterTarget, unreachable: Option<&Unreachable>) {
        if unreachable.is_none() || self.work.build.is_none() {
            let mut access = self.access.lock().unwrap_or_else(PoisonError::into_inner);
            access.push(self.delegate.report(target, unreachable));
        }
    }

    /// Writes a part of the plan: that of a cluster, or that of the AWS resources.
    async fn write(
        &self,
        cluster: Option<&ClusterName>,
        rejected: bool,
        hash: Option<Sha256>,
        part: &impl Serialize,
    ) -> Result<PartDone, Failed> {
        let claim = self.epoch.claim;
        let key = plan_part_key(&claim.job, claim.epoch, cluster);
        let bytes = serde_json::to_vec(part).expect("a plan can always be written as JSON");
        let written = put_once(self.delegate.scratch.as_ref(), &key, bytes.into()).await;
        match written.map_err(|error| failure(&error))? {
            Written::New | Written::Same => Ok(PartDone {
                rejected,
                epoch: claim.epoch,
                hash,
            }),
            Written::Other => {
                let problem = Problem::new(
                    Code::JobDocumentRefused,
                    format!("somebody else has written {key}"),
                    "check who else can write to the scratch bucket",
                );
                Err((problem, true))
            }
        }
    }
}

/// Returns whether the target is known not to exist.
/// Returns the warning that a plan is not compared with the objects of a cluster that the public delegate cannot reach.
fn not_compared() -> Problem {
    Problem::new(
        Code::EndpointPrivate,
        "the cluster has a private endpoint only, so the plan is not compared with its objects",
        "nothing, once the private delegate of the cluster is deployed: a restore compares before it writes",
    )
}

fn does_not_exist(unreachable: &Unreachable) -> bool {
    let mut findings = unreachable.findings.iter();
    findings.all(|finding| finding.code() == Code::ClusterNotFound)
}

fn eks_name(target: &ClusterTarget) -> ClusterName {
    match target.arn.kind() {
        ArnKind::Cluster { name } => ClusterName::parse(name).unwrap_or_else(|_| target.name.clone()),
        _ => target.name.clone(),
    }
}

/// What the plan of a cluster depends on that is reviewed: everything but the target.
pub(super) struct Reviewed<'a> {
    pub(super) point: &'a VerifiedPoint,
    /// With symbols in the identity map for what stacks build.
    pub(super) options: &'a RestoreOptions,
    /// The descriptions of AWS resources, if the cluster is built.
    pub(super) descriptions: Option<&'a Descriptions>,
    pub(super) target: &'a ClusterTarget,
}

impl Reviewed<'_> {
    /// Makes the plan for an empty cluster.
    pub(super) async fn plan(
        &self,
        record: &ClusterRecord,
        watch: &ProgressCounter,
    ) -> Result<Planned, RecoverError> {
        let drafted = draft(self.point, record, self.options.clone(), watch).await?;
        drafted.plan_for_empty_target(&record.server.version, self.service_ranges())
    }

    /// Returns the ranges of cluster IPs that a cluster gets that is built: those of the primary's.
    fn service_ranges(&self) -> Vec<String> {
        let into = eks_name(self.target);
        let identities = self.options.identities.iter();
        let mut names = identities
            .flat_map(|map| &map.identities)
            .filter(|one| one.kind == Kind::Cluster);
        let source = names.find(|one| one.to == into.as_str()).map(|one| &one.from);
        let clusters = self.descriptions.into_iter().flat_map(|found| &found.clusters);
        let described = clusters.filter(|cluster| Some(&cluster.name) == source);
        let networks = described.filter_map(|cluster| cluster.kubernetes_network_config.as_ref());
        let ranges = networks.flat_map(|network| [&network.service_ipv4_cidr, &network.service_ipv6_cidr]);
        ranges.flatten().cloned().collect()
    }
}

/// Returns the record of a cluster of a recovery point.
pub(super) fn record_of<'p>(
    point: &'p VerifiedPoint,
    cluster: &ClusterName,
) -> Result<&'p ClusterRecord, Failed> {
    let point = point.point();
    let mut records = point.statement().predicate.clusters.iter();
    records.find(|record| record.name == *cluster).ok_or_else(|| {
        let problem = Problem::new(
            Code::PointNotFound,
            format!("the recovery point {} has no cluster {cluster}", point.point()),
            "use one of the clusters in the application document (`lifeboat application show`)",
        );
        (problem, false)
    })
}

/// Returns what earlier epochs of the job have completed.
fn earlier(epoch: &Epoch<'_>) -> PlanCheckpoint {
    match epoch.checkpoint.map(|checkpoint| &checkpoint.progress) {
        Some(Progress::Plan(planned)) => planned.clone(),
        _ => PlanCheckpoint::default(),
    }
}
