//! Measures a tick of the coordinator with ten recovery points and with as many as one a minute makes in a year, and
//! prints both as JSON. `make bench` runs it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use lifeboat_coordinator::execute::Verification;
use lifeboat_coordinator::ports::{Notifier, Ports};
use lifeboat_coordinator::sign::AssignmentKey;
use lifeboat_coordinator::state::{Notice, PointEntry, State};
use lifeboat_coordinator::{document_key, state_key, tick};
use lifeboat_filesystem::PemSigner;
use lifeboat_format::manifest::Completeness;
use lifeboat_jobs::VaultPlace;
use lifeboat_model::{ApplicationName, ObjectKey, RecoveryPointId};
use lifeboat_recovery_point::layout::manifest_key;
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{Clock, ETag, Listed, ObjectInfo, ObjectStore, StoreError, Upload};
use lifeboat_system::{SystemClock, SystemRandomness};

/// The duration of each request to a bucket. S3 takes longer in the same Region.
const REQUEST: Duration = Duration::from_millis(5);

/// The number of recovery points that are added between two ticks while a catalogue is made.
const CHUNK: usize = 2_000;

/// The number of measured ticks, one a minute: enough that the archive is swept several times.
const TICKS: usize = 60;

/// The milliseconds of an idle tick, as the benchmark reads them.
#[derive(serde::Serialize)]
struct Figures {
    tick_ms_10_points: f64,
    tick_ms_500k_points: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (few, many) = (Catalogue::new(10).await?, Catalogue::new(500_000).await?);
    let (mut few_took, mut many_took) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..TICKS {
        few_took += few.tick().await?;
        many_took += many.tick().await?;
    }
    let ms = |took: Duration| took.as_secs_f64() * 1000.0 / TICKS as f64;
    let figures = Figures {
        tick_ms_10_points: ms(few_took),
        tick_ms_500k_points: ms(many_took),
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

struct Catalogue {
    ports: Ports,
    clock: Arc<Minutes>,
    name: ApplicationName,
}

impl Catalogue {
    async fn new(points: usize) -> Result<Self> {
        let (state, vault) = (MemoryStore::new(), MemoryStore::new());
        let name = ApplicationName::parse("shop")?;
        let document = format!(
            r#"{{"format":1,"name":"shop","primary":{{"account":"111111111111","region":"eu-west-1"}},
            "recovery":{{"account":"222222222222","region":"eu-central-1"}},
            "clusters":[{{"name":"orders","restoreInto":"orders-dr"}}],"schedule":{{"every":"1d"}},
            "retention":{{"last":{}}}}}"#,
            u32::MAX
        );
        state.put_new(&document_key(&name), document.into()).await?;
        let begin: Timestamp = "2025-11-29T00:00:00Z".parse()?;
        let clock = Arc::new(Minutes(Mutex::new(begin)));
        let measured = Arc::new(AtomicBool::new(false));
        let catalogue = Self {
            ports: ports(&state, &vault, &clock, &measured),
            clock,
            name,
        };
        catalogue.run().await?;
        let ids: Vec<usize> = (0..points).collect();
        for chunk in ids.chunks(CHUNK) {
            let key = state_key(&catalogue.name);
            let (bytes, tag) = state.get(&key).await?;
            let mut document: State = serde_json::from_slice(&bytes)?;
            for number in chunk {
                let at = begin.checked_add(SignedDuration::from_mins(i64::try_from(*number)?))?;
                let id = RecoveryPointId::new(&at.strftime("%Y%m%dT%H%M%SZ").to_string(), [0, 0, 1])?;
                vault
                    .put_new(&manifest_key(&catalogue.name, &id), Bytes::from_static(b"{}"))
                    .await?;
                document.points.insert(id, entry(at, *number));
                document.next_order = *number as u64 + 2;
                *catalogue.clock.0.lock().expect("no panic while it is held") = at;
            }
            state
                .replace(&key, &tag, serde_json::to_vec(&document)?.into())
                .await?;
            catalogue.run().await?;
        }
        let (bytes, _) = state.get(&state_key(&catalogue.name)).await?;
        let document: State = serde_json::from_slice(&bytes)?;
        let archived: u64 = document.archive.iter().map(|record| record.points).sum();
        ensure!(
            archived + document.points.len() as u64 == points as u64,
            "the catalogue has {archived} archived points and {} others",
            document.points.len()
        );
        measured.store(true, Ordering::Relaxed);
        Ok(catalogue)
    }

