//! A delegate of the simulation: the real protocol, and work that is only as much as the protocol sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use jiff::{SignedDuration, Timestamp};
use lifeboat_filesystem::PemSigner;
use lifeboat_format::RecipientKey;
use lifeboat_jobs::claim::{self, Ownership, PendingJob, since};
use lifeboat_jobs::{
    AccessFinding, AccessReport, Claim, Done, FORMAT, JobResult, Outcome, Progress, RestoreDone, Work,
};
use lifeboat_model::{ApplicationName, Arn, Code, EnvironmentId, Problem};
use lifeboat_store::ports::{ObjectStore, StoreError};

use crate::rng::Shared;

pub(crate) fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../recovery-point/tests/fixtures/point-v1/keys")
        .join(name)
}

pub(crate) static SIGNER: LazyLock<PemSigner> =
    LazyLock::new(|| PemSigner::load(&fixture("signing.key.pem")).unwrap());

pub(crate) static RECIPIENT: LazyLock<RecipientKey> = LazyLock::new(|| {
    let text = std::fs::read_to_string(fixture("recovery.pub.pem")).unwrap();
    RecipientKey::from_pem(&text).unwrap()
});

/// What really happened, whatever the documents say.
#[derive(Default)]
pub(crate) struct Ledger {
    /// How often each restore wrote to its target, by job.
    pub(crate) restored: BTreeMap<String, u32>,
    /// Whether the clusters refuse the delegate.
    pub(crate) closed: bool,
}

pub(crate) struct Delegate {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) application: ApplicationName,
    pub(crate) environment: EnvironmentId,
    pub(crate) skew: i64,
    /// Whether it hangs until about its deadline.
    pub(crate) stuck: bool,
    /// Whether it never asks if it still has its job.
    pub(crate) blind: bool,
    pub(crate) invocation: String,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    /// Whether the clusters are so big that several jobs capture each.
    pub(crate) big: bool,
}

/// The longest that an invocation lasts, in seconds.
pub(crate) const LIMIT: i64 = 900;

impl Delegate {
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.now() + SignedDuration::from_secs(self.skew)
    }

    /// One invocation: takes open jobs, the oldest first, until none is left or its time is over. Errors of
    /// stores end it, as a crash does.
    pub(crate) async fn run(self) {
        let _ = self.try_run().await;
    }

    async fn try_run(&self) -> Result<(), StoreError> {
        let store = self.store.as_ref();
        let offers =
            claim::pending_jobs(store, &self.application, &self.environment, &since(self.now())).await?;
        assert!(
            offers.refused.is_empty(),
            "nobody writes documents that are none: {:?}",
            offers.refused
        );
        let deadline = self.now() + SignedDuration::from_secs(LIMIT);
        for offer in offers.open {
            let claimed = claim::claim(store, &offer, &self.invocation, self.now(), deadline).await?;
            if let Some(claim) = claimed {
                self.work(&offer, &claim).await?;
            }
            if self.now() + SignedDuration::from_secs(LIMIT / 2) > deadline {
                break;
            }
        }
        Ok(())
    }

    async fn work(&self, offer: &PendingJob, claim: &Claim) -> Result<(), StoreError> {
        let store = self.store.as_ref();
        if let Some(outcome) = self.stop(claim).await? {
            return self.end(claim, outcome, Vec::new()).await;
        }
        if self.stuck {
            self.shared.sleep(700 + self.shared.below(600) as i64).await;
        }
        let access = self.access(&offer.assignment.work);
        let closed = !access.is_empty() && access.iter().any(|report| !report.findings.is_empty());
        if closed || self.shared.fault(12) {
            let problem = Problem::new(
                Code::ClusterUnreachable,
                "the API server does not answer",
                "look at it",
            );
            let outcome = match offer.assignment.work {
                Work::Check { .. } => Outcome::Done(Done::Check {
                    found: Vec::new(),
                    missing: Vec::new(),
                }),
                _ => Outcome::Failed {
                    problems: vec![problem],
                    retry: !closed,
                },
            };
            return self.end(claim, outcome, access).await;
        }
        let done = match &offer.assignment.work {
            Work::Check { .. } => Done::Check {
                found: Vec::new(),
                missing: Vec::new(),
            },
            Work::Restore { .. } => {
                self.shared.sleep(self.shared.below(400) as i64).await;
                if self.shared.fault(4) {
                    return claim::checkpoint(store, claim, Progress::Nothing {}, self.now())
                        .await
                        .map(drop);
                }
                if let Some(outcome) = self.stop(claim).await? {
                    return self.end(claim, outcome, access).await;
                }
                *self
                    .ledger
                    .lock()
                    .unwrap()
                    .restored
                    .entry(claim.job.to_string())
                    .or_default() += 1;
                Done::Restore(RestoreDone {
                    matches_plan: true,
                    problems: Vec::new(),
                    restored: 7,
                    not_restored: 0,
                    report: None,
                })
            }
            work @ Work::Capture { .. } => {
                let before = offer.checkpoint.as_ref().map(|checkpoint| &checkpoint.progress);
                match self.capture(claim, work, before).await? {
                    Some(done) => Done::Capture(done),
                    None => return Ok(()),
                }
            }
            Work::Seal { point, parts } => match self.seal(point, parts).await? {
                Some(sealed) => Done::Seal(sealed),
                None => return Ok(()),
            },
        };
        if let Some(outcome) = self.stop(claim).await? {
            return self.end(claim, outcome, access).await;
        }
        self.end(claim, Outcome::Done(done), access).await
    }

    /// Whether to stop. A fenced delegate stops without a word, but a zombie does not look.
    pub(crate) async fn stop(&self, claim: &Claim) -> Result<Option<Outcome>, StoreError> {
        if self.blind {
            return Ok(None);
        }
        match claim::check_ownership(self.store.as_ref(), claim).await? {
            Ownership::Go => Ok(None),
            Ownership::Cancelled => Ok(Some(Outcome::Cancelled {})),
            Ownership::Fenced => {
                self.shared.sleep(i64::from(u32::MAX)).await;
                unreachable!("an invocation ends before that")
            }
        }
    }

    fn access(&self, work: &Work) -> Vec<AccessReport> {
        let closed = self.ledger.lock().unwrap().closed;
        let report = |target: &lifeboat_jobs::ClusterTarget| AccessReport {
            cluster: target.name.clone(),
            arn: target.arn.clone(),
            role: Arn::parse("arn:aws:iam::111111111111:role/LifeboatPrimary").unwrap(),
            checked_at: self.now(),
            findings: match closed {
                true => {
                    let problem = Problem::new(
                        Code::NoAccessEntry,
                        "the cluster does not know the role",
                        "let it in",
                    );
                    vec![AccessFinding::new(problem).with_command("aws eks create-access-entry".to_owned())]
                }
                false => Vec::new(),
            },
        };
        match work {
            Work::Restore { .. } => Vec::new(),
            work => work.clusters().iter().map(report).collect(),
        }
    }

    async fn end(
        &self,
        claim: &Claim,
        outcome: Outcome,
        access: Vec<AccessReport>,
    ) -> Result<(), StoreError> {
        let result = JobResult {
            format: FORMAT,
            job: claim.job.clone(),
            epoch: claim.epoch,
            at: self.now(),
            outcome,
            access,
            environment: self.environment.clone(),
            delegate: Arn::function(&self.environment, "lifeboat-shop").unwrap(),
        };
        claim::finish(self.store.as_ref(), &result).await.map(drop)
    }
}
