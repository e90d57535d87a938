//! Access checks: whether the role can describe each cluster, connect, authenticate, and do everything that
//! is needed; on the recovery side also whether the recovery key unwraps data keys.

use async_trait::async_trait;
use lifeboat_apiserver::access::{Denied, denied_reads, denied_writes};
use lifeboat_format::{DataKey, RecipientKey};
use lifeboat_jobs::finding::Said;
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler};
use lifeboat_jobs::{AccessFinding, AccessReport, CheckWork, ClusterTarget, Done, Failure, Outcome};
use lifeboat_model::{Code, Diagnostic, Side};
use lifeboat_store::ports::KeyUnwrapper;

use super::{Delegate, SidePorts};
use crate::clusters::add_network;

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
            recovery_key,
        } = work;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        if !tags.is_empty() {
            match self.clusters.tagged(tags).await {
                Ok(clusters) => found = clusters,
                Err(unreachable) if unreachable.retry => {
                    return EpochEnd::Result(unreachable.outcome(), Vec::new());
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
        let key = match (recovery_key, &self.side) {
            (Some(key), SidePorts::Recovery { unwrapper, .. }) => {
                self.unusable_key(key, unwrapper.as_ref()).await
            }
            _ => None,
        };
        EpochEnd::Result(Outcome::Done(Done::Check { found, missing, key }), reports)
    }

    /// Wraps a data key for the recovery key, and unwraps it again. Returns why that is not possible.
    async fn unusable_key(&self, recovery_key: &str, unwrapper: &dyn KeyUnwrapper) -> Option<Failure> {
        let failed = |error: &dyn Diagnostic| Some(Failure::from(&error.problem()));
        let mut random = [0; 32];
        self.ids.random(&mut random);
        let data_key = DataKey::from_random(random);
        let wrapped = match RecipientKey::from_pem(recovery_key).and_then(|key| key.wrap(&data_key)) {
            Ok(wrapped) => wrapped,
            Err(error) => return failed(&error),
        };
        match unwrapper.unwrap_key(&wrapped).await {
            Ok(unwrapped) if unwrapped.expose() == data_key.expose() => None,
            Ok(_) => Some(Failure {
                code: Code::RecoveryKeyUnusable,
                said: Said::default(),
            }),
            Err(error) => failed(&error),
        }
    }

    async fn access(&self, target: &ClusterTarget) -> Result<AccessReport, EpochEnd> {
        let api = match self.clusters.connect(target).await {
            Ok(api) => api,
            Err(unreachable) => {
                let mut report = self.report(target, Some(&unreachable));
                if let Some(private) = &unreachable.private {
                    let look = self.clusters.network(target, private).await;
                    add_network(&mut report.findings, &look);
                }
                return Ok(report);
            }
        };
        let denied = match self.side() {
            Side::Primary => denied_reads(&api).await,
            Side::Recovery => denied_writes(&api).await,
        };
        let denied =
            denied.map_err(|error| EpochEnd::failed(error.problem(), error.kind().is_retryable()))?;
        let mut report = self.report(target, None);
        report.findings.extend(self.insufficient_access(&denied));
        Ok(report)
    }

    /// Returns the side that this delegate serves.
    fn side(&self) -> Side {
        match self.side {
            SidePorts::Primary { .. } => Side::Primary,
            SidePorts::Recovery { .. } | SidePorts::PrivateRecovery { .. } => Side::Recovery,
        }
    }

    /// Returns one finding for all types with missing permissions. A recovery point is made without types
    /// that cannot be read and is marked Partial; a restore would omit objects, which is worse.
    pub(super) fn insufficient_access(&self, denied: &Denied) -> Option<AccessFinding> {
        let partial = self.side() == Side::Primary;
        (!denied.types.is_empty())
            .then(|| AccessFinding::missing_permissions(&denied.types, denied.user.clone(), partial))
    }
}
