//! A restore that is killed at any of its writes, before or after the write takes effect, is continued
//! by the same command and ends with the same cluster and the same report.

#[path = "restore/support.rs"]
#[expect(dead_code, reason = "the helpers are shared with the tests of the rules")]
mod support;

use lifeboat_kubernetes::Api;
use lifeboat_kubernetes::restore::Holder;
use lifeboat_kubernetes::testing::{FailAt, FailingTransport, Moment};
use lifeboat_local::{Cluster, ClusterOptions};
use lifeboat_plan::{RestoreOptions, SourceType};
use serde_json::{Value, json};
use support::{Captured, connect, items, run};

/// What is restored in round `n`: objects of many sorts of their own, so that the rounds share a
/// cluster.
fn captured(n: u64) -> Captured {
    let namespace = format!("kill-{n}");
    let group = format!("kill{n}.example");
    let owner = |manager: &str, operation: &str, fields: Value| {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1",
            "time": "2026-11-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
    };
    let data = json!({"f:data": {".": {}, "f:a": {}}});
    let more = json!({"f:data": {"f:b": {}}});
    let objects = [
        (
            (
                "apiextensions.k8s.io",
                "v1",
                "customresourcedefinitions",
                "CustomResourceDefinition",
                false,
            ),
            json!({"metadata": {"name": format!("ships.{group}"), "uid": "u-crd"}, "spec": {
                "group": group, "scope": "Namespaced", "conversion": {"strategy": "None"},
                "names": {"plural": "ships", "singular": "ship", "kind": "Ship", "listKind": "ShipList"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object",
                        "x-kubernetes-preserve-unknown-fields": true}}}]}}),
        ),
        (
            ("", "v1", "namespaces", "Namespace", false),
            json!({"metadata": {"name": namespace, "uid": "u-ns"}, "spec": {"finalizers": ["kubernetes"]}}),
        ),
        (
            ("", "v1", "configmaps", "ConfigMap", true),
            json!({"metadata": {"name": "several", "namespace": namespace, "uid": "u-several",
                "managedFields": [owner("one", "Update", data.clone()), owner("two", "Update", more)]},
                "data": {"a": "1", "b": "2"}}),
        ),
        (
            ("", "v1", "configmaps", "ConfigMap", true),
            json!({"metadata": {"name": "applied", "namespace": namespace, "uid": "u-applied",
                "managedFields": [owner("flux", "Apply", data)]}, "data": {"a": "1"}}),
        ),
        (
            ("", "v1", "secrets", "Secret", true),
            json!({"metadata": {"name": "plain", "namespace": namespace, "uid": "u-secret"},
                "type": "Opaque", "data": {"key": "Y2FuYXJ5"}}),
        ),
        (
            ("", "v1", "services", "Service", true),
            json!({"metadata": {"name": "web", "namespace": namespace, "uid": "u-service"},
                "spec": {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                    "sessionAffinity": "None"}}),
        ),
        (
            (group.as_str(), "v1", "ships", "Ship", true),
            json!({"metadata": {"name": "ark", "namespace": namespace, "uid": "u-ark"}, "spec": {"n": 1}}),
        ),
        (
            ("", "v1", "configmaps", "ConfigMap", true),
            json!({"metadata": {"name": "cargo", "namespace": namespace, "uid": "u-cargo",
                "ownerReferences": [{"apiVersion": format!("{group}/v1"), "kind": "Ship", "name": "ark",
                    "uid": "u-ark"}]}, "data": {"c": "d"}}),
        ),
        (
            ("batch", "v1", "jobs", "Job", true),
            json!({"metadata": {"name": "once", "namespace": namespace, "uid": "u-job"},
                "spec": {"parallelism": 1, "completions": 1, "backoffLimit": 6, "suspend": false,
                    "completionMode": "NonIndexed",
                    "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-job"}},
                    "template": {"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "u-job"}},
                        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]}}},
                "status": {"startTime": "2026-11-01T00:00:00Z", "completionTime": "2026-11-01T00:00:09Z",
                    "succeeded": 1, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {},
                    "conditions": [
                        {"type": "SuccessCriteriaMet", "status": "True",
                            "lastTransitionTime": "2026-11-01T00:00:09Z"},
                        {"type": "Complete", "status": "True",
                            "lastTransitionTime": "2026-11-01T00:00:09Z"}]}}),
        ),
    ];
    let mut captured = Captured::default();
    for ((of, version, resource, kind, namespaced), mut object) in objects {
        let resource = lifeboat_model::ResourceType {
            group: of.into(),
            version: version.into(),
            resource: resource.into(),
            kind: kind.into(),
            namespaced,
        };
        object["apiVersion"] = resource.api_version().into();
        object["kind"] = kind.into();
        object["metadata"]["resourceVersion"] = "7".into();
        object["metadata"]["creationTimestamp"] = "2026-11-01T00:00:00Z".into();
        let known = captured
            .types
            .iter()
            .position(|known: &SourceType| known.resource == resource);
        let at = known.unwrap_or_else(|| {
            captured.types.push(SourceType {
                custom: of == group,
                singular: String::new(),
                short_names: Vec::new(),
                verbs: Vec::new(),
                served_versions: vec![resource.version.clone()],
                resource,
            });
            captured.types.len() - 1
        });
        captured
            .objects
            .push((at, serde_json::to_vec(&object).expect("a value can be written")));
    }
    captured
}

