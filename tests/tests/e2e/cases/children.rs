//! Objects that no controller creates again, although they look like children of one, and additions to objects that
//! every cluster has.

use std::collections::BTreeMap;

use lifeboat_tests::snapshot::{Key, Snapshot, array, text};
use serde_json::Value;

use super::api::{Api, documents, until};
use super::outcome::{Case, Check, Outcome, is, object};

const SLICE: &str = "endpointslices.discovery.k8s.io";
const ADDRESS: &str = "ipaddresses.networking.k8s.io";
const BINDING: &str = "clusterrolebindings.rbac.authorization.k8s.io";
const ROLE: &str = "clusterroles.rbac.authorization.k8s.io";

/// The Services of the case of the slices.
const SERVICES: [&str; 3] = ["old-database", "mirrored-database", "new-database"];
/// The unfinished Jobs of the CronJob.
const JOBS: [&str; 2] = ["closing-by-hand", "year-end-29453940"];

pub(super) const CHECKS: [Check; 5] = [
    Check {
        name: "03 slice without selector",
        source: slices_in_source,
        target: slices,
    },
    Check {
        name: "04 reserved address",
        source: |source, case| {
            let reserved = object(source, ADDRESS, "", "10.96.200.200");
            case.equal(
                "its parent",
                text(reserved, "/spec/parentRef/resource"),
                "configmaps",
            );
        },
        target: reserved_address,
    },
    Check {
        name: "05 paused deployment",
        source: paused,
        target: |outcome, case| paused(outcome.target, case),
    },
    Check {
        name: "11 extended default roles",
        source: default_roles,
        target: extended_roles,
    },
    Check {
        name: "19 job by hand of a cronjob",
        source: jobs,
        target: |outcome, case| jobs(outcome.target, case),
    },
];

pub(super) fn create(api: &Api) {
    api.apply(include_str!("../../../cases/05-paused-deployment.yaml"));
    api.apply(include_str!("../../../cases/03-slice-without-selector.yaml"));
    api.apply(include_str!("../../../cases/04-reserved-address.yaml"));
    api.apply(include_str!("../../../cases/11-extended-default-roles.yaml"));
    api.apply(include_str!("../../../cases/19-job-by-hand-of-a-cronjob.yaml"));
    let cron_job = api
        .get("/apis/batch/v1/namespaces/finance/cronjobs/year-end")
        .unwrap();
    let jobs = include_str!("../../../cases/19-job-by-hand-of-a-cronjob.step2.yaml");
    for job in documents(&jobs.replace("{{CRONJOB_UID}}", text(&cron_job, "/metadata/uid"))) {
        api.create(&job, "").unwrap();
    }
}

/// Begins the rollout that stops in the middle, once the first version is ready.
pub(super) fn begin_rollout(api: &Api) {
    wait_for_replicas(api, "checkout", &[("1", 3)]);
    wait_for_replicas(api, "basket", &[("1", 3)]);
    api.apply(include_str!("../../../cases/05-paused-deployment.step2.yaml"));
}

pub(super) fn pause_rollout(api: &Api) {
    wait_for_replicas(api, "basket", &[("1", 2), ("2", 1)]);
    api.apply(include_str!("../../../cases/05-paused-deployment.step3.yaml"));
    for name in ["checkout", "basket"] {
        let path = format!("/apis/apps/v1/namespaces/frozen/deployments/{name}");
        until("the controller has seen the pause", || {
            let deployment = api.get(&path).map_err(|error| error.to_string())?;
            let seen = &deployment["status"]["observedGeneration"];
            if *seen == deployment["metadata"]["generation"] {
                Ok(())
            } else {
                Err(format!("it has seen {seen}"))
            }
        });
    }
    api.apply(include_str!("../../../cases/05-paused-deployment.step4.yaml"));
}

