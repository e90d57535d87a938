//! The seal: one signature over everything that the jobs of a recovery point have captured.

use async_trait::async_trait;
use jiff::Timestamp;
use lifeboat_format::Sha256;
use lifeboat_format::manifest::open_envelope;
use lifeboat_format::verify::check_place;
use lifeboat_jobs::folder::view;
use lifeboat_jobs::split::merge;
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler};
use lifeboat_jobs::{CaptureDone, Done, Outcome, ResultValidity, SealWork, Sealed, Trust};
use lifeboat_model::{Code, Diagnostic as _, JobId, Problem, RecoveryPointId};
use lifeboat_recovery_point::cursor::CapturedCluster;
use lifeboat_recovery_point::layout::manifest_key;
use lifeboat_recovery_point::{NewPoint, SealedPoint, seal};
use lifeboat_store::ports::{Signer, StoreError};

use super::{Delegate, SidePorts, failure};

#[async_trait(?Send)]
impl Handler<SealWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &SealWork) -> EpochEnd {
        match &self.side {
            SidePorts::Primary { signer, .. } => self.seal(epoch, work, signer.as_ref()).await,
            SidePorts::Recovery { .. } => Self::wrong_side("seal"),
        }
    }
}

impl Delegate {
    async fn seal(&self, epoch: &Epoch<'_>, work: &SealWork, signer: &dyn Signer) -> EpochEnd {
        let SealWork { point, parts } = work;
        match self.sealed(signer, point).await {
            Ok(None) => {}
            Ok(Some(sealed)) => return EpochEnd::Result(Outcome::Done(Done::Seal(sealed)), Vec::new()),
            Err((problem, retry)) => return EpochEnd::failed(problem, retry),
        }
        let mut clusters = Vec::new();
        for part in parts {
            match self.part(part).await {
                Ok(captured) => clusters.extend(captured),
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
        match self
            .sign(signer, point, epoch.assignment.issued_at, clusters)
            .await
        {
            Ok(sealed) => EpochEnd::Result(Outcome::Done(Done::Seal(sealed)), Vec::new()),
            Err((problem, retry)) => EpochEnd::failed(problem, retry),
        }
    }

    /// Returns what a capture job of this bucket has captured.
    async fn part(&self, job: &JobId) -> Result<Vec<CapturedCluster>, (Problem, bool)> {
        let trust = Trust::Keys(&self.coordinators);
        let view = (view(self.scratch.as_ref(), job, trust, None).await).map_err(|error| failure(&error))?;
        let captured = match view.validity() {
            ResultValidity::Counts(result) => match &result.outcome {
                Outcome::Done(Done::Capture(CaptureDone { clusters, .. })) => Some(clusters.clone()),
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

    /// Signs the recovery point.
    pub(super) async fn sign(
        &self,
        signer: &dyn Signer,
        point: &RecoveryPointId,
        created_at: Timestamp,
        captured: Vec<CapturedCluster>,
    ) -> Result<Sealed, (Problem, bool)> {
        let new = NewPoint {
            application: &self.application,
            point,
            created_at,
            version: &self.version,
        };
        let sealed = seal(self.captures().as_ref(), signer, new.predicate(captured))
            .await
            .map_err(|error| failure(&error))?;
        Ok(summary(&sealed))
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
