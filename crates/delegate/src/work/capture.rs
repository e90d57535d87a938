//! Captures: every cluster of the job into packs, and, where the job is alone, the seal.

use std::sync::Arc;

use lifeboat_format::RecipientKey;
use lifeboat_format::manifest::MissingRecord;
use lifeboat_jobs::PointWriter;
use lifeboat_jobs::job::{
    AccessFinding, AccessReport, CaptureDone, CapturedCluster, ClusterTarget, Done, Outcome, Sealed, Types,
    Work,
};
use lifeboat_jobs::layout::Series;
use lifeboat_jobs::ports::{ObjectStore, Signer};
use lifeboat_kubernetes::capture::Unwatched;
use lifeboat_kubernetes::{CaptureOptions, capture};
use lifeboat_model::{Code, Filter, Problem, RecoveryPointId};

use super::{Delegate, End, Epoch, failed, worth_a_retry};

/// How a cluster was captured, or why not.
struct Taken {
    cluster: CapturedCluster,
    report: AccessReport,
}

impl Delegate {
    pub(super) async fn capture(
        &self,
        epoch: &Epoch<'_>,
        signer: &dyn Signer,
        recipient: &RecipientKey,
    ) -> End {
        let Work::Capture {
            point,
            clusters,
            filter,
            types: Types::All,
            recipient: asked,
            seal,
        } = &epoch.offer.assignment.work
        else {
            return failed(
                Problem::new(
                    Code::JobDocumentRefused,
                    "the assignment asks for some types of a cluster, which this version does not do",
                    "deploy the same version of Lifeboat on every side",
                ),
                false,
            );
        };
        if let Err(problem) = same_recipient(asked, recipient) {
            return failed(problem, false);
        }
        if *seal {
            match self.sealed(signer, point).await {
                Ok(None) => {}
                Ok(Some(sealed)) => return End::Result(done(Some(sealed), Vec::new()), Vec::new()),
                Err((problem, retry)) => return failed(problem, retry),
            }
        }
        let (mut taken, mut reports) = (Vec::new(), Vec::new());
        for (number, target) in (0..).zip(clusters) {
            match self.one(epoch, point, target, number, filter, recipient).await {
                Ok(Taken { cluster, report }) => {
                    reports.push(report);
                    taken.push(cluster);
                }
                // One cluster that cannot be captured is no recovery point of the application; all of them
                // are looked at all the same, so that every issue is known at once.
                Err((problems, retry, report)) => {
                    reports.push(report);
                    let rest = self.remaining_access(&clusters[usize::from(number) + 1..]).await;
                    reports.extend(rest);
                    return End::Result(Outcome::Failed { problems, retry }, reports);
                }
            }
        }
        if !*seal {
            return End::Result(done(None, taken), reports);
        }
        match self
            .sign(signer, point, epoch.offer.assignment.issued_at, taken)
            .await
        {
            Ok(sealed) => End::Result(done(Some(sealed), Vec::new()), reports),
            Err((problem, retry)) => End::Result(
                Outcome::Failed {
                    problems: vec![problem],
                    retry,
                },
                reports,
            ),
        }
    }

    #[tracing::instrument(name = "cluster", skip_all, fields(cluster = %target.name))]
    async fn one(
        &self,
        epoch: &Epoch<'_>,
        point: &RecoveryPointId,
        target: &ClusterTarget,
        number: u16,
        filter: &Filter,
        recipient: &RecipientKey,
    ) -> Result<Taken, (Vec<Problem>, bool, AccessReport)> {
        let api = self.clusters.connect(target).await.map_err(|unreachable| {
            let problems = unreachable.findings.iter().map(|f| f.problem.clone()).collect();
            (
                problems,
                unreachable.retry,
                self.report(target, Some(&unreachable)),
            )
        })?;
        let broken = |problem: Problem, retry: bool| (vec![problem], retry, self.report(target, None));
        let started_at = self.clock.now();
        let store: Arc<dyn ObjectStore> = self.captures();
        let mut writer = PointWriter::create(
            store,
            &self.application,
            point,
            &target.name,
            recipient,
            self.ids.as_ref(),
        )
        .map_err(|error| broken(error.problem(), worth_a_retry(error.kind())))?
        .with_key_id(format!("k-{number}"))
        .with_series(Series {
            part: 0,
            epoch: epoch.claim.epoch.get(),
        });
        let options = CaptureOptions {
            filter: filter.clone(),
            deadline: Some(epoch.deadline.remaining(started_at)),
            ..CaptureOptions::default()
        };
        let captured = match capture(&api, &options, &mut writer, &mut Unwatched).await {
            Ok(captured) => captured,
            Err(error) => {
                // The failure is what matters; what cannot be removed expires with the bucket's rule.
                drop(writer.abort().await);
                return Err(broken(error.problem(), worth_a_retry(error.kind())));
            }
        };
        let written =
            (writer.finish().await).map_err(|error| broken(error.problem(), worth_a_retry(error.kind())))?;
        let mut report = self.report(target, None);
        report.findings = captured
            .missing
            .iter()
            .filter_map(|m| self.forbidden(target, m))
            .collect();
        tracing::info!(
            objects = captured.objects,
            bytes = captured.bytes,
            missing = captured.missing.len(),
            "captured"
        );
        Ok(Taken {
            cluster: CapturedCluster {
                record: captured.into_record(
                    target.name.clone(),
                    started_at,
                    self.clock.now(),
                    written.packs,
                ),
                keys: vec![written.key],
            },
            report,
        })
    }

    /// What the other clusters would have said, where one has failed already.
    async fn remaining_access(&self, targets: &[ClusterTarget]) -> Vec<AccessReport> {
        let mut reports = Vec::new();
        for target in targets {
            let unreachable = self.clusters.connect(target).await.err();
            reports.push(self.report(target, unreachable.as_ref()));
        }
        reports
    }

    /// A type that may not be read, as an issue: the point is made without it, and is Partial.
    fn forbidden(&self, target: &ClusterTarget, missing: &MissingRecord) -> Option<AccessFinding> {
        let r#type = missing
            .r#type
            .as_ref()
            .filter(|_| missing.answer.starts_with("403"))?;
        Some(AccessFinding {
            problem: Problem::new(
                Code::AccessTooNarrow,
                format!("{} may not list {type} in {}", self.role, target.name),
                "run the command to let it read the type, or leave the type out of the application",
            ),
            command: Some(missing.mend.clone()),
            partial: true,
        })
    }
}

fn done(sealed: Option<Sealed>, clusters: Vec<CapturedCluster>) -> Outcome {
    Outcome::Done(Done::Capture(CaptureDone { sealed, clusters }))
}

/// The key that the function was deployed with is the only one that anything is encrypted to. An assignment
/// that names another one comes from somebody who is not to be obeyed, or from a coordinator that knows a new
/// key before this side does; either way nothing is captured.
fn same_recipient(asked: &str, own: &RecipientKey) -> Result<(), Problem> {
    match RecipientKey::from_pem(asked) {
        Ok(key) if key.fingerprint() == own.fingerprint() => Ok(()),
        _ => Err(Problem::new(
            Code::RecoveryKeyChanged,
            format!(
                "the assignment wants the point encrypted to another key than {}, which this delegate was deployed with",
                own.fingerprint()
            ),
            "if the recovery key was changed on purpose, deploy primary-access with the new RecoveryPublicKey",
        )),
    }
}
