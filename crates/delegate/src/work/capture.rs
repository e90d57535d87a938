//! Captures: writes every cluster of the job into packs and, if this is the only job, seals the recovery
//! point.
//!
//! Near the end of its invocation a capture stops, closes its packs, and writes a checkpoint from which the
//! next epoch continues. `lifeboat_recovery_point::cursor` documents the differences from a capture in one
//! piece.

use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_apiserver::access::{self, Denied};
use lifeboat_capture::backup::{ClusterCapture, ClusterEnd};
use lifeboat_capture::{CancellationToken, CaptureError, CaptureOptions, count};
use lifeboat_format::RecipientKey;
use lifeboat_format::manifest::{ClusterRecord, TypeOutcome, TypeRecord};
use lifeboat_jobs::read::LARGE;
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler};
use lifeboat_jobs::{
    AccessReport, CaptureCheckpoint, CaptureDone, CaptureWork, ClusterTarget, Done, Failure, Outcome,
    Progress, Sealed, split,
};
use lifeboat_model::{Code, Diagnostic as _, Filter, Problem, RecoveryPointId, TypeName};
use lifeboat_recovery_point::cursor::{CapturedCluster, ClusterCheckpoint, TypeCounts, Types};
use lifeboat_recovery_point::layout::WriterId;
use lifeboat_store::ports::ObjectStore;

use super::Delegate;
use super::seal::{Captured, NotSealed};
use super::watch::CancellingProgress;

/// The HTTP status for a denied permission.
const FORBIDDEN: u16 = 403;

/// State shared by all clusters of a capture.
struct CaptureContext<'a> {
    epoch: &'a Epoch<'a>,
    point: &'a RecoveryPointId,
    filter: &'a Filter,
    types: &'a Types,
    part: u16,
    split: bool,
    recipients: &'a [RecipientKey],
}

/// How the capture of a cluster ended in this epoch.
enum ClusterOutcome {
    Taken(Box<CapturedCluster>),
    /// The next epoch continues it.
    Paused(Option<Box<ClusterCheckpoint>>),
    /// It is too big for one job; nothing was captured.
    Counted(TypeCounts),
    Failed(Vec<Failure>, bool, Box<AccessReport>),
}

#[async_trait(?Send)]
impl Handler<CaptureWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &CaptureWork) -> EpochEnd {
        match self.side.recipients() {
            // A private delegate cannot seal.
            Some(recipients) if !work.seal || self.side.sealing().is_some() => {
                self.capture(epoch, work, recipients).await
            }
            _ => Self::wrong_delegate("capture"),
        }
    }
}

impl Delegate {
    async fn capture(&self, epoch: &Epoch<'_>, work: &CaptureWork, recipients: &[RecipientKey]) -> EpochEnd {
        let CaptureWork {
            point,
            clusters,
            filter,
            types,
            recipient: asked,
            seal,
            part,
            split,
        } = work;
        if let Err(problem) = own_recipient(asked, recipients) {
            return EpochEnd::failed(problem, false);
        }
        let sealing = self.side.sealing().filter(|_| *seal);
        if let Some(sealing) = sealing {
            match self.sealed(sealing.signer, point).await {
                Ok(None) => {}
                Ok(Some(sealed)) => return EpochEnd::Result(done(Some(sealed), Vec::new()), Vec::new()),
                Err((problem, retry)) => return EpochEnd::failed(problem, retry),
            }
        }
        let order = CaptureContext {
            epoch,
            point,
            filter,
            types,
            part: *part,
            split: *split,
            recipients,
        };
        let mut progress = before(epoch);
        let is_captured = progress.done.len() == clusters.len();
        let mut reports = Vec::new();
        for (number, target) in clusters.iter().enumerate() {
            if let Some(whole) = progress.done.iter().find(|c| c.record.name == target.name) {
                reports.push(self.access_report(target, &whole.record).await);
                continue;
            }
            let open = progress.open.take_if(|open| open.name == target.name);
            match self.one(&order, target, open).await {
                ClusterOutcome::Taken(cluster) => {
                    reports.push(self.access_report(target, &cluster.record).await);
                    progress.done.push(*cluster);
                }
                ClusterOutcome::Paused(open) => {
                    progress.open = open.map(|open| *open);
                    return checkpoint(progress);
                }
                ClusterOutcome::Counted(counted) => {
                    let done = CaptureDone {
                        sealed: None,
                        clusters: Vec::new(),
                        counted: Some(counted),
                    };
                    return EpochEnd::Result(Outcome::Done(Done::Capture(done)), reports);
                }
                // If one cluster cannot be captured, there is no recovery point of the application. The other
                // clusters are still checked, so that all issues are reported at once.
                ClusterOutcome::Failed(failures, retry, report) => {
                    reports.push(*report);
                    let rest = self.remaining_access(&clusters[number + 1..]).await;
                    reports.extend(rest);
                    return EpochEnd::Result(Outcome::Failed { failures, retry }, reports);
                }
            }
        }
        let Some(sealing) = sealing else {
            return EpochEnd::Result(done(None, progress.done), reports);
        };
        let captured = Captured {
            targets: clusters,
            clusters: &progress.done,
        };
        match self
            .seal_captured(epoch, point, sealing, captured, is_captured)
            .await
        {
            Ok(sealed) => EpochEnd::Result(done(Some(sealed), Vec::new()), reports),
            Err(NotSealed::Failed(problem, retry)) => {
                EpochEnd::Result(Outcome::failed(&problem, retry), reports)
            }
            Err(NotSealed::Stopped(why)) => why.end(|| Progress::Capture(Box::new(progress))),
        }
    }

