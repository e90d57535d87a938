//! A backup that is killed at each call to the store.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use lifeboat_filesystem::FolderStore;
use lifeboat_recovery_point::{PointState, Removed};
use lifeboat_store::failing::{FailingStore, Fault, Moment};
use lifeboat_store::memory::{MemoryLock, MemoryStore};
use lifeboat_store::ports::{ObjectStore, RunLock};
use lifeboat_system::SystemClock;
use tempfile::TempDir;

use crate::sample::*;

/// A kind of store that can be copied, inspected and locked.
trait Fixture {
    fn store(&self) -> Arc<dyn ObjectStore>;
    fn failing(&self, fault: Fault) -> (Arc<dyn ObjectStore>, Box<dyn Fn() -> bool>);
    fn lock(&self) -> Box<dyn RunLock>;
    /// Returns all files, including hidden ones but not lock files.
    fn files(&self) -> BTreeMap<String, Vec<u8>>;
    fn copy(&self) -> Self;
}

fn failing<S: ObjectStore + 'static>(
    inner: S,
    fault: Fault,
) -> (Arc<dyn ObjectStore>, Box<dyn Fn() -> bool>) {
    let store = Arc::new(FailingStore::new(inner, fault));
    let watched = Arc::clone(&store);
    (store, Box::new(move || watched.is_crashed()))
}

struct Memory(MemoryStore);

impl Fixture for Memory {
    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.0.clone())
    }

    fn failing(&self, fault: Fault) -> (Arc<dyn ObjectStore>, Box<dyn Fn() -> bool>) {
        failing(self.0.clone(), fault)
    }

    fn lock(&self) -> Box<dyn RunLock> {
        Box::new(MemoryLock::new(shop()))
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let contents = self.0.contents();
        contents.into_iter().map(|(k, v)| (k, v.to_vec())).collect()
    }

    fn copy(&self) -> Self {
        let copy = MemoryStore::new();
        for (key, bytes) in self.0.contents() {
            copy.overwrite(&lifeboat_model::ObjectKey::parse(key).unwrap(), bytes);
        }
        Self(copy)
    }
}

struct Folder(TempDir);

impl Folder {
    fn open(&self) -> FolderStore {
        FolderStore::open(self.0.path()).unwrap()
    }
}

impl Fixture for Folder {
    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.open())
    }

    fn failing(&self, fault: Fault) -> (Arc<dyn ObjectStore>, Box<dyn Fn() -> bool>) {
        failing(self.open(), fault)
    }

    fn lock(&self) -> Box<dyn RunLock> {
        Box::new(run(self.open().lock(&shop(), &SystemClock)).unwrap())
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        read_all(self.0.path(), "", &mut files);
        files.retain(|name, _| !name.ends_with("lock"));
        files
    }

    fn copy(&self) -> Self {
        let copy = TempDir::new().unwrap();
        for (name, bytes) in self.files() {
            let path = copy.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Self(copy)
    }
}

fn read_all(folder: &Path, base: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{base}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_all(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

/// Returns the names of a recovery point's files.
fn names_of(point: &str) -> Vec<String> {
    let files = [
        "eu/i-0000.pack",
        "eu/i-0001.pack",
        "eu/p-0000.pack",
        "eu/p-0001.pack",
        "manifest.json",
    ];
    files
        .iter()
        .map(|file| format!("shop/points/{point}/{file}"))
        .collect()
}

fn killed_at_every_call<W: Fixture>(empty: &W) {
    run(backup(&empty.store(), OLDER)).unwrap();
    let before = empty.files();
    for moment in Moment::ALL {
        let mut call = 0;
        loop {
            let at = format!("{moment:?} call {call}");
            let fixture = empty.copy();
            let (store, died) = fixture.failing(Fault::at(call, moment));
            let result = run(backup(&store, NEWER));
            drop(store);
            if !died() {
                result.unwrap();
                // For each of two packs with its index: two uploads begun, four pieces, two finished; then
                // the manifest.
                assert_eq!(call, 17);
                break;
            }
            result.unwrap_err();
            check_after_death(&fixture, &before, &at);
            call += 1;
        }
    }
}

fn check_after_death<W: Fixture>(fixture: &W, before: &BTreeMap<String, Vec<u8>>, at: &str) {
    let store = fixture.store();
    // The earlier recovery point is unchanged, and nothing incomplete is visible.
    let files = fixture.files();
    for (name, bytes) in before {
        assert!(files.get(name) == Some(bytes), "{at}: {name} changed");
    }
    run(assert_whole(&store, OLDER));
    let points = run(vault(&store).points(&verifying())).unwrap();
    let ids: Vec<&str> = points.iter().map(|p| p.point.as_str()).collect();
    assert!(ids == [OLDER] || ids == [OLDER, NEWER], "{at}: {ids:?}");
    for summary in &points {
        assert!(
            matches!(summary.state, PointState::Signed { .. }),
            "{at}: {summary:?}"
        );
    }
    let sealed = ids.len() == 2;
    if sealed {
        run(assert_whole(&store, NEWER));
    }

    // The next run cleans up and leaves exactly the files of complete recovery points.
    let lock = fixture.lock();
    run(vault(&store).prune_incomplete(lock.as_ref())).unwrap();
    run(backup(&store, NEXT)).unwrap();
    run(assert_whole(&store, NEXT));
    let mut expected = names_of(OLDER);
    if sealed {
        expected.extend(names_of(NEWER));
    }
    expected.extend(names_of(NEXT));
    let left: Vec<String> = fixture.files().into_keys().collect();
    assert_eq!(left, expected, "{at}");
    let again = run(vault(&store).prune_incomplete(lock.as_ref())).unwrap();
    assert_eq!(again, Removed::default(), "{at}");
}

#[test]
fn a_backup_killed_at_any_call_harms_nothing_in_memory() {
    killed_at_every_call(&Memory(MemoryStore::new()));
}

#[test]
fn a_backup_killed_at_any_call_harms_nothing_in_a_folder() {
    killed_at_every_call(&Folder(TempDir::new().unwrap()));
}

#[test]
fn a_clean_up_killed_at_any_call_is_finished_by_the_next() {
    let fixture = Memory(MemoryStore::new());
    run(backup(&fixture.store(), OLDER)).unwrap();
    let clean = fixture.files();
    run(capture(&fixture.store(), NEWER, "eu")).unwrap();
    for moment in Moment::ALL {
        for call in 0.. {
            let copy = fixture.copy();
            let (store, died) = copy.failing(Fault::at(call, moment));
            let result = run(vault(&store).prune_incomplete(copy.lock().as_ref()));
            if !died() {
                assert_eq!((result.unwrap().files, call), (4, 4));
                break;
            }
            result.unwrap_err();
            run(vault(&copy.store()).prune_incomplete(copy.lock().as_ref())).unwrap();
            assert!(copy.files() == clean, "{moment:?} call {call}");
        }
    }
}
