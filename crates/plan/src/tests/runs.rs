//! Objects that run, or that are older than what judges them: children of controllers, deferred fields, the order of
//! admission, and the Pods of workloads.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::testing::{Fixture, find, left_out, merge, named, rules};
use crate::{Deferred, DeferredUntil, Edit, RuleId, StatusPlan, Step, Wave};

fn cluster_scoped(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = named(api_version, kind, name, rest);
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    object
}

fn owned_by(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"metadata": {"ownerReferences": [
        {"apiVersion": api_version, "kind": kind, "name": name, "uid": format!("uid-{name}"), "controller": true}]}})
}

fn with(mut object: Value, rest: Value) -> Value {
    merge(&mut object, rest);
    object
}

fn pod_of(owner: (&str, &str, &str), name: &str, images: &[(&str, &str)], hash: (&str, &str)) -> Value {
    let containers: Vec<Value> = images
        .iter()
        .map(|(name, image)| json!({"name": name, "image": image}))
        .collect();
    let pod = named(
        "v1",
        "Pod",
        name,
        json!({"metadata": {"labels": {"app": "web", hash.0: hash.1}}, "spec": {"containers": containers},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}),
    );
    with(pod, owned_by(owner.0, owner.1, owner.2))
}

fn deployment(name: &str, rest: Value) -> Value {
    let spec = json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": "web:2"}]}}}});
    with(named("apps/v1", "Deployment", name, spec), rest)
}

fn replica_set(deployment: &str, name: &str, revision: &str, replicas: u32) -> Value {
    let set = json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": revision}},
        "spec": {"replicas": replicas}});
    with(
        named("apps/v1", "ReplicaSet", name, set),
        owned_by("apps/v1", "Deployment", deployment),
    )
}

#[test]
fn replica_sets_of_a_paused_deployment_come_along() {
    let fixture = Fixture::new([
        deployment("web", json!({"spec": {"paused": true}})),
        replica_set("web", "web-1", "1", 2),
        replica_set("web", "web-0", "0", 0),
        deployment("other", json!({})),
        replica_set("other", "other-1", "2", 2),
    ]);
    let plan = fixture.plan();
    let (owner, set) = (
        find(&plan, "deployments.apps shop/web"),
        find(&plan, "replicasets.apps shop/web-1"),
    );
    assert!((owner.wave, owner.depth) < (set.wave, set.depth));
    assert_eq!(set.owners.len(), 1);
    for child in ["shop/web-0", "shop/other-1"] {
        let entry = left_out(&plan, &format!("replicasets.apps {child}"));
        assert_eq!(entry.rule, RuleId::ChildOfController, "{child}");
    }
}

#[test]
fn a_run_of_a_cronjob_that_has_not_finished_is_restored() {
    let run = |name: &str, status: Value| {
        let job = with(
            named("batch/v1", "Job", name, json!({ "status": status })),
            json!({}),
        );
        with(job, owned_by("batch/v1", "CronJob", "closing"))
    };
    let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    let fixture = Fixture::new([
        named("batch/v1", "CronJob", "closing", json!({})),
        run("by-hand", json!({"active": 1})),
        run("done", complete),
    ]);
    let plan = fixture.plan();
    assert_eq!(find(&plan, "jobs.batch shop/by-hand").owners.len(), 1);
    assert_eq!(left_out(&plan, "jobs.batch shop/done").rule, RuleId::FinishedRun);
}

#[test]
fn a_job_goes_on_with_the_work_that_is_left() {
    let job = named(
        "batch/v1",
        "Job",
        "import",
        json!({"spec": {"completions": 5, "completionMode": "Indexed"},
            "status": {"active": 2, "startTime": "2026-11-21T10:00:00Z", "succeeded": 3, "completedIndexes": "0-2"}}),
    );
    let fixture = Fixture::new([job]);
    let plan = fixture.plan();
    let planned = find(&plan, "jobs.batch shop/import");
    assert_eq!(rules(planned), [RuleId::JobContinued]);
    assert_eq!(
        (planned.status, &planned.after[..]),
        (
            StatusPlan::Restore,
            &[Step::FinishJob, Step::SetManagedFields][..]
        )
    );
    let bodies = fixture.bodies(&plan, "jobs.batch shop/import");
    assert_eq!(bodies.create["spec"]["suspend"], true);
    assert_eq!(bodies.suspend, Some(false));
    assert_eq!(
        bodies.status,
        Some(json!({"succeeded": 3, "completedIndexes": "0-2"}))
    );
}

