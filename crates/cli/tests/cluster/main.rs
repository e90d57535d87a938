//! Runs the program against real API servers, from a backup to a second restore.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Read;
use std::process::Stdio;

use lifeboat_local::{Cluster, ClusterOptions};

mod operator;
mod progress;
#[path = "../offline/run.rs"]
mod run;
mod schema;
mod storage;

use operator::Operator;

const APPLICATION: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop}
stringData: {password: canary-password}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{port: 80}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: everything-but-secrets}
rules:
- {apiGroups: [''], resources: [namespaces, configmaps, services, pods], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everything-but-secrets}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: everything-but-secrets}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: auditor}]
";

fn cluster(name: &str) -> Cluster {
    Cluster::start(ClusterOptions::named(name)).unwrap()
}

#[test]
fn from_a_backup_to_a_second_restore() {
    let source = cluster("cli-source");
    source.apply(APPLICATION).unwrap();
    let operator = Operator::new();
    let from = format!("--kubeconfig {}", source.kubeconfig().display());

    let backup = operator.json(&format!("backup {from} --cluster primary"), 0);
    assert_eq!(backup["completeness"], "Complete");
    assert!(
        backup["objects"].as_u64().unwrap() > 100 && backup["measured"]["seconds"]["capture"].is_number()
    );
    let point = backup["point"].as_str().unwrap().to_owned();

    let points = operator.json("points", 0);
    assert_eq!(points["points"][0]["point"], point.as_str());
    let shown = operator.json(&format!("show {point}"), 0);
    assert_eq!(shown["manifest"]["clusters"][0]["name"], "primary");
    let (code, table, _) = operator.run("show latest");
    assert!(
        code == 0 && table.contains("(verified)") && table.contains("configmaps"),
        "{table}"
    );
    assert_eq!(
        operator.json("verify latest", 0)["contents"]["objects"],
        backup["objects"]
    );

    printed_objects(&operator);
    differences(&operator, &source, &from, &point);
    partial_points(&operator, &source);
    one_backup_at_a_time(&operator, &from);
    refused_stores(&operator, &from);
    drop(source);

    let target = cluster("cli-target");
    let to = format!("--kubeconfig {}", target.kubeconfig().display());
    restores(&operator, &target, &to, &point);
}

fn printed_objects(operator: &Operator) {
    let (code, yaml, _) = operator.run("cat latest cm/settings");
    assert!(
        code == 0 && yaml.contains("  colour: blue\n") && yaml.starts_with("apiVersion: v1\n"),
        "{yaml}"
    );
    let exact = operator.json("cat latest configmap settings -n shop", 0);
    assert_eq!(exact["data"]["colour"], "blue");
    for format in ["", " -o json", " -o yaml"] {
        let (code, masked, _) = operator.run(&format!("cat latest secret db -n shop{format}"));
        assert!(code == 0 && masked.contains("masked"), "{masked}");
        assert!(
            !masked.contains("canary") && !masked.contains("Y2FuYXJ5"),
            "{masked}"
        );
    }
    let (_, revealed, _) = operator.run("cat latest secret db -n shop --reveal");
    assert!(
        revealed.contains("Y2FuYXJ5LXBhc3N3b3Jk"),
        "the value in base64: {revealed}"
    );
    for (line, code) in [
        ("cat latest cm/nothing", "LB-0508"),
        ("cat latest things/settings", "LB-0508"),
        ("cat latest cm", "LB-0010"),
        ("cat 1999 cm/settings", "LB-0501"),
    ] {
        let (exit, out, err) = operator.run(line);
        assert!(
            exit == 2 && out.is_empty() && err.starts_with(code),
            "{line}: {out}{err}"
        );
    }
}

