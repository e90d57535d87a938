//! What a simulation consists of: the buckets, the applications, and the start of coordinators and delegates.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::executor::block_on;
use jiff::SignedDuration;
use lifeboat_coordinator::execute::Verification;
use lifeboat_coordinator::ports::{Notifier, Ports};
use lifeboat_coordinator::sign::{AssignmentKey, OpenKey};
use lifeboat_coordinator::state::{Notice, State};
use lifeboat_coordinator::{document_key, state_key, tick};
use lifeboat_filesystem::PemSigner;
use lifeboat_format::Fingerprint;
use lifeboat_jobs::VaultPlace;
use lifeboat_model::environment::Side;
use lifeboat_model::request::{Answer, Request};
use lifeboat_model::{ApplicationName, Arn, ClusterName, Problem};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ObjectStore, Signer};

use crate::application::{Application, Environment};
use crate::delegate::{Delegate, LIMIT, Ledger, SIGNER};
use crate::processes::Process;
use crate::rng::{START, Shared, Skewed};
use crate::stores::{Bucket, StaleListings};

/// The place in the list of applications of the one that is attacked in a hostile simulation.
pub(crate) const SHOP: usize = 0;

/// The place of the other one, which only hostile simulations have.
pub(crate) const BANK: usize = 1;

struct CoordinatorKey;

#[async_trait]
impl OpenKey for CoordinatorKey {
    async fn open(&self) -> Result<Arc<dyn Signer>, Problem> {
        Ok(Arc::new(
            PemSigner::load(&crate::delegate::fixture("signing.key.pem")).unwrap(),
        ))
    }
}

struct RecordingNotifier(Arc<Shared>);

#[async_trait]
impl Notifier for RecordingNotifier {
    async fn notify(&self, _: &Notice) -> bool {
        !self.0.fault(5)
    }
}

pub(crate) struct Fixture {
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: MemoryStore,
    pub(crate) vault: MemoryStore,
    /// The recovery environment of all applications.
    pub(crate) recovery: Environment,
    /// When it last failed or answered again, in seconds since 1970.
    pub(crate) recovery_toggled: i64,
    pub(crate) applications: Vec<Application>,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) processes: Vec<Process>,
    invocations: u64,
    has_private_delegates: bool,
    pub(crate) requests: u64,
    /// Seconds between two ticks: a large step simulates many lost events.
    pub(crate) step: i64,
    pub(crate) answers: Arc<Mutex<Vec<(Request, Answer)>>>,
}

pub(crate) fn shop() -> ApplicationName {
    ApplicationName::parse("shop").unwrap()
}

impl Fixture {
    pub(crate) fn new(seed: u64) -> Self {
        // Some applications have two clusters, and some clusters are captured in parts.
        let clusters: &[&str] = if seed % 4 == 1 {
            &["orders", "payments"]
        } else {
            &["orders"]
        };
        let mut fixture = Self::with(seed, clusters);
        fixture.applications[SHOP].big = seed % 3 == 1;
        fixture.put_documents();
        fixture
    }

    /// A simulation with one cluster that one job captures.
    pub(crate) fn small(seed: u64) -> Self {
        let fixture = Self::with(seed, &["orders"]);
        fixture.put_documents();
        fixture
    }

    /// A simulation in which the primary environment of an application becomes hostile. Another application shares the
    /// other buckets. Retention keeps every recovery point.
    pub(crate) fn hostile(seed: u64) -> Self {
        let mut fixture = Self::with(seed, &["orders"]);
        let every = fixture.applications[SHOP].every / 2;
        let bank = Application::new("bank", &["accounts"], "333333333333-eu-west-1", every);
        fixture.applications.push(bank);
        for application in &mut fixture.applications {
            application.last = 10_000;
        }
        fixture.applications[SHOP].hostile = true;
        fixture.applications[SHOP].big = seed % 5 == 1;
        fixture.applications[BANK].spared = true;
        fixture.put_documents();
        fixture
    }

