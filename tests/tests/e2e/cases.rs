//! Small clusters after public reports of restores that went wrong, and the right outcome of each.
//!
//! The inputs are in `tests/cases`, numbered as here. Cases that do not interfere share one pair of clusters and one
//! restore; every violated expectation of every case is printed at the end.

mod admission;
mod api;
mod children;
mod definitions;
mod outcome;
mod partial;
mod rejecting;

use std::time::{Duration, Instant};

use lifeboat_local::{Cluster, ClusterOptions, Webhook};
use lifeboat_tests::child::Finished;
use lifeboat_tests::environment::pause;
use lifeboat_tests::snapshot::{Snapshot, array, text};
use lifeboat_tests::workspace::Workspace;
use serde_json::Value;

use self::api::Api;
use self::outcome::{Check, Outcome, Violations, failure};
use crate::support::kubeconfig;

/// Two, so that a DaemonSet has more than one Pod and a Pod can be in another zone.
const NODES: u32 = 2;

/// How long a violated expectation about the target may remain unchanged until it is final: controllers react within
/// some hundred milliseconds.
const FINAL: Duration = Duration::from_secs(4);

/// How long nothing must be violated until the outcome is final.
const STILL: Duration = Duration::from_secs(1);

/// Restores that must be a success, in one: the exit status is that of the whole restore.
#[test]
fn what_can_come_back_is_as_it_was() {
    let Some(address) = admission::reachable_address() else {
        lifeboat_local::skip(
            "injected sidecars",
            "the machine has no address other than loopback, which the backend of a webhook needs",
        );
        return;
    };
    let webhook = Webhook::start_behind("injector", "injector", address).unwrap();
    let (source, target) = pair("cases", &["--enable-aggregator-routing=true"]);
    let from = Api::connect(&source);
    let to = Api::connect(&target);
    for api in [&from, &to] {
        admission::give_nodes_address(api, address);
    }
    // First, because every Pod that is created later has the default class.
    admission::create_default_priority(&from);
    children::create(&from);
    admission::create_pod_security(&from);
    admission::create_injectors(&from, &webhook);
    admission::create_overhead(&from);
    children::begin_rollout(&from);
    definitions::create(&from);
    children::pause_rollout(&from);
    admission::create_injected(&from);
    admission::enforce_pod_security(&from);

    let checks: Vec<&Check> = [
        admission::CHECKS.as_slice(),
        children::CHECKS.as_slice(),
        definitions::CHECKS.as_slice(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let captured = wait_for_source(&from, &checks);
    let workspace = Workspace::create().unwrap();
    let mut violations = Violations::default();
    let run = |arguments: &[&str]| run(&workspace, arguments);
    let (backup, _) = run(&[
        "backup",
        "--cluster",
        "primary",
        "--kubeconfig",
        &kubeconfig(&source),
    ]);
    violations
        .of("backup")
        .equal("the exit status", backup.code, Some(0));
    let (_, shown) = run(&["show", "latest"]);
    let to_file = kubeconfig(&target);
    let options = [
        "latest",
        "--restore-status",
        "transfers",
        "--kubeconfig",
        &to_file,
    ];
    let (planned, plan) = run(&[&["plan"], &options[..]].concat());
    let mut case = violations.of("plan");
    case.expect(
        planned.code == Some(0),
        format!("the exit status is {:?}: {}", planned.code, failure(&planned)),
    );
    let (restored, document) = run(&[&["restore"], &options[..]].concat());
    let outcome = |target: &Snapshot, violations: &mut Violations| {
        let outcome = Outcome {
            source: &captured,
            target,
            shown: &shown,
            plan: &plan,
            report: &document,
            code: restored.code,
            seconds: restored.wall_seconds,
        };
        check(&checks, &outcome, violations);
        success(&outcome, &restored, violations);
    };
    judge(&to, &mut violations, outcome);
    children::refuses_reserved_address(&from, "source", &mut violations.of("04 reserved address"));
    children::refuses_reserved_address(&to, "target", &mut violations.of("04 reserved address"));
    definitions::owner_removes_field(&to, &mut violations.of("15 owner in a removed version"));
    conclude(&violations);
}

/// Restores that are no success, in one: what differs is named in the plan and in the report.
#[test]
fn what_cannot_come_back_is_named() {
    let (source, target) = pair("named", &[]);
    let from = Api::connect(&source);
    let to = Api::connect(&target);
    partial::create(&from);
    let checks: Vec<&Check> = partial::CHECKS.iter().collect();
    let captured = wait_for_source(&from, &checks);

    let workspace = Workspace::create().unwrap();
    let mut violations = Violations::default();
    let run = |arguments: &[&str]| run(&workspace, arguments);
    let (from_file, to_file) = (kubeconfig(&source), kubeconfig(&target));
    let orphans = "09 orphans of a namespace";
    let without = ["--exclude-namespace", "ghost"];
    let (backup, _) = run(&[
        &["backup", "--cluster", "primary", "--kubeconfig", &from_file][..],
        &without,
    ]
    .concat());
    violations.of(orphans).expect(
        backup.code == Some(3),
        format!(
            "a backup without the namespace ends with {:?}: {}",
            backup.code,
            failure(&backup)
        ),
    );
    let (backup, _) = run(&["backup", "--cluster", "primary", "--kubeconfig", &from_file]);
    let mut case = violations.of("18 stored in a dropped version");
    case.equal("the exit status of the backup", backup.code, Some(3));
    partial::fails_early(&backup.stderr, &mut case);
    let (_, shown) = run(&["show", "latest"]);
    let plan = ["plan", "latest", "--kubeconfig", &to_file];
    let (planned, mut plan_document) = run(&plan);
    let (way_out, plan_without) = run(&[&plan[..], &without].concat());
    let mut case = violations.of(orphans);
    case.expect(
        way_out.code == Some(0),
        format!(
            "a plan without the namespace ends with {:?}: {}",
            way_out.code,
            failure(&way_out)
        ),
    );
    let restore = ["restore", "latest", "--kubeconfig", &to_file];
    let (mut restored, mut document) = run(&restore);
    if planned.code != Some(0) || restored.code == Some(10) {
        case.expect(
            false,
            format!(
                "the plan ends with {:?}, the restore with {:?}: {}",
                planned.code,
                restored.code,
                failure(&restored)
            ),
        );
        // The other cases do not depend on this one.
        plan_document = plan_without;
        (restored, document) = run(&[&restore[..], &without].concat());
    }
    let outcome = |target: &Snapshot, violations: &mut Violations| {
        let outcome = Outcome {
            source: &captured,
            target,
            shown: &shown,
            plan: &plan_document,
            report: &document,
            code: restored.code,
            seconds: restored.wall_seconds,
        };
        check(&checks, &outcome, violations);
    };
    judge(&to, &mut violations, outcome);
    conclude(&violations);
}

/// Starts a source and a target with controllers and nodes.
fn pair(name: &str, api_server_args: &[&str]) -> (Cluster, Cluster) {
    let options = |side: &str| ClusterOptions {
        api_server_args: api_server_args.iter().map(ToString::to_string).collect(),
        ..ClusterOptions::named(&format!("{name}-{side}")).with_nodes(NODES)
    };
    let mut clusters = Cluster::start_all(vec![options("source"), options("target")]).unwrap();
    let target = clusters.pop().unwrap();
    (clusters.pop().unwrap(), target)
}

/// Waits until the source is in the state that the cases describe, and returns it.
fn wait_for_source(api: &Api, checks: &[&Check]) -> Snapshot {
    api::until("the source is as the cases describe it", || {
        let snapshot = api.snapshot();
        let mut violations = Violations::default();
        for check in checks {
            (check.source)(&snapshot, &mut violations.of(check.name));
        }
        if violations.is_empty() {
            Ok(snapshot)
        } else {
            Err(format!("\n{violations}"))
        }
    })
}

/// Runs `lifeboat` and parses its output; null if it printed none.
fn run(workspace: &Workspace, arguments: &[&str]) -> (Finished, Value) {
    let run = workspace
        .run(&[arguments, &["--output", "json"]].concat())
        .unwrap();
    println!(
        "lifeboat {}: {:?} after {:.1} s",
        arguments[0], run.code, run.wall_seconds
    );
    let document = serde_json::from_str(&run.stdout).unwrap_or_default();
    (run, document)
}

fn check(checks: &[&Check], outcome: &Outcome<'_>, violations: &mut Violations) {
    for check in checks {
        (check.target)(outcome, &mut violations.of(check.name));
    }
}

/// Expects the exit status and the verdict of a success, and that every workload is named as the same.
fn success(outcome: &Outcome<'_>, run: &Finished, violations: &mut Violations) {
    let mut case = violations.of("report");
    case.expect(
        run.code == Some(0),
        format!("the exit status is {:?}: {}", run.code, failure(run)),
    );
    case.equal("the verdict", text(outcome.report, "/verdict"), "matchesPlan");
    for entry in array(outcome.report, "/notRestored").filter(|entry| entry["planned"] == true) {
        case.expect(
            false,
            format!("not restored: {} {}", entry["object"], text(entry, "/why")),
        );
    }
    for entry in array(outcome.report, "/changed").filter(|entry| entry["by"] == "unexplained") {
        case.expect(
            false,
            format!("unexplained: {} {}", entry["object"], text(entry, "/path")),
        );
    }
    for (key, object) in outcome.source.of_type("deployments.apps") {
        let entry = outcome.workload(key);
        let replicas = &object["spec"]["replicas"];
        case.expect(
            entry["state"] == "same" && entry["wanted"] == *replicas && entry["ready"] == *replicas,
            format!("{key} is not the same with {replicas} ready Pods in `workloads`: {entry}"),
        );
    }
    for entry in array(outcome.report, "/workloads").filter(|entry| entry["state"] != "same") {
        case.expect(false, format!("a workload is not the same: {entry}"));
    }
}

/// Checks the target until its state is final, and adds the violations.
fn judge(api: &Api, violations: &mut Violations, outcome: impl Fn(&Snapshot, &mut Violations)) {
    let mut found = Violations::default();
    let mut since = Instant::now();
    loop {
        let mut now = Violations::default();
        outcome(&api.snapshot(), &mut now);
        if now != found {
            since = Instant::now();
            found = now;
        }
        let wait = if found.is_empty() { STILL } else { FINAL };
        if since.elapsed() >= wait {
            violations.extend(found);
            return;
        }
        pause(Duration::from_millis(250));
    }
}

fn conclude(violations: &Violations) {
    print!("{violations}");
    assert!(
        violations.is_empty(),
        "some cases are not as expected:\n{violations}"
    );
}
