//! A delegate of the simulation: the production loop, with handlers that do only what the protocol needs.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lifeboat_filesystem::PemSigner;
use lifeboat_format::{RecipientKey, VerifyingKey};
use lifeboat_jobs::claim::{Ownership, put_once};
use lifeboat_jobs::keys::plan_part_key;
use lifeboat_jobs::pending::Rotation;
use lifeboat_jobs::worker::{Deadline, Epoch, EpochEnd, Handler, Handlers, Stop, Worker};
use lifeboat_jobs::{
    AccessFinding, AccessReport, BuildDone, BuildWork, CheckWork, ClusterTarget, DataKeysWork, Doing, Done,
    Outcome, PartDone, PlanCheckpoint, PlanDone, PlanWork, Progress, RestoreDone, RestoreWork, SealWork,
};
use lifeboat_model::{
    ApplicationName, Arn, BuildProgress, Code, DelegateId, Diagnostic as _, EnvironmentId, Problem,
};
use lifeboat_store::ports::{Clock, ObjectStore, Signer as _, StoreError};

use crate::rng::{Shared, Skewed};

pub(crate) fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../recovery-point/tests/fixtures/point-v1/keys")
        .join(name)
}

pub(crate) static SIGNER: LazyLock<PemSigner> =
    LazyLock::new(|| PemSigner::load(&fixture("signing.key.pem")).unwrap());

/// The key of the coordinator. The simulation signs everything with one key.
pub(crate) static COORDINATORS: LazyLock<[VerifyingKey; 1]> =
    LazyLock::new(|| [SIGNER.verifying_key().clone()]);

pub(crate) static RECIPIENT: LazyLock<RecipientKey> = LazyLock::new(|| {
    let text = std::fs::read_to_string(fixture("recovery.pub.pem")).unwrap();
    RecipientKey::from_pem(&text).unwrap()
});

/// What happened, independent of the documents.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The number of times each restore wrote to its target, by job.
    pub(crate) restored: BTreeMap<String, u32>,
    /// Whether the clusters deny access to the delegate.
    pub(crate) closed: bool,
}

pub(crate) struct Delegate {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) application: ApplicationName,
    pub(crate) environment: EnvironmentId,
    pub(crate) clock: Skewed,
    /// Whether each job hangs until about the deadline.
    pub(crate) stuck: bool,
    pub(crate) invocation: String,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    /// Whether the clusters are so big that several jobs capture each.
    pub(crate) big: bool,
    /// Whether somebody else writes to what it finds in the bucket.
    pub(crate) hostile: bool,
}

/// The maximum duration of an invocation, in seconds.
pub(crate) const LIMIT: i64 = 900;

impl Delegate {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs one invocation. A store failure ends it early.
    pub(crate) async fn run(self) {
        let function = Arn::function(&self.environment, &format!("lifeboat-{}", self.application)).unwrap();
        let worker = Worker {
            delegate: &DelegateId::public(&self.application),
            environment: &self.environment,
            function: &function,
            coordinators: COORDINATORS.as_slice(),
            named: None,
            rotation: &Rotation::default(),
            store: self.store.as_ref(),
            clock: &self.clock,
            handlers: &self,
        };
        let deadline = Deadline::new(self.now() + SignedDuration::from_secs(LIMIT));
        if let Ok(summary) = worker.run(&self.invocation, deadline).await {
            assert!(
                self.hostile || summary.refused == 0,
                "no party writes malformed documents"
            );
        }
    }

    /// The first step of all kinds of work: returns the access to the clusters, or why they cannot be
    /// reached.
    pub(crate) async fn connect(&self, clusters: &[ClusterTarget]) -> Result<Vec<AccessReport>, EpochEnd> {
        if self.stuck {
            self.shared.sleep(700 + self.shared.below(600) as i64).await;
        }
        let access = self.access(clusters);
        let closed = access.iter().any(|report| !report.findings.is_empty());
        if closed || self.shared.fault(12) {
            let problem = Problem::new(
                Code::ClusterUnreachable,
                "the API server does not answer",
                "check the network",
            );
            return Err(EpochEnd::Result(Outcome::failed(&problem, !closed), access));
        }
        Ok(access)
    }

    /// Takes up to `seconds`, unless there is a reason to stop earlier.
    pub(crate) async fn work(&self, epoch: &Epoch<'_>, seconds: u64) -> Result<(), Stop> {
        let time = self.shared.below(seconds) as i64;
        let work = pin!(self.shared.sleep(time));
        let sleep = |interval: std::time::Duration| self.shared.sleep(interval.as_secs() as i64);
        // The report changes once, so that it is written and replaced.
        let (began, half) = (self.now(), SignedDuration::from_secs(time / 2));
        let doing = || {
            Some(Doing::Build(BuildProgress {
                done: u64::from(self.now().duration_since(began) > half),
                ..BuildProgress::default()
            }))
        };
        epoch.while_told(work, sleep, doing).await
    }