#[test]
fn a_slice_is_left_to_the_controller_only_if_its_service_selects() {
    let slice = |name: &str, service: &str| {
        named(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            name,
            json!({"metadata": {"labels": {"kubernetes.io/service-name": service,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}}}),
        )
    };
    let fixture = Fixture::new([
        named("v1", "Service", "old", json!({"spec": {}})),
        named(
            "v1",
            "Service",
            "new",
            json!({"spec": {"selector": {"app": "db"}}}),
        ),
        slice("old-x", "old"),
        slice("new-x", "new"),
    ]);
    let plan = fixture.plan();
    find(&plan, "endpointslices.discovery.k8s.io shop/old-x");
    let left = left_out(&plan, "endpointslices.discovery.k8s.io shop/new-x");
    assert_eq!(left.rule, RuleId::EndpointsOfSelector);
}

#[test]
fn an_address_of_another_owner_stays_reserved() {
    let address = |name: &str, by: &str, resource: &str| {
        cluster_scoped(
            "networking.k8s.io/v1",
            "IPAddress",
            name,
            json!({"metadata": {"labels": {"ipaddress.kubernetes.io/managed-by": by}},
                "spec": {"parentRef": {"resource": resource, "name": "x"}}}),
        )
    };
    let fixture = Fixture::new([
        address("10.96.0.9", "ipallocator.k8s.io", "services"),
        address("10.96.200.200", "network-team", "services"),
        named("v1", "Service", "x", json!({"spec": {}})),
    ]);
    let plan = fixture.plan();
    let reserved = find(&plan, "ipaddresses.networking.k8s.io 10.96.200.200");
    assert!(reserved.wave < find(&plan, "services shop/x").wave);
    let left = left_out(&plan, "ipaddresses.networking.k8s.io 10.96.0.9");
    assert_eq!(left.rule, RuleId::AllocatedAddress);
}

#[test]
fn a_pod_leaves_to_admission_what_its_classes_decide_today() {
    let class = cluster_scoped(
        "node.k8s.io/v1",
        "RuntimeClass",
        "sandbox",
        json!({"handler": "x", "scheduling": {"nodeSelector": {"pool": "new", "arch": "arm64"}}}),
    );
    let pod = named(
        "v1",
        "Pod",
        "builder",
        json!({"spec": {"runtimeClassName": "sandbox", "overhead": {"cpu": "1m"}, "priorityClassName": "gone",
            "priority": 7, "preemptionPolicy": "Never", "nodeSelector": {"pool": "old", "arch": "arm64", "own": "x"}}}),
    );
    let fixture = Fixture::new([class, pod]);
    let plan = fixture.plan();
    let body = fixture.bodies(&plan, "pods shop/builder").create;
    assert_eq!(
        body["spec"],
        json!({"runtimeClassName": "sandbox", "nodeSelector": {"arch": "arm64", "own": "x"}})
    );
    assert_eq!(
        rules(find(&plan, "pods shop/builder")),
        [
            RuleId::PodPriority,
            RuleId::PodClassDeleted,
            RuleId::PodRuntimeClass
        ]
    );
}

