//! A delegate of the simulation: the real protocol, and work that is only as much as the protocol sees.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use jiff::{SignedDuration, Timestamp};
use lifeboat_filesystem::PemSigner;
use lifeboat_format::manifest::{
    ClusterRecord, Completeness, FORMAT_VERSION, PackRecord, PackRecordKind, Predicate, ServerRecord, Tool,
    WrappedKeyRecord,
};
use lifeboat_format::{RecipientKey, Sha256, WrapAlgorithm, WrappedKey};
use lifeboat_jobs::job::claim::{self, Offer, Permission, since};
use lifeboat_jobs::job::{
    AccessFinding, AccessReport, CAPTURES, CaptureDone, CaptureProgress, Claim, ClusterProgress, Done,
    FORMAT, JobResult, Outcome, Prefixed, Progress, RestoreDone, Sealed, Work,
};
use lifeboat_jobs::layout::{file_key, manifest_key};
use lifeboat_jobs::ports::{ObjectStore, Signer as _, StoreError};
use lifeboat_jobs::{RecoveryPoint, seal};
use lifeboat_model::{
    ApplicationName, Arn, ClusterName, Code, EnvironmentId, Filter, PackName, Problem, RecoveryPointId,
};

use crate::chance::Shared;

pub(crate) fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/point-v1/keys")
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
}

/// The longest that an invocation lasts, in seconds.
pub(crate) const LIMIT: i64 = 900;

impl Delegate {
    fn now(&self) -> Timestamp {
        self.shared.now() + SignedDuration::from_secs(self.skew)
    }

    /// One invocation: takes the oldest open job and works on it. Errors of stores end it, as a crash does.
    pub(crate) async fn run(self) {
        let _ = self.try_run().await;
    }

    async fn try_run(&self) -> Result<(), StoreError> {
        let store = self.store.as_ref();
        let offers = claim::offers(store, &self.application, &self.environment, &since(self.now())).await?;
        assert!(
            offers.refused.is_empty(),
            "nobody writes documents that are none: {:?}",
            offers.refused
        );
        for offer in offers.open {
            let deadline = self.now() + SignedDuration::from_secs(LIMIT);
            let claimed = claim::claim(store, &offer, &self.invocation, self.now(), deadline).await?;
            if let Some(claim) = claimed {
                return self.work(&offer, &claim).await;
            }
        }
        Ok(())
    }

