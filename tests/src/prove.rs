//! Installs any manifests, backs them up, restores them into another cluster, and judges the result.

pub mod lists;
pub mod partial;
pub mod settle;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lifeboat_local::{Cluster, ClusterOptions};
use serde_json::Value;

use crate::audit::{Evidence, audit, passing_type};
use crate::claims;
use crate::client::Client;
use crate::environment::{Environment, Reporter};
use crate::generate::Generated;
use crate::snapshot::{array, text};
use crate::workspace::Workspace;

pub use self::verdict::Verdict;

/// The number of nodes in each cluster: two, so that a DaemonSet has more than one Pod.
const NODES: u32 = 2;

/// How long a cluster may take to become quiet after an installation or a restore. The backoff of
/// controllers whose Pods are rejected takes up to a minute.
const REST_WITHIN: Duration = Duration::from_secs(90);

/// The options of a proof.
pub struct ProveOptions {
    /// The file or folder of manifests.
    pub bundle: PathBuf,
    /// The path of the JSON report.
    pub report: PathBuf,
}

/// Installs the bundle, backs it up, restores it, compares the clusters, and returns the verdict.
///
/// # Errors
/// If a cluster does not start, or the bundle cannot be read.
pub fn prove(stage: &Environment, options: &ProveOptions) -> Result<Verdict> {
    let mut reporter = Reporter::default();
    let mut verdict = Verdict::default();
    let clusters = start(stage, &mut reporter)?;
    let source = &clusters[0];
    reporter.step("install", &format!("Install {}", options.bundle.display()));
    install(source, &options.bundle, &mut verdict, &reporter)?;
    settle(source, &mut verdict, &reporter);
    compare(stage, &clusters, BTreeSet::new(), &mut verdict, &mut reporter)?;
    verdict.timings = reporter.end().into_iter().collect();
    verdict.write(&options.report)?;
    verdict.print();
    Ok(verdict)
}

/// Creates the cluster of a seed, backs it up, restores it, compares the clusters, and returns the verdict. A verdict
/// that is not a pass is printed, and the steps to create the cluster are written into `folder`.
///
/// # Errors
/// If a cluster does not start or does not respond.
pub fn prove_seed(stage: &Environment, seed: u64, folder: &Path) -> Result<Verdict> {
    let mut reporter = Reporter::default();
    let mut verdict = Verdict::default();
    let clusters = start(stage, &mut reporter)?;
    reporter.step("install", &format!("Create the objects of seed {seed}"));
    let generated = Generated::new(seed);
    for rejected in generated.create(&clusters[0])? {
        verdict.note(format!("not created: {rejected}"));
    }
    compare(
        stage,
        &clusters,
        generated.types_with_status(),
        &mut verdict,
        &mut reporter,
    )?;
    for cluster in &clusters {
        stage.end(cluster);
    }
    verdict.timings = reporter.end().into_iter().collect();
    verdict.write(&folder.join(format!("seed-{seed}.json")))?;
    if !verdict.passed() {
        let steps = folder.join(format!("seed-{seed}.yaml"));
        std::fs::write(&steps, generated.to_string())?;
        verdict.print();
        println!("the steps that create the cluster: {}", steps.display());
    }
    Ok(verdict)
}

/// Starts the source and the target.
fn start(stage: &Environment, reporter: &mut Reporter) -> Result<[Arc<Cluster>; 2]> {
    reporter.step("start", "Start two clusters, each with controllers and two nodes");
    let clusters = stage.clusters(vec![
        ClusterOptions::named("source").with_nodes(NODES),
        ClusterOptions::named("target").with_nodes(NODES),
    ])?;
    for cluster in &clusters {
        reporter.say(&format!("{} {}", cluster.name(), cluster.server()));
    }
    let count = clusters.len();
    clusters
        .try_into()
        .map_err(|_| anyhow::anyhow!("requested two clusters, got {count}"))
}

