//! Tests of real control planes: the properties of the sample application that other tests rely on,
//! and that neither a process nor a file remains after a launcher ends.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_local::{CANARY, Cluster, ClusterOptions, Sample, StartError, install_bundle, wait_until_quiet};
use serde_json::Value;

fn get(cluster: &Cluster, arguments: &str) -> Value {
    let arguments: Vec<_> = format!("get {arguments} --output=json")
        .split(' ')
        .map(str::to_owned)
        .collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    serde_json::from_str(&cluster.kubectl_output(&arguments).unwrap()).unwrap()
}

fn refusal(cluster: &Cluster, manifest: &str) -> String {
    cluster.apply(manifest).unwrap_err().to_string()
}

fn managers(object: &str, cluster: &Cluster) -> BTreeSet<(String, String)> {
    get(cluster, &format!("{object} --show-managed-fields"))["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["subresource"].is_null())
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            (text("manager"), text("operation"))
        })
        .collect()
}

fn workloads_are_ready(cluster: &Cluster) {
    let web = get(cluster, "deployment/web --namespace=shop");
    assert_eq!(web["status"]["readyReplicas"], 2);
    let postgres = get(cluster, "statefulset/postgres --namespace=shop-data");
    assert_eq!(postgres["status"]["readyReplicas"], 2);
    let agent = get(cluster, "daemonset/node-agent --namespace=shop-observability");
    assert_eq!(agent["status"]["numberReady"], 2);
    let job = get(cluster, "job/catalogue-import --namespace=shop");
    assert_eq!(job["status"]["succeeded"], 2);
    let owned = get(cluster, "job/nightly-report-by-hand --namespace=shop");
    assert_eq!(owned["metadata"]["ownerReferences"][0]["kind"], "CronJob");
    for claim in ["media --namespace=shop", "data-postgres-1 --namespace=shop-data"] {
        assert_eq!(
            get(cluster, &format!("pvc/{claim}"))["status"]["phase"],
            "Bound",
            "{claim}"
        );
    }
    let shell = get(cluster, "pod/admin-shell --namespace=shop");
    assert_eq!(shell["status"]["phase"], "Running");
    assert!(shell["metadata"]["ownerReferences"].is_null());
}

fn fields_have_the_owners_that_tools_leave(cluster: &Cluster) {
    let owner = |manager: &str, operation: &str| (manager.to_owned(), operation.to_owned());
    let web = managers("deployment/web --namespace=shop", cluster);
    assert!(web.contains(&owner("helm", "Update")), "{web:?}");
    assert!(web.contains(&owner("argocd-controller", "Apply")), "{web:?}");
    let payments = managers("networkpolicy/deny-all --namespace=shop-payments", cluster);
    assert_eq!(payments, BTreeSet::from([owner("argocd-controller", "Apply")]));
}

fn every_secret_carries_the_canary(cluster: &Cluster) {
    let secrets = get(cluster, "secrets --all-namespaces");
    let secrets = secrets["items"].as_array().unwrap();
    assert!(secrets.len() >= 7);
    for secret in secrets {
        let carried = secret["data"].as_object().unwrap().values().any(|value| {
            let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
            bytes
                .windows(CANARY.len())
                .any(|window| window == CANARY.as_bytes())
        });
        assert!(carried, "{}", secret["metadata"]["name"]);
    }
    let token = get(cluster, "secret/payments-token --namespace=shop-payments");
    assert!(
        token["data"]["token"].is_string(),
        "the token controller fills it"
    );
}

fn custom_resources_keep_their_numbers(cluster: &Cluster) {
    let ledger = get(cluster, "ledger/daily --namespace=shop");
    assert_eq!(ledger["spec"]["largest"].as_i64(), Some(i64::MAX));
    let storefront = get(cluster, "storefront/main --namespace=shop");
    assert_eq!(storefront["status"]["phase"], "Live");
    assert_eq!(
        storefront["spec"]["theme"]["serial"].as_i64(),
        Some(9_007_199_254_740_993)
    );
    let theme = get(cluster, "configmap/main-theme --namespace=shop");
    assert_eq!(
        theme["metadata"]["ownerReferences"][0]["uid"],
        storefront["metadata"]["uid"]
    );
}

