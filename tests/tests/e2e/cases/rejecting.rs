//! A restore of webhooks that reject everything, and commands for the cluster afterwards.

use lifeboat_local::{Cluster, ClusterOptions};
use lifeboat_tests::child::Finished;
use lifeboat_tests::environment::pause;
use lifeboat_tests::snapshot::text;
use lifeboat_tests::workspace::Workspace;
use serde_json::Value;

use super::api::{Api, until};
use super::outcome::{Case, Violations, failure, object};
use crate::support::{Running, kubeconfig};

const CONFIGURATIONS: [&str; 2] = [
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/policy-for-everything",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/policy-for-everything",
];
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/lifeboat-restore";

/// A command that cannot succeed ends well before the client's retries do.
const SOON_SECONDS: f64 = 20.0;

#[test]
fn webhooks_that_reject_everything_are_restored_and_named() {
    let mut clusters = Cluster::start_all(vec![
        ClusterOptions::named("rejecting-source"),
        ClusterOptions::named("rejecting-target"),
    ])
    .unwrap();
    let (target, source) = (clusters.pop().unwrap(), clusters.pop().unwrap());
    let api = Api::connect(&source);
    api.apply(include_str!("../../../cases/16-webhook-for-everything.yaml"));
    let workspace = Workspace::create().unwrap();
    let from = kubeconfig(&source);
    workspace
        .json(&["backup", "--cluster", "primary", "--kubeconfig", &from], &[0])
        .unwrap();
    let api = Api::connect(&target);
    let to = kubeconfig(&target);

    let mut violations = Violations::default();
    let restore = ["restore", "latest", "--kubeconfig", &to, "--output", "json"];
    let plan = ["plan", "latest", "--kubeconfig", &to, "--output", "json"];
    let run = |arguments: &[&str]| workspace.run(arguments).unwrap();

    first_restore(
        &api,
        &run(&restore),
        &mut violations.of("16 webhook for everything: first restore"),
    );
    ends_soon(
        &run(&plan),
        &mut violations.of("16 webhook for everything: plan afterwards"),
    );
    ends_soon(
        &run(&restore),
        &mut violations.of("16 webhook for everything: second restore"),
    );
    let backup = run(&["backup", "--cluster", "primary", "--kubeconfig", &to]);
    violations
        .of("16 webhook for everything: backup afterwards")
        .equal("the exit status", backup.code, Some(0));
    killed_restore(
        &api,
        &workspace,
        &to,
        &mut violations.of("16 webhook for everything: restore that is killed"),
    );
    ends_soon(
        &run(&restore),
        &mut violations.of("16 webhook for everything: restore after SIGKILL"),
    );

    print!("{violations}");
    assert!(
        violations.is_empty(),
        "the case is not as expected:\n{violations}"
    );
}

fn first_restore(api: &Api, run: &Finished, case: &mut Case<'_>) {
    let failure = failure(run);
    case.expect(
        run.code == Some(0),
        format!("the exit status is {:?}: {failure}", run.code),
    );
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
    case.equal(
        "the verdict of the report",
        text(&report, "/verdict"),
        "matchesPlan",
    );
    let target = api.snapshot();
    for (type_name, namespace, name) in [
        ("services", "policy", "policy"),
        ("configmaps", "policy", "rules"),
        (
            "mutatingwebhookconfigurations.admissionregistration.k8s.io",
            "",
            "policy-for-everything",
        ),
        (
            "validatingwebhookconfigurations.admissionregistration.k8s.io",
            "",
            "policy-for-everything",
        ),
    ] {
        let found = object(&target, type_name, namespace, name);
        case.expect(
            !found.is_null(),
            format!("{type_name} {name} is missing in the target"),
        );
    }
    if api.get(LEASE).is_ok() {
        let said = format!("{}{}", run.stdout, run.stderr);
        case.expect(
            said.contains("policy-for-everything") && said.contains("kubectl delete"),
            format!("the Lease is left, and no message names the webhooks and their removal: {failure}"),
        );
    }
}

/// Expects that a command succeeds, or ends soon and says what to remove.
fn ends_soon(run: &Finished, case: &mut Case<'_>) {
    let said = format!("{}{}", run.stdout, run.stderr);
    let failure = failure(run);
    case.expect(
        run.code == Some(0) || (said.contains("policy-for-everything") && said.contains("kubectl delete")),
        format!(
            "it ends with {:?} and does not name the webhooks and their removal: {failure}",
            run.code
        ),
    );
    case.expect(
        run.wall_seconds < SOON_SECONDS,
        format!("it takes {:.0} s", run.wall_seconds),
    );
}

/// Kills a restore with SIGKILL when it has created the webhooks.
fn killed_restore(api: &Api, workspace: &Workspace, to: &str, case: &mut Case<'_>) {
    for path in CONFIGURATIONS {
        // Only the configurations themselves are exempt from webhooks.
        let _ = api.delete(path);
    }
    until("nothing rejects the deletion of the Lease", || {
        match api.get(LEASE) {
            Err(_) => Ok(()),
            Ok(_) => api.delete(LEASE).map(drop).map_err(|error| error.to_string()),
        }
    });
    let mut restore = Running::start(workspace, &["restore", "latest", "--kubeconfig", to]);
    while restore.lives() && CONFIGURATIONS.iter().any(|path| api.get(path).is_err()) {
        pause(std::time::Duration::from_millis(2));
    }
    restore.kill();
    for path in CONFIGURATIONS {
        case.expect(
            api.get(path).is_ok(),
            format!("the restore has ended before it created {path}"),
        );
    }
}
