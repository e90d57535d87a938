//! The seal: one signature over everything that the jobs of a recovery point have captured.

use async_trait::async_trait;
use lifeboat_capture::infrastructure::{DescribeResources, describe, undescribed};
use lifeboat_format::Sha256;
use lifeboat_format::manifest::open_envelope;
use lifeboat_format::verify::check_place;
use lifeboat_infrastructure::description::Missing;
use lifeboat_jobs::folder::view;
use lifeboat_jobs::split::merge;
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler, Stop};
use lifeboat_jobs::{
    CaptureDone, ClusterTarget, Done, Outcome, Progress, ResultValidity, SealWork, Sealed, Trust,
};
use lifeboat_model::{ArnKind, Code, Diagnostic, JobId, Problem, RecoveryPointId};
use lifeboat_recovery_point::cursor::CapturedCluster;
use lifeboat_recovery_point::layout::manifest_key;
use lifeboat_recovery_point::{DescribedInfrastructure, NewPoint, SealedPoint, seal, write_descriptions};
use lifeboat_store::ports::{Signer, StoreError};

use super::{Delegate, Sealing, failure};

/// The number of AWS resources that cannot be described of which each is logged. The manifest lists all.
const LOGGED: usize = 20;

/// What a recovery point is made of.
#[derive(Clone, Copy)]
pub(super) struct Captured<'a> {
    /// The clusters, as they are in EKS.
    pub(super) targets: &'a [ClusterTarget],
    /// Their captures.
    pub(super) clusters: &'a [CapturedCluster],
}

/// Why a recovery point is not sealed.
pub(super) enum NotSealed {
    /// The epoch ends before.
    Stopped(Stop),
    /// It cannot be written or signed; whether another try may succeed without a change by the user.
    Failed(Problem, bool),
}

impl NotSealed {
    fn of(error: &impl Diagnostic) -> Self {
        let (problem, retry) = failure(error);
        Self::Failed(problem, retry)
    }
}

#[async_trait(?Send)]
impl Handler<SealWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &SealWork) -> EpochEnd {
        match self.side.sealing() {
            Some(sealing) => self.seal(epoch, work, sealing).await,
            None => Self::wrong_delegate("seal"),
        }
    }
}

impl Delegate {
    async fn seal(&self, epoch: &Epoch<'_>, work: &SealWork, sealing: Sealing<'_>) -> EpochEnd {
        let SealWork { point, parts } = work;
        match self.sealed(sealing.signer, point).await {
            Ok(None) => {}
            Ok(Some(sealed)) => return EpochEnd::Result(Outcome::Done(Done::Seal(sealed)), Vec::new()),
            Err((problem, retry)) => return EpochEnd::failed(problem, retry),
        }
        let (mut clusters, mut targets) = (Vec::new(), Vec::new());
        for part in parts {
            match self.part(part).await {
                Ok((captured, of)) => {
                    clusters.extend(captured);
                    targets.extend(of);
                }
                Err((problem, retry)) => return EpochEnd::failed(problem, retry),
            }
        }
        let clusters = match merge(clusters) {
            Ok(clusters) => clusters,
            Err(error) => {
                let problem = Problem::new(
                    Code::BackupFailed,
                    format!("failed to {error}"),
                    "the next backup starts from the beginning",
                );
                return EpochEnd::failed(problem, true);
            }
        };
        let captured = Captured {
            targets: &targets,
            clusters: &clusters,
        };
        match self.seal_captured(epoch, point, sealing, captured, true).await {
            Ok(sealed) => EpochEnd::Result(Outcome::Done(Done::Seal(sealed)), Vec::new()),
            Err(NotSealed::Failed(problem, retry)) => EpochEnd::failed(problem, retry),
            Err(NotSealed::Stopped(why)) => why.end(|| Progress::Nothing {}),
        }
    }

    /// Returns what a capture job of this bucket has captured, and of which clusters.
    async fn part(&self, job: &JobId) -> Result<(Vec<CapturedCluster>, Vec<ClusterTarget>), (Problem, bool)> {
        let trust = Trust::Keys(&self.coordinators);
        let view = (view(self.scratch.as_ref(), job, trust, None).await).map_err(|error| failure(&error))?;
        let captured = match view.validity() {
            ResultValidity::Counts(result) => match &result.outcome {
                Outcome::Done(Done::Capture(CaptureDone { clusters, .. })) => {
                    let assigned = view.assignments.get(&result.epoch);
                    let targets = assigned.map_or(&[][..], |assignment| assignment.work.clusters());
                    Some((clusters.clone(), targets.to_vec()))
                }
                _ => None,
            },
            _ => None,
        };
        captured.ok_or_else(|| {
            let problem = Problem::new(
                Code::JobDocumentRefused,
                format!("{job} has no complete capture to seal"),
                "the next backup starts from the beginning",
            );
            (problem, false)
        })
    }