fn differences(operator: &Operator, source: &Cluster, from: &str, point: &str) {
    let same = operator.json(&format!("diff latest {from}"), 0);
    assert_eq!(same["same"], true, "{same}");
    source
        .apply(
            &APPLICATION
                .replace("blue", "red")
                .replace("canary-password", "canary-changed"),
        )
        .unwrap();
    source
        .kubectl_output(&["-n", "shop", "delete", "service", "cart"])
        .unwrap();
    let (code, text, _) = operator.run(&format!("diff latest {from}"));
    assert_eq!(code, 1);
    assert!(text.contains("~ /data/colour: blue -> red"), "{text}");
    assert!(
        text.contains("- services shop/cart\n") && text.contains("~ secrets shop/db"),
        "{text}"
    );
    assert!(!text.contains("canary") && !text.contains("Y2FuYXJ5"), "{text}");

    operator.json(&format!("backup {from} --cluster primary -n shop"), 0);
    let between = operator.json(&format!("diff {point} latest -n shop --type cm"), 1);
    assert_eq!(between["changed"][0]["fields"][0]["path"], "/data/colour");
    source.apply(APPLICATION).unwrap();
}

fn partial_points(operator: &Operator, source: &Cluster) {
    let auditor = source.kubeconfig_for("auditor", None).unwrap();
    let line = format!("backup --kubeconfig {} --cluster primary", auditor.display());
    let (code, out, err) = operator.run(&line);
    assert_eq!(code, 3, "{out}{err}");
    assert!(
        out.contains("is Partial") && out.contains("secrets: list failed"),
        "{out}"
    );
    assert!(err.contains("LB-0201"), "{err}");
    let points = operator.json("points", 0);
    // Selected by completeness: points created in the same second have no defined order.
    let partial: Vec<&serde_json::Value> = (points["points"].as_array().unwrap().iter())
        .filter(|point| point["signed"]["completeness"] == "Partial")
        .collect();
    assert_eq!(partial.len(), 1, "{points}");
    let latest = operator.json("show latest-complete", 0);
    assert_ne!(latest["manifest"]["point"], partial[0]["point"]);
}

fn one_backup_at_a_time(operator: &Operator, from: &str) {
    let lock = operator.path().join("points/shop/.lock");
    let held = fs::File::options().read(true).write(true).open(lock).unwrap();
    held.lock().unwrap();
    let (code, out, err) = operator.run(&format!("backup {from} --progress never"));
    assert_eq!((code, out.as_str()), (7, ""));
    assert!(err.starts_with("LB-0305"), "{err}");
    drop(held);
}

fn refused_stores(operator: &Operator, from: &str) {
    let file = operator.path().join("file");
    fs::write(&file, "").unwrap();
    let (code, _, err) = operator.run(&format!("backup {from} --progress never --store file"));
    assert!(code == 8 && err.starts_with("LB-0301"), "{code} {err}");
    let (code, _, err) = operator.run(&format!("backup {from} --progress never --type nonsense"));
    assert!(code == 2 && err.starts_with("LB-0203"), "{code} {err}");
    let (code, _, err) = operator.run(&format!("backup {from} --progress never -n nonsense"));
    assert!(code == 2 && err.starts_with("LB-0203"), "{code} {err}");
}