fn admission_decides(cluster: &Cluster) {
    let stamped = get(cluster, "configmap/campaign --namespace=shop");
    assert_eq!(
        stamped["metadata"]["annotations"]["shop.example.com/admitted"],
        "true"
    );
    let forbidden = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x, namespace: shop, \
                     annotations: { shop.example.com/forbidden: \"true\" } }\n";
    assert!(refusal(cluster, forbidden).contains("are forbidden"));
    let watched = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: fraud-rules, namespace: shop-payments, \
                   labels: { shop.example.com/fraud-check: required } }\ndata: { limit: \"1\" }\n";
    let dead = cluster
        .kubectl_with_input(
            &["apply", "--server-side", "--force-conflicts", "-f", "-"],
            watched,
        )
        .unwrap_err()
        .to_string();
    assert!(dead.contains("failed calling webhook"), "{dead}");
    let patch = r#"--patch={"spec":{"replicas":51}}"#;
    let scaled = cluster
        .kubectl_output(&["patch", "deployment/web", "--namespace=shop", patch])
        .unwrap_err()
        .to_string();
    assert!(scaled.contains("that many replicas"), "{scaled}");
}

fn a_user_without_rights_is_refused(cluster: &Cluster) {
    let kubeconfig = cluster
        .kubeconfig_for("shop:nobody", Some("shop:guests"))
        .unwrap();
    let kubeconfig = kubeconfig.to_string_lossy().into_owned();
    let error = cluster
        .kubectl_output(&["get", "secrets", "--kubeconfig", &kubeconfig])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("Forbidden") && error.contains("shop:nobody"),
        "{error}"
    );
}

/// One cluster for all checks: its start takes most of the time.
#[test]
fn the_sample_application_is_what_its_users_rely_on() {
    let mut cluster = Cluster::start(ClusterOptions {
        service_cidr: Some("10.111.0.0/20".into()),
        ..ClusterOptions::named("sample").with_nodes(2)
    })
    .unwrap();
    let _sample = Sample::install(&cluster).unwrap();
    workloads_are_ready(&cluster);
    fields_have_the_owners_that_tools_leave(&cluster);
    every_secret_carries_the_canary(&cluster);
    custom_resources_keep_their_numbers(&cluster);
    let deleted = get(&cluster, "configmap/being-deleted --namespace=shop");
    assert!(deleted["metadata"]["deletionTimestamp"].is_string());
    let resolver = get(&cluster, "service/kube-dns --namespace=kube-system");
    assert_eq!(resolver["spec"]["clusterIP"], "10.111.0.10");
    let inventory = get(&cluster, "apiservice/v1alpha1.inventory.example.com");
    assert_eq!(inventory["status"]["conditions"][0]["status"], "False");
    admission_decides(&cluster);
    a_user_without_rights_is_refused(&cluster);

    cluster.kill_api_server();
    assert!(
        cluster
            .kubectl_output(&["get", "namespaces", "--request-timeout=2s"])
            .is_err()
    );
    cluster.restart_api_server().unwrap();
    assert_eq!(get(&cluster, "namespace/shop")["status"]["phase"], "Active");

    let (folder, processes) = (cluster.dir().to_owned(), cluster.process_ids());
    drop(cluster);
    assert!(!folder.exists());
    assert_eq!(alive(&processes), Vec::<u32>::new());
}

/// Objects that come before their definition and their namespace are applied, and what cannot be
/// applied is reported.
#[test]
fn a_bundle_in_the_wrong_order_is_installed() {
    let cluster = Cluster::start(ClusterOptions::named("bundle")).unwrap();
    let file = cluster.dir().join("bundle.yaml");
    let bundle = "
apiVersion: boats.example.com/v1
kind: Boat
metadata: { name: one, namespace: harbour }
---
apiVersion: nowhere.example.com/v1
kind: Ghost
metadata: { name: ghost, namespace: harbour }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: boats.boats.example.com }
spec:
  group: boats.example.com
  scope: Namespaced
  names: { kind: Boat, plural: boats, singular: boat, listKind: BoatList }
  versions: [{ name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object } } }]
