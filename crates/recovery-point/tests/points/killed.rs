//! A backup to a folder whose process is killed at arbitrary moments.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lifeboat_filesystem::FolderStore;
use lifeboat_recovery_point::layout::new_point_id;
use lifeboat_store::ports::{ObjectStore, Randomness};
use lifeboat_system::{SystemClock, SystemRandomness};
use tempfile::TempDir;

use crate::sample::*;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

fn open(folder: &Path) -> (FolderStore, Arc<dyn ObjectStore>) {
    let store = FolderStore::open(folder).unwrap();
    (store.clone(), Arc::new(store))
}

/// Runs in a separate process that the test below starts, with the store as its working directory.
#[test]
#[ignore = "a part of a_backup_killed_at_random_moments_harms_nothing"]
fn back_up_until_killed() {
    let (folder, store) = open(Path::new("."));
    run(async {
        let lock = folder.lock(&shop(), &SystemClock).await.unwrap();
        vault(&store).prune_incomplete(&lock).await.unwrap();
        println!("\nbegins");
        loop {
            let id = new_point_id(&SystemClock, &SystemRandomness);
            backup(&store, id.as_str()).await.unwrap();
        }
    });
}

#[test]
fn a_backup_killed_at_random_moments_harms_nothing() {
    let folder = TempDir::new().unwrap();
    let mut whole = Vec::new();
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "killed::back_up_until_killed",
                "--ignored",
                "--nocapture",
            ])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap() == "begins"),
            "round {round}: the child works"
        );
        let mut random = [0];
        SystemRandomness.random(&mut random);
        std::thread::sleep(Duration::from_millis(u64::from(random[0] / 4)));
        child.kill().unwrap();
        child.wait().unwrap();

        let (_, store) = open(folder.path());
        let ids = run(vault(&store).ids()).unwrap();
        assert!(
            whole.iter().all(|id| ids.contains(id)),
            "round {round}: a point is lost"
        );
        for id in ids.iter().filter(|id| !whole.contains(id)) {
            run(assert_whole(&store, id.as_str()));
        }
        whole = ids;
    }
    // The next clean-up removes the leftover files of the last run, and every recovery point has its five
    // files.
    let (folder, store) = open(folder.path());
    run(async {
        let lock = folder.lock(&shop(), &SystemClock).await.unwrap();
        vault(&store).prune_incomplete(&lock).await.unwrap();
        let files = store.list("", None, 100_000).await.unwrap();
        assert_eq!(files.len(), 5 * whole.len());
        for id in &whole {
            assert_whole(&store, id.as_str()).await;
        }
    });
    assert!(!folder.root().join("shop/.tmp").exists());
}
