//! Options of the user: the selection of objects, another namespace, patches, and the treatment of
//! objects that exist already.

use lifeboat_local::Cluster;
use lifeboat_tests::snapshot::http::Http;
use lifeboat_tests::snapshot::{Key, Snapshot, text};
use lifeboat_tests::workspace::Workspace;
use serde_json::{Value, json};

use crate::support::{bare, block, fill, kubeconfig, snapshot, written};

const OBJECTS: usize = 400;

/// Custom resources need their definition, which is not part of a selected namespace.
const WITHOUT: [&str; 2] = ["--exclude-type", "certificates.bench.example.com"];

/// Objects that contain the name of their namespace in further fields.
const ACCESS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: bench-01}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: robot, namespace: bench-01}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {kind: ServiceAccount, name: robot, namespace: bench-01}
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: 'system:serviceaccount:bench-01:robot'}
- {kind: Group, apiGroup: rbac.authorization.k8s.io, name: 'system:serviceaccounts:bench-01'}
";

#[test]
fn selection_namespaces_patches_and_existing_objects() {
    let source = bare("choice-source");
    fill(&source, OBJECTS);
    source.apply(ACCESS).unwrap();
    let workspace = Workspace::create().unwrap();
    let from = kubeconfig(&source);
    workspace
        .json(&["backup", "--cluster", "primary", "--kubeconfig", &from], &[0])
        .unwrap();
    let original = snapshot(&source);
    drop(source);
    let target = bare("choice-target");

    a_left_out_definition_is_named(&workspace, &target);
    one_namespace(&workspace, &target, &original);
    under_another_name(&workspace, &target);
    patched(&workspace, &target);
    existing_objects(&workspace, &target);
}

fn restore(workspace: &Workspace, target: &Cluster, more: &[&str]) -> Value {
    let to = kubeconfig(target);
    let mut arguments = vec!["restore", "latest", "--kubeconfig", &to];
    arguments.extend(more);
    workspace.json(&arguments, &[0]).unwrap().0
}

/// Returns the objects of a namespace, with that namespace replaced by `named`.
fn inside(snapshot: &Snapshot, namespace: &str, named: &str) -> Vec<Key> {
    let mut keys: Vec<Key> = snapshot
        .objects
        .keys()
        .filter(|key| key.namespace == namespace || (key.type_name == "namespaces" && key.name == namespace))
        .filter(|key| key.type_name != "certificates.bench.example.com")
        // Every target creates its own; a target without controllers creates none.
        .filter(|key| key.name != "kube-root-ca.crt")
        .cloned()
        .map(|mut key| {
            if key.type_name == "namespaces" {
                named.clone_into(&mut key.name);
            } else {
                named.clone_into(&mut key.namespace);
            }
            key
        })
        .collect();
    keys.sort();
    keys
}

fn a_left_out_definition_is_named(workspace: &Workspace, target: &Cluster) {
    let before = snapshot(target);
    let to = kubeconfig(target);
    // The objects of this namespace are custom resources.
    let run = workspace
        .run(&[
            "restore",
            "latest",
            "--kubeconfig",
            &to,
            "--namespace",
            "bench-18",
        ])
        .unwrap();
    assert_eq!(run.code, Some(10), "{}{}", run.stdout, run.stderr);
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(
        said.contains("LB-0605") && said.contains("certificates.bench.example.com"),
        "{said}"
    );
    assert_eq!(written(&before, &snapshot(target)), Vec::<String>::new());
}

fn one_namespace(workspace: &Workspace, target: &Cluster, original: &Snapshot) {
    let before = snapshot(target);
    restore(
        workspace,
        target,
        &[&["--namespace", "bench-01"], &WITHOUT[..]].concat(),
    );
    let after = snapshot(target);
    let new: Vec<Key> = after
        .objects
        .keys()
        .filter(|key| !before.objects.contains_key(key) && !key.type_name.starts_with("leases."))
        .cloned()
        .collect();
    assert_eq!(new, inside(original, "bench-01", "bench-01"));
}