    /// Returns the sealed recovery point, if an earlier epoch of this job has sealed it and ended before it
    /// wrote its result.
    pub(super) async fn sealed(
        &self,
        signer: &dyn Signer,
        point: &RecoveryPointId,
    ) -> Result<Option<Sealed>, (Problem, bool)> {
        let store = self.captures();
        let bytes = match store.get(&manifest_key(&self.application, point)).await {
            Ok((bytes, _)) => bytes,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failure(&error)),
        };
        let statement = open_envelope(&bytes, signer.verifying_key())
            .map_err(|error| (unusable(error.code(), &error), false))?;
        check_place(&statement, &self.application, point)
            .map_err(|error| (unusable(error.code(), &error), false))?;
        let manifest = Sha256::of(&bytes);
        Ok(Some(summary(&SealedPoint { statement, manifest })))
    }

    /// Describes what the clusters stand on, and signs the recovery point.
    ///
    /// What cannot be read of AWS is missing in the recovery point and never prevents it: not even that there is too
    /// little time. If `is_whole_epoch` is false, the next epoch has more of it, and this one ends instead.
    pub(super) async fn seal_captured(
        &self,
        epoch: &Epoch<'_>,
        point: &RecoveryPointId,
        sealing: Sealing<'_>,
        captured: Captured<'_>,
        is_whole_epoch: bool,
    ) -> Result<Sealed, NotSealed> {
        let infrastructure = match sealing.resources {
            None => None,
            Some(resources) => {
                let described = self.described(epoch, resources, captured, is_whole_epoch).await;
                let described = described.map_err(NotSealed::Stopped)?;
                let store = self.captures();
                let written = write_descriptions(
                    store.as_ref(),
                    &self.application,
                    point,
                    epoch.claim.epoch.get(),
                    described,
                    sealing.recipients,
                    self.ids.as_ref(),
                );
                Some(written.await.map_err(|error| NotSealed::of(&error))?)
            }
        };
        let new = NewPoint {
            application: &self.application,
            point,
            created_at: epoch.assignment.issued_at,
            version: &self.version,
        };
        let predicate = new.predicate(captured.clusters.to_vec(), infrastructure);
        let sealed = seal(self.captures().as_ref(), sealing.signer, predicate).await;
        Ok(summary(&sealed.map_err(|error| NotSealed::of(&error))?))
    }

    async fn described(
        &self,
        epoch: &Epoch<'_>,
        resources: &dyn DescribeResources,
        captured: Captured<'_>,
        is_whole_epoch: bool,
    ) -> Result<DescribedInfrastructure, Stop> {
        let names = captured
            .targets
            .iter()
            .filter_map(|target| match target.arn.kind() {
                ArnKind::Cluster { name } => Some(name.to_owned()),
                _ => None,
            });
        let names = names.collect();
        let now = self.clock.now();
        let mut run = Box::pin(describe(resources, names, captured.clusters, now));
        let described = match epoch.while_owned(run.as_mut(), lifeboat_system::sleep).await {
            Ok(described) => described,
            Err(Stop::Time) if is_whole_epoch => {
                let why = Missing {
                    resource: "AWS".to_owned(),
                    call: "describe".to_owned(),
                    code: "TimedOut".to_owned(),
                };
                undescribed(resources.environment(), &why, now)
            }
            Err(stop) => return Err(stop),
        };
        tracing::info!(
            resources = described.resources.len(),
            missing = described.missing.len(),
            "described"
        );
        for missing in described.missing.iter().take(LOGGED) {
            let (resource, call, code) = (&missing.resource, &missing.call, &missing.code);
            tracing::warn!(resource, call, code, "an AWS resource cannot be described");
        }
        Ok(described)
    }
}

fn summary(sealed: &SealedPoint) -> Sealed {
    let summary = sealed.summary();
    Sealed {
        manifest: summary.manifest,
        completeness: summary.completeness,
        objects: summary.objects,
        bytes: summary.bytes,
    }
}

/// Returns the problem of an existing manifest at the recovery point's key that this job cannot use.
fn unusable(code: Code, error: &(dyn std::error::Error + 'static)) -> Problem {
    Problem::new(
        code,
        "failed to continue with a recovery point that an earlier epoch sealed",
        "check who else can write to the scratch bucket; the next backup creates a new recovery point",
    )
    .caused_by(error)
}