    #[tracing::instrument(name = "cluster", skip_all, fields(cluster = %target.name))]
    async fn one(
        &self,
        order: &CaptureContext<'_>,
        target: &ClusterTarget,
        open: Option<ClusterCheckpoint>,
    ) -> ClusterOutcome {
        let api = match self.clusters.connect(target).await {
            Ok(api) => api,
            Err(unreachable) => {
                let report = self.report(target, Some(&unreachable));
                return ClusterOutcome::Failed(unreachable.failures(), unreachable.retry, Box::new(report));
            }
        };
        let options = CaptureOptions {
            filter: order.filter.clone(),
            types: order.types.clone(),
            page_size: self.page_size,
            ..CaptureOptions::default()
        };
        let captured = match self.is_for_several(order, &api, &options, open.is_some()).await {
            Ok(Some(counted)) => return ClusterOutcome::Counted(counted),
            Ok(None) => self.go_on(order, target, &api, &options, open).await,
            Err(error) => Err(error.into()),
        };
        captured.unwrap_or_else(|broken| {
            ClusterOutcome::Failed(
                vec![Failure::from(&broken.problem)],
                broken.retry,
                Box::new(self.report(target, None)),
            )
        })
    }

    /// Returns the counts, if the cluster is big enough for several jobs and the coordinator would split it.
    async fn is_for_several(
        &self,
        order: &CaptureContext<'_>,
        api: &Api,
        options: &CaptureOptions,
        begun: bool,
    ) -> Result<Option<TypeCounts>, CaptureError> {
        if !order.split || begun {
            return Ok(None);
        }
        let counted = count(api, options).await?;
        Ok(counted.filter(|counted| split::partition_types(&counted.types).len() > 1))
    }

    /// Captures until the end of the cluster or of the epoch.
    async fn go_on(
        &self,
        order: &CaptureContext<'_>,
        target: &ClusterTarget,
        api: &Api,
        options: &CaptureOptions,
        open: Option<ClusterCheckpoint>,
    ) -> Result<ClusterOutcome, CaptureFailure> {
        let epoch = order.epoch.claim.epoch.get();
        let store: Arc<dyn ObjectStore> = self.captures();
        let capture = ClusterCapture {
            api,
            options,
            store,
            application: &self.application,
            point: order.point,
            cluster: &target.name,
            recipients: order.recipients,
            writer: Some(WriterId {
                part: order.part,
                epoch,
            }),
            clock: self.clock.as_ref(),
            randomness: self.ids.as_ref(),
        };
        let cancellation = CancellationToken::new();
        let mut watch = CancellingProgress {
            clock: self.clock.as_ref(),
            stop_at: order.epoch.deadline.stop_at(),
            cancellation: &cancellation,
        };
        let run = capture.run(open, &cancellation, &mut watch);
        Ok(match self.supervised(run, order.epoch, &cancellation).await? {
            ClusterEnd::Complete { cluster, .. } => {
                tracing::info!(
                    objects = cluster.record.objects,
                    bytes = cluster.record.bytes,
                    missing = cluster.record.missing.len(),
                    "captured"
                );
                ClusterOutcome::Taken(cluster)
            }
            ClusterEnd::Stopped(checkpoint) => ClusterOutcome::Paused(checkpoint),
        })
    }

