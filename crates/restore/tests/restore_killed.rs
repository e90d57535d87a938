//! A restore that is killed at any of its writes, before or after the write takes effect, or at a read, is
//! continued by the same command and ends with the same cluster, the same plan and the same report: into an
//! empty target, and into one that contains other versions of the objects.

#[path = "restore/support.rs"]
#[expect(dead_code, reason = "the helpers are shared with the tests of the rules")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt as _;
use http::Request;
use kube::client::Body;
use lifeboat_apiserver::Api;
use lifeboat_apiserver::testing::{FailAt, Moment, failing_at};
use lifeboat_local::{Cluster, ClusterOptions};
use lifeboat_plan::{ExistingPolicy, RestoreOptions, SourceType};
use lifeboat_restore::execute::LeaseEnd;
use lifeboat_restore::lease::LEASE_NAME;
use lifeboat_restore::{LeaseHolder, RestoreError};
use serde_json::{Value, json};
use tower::{BoxError, service_fn};

use support::{Captured, connect, items, run};

/// The initial contents of the target, and how the restore changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    /// Nothing.
    Empty,
    /// Other versions of the objects, which are updated.
    Update,
    /// Other versions of the objects, which are deleted and created again.
    Recreate,
}

impl Scenario {
    fn options(self) -> RestoreOptions {
        RestoreOptions {
            existing: match self {
                Self::Empty => ExistingPolicy::Keep,
                Self::Update => ExistingPolicy::Update,
                Self::Recreate => ExistingPolicy::Recreate,
            },
            ..RestoreOptions::default()
        }
    }
}

/// Creates the initial contents of the target for round `n`.
async fn prepare(api: &Api, n: u64, scenario: Scenario) {
    if scenario == Scenario::Empty {
        return;
    }
    let mut older = captured(n, scenario);
    older.edit("ConfigMap", "several", |object| {
        object["data"] = json!({"a": "old", "c": "only here"});
    });
    older.edit("ConfigMap", "applied", |object| {
        object["data"]["a"] = "old".into()
    });
    older.edit("Secret", "plain", |object| {
        object["data"] = json!({"other": "b2xk"})
    });
    older.edit("Service", "web", |object| {
        object["spec"]["ports"][0]["port"] = 81.into()
    });
    older.edit("Ship", "ark", |object| {
        object["spec"] = json!({"n": 0, "old": true})
    });
    if scenario == Scenario::Recreate {
        older.edit("ConfigMap", "fixed", |object| object["data"]["a"] = "old".into());
    }
    // A finished Job cannot be changed.
    older.objects.retain(|(_, raw)| {
        let object: Value = serde_json::from_slice(raw).expect("captured objects are JSON");
        object["kind"] != "Job"
    });
    let options = RestoreOptions::default();
    let made = run(api, &older, &options, LeaseHolder::this_process()).await;
    let made = made.unwrap_or_else(|error| panic!("preparing round {n}: {error:?}"));
    assert!(made.outcome.is_complete(), "{:?}", made.outcome.results);
}

/// Each round with an empty target restores its own definition; the other rounds share one, because every
/// definition slows the API server down.
fn group(n: u64, scenario: Scenario) -> String {
    match scenario {
        Scenario::Empty => format!("kill{n:03}.example"),
        Scenario::Update | Scenario::Recreate => "kill.example".to_owned(),
    }
}

