//! Restores: one cluster of a recovery point into one cluster of this environment.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_format::VerifyingKey;
use lifeboat_format::manifest::ClusterRecord;
use lifeboat_jobs::claim::put_once;
use lifeboat_jobs::folder::view;
use lifeboat_jobs::keys::report_key;
use lifeboat_jobs::worker::{Epoch, EpochEnd, Handler};
use lifeboat_jobs::{
    AccessReport, Claim, Done, Outcome, Progress, RestoreCheckpoint as Restored, RestoreDone, RestoreWork,
    ResultValidity, Trust, VaultPlace,
};
use lifeboat_model::{Code, Diagnostic as _, JobId, Problem, RecoveryPointId};
use lifeboat_plan::RestoreOptions;
use lifeboat_recovery_point::{PointError, PointRepository, VerifiedPoint};
use lifeboat_restore::LeaseHolder;
use lifeboat_restore::execute::RestoreSettings;
use lifeboat_restore::prove::ProveSettings;
use lifeboat_restore::recover::{EarlierRun, RecoverError, Recovered, Recovery};
use lifeboat_store::ports::{KeyUnwrapper, ObjectStore};
use lifeboat_translate::IdentityMap;
use lifeboat_translate::identity::Kind;
use serde_json::{Map, Value};

use super::build::descriptions_of;
use super::plan::{Reviewed, record_of};
use super::watch::ProgressCounter;
use super::{Delegate, SidePorts, failure};
use crate::clusters::Settling;

#[async_trait(?Send)]
impl Handler<RestoreWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &RestoreWork) -> EpochEnd {
        let (unwrapper, vault, place) = match &self.side {
            SidePorts::Recovery {
                unwrapper,
                vault,
                place,
                ..
            } => (Some(Arc::clone(unwrapper)), vault, place),
            SidePorts::PrivateRecovery { vault, place, .. } => (None, vault, place),
            SidePorts::Primary { .. } => return Self::wrong_delegate("restore"),
        };
        if let Some(problem) = other_vault(&work.vault, place) {
            return EpochEnd::failed(problem, false);
        }
        let unwrapper = match unwrapper {
            Some(unwrapper) => unwrapper,
            None => match self.data_keys(epoch).await {
                Ok(unwrapper) => unwrapper,
                Err(end) => return end,
            },
        };
        self.restore(epoch, work, unwrapper.as_ref(), vault).await
    }
}

impl Delegate {
    async fn restore(
        &self,
        epoch: &Epoch<'_>,
        work: &RestoreWork,
        unwrapper: &dyn KeyUnwrapper,
        vault: &Arc<dyn ObjectStore>,
    ) -> EpochEnd {
        let RestoreWork {
            point,
            cluster,
            target,
            signer,
            options,
            ..
        } = work;
        let mut options = match read_options(options) {
            Ok(options) => options,
            Err(problem) => return EpochEnd::failed(problem, false),
        };
        // As they were reviewed: with symbols for what is built.
        let mut reviewed = options.clone();
        if let Some(built) = &work.built {
            match self.identities(built, work.expected_plan.is_some()).await {
                Ok((built, symbols)) => {
                    options.identities = Some(with_declared(built, options.identities));
                    let declared = reviewed.identities.take();
                    reviewed.identities = symbols.map(|symbols| with_declared(symbols, declared));
                }
                Err((problem, retry)) => return EpochEnd::failed(problem, retry),
            }
        }
        let counted = ProgressCounter::after(earlier(epoch));
        // Everything is within the time of the epoch: the verification of a large point may take longer than one.
        let mut run = Box::pin(async {
            let failed = |(problem, retry)| EpochEnd::failed(problem, retry);
            let opened = self.open(point, signer, unwrapper, vault, &counted).await;
            let readable = opened.map_err(failed)?;
            let record = record_of(&readable, cluster).map_err(failed)?;
            let expected = self.must_be_expected(work, &readable, record, &reviewed, &counted);
            expected.await.map_err(failed)?;
            let connected = match work.built {
                Some(_) => {
                    let settling = Settling::default();
                    settling.connect(self.clusters.as_ref(), target).await
                }
                None => self.clusters.connect(target).await,
            };
            let api = connected.map_err(|unreachable| {
                let report = self.report(target, Some(&unreachable));
                EpochEnd::Result(unreachable.outcome(), vec![report])
            })?;
            let access = vec![self.report(target, None)];
            let recovery = Recovery {
                point: &readable,
                record,
                options: &options,
                expected_plan: None,
                settings: RestoreSettings {
                    existing: options.existing,
                    ..RestoreSettings::default()
                },
                prove: true,
                proof: ProveSettings::default(),
                // After an epoch that died, the next one waits until the Lease expires.
                holder: holder(epoch.claim),
                ended: ended(epoch),
                earlier: earlier(epoch).complete.map(|complete| EarlierRun {
                    plan: complete.plan,
                    complete: complete.ranges,
                }),
                clock: Arc::clone(&self.clock),
            };
            match recovery.run(&api, &counted).await {
                Ok(recovered) => Ok((recovered, access)),
                Err(error) => Err(refused(&error, access)),
            }
        });
        let doing = || Some(counted.doing());
        match (epoch.while_told(run.as_mut(), lifeboat_system::sleep, doing)).await {
            Ok(Ok((recovered, access))) => self.report_on(epoch, recovered, access).await,
            Ok(Err(end)) => end,
            Err(why) => why.end(|| Progress::Restore(counted.checkpoint())),
        }
    }