    /// A simulation in which one cluster of each environment has no public endpoint. In some, an application has no other;
    /// in some, several jobs capture it.
    pub(crate) fn private(seed: u64) -> Self {
        let clusters: &[&str] = match seed % 3 {
            0 => &["payments"],
            _ => &["orders", "payments"],
        };
        let mut fixture = Self::with(seed, clusters);
        let shop = &mut fixture.applications[SHOP];
        shop.private = vec!["payments"];
        shop.big = seed % 5 == 1;
        fixture.set_private(true);
        fixture.put_documents();
        fixture
    }

    /// Closes the public endpoints of the clusters that have a private delegate, or opens them.
    pub(crate) fn set_private(&self, private: bool) {
        let arns = [Side::Primary, Side::Recovery].into_iter().flat_map(|side| {
            let environment = self.environment(SHOP, side).id.clone();
            let arn = move |name: ClusterName| Arn::cluster(&environment, name.as_str()).unwrap().to_string();
            self.shop().private_clusters(side).into_iter().map(arn)
        });
        self.ledger.lock().unwrap().private = if private { arns.collect() } else { BTreeSet::new() };
    }

    fn with(seed: u64, clusters: &[&'static str]) -> Self {
        let shared = Arc::new(Shared::new(seed));
        // The step is either minutes, or long enough for days in which retention deletes recovery points.
        let (step, every) = if shared.once_in(3) {
            (3600, 12 * 3600)
        } else {
            (150, 30 * 60)
        };
        Self {
            state: MemoryStore::new(),
            vault: MemoryStore::new(),
            recovery: Environment::new("222222222222-eu-central-1"),
            recovery_toggled: START,
            applications: vec![Application::new(
                "shop",
                clusters,
                "111111111111-eu-west-1",
                every,
            )],
            ledger: Arc::default(),
            processes: Vec::new(),
            invocations: 0,
            has_private_delegates: false,
            requests: 0,
            step,
            answers: Arc::default(),
            shared,
        }
    }

    fn put_documents(&self) {
        for application in &self.applications {
            let document = application.document(&self.recovery).into();
            block_on(self.state.put_new(&document_key(&application.name), document)).unwrap();
            application.register(&self.recovery, self.shared.now());
        }
    }

    pub(crate) fn shop(&self) -> &Application {
        &self.applications[SHOP]
    }

    fn bucket(&self, inner: &MemoryStore) -> Arc<dyn ObjectStore> {
        Arc::new(Bucket {
            inner: inner.clone(),
            shared: Arc::clone(&self.shared),
            dead: Arc::default(),
        })
    }

    fn ports(&self, application: usize, skew: i64) -> Ports {
        let clock = Arc::new(Skewed {
            shared: Arc::clone(&self.shared),
            by: skew,
            stopped: None,
        });
        let control = self.recovery.id.clone();
        let environments = [&self.applications[application].primary, &self.recovery];
        let scratch =
            environments.map(|environment| (environment.id.clone(), environment.bucket(&self.shared)));
        Ports {
            state: self.bucket(&self.state),
            vault: self.bucket(&self.vault),
            scratch: Box::new(move |environment| {
                let (_, bucket) = scratch.iter().find(|(id, _)| id == environment).unwrap();
                Arc::clone(bucket)
            }),
            vault_place: VaultPlace {
                bucket: control.vault_bucket(),
                owner: control.account.clone(),
                region: control.region,
                prefix: String::new(),
            },
            ids: Arc::clone(&clock) as _,
            timer: Arc::clone(&clock) as _,
            clock,
            verification: Verification::default(),
            assignment_key: Arc::new(AssignmentKey::new(Box::new(CoordinatorKey))),
            notifier: Arc::new(RecordingNotifier(Arc::clone(&self.shared))),
        }
    }

    /// Starts an invocation of the coordinator; each processes one application.
    pub(crate) fn start_coordinator(&mut self, application: usize, requests: Vec<Request>) {
        let name = self.applications[application].name.clone();
        self.shared.spare(self.applications[application].spared);
        let skew = if self.shared.has_faults() {
            self.shared.below(60) as i64 - 30
        } else {
            0
        };
        let ports = self.ports(application, skew);
        let answers = Arc::clone(&self.answers);
        let until = ports.clock.now() + SignedDuration::from_secs(50);
        let task = async move {
            if let Ok(report) = tick(&ports, &name, &requests, until).await {
                answers
                    .lock()
                    .unwrap()
                    .extend(requests.into_iter().zip(report.answers));
            }
        };
        self.start(application, Box::pin(task), self.shared.seconds() + LIMIT);
    }

    /// Starts an invocation of each delegate of a side.
    pub(crate) fn start_delegates(&mut self, application: usize, side: Side) {
        self.start_delegate(application, side, None);
        if self.has_private_delegates {
            for cluster in self.applications[application].private_clusters(side) {
                self.start_delegate(application, side, Some(cluster));
            }
        }
    }

    /// Deploys the stacks of the private delegates.
    pub(crate) fn deploy_private(&mut self) {
        if !self.has_private_delegates {
            self.has_private_delegates = true;
            self.shop().register_private(&self.recovery, self.shared.now());
        }
    }

    fn environment(&self, application: usize, side: Side) -> &Environment {
        match side {
            Side::Primary => &self.applications[application].primary,
            Side::Recovery => &self.recovery,
        }
    }

    /// Starts an invocation of the public delegate of a side, or of the private one of a cluster.
    pub(crate) fn start_delegate(&mut self, application: usize, side: Side, cluster: Option<ClusterName>) {
        let environment = self.environment(application, side).clone();
        if environment.is_dead() {
            return;
        }
        self.invocations += 1;
        let of = &self.applications[application];
        self.shared.spare(of.spared);
        let skew = if self.shared.has_faults() {
            self.shared.below(40) as i64 - 20
        } else {
            0
        };
        // Some processes have a stopped clock, so that they outlive their deadline, and half of these see a
        // job's folder as it was when they claimed the job.
        let zombie = self.shared.fault(8);
        let ends = self.shared.seconds() + LIMIT + if zombie { 1500 } else { 0 };
        let bucket = environment.bucket(&self.shared);
        let store = match zombie && self.shared.once_in(2) {
            true => Arc::new(StaleListings::new(bucket)),
            false => bucket,
        };
        let delegate = Delegate {
            shared: Arc::clone(&self.shared),
            store,
            application: of.name.clone(),
            environment: environment.id.clone(),
            cluster,
            clock: Skewed {
                by: skew,
                stopped: zombie.then(|| self.shared.now()),
                shared: Arc::clone(&self.shared),
            },
            stuck: zombie || self.shared.fault(10),
            invocation: format!("i-{}", self.invocations),
            ledger: Arc::clone(&self.ledger),
            big: of.big,
            hostile: of.hostile,
        };
        self.start(application, Box::pin(delegate.run()), ends);
    }

    /// Returns the state of an application; `None` before its first tick.
    pub(crate) fn try_state(&self, application: usize) -> Option<State> {
        let key = state_key(&self.applications[application].name);
        let (bytes, _) = block_on(self.state.get(&key)).ok()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    pub(crate) fn state_of(&self, application: usize) -> State {
        self.try_state(application).unwrap()
    }

    /// Returns whether a step of this simulation is an hour.
    pub(crate) fn is_coarse(&self) -> bool {
        self.step > 150
    }

    /// Returns every key of every bucket, which shows the names of recovery points and jobs, the epochs, and
    /// what was kept.
    pub(crate) fn keys(&self) -> Vec<String> {
        let primaries = self.applications.iter().map(|of| &of.primary.store);
        [&self.state, &self.vault, &self.recovery.store]
            .into_iter()
            .chain(primaries)
            .flat_map(|store| store.contents().into_keys())
            .collect()
    }
}

/// Returns the fingerprint that every run must have pinned.
pub(crate) fn signer() -> Fingerprint {
    SIGNER.fingerprint()
}
