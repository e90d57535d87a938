//! The measurements and their order.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lifeboat_local::{Cluster, ClusterOptions};
use serde_json::Value;
use tokio::runtime::Handle;

use super::archive::Archive;
use super::floor::Bare;
use super::objects::{self, Sample, prerequisites, samples};
use super::report::{Report, median};
use crate::child;
use crate::workspace::Workspace;

/// The number of concurrent requests of the baselines: more gives no speedup on two cores, fewer leaves them idle.
const CREATES_IN_FLIGHT: usize = 32;
const LISTS_IN_FLIGHT: usize = 8;

/// The interval at which the objects of a target are counted until half of them are there.
const LOOK: Duration = Duration::from_secs(1);

/// Starts a cluster without controllers: nothing changes while it is measured.
fn bare_cluster(name: &str) -> Result<Cluster> {
    Ok(Cluster::start(ClusterOptions {
        name: name.into(),
        ..ClusterOptions::default()
    })?)
}

pub(super) async fn fill(bare: &Bare, samples: impl Iterator<Item = Sample>, objects: usize) -> Result<f64> {
    // One at a time: a namespace must exist before its service account.
    bare.create(prerequisites().into_iter(), 1).await?;
    // The definition must be established before its objects can be created.
    served(bare, 1).await?;
    let took = bare.create(samples, CREATES_IN_FLIGHT).await?;
    ensure!(
        took.objects == objects as u64,
        "{} of {objects} objects were created",
        took.objects
    );
    Ok(took.seconds)
}

/// Waits until discovery shows this many of the benchmark's own types.
async fn served(bare: &Bare, types: usize) -> Result<Vec<String>> {
    for _ in 0..600 {
        let paths = bare.collections().await?;
        if paths.iter().filter(|path| path.contains(".example.com/")).count() >= types {
            return Ok(paths);
        }
        crate::environment::pause(std::time::Duration::from_millis(100));
    }
    bail!("the API server does not serve the benchmark's {types} types after a minute")
}

fn backup(kubeconfig: &str) -> [&str; 5] {
    ["backup", "--kubeconfig", kubeconfig, "--cluster", "primary"]
}

/// Measures the resident memory of a backup, which must not grow with the cluster.
///
/// The API server has no watch cache here: for 300,000 objects it would use 12 GB, and only the
/// backup is measured.
///
/// # Errors
/// If the cluster does not start or a command fails.
pub async fn memory(report: &mut Report, objects: usize) -> Result<()> {
    println!("memory of a backup of {objects} objects");
    let cluster = Cluster::start(ClusterOptions {
        api_server_args: vec!["--watch-cache=false".into()],
        ..ClusterOptions::named("bench-memory")
    })?;
    let bare = Bare::connect(cluster.kubeconfig()).await?;
    fill(&bare, objects::cluster(objects), objects).await?;
    bare.create(objects::large(objects), 2).await?;
    served(&bare, 1 + objects::DEFINITIONS).await?;
    let workspace = Workspace::create()?;
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();
    let (_, run) = workspace.json(&backup(&kubeconfig), &[0])?;
    report.add(
        &format!("capture_peak_mib_{objects}"),
        run.peak_mib,
        Some(96.0),
        &[("objects", objects as f64), ("backup_s", run.wall_seconds)],
    );
    Ok(())
}