#[test]
fn a_default_class_becomes_the_default_after_objects_without_a_class() {
    let priority = cluster_scoped(
        "scheduling.k8s.io/v1",
        "PriorityClass",
        "standard",
        json!({"value": 5, "globalDefault": true}),
    );
    let storage = cluster_scoped(
        "storage.k8s.io/v1",
        "StorageClass",
        "gp3",
        json!({"metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}),
    );
    let mut fixture = Fixture::new([priority, storage, named("v1", "Pod", "old", json!({}))]);
    let plan = fixture.plan();
    let class = find(&plan, "priorityclasses.scheduling.k8s.io standard");
    let fields = vec![Edit {
        path: "/globalDefault".to_owned(),
        value: None,
    }];
    let until = DeferredUntil::Workloads;
    assert_eq!(class.deferred(), Some(&Deferred { until, fields }));
    let bodies = fixture.bodies(&plan, "priorityclasses.scheduling.k8s.io standard");
    assert_eq!(bodies.without_deferred.unwrap().get("globalDefault"), None);
    assert_eq!(bodies.deferred, Some(json!({"globalDefault": true})));
    // No claim is without a class.
    assert_eq!(find(&plan, "storageclasses.storage.k8s.io gp3").deferred(), None);
    fixture
        .objects
        .push(named("v1", "PersistentVolumeClaim", "data", json!({"spec": {}})));
    let plan = fixture.plan();
    assert!(
        find(&plan, "storageclasses.storage.k8s.io gp3")
            .deferred()
            .is_some()
    );
}

#[test]
fn a_pod_security_standard_is_enforced_after_the_pods_exist() {
    let namespace = cluster_scoped(
        "v1",
        "Namespace",
        "shop",
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted", "team": "a"}},
            "status": {"phase": "Active"}}),
    );
    let fixture = Fixture::new([namespace, named("v1", "Pod", "old", json!({}))]);
    let plan = fixture.plan();
    let planned = find(&plan, "namespaces shop");
    assert_eq!(
        *planned.after,
        [Step::SetDeferredFields, Step::SetManagedFieldsLast]
    );
    let bodies = fixture.bodies(&plan, "namespaces shop");
    let labels = &bodies.without_deferred.unwrap()["metadata"]["labels"];
    assert_eq!(labels.get("pod-security.kubernetes.io/enforce"), None);
    assert_eq!(labels["pod-security.kubernetes.io/warn"], "restricted");
    let set = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    assert_eq!(bodies.deferred, Some(set));
    assert!(plan.rules.contains_key(&RuleId::PodSecurityDeferred));
}

fn injector(service: &str, resources: &[&str]) -> Value {
    cluster_scoped(
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "injector",
        json!({"webhooks": [{"name": "inject.example.com", "clientConfig": {"service": {"namespace": "shop", "name": service}},
            "rules": [{"apiGroups": [""], "resources": resources, "operations": ["CREATE"]}]}]}),
    )
}

const INJECTOR: &str = "mutatingwebhookconfigurations.admissionregistration.k8s.io injector";

/// A mutating webhook with its Service and the workload behind it, and other objects.
fn with_injector(others: Vec<Value>) -> Fixture {
    let mut objects = vec![
        injector("injector", &["pods"]),
        named(
            "v1",
            "Service",
            "injector",
            json!({"spec": {"selector": {"app": "injector"}}}),
        ),
        deployment("injector", json!({})),
    ];
    objects.extend(others);
    Fixture::new(objects)
}

#[test]
fn a_mutating_webhook_and_its_backend_come_before_the_workloads() {
    let hash = ("pod-template-hash", "h");
    let fixture = with_injector(vec![
        replica_set("injector", "injector-1", "2", 1),
        pod_of(
            ("apps/v1", "ReplicaSet", "injector-1"),
            "injector-1-x",
            &[("web", "web:2")],
            hash,
        ),
        deployment("web", json!({})),
    ]);
    let plan = fixture.plan();
    let webhook = find(&plan, INJECTOR);
    let backend = find(&plan, "deployments.apps shop/injector");
    let workload = find(&plan, "deployments.apps shop/web");
    assert_eq!(
        [backend.wave, webhook.wave, workload.wave],
        [Wave::AdmissionBackends, Wave::MutatingAdmission, Wave::Workloads]
    );
    assert_eq!(*webhook.awaits(), *std::slice::from_ref(&backend.target));
}