/// Everything that round `n` left in the cluster, without what differs from run to run.
async fn content(api: &Api, n: u64) -> Vec<Value> {
    let mut all = Vec::new();
    for path in [
        format!("/api/v1/namespaces/kill-{n}/configmaps"),
        format!("/api/v1/namespaces/kill-{n}/secrets"),
        format!("/api/v1/namespaces/kill-{n}/services"),
        format!("/apis/batch/v1/namespaces/kill-{n}/jobs"),
        format!("/apis/kill{n}.example/v1/namespaces/kill-{n}/ships"),
    ] {
        let list: Value = api
            .get_json(&path)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        all.extend(items(&list));
    }
    let ark = all
        .iter()
        .find(|object| object["metadata"]["name"] == "ark")
        .cloned();
    let ark = ark.expect("the ship was restored")["metadata"]["uid"].clone();
    for object in &mut all {
        if let Some(owner) = object.pointer_mut("/metadata/ownerReferences/0") {
            assert_eq!(owner["uid"], ark, "the reference follows the owner");
            owner["uid"] = Value::Null;
        }
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
            object["metadata"][field] = Value::Null;
        }
        for field in ["clusterIP", "clusterIPs"] {
            if object["spec"][field].is_null() {
                continue;
            }
            object["spec"][field] = Value::Null;
        }
        for entry in object["metadata"]["managedFields"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            entry["time"] = Value::Null;
        }
        // Entries are sorted by time first, which is gone.
        if let Some(entries) = object["metadata"]["managedFields"].as_array_mut() {
            entries.sort_by_cached_key(Value::to_string);
        }
        // The server labels a Job by its uid.
        *object = without_uids(object);
    }
    all.into_iter().map(|object| unnumbered(&object, n)).collect()
}

fn without_uids(object: &Value) -> Value {
    let text = object.to_string();
    let mut out = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    let is_uid = |at: usize| {
        bytes.get(at..at + 36).is_some_and(|part| {
            part.iter().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => *b == b'-',
                _ => b.is_ascii_hexdigit(),
            })
        })
    };
    let mut at = 0;
    while at < text.len() {
        if is_uid(at) {
            out.push_str("UID");
            at += 36;
        } else {
            let next = text[at..].chars().next().expect("not at the end");
            out.push(next);
            at += next.len_utf8();
        }
    }
    serde_json::from_str(&out).expect("still JSON")
}

fn unnumbered(value: &Value, n: u64) -> Value {
    let text = value.to_string();
    let text = text
        .replace(&format!("kill-{n}"), "kill")
        .replace(&format!("kill{n}.example"), "kill.example");
    serde_json::from_str(&text).expect("still JSON")
}

fn dead_holder() -> Holder {
    Holder {
        // Larger than any process number that Linux gives (`/proc/sys/kernel/pid_max` is at most 2^22).
        pid: 1 << 23,
        ..Holder::this_process()
    }
}

#[tokio::test]
async fn killed_at_any_write_the_same_command_ends_in_the_same_state_and_report() {
    let cluster = Cluster::start(ClusterOptions::named("killed")).expect("the cluster starts");
    let api = connect(&cluster).await;
    let options = RestoreOptions::default();
    let fail = |request, moment| FailAt {
        request,
        moment,
        only_writes: true,
    };

    let (counted, writes) = FailingTransport::around(&api, fail(u64::MAX, Moment::Before));
    let clean = run(&counted, &captured(0), &options, Holder::this_process())
        .await
        .expect("a clean run");
    assert!(clean.outcome.is_complete(), "{:?}", clean.outcome.results);
    let report = |done: &support::Restored, n| {
        let mut report = serde_json::to_value(&done.report).expect("a report can be written");
        // The plan's hash covers the number of the round; addresses are any free ones.
        report["plan"] = Value::Null;
        for changed in report["changed"].as_array_mut().into_iter().flatten() {
            if changed["path"]
                .as_str()
                .is_some_and(|path| path.starts_with("/spec/clusterIP"))
            {
                changed["to"] = Value::Null;
            }
        }
        without_uids(&unnumbered(&report, n))
    };
    let expected = (content(&api, 0).await, report(&clean, 0));
    let writes = writes.get();
    assert!(writes > 12, "each object is at least one write");

    let mut n = 0;
    for at in 0..writes {
        for moment in [Moment::Before, Moment::After] {
            n += 1;
            let (dying, _) = FailingTransport::around(&api, fail(at, moment));
            let died = run(&dying, &captured(n), &options, dead_holder()).await;
            assert!(died.is_err(), "write {at} is part of the run");
            if (at, moment) == (writes - 1, Moment::After) {
                // The lease was given back: the restore is over, and the same command finds all there.
                assert_eq!(content(&api, n).await, expected.0, "after the last write");
                continue;
            }
            let done = run(&api, &captured(n), &options, Holder::this_process())
                .await
                .unwrap_or_else(|error| panic!("after write {at} {moment:?}: {error:?}"));
            assert!(
                done.outcome.is_complete(),
                "after write {at} {moment:?}: {:?}",
                done.outcome.results
            );
            let plan = |done: &support::Restored, n| {
                unnumbered(
                    &serde_json::to_value(&done.plan).expect("a plan can be written"),
                    n,
                )
            };
            // Digests of bodies hold the round's number.
            let without_digests = |mut plan: Value| {
                for object in plan["objects"].as_array_mut().into_iter().flatten() {
                    object["digest"] = Value::Null;
                }
                plan["optionsDigest"] = Value::Null;
                plan
            };
            assert_eq!(
                without_digests(plan(&done, n)),
                without_digests(plan(&clean, 0)),
                "the plan after write {at} {moment:?}"
            );
            for (found, expected) in content(&api, n).await.iter().zip(&expected.0) {
                assert_eq!(found, expected, "after write {at} {moment:?}");
            }
            assert_eq!(
                content(&api, n).await.len(),
                expected.0.len(),
                "after write {at} {moment:?}"
            );
            assert_eq!(
                report(&done, n),
                expected.1,
                "the report after write {at} {moment:?}"
            );
        }
    }
}
