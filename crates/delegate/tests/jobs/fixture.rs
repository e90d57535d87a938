//! Two environments without AWS: buckets in memory, keys in files, clusters by kubeconfig.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lifeboat_apiserver::testing::stalling_after;
use lifeboat_apiserver::{Api, ConnectOptions, KubeconfigSource};
use lifeboat_delegate::work::SidePorts;
use lifeboat_delegate::{Clusters, Delegate, Unreachable};
use lifeboat_filesystem::{PemSigner, PemUnwrapper, keys};
use lifeboat_format::RecipientKey;
use lifeboat_format::manifest::{ClusterRecord, Envelope, pae_of};
use lifeboat_jobs::pending::Rotation;
use lifeboat_jobs::signed::{Authenticated as _, SignedFile, sign};
use lifeboat_jobs::{
    AccessFinding, Assignment, Cancel, CaptureWork, ClusterTarget, FORMAT, JobFile, RestoreWork, VaultPlace,
    Work,
};
use lifeboat_local::{Cluster, ClusterOptions};
use lifeboat_model::{
    AccountId, ApplicationName, Arn, ClusterName, Code, DelegateId, Diagnostic as _, EnvironmentId, Epoch,
    Filter, JobId, Problem, RecoveryPointId, Region,
};
use lifeboat_recovery_point::cursor::Types;
use lifeboat_recovery_point::{ReadablePoint, RecoveryPoint, Silent};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{Clock, ObjectStore, Signer as _};
use lifeboat_store::prefix::{CAPTURES, PrefixStore};
use lifeboat_system::{SystemClock, SystemRandomness};

pub(crate) const PRIMARY: &str = "111111111111-eu-west-1";
pub(crate) const RECOVERY: &str = "222222222222-eu-central-1";

pub(crate) fn point() -> RecoveryPointId {
    RecoveryPointId::parse("20261121T100000Z-aaaaaa").unwrap()
}

/// Returns the time `minute` minutes after 10:00 on the day of these tests.
pub(crate) fn at(minute: i64) -> Timestamp {
    let ten: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    ten + SignedDuration::from_mins(minute)
}

/// Returns the deadline of an invocation that begins now.
pub(crate) fn later() -> Timestamp {
    Today.now() + SignedDuration::from_mins(15)
}

/// A clock on the day of these tests: a delegate only reads jobs of the last two days.
struct Today;

impl Clock for Today {
    fn now(&self) -> Timestamp {
        let real = SystemClock.now();
        let since_midnight = real.as_second().rem_euclid(3_600);
        at(30) + SignedDuration::from_secs(since_midnight)
    }
}

pub(crate) struct Fixture {
    pub(crate) application: ApplicationName,
    pub(crate) primary_scratch: Arc<dyn ObjectStore>,
    pub(crate) recovery_scratch: Arc<dyn ObjectStore>,
    pub(crate) vault: Arc<dyn ObjectStore>,
    pub(crate) recipient: RecipientKey,
    /// The key of the coordinator.
    pub(crate) coordinator: PemSigner,
    keys: keys::KeyFiles,
    folder: Arc<tempfile::TempDir>,
    clusters: Option<(Cluster, Cluster)>,
}

impl Fixture {
    /// Starts a fixture with a cluster on each side.
    pub(crate) fn start() -> Self {
        let started = Cluster::start_all(vec![
            ClusterOptions::named("orders"),
            ClusterOptions::named("orders-dr"),
        ]);
        let mut clusters = started.unwrap();
        let target = clusters.pop().unwrap();
        Self::with(Some((clusters.pop().unwrap(), target)))
    }

    /// Returns a fixture with the same keys and empty buckets, without clusters.
    pub(crate) fn anew(&self) -> Self {
        Self {
            application: self.application.clone(),
            primary_scratch: Arc::new(MemoryStore::new()),
            recovery_scratch: Arc::new(MemoryStore::new()),
            vault: Arc::new(MemoryStore::new()),
            recipient: keys::load_recipient(&self.keys.recovery_public).unwrap(),
            coordinator: coordinator(),
            keys: self.keys.clone(),
            folder: Arc::clone(&self.folder),
            clusters: None,
        }
    }

    /// Starts a fixture for jobs that end before they use a cluster.
    pub(crate) fn without_clusters() -> Self {
        Self::with(None)
    }