fn wait_for_replicas(api: &Api, name: &str, wanted: &[(&str, u64)]) {
    let wanted: BTreeMap<String, u64> = wanted
        .iter()
        .map(|(tag, ready)| ((*tag).to_owned(), *ready))
        .collect();
    until("the Pods are ready", || {
        let sets = api
            .get("/apis/apps/v1/namespaces/frozen/replicasets")
            .map_err(|error| error.to_string())?;
        let found = ready_by_tag(array(&sets, "/items"), name);
        if found == wanted {
            Ok(())
        } else {
            Err(format!("{name} has {found:?}"))
        }
    });
}

/// Returns the ready Pods of the ReplicaSets of an app, by the tag of their image.
fn ready_by_tag<'a>(sets: impl Iterator<Item = &'a Value>, app: &str) -> BTreeMap<String, u64> {
    sets.filter(|set| text(set, "/metadata/labels/app") == app)
        .map(|set| {
            let image = text(set, "/spec/template/spec/containers/0/image");
            let tag = image.rsplit(':').next().unwrap_or_default().to_owned();
            (tag, set["status"]["readyReplicas"].as_u64().unwrap_or(0))
        })
        .collect()
}

fn paused(snapshot: &Snapshot, case: &mut Case<'_>) {
    for (name, wanted) in [("checkout", vec![("1", 3)]), ("basket", vec![("1", 2), ("2", 1)])] {
        let deployment = object(snapshot, "deployments.apps", "frozen", name);
        case.json(
            &format!("/spec/paused of frozen/{name}"),
            &deployment["spec"]["paused"],
            &Value::Bool(true),
        );
        let ready = deployment["status"]["readyReplicas"].as_u64().unwrap_or(0);
        case.equal(
            &format!("the number of ready replicas of frozen/{name}"),
            ready,
            3,
        );
        let sets: Vec<&Value> = snapshot
            .of_type("replicasets.apps")
            .filter(|(key, set)| key.namespace == "frozen" && text(set, "/metadata/labels/app") == name)
            .map(|(_, set)| set)
            .collect();
        case.equal(
            &format!("the number of ReplicaSets of frozen/{name}"),
            sets.len(),
            wanted.len(),
        );
        let wanted = wanted
            .into_iter()
            .map(|(tag, ready)| (tag.to_owned(), ready))
            .collect();
        case.equal(
            &format!("the ready Pods of frozen/{name} by version"),
            ready_by_tag(sets.iter().copied(), name),
            wanted,
        );
        let uid = text(deployment, "/metadata/uid");
        for set in sets {
            case.expect(
                array(set, "/metadata/ownerReferences").any(|owner| text(owner, "/uid") == uid),
                format!("a ReplicaSet of frozen/{name} is not owned by the Deployment"),
            );
        }
    }
}

/// Returns the slices of a Service.
fn slices_of<'a>(snapshot: &'a Snapshot, service: &'a str) -> impl Iterator<Item = &'a Value> {
    snapshot
        .of_type(SLICE)
        .filter(move |(key, slice)| {
            key.namespace == "bridge"
                && text(slice, "/metadata/labels/kubernetes.io~1service-name") == service
        })
        .map(|(_, slice)| slice)
}

fn slices_in_source(source: &Snapshot, case: &mut Case<'_>) {
    for (service, wanted) in SERVICES.iter().zip([1, 2, 1]) {
        case.equal(
            &format!("the number of slices of {service}"),
            slices_of(source, service).count(),
            wanted,
        );
    }
}

fn slices(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    for name in ["old-database-x7k2p", "mirrored-database-q4w8z"] {
        let key = Key::new(SLICE, "bridge", name);
        let Some(found) = outcome.restored(&key, case) else {
            continue;
        };
        let captured = object(outcome.source, SLICE, "bridge", name);
        for field in ["endpoints", "ports", "addressType"] {
            case.json(&format!("{field} of {key}"), &found[field], &captured[field]);
        }
        case.json(
            &format!("the labels of {key}"),
            &found["metadata"]["labels"],
            &captured["metadata"]["labels"],
        );
    }
    for service in SERVICES {
        let found = slices_of(outcome.target, service).count();
        case.equal(
            &format!("the number of slices of bridge/{service}"),
            found,
            slices_of(outcome.source, service).count(),
        );
    }
}

