//! Clusters, processes and random times for the tests.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use lifeboat_local::{Cluster, ClusterOptions};
use lifeboat_tests::bench::floor::Bare;
use lifeboat_tests::bench::objects::{prerequisites, samples};
use lifeboat_tests::environment::pause;
use lifeboat_tests::snapshot::http::Http;
use lifeboat_tests::snapshot::{Key, Snapshot};
use lifeboat_tests::workspace::Workspace;
use tokio::runtime::Runtime;

/// The longest wait in these tests; a test that takes longer fails as stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts a cluster in which no object changes by itself, and waits until its API server has
/// created its own objects.
pub(crate) fn bare(name: &str) -> Cluster {
    let cluster = Cluster::start(ClusterOptions::named(name)).unwrap();
    lifeboat_local::wait_until_quiet(&cluster, PATIENCE).unwrap();
    cluster
}

/// Returns the path of a cluster's kubeconfig as an argument.
pub(crate) fn kubeconfig(cluster: &Cluster) -> String {
    cluster.kubeconfig().to_string_lossy().into_owned()
}

/// Waits for a future. All futures share one runtime, because a connection belongs to the runtime that created it.
pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(future)
}

/// Creates mixed objects, as the benchmark does: several types, sizes and field owners.
pub(crate) fn fill(cluster: &Cluster, objects: usize) {
    block(async {
        let client = Bare::connect(cluster.kubeconfig()).await.unwrap();
        client.create(prerequisites().into_iter(), 8).await.unwrap();
        let start = Instant::now();
        while !client
            .collections()
            .await
            .unwrap()
            .iter()
            .any(|path| path.ends_with("/certificates"))
        {
            assert!(start.elapsed() < PATIENCE, "the definition is not served");
            pause(Duration::from_millis(50));
        }
        client.create(samples(objects), 16).await.unwrap();
        client.touch(samples(objects), 16).await.unwrap();
    });
}

/// Returns all objects of a cluster.
pub(crate) fn snapshot(cluster: &Cluster) -> Snapshot {
    block(async {
        let http = Http::connect(cluster.kubeconfig()).await.unwrap();
        Snapshot::take(&http).await.unwrap()
    })
}

/// Returns the objects that were changed, created or deleted between two snapshots, without Leases,
/// which the API server renews by itself.
pub(crate) fn written(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let version = |snapshot: &Snapshot, key: &Key| {
        let metadata = &snapshot.get(key)?["metadata"];
        Some(format!("{} {}", metadata["uid"], metadata["resourceVersion"]))
    };
    let keys: BTreeSet<&Key> = before.objects.keys().chain(after.objects.keys()).collect();
    keys.into_iter()
        .filter(|key| key.type_name != "leases.coordination.k8s.io")
        .filter(|key| version(before, key) != version(after, key))
        .map(ToString::to_string)
        .collect()
}

/// A running `lifeboat` process whose output goes to files of the workspace.
pub(crate) struct Running {
    child: Child,
    log: std::path::PathBuf,
}

impl Running {
    /// Starts `lifeboat`.
    pub(crate) fn start(workspace: &Workspace, arguments: &[&str]) -> Self {
        let log = workspace.path().join("running.log");
        let output = File::create(&log).unwrap();
        let child = workspace
            .lifeboat(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Returns whether the process still runs.
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until `condition` holds while the process runs, and then stops it with SIGSTOP.
    pub(crate) fn stop_when(&mut self, what: &str, mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(
                self.lives(),
                "it ended before {what}: {}",
                std::fs::read_to_string(&self.log).unwrap()
            );
            assert!(start.elapsed() < PATIENCE, "{what} does not happen");
            pause(Duration::from_millis(2));
        }
        self.signal("STOP");
    }

    /// Kills the process with SIGKILL, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Sends a signal, given by name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.child.id()))
            .status()
            .unwrap();
        assert!(sent.success(), "kill -{name}");
    }

    /// Waits for the end of the process, and returns the exit status and the output.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        while self.lives() {
            assert!(start.elapsed() < PATIENCE, "lifeboat hangs");
            pause(Duration::from_millis(10));
        }
        let code = self.child.wait().unwrap().code();
        (code, std::fs::read_to_string(&self.log).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that fails must not leave a stopped process.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns times spread over a duration: a random one in each of `rounds` equal parts, the same
/// ones for the same seed.
pub(crate) fn moments(seed: u64, rounds: u32, whole: f64) -> Vec<Duration> {
    let mut state = seed | 1;
    (0..rounds)
        .map(|round| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let inside = f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX);
            Duration::from_secs_f64(whole * (f64::from(round) + inside) / f64::from(rounds))
        })
        .collect()
}

/// Returns the folders of recovery points, and those of them without a manifest.
pub(crate) fn point_folders(workspace: &Workspace) -> (Vec<String>, Vec<String>) {
    let folder = workspace.store().join("shop").join("points");
    let mut whole = Vec::new();
    let mut rubbish = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().join("manifest.json").is_file() {
                whole.push(name);
            } else {
                rubbish.push(name);
            }
        }
    }
    whole.sort();
    (whole, rubbish)
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