    fn access(&self, clusters: &[ClusterTarget]) -> Vec<AccessReport> {
        let closed = self.ledger.lock().unwrap().closed;
        let report = |target: &ClusterTarget| AccessReport {
            cluster: target.name.clone(),
            arn: target.arn.clone(),
            role: Arn::parse("arn:aws:iam::111111111111:role/LifeboatPrimary").unwrap(),
            checked_at: self.now(),
            findings: match closed {
                true => vec![AccessFinding::NoAccessEntry { access_entries: true }],
                false => Vec::new(),
            },
            private: None,
        };
        clusters.iter().map(report).collect()
    }
}

/// Returns the end of an epoch without progress to pass on.
pub(crate) fn stopped(why: Stop) -> EpochEnd {
    why.end(|| Progress::Nothing {})
}

/// Returns the end of an epoch whose store failed.
pub(crate) fn store_failed(error: &StoreError) -> EpochEnd {
    EpochEnd::failed(error.problem(), true)
}

impl Handlers for Delegate {}

/// The simulation has no private delegates.
#[async_trait(?Send)]
impl Handler<DataKeysWork> for Delegate {
    async fn handle(&self, _: &Epoch<'_>, work: &DataKeysWork) -> EpochEnd {
        panic!("{work:?} was assigned")
    }
}

#[async_trait(?Send)]
impl Handler<CheckWork> for Delegate {
    async fn handle(&self, _: &Epoch<'_>, work: &CheckWork) -> EpochEnd {
        let access = match self.connect(&work.clusters).await {
            Ok(access) | Err(EpochEnd::Result(_, access)) => access,
            Err(end) => return end,
        };
        let done = Done::Check {
            key: None,
            found: Vec::new(),
            missing: Vec::new(),
        };
        EpochEnd::Result(Outcome::Done(done), access)
    }
}

#[async_trait(?Send)]
impl Handler<RestoreWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, _: &RestoreWork) -> EpochEnd {
        if let Err(end) = self.connect(&[]).await {
            return end;
        }
        if let Err(why) = self.work(epoch, 400).await {
            return stopped(why);
        }
        if self.shared.fault(4) {
            return EpochEnd::Checkpoint(Progress::Nothing {});
        }
        match epoch.ownership().await {
            Ok(Ownership::Go) => {}
            Ok(Ownership::Cancelled) => return stopped(Stop::Cancelled),
            Ok(Ownership::Fenced) => return EpochEnd::Fenced,
            Err(error) => return store_failed(&error),
        }
        let job = epoch.claim.job.to_string();
        *self.ledger.lock().unwrap().restored.entry(job).or_default() += 1;
        let done = RestoreDone {
            matches_plan: true,
            failed: 0,
            unexplained: 0,
            restored: 7,
            not_restored: 0,
            report: None,
        };
        EpochEnd::Result(Outcome::Done(Done::Restore(done)), Vec::new())
    }
}

#[async_trait(?Send)]
impl Handler<PlanWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &PlanWork) -> EpochEnd {
        if let Err(end) = self.connect(&[]).await {
            return end;
        }
        let mut clusters = match epoch.checkpoint.map(|checkpoint| &checkpoint.progress) {
            Some(Progress::Plan(planned)) => planned.clusters.clone(),
            _ => BTreeMap::new(),
        };
        for target in &work.clusters {
            let checkpoint = || {
                Progress::Plan(PlanCheckpoint {
                    verified_files: 0,
                    clusters: clusters.clone(),
                })
            };
            if clusters.contains_key(&target.name) {
                continue;
            }
            if let Err(why) = self.work(epoch, 200).await {
                return why.end(checkpoint);
            }
            if self.shared.fault(4) {
                return EpochEnd::Checkpoint(checkpoint());
            }
            let key = plan_part_key(&epoch.claim.job, epoch.claim.epoch, Some(&target.name));
            if let Err(error) = put_once(self.store.as_ref(), &key, "{}".into()).await {
                return store_failed(&error);
            }
            let part = PartDone {
                rejected: false,
                epoch: epoch.claim.epoch,
                hash: None,
            };
            clusters.insert(target.name.clone(), part);
        }
        let done = PlanDone {
            infrastructure: None,
            clusters,
        };
        EpochEnd::Result(Outcome::Done(Done::Plan(done)), Vec::new())
    }
}

#[async_trait(?Send)]
impl Handler<BuildWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, _: &BuildWork) -> EpochEnd {
        if let Err(end) = self.connect(&[]).await {
            return end;
        }
        if let Err(why) = self.work(epoch, 400).await {
            return stopped(why);
        }
        if self.shared.fault(4) {
            return EpochEnd::Checkpoint(Progress::Nothing {});
        }
        let done = BuildDone {
            changed: 1,
            ..BuildDone::default()
        };
        EpochEnd::Result(Outcome::Done(Done::Build(done)), Vec::new())
    }
}

#[async_trait(?Send)]
impl Handler<SealWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &SealWork) -> EpochEnd {
        if let Err(end) = self.connect(&[]).await {
            return end;
        }
        if let Err(why) = self.work(epoch, 60).await {
            return stopped(why);
        }
        match self.seal(work).await {
            Ok(Some(sealed)) => EpochEnd::Result(Outcome::Done(Done::Seal(sealed)), Vec::new()),
            // A part has no result that counts, or the manifest is missing: the next epoch tries again.
            Ok(None) => EpochEnd::Checkpoint(Progress::Nothing {}),
            Err(error) => store_failed(&error),
        }
    }
}