    fn with(clusters: Option<(Cluster, Cluster)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys::generate(&folder.path().join("keys")).unwrap();
        Self {
            coordinator: coordinator(),
            application: ApplicationName::parse("shop").unwrap(),
            primary_scratch: Arc::new(MemoryStore::new()),
            recovery_scratch: Arc::new(MemoryStore::new()),
            vault: Arc::new(MemoryStore::new()),
            recipient: keys::load_recipient(&keys.recovery_public).unwrap(),
            keys,
            folder: Arc::new(folder),
            clusters,
        }
    }

    pub(crate) fn source(&self) -> &Cluster {
        &self.clusters.as_ref().unwrap().0
    }

    pub(crate) fn target(&self) -> &Cluster {
        &self.clusters.as_ref().unwrap().1
    }

    /// Returns a signer with a key that is not pinned.
    pub(crate) fn other_signer(&self) -> PemSigner {
        let keys = keys::generate(&self.folder.path().join("foreign")).unwrap();
        PemSigner::load(&keys.signing_key).unwrap()
    }

    /// Returns a recovery key that the primary was not deployed with.
    pub(crate) fn other_recipient(&self) -> RecipientKey {
        let keys = keys::generate(&self.folder.path().join("other")).unwrap();
        keys::load_recipient(&keys.recovery_public).unwrap()
    }

    pub(crate) fn primary(&self) -> Delegate {
        let side = SidePorts::Primary {
            signer: Some(Arc::new(PemSigner::load(&self.keys.signing_key).unwrap())),
            recipients: vec![keys::load_recipient(&self.keys.recovery_public).unwrap()],
            resources: None,
        };
        self.delegate(PRIMARY, "Primary", side, Arc::clone(&self.primary_scratch))
    }

    pub(crate) fn recovery(&self) -> Delegate {
        let side = SidePorts::Recovery {
            unwrapper: Arc::new(PemUnwrapper::load(&self.keys.recovery_key).unwrap()),
            vault: Arc::clone(&self.vault),
            place: place(),
            stacks: None,
        };
        self.delegate(RECOVERY, "Recovery", side, Arc::clone(&self.recovery_scratch))
    }

    fn delegate(
        &self,
        environment: &str,
        side: &str,
        ports: SidePorts,
        scratch: Arc<dyn ObjectStore>,
    ) -> Delegate {
        let environment = EnvironmentId::parse(environment).unwrap();
        let role = format!(
            "arn:aws:iam::{}:role/Lifeboat{side}K8sDel-shop-{}",
            environment.account, environment.region
        );
        let names = self.clusters.iter().flat_map(|(source, target)| [source, target]);
        Delegate {
            id: DelegateId::public(&self.application),
            application: self.application.clone(),
            function: Arn::function(&environment, "lifeboat-shop").unwrap(),
            role: Arn::parse(role).unwrap(),
            environment,
            version: "0.1.0".to_owned(),
            scratch,
            coordinators: vec![self.coordinator.verifying_key().clone()],
            rotation: Rotation::default(),
            clusters: Arc::new(ByKubeconfig(
                names
                    .map(|c| (c.name().to_owned(), c.kubeconfig().to_path_buf()))
                    .collect(),
            )),
            side: ports,
            private_delegates: None,
            clock: Arc::new(Today),
            ids: Arc::new(SystemRandomness),
            page_size: lifeboat_capture::PAGE_SIZE,
        }
    }

    pub(crate) fn assignment(&self, name: &str, work: Work) -> Assignment {
        let environment = match work {
            Work::Build(_) | Work::Restore(_) | Work::Plan(_) | Work::DataKeys(_) => RECOVERY,
            _ => PRIMARY,
        };
        Assignment {
            format: FORMAT,
            job: JobId::parse(format!("shop/{name}")).unwrap(),
            application: self.application.clone(),
            epoch: Epoch::FIRST,
            issued_at: at(0),
            environment: EnvironmentId::parse(environment).unwrap(),
            work,
        }
    }

    pub(crate) fn capture(&self, name: &str, recipient: String) -> Assignment {
        let work = Work::Capture(CaptureWork {
            point: point(),
            clusters: vec![target("orders", PRIMARY, "orders")],
            filter: Filter::default(),
            types: Types::All,
            recipient,
            seal: true,
            part: 0,
            split: false,
        });
        self.assignment(name, work)
    }