    /// Runs a capture, and cancels it when the time is up, the job is cancelled, or ownership is lost. A
    /// cancelled capture soon ends by itself.
    async fn supervised<T>(
        &self,
        capture: impl Future<Output = T>,
        epoch: &Epoch<'_>,
        cancellation: &CancellationToken,
    ) -> T {
        let mut capture = std::pin::pin!(capture);
        match epoch.while_owned(capture.as_mut(), lifeboat_system::sleep).await {
            Ok(ended) => ended,
            Err(why) => {
                tracing::info!(?why, "the capture stops in this epoch");
                cancellation.cancel();
                capture.await
            }
        }
    }

    /// Returns the access reports of the remaining clusters after one has failed.
    async fn remaining_access(&self, targets: &[ClusterTarget]) -> Vec<AccessReport> {
        let mut reports = Vec::new();
        for target in targets {
            let unreachable = self.clusters.connect(target).await.err();
            reports.push(self.report(target, unreachable.as_ref()));
        }
        reports
    }

    /// Returns the access report of a capture: the types that may not be read. The recovery point is made
    /// without them and is Partial.
    async fn access_report(&self, target: &ClusterTarget, record: &ClusterRecord) -> AccessReport {
        let mut report = self.report(target, None);
        let forbidden = |outcome: &TypeOutcome| matches!(outcome, TypeOutcome::Failed { status: Some(status), .. } if *status == FORBIDDEN);
        let types = record.types.iter().filter(|r#type| forbidden(&r#type.outcome));
        let types: Vec<TypeName> = types.map(TypeRecord::name).collect();
        if types.is_empty() {
            return report;
        }
        let user = match self.clusters.connect(target).await {
            Ok(api) => access::user(&api).await,
            Err(_) => None,
        };
        report
            .findings
            .extend(self.insufficient_access(&Denied { types, user }));
        report
    }
}

/// Why a cluster was not captured.
struct CaptureFailure {
    problem: Problem,
    retry: bool,
}

impl From<CaptureError> for CaptureFailure {
    fn from(error: CaptureError) -> Self {
        Self {
            problem: error.problem(),
            retry: error.kind().is_retryable(),
        }
    }
}

/// Returns the checkpoint from which this epoch continues.
fn before(epoch: &Epoch<'_>) -> CaptureCheckpoint {
    match epoch.checkpoint.map(|checkpoint| &checkpoint.progress) {
        Some(Progress::Capture(progress)) => progress.as_ref().clone(),
        _ => CaptureCheckpoint::default(),
    }
}

/// Ends the epoch with a checkpoint, unless the checkpoint would be too large to read.
fn checkpoint(progress: CaptureCheckpoint) -> EpochEnd {
    let progress = Progress::Capture(Box::new(progress));
    let bytes = serde_json::to_vec(&progress).map_or(usize::MAX, |bytes| bytes.len());
    // The rest of the document has some hundred bytes.
    if bytes + 4096 > LARGE {
        return EpochEnd::failed(
            Problem::new(
                Code::BackupFailed,
                format!(
                    "the cluster has too many types: a checkpoint would have {bytes} bytes, more than the limit of {LARGE}"
                ),
                "exclude types with the filter of the application, or split it into several applications",
            ),
            false,
        );
    }
    EpochEnd::Checkpoint(progress)
}

fn done(sealed: Option<Sealed>, clusters: Vec<CapturedCluster>) -> Outcome {
    Outcome::Done(Done::Capture(CaptureDone {
        sealed,
        clusters,
        counted: None,
    }))
}

/// Checks the recipient: data is only encrypted for the keys that the function was deployed with, and for all of them. An
/// assignment that names another key comes from an attacker, or from a coordinator that has a new key before
/// this side does; in both cases nothing is captured.
fn own_recipient(asked: &str, own: &[RecipientKey]) -> Result<(), Problem> {
    let asked = RecipientKey::from_pem(asked).ok();
    let is_own = |asked: &RecipientKey| own.iter().any(|key| key.fingerprint() == asked.fingerprint());
    if asked.as_ref().is_some_and(is_own) {
        return Ok(());
    }
    let names: Vec<&str> = own.iter().map(|key| key.fingerprint().as_str()).collect();
    Err(Problem::new(
        Code::RecoveryKeyChanged,
        format!(
            "the assignment asks for encryption to another key than {}, with which this delegate was deployed",
            names.join(" and ")
        ),
        "if the recovery key was changed, deploy primary-access with the new RecoveryPublicKey",
    ))
}