    /// Opens the recovery point. It is only used after the pinned key has verified it and the digest of every
    /// file matches. Files that an earlier epoch of the job has verified are not read again.
    pub(super) async fn open(
        &self,
        point: &RecoveryPointId,
        signer: &str,
        unwrapper: &dyn KeyUnwrapper,
        vault: &Arc<dyn ObjectStore>,
        counted: &ProgressCounter,
    ) -> Result<VerifiedPoint, (Problem, bool)> {
        let key = signer_of(signer)?;
        let vault = PointRepository::new(Arc::clone(vault), self.application.clone());
        let failed = |error: PointError| failure(&error);
        let signed = vault.open(point, &key).await.map_err(failed)?;
        let readable = signed.decrypt(unwrapper).await.map_err(failed)?;
        let verified = usize::try_from(counted.checkpoint().verified_files).unwrap_or(usize::MAX);
        readable.verify_after(verified, counted).await.map_err(failed)
    }

    /// Stops a restore whose plan is not the one that is expected. The plan is made again as it was reviewed, without the
    /// target.
    async fn must_be_expected(
        &self,
        work: &RestoreWork,
        point: &VerifiedPoint,
        record: &ClusterRecord,
        options: &RestoreOptions,
        counted: &ProgressCounter,
    ) -> Result<(), (Problem, bool)> {
        let Some(expected) = work.expected_plan else {
            return Ok(());
        };
        let descriptions = match work.built {
            Some(_) => Some(descriptions_of(point).await?),
            None => None,
        };
        let reviewed = Reviewed {
            point,
            options,
            descriptions: descriptions.as_ref(),
            target: &work.target,
        };
        let planned = reviewed.plan(record, counted).await;
        let found = planned
            .map_err(|error| (error.problem(), error.kind().is_retryable()))?
            .hash;
        if found == expected.to_string() {
            return Ok(());
        }
        let problem = Problem::of(
            Code::PlanChanged,
            format!(
                "the plan of the objects of {} has the hash {found}, and {expected} is expected",
                work.cluster
            ),
        );
        Err((problem, false))
    }

    /// Returns the identity map of what a build job of this environment has built, and the one with symbols if it is
    /// needed.
    async fn identities(
        &self,
        built: &JobId,
        needs_symbols: bool,
    ) -> Result<(IdentityMap, Option<IdentityMap>), (Problem, bool)> {
        let trust = Trust::Keys(&self.coordinators);
        let view = view(self.scratch.as_ref(), built, trust, None).await;
        let view = view.map_err(|error| failure(&error))?;
        let done = match view.validity() {
            ResultValidity::Counts(result) => match &result.outcome {
                Outcome::Done(Done::Build(done)) => Some(done),
                _ => None,
            },
            _ => None,
        };
        let parsed = |map: &Map<String, Value>| serde_json::from_value(Value::Object(map.clone())).ok();
        let identities = done.and_then(|done| {
            let symbols = match needs_symbols {
                true => Some(parsed(&done.symbols)?),
                false => None,
            };
            Some((parsed(&done.identities)?, symbols))
        });
        identities.ok_or_else(|| {
            let problem = Problem::new(
                Code::JobDocumentRefused,
                format!("{built} has no identity map to restore with"),
                "start the restore again",
            );
            (problem, false)
        })
    }