    pub(crate) fn restore(&self, name: &str) -> Assignment {
        let work = Work::Restore(RestoreWork {
            point: point(),
            vault: place(),
            cluster: ClusterName::parse("orders").unwrap(),
            target: target("orders", RECOVERY, "orders-dr"),
            signer: keys::load_verifying(&self.keys.signing_public).unwrap().to_pem(),
            options: serde_json::Map::new(),
            built: None,
            expected_plan: None,
        });
        self.assignment(name, work)
    }

    /// Writes an assignment as the coordinator does.
    pub(crate) async fn assign(&self, store: &Arc<dyn ObjectStore>, assignment: &Assignment, epoch: u32) {
        let mut assignment = assignment.clone();
        for _ in 1..epoch {
            assignment.epoch = assignment.epoch.next();
        }
        let key = JobFile::Assignment(assignment.epoch).key(&assignment.job);
        let bytes = sign(&assignment, &self.coordinator).await.unwrap();
        store.put_new(&key, bytes.into()).await.unwrap();
    }

    /// Signs the payload of an assignment with the coordinator's key, whatever it contains.
    pub(crate) async fn signed(&self, payload: &[u8]) -> Vec<u8> {
        enveloped(Assignment::PAYLOAD_TYPE, payload, &self.coordinator).await
    }

    /// Writes the request to end a job early as the coordinator does.
    pub(crate) async fn cancel(&self, store: &Arc<dyn ObjectStore>, assignment: &Assignment) {
        let cancel = cancel_of(assignment);
        let bytes = sign(&cancel, &self.coordinator).await.unwrap();
        let key = JobFile::Cancel.key(&assignment.job);
        store.put_new(&key, bytes.into()).await.unwrap();
    }

    /// Opens a sealed recovery point in the captures, after its digests were compared.
    pub(crate) async fn readable(&self, point: &RecoveryPointId) -> ReadablePoint {
        let captures: Arc<dyn ObjectStore> =
            Arc::new(PrefixStore::new(Arc::clone(&self.primary_scratch), CAPTURES));
        let signer = keys::load_verifying(&self.keys.signing_public).unwrap();
        let opened = RecoveryPoint::open(captures, &self.application, point, &signer)
            .await
            .unwrap();
        opened.verify_digests(&Silent).await.unwrap();
        let unwrapper = PemUnwrapper::load(&self.keys.recovery_key).unwrap();
        opened.decrypt(&unwrapper).await.unwrap()
    }

    /// Returns the contents of a sealed recovery point in the captures, in the order of the server's lists.
    pub(crate) async fn contents(&self, point: &RecoveryPointId) -> Contents {
        let readable = self.readable(point).await;
        let predicate = &readable.point().statement().predicate;
        readable.verify_contents(&Silent).await.unwrap();
        let mut contents = Contents {
            records: predicate.clusters.clone(),
            keys: predicate.keys.len(),
            lines: BTreeMap::new(),
        };
        for record in &contents.records {
            let index = readable.index(&record.name).await.unwrap();
            for number in index.numbers() {
                let batch = readable.batch(&index, number).await.unwrap();
                let name = (record.name.to_string(), batch.type_name().to_string());
                let lines = contents.lines.entry(name).or_default();
                lines.extend(
                    batch
                        .iter()
                        .map(|(_, _, line)| String::from_utf8(line.to_vec()).unwrap()),
                );
            }
        }
        contents
    }

    /// Copies the captures into the vault as the coordinator does, without its checks.
    pub(crate) async fn move_to_vault(&self) {
        let captures = PrefixStore::new(Arc::clone(&self.primary_scratch), CAPTURES);
        for listed in captures.list("", None, 1000).await.unwrap() {
            let (bytes, _) = captures.get(&listed.key).await.unwrap();
            self.vault.put_new(&listed.key, bytes).await.unwrap();
        }
    }
}