#[test]
fn a_mutating_webhook_without_a_running_backend_comes_last_and_is_a_finding() {
    let fixture = with_injector(Vec::new());
    let plan = fixture.plan();
    let webhook = find(&plan, INJECTOR);
    assert_eq!(webhook.wave, Wave::Admission);
    let findings = plan.lint();
    let late = findings
        .iter()
        .find(|one| one.check == "admission-after-workloads")
        .unwrap();
    assert!(
        late.message.contains("were not ready in the source"),
        "{}",
        late.message
    );
}

#[test]
fn a_mutating_policy_of_pods_comes_before_the_workloads_with_its_binding() {
    let policy = |name: &str, resource: &str| {
        cluster_scoped(
            "admissionregistration.k8s.io/v1",
            "MutatingAdmissionPolicy",
            name,
            json!({"spec": {"matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "resources": [resource], "operations": ["CREATE"]}]}}}),
        )
    };
    let binding = |name: &str| {
        cluster_scoped(
            "admissionregistration.k8s.io/v1",
            "MutatingAdmissionPolicyBinding",
            &format!("{name}-binding"),
            json!({"spec": {"policyName": name}}),
        )
    };
    let fixture = Fixture::new([
        policy("sidecar", "pods"),
        binding("sidecar"),
        policy("labels", "configmaps"),
        binding("labels"),
    ]);
    let plan = fixture.plan();
    let place = |name: &str| {
        let object = plan
            .objects
            .iter()
            .find(|object| *object.target.name == *name)
            .unwrap();
        (object.wave, object.depth)
    };
    assert_eq!(place("sidecar"), (Wave::MutatingAdmission, 0));
    assert_eq!(place("sidecar-binding"), (Wave::MutatingAdmission, 1));
    assert_eq!(place("labels"), (Wave::Admission, 0));
    assert_eq!(place("labels-binding"), (Wave::Admission, 1));
}

#[test]
fn pods_count_for_the_workload_and_those_of_an_older_revision_are_a_finding() {
    let hash = |hash| ("pod-template-hash", hash);
    let fixture = Fixture::new([
        deployment("web", json!({})),
        replica_set("web", "web-1", "1", 1),
        replica_set("web", "web-2", "2", 2),
        pod_of(
            ("apps/v1", "ReplicaSet", "web-1"),
            "a",
            &[("web", "web:1")],
            hash("h1"),
        ),
        pod_of(
            ("apps/v1", "ReplicaSet", "web-2"),
            "b",
            &[("web", "web:2"), ("proxy", "p:1")],
            hash("h2"),
        ),
        pod_of(
            ("apps/v1", "ReplicaSet", "web-2"),
            "c",
            &[("web", "web:2"), ("proxy", "p:1")],
            hash("h2"),
        ),
    ]);
    let plan = fixture.plan();
    let [workload] = plan.workloads.as_slice() else {
        panic!("{:?}", plan.workloads)
    };
    assert_eq!(workload.workload.to_string(), "deployments.apps shop/web");
    assert_eq!((workload.pods, workload.ready, workload.older), (3, 3, 1));
    assert_eq!(
        workload.revisions,
        [("h1".to_owned(), 1), ("h2".to_owned(), 2)].into()
    );
    assert_eq!(workload.shapes.len(), 2);
    let findings = plan.lint();
    let older = findings.iter().find(|one| one.check == "older-revision").unwrap();
    assert!(
        older
            .message
            .starts_with("1 of 3 Pods of deployments.apps shop/web runs"),
        "{}",
        older.message
    );
}

#[test]
fn pods_of_an_older_template_of_a_replicaset_are_a_finding() {
    let set = |image: &str| {
        let template = json!({"spec": {"containers": [{"name": "web", "image": image}]}});
        named(
            "apps/v1",
            "ReplicaSet",
            "web",
            json!({"spec": {"replicas": 1, "template": template}}),
        )
    };
    let of = ("apps/v1", "ReplicaSet", "web");
    let pod = pod_of(of, "web-a", &[("web", "web:1"), ("proxy", "p:1")], ("app", "web"));
    let older = |image| Fixture::new([set(image), pod.clone()]).plan().workloads[0].older;
    assert_eq!(older("web:2"), 1);
    // A container that admission has added is no other revision.
    assert_eq!(older("web:1"), 0);
}

/// Without the quota their controllers would create the Pods that it kept away, and the Job would run.
#[test]
fn workloads_that_lack_pods_come_after_what_limits_their_namespace() {
    let job = |namespace: &str, status: Value| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": namespace,
            "uid": format!("job-{namespace}")}, "spec": {"template": {"spec": {}}}, "status": status})
    };
    let quota = |namespace: &str| {
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "most", "namespace": namespace,
            "uid": format!("quota-{namespace}")}, "spec": {"hard": {"pods": "0"}}})
    };
    let fixture = Fixture::new([
        quota("full"),
        job("full", json!({})),
        quota("running"),
        job("running", json!({"active": 1})),
        job("free", json!({})),
    ]);
    let plan = fixture.plan();
    let wave = |namespace: &str| find(&plan, &format!("jobs.batch {namespace}/once")).wave;
    assert_eq!(wave("full"), Wave::LimitedWorkloads);
    assert_eq!(wave("running"), Wave::Workloads);
    assert_eq!(wave("free"), Wave::Workloads);
}