    async fn run(&self) -> Result<()> {
        tick(&self.ports, &self.name, &[], Timestamp::MAX)
            .await
            .map(drop)
            .context("tick")
    }

    /// Runs a tick a minute later; returns its duration.
    async fn tick(&self) -> Result<Duration> {
        self.clock.step();
        let begin = Instant::now();
        self.run().await?;
        Ok(begin.elapsed())
    }
}

fn entry(at: Timestamp, number: usize) -> PointEntry {
    PointEntry {
        created_at: at,
        order: number as u64 + 1,
        signer: None,
        completeness: Completeness::Complete,
        objects: 1_000,
        bytes: 1_000_000,
        clusters: Vec::new(),
        vaulted_at: at,
        // Never due, so that no tick verifies a recovery point.
        verified_at: "2999-01-01T00:00:00Z".parse().expect("it is a time"),
        damaged: None,
        kept_by: BTreeSet::new(),
    }
}

fn ports(
    state: &MemoryStore,
    vault: &MemoryStore,
    clock: &Arc<Minutes>,
    measured: &Arc<AtomicBool>,
) -> Ports {
    let scratch: Arc<dyn ObjectStore> = Arc::new(Slow(MemoryStore::new(), Arc::clone(measured)));
    let key = "../recovery-point/tests/fixtures/point-v1/keys/signing.key.pem";
    let signer =
        PemSigner::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(key)).expect("the fixture is a key");
    Ports {
        state: Arc::new(Slow(state.clone(), Arc::clone(measured))),
        vault: Arc::new(Slow(vault.clone(), Arc::clone(measured))),
        scratch: Box::new(move |_| Arc::clone(&scratch)),
        vault_place: VaultPlace {
            bucket: "lifeboat-vault-222222222222-eu-central-1".to_owned(),
            owner: "222222222222".parse().expect("it is an account"),
            region: "eu-central-1".parse().expect("it is a Region"),
            prefix: String::new(),
        },
        clock: Arc::clone(clock) as _,
        timer: Arc::new(SystemClock),
        ids: Arc::new(SystemRandomness),
        assignment_key: Arc::new(AssignmentKey::opened(Arc::new(signer))),
        verification: Verification::default(),
        notifier: Arc::new(Silent),
    }
}

struct Minutes(Mutex<Timestamp>);

impl Minutes {
    fn step(&self) {
        let mut now = self.0.lock().expect("no panic while it is held");
        *now += SignedDuration::from_mins(1);
    }
}

impl Clock for Minutes {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no panic while it is held")
    }
}

struct Silent;

#[async_trait]
impl Notifier for Silent {
    async fn notify(&self, _: &Notice) -> bool {
        true
    }
}

/// A store whose requests each take [`REQUEST`] while ticks are measured.
struct Slow(MemoryStore, Arc<AtomicBool>);

impl Slow {
    async fn wait(&self) {
        if self.1.load(Ordering::Relaxed) {
            lifeboat_system::sleep(REQUEST).await;
        }
    }
}

#[async_trait]
impl ObjectStore for Slow {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        self.wait().await;
        self.0.put_new(key, bytes).await
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        self.wait().await;
        self.0.replace(key, expected, bytes).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        self.wait().await;
        self.0.get(key).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.wait().await;
        self.0.get_range(key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        self.wait().await;
        self.0.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.wait().await;
        self.0.list(prefix, after, limit).await
    }

    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.wait().await;
        self.0.list_folders_after(prefix, after, limit).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.wait().await;
        self.0.delete(key).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        self.0.upload(key).await
    }
}
