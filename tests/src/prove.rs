//! Installs any manifests, backs them up, restores them into another cluster, and judges the result.

pub mod lists;
pub mod partial;
pub mod settle;
pub mod verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lifeboat_local::{Cluster, ClusterOptions};
use serde_json::Value;

use crate::audit::{Evidence, audit, passing_type};
use crate::claims;
use crate::environment::{Environment, Reporter};
use crate::snapshot::{Snapshot, http::Http};
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
/// If a cluster does not start, the bundle cannot be read, or `lifeboat` fails in a way that leaves
/// nothing to judge.
pub fn prove(stage: &Environment, options: &ProveOptions) -> Result<Verdict> {
    let mut reporter = Reporter::default();
    reporter.step("start", "Start two clusters, each with controllers and two nodes");
    let clusters = stage.clusters(vec![
        ClusterOptions::named("source").with_nodes(NODES),
        ClusterOptions::named("target").with_nodes(NODES),
    ])?;
    let [source, target] = clusters.as_slice() else {
        bail!("requested two clusters, got {}", clusters.len());
    };
    reporter.say(&format!(
        "source {}   target {}",
        source.server(),
        target.server()
    ));

    reporter.step("install", &format!("Install {}", options.bundle.display()));
    let mut verdict = Verdict::default();
    install(source, &options.bundle, &mut verdict, &reporter)?;
    settle(source, &mut verdict, &reporter);
    settle(target, &mut verdict, &reporter);
    let workspace = Workspace::create()?;
    stage.remove_at_end(workspace.path().to_owned());
    let sides = Sides { source, target };
    judge(stage, &workspace, &sides, &mut verdict, &mut reporter)?;
    verdict.timings = reporter.end().into_iter().collect();
    verdict.write(&options.report)?;
    verdict.print();
    Ok(verdict)
}

/// The two clusters of a proof.
pub struct Sides<'a> {
    /// The cluster with the objects.
    pub source: &'a Cluster,
    /// The cluster into which they are restored.
    pub target: &'a Cluster,
}

/// Backs up one cluster, restores into the other, and compares them.
///
/// # Errors
/// If a cluster cannot be read, or `lifeboat` fails in a way that leaves nothing to judge.
pub fn judge(
    stage: &Environment,
    workspace: &Workspace,
    sides: &Sides<'_>,
    verdict: &mut Verdict,
    reporter: &mut Reporter,
) -> Result<()> {
    let Sides { source, target } = *sides;
    let runtime = tokio::runtime::Runtime::new()?;
    let (from, to) = runtime.block_on(async {
        anyhow::Ok((
            Http::connect(source.kubeconfig()).await?,
            Http::connect(target.kubeconfig()).await?,
        ))
    })?;
    let take = |http: &Http| runtime.block_on(Snapshot::take(http));
    verdict.versions = versions(&runtime, &from)?;
    let runner = Runner { stage, workspace };

    reporter.step("backup", "Back up the source");
    let earlier = take(&from)?;
    let backup = runner.json(
        &["backup", "--cluster", "source"],
        Some(source),
        &[0, 3],
        reporter,
    )?;
    let snapshot = take(&from)?;
    let moving = settle::moving(&earlier, &snapshot);
    for key in moving.iter().filter(|key| !passing_type(&key.type_name)) {
        verdict.note(format!(
            "{key} of the source moved by itself during the backup; its content is not compared"
        ));
    }
    reporter.say(&format!("{} objects in the source", snapshot.objects.len()));
    if backup.code == 3 {
        let shown = runner.json(&["show", "latest"], None, &[0, 3], reporter)?;
        partial::judge(&shown.document, &snapshot, verdict);
    }

    reporter.step("verify", "Verify it, with the private key");
    runner.json(&["verify", "latest"], None, &[0, 3], reporter)?;

    reporter.step("plan", "Plan the restore");
    let plan = runner.json(&["plan", "latest"], Some(target), &[0, 4, 10], reporter)?;
    verdict.lint(&plan.document);
    let before = take(&to)?;

    reporter.step("restore", "Restore into the target");
    let restore = runner.json(&["restore", "latest"], Some(target), &[0, 4], reporter)?;
    if restore.code != 0 {
        let workloads = restore.document["workloads"].as_array();
        let differing: Vec<String> = workloads
            .into_iter()
            .flatten()
            .filter(|workload| workload["state"] != "same")
            .map(ToString::to_string)
            .collect();
        verdict.fail(format!(
            "lifeboat reports that the cluster does not match the plan (exit status 4): {}",
            differing.join(", ")
        ));
    }

    reporter.step("compare", "Compare both clusters, without Lifeboat's code");
    settle(target, verdict, reporter);
    let after = take(&to)?;
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
    });
    verdict.lists = lists::Lists::read(report);
    verdict.lifeboat = report.clone();
    Ok(())
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

fn versions(runtime: &tokio::runtime::Runtime, http: &Http) -> Result<BTreeMap<String, String>> {
    let version = runtime.block_on(http.get("/version"))?;
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
        reporter: &Reporter,
    ) -> Result<ProgramRun> {
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
        ensure!(
            codes.contains(&code),
            "lifeboat {} ended with {code}\n{text}",
            arguments.join(" ")
        );
        reporter.say(&format!(
            "exit status {code} after {:.1} s",
            start.elapsed().as_secs_f64()
        ));
        let document = serde_json::from_str(&text)
            .with_context(|| format!("lifeboat {} printed no JSON", arguments.join(" ")))?;
        Ok(ProgramRun { code, document })
    }
}