#[test]
fn rivals_are_created_in_the_order_of_their_age() {
    let ingress = |name: &str, created: &str, host: &str| {
        named(
            "networking.k8s.io/v1",
            "Ingress",
            name,
            json!({"metadata": {"creationTimestamp": created},
                "spec": {"ingressClassName": "a", "rules": [{"host": host, "http": {"paths": [{"path": "/"}]}}]}}),
        )
    };
    let fixture = Fixture::new([
        ingress("young", "2026-11-22T10:00:00Z", "a.example.com"),
        ingress("zold", "2026-11-21T10:00:00Z", "a.example.com"),
        ingress("other", "2026-11-20T10:00:00Z", "b.example.com"),
    ]);
    let plan = fixture.plan();
    let place = |name: &str| {
        let object = find(&plan, &format!("ingresses.networking.k8s.io shop/{name}"));
        (object.depth, object.after.contains(&Step::WaitSecond))
    };
    assert_eq!(place("zold"), (0, true));
    assert_eq!(place("young"), (1, false));
    assert_eq!(place("other"), (0, false));
    assert_eq!(plan.rules[&RuleId::AgeOrder].objects, 2);
}

/// Some Pods are older than the default class and some are younger; each gets what it had.
#[test]
fn a_default_class_comes_between_the_workloads_that_are_older_and_younger() {
    let class = cluster_scoped(
        "scheduling.k8s.io/v1",
        "PriorityClass",
        "standard",
        json!({"value": 5, "globalDefault": true}),
    );
    let pod = |set: &str, name: &str, spec: Value| {
        let pod = pod_of(
            ("apps/v1", "ReplicaSet", set),
            name,
            &[("web", "web:2")],
            ("pod-template-hash", "h"),
        );
        with(pod, json!({ "spec": spec }))
    };
    let fixture = Fixture::new([
        class,
        deployment("old", json!({})),
        replica_set("old", "old-1", "2", 2),
        pod("old-1", "a", json!({})),
        pod("old-1", "b", json!({})),
        deployment("young", json!({})),
        replica_set("young", "young-1", "2", 1),
        pod("young-1", "c", json!({"priorityClassName": "standard"})),
    ]);
    let plan = fixture.plan();
    let class = find(&plan, "priorityclasses.scheduling.k8s.io standard");
    let until = class.deferred().map(|deferred| deferred.until);
    assert_eq!(until, Some(DeferredUntil::PodsExist));
    assert_eq!(find(&plan, "deployments.apps shop/old").wave, Wave::Workloads);
    assert_eq!(
        find(&plan, "deployments.apps shop/young").wave,
        Wave::YoungerWorkloads
    );
}
