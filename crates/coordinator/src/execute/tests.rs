#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::executor::block_on;
use lifeboat_filesystem::PemSigner;
use lifeboat_format::Sha256;
use lifeboat_jobs::VaultPlace;
use lifeboat_model::EnvironmentId;
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::metered::MeteredStore;
use lifeboat_store::ports::{Clock, Randomness, Timer};

use super::*;
use crate::ports::Notifier;
use crate::sign::AssignmentKey;
use crate::state::Notice;

/// A clock that advances by a second with each reading, from the day on which the fixtures were made.
#[derive(Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        let day: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        day + jiff::SignedDuration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[async_trait]
impl Timer for Ticking {
    async fn sleep(&self, _: Duration) {}
}

impl Randomness for Ticking {
    fn random(&self, _: &mut [u8]) {}
}

#[async_trait]
impl Notifier for Ticking {
    async fn notify(&self, _: &Notice) -> bool {
        true
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recovery-point/tests/fixtures")
}

/// The recovery point of the fixtures in the captures of a scratch bucket, and an empty vault.
struct Scene {
    ports: Ports,
    captures: MemoryStore,
    vault: MeteredStore,
    application: ApplicationName,
    point: RecoveryPointId,
    signer: String,
}

impl Scene {
    fn new() -> Self {
        Self::of("point-v3/store")
    }

    fn of(folder: &str) -> Self {
        let (captures, vault) = (MemoryStore::new(), MeteredStore::default());
        let root = fixtures().join(folder);
        let mut folders = vec![root.clone()];
        let mut point = None;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let key = ObjectKey::parse(format!("{CAPTURES}{name}")).unwrap();
                block_on(captures.put_new(&key, std::fs::read(&path).unwrap().into())).unwrap();
                point = point.or_else(|| RecoveryPointId::parse(name.split('/').nth(2)?).ok());
            }
        }
        let clock = Arc::new(Ticking::default());
        let signer = PemSigner::load(&fixtures().join("point-v1/keys/signing.key.pem")).unwrap();
        let scratch = captures.clone();
        let ports = Ports {
            state: Arc::new(MemoryStore::new()),
            vault: Arc::new(vault.clone()),
            scratch: Box::new(move |_| Arc::new(scratch.clone())),
            vault_place: VaultPlace {
                bucket: "vault".to_owned(),
                owner: "222222222222".parse().unwrap(),
                region: "eu-central-1".parse().unwrap(),
                prefix: String::new(),
            },
            timer: Arc::clone(&clock) as _,
            ids: Arc::clone(&clock) as _,
            verification: Verification::default(),
            assignment_key: Arc::new(AssignmentKey::opened(Arc::new(signer))),
            notifier: Arc::clone(&clock) as _,
            clock,
        };
        Self {
            ports,
            captures,
            vault,
            application: ApplicationName::parse("shop").unwrap(),
            point: point.unwrap(),
            signer: std::fs::read_to_string(fixtures().join("point-v1/keys/signing.pub.pem")).unwrap(),
        }
    }

    /// Executes an action with a number of seconds, which are readings of the clock.
    fn execute(&self, action: &Action, seconds: i64) -> Option<ActionOutcome> {
        let until = self.ports.clock.now() + jiff::SignedDuration::from_secs(seconds);
        block_on(execute(&self.ports, &self.application, action, until)).unwrap()
    }

    fn copy(&self, seconds: i64) -> Option<ActionOutcome> {
        self.copy_with(Timestamp::MAX, seconds)
    }

    fn copy_with(&self, lease: Timestamp, seconds: i64) -> Option<ActionOutcome> {
        let manifest = manifest_key(&self.application, &self.point);
        let manifest = ObjectKey::parse(format!("{CAPTURES}{manifest}")).unwrap();
        let (bytes, _) = block_on(self.captures.get(&manifest)).unwrap();
        let action = Action::VaultPoint {
            environment: EnvironmentId::parse("111111111111-eu-west-1").unwrap(),
            point: self.point.clone(),
            manifest: Sha256::of(&bytes),
            signer: self.signer.clone(),
            started: "2026-11-21T10:00:00Z".parse().unwrap(),
            until: lease,
        };
        self.execute(&action, seconds)
    }

    fn verify(&self, seconds: i64) -> Option<ActionOutcome> {
        let action = Action::VerifyVault {
            point: self.point.clone(),
            signer: self.signer.clone(),
        };
        self.execute(&action, seconds)
    }

    fn vaulted(&self) -> usize {
        self.vault.inner().contents().len()
    }
}