fn restores(operator: &Operator, target: &Cluster, to: &str, point: &str) {
    let plan = operator.json(&format!("plan {point} {to}"), 0);
    let hash = plan["hash"].as_str().unwrap();
    assert_eq!(
        operator.json(&format!("plan {point} {to}"), 0)["hash"],
        hash,
        "the same wish, the same plan"
    );
    let (code, _, err) = operator.run(&format!(
        "restore {point} {to} --expect-plan 1234 --progress never"
    ));
    assert!(code == 10 && err.contains("LB-0604"), "{err}");
    assert!(
        target.kubectl_output(&["get", "namespace", "shop"]).is_err(),
        "a refused plan wrote"
    );

    let report = operator.json(&format!("restore {point} {to} --expect-plan {hash}"), 0);
    assert_eq!(report["verdict"], "matchesPlan");
    assert_eq!(report["summary"]["restored"], report["summary"]["planned"]);
    assert!(
        report["measured"]["seconds"]["proof"].is_number(),
        "{}",
        report["measured"]
    );
    let value = [
        "-n",
        "shop",
        "get",
        "configmap",
        "settings",
        "-o",
        "jsonpath={.data.colour}",
    ];
    assert_eq!(target.kubectl_output(&value).unwrap().trim(), "blue");
    assert!(
        target
            .kubectl_output(&["-n", "kube-system", "get", "lease", "lifeboat-restore"])
            .is_err(),
        "the lease is gone at the end"
    );

    let again = operator.json(&format!("restore {point} {to}"), 0);
    assert!(
        again["summary"]["kept"].as_u64().unwrap() > 0,
        "{}",
        again["summary"]
    );
    let unproven = operator.json(&format!("restore {point} {to} --no-proof"), 0);
    assert_eq!(unproven["verdict"], "notProven");
    let (code, text, _) = operator.run(&format!("restore {point} {to} --dry-run --existing update"));
    assert!(code == 0 && text.contains("hash "), "{text}");
    interrupted(operator, target, to, point);
    forbidden(operator, target, point);

    let points = operator.json("points", 0);
    let partial = points["points"][2]["point"].as_str().unwrap();
    let line = format!("restore {partial} {to} -n shop --map-namespace shop=partial");
    let report = operator.json(&line, 0);
    let lacks = report["missing"].as_array().unwrap();
    assert!(
        lacks.iter().any(|missing| missing["type"] == "secrets"),
        "{lacks:?}"
    );
    let (_, text, _) = operator.run(&line);
    assert!(text.contains("the recovery point is Partial; missing:"), "{text}");
}

/// A plan must report what a restore by the same user would be refused for.
fn forbidden(operator: &Operator, target: &Cluster, point: &str) {
    target.apply(READER).unwrap();
    let reader = target.kubeconfig_for("reader", None).unwrap();
    let arguments = format!(
        "{point} --kubeconfig {} -n shop --map-namespace shop=mine",
        reader.display()
    );
    let plan = operator.json(&format!("plan {arguments}"), 10);
    let refusals = plan["refusals"].as_array().unwrap();
    assert!(
        refusals
            .iter()
            .any(|refusal| refusal["code"] == "LB-0107"
                && refusal["message"].as_str().unwrap().contains("create")),
        "{refusals:?}"
    );
    let (code, text, _) = operator.run(&format!("plan {arguments}"));
    assert!(
        code == 10 && text.contains("refused LB-0107") && text.contains("fix: "),
        "{text}"
    );
}

const READER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: ['*'], resources: ['*'], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: reader}]
";

/// A restore that receives SIGINT must report it and give the target back, and the same command must complete it.
fn interrupted(operator: &Operator, target: &Cluster, to: &str, point: &str) {
    let line = format!("restore {point} {to} --map-namespace shop=copy");
    let mut child = operator.lifeboat(&line).stderr(Stdio::piped()).spawn().unwrap();
    let mut seen = String::new();
    let mut stderr = child.stderr.take().unwrap();
    let mut piece = [0; 256];
    // The Lease is held while the target is surveyed.
    while !seen.contains("reading the target") {
        let read = stderr.read(&mut piece).unwrap();
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    stderr.read_to_string(&mut seen).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{seen}");
    assert!(
        seen.contains("LB-0012") && seen.contains("run the same command again"),
        "{seen}"
    );
    for left in ["lease", "configmap"] {
        assert!(
            target
                .kubectl_output(&["-n", "kube-system", "get", left, "lifeboat-restore"])
                .is_err(),
            "nothing was written, and the target is free: {left}"
        );
    }
    let report = operator.json(&line, 0);
    assert_eq!(report["verdict"], "matchesPlan");
    assert_eq!(report["interrupted"], false, "{report}");
}
