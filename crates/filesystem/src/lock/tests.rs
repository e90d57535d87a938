#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use lifeboat_model::ObjectKey;
use lifeboat_store::ports::ObjectStore;
use tempfile::TempDir;

use crate::lock::*;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

fn name(text: &str) -> ApplicationName {
    ApplicationName::parse(text).unwrap()
}

fn lock(folder: &Path, application: &str) -> Result<FolderLock, LockError> {
    let store = FolderStore::open(folder).unwrap();
    wait(store.lock(&name(application), &FixedClock))
}

#[test]
fn a_second_run_learns_who_holds_the_application() {
    let folder = TempDir::new().unwrap();
    let held = lock(folder.path(), "shop").unwrap();
    assert_eq!(*held.application(), name("shop"));
    let error = lock(folder.path(), "shop").unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        (Code::StoreBusy, ErrorKind::Conflict)
    );
    let pid = std::process::id();
    assert_eq!(
        error.to_string(),
        format!("lock application shop: process {pid} has held the lock since 2026-11-21T12:00:00Z")
    );
    assert!(error.problem().guidance.contains(&pid.to_string()));
    let _other = lock(folder.path(), "zoo").unwrap();
    drop(held);
    lock(folder.path(), "shop").unwrap();
}

#[test]
fn a_lock_is_never_listed() {
    let folder = TempDir::new().unwrap();
    let _held = lock(folder.path(), "shop").unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    assert!(wait(store.list("", None, 10)).unwrap().is_empty());
    assert!(wait(store.list_folders("")).unwrap().is_empty());
}

#[test]
fn a_lock_does_not_make_a_store() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("store");
    let store = FolderStore::create(&root).unwrap();
    fs::remove_dir(&root).unwrap();
    wait(store.lock(&name("shop"), &FixedClock)).unwrap_err();
    assert!(!root.exists());
}

/// Runs in a separate process that the test below starts, with the store as its working directory.
#[test]
#[ignore = "a part of a_killed_process_leaves_neither_lock_nor_remains"]
fn hold_until_killed() {
    let store = FolderStore::open(".").unwrap();
    let _held = wait(store.lock(&name("shop"), &FixedClock)).unwrap();
    let key = ObjectKey::parse("shop/points/1/p.pack").unwrap();
    let mut upload = wait(store.upload(&key)).unwrap();
    wait(upload.write(Bytes::from_static(b"half"))).unwrap();
    println!("\nheld by {}", std::process::id());
    let mut end = String::new();
    std::io::stdin().read_line(&mut end).unwrap();
}

#[test]
fn a_killed_process_leaves_neither_lock_nor_remains() {
    let folder = TempDir::new().unwrap();
    let temporary = folder.path().join("shop/.tmp");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "lock::tests::hold_until_killed",
            "--ignored",
            "--nocapture",
        ])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let held = format!("held by {}", child.id());
    assert!(
        lines.map_while(Result::ok).any(|line| line == held),
        "the child holds the lock"
    );
    let error = lock(folder.path(), "shop").unwrap_err();
    assert!(
        error.to_string().contains(&format!("process {}", child.id())),
        "{error}"
    );
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);

    child.kill().unwrap();
    child.wait().unwrap();
    let _held = lock(folder.path(), "shop").unwrap();
    assert!(!temporary.exists());
}