fn under_another_name(workspace: &Workspace, target: &Cluster) {
    let before = snapshot(target);
    let arguments = ["--namespace", "bench-01", "--map-namespace", "bench-01=copy"];
    restore(workspace, target, &[&arguments[..], &WITHOUT[..]].concat());
    let after = snapshot(target);
    assert_eq!(
        inside(&after, "copy", "copy"),
        inside(&before, "bench-01", "copy"),
        "everything is there under the other name"
    );
    for key in inside(&before, "bench-01", "bench-01") {
        assert_eq!(before.get(&key), after.get(&key), "{key} was touched");
    }
    let binding = Key::new("rolebindings.rbac.authorization.k8s.io", "copy", "robot");
    let subjects = &after.get(&binding).unwrap()["subjects"];
    assert_eq!(subjects[0]["namespace"], "copy");
    assert_eq!(subjects[1]["name"], "system:serviceaccount:copy:robot");
    assert_eq!(subjects[2]["name"], "system:serviceaccounts:copy");
}

fn patched(workspace: &Workspace, target: &Cluster) {
    let file = workspace.path().join("replicas.yaml");
    std::fs::write(
        &file,
        "format: lifeboat.dev/patches/v1
patches:
- name: one replica
  when: {types: [deployments.apps]}
  merge: {spec: {replicas: 1}}
- name: other images
  when: {types: [deployments.apps]}
  jsonPatch: [{op: replace, path: /spec/template/spec/containers/0/image, value: registry.example.com/other}]
",
    )
    .unwrap();
    let file = file.to_string_lossy().into_owned();
    let arguments = ["--namespace", "bench-09", "--patches", &file];
    let report = restore(workspace, target, &[&arguments[..], &WITHOUT[..]].concat());
    let after = snapshot(target);
    let deployments: Vec<_> = after
        .of_type("deployments.apps")
        .filter(|(key, _)| key.namespace == "bench-09")
        .collect();
    assert!(!deployments.is_empty());
    for (key, object) in deployments {
        assert_eq!(object["spec"]["replicas"], 1, "{key}");
        let image = text(object, "/spec/template/spec/containers/0/image");
        assert_eq!(image, "registry.example.com/other", "{key}");
        let changed = report["changed"].to_string();
        assert!(
            changed.contains(&key.name) && changed.contains("/spec/replicas"),
            "{key}: {changed}"
        );
    }
}

fn existing_objects(workspace: &Workspace, target: &Cluster) {
    let http = block(Http::connect(target.kubeconfig())).unwrap();
    let state = snapshot(target);
    let maps: Vec<&Key> = state
        .of_type("configmaps")
        .map(|(key, _)| key)
        .filter(|key| key.namespace == "bench-01")
        .collect();
    let [changed, deleted] = maps[..2] else {
        panic!("two ConfigMaps are needed, not {maps:?}");
    };
    let path = |key: &Key| format!("/api/v1/namespaces/{}/configmaps/{}", key.namespace, key.name);
    let original = block(http.get(&path(changed))).unwrap();
    block(http.merge(
        &path(changed),
        &json!({"data": {"application.properties": "by hand"}}),
    ))
    .unwrap();
    block(http.delete(&path(deleted))).unwrap();
    let namespace = ["--namespace", "bench-01"];

    let report = restore(workspace, target, &[&namespace[..], &WITHOUT[..]].concat());
    let kept = block(http.get(&path(changed))).unwrap();
    assert_eq!(
        kept["data"]["application.properties"], "by hand",
        "keep is the default"
    );
    assert!(
        report.to_string().contains(&changed.name),
        "the difference is reported: {report}"
    );
    block(http.get(&path(deleted))).expect("what was missing is there again");

    let update = [&namespace[..], &["--existing", "update"], &WITHOUT[..]].concat();
    restore(workspace, target, &update);
    let updated = block(http.get(&path(changed))).unwrap();
    assert_eq!(updated["data"], original["data"]);
    assert_eq!(updated["metadata"]["uid"], original["metadata"]["uid"]);

    let recreate = [
        &namespace[..],
        &["--existing", "recreate", "--type", "configmaps"],
    ]
    .concat();
    restore(workspace, target, &recreate);
    let recreated = block(http.get(&path(changed))).unwrap();
    assert_eq!(recreated["data"], original["data"]);
    assert_ne!(recreated["metadata"]["uid"], original["metadata"]["uid"]);
}
