//! The cost of Lifeboat as functions: the size of the zip files, the start of a delegate, the
//! memory and the time of a backup of a large cluster, and the requests of an idle application.
//!
//! The measurements run in the accounts of the tour on the local AWS after it has ended; these are
//! set up as a user's are.

mod idle;
mod outage;
mod start;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lifeboat_local::{AuditEntry, Cluster, LocalAws};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::floor::Bare;
use super::objects::{cluster, large};
use super::report::{Report, median};
use super::scenario::fill;
use crate::aws::{PRIMARY, RECOVERY, SOURCE, Scenario, run_with};
use crate::environment::pause;
use crate::workspace::Workspace;

/// The limit for a zip file, in MiB: it starts fast and uploads in seconds.
const ZIP_MIB: f64 = 10.0;

/// The limit for the start time of a delegate, relative to a Python function that does the same.
const START: f64 = 0.1;

/// The limit for the peak memory of a delegate, in MiB: the size of Lambda's smallest function.
const PEAK_MIB: f64 = 128.0;

/// The limit for the time of a backup through Lambda, S3 and the coordinator, relative to the command line's.
const BACKUP: f64 = 1.5;

/// The limit for the time of a restore into an empty account in which AWS does not work, in seconds.
const RTO_OVERHEAD_S: f64 = 30.0;

/// The interval at which the progress of a backup is checked.
const LOOK: Duration = Duration::from_millis(50);

/// A backup that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(900);

/// The options of the measurements.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// How the functions are compiled: `release`, `dev` or `built`.
    pub profile: String,
    /// Objects of the cluster that is backed up.
    pub objects: usize,
    /// Repetitions of each measurement; the median counts.
    pub repetitions: usize,
}

/// Runs all measurements.
///
/// # Errors
/// If a step fails.
pub fn measure(report: &mut Report, sizes: &Sizes) -> Result<()> {
    run_with(&sizes.profile, |scenario, reporter, package| {
        reporter.step("zips", "Size of the functions");
        zips(report, &sizes.profile)?;
        reporter.step("start", "Cold start of the delegate and of a Python function");
        start::measure(report, scenario, &sizes.profile, sizes.repetitions)?;
        let rebuilt = scenario.rebuild(reporter, package)?;
        let overhead = rebuilt.seconds - rebuilt.within_aws;
        let measured = [
            ("restore_s", rebuilt.seconds),
            ("within_aws_s", rebuilt.within_aws),
        ];
        report.add("rto_overhead_s", overhead, Some(RTO_OVERHEAD_S), &measured);
        report.add(
            "unlisted_leftovers_sample",
            rebuilt.leftovers as f64,
            Some(0.0),
            &[],
        );
        let others = scenario.aws.requests_without_route().len();
        report.add("private_delegate_other_requests", others as f64, Some(0.0), &[]);
        reporter.step("idle", "Requests of an idle application");
        idle::measure(report, scenario)?;
        reporter.step("large", "Backup of a large cluster");
        backup(report, scenario, sizes)?;
        reporter.step("outage", "Restore after the primary Region is gone");
        outage::measure(report, scenario, sizes.repetitions)
    })
    .map(|_| ())
}

/// Returns the folder with the zip files of a profile, which has one folder for each architecture.
fn packages(profile: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/package")
        .join(profile)
}

fn zips(report: &mut Report, profile: &str) -> Result<()> {
    let mut found = 0;
    let mut folders: Vec<PathBuf> = std::fs::read_dir(packages(profile))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    folders.sort();
    for folder in folders {
        let architecture = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for function in ["delegate", "coordinator"] {
            let zip = folder.join(format!("lifeboat-{function}.zip"));
            if let Ok(metadata) = std::fs::metadata(&zip) {
                found += 1;
                let mib = metadata.len() as f64 / 1_048_576.0;
                // A build without optimization is not the product, so its size has no limit.
                let bar = (profile == "release").then_some(ZIP_MIB);
                report.add(
                    &format!("zip_mib_{function}_{architecture}"),
                    mib,
                    bar,
                    &[("bytes", metadata.len() as f64)],
                );
            }
        }
    }
    ensure!(found >= 2, "no packages in {}", packages(profile).display());
    Ok(())
}