fn reserved_address(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    let key = Key::new(ADDRESS, "", "10.96.200.200");
    if let Some(found) = outcome.restored(&key, case) {
        let captured = object(outcome.source, ADDRESS, "", "10.96.200.200");
        case.json("the parent of the address", &found["spec"], &captured["spec"]);
        case.json(
            "the labels of the address",
            &found["metadata"]["labels"],
            &captured["metadata"]["labels"],
        );
    }
}

/// Expects that no Service gets the reserved address. This changes the cluster if one does.
pub(super) fn refuses_reserved_address(api: &Api, side: &str, case: &mut Case<'_>) {
    let service = documents(
        "{apiVersion: v1, kind: Service, metadata: {name: taker, namespace: network-team}, \
         spec: {clusterIP: 10.96.200.200, ports: [{port: 80}]}}",
    )
    .remove(0);
    case.expect(
        api.create(&service, "").is_err(),
        format!("a Service gets the reserved address in the {side}"),
    );
}

fn default_roles(snapshot: &Snapshot, case: &mut Case<'_>) {
    let binding = object(snapshot, BINDING, "", "cluster-admin");
    for group in ["system:masters", "oncall-admins"] {
        case.expect(
            array(binding, "/subjects").any(|subject| text(subject, "/name") == group),
            format!("the group {group} is missing in the binding cluster-admin"),
        );
    }
    let annotation = "/metadata/annotations/example.com~1approved-by";
    case.equal(
        "the annotation of the binding",
        text(binding, annotation),
        "change 4711",
    );
    let role = object(snapshot, ROLE, "", "system:discovery");
    for url in ["/metrics/slis", "/healthz"] {
        case.expect(
            array(role, "/rules").any(|rule| array(rule, "/nonResourceURLs").any(|found| found == url)),
            format!("the rule for {url} is missing in the role system:discovery"),
        );
    }
}

fn extended_roles(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    default_roles(outcome.target, case);
    for (type_name, name) in [(BINDING, "cluster-admin"), (ROLE, "system:discovery")] {
        let key = Key::new(type_name, "", name);
        let named = ["/restored", "/changed"]
            .iter()
            .flat_map(|list| array(outcome.report, list))
            .any(|entry| is(&entry["object"], &key));
        case.expect(named, format!("the report does not say that {key} is extended"));
    }
}

fn jobs(snapshot: &Snapshot, case: &mut Case<'_>) {
    let uid = text(
        object(snapshot, "cronjobs.batch", "finance", "year-end"),
        "/metadata/uid",
    );
    case.expect(!uid.is_empty(), "the CronJob is missing");
    for name in JOBS {
        let job = object(snapshot, "jobs.batch", "finance", name);
        if job.is_null() {
            case.expect(false, format!("the Job finance/{name} is missing"));
            continue;
        }
        case.expect(
            array(job, "/metadata/ownerReferences")
                .any(|owner| text(owner, "/uid") == uid && owner["controller"] == true),
            format!("the Job finance/{name} is not owned by the CronJob"),
        );
        let finished = ["Complete", "Failed"]
            .iter()
            .any(|name| super::outcome::condition(job, name));
        case.expect(!finished, format!("the Job finance/{name} is finished"));
    }
    let by_hand = object(snapshot, "jobs.batch", "finance", JOBS[0]);
    let annotation = "/metadata/annotations/cronjob.kubernetes.io~1instantiate";
    case.equal(
        "the annotation of the Job by hand",
        text(by_hand, annotation),
        "manual",
    );
    let count = snapshot
        .of_type("jobs.batch")
        .filter(|(key, _)| key.namespace == "finance")
        .count();
    case.equal("the number of Jobs", count, JOBS.len());
    for (key, pod) in snapshot
        .of_type("pods")
        .filter(|(key, _)| key.namespace == "finance")
    {
        case.equal(
            &format!("the phase of {key}"),
            text(pod, "/status/phase"),
            "Pending",
        );
    }
}