fn compare(
    stage: &Environment,
    [source, target]: &[Arc<Cluster>; 2],
    with_status: BTreeSet<String>,
    verdict: &mut Verdict,
    reporter: &mut Reporter,
) -> Result<()> {
    settle(target, verdict, reporter);
    let workspace = Workspace::create()?;
    stage.remove_at_end(workspace.path().to_owned());
    let sides = Sides {
        source,
        target,
        with_status,
    };
    judge(stage, &workspace, &sides, verdict, reporter)
}

/// The two clusters of a proof.
pub struct Sides<'a> {
    /// The cluster with the objects.
    pub source: &'a Cluster,
    /// The cluster into which they are restored.
    pub target: &'a Cluster,
    /// The types whose status is restored.
    pub with_status: BTreeSet<String>,
}

/// Backs up one cluster, restores into the other, and compares them. A command that fails is a failure of the verdict,
/// and ends it.
///
/// # Errors
/// If a cluster cannot be read, or `lifeboat` cannot be started.
pub fn judge(
    stage: &Environment,
    workspace: &Workspace,
    sides: &Sides<'_>,
    verdict: &mut Verdict,
    reporter: &mut Reporter,
) -> Result<()> {
    let Sides { source, target, .. } = *sides;
    let (from, to) = (Client::connect(source)?, Client::connect(target)?);
    verdict.versions = versions(&from)?;
    let runner = Runner { stage, workspace };

    reporter.step("backup", "Back up the source");
    let earlier = from.snapshot()?;
    let backup = ["backup", "--cluster", "source"];
    let Some(backup) = runner.json(&backup, Some(source), &[0, 3], verdict, reporter)? else {
        return Ok(());
    };
    let snapshot = from.snapshot()?;
    let moving = settle::moving(&earlier, &snapshot);
    for key in moving.iter().filter(|key| !passing_type(&key.type_name)) {
        verdict.note(format!(
            "{key} of the source moved by itself during the backup; its content is not compared"
        ));
    }
    reporter.say(&format!("{} objects in the source", snapshot.objects.len()));
    if backup.code == 3
        && let Some(shown) = runner.json(&["show", "latest"], None, &[0, 3], verdict, reporter)?
    {
        partial::judge(&shown.document, &snapshot, verdict);
    }

    reporter.step("verify", "Verify it, with the private key");
    runner.json(&["verify", "latest"], None, &[0, 3], verdict, reporter)?;

    let with_status = sides.with_status.iter().map(String::as_str);
    let with_status: Vec<&str> = with_status.flat_map(|name| ["--restore-status", name]).collect();
    reporter.step("plan", "Plan the restore");
    let plan = [&["plan", "latest"], &with_status[..]].concat();
    let Some(plan) = runner.json(&plan, Some(target), &[0, 4, 10], verdict, reporter)? else {
        return Ok(());
    };
    verdict.lint(&plan.document);
    let before = to.snapshot()?;

    reporter.step("restore", "Restore into the target");
    let restore = [&["restore", "latest"], &with_status[..]].concat();
    let Some(restore) = runner.json(&restore, Some(target), &[0, 4], verdict, reporter)? else {
        return Ok(());
    };
    if restore.code != 0 {
        success_or_named(&plan.document, &restore.document, verdict);
    }

    reporter.step("compare", "Compare both clusters, without Lifeboat's code");
    settle(target, verdict, reporter);
    let after = to.snapshot()?;
    let report = match restore.document.get("report") {
        Some(report) => report,
        None => &restore.document,
    };
    let claims = claims::read(report)?;
    verdict.findings = audit(&Evidence {
        source: &snapshot,
        before: &before,
        target: &after,
        claims: &claims,
        moving: &moving,
        with_status: &sides.with_status,
    });
    verdict.lists = lists::Lists::read(report);
    verdict.lifeboat = report.clone();
    Ok(())
}