    async fn work(&self, offer: &Offer, claim: &Claim) -> Result<(), StoreError> {
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
                Work::Check { .. } => Outcome::Done(Done::Check { found: Vec::new() }),
                _ => Outcome::Failed {
                    problems: vec![problem],
                    retry: !closed,
                },
            };
            return self.end(claim, outcome, access).await;
        }
        let done = match &offer.assignment.work {
            Work::Check { .. } => Done::Check { found: Vec::new() },
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
                    as_planned: true,
                    problems: Vec::new(),
                    restored: 7,
                    not_restored: 0,
                    report: None,
                })
            }
            Work::Capture { point, clusters, .. } => {
                match self.capture(offer, claim, point, &clusters[0].name).await? {
                    Some(sealed) => Done::Capture(CaptureDone {
                        sealed: Some(sealed),
                        clusters: Vec::new(),
                    }),
                    None => return Ok(()),
                }
            }
            Work::Seal { .. } => unreachable!("an application with one cluster needs no seal job"),
        };
        if let Some(outcome) = self.stop(claim).await? {
            return self.end(claim, outcome, access).await;
        }
        self.end(claim, Outcome::Done(done), access).await
    }

    /// Whether to stop. A fenced delegate stops without a word, but a zombie does not look.
    async fn stop(&self, claim: &Claim) -> Result<Option<Outcome>, StoreError> {
        if self.blind {
            return Ok(None);
        }
        match claim::permission(self.store.as_ref(), claim).await? {
            Permission::Go => Ok(None),
            Permission::Cancelled => Ok(Some(Outcome::Cancelled {})),
            Permission::Fenced => {
                self.shared.sleep(i64::from(u32::MAX)).await;
                unreachable!("an invocation ends before that")
            }
        }
    }

    fn access(&self, work: &Work) -> Vec<AccessReport> {
        let closed = self.ledger.lock().unwrap().closed;
        let report = |target: &lifeboat_jobs::job::ClusterTarget| AccessReport {
            cluster: target.name.clone(),
            arn: target.arn.clone(),
            role: Arn::parse("arn:aws:iam::111111111111:role/LifeboatPrimary").unwrap(),
            checked_at: self.now(),
            findings: match closed {
                true => vec![AccessFinding {
                    problem: Problem::new(
                        Code::NoAccessEntry,
                        "the cluster does not know the role",
                        "let it in",
                    ),
                    command: Some("aws eks create-access-entry".to_owned()),
                    partial: false,
                }],
                false => Vec::new(),
            },
        };
        match work {
            Work::Restore { .. } => Vec::new(),
            work => work.clusters().iter().map(report).collect(),
        }
    }

    async fn capture(
        &self,
        offer: &Offer,
        claim: &Claim,
        point: &RecoveryPointId,
        cluster: &ClusterName,
    ) -> Result<Option<Sealed>, StoreError> {
        let captures: Arc<dyn ObjectStore> = Arc::new(Prefixed::new(Arc::clone(&self.store), CAPTURES));
        let mut packs = match &offer.checkpoint {
            Some(checkpoint) => match &checkpoint.progress {
                Progress::Capture(progress) => progress.clusters[0].packs.clone(),
                _ => Vec::new(),
            },
            None => Vec::new(),
        };
        for number in 0..=self.shared.below(2) {
            self.shared.sleep(self.shared.below(300) as i64).await;
            let mut bytes = self.shared.draw().to_be_bytes().to_vec();
            bytes.extend_from_slice(claim.job.as_str().as_bytes());
            for (sort, kind) in [('p', PackRecordKind::Objects), ('i', PackRecordKind::Index)] {
                let name = PackName::parse(format!(
                    "{cluster}/{sort}-{:02}{number:04}.pack",
                    claim.epoch.get()
                ))
                .unwrap();
                captures
                    .put_new(&file_key(&self.application, point, &name), bytes.clone().into())
                    .await?;
                packs.push(PackRecord {
                    name,
                    kind,
                    key: "k-0".to_owned(),
                    sha256: Sha256::of(&bytes),
                    bytes: bytes.len() as u64,
                    frames: 1,
                    point: None,
                });
            }
        }
        if self.shared.fault(4) {
            let progress = Progress::Capture(CaptureProgress {
                clusters: vec![progress(cluster, packs, self.now())],
            });
            claim::checkpoint(self.store.as_ref(), claim, progress, self.now()).await?;
            return Ok(None);
        }
        if self.stop(claim).await?.is_some() {
            return Ok(None);
        }
        let predicate = predicate(&self.application, point, cluster, packs, self.now());
        // Sealing that failed may have written the manifest all the same; what is there counts.
        let _ = seal(captures.as_ref(), &*SIGNER, predicate).await;
        let (bytes, _) = captures.get(&manifest_key(&self.application, point)).await?;
        let opened = RecoveryPoint::open(captures, &self.application, point, SIGNER.verifying_key()).await;
        Ok(opened.ok().map(|opened| Sealed {
            manifest: Sha256::of(&bytes),
            completeness: Completeness::Complete,
            objects: 7,
            bytes: opened.bytes(),
        }))
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

fn server() -> ServerRecord {
    ServerRecord {
        kube_system_uid: None,
        version: "v1.36.3".to_owned(),
        platform: "linux/arm64".to_owned(),
    }
}

fn progress(cluster: &ClusterName, packs: Vec<PackRecord>, now: Timestamp) -> ClusterProgress {
    ClusterProgress {
        name: cluster.clone(),
        server: server(),
        resource_version: None,
        started_at: now,
        finished: false,
        types: Vec::new(),
        open: Vec::new(),
        missing: Vec::new(),
        packs,
        keys: Vec::new(),
        objects: 7,
        bytes: 7,
        dependencies: BTreeMap::new(),
    }
}

fn predicate(
    application: &ApplicationName,
    point: &RecoveryPointId,
    cluster: &ClusterName,
    packs: Vec<PackRecord>,
    now: Timestamp,
) -> Predicate {
    let wrapped = WrappedKey {
        algorithm: WrapAlgorithm::RsaOaepSha256,
        recipient: RECIPIENT.fingerprint().clone(),
        ciphertext: vec![7; 512],
    };
    Predicate {
        format_version: FORMAT_VERSION,
        application: application.clone(),
        point: point.clone(),
        created_at: now,
        tool: Tool {
            name: "lifeboat".to_owned(),
            version: "0.1.0".to_owned(),
        },
        completeness: Completeness::Complete,
        keys: vec![WrappedKeyRecord::new("k-0", wrapped)],
        clusters: vec![ClusterRecord {
            name: cluster.clone(),
            server: server(),
            resource_version: None,
            started_at: now,
            finished_at: now,
            filters: Filter::default(),
            objects: 7,
            bytes: 7,
            types: Vec::new(),
            missing: Vec::new(),
            packs,
            dependencies: BTreeMap::new(),
        }],
    }
}