---
apiVersion: v1
kind: Namespace
metadata: { name: harbour }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: one, namespace: default }
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: closed }
spec:
  matchConstraints:
    resourceRules:
    - { apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps] }
  validations: [{ expression: \"false\", message: closed }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: closed }
spec: { policyName: closed, validationActions: [Deny] }
";
    std::fs::write(&file, bundle).unwrap();
    let outcome = install_bundle(&cluster, &file).unwrap();
    assert!(outcome.applied.len() == 6 && outcome.passes > 1, "{outcome}");
    assert!(outcome.applied.contains("boats.boats.example.com harbour/one"));
    assert!(outcome.applied.contains("configmaps default/one"));
    // The ConfigMap is applied, although the rule that comes after it rejects it in later passes.
    assert!(
        outcome.refused.iter().any(|line| line.contains("Ghost"))
            && !outcome.refused.iter().any(|line| line.contains("closed")),
        "{outcome}"
    );
    assert_eq!(get(&cluster, "boat/one --namespace=harbour")["kind"], "Boat");
    let quiet = wait_until_quiet(&cluster, Duration::from_secs(30)).unwrap();
    assert!(quiet.reached, "{quiet}");
    assert!(install_bundle(&cluster, Path::new("/nowhere")).is_err());
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    let error = Cluster::start(ClusterOptions {
        api_server_args: vec!["--no-such-flag".into()],
        ..ClusterOptions::named("broken")
    })
    .unwrap_err();
    assert!(error.to_string().contains("no-such-flag"), "{error}");
    let error = Cluster::start(ClusterOptions {
        service_cidr: Some("here".into()),
        ..ClusterOptions::default()
    })
    .unwrap_err();
    assert!(matches!(error, StartError::ServiceRange { .. }), "{error}");
}

/// The launcher is killed without a chance to clean up: the kernel closes its pipes, and that must be enough.
#[test]
fn nothing_outlives_a_launcher_that_is_killed() {
    let mut launcher = Command::new(env!("CARGO_BIN_EXE_lifeboat-local"))
        .args(["up", "--name=orphan", "--nodes=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(launcher.stdout.take().unwrap());
    let mut folder = PathBuf::new();
    for line in output.lines() {
        let line = line.unwrap();
        if let Some(kubeconfig) = line.strip_prefix("orphan ") {
            folder = Path::new(kubeconfig).parent().unwrap().to_owned();
        }
        if line == "ready" {
            break;
        }
    }
    assert!(folder.is_dir());
    let children = children_of(launcher.id());
    assert_eq!(children.len(), 6, "five servers and the sweeper");

    launcher.kill().unwrap();
    launcher.wait().unwrap();
    let began = Instant::now();
    while folder.exists() || !alive(&children).is_empty() {
        let left = alive(&children);
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{left:?} and {folder:?} are left"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn children_of(parent: u32) -> Vec<u32> {
    let output = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid="])
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let mut numbers = line
                .split_whitespace()
                .map(|number| number.parse::<u32>().unwrap());
            let (pid, ppid) = (numbers.next()?, numbers.next()?);
            (ppid == parent).then_some(pid)
        })
        .collect()
}

/// Returns those that still run. A process that has ended but was not yet reaped by its new parent does not count.
fn alive(processes: &[u32]) -> Vec<u32> {
    processes
        .iter()
        .copied()
        .filter(|process| {
            let output = Command::new("ps")
                .args(["-o", "stat=", "-p", &process.to_string()])
                .output()
                .unwrap();
            let state = String::from_utf8(output.stdout).unwrap();
            !state.trim().is_empty() && !state.trim().starts_with('Z')
        })
        .collect()
}