/// Accepts a restore that is no success where only workloads differ, each of which the plan named before anything was
/// written.
fn success_or_named(plan: &Value, restore: &Value, verdict: &mut Verdict) {
    let named = |object: &Value| array(plan, "/findings").any(|finding| finding["object"] == *object);
    let mut differing = array(restore, "/workloads")
        .filter(|workload| workload["state"] != "same")
        .peekable();
    let only_workloads = ["workloadsDiffer", "workloadsNotReady"].contains(&text(restore, "/verdict"));
    if differing.peek().is_none() || !only_workloads {
        verdict.fail(format!(
            "lifeboat reports `{}` (exit status 4)",
            text(restore, "/verdict")
        ));
    }
    for workload in differing {
        if named(&workload["object"]) {
            verdict.note(format!("as the plan says, a workload differs: {workload}"));
        } else {
            verdict.fail(format!(
                "the plan does not name a workload that differs: {workload}"
            ));
        }
    }
}

fn install(cluster: &Cluster, bundle: &Path, verdict: &mut Verdict, reporter: &Reporter) -> Result<()> {
    let outcome = lifeboat_local::install_bundle(cluster, bundle)?;
    reporter.say(&format!(
        "{} objects applied in {} passes",
        outcome.applied.len(),
        outcome.passes
    ));
    ensure!(
        !outcome.applied.is_empty(),
        "nothing of {} could be applied: {:?}",
        bundle.display(),
        outcome.refused
    );
    for refused in &outcome.refused {
        let line = format!("not applied: {refused}");
        reporter.say(&line);
        verdict.note(line);
    }
    Ok(())
}

/// Waits until nothing changes, or notes what still does.
pub fn settle(cluster: &Cluster, verdict: &mut Verdict, reporter: &Reporter) {
    match lifeboat_local::wait_until_quiet(cluster, REST_WITHIN) {
        Ok(quiet) => {
            let state = if quiet.reached { "is quiet" } else { "still moves" };
            reporter.say(&format!(
                "{} {state} after {:.1} s",
                cluster.name(),
                quiet.waited.as_secs_f64()
            ));
            for line in quiet.notes {
                verdict.note(format!("{}: {line}", cluster.name()));
            }
        }
        Err(error) => verdict.note(format!("{} did not settle: {error}", cluster.name())),
    }
}

fn versions(client: &Client) -> Result<BTreeMap<String, String>> {
    let version = client.get("/version")?;
    let text = |name: &str| version[name].as_str().unwrap_or_default().to_owned();
    Ok(BTreeMap::from([
        ("kubernetes".to_owned(), text("gitVersion")),
        ("lifeboat".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]))
}

/// Runs `lifeboat` and reads its JSON output; its progress goes to the terminal.
struct Runner<'a> {
    stage: &'a Environment,
    workspace: &'a Workspace,
}

/// The exit status and the output of a command.
struct ProgramRun {
    code: i32,
    document: Value,
}

impl Runner<'_> {
    fn json(
        &self,
        arguments: &[&str],
        cluster: Option<&Cluster>,
        codes: &[i32],
        verdict: &mut Verdict,
        reporter: &Reporter,
    ) -> Result<Option<ProgramRun>> {
        let kubeconfig = cluster.map(|cluster| cluster.kubeconfig().to_string_lossy().into_owned());
        let mut all = arguments.to_vec();
        if let Some(kubeconfig) = &kubeconfig {
            all.extend(["--kubeconfig", kubeconfig]);
        }
        reporter.command(&format!("lifeboat {}", arguments.join(" ")));
        all.extend(["--output", "json"]);
        let answer = self.workspace.path().join("answer.json");
        let mut command = self.workspace.lifeboat(&all);
        command
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&answer)?);
        let start = Instant::now();
        let status = self.stage.show(command)?;
        let code = status.code().context("lifeboat was terminated by a signal")?;
        let text = std::fs::read_to_string(&answer)?;
        if !codes.contains(&code) {
            verdict.fail(format!(
                "lifeboat {} ended with {code}; its messages are above\n{text}",
                arguments.join(" ")
            ));
            return Ok(None);
        }
        reporter.say(&format!(
            "exit status {code} after {:.1} s",
            start.elapsed().as_secs_f64()
        ));
        let document = serde_json::from_str(&text)
            .with_context(|| format!("lifeboat {} printed no JSON", arguments.join(" ")))?;
        Ok(Some(ProgramRun { code, document }))
    }
}