#[test]
fn a_copy_that_was_made_is_not_read_again_to_be_believed() {
    let scene = Scene::new();
    assert_eq!(scene.copy(1000), None);
    assert_eq!(scene.vaulted(), scene.captures.contents().len());
    assert_eq!(scene.copy(1000), None, "a copy may be repeated");
    let reads = scene.vault.take_reads();
    let packs = reads
        .iter()
        .filter(|read| read.key.ends_with(".pack") && read.bytes > 0);
    assert_eq!(packs.count(), 0);
}

#[test]
fn a_copy_whose_time_is_up_is_continued_and_ends() {
    let scene = Scene::new();
    let mut tries = 0;
    while scene.copy(12).is_some() {
        tries += 1;
        assert!(tries < 100, "it never ends: {} files", scene.vaulted());
    }
    assert!(tries > 0, "one try was enough");
    assert_eq!(scene.vaulted(), scene.captures.contents().len());
}

#[test]
fn a_copy_ends_with_its_lease() {
    let scene = Scene::new();
    let lease = "2026-11-21T12:00:05Z".parse().unwrap();
    let point = scene.point.clone();
    assert_eq!(
        scene.copy_with(lease, 1000),
        Some(ActionOutcome::VaultUnfinished { point })
    );
    assert_eq!(scene.copy(1000), None);
}

/// The keys of former formats are not bound to an application.
#[test]
fn a_capture_in_a_former_format_is_refused() {
    let scene = Scene::of("point-v2/store");
    let refused = scene.copy(1000);
    let Some(ActionOutcome::VaultFailed { problem, retry, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(!retry && problem.message.contains("version 2"), "{problem:?}");
    assert_eq!(scene.vaulted(), 0);
}

#[test]
fn a_file_in_the_vault_that_is_another_one_is_replaced() {
    let scene = Scene::new();
    assert_eq!(scene.copy(1000), None);
    let contents = scene.vault.inner().contents();
    let (name, right) = contents.iter().find(|(key, _)| key.ends_with(".pack")).unwrap();
    let key = ObjectKey::parse(name.as_str()).unwrap();
    scene.vault.inner().overwrite(&key, vec![0; right.len()].into());
    assert_eq!(scene.copy(1000), None);
    assert_eq!(scene.vault.inner().contents(), contents);
}

#[test]
fn a_verification_whose_time_is_up_goes_on_where_it_stopped() {
    let scene = Scene::new();
    scene.copy(1000);
    let mut tries = 0;
    let verified = loop {
        tries += 1;
        assert!(tries < 100, "it never ends");
        if let Some(verified) = scene.verify(3) {
            break verified;
        }
    };
    assert!(tries > 1, "one try was enough");
    let damaged = None;
    let point = scene.point.clone();
    assert_eq!(verified, ActionOutcome::Verified { point, damaged });
    // Damage is found, and the next verification begins at the front.
    let contents = scene.vault.inner().contents();
    let (name, right) = contents.iter().find(|(key, _)| key.ends_with(".pack")).unwrap();
    let key = ObjectKey::parse(name.as_str()).unwrap();
    scene.vault.inner().overwrite(&key, vec![0; right.len()].into());
    let found = scene.verify(1000);
    assert!(
        matches!(found, Some(ActionOutcome::Verified { damaged: Some(_), .. })),
        "{found:?}"
    );
}

#[test]
fn what_is_left_of_a_deletion_at_its_deadline_is_deleted_later() {
    let scene = Scene::new();
    scene.copy(1000);
    let action = Action::ExpirePoint {
        point: scene.point.clone(),
    };
    let before = scene.vaulted();
    scene.execute(&action, 3);
    let left = scene.vaulted();
    assert!(0 < left && left < before, "{left} of {before}");
    let manifest = manifest_key(&scene.application, &scene.point);
    assert!(
        !scene.vault.inner().contents().contains_key(manifest.as_str()),
        "it goes first"
    );
    while scene.vaulted() > 0 {
        scene.execute(&action, 3);
    }
}
