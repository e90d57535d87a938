//! What is measured, in which order.

use anyhow::{Context, Result, ensure};
use lifeboat_local::{Cluster, ClusterOptions};
use serde_json::Value;

use super::archive::Archive;
use super::floor::Bare;
use super::objects::{self, Sample, prerequisites, samples};
use super::report::{Report, median};
use crate::workspace::Workspace;

/// Requests in flight of the baselines: more brings nothing on two cores, fewer leaves them idle.
const CREATES_IN_FLIGHT: usize = 32;
const LISTS_IN_FLIGHT: usize = 8;

/// A cluster without controllers: nothing changes while it is measured.
fn bare_cluster(name: &str) -> Result<Cluster> {
    Ok(Cluster::start(ClusterOptions {
        name: name.into(),
        ..ClusterOptions::default()
    })?)
}

async fn fill(bare: &Bare, samples: impl Iterator<Item = Sample>, objects: usize) -> Result<f64> {
    // One at a time: a namespace must be there before its account.
    bare.create(prerequisites().into_iter(), 1).await?;
    // The definition must be established before its objects can be created.
    for _ in 0..100 {
        if bare
            .collections()
            .await?
            .iter()
            .any(|path| path.ends_with("/certificates"))
        {
            break;
        }
        crate::stage::pause(std::time::Duration::from_millis(100));
    }
    let took = bare.create(samples, CREATES_IN_FLIGHT).await?;
    ensure!(
        took.objects == objects as u64,
        "{} of {objects} objects were created",
        took.objects
    );
    Ok(took.seconds)
}

fn backup(kubeconfig: &str) -> [&str; 5] {
    ["backup", "--kubeconfig", kubeconfig, "--cluster", "primary"]
}

/// Capture against listing, memory, size, and the speed of verification, at one number of objects.
///
/// # Errors
/// If a cluster does not start or a command fails.
pub async fn capture(report: &mut Report, objects: usize, repetitions: usize, whole: bool) -> Result<()> {
    println!("capture of {objects} objects");
    let cluster = bare_cluster("bench-capture")?;
    let bare = Bare::connect(cluster.kubeconfig()).await?;
    fill(&bare, objects::cluster(objects), objects).await?;
    bare.touch(objects::cluster(objects), CREATES_IN_FLIGHT).await?;
    let paths = bare.collections().await?;
    let workspace = Workspace::create()?;
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();

    bare.list(&paths, 500, LISTS_IN_FLIGHT).await?;
    let (mut small, mut large, mut backups, mut cpu, mut peak) = (vec![], vec![], vec![], vec![], 0.0_f64);
    let mut listed_bytes = 0;
    for _ in 0..repetitions {
        let took = bare.list(&paths, 500, LISTS_IN_FLIGHT).await?;
        listed_bytes = took.bytes;
        small.push(took.seconds);
        let (answer, run) = workspace.json(&backup(&kubeconfig), &[0])?;
        println!("  phases in seconds: {}", answer["measured"]["seconds"]);
        backups.push(run.wall_seconds);
        cpu.push(run.cpu_seconds);
        peak = peak.max(run.peak_mib);
        large.push(bare.list(&paths, 2000, LISTS_IN_FLIGHT).await?.seconds);
    }
    report.add(
        &format!("capture_peak_mib_{objects}"),
        peak,
        Some(96.0),
        &[
            ("objects", objects as f64),
            ("list_mib", listed_bytes as f64 / 1048576.0),
        ],
    );
    if !whole {
        return Ok(());
    }
    // The floor is whichever page size serves the bare client better.
    let (small, large, backup_seconds) = (median(small), median(large), median(backups));
    report.add(
        "capture_vs_list_floor",
        backup_seconds / small.min(large),
        Some(1.25),
        &[
            ("objects", objects as f64),
            ("backup_s", backup_seconds),
            ("backup_cpu_s", median(cpu)),
            ("list_500_s", small),
            ("list_2000_s", large),
            ("objects_per_s", objects as f64 / backup_seconds),
        ],
    );

    let mut archive = Archive::default();
    bare.read(&paths, |path, object| archive.add(path, object))
        .await?;
    let tar = archive.finish()? as f64;
    let point = newest_point_bytes(&workspace)? as f64;
    report.add(
        "bytes_vs_targz",
        point / tar,
        Some(0.6),
        &[("point_mib", point / 1048576.0), ("targz_mib", tar / 1048576.0)],
    );

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

fn newest_point_bytes(workspace: &Workspace) -> Result<u64> {
    let points = workspace.store().join("shop").join("points");
    let mut folders: Vec<_> = std::fs::read_dir(&points)?.collect::<std::io::Result<_>>()?;
    folders.sort_by_key(std::fs::DirEntry::file_name);
    fn size(path: &std::path::Path) -> Result<u64> {
        let mut total = 0;
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            total += if metadata.is_dir() {
                size(&entry.path())?
            } else {
                metadata.len()
            };
        }
        Ok(total)
    }
    size(&folders.last().context("a recovery point")?.path())
}

/// Restore against plain creation of the same objects, each into a fresh cluster.
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

fn restored(answer: &Value) -> u64 {
    answer["summary"]["restored"].as_u64().unwrap_or(0)
}