/// Returns the key of the coordinator.
fn coordinator() -> PemSigner {
    let file = "../recovery-point/tests/fixtures/point-v1/keys/signing.key.pem";
    PemSigner::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

pub(crate) fn cancel_of(assignment: &Assignment) -> Cancel {
    Cancel {
        format: FORMAT,
        job: assignment.job.clone(),
        environment: assignment.environment.clone(),
        at: at(1),
        reason: "it was cancelled on request".to_owned(),
    }
}

/// Returns the file of a payload that a key has signed.
pub(crate) async fn enveloped(payload_type: &str, payload: &[u8], signer: &PemSigner) -> Vec<u8> {
    let signature = signer.sign(&pae_of(payload_type, payload)).await.unwrap();
    let envelope = Envelope::of_type(payload_type, payload, signer.verifying_key(), &signature);
    serde_json::to_vec(&SignedFile::from(envelope)).unwrap()
}

fn place() -> VaultPlace {
    VaultPlace {
        bucket: "vault".to_owned(),
        owner: AccountId::parse("222222222222").unwrap(),
        region: Region::parse("eu-central-1").unwrap(),
        prefix: String::new(),
    }
}

/// The contents of a recovery point.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    pub(crate) records: Vec<ClusterRecord>,
    pub(crate) keys: usize,
    /// The lines of objects by cluster and type.
    pub(crate) lines: BTreeMap<(String, String), Vec<String>>,
}

impl Contents {
    /// Removes what differs between any two captures: packs, keys and times.
    pub(crate) fn without_packing(mut self) -> Self {
        for record in &mut self.records {
            record.packs.clear();
            (record.started_at, record.finished_at) = (at(0), at(0));
        }
        self.keys = 0;
        // The server computes these for each request, in any order.
        self.lines
            .retain(|(_, type_name), _| type_name != "componentstatuses");
        self
    }
}

/// A clock that advances with each reading, and counts the readings.
pub(crate) struct Stepping {
    step: SignedDuration,
    looks: AtomicI64,
    /// The number of the reading at which the process is killed.
    kill_at: i64,
    pub(crate) killed: tokio::sync::Notify,
}

impl Stepping {
    pub(crate) fn new(step: SignedDuration) -> Arc<Self> {
        Self::killing(step, i64::MAX)
    }

    pub(crate) fn killing(step: SignedDuration, kill_at: i64) -> Arc<Self> {
        Arc::new(Self {
            step,
            looks: AtomicI64::new(0),
            kill_at,
            killed: tokio::sync::Notify::new(),
        })
    }
}

impl Clock for Stepping {
    fn now(&self) -> Timestamp {
        let looks = self.looks.fetch_add(1, Ordering::SeqCst);
        if looks >= self.kill_at {
            self.killed.notify_one();
        }
        let passed = i32::try_from(looks).unwrap();
        at(30) + self.step * passed
    }
}

pub(crate) fn target(name: &str, environment: &str, cluster: &str) -> ClusterTarget {
    ClusterTarget::new(
        ClusterName::parse(name).unwrap(),
        Arn::cluster(&EnvironmentId::parse(environment).unwrap(), cluster).unwrap(),
    )
}

/// One cluster under any name, whose server stops responding after a number of writes.
pub(crate) struct Stalling {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) writes: u64,
}

#[async_trait]
impl Clusters for Stalling {
    async fn connect(&self, _: &ClusterTarget) -> Result<Api, Unreachable> {
        let options = ConnectOptions::new(KubeconfigSource::File(self.kubeconfig.clone()), None);
        let (api, _) = Api::connect(&options).await.unwrap();
        Ok(stalling_after(&api, self.writes))
    }
}

/// Clusters with known kubeconfigs.
struct ByKubeconfig(BTreeMap<String, PathBuf>);

#[async_trait]
impl Clusters for ByKubeconfig {
    async fn connect(&self, target: &ClusterTarget) -> Result<Api, Unreachable> {
        let name = target.arn.resource().rsplit('/').next().unwrap_or_default();
        let missing = |problem: Problem| Unreachable::unavailable(AccessFinding::from(&problem));
        let file = self
            .0
            .get(name)
            .ok_or_else(|| missing(Problem::new(Code::ClusterNotFound, "there is none", "")))?;
        let options = ConnectOptions::new(KubeconfigSource::File(file.clone()), None);
        let connected = Api::connect(&options).await;
        connected
            .map(|(api, _)| api)
            .map_err(|error| missing(error.problem()))
    }
}