/// Fills the cluster of the primary account, and backs it up with the command line and through AWS alternately.
fn backup(report: &mut Report, scenario: &Scenario<'_>, sizes: &Sizes) -> Result<()> {
    let source = scenario
        .aws
        .cluster(PRIMARY.0, SOURCE)
        .context("a control plane")?;
    let bare = Handle::current().block_on(filled(&source, sizes.objects))?;
    let kubeconfig = source.kubeconfig().to_string_lossy().into_owned();
    let workspace = Workspace::create()?;
    let (mut local, mut through, mut peak) = (vec![], vec![], 0.0_f64);
    // The first one of each is not counted: it fills caches of the API server.
    for repetition in 0..=sizes.repetitions {
        Handle::current().block_on(bare.collect_garbage())?;
        let (_, run) = workspace.json(
            &["backup", "--kubeconfig", &kubeconfig, "--cluster", "orders"],
            &[0],
        )?;
        let before = reports(scenario.aws, "lifeboat-shop-primary");
        Handle::current().block_on(bare.collect_garbage())?;
        let seconds = through_aws(scenario.aws, repetition)?;
        peak = reports_since(scenario.aws, "lifeboat-shop-primary", &before)
            .iter()
            .fold(peak, |peak, report| peak.max(report.peak_mib));
        println!(
            "  by the command line {:.2} s, through AWS {seconds:.2} s",
            run.wall_seconds
        );
        if repetition > 0 {
            local.push(run.wall_seconds);
            through.push(seconds);
        }
    }
    let objects = ("objects", sizes.objects as f64);
    report.add("delegate_peak_mib", peak, Some(PEAK_MIB), &[objects]);
    let (local, through) = (median(local), median(through));
    report.add(
        "aws_backup_vs_local",
        through / local,
        Some(BACKUP),
        &[objects, ("aws_s", through), ("local_s", local)],
    );
    Ok(())
}

async fn filled(source: &Cluster, objects: usize) -> Result<Bare> {
    let bare = Bare::connect(source.kubeconfig()).await?;
    fill(&bare, cluster(objects), objects).await?;
    bare.create(large(objects), 2).await?;
    Ok(bare)
}

/// Requests a backup, waits until its recovery point is in the vault and accepted, and returns the seconds.
fn through_aws(aws: &LocalAws, repetition: usize) -> Result<f64> {
    let ask = |request: &Value| -> Result<Value> {
        let answer = aws.invoke(RECOVERY.0, RECOVERY.1, "lifeboat-coordinator", request)?;
        ensure!(answer["refused"].is_null(), "{request} was refused: {answer}");
        Ok(answer)
    };
    let status = || -> Result<Value> {
        let answer = ask(&json!({"status": {"application": "shop"}}))?;
        Ok(answer["status"]["applications"][0].clone())
    };
    aws.clear_audit();
    let began = Instant::now();
    ask(&json!({"backup": {"application": "shop", "token": format!("bench-{repetition}")}}))?;
    let running = status()?;
    let point = running["backup"]["point"].as_str();
    let point = point.with_context(|| format!("no backup runs: {running}"))?;
    // Requests to the coordinator take processor time from the capture, so there are none until it
    // ends. From then on the coordinator is invoked continuously, so that no time is spent waiting
    // for a tick: only the work is measured.
    let manifest = format!("captures/shop/points/{point}/manifest.json");
    let is_sealed =
        |entry: &AuditEntry| entry.action == "s3:PutObject" && entry.resource.ends_with(&manifest);
    while !aws.audit().iter().any(is_sealed) {
        ensure!(began.elapsed() < PATIENCE, "the capture {point} does not end");
        pause(LOOK);
    }
    loop {
        let ended = status()?;
        if ended["lastGood"]["point"] == point {
            return Ok(began.elapsed().as_secs_f64());
        }
        ensure!(began.elapsed() < PATIENCE, "the point does not count: {ended}");
        pause(LOOK);
    }
}

/// What Lambda logged about an invocation.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Invocation {
    billed_seconds: f64,
    memory_mib: f64,
    peak_mib: f64,
}

/// Returns the invocations of a function so far, by request id. A function may have several
/// environments, each with its own log, so the order of the lines has no meaning.
fn reports(aws: &LocalAws, function: &str) -> BTreeMap<String, Invocation> {
    let logs = aws.function_logs();
    let own = logs.iter().filter(|log| log.function == function);
    own.flat_map(|log| log.text.lines().filter_map(report_line))
        .collect()
}

/// Returns the invocations of a function that are not in `before`.
fn reports_since(aws: &LocalAws, function: &str, before: &BTreeMap<String, Invocation>) -> Vec<Invocation> {
    let mut reports = reports(aws, function);
    reports.retain(|request, _| !before.contains_key(request));
    reports.into_values().collect()
}

fn report_line(line: &str) -> Option<(String, Invocation)> {
    let figures = line.strip_prefix("REPORT RequestId: ")?;
    let (request, figures) = figures.split_once('\t')?;
    let figure = |name: &str| -> Option<f64> {
        let text = figures.split('\t').find_map(|part| part.strip_prefix(name))?;
        text.split_whitespace().next()?.parse().ok()
    };
    let invocation = Invocation {
        billed_seconds: figure("Billed Duration: ")? / 1000.0,
        memory_mib: figure("Memory Size: ")?,
        peak_mib: figure("Max Memory Used: ")?,
    };
    Some((request.to_owned(), invocation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_lambda_are_read() {
        let line = "REPORT RequestId: 1\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\tMax Memory Used: 40 MB";
        let expected = Invocation {
            billed_seconds: 0.013,
            memory_mib: 512.0,
            peak_mib: 40.0,
        };
        assert_eq!(report_line(line), Some(("1".to_owned(), expected)));
        assert_eq!(report_line("END RequestId: 1"), None);
    }
}
