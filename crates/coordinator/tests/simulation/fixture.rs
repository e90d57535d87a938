//! The simulation of one seed: the start and death of processes, and the time.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use async_trait::async_trait;
use bytes::Bytes;
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
use lifeboat_model::environment::{
    DelegateRegistration, EnvironmentRegistration, RegisteredKey, Side, delegate_key, environment_key,
};
use lifeboat_model::request::{Answer, BackupRequest, CancelRequest, Request, RestoreRequest, RestoreState};
use lifeboat_model::{ApplicationName, Arn, EnvironmentId, Problem, RequestToken};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ObjectStore, Signer};

use crate::delegate::{Delegate, LIMIT, Ledger, RECIPIENT, SIGNER};
use crate::model::Model;
use crate::rng::{START, Shared, Skewed};
use crate::stores::{Bucket, StaleListings};

type Task = Pin<Box<dyn Future<Output = ()>>>;

struct Process {
    task: Task,
    /// When Lambda ends the process.
    ends: i64,
    /// Whether it waits for time to pass.
    asleep: bool,
}

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
    pub(crate) primary: MemoryStore,
    pub(crate) recovery: MemoryStore,
    /// Whether the primary Region answers no request.
    pub(crate) primary_dead: Arc<AtomicBool>,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) model: Model,
    processes: Vec<Process>,
    invocations: u64,
    requests: u64,
    /// Seconds between two ticks: a large step simulates many lost events.
    pub(crate) step: i64,
    /// The clusters of the application.
    pub(crate) clusters: Vec<&'static str>,
    big: bool,
    pub(crate) answers: Arc<Mutex<Vec<(Request, Answer)>>>,
}

pub(crate) fn shop() -> ApplicationName {
    ApplicationName::parse("shop").unwrap()
}

fn environment(side: Side) -> EnvironmentId {
    EnvironmentId::parse(match side {
        Side::Primary => "111111111111-eu-west-1",
        Side::Recovery => "222222222222-eu-central-1",
    })
    .unwrap()
}

fn document(every: &str, clusters: &[&str], last: u32) -> String {
    let clusters: Vec<String> = clusters
        .iter()
        .map(|name| format!(r#"{{"name":"{name}","restoreInto":"{name}-dr"}}"#))
        .collect();
    let clusters = clusters.join(",");
    format!(
        r#"{{"format":1,"name":"shop","primary":{{"account":"111111111111","region":"eu-west-1"}},
        "recovery":{{"account":"222222222222","region":"eu-central-1"}},
        "clusters":[{clusters}],"schedule":{{"every":"{every}"}},
        "retention":{{"last":{last},"hourly":0,"daily":0,"weekly":0,"monthly":0}}}}"#
    )
}

impl Fixture {
    pub(crate) fn new(seed: u64) -> Self {
        // Some applications have two clusters, and some clusters are captured in parts.
        let clusters: &[&str] = if seed % 4 == 1 {
            &["orders", "payments"]
        } else {
            &["orders"]
        };
        Self::with(seed, clusters, seed % 3 == 1, 1)
    }

    /// A simulation with one cluster that one job captures.
    pub(crate) fn small(seed: u64) -> Self {
        Self::with(seed, &["orders"], false, 1)
    }

    /// A simulation in which the primary environment becomes hostile. Retention keeps every recovery point.
    pub(crate) fn hostile(seed: u64) -> Self {
        let fixture = Self::with(seed, &["orders"], seed % 5 == 1, 10_000);
        fixture.shared.hostile.store(true, Ordering::Relaxed);
        fixture
    }