    /// Writes the report; the result contains its summary. Reports have a prefix of their own, because they are kept
    /// longer than the documents of jobs.
    async fn report_on(
        &self,
        epoch: &Epoch<'_>,
        recovered: Recovered,
        access: Vec<AccessReport>,
    ) -> EpochEnd {
        let Some(proven) = recovered.proven else {
            return EpochEnd::failed(
                Problem::new(
                    Code::Bug,
                    "the restored cluster was not compared with the plan",
                    "report this as a bug",
                ),
                false,
            );
        };
        let mut report = proven.report;
        report.warnings = recovered.warnings;
        let key = report_key(&epoch.claim.job, epoch.claim.epoch);
        let bytes = serde_json::to_vec(&report).expect("a report can always be written as JSON");
        if let Err(error) = put_once(self.scratch.as_ref(), &key, bytes.into()).await {
            return EpochEnd::failed(error.problem(), error.kind().is_retryable());
        }
        let done = RestoreDone {
            matches_plan: report.matches_plan(),
            failed: report.summary.failed,
            // Nothing explains other owners either. The report lists the two apart.
            unexplained: report.summary.unexplained + report.summary.owners,
            restored: report.restored.len() as u64,
            not_restored: report.not_restored.len() as u64,
            report: Some(epoch.claim.epoch),
        };
        EpochEnd::Result(Outcome::Done(Done::Restore(done)), access)
    }
}

/// Returns the identity map of what was built, with what the application declares. Where both name an identifier, what
/// was built counts.
pub(super) fn with_declared(mut built: IdentityMap, declared: Option<IdentityMap>) -> IdentityMap {
    let Some(declared) = declared else {
        return built;
    };
    let known: BTreeSet<(Kind, String)> = built
        .identities
        .iter()
        .map(|one| (one.kind, one.from.clone()))
        .collect();
    let further = declared.identities.into_iter();
    let further = further.filter(|one| !known.contains(&(one.kind, one.from.clone())));
    built.identities.extend(further);
    if declared.same_names.is_some() {
        built.same_names = declared.same_names;
    }
    built.pod_identities.extend(declared.pod_identities);
    built.fields.extend(declared.fields);
    built.leftovers.extend(declared.leftovers);
    built
}

/// Reads the key that must have signed the recovery point.
pub(super) fn signer_of(pem: &str) -> Result<VerifyingKey, (Problem, bool)> {
    VerifyingKey::from_pem(pem).map_err(|error| {
        let problem = Problem::new(
            Code::JobDocumentRefused,
            "the assignment has no valid signing key",
            "report this as a bug of the coordinator",
        );
        (problem.caused_by(&error), false)
    })
}

/// Returns a problem if the assignment refers to another vault than the one that the delegate was deployed
/// with.
pub(super) fn other_vault(asked: &VaultPlace, own: &VaultPlace) -> Option<Problem> {
    (asked != own).then(|| {
        Problem::new(
            Code::JobDocumentRefused,
            format!(
                "the assignment refers to a recovery point in the bucket {:?} of {} in {}, but the vault of this delegate is {:?} of {} in {}",
                asked.bucket, asked.owner, asked.region, own.bucket, own.owner, own.region
            ),
            "if the vault moved, deploy the stack `application` of the recovery side again",
        )
    })
}

/// Returns the Lease holder for an epoch.
fn holder(claim: &Claim) -> LeaseHolder {
    LeaseHolder {
        host: claim.job.to_string(),
        pid: claim.epoch.get(),
        start: 0,
    }
}

/// Returns what earlier epochs of the job have completed.
fn earlier(epoch: &Epoch<'_>) -> Restored {
    match epoch.checkpoint.map(|checkpoint| &checkpoint.progress) {
        Some(Progress::Restore(restored)) => restored.clone(),
        _ => Restored::default(),
    }
}

/// Returns the Lease holder of the previous epoch, if that epoch wrote its checkpoint, which it does after
/// its last request to the target.
fn ended(epoch: &Epoch<'_>) -> Option<LeaseHolder> {
    let checkpoint = epoch.checkpoint?;
    let before = checkpoint.epoch.next() == epoch.claim.epoch;
    before.then(|| LeaseHolder {
        pid: checkpoint.epoch.get(),
        ..holder(epoch.claim)
    })
}

fn refused(error: &RecoverError, access: Vec<AccessReport>) -> EpochEnd {
    let retry = error.kind().is_retryable();
    EpochEnd::Result(Outcome::failed(&error.problem(), retry), access)
}

pub(super) fn read_options(
    options: &serde_json::Map<String, serde_json::Value>,
) -> Result<RestoreOptions, Problem> {
    serde_json::from_value(serde_json::Value::Object(options.clone())).map_err(|error| {
        Problem::new(
            Code::InvalidDocument,
            "failed to read the options of the restore",
            "`lifeboat schema options` describes the options",
        )
        .caused_by(&error)
    })
}