/// Measures a capture against listing, its size, and the speed of verification.
///
/// # Errors
/// If a cluster does not start or a command fails.
pub async fn capture(report: &mut Report, objects: usize, repetitions: usize) -> Result<()> {
    println!("capture of {objects} objects");
    let cluster = bare_cluster("bench-capture")?;
    let bare = Bare::connect(cluster.kubeconfig()).await?;
    fill(&bare, objects::cluster(objects), objects).await?;
    bare.touch(objects::cluster(objects), CREATES_IN_FLIGHT).await?;
    let workspace = Workspace::create()?;
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();
    workspace.json(&backup(&kubeconfig), &[0])?;
    let paths = bare.collections().await?;
    size(report, "bytes_vs_targz_no_large", None, &bare, &paths, &workspace).await?;
    // Few at a time: for each definition the API server builds its OpenAPI document again.
    bare.create(objects::large(objects), 2).await?;
    let paths = served(&bare, 1 + objects::DEFINITIONS).await?;
    let backup = backup(&kubeconfig);

    bare.list(&paths, None, 500, LISTS_IN_FLIGHT).await?;
    let (mut backups, mut cpu, mut peak) = (vec![], vec![], 0.0_f64);
    let [mut exact_500, mut latest_500, mut exact_2000, mut latest_2000] = [const { Vec::<f64>::new() }; 4];
    let mut listed_bytes = 0;
    for _ in 0..repetitions {
        // Versions are compacted after some minutes, so each repetition uses a new one.
        let version = bare.now().await?;
        let exact = Some(version.as_str());
        let took = bare.list(&paths, exact, 500, LISTS_IN_FLIGHT).await?;
        listed_bytes = took.bytes;
        exact_500.push(took.seconds);
        latest_500.push(bare.list(&paths, None, 500, LISTS_IN_FLIGHT).await?.seconds);
        let (answer, run) = workspace.json(&backup, &[0])?;
        println!("  phases in seconds: {}", answer["measured"]["seconds"]);
        backups.push(run.wall_seconds);
        cpu.push(run.cpu_seconds);
        peak = peak.max(run.peak_mib);
        exact_2000.push(bare.list(&paths, exact, 2000, LISTS_IN_FLIGHT).await?.seconds);
        latest_2000.push(bare.list(&paths, None, 2000, LISTS_IN_FLIGHT).await?.seconds);
    }
    // The baseline reads every collection at the same version, as the backup does, with the page
    // size that is faster for the bare client.
    let (exact_500, exact_2000, backup_seconds) = (median(exact_500), median(exact_2000), median(backups));
    report.add(
        "capture_vs_list_floor",
        backup_seconds / exact_500.min(exact_2000),
        Some(1.25),
        &[
            ("objects", objects as f64),
            ("backup_s", backup_seconds),
            ("backup_cpu_s", median(cpu)),
            ("list_exact_500_s", exact_500),
            ("list_exact_2000_s", exact_2000),
            ("list_latest_500_s", median(latest_500)),
            ("list_latest_2000_s", median(latest_2000)),
            ("objects_per_s", objects as f64 / backup_seconds),
            ("peak_mib", peak),
        ],
    );
    size(report, "bytes_vs_targz", Some(0.6), &bare, &paths, &workspace).await?;

    let (_, run) = workspace.json(&["verify", "latest"], &[0])?;
    let megabytes = listed_bytes as f64 / 1e6;
    report.add(
        "verify_mb_per_s_core",
        megabytes / run.cpu_seconds,
        None,
        &[
            ("plaintext_mb", megabytes),
            ("cpu_s", run.cpu_seconds),
            ("wall_s", run.wall_seconds),
            ("peak_mib", run.peak_mib),
        ],
    );
    Ok(())
}

/// Compares the size of the newest recovery point with the archive of the cluster's contents.
async fn size(
    report: &mut Report,
    key: &str,
    bar: Option<f64>,
    bare: &Bare,
    paths: &[String],
    workspace: &Workspace,
) -> Result<()> {
    let mut archive = Archive::default();
    let mut raw = 0;
    bare.read(paths, |path, object| {
        raw += archive.add(path, object)?;
        Ok(())
    })
    .await?;
    let tar = archive.finish()? as f64;
    let point = newest_point(workspace)?;
    let total = point.total() as f64;
    report.add(
        key,
        total / tar,
        bar,
        &[
            ("point_mib", total / 1048576.0),
            ("point_objects_mib", point.objects as f64 / 1048576.0),
            ("point_index_mib", point.index as f64 / 1048576.0),
            ("targz_mib", tar / 1048576.0),
            ("raw_mib", raw as f64 / 1048576.0),
        ],
    );
    Ok(())
}

/// The sizes of the files of a recovery point, in bytes.
#[derive(Default)]
struct PointBytes {
    objects: u64,
    index: u64,
    manifest: u64,
}

impl PointBytes {
    fn total(&self) -> u64 {
        self.objects + self.index + self.manifest
    }

    fn add(&mut self, folder: &Path) -> Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let name = entry.file_name();
            match name.to_string_lossy().chars().next() {
                _ if metadata.is_dir() => self.add(&entry.path())?,
                Some('p') => self.objects += metadata.len(),
                Some('i') => self.index += metadata.len(),
                _ => self.manifest += metadata.len(),
            }
        }
        Ok(())
    }
}

fn newest_point(workspace: &Workspace) -> Result<PointBytes> {
    let points = workspace.store().join("shop").join("points");
    let mut folders: Vec<_> = std::fs::read_dir(&points)?.collect::<std::io::Result<_>>()?;
    folders.sort_by_key(std::fs::DirEntry::file_name);
    let mut bytes = PointBytes::default();
    bytes.add(&folders.last().context("a recovery point")?.path())?;
    Ok(bytes)
}