/// Returns what round `n` restores: objects of many types with names of their own, so that the rounds can
/// share a cluster.
fn captured(n: u64, scenario: Scenario) -> Captured {
    let namespace = format!("kill-{n:03}");
    let group = group(n, scenario);
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
    let fixed = json!({"metadata": {"name": "fixed", "namespace": namespace, "uid": "u-fixed"},
        "immutable": true, "data": {"a": "1"}});
    let fixed =
        (scenario == Scenario::Recreate).then_some((("", "v1", "configmaps", "ConfigMap", true), fixed));
    let mut captured = Captured::default();
    for ((of, version, resource, kind, namespaced), mut object) in objects.into_iter().chain(fixed) {
        if scenario != Scenario::Empty && kind == "CustomResourceDefinition" {
            continue;
        }
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

/// Returns everything that round `n` left in the cluster, without what differs from run to run.
async fn content(api: &Api, n: u64, scenario: Scenario) -> Vec<Value> {
    let mut all = Vec::new();
    for path in [
        format!("/api/v1/namespaces/kill-{n:03}/configmaps"),
        format!("/api/v1/namespaces/kill-{n:03}/secrets"),
        format!("/api/v1/namespaces/kill-{n:03}/services"),
        format!("/apis/batch/v1/namespaces/kill-{n:03}/jobs"),
        format!("/apis/{}/v1/namespaces/kill-{n:03}/ships", group(n, scenario)),
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
        // The server sorts entries by time, which is removed here.
        if let Some(entries) = object["metadata"]["managedFields"].as_array_mut() {
            entries.sort_by_cached_key(Value::to_string);
        }
        // The server labels a Job with its uid.
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
        .replace(&format!("kill-{n:03}"), "kill")
        .replace(&format!("kill{n:03}.example"), "kill.example");
    serde_json::from_str(&text).expect("still JSON")
}

fn dead_holder() -> LeaseHolder {
    LeaseHolder {
        // Larger than any process ID on Linux (`/proc/sys/kernel/pid_max` is at most 2^22).
        pid: 1 << 23,
        ..LeaseHolder::this_process()
    }
}

/// Returns a connection with its own Lease, so that rounds can run concurrently.
fn own_lease(api: &Api, n: u64) -> Api {
    let (client, name) = (api.client().clone(), format!("{LEASE_NAME}-{n:03}"));
    let service = service_fn(move |request: Request<Body>| {
        let (client, name) = (client.clone(), name.clone());
        async move {
            let path = request.uri().to_string();
            let lease = path.contains("/namespaces/kube-system/leases");
            if !lease {
                return Ok::<_, BoxError>(client.send(request).await?);
            }
            if request.method() == http::Method::PATCH {
                RENEWALS.fetch_add(1, Ordering::SeqCst);
            }
            let (mut parts, body) = request.into_parts();
            parts.uri = path.replace(LEASE_NAME, &name).parse()?;
            let body = String::from_utf8(body.collect_bytes().await?.to_vec())?;
            // A body that was built from an earlier response already contains the replaced name.
            let body = body.replace(&name, LEASE_NAME).replace(LEASE_NAME, &name);
            let body = Body::from(body.into_bytes());
            Ok(client.send(Request::from_parts(parts, body)).await?)
        }
    });
    Api::from_service(service, api.server())
}

/// The number of renewals of Leases, which depends on the duration of a run.
static RENEWALS: AtomicU64 = AtomicU64::new(0);

/// The part of a finished round that must be equal in all rounds.
#[derive(Debug, PartialEq)]
struct Ending {
    content: Vec<Value>,
    plan: Value,
    report: Value,
}

impl Ending {
    async fn of(api: &Api, n: u64, scenario: Scenario, done: &support::Restored) -> Self {
        assert!(
            done.outcome.is_complete(),
            "round {n}: {:?}",
            done.outcome.results
        );
        assert!(done.report.matches_plan(), "round {n}: {:?}", done.report);
        let mut plan = serde_json::to_value(&done.plan).expect("a plan can be written");
        // Digests depend on the number of the round.
        for object in plan["objects"].as_array_mut().into_iter().flatten() {
            object["digest"] = Value::Null;
        }
        plan["optionsDigest"] = Value::Null;
        let mut report = serde_json::to_value(&done.report).expect("a report can be written");
        report["plan"] = Value::Null;
        for changed in report["changed"].as_array_mut().into_iter().flatten() {
            let path = changed["path"].as_str().unwrap_or_default();
            // Any free address.
            if path.starts_with("/spec/clusterIP") {
                changed["to"] = Value::Null;
            }
        }
        // Other rounds create objects at the same time.
        let (namespace, group) = (format!("kill-{n:03}"), format!("kill{n:03}.example"));
        let mut others = 0;
        if let Some(unplanned) = report["unplanned"].as_array_mut() {
            let all = unplanned.len();
            unplanned.retain(|one| {
                let text = one.to_string();
                text.contains(&namespace) || text.contains(&group)
            });
            others = all - unplanned.len();
        }
        report["summary"]["unplanned"] =
            (report["summary"]["unplanned"].as_u64().unwrap_or(0) - others as u64).into();
        for document in [&mut plan, &mut report] {
            // For objects that the killed run recreated, the continuing run only sees a create: the plan's
            // hash does not distinguish the two either.
            if let Some(rules) = document["rules"].as_object_mut() {
                rules.remove("existing-recreated");
            }
        }
        let same = |document: Value| {
            let text = without_uids(&unnumbered(&document, n)).to_string();
            let text = text.replace(r#""action":"recreate""#, r#""action":"create""#);
            serde_json::from_str(&text).expect("still JSON")
        };
        Self {
            content: content(api, n, scenario).await,
            plan: same(plan),
            report: same(report),
        }
    }
}

fn is_not_renewed(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<RestoreError>();
    matches!(error, Some(RestoreError::Lease(LeaseEnd::NotRenewed { .. })))
}

/// Kills a restore, continues it, and compares.
async fn round(api: Api, n: u64, scenario: Scenario, at: FailAt, expected: Arc<Ending>) {
    let what = format!("{scenario:?}, killed at {at:?}");
    let api = own_lease(&api, n);
    prepare(&api, n, scenario).await;
    let (captured, options) = (captured(n, scenario), scenario.options());
    let (dying, _) = failing_at(&api, at);
    let died = run(&dying, &captured, &options, dead_holder()).await;
    assert!(died.is_err(), "{what}: it is part of the run");
    let done = loop {
        match run(&api, &captured, &options, LeaseHolder::this_process()).await {
            Ok(done) => break done,
            // On a busy machine the API server may not answer in time; the same command continues then, too.
            Err(error) if is_not_renewed(&error) => {}
            Err(error) => panic!("{what}: {error:?}"),
        }
    };
    let ending = Ending::of(&api, n, scenario, &done).await;
    assert_eq!(ending.plan, expected.plan, "{what}");
    for (found, expected) in ending.content.iter().zip(&expected.content) {
        assert_eq!(found, expected, "{what}");
    }
    assert_eq!(ending.content.len(), expected.content.len(), "{what}");
    assert_eq!(ending.report, expected.report, "{what}");
    if scenario == Scenario::Empty {
        let path =
            format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ships.kill{n:03}.example");
        let delete = Request::delete(path).body(Vec::new().into());
        let deleted = api.request(delete.expect("the path is one")).await;
        assert!(deleted.is_ok(), "{what}: {deleted:?}");
    }
}

/// The number of concurrent rounds: most of a round is latency.
const ROUNDS: usize = 12;
/// One in this many read requests is tested.
const READS: usize = 17;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_write_or_a_read_the_same_command_ends_in_the_same_state_and_report() {
    let cluster = Cluster::start(ClusterOptions::named("killed")).expect("the cluster starts");
    support::apply(
        &cluster,
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ships.kill.example}
spec:
  group: kill.example
  scope: Namespaced
  names: {plural: ships, singular: ship, kind: Ship, listKind: ShipList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
",
    );
    let api = connect(&cluster).await;
    let never = |only_writes| FailAt {
        request: u64::MAX,
        moment: Moment::Before,
        only_writes,
    };
    let mut rounds = Vec::new();
    let mut n = 0;
    for scenario in [Scenario::Empty, Scenario::Update, Scenario::Recreate] {
        n += 1;
        let own = own_lease(&api, n);
        prepare(&own, n, scenario).await;
        let before = RENEWALS.load(Ordering::SeqCst);
        let (counted, writes) = failing_at(&own, never(true));
        let (counted, requests) = failing_at(&counted, never(false));
        let clean = run(
            &counted,
            &captured(n, scenario),
            &scenario.options(),
            LeaseHolder::this_process(),
        )
        .await
        .expect("a clean run");
        let expected = Arc::new(Ending::of(&own, n, scenario, &clean).await);
        let renewals = RENEWALS.load(Ordering::SeqCst) - before;
        let (writes, requests) = (writes.get() - renewals, requests.get() - renewals);
        assert!(
            writes > 12 && requests > writes,
            "each object is at least one write"
        );
        // After the last write nothing is left to continue: the Lease was released.
        let of_writes = (0..writes).flat_map(|request| {
            [Moment::Before, Moment::After].map(|moment| FailAt {
                request,
                moment,
                only_writes: true,
            })
        });
        let of_writes = of_writes.take(usize::try_from(writes).expect("it is small") * 2 - 1);
        // A request that was not sent leaves the same state as the one before it, except for the pause
        // between them.
        let of_writes = of_writes.filter(|at| {
            scenario == Scenario::Empty || at.moment == Moment::After || at.request.is_multiple_of(4)
        });
        // The number of reads of a definition until it is established differs from run to run.
        let of_reads = (0..requests - 8).step_by(READS).map(|request| FailAt {
            request,
            moment: Moment::Before,
            only_writes: false,
        });
        for at in of_writes.chain(of_reads) {
            n += 1;
            rounds.push((n, scenario, at, expected.clone()));
        }
    }
    let count = rounds.len();
    let mut running = futures::stream::iter(rounds)
        .map(|(n, scenario, at, expected)| round(api.clone(), n, scenario, at, expected))
        .buffer_unordered(ROUNDS);
    let mut ended = 0;
    while running.next().await.is_some() {
        ended += 1;
    }
    assert_eq!(ended, count);
}
