//! A delegate of the simulation: the production loop, with handlers that do only what the protocol needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lifeboat_filesystem::PemSigner;
use lifeboat_format::{RecipientKey, VerifyingKey};
use lifeboat_jobs::claim::{Ownership, put_once};
use lifeboat_jobs::folder::view;
use lifeboat_jobs::keys::plan_part_key;
use lifeboat_jobs::pending::Rotation;
use lifeboat_jobs::worker::{Deadline, Epoch, EpochEnd, Handler, Handlers, Stop, Worker};
use lifeboat_jobs::{
    AccessFinding, AccessReport, BuildDone, BuildWork, CheckWork, ClusterEndpoint, ClusterTarget,
    DataKeysDone, DataKeysWork, Doing, Done, Outcome, PartDone, PlanCheckpoint, PlanDone, PlanWork,
    PrivateDelegateWork, PrivateEndpoint, Progress, RestoreDone, RestoreWork, ResultValidity, SealWork,
    Trust, Work, data_keys_job,
};
use lifeboat_model::{
    ApplicationName, Arn, BuildProgress, ClusterName, Code, DelegateId, Diagnostic as _, EnvironmentId,
    Problem,
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
    /// The ARNs of the clusters without a public endpoint.
    pub(crate) private: BTreeSet<String>,
    /// The ids of the delegates that have worked on each cluster, by its ARN.
    pub(crate) worked: BTreeMap<String, BTreeSet<String>>,
}

pub(crate) struct Delegate {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) application: ApplicationName,
    pub(crate) environment: EnvironmentId,
    /// The cluster whose private delegate this is.
    pub(crate) cluster: Option<ClusterName>,
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

    /// Returns the id in its registration.
    fn id(&self) -> DelegateId {
        match &self.cluster {
            Some(cluster) => DelegateId::private(&self.application, cluster),
            None => DelegateId::public(&self.application),
        }
    }

    /// Runs one invocation. A store failure ends it early.
    pub(crate) async fn run(self) {
        let function = Arn::function(&self.environment, &format!("lifeboat-{}", self.application)).unwrap();
        let worker = Worker {
            delegate: &self.id(),
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
        let mut ledger = self.ledger.lock().unwrap();
        let mut reports = Vec::new();
        for target in clusters {
            if let Some(cluster) = &self.cluster {
                assert_eq!(
                    target.eks_name().as_ref(),
                    Some(cluster),
                    "another delegate's job"
                );
                assert_eq!(
                    target.endpoint,
                    Some(private_endpoint().endpoint),
                    "it cannot ask EKS"
                );
            }
            let private = self.cluster.is_none() && ledger.private.contains(target.arn.as_str());
            let findings = match (private, ledger.closed) {
                (true, _) => vec![AccessFinding::PrivateEndpoint {}],
                (false, true) => vec![AccessFinding::NoAccessEntry { access_entries: true }],
                (false, false) => {
                    let worked = ledger.worked.entry(target.arn.to_string()).or_default();
                    worked.insert(self.id().to_string());
                    Vec::new()
                }
            };
            reports.push(AccessReport {
                cluster: target.name.clone(),
                arn: target.arn.clone(),
                role: Arn::parse("arn:aws:iam::111111111111:role/LifeboatPrimary").unwrap(),
                checked_at: self.now(),
                findings,
                private: private.then(|| Box::new(private_endpoint())),
            });
        }
        reports
    }

    /// Waits for the data keys, as a private delegate does that restores.
    async fn data_keys(&self, epoch: &Epoch<'_>) -> Result<(), EpochEnd> {
        let job = data_keys_job(&epoch.claim.job, epoch.claim.epoch);
        let mut wait = pin!(async {
            loop {
                let trust = Trust::Keys(COORDINATORS.as_slice());
                match view(self.store.as_ref(), &job, trust, None).await {
                    Ok(view) => match view.validity() {
                        ResultValidity::Counts(result) => return Ok(result.outcome.clone()),
                        _ => self.shared.sleep(10).await,
                    },
                    Err(error) => return Err(store_failed(&error)),
                }
            }
        });
        let sleep = |interval: std::time::Duration| self.shared.sleep(interval.as_secs() as i64);
        match epoch.while_owned(wait.as_mut(), sleep).await {
            Ok(Ok(Outcome::Done(Done::DataKeys(_)))) => Ok(()),
            Ok(Ok(other)) => Err(EpochEnd::Result(other, Vec::new())),
            Ok(Err(end)) => Err(end),
            Err(why) => Err(stopped(why)),
        }
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

/// Returns the endpoint and the network of each cluster without a public endpoint.
fn private_endpoint() -> PrivateEndpoint {
    PrivateEndpoint {
        endpoint: ClusterEndpoint {
            url: "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com".to_owned(),
            ca: "-----BEGIN CERTIFICATE-----".to_owned(),
            access_entries: true,
        },
        vpc: "vpc-0123456789abcdef0".to_owned(),
        subnets: vec!["subnet-0123456789abcdef0".to_owned()],
        security_group: "sg-0123456789abcdef0".to_owned(),
    }
}

impl Handlers for Delegate {
    fn recipient(&self, work: &Work) -> Option<String> {
        let restores = self.cluster.is_some() && matches!(work, Work::Restore(_));
        restores.then(|| RECIPIENT.to_pem())
    }
}

#[async_trait(?Send)]
impl Handler<DataKeysWork> for Delegate {
    async fn handle(&self, epoch: &Epoch<'_>, work: &DataKeysWork) -> EpochEnd {
        assert_eq!(self.cluster, None, "a private delegate reaches no KMS");
        assert_eq!(work.recipient, RECIPIENT.to_pem());
        if let Err(end) = self.connect(&[]).await {
            return end;
        }
        if let Err(why) = self.work(epoch, 60).await {
            return stopped(why);
        }
        let done = DataKeysDone {
            unwrapped_by: RECIPIENT.fingerprint().clone(),
            keys: Vec::new(),
        };
        EpochEnd::Result(Outcome::Done(Done::DataKeys(done)), Vec::new())
    }
}

#[async_trait(?Send)]
impl Handler<PrivateDelegateWork> for Delegate {
    async fn handle(&self, _: &Epoch<'_>, work: &PrivateDelegateWork) -> EpochEnd {
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
    async fn handle(&self, epoch: &Epoch<'_>, work: &RestoreWork) -> EpochEnd {
        let reports = match self.connect(std::slice::from_ref(&work.target)).await {
            Ok(reports) => reports,
            Err(end) => return end,
        };
        if self.cluster.is_some()
            && let Err(end) = self.data_keys(epoch).await
        {
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
        EpochEnd::Result(Outcome::Done(Done::Restore(done)), reports)
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