/// Measures a restore against plain creation of the same objects, each into a new cluster.
///
/// # Errors
/// If a cluster does not start or a command fails.
pub async fn restore(report: &mut Report, objects: usize, repetitions: usize) -> Result<()> {
    println!("restore of {objects} objects");
    let workspace = Workspace::create()?;
    let (mut creates, mut restores, mut peak) = (vec![], vec![], 0.0_f64);
    for repetition in 0..repetitions {
        let source = bare_cluster("bench-source")?;
        let bare = Bare::connect(source.kubeconfig()).await?;
        creates.push(fill(&bare, samples(objects), objects).await?);
        if repetition == 0 {
            bare.touch(samples(objects), CREATES_IN_FLIGHT).await?;
            let kubeconfig = source.kubeconfig().to_string_lossy().into_owned();
            workspace.json(&backup(&kubeconfig), &[0])?;
        }
        drop(source);
        let target = bare_cluster("bench-target")?;
        let kubeconfig = target.kubeconfig().to_string_lossy().into_owned();
        let (answer, run) = workspace.json(
            &["restore", "latest", "--kubeconfig", &kubeconfig, "--no-proof"],
            &[0],
        )?;
        println!("  phases in seconds: {}", answer["measured"]["seconds"]);
        let restored = restored(&answer);
        ensure!(
            restored >= objects as u64,
            "only {restored} of {objects} objects were restored"
        );
        restores.push(run.wall_seconds);
        peak = peak.max(run.peak_mib);
    }
    let (create, restore) = (median(creates), median(restores));
    report.add(
        "restore_vs_create_floor",
        restore / create,
        Some(1.25),
        &[
            ("objects", objects as f64),
            ("restore_s", restore),
            ("create_s", create),
            ("restored_per_s", objects as f64 / restore),
            ("peak_mib", peak),
        ],
    );
    Ok(())
}

/// Measures the resident memory of a restore with its proof: from the beginning, and of one that goes on after the first
/// was killed at half. The API servers have no watch cache, as in [`memory`].
///
/// # Errors
/// If a cluster does not start or a command fails.
pub async fn restore_memory(report: &mut Report, objects: usize) -> Result<()> {
    println!("memory of a restore of {objects} objects");
    let start = |name: &str| {
        Cluster::start(ClusterOptions {
            api_server_args: vec!["--watch-cache=false".into()],
            ..ClusterOptions::named(name)
        })
    };
    let workspace = Workspace::create()?;
    {
        let source = start("bench-source")?;
        let bare = Bare::connect(source.kubeconfig()).await?;
        fill(&bare, samples(objects), objects).await?;
        let kubeconfig = source.kubeconfig().to_string_lossy().into_owned();
        workspace.json(&backup(&kubeconfig), &[0])?;
    }
    let (whole, whole_seconds) = {
        let target = start("bench-target")?;
        let kubeconfig = target.kubeconfig().to_string_lossy().into_owned();
        let (answer, run) = workspace.json(&["restore", "latest", "--kubeconfig", &kubeconfig], &[0])?;
        println!("  phases in seconds: {}", answer["measured"]["seconds"]);
        (run.peak_mib, run.wall_seconds)
    };
    let target = start("bench-target")?;
    let kubeconfig = target.kubeconfig().to_string_lossy().into_owned();
    let half = objects as u64 / 2;
    let bare = Bare::connect(target.kubeconfig()).await?;
    let mut next = Instant::now() + LOOK;
    let mut command = workspace.lifeboat(&["restore", "latest", "--kubeconfig", &kubeconfig]);
    let killed = tokio::task::block_in_place(|| {
        child::run_until(&mut command, || {
            if Instant::now() < next {
                return Ok(false);
            }
            next = Instant::now() + LOOK;
            let count = async { bare.count(&bare.collections().await?).await };
            Ok(Handle::current().block_on(count)? >= half)
        })
    })?;
    ensure!(
        killed.code.is_none(),
        "the restore ended before it was killed: {}",
        killed.stderr
    );
    let (answer, resumed) = workspace.json(&["restore", "latest", "--kubeconfig", &kubeconfig], &[0])?;
    println!("  phases in seconds: {}", answer["measured"]["seconds"]);
    report.add(
        &format!("restore_peak_mib_{objects}"),
        whole.max(resumed.peak_mib),
        Some(256.0),
        &[
            ("objects", objects as f64),
            ("whole_mib", whole),
            ("whole_s", whole_seconds),
            ("resumed_mib", resumed.peak_mib),
            ("resumed_s", resumed.wall_seconds),
        ],
    );
    Ok(())
}

fn restored(answer: &Value) -> u64 {
    answer["summary"]["restored"].as_u64().unwrap_or(0)
}