    fn with(seed: u64, clusters: &[&'static str], big: bool, last: u32) -> Self {
        let shared = Arc::new(Shared::new(seed));
        // The step is either minutes, or long enough for days in which retention deletes recovery points.
        let (step, every) = if shared.once_in(3) {
            (3600, "12h")
        } else {
            (150, "30m")
        };
        let fixture = Self {
            state: MemoryStore::new(),
            vault: MemoryStore::new(),
            primary: MemoryStore::new(),
            recovery: MemoryStore::new(),
            primary_dead: Arc::default(),
            ledger: Arc::default(),
            model: Model::default(),
            processes: Vec::new(),
            invocations: 0,
            requests: 0,
            step,
            clusters: clusters.to_vec(),
            big,
            answers: Arc::default(),
            shared,
        };
        block_on(
            fixture
                .state
                .put_new(&document_key(&shop()), document(every, clusters, last).into()),
        )
        .unwrap();
        fixture.register(Side::Primary);
        fixture.register(Side::Recovery);
        fixture
    }

    fn store(&self, side: Side) -> &MemoryStore {
        match side {
            Side::Primary => &self.primary,
            Side::Recovery => &self.recovery,
        }
    }

    fn register(&self, side: Side) {
        let environment = environment(side);
        let key = |pem: String| {
            Some(RegisteredKey {
                arn: Arn::parse("arn:aws:kms:eu-west-1:111111111111:key/1").unwrap(),
                public_key: pem,
            })
        };
        let registration = EnvironmentRegistration {
            format: 1,
            environment: environment.clone(),
            signing_key: (side == Side::Primary)
                .then(|| SIGNER.verifying_key().to_pem())
                .and_then(key),
            recovery_key: (side == Side::Recovery).then(|| RECIPIENT.to_pem()).and_then(key),
            version: "0.1.0".to_owned(),
            registered_at: self.shared.now(),
        };
        let delegate = DelegateRegistration {
            format: 1,
            application: shop(),
            function: Arn::function(&environment, "lifeboat-shop").unwrap(),
            role: Arn::parse("arn:aws:iam::111111111111:role/Lifeboat").unwrap(),
            key: None,
            environment,
            side,
            version: "0.1.0".to_owned(),
            registered_at: self.shared.now(),
        };
        let json = |value: serde_json::Value| Bytes::from(value.to_string());
        let own = json(serde_json::to_value(&registration).unwrap());
        block_on(self.store(side).put_new(&environment_key(), own)).unwrap();
        let own = json(serde_json::to_value(&delegate).unwrap());
        block_on(self.store(side).put_new(&delegate_key(&shop()), own)).unwrap();
    }

    fn bucket(&self, inner: &MemoryStore) -> Arc<dyn ObjectStore> {
        self.bucket_in(inner, Arc::default())
    }

    fn scratch(&self, side: Side) -> Arc<dyn ObjectStore> {
        match side {
            Side::Primary => self.bucket_in(&self.primary, Arc::clone(&self.primary_dead)),
            Side::Recovery => self.bucket(&self.recovery),
        }
    }

    fn bucket_in(&self, inner: &MemoryStore, dead: Arc<AtomicBool>) -> Arc<dyn ObjectStore> {
        Arc::new(Bucket {
            inner: inner.clone(),
            shared: Arc::clone(&self.shared),
            dead,
        })
    }

    fn ports(&self, skew: i64) -> Ports {
        let clock = Arc::new(Skewed {
            shared: Arc::clone(&self.shared),
            by: skew,
            stopped: None,
        });
        let (primary, recovery) = (self.scratch(Side::Primary), self.scratch(Side::Recovery));
        let here = environment(Side::Primary);
        let control = environment(Side::Recovery);
        Ports {
            state: self.bucket(&self.state),
            vault: self.bucket(&self.vault),
            scratch: Box::new(move |environment| {
                Arc::clone(if *environment == here { &primary } else { &recovery })
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

    fn start(&mut self, task: Task, ends: i64) {
        self.processes.push(Process {
            task,
            ends,
            asleep: false,
        });
    }

    fn start_coordinator(&mut self, requests: Vec<Request>) {
        let skew = if self.shared.chaos.load(Ordering::Relaxed) {
            self.shared.below(60) as i64 - 30
        } else {
            0
        };
        let ports = self.ports(skew);
        let answers = Arc::clone(&self.answers);
        let until = ports.clock.now() + SignedDuration::from_secs(50);
        let task = async move {
            if let Ok(report) = tick(&ports, &shop(), &requests, until).await {
                answers
                    .lock()
                    .unwrap()
                    .extend(requests.into_iter().zip(report.answers));
            }
        };
        self.start(Box::pin(task), self.shared.seconds() + LIMIT);
    }

    fn start_delegate(&mut self, side: Side) {
        if side == Side::Primary && self.primary_dead.load(Ordering::Relaxed) {
            return;
        }
        self.invocations += 1;
        let skew = if self.shared.chaos.load(Ordering::Relaxed) {
            self.shared.below(40) as i64 - 20
        } else {
            0
        };
        // Some processes have a stopped clock, so that they outlive their deadline, and half of these see a
        // job's folder as it was when they claimed the job.
        let zombie = self.shared.fault(8);
        let ends = self.shared.seconds() + LIMIT + if zombie { 1500 } else { 0 };
        let bucket = self.scratch(side);
        let store = match zombie && self.shared.once_in(2) {
            true => Arc::new(StaleListings::new(bucket)),
            false => bucket,
        };
        let delegate = Delegate {
            shared: Arc::clone(&self.shared),
            store,
            application: shop(),
            environment: environment(side),
            clock: Skewed {
                by: skew,
                stopped: zombie.then(|| self.shared.now()),
                shared: Arc::clone(&self.shared),
            },
            stuck: zombie || self.shared.fault(10),
            invocation: format!("i-{}", self.invocations),
            ledger: Arc::clone(&self.ledger),
            big: self.big,
        };
        self.start(Box::pin(delegate.run()), ends);
    }

    /// Runs every process until all wait for time to pass. Each may die at any step.
    fn settle(&mut self) {
        loop {
            let awake: Vec<usize> = (0..self.processes.len())
                .filter(|at| !self.processes[*at].asleep)
                .collect();
            if awake.is_empty() {
                break;
            }
            let at = awake[self.shared.below(awake.len() as u64) as usize];
            let process = &mut self.processes[at];
            let ready = process
                .task
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_ready();
            process.asleep = self.shared.take_asleep();
            if ready || self.shared.fault(400) {
                drop(self.processes.swap_remove(at));
            }
            self.look();
        }
    }

    /// Advances the time; processes whose invocation ends meanwhile are removed.
    fn advance_to(&mut self, seconds: i64) {
        self.shared.advance_to(seconds);
        self.processes.retain(|process| process.ends > seconds);
        for process in &mut self.processes {
            process.asleep = false;
        }
    }

    fn look(&mut self) {
        let Ok((bytes, _)) = block_on(self.state.get(&state_key(&shop()))) else {
            return;
        };
        self.model.see(&bytes, self.shared.now());
    }

    /// Advances the time by one step: events and ticks start processes, and waiting ones continue.
    pub(crate) fn pass(&mut self, seconds: i64) {
        let end = self.shared.seconds() + seconds;
        self.tick_all();
        while self.shared.seconds() < end {
            self.settle();
            self.advance_to((self.shared.seconds() + seconds.min(60)).min(end));
        }
        self.settle();
    }

    fn tick_all(&mut self) {
        let chaos = self.shared.chaos.load(Ordering::Relaxed);
        for _ in 0..=u64::from(chaos) * self.shared.below(2) {
            if !self.shared.fault(6) {
                self.start_coordinator(Vec::new());
            }
        }
        for side in [Side::Primary, Side::Recovery] {
            for _ in 0..=u64::from(chaos) * self.shared.below(2) {
                if !self.shared.fault(6) {
                    self.start_delegate(side);
                }
            }
        }
    }

    pub(crate) fn ask(&mut self) {
        let token = |number: u64| Some(RequestToken::parse(format!("t-{number}")).unwrap());
        self.requests += 1;
        let request = match self.shared.below(6) {
            0 => Request::Backup(BackupRequest {
                application: shop(),
                token: token(self.requests),
            }),
            1 => Request::Cancel(CancelRequest {
                application: shop(),
                restore: token(self.shared.below(self.requests) + 1).filter(|_| self.shared.once_in(2)),
                token: token(self.requests),
            }),
            _ => Request::Restore(RestoreRequest {
                application: shop(),
                point: "latest".to_owned(),
                cluster: None,
                into: None,
                options: serde_json::Map::new(),
                token: token(self.requests),
            }),
        };
        // A user who gets no response repeats the request.
        for _ in 0..=self.shared.below(2) {
            self.start_coordinator(vec![request.clone()]);
        }
    }

    pub(crate) fn run_chaos(&mut self) {
        let steps = if self.is_coarse() { 30 } else { 16 };
        for _ in 0..steps {
            if self.shared.once_in(8) {
                self.ask();
            }
            if self.shared.once_in(20) {
                let mut ledger = self.ledger.lock().unwrap();
                ledger.closed = !ledger.closed;
            }
            if self.shared.once_in(25) {
                self.primary_dead.fetch_xor(true, Ordering::Relaxed);
            }
            self.pass(self.step);
        }
    }

    /// Runs with faults, then without; in the end all work must be complete.
    pub(crate) fn run(mut self) {
        self.run_chaos();
        self.shared.chaos.store(false, Ordering::Relaxed);
        self.ledger.lock().unwrap().closed = false;
        self.primary_dead.store(false, Ordering::Relaxed);
        let started = self.model.started();
        let calm = if self.is_coarse() { self.step * 20 } else { 80 * 60 };
        let end = self.shared.seconds() + calm;
        while self.shared.seconds() < end {
            self.pass(self.step);
        }
        crate::model::check_end(&mut self, started);
    }

    pub(crate) fn now_state(&self) -> State {
        let (bytes, _) = block_on(self.state.get(&state_key(&shop()))).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Returns whether a step of this simulation is an hour.
    pub(crate) fn is_coarse(&self) -> bool {
        self.step > 150
    }

    /// Returns every key of every bucket, which shows the names of recovery points and jobs, the epochs, and
    /// what was kept.
    pub(crate) fn keys(&self) -> Vec<String> {
        [&self.state, &self.vault, &self.primary, &self.recovery]
            .into_iter()
            .flat_map(|store| store.contents().into_keys())
            .collect()
    }

    /// Runs without faults, with each delegate started by its event, and returns the number of coordinator
    /// ticks until the first recovery point is in the vault.
    pub(crate) fn ticks_to_first_point(&mut self) -> u32 {
        self.shared.chaos.store(false, Ordering::Relaxed);
        for ticks in 1..10 {
            self.start_coordinator(Vec::new());
            self.settle();
            if self
                .vault
                .contents()
                .keys()
                .any(|key| key.ends_with("/manifest.json"))
            {
                return ticks;
            }
            self.start_delegate(Side::Primary);
            for _ in 0..15 {
                self.settle();
                self.advance_to(self.shared.seconds() + 60);
            }
        }
        panic!("no point came into the vault since {START}");
    }

    /// Runs without other faults; returns the end of a restore that is requested when the primary Region no longer
    /// answers.
    pub(crate) fn restore_without_primary(&mut self) -> RestoreState {
        self.ticks_to_first_point();
        self.primary_dead.store(true, Ordering::Relaxed);
        self.restore("latest", "bad-day")
    }

    /// Requests a restore, and returns how it ends. Events of the recovery environment are delivered.
    pub(crate) fn restore(&mut self, point: &str, token: &str) -> RestoreState {
        let token = RequestToken::parse(token).unwrap();
        let request = Request::Restore(RestoreRequest {
            application: shop(),
            point: point.to_owned(),
            cluster: None,
            into: None,
            options: serde_json::Map::new(),
            token: Some(token.clone()),
        });
        self.start_coordinator(vec![request]);
        for _ in 0..3000 {
            self.settle();
            self.advance_to(self.shared.seconds() + 10);
            self.settle();
            let state = self.now_state();
            let end =
                (state.restores.iter().filter(|run| run.token == token)).find_map(|run| run.end.clone());
            if let Some(end) = end {
                return end.state;
            }
            self.start_coordinator(Vec::new());
            self.start_delegate(Side::Recovery);
        }
        panic!("the restore did not end: {:?}", self.now_state().restores);
    }
}

/// Returns the fingerprint that every run must have pinned.
pub(crate) fn signer() -> Fingerprint {
    SIGNER.fingerprint()
}
