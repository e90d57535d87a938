//! Pods that are older than the admission rules of their cluster, and Pods that admission has changed.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};

use lifeboat_local::Webhook;
use lifeboat_tests::snapshot::{Key, Snapshot, array, text};
use serde_json::{Value, json};

use super::api::{Api, documents, until};
use super::outcome::{Case, Check, Outcome, object, pod, pods_of, running};

const CLASS: &str = "priorityclasses.scheduling.k8s.io";
const RUNTIME: &str = "runtimeclasses.node.k8s.io";

/// The namespaces of the case of the sidecars, each with another way of injection.
const MESHES: [&str; 4] = ["mesh", "mesh-fail", "mesh-ignore", "mesh-url"];

pub(super) const CHECKS: [Check; 4] = [
    Check {
        name: "01 pod older than default priority",
        source: priority_in_source,
        target: priority,
    },
    Check {
        name: "02 pod older than overhead",
        source: overhead_in_source,
        target: overhead,
    },
    Check {
        name: "10 pods older than pod security",
        source: pod_security_in_source,
        target: pod_security,
    },
    Check {
        name: "27 injected sidecars",
        source: |source, case| sidecars(source, "source", case),
        target: |outcome, case| sidecars(outcome.target, "target", case),
    },
];

/// Creates Pods and then the default class; every Pod that is created later has that class.
pub(super) fn create_default_priority(api: &Api) {
    api.apply(include_str!(
        "../../../cases/01-pod-older-than-default-priority.yaml"
    ));
    api.delete("/apis/scheduling.k8s.io/v1/priorityclasses/retired")
        .unwrap();
    let probe = probe("ledger");
    until("the default class is effective", || {
        let admitted = api
            .create(&probe, "dryRun=All")
            .map_err(|error| error.to_string())?;
        match text(&admitted, "/spec/priorityClassName") {
            "standard" => Ok(()),
            other => Err(format!("a new Pod has the class {other:?}")),
        }
    });
}

pub(super) fn create_overhead(api: &Api) {
    api.apply(include_str!("../../../cases/02-pod-older-than-overhead.yaml"));
    api.apply(include_str!(
        "../../../cases/02-pod-older-than-overhead.step2.yaml"
    ));
}

pub(super) fn create_pod_security(api: &Api) {
    api.apply(include_str!(
        "../../../cases/10-pods-older-than-pod-security.yaml"
    ));
}

/// Labels the namespace, once its Pods run.
pub(super) fn enforce_pod_security(api: &Api) {
    until("the Pods of collector run", || {
        let pods = api
            .get("/api/v1/namespaces/sensors/pods")
            .map_err(|error| error.to_string())?;
        let running = array(&pods, "/items")
            .filter(|pod| text(pod, "/status/phase") == "Running")
            .count();
        if running == 3 {
            Ok(())
        } else {
            Err(format!("{running} of 3 run"))
        }
    });
    api.apply(include_str!(
        "../../../cases/10-pods-older-than-pod-security.step2.yaml"
    ));
}

/// Returns an address of this machine to which the API servers can connect, other than loopback, which no endpoint of a
/// Service may have. Nothing is sent.
pub(super) fn reachable_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // An address that is reserved for documentation (RFC 5737): only the route to it matters.
    socket.connect("198.51.100.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// Gives all nodes an address, which Pods in the network of their node have, too.
pub(super) fn give_nodes_address(api: &Api, address: IpAddr) {
    let nodes = api.get("/api/v1/nodes").unwrap();
    for node in array(&nodes, "/items") {
        let name = text(node, "/metadata/name");
        let addresses = json!([
            { "type": "InternalIP", "address": address },
            { "type": "Hostname", "address": name },
        ]);
        api.merge(
            &format!("/api/v1/nodes/{name}/status"),
            &json!({ "status": { "addresses": addresses } }),
        );
    }
}

/// Creates the policy, the webhooks and the backend.
pub(super) fn create_injectors(api: &Api, webhook: &Webhook) {
    let manifests = include_str!("../../../cases/27-injected-sidecars.yaml")
        .replace("{{WEBHOOK_URL}}", &webhook.url())
        .replace("{{WEBHOOK_CA}}", &webhook.ca_bundle())
        .replace("{{WEBHOOK_PORT}}", &webhook.port().to_string());
    api.apply(&manifests);
}

/// Creates the Deployments, once the sidecar is injected in each namespace.
pub(super) fn create_injected(api: &Api) {
    for namespace in MESHES {
        let probe = probe(namespace);
        until("the sidecar is injected", || {
            let admitted = api
                .create(&probe, "dryRun=All")
                .map_err(|error| error.to_string())?;
            let names = containers(&admitted);
            if names.contains("proxy") {
                Ok(())
            } else {
                Err(format!("a new Pod in {namespace} has {names:?}"))
            }
        });
        let manifests = include_str!("../../../cases/27-injected-sidecars.step2.yaml");
        api.apply(&manifests.replace("{{NAMESPACE}}", namespace));
    }
}

fn probe(namespace: &str) -> Value {
    documents(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: probe, namespace: {namespace}}}, \
         spec: {{containers: [{{name: main, image: main}}]}}}}"
    ))
    .remove(0)
}

fn priority_in_source(source: &Snapshot, case: &mut Case<'_>) {
    let reconciler = object(source, "pods", "ledger", "reconciler");
    case.equal("its phase", text(reconciler, "/status/phase"), "Running");
    case.json("its priority", &reconciler["spec"]["priority"], &json!(0));
    case.equal("its class", text(reconciler, "/spec/priorityClassName"), "");
    let archiver = object(source, "pods", "ledger", "archiver");
    case.equal(
        "the phase of archiver",
        text(archiver, "/status/phase"),
        "Running",
    );
    case.equal(
        "the class of archiver",
        text(archiver, "/spec/priorityClassName"),
        "retired",
    );
    case.expect(
        object(source, CLASS, "", "retired").is_null(),
        "the class `retired` still exists",
    );
    case.expect(
        object(source, CLASS, "", "standard")["globalDefault"] == true,
        "there is no default class",
    );
}

fn priority(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    let fields = [
        "/spec/priority",
        "/spec/priorityClassName",
        "/spec/preemptionPolicy",
    ];
    if let Some(found) = outcome.running("ledger", "reconciler", case) {
        let captured = object(outcome.source, "pods", "ledger", "reconciler");
        for field in fields {
            let what = format!("{field} of ledger/reconciler");
            case.equal(&what, found.pointer(field), captured.pointer(field));
        }
    }
    // Its class is gone, so that the Pod either keeps what the class gave it, or each difference is listed.
    if let Some(found) = outcome.running("ledger", "archiver", case) {
        let captured = object(outcome.source, "pods", "ledger", "archiver");
        for field in fields {
            let same = found.pointer(field) == captured.pointer(field);
            case.expect(
                same || outcome.lists_change(&pod("ledger", "archiver"), field),
                format!("{field} of ledger/archiver differs and is not listed as changed"),
            );
        }
    }
    case.expect(
        object(outcome.target, CLASS, "", "standard")["globalDefault"] == true,
        "the default class is missing in the target",
    );
    case.expect(
        object(outcome.target, CLASS, "", "retired").is_null(),
        "the target has the class `retired`, which the source does not have",
    );
}

fn overhead_in_source(source: &Snapshot, case: &mut Case<'_>) {
    let of_pod = |name| object(source, "pods", "sandboxes", name);
    let of_class = |name| object(source, RUNTIME, "", name);
    for name in ["builder", "former", "pinned"] {
        case.equal(
            &format!("the phase of {name}"),
            text(of_pod(name), "/status/phase"),
            "Running",
        );
    }
    case.equal(
        "the overhead of builder",
        text(of_pod("builder"), "/spec/overhead/cpu"),
        "250m",
    );
    case.equal(
        "the overhead of its class",
        text(of_class("microvm"), "/overhead/podFixed/cpu"),
        "400m",
    );
    case.equal(
        "the overhead of former",
        text(of_pod("former"), "/spec/overhead/cpu"),
        "100m",
    );
    case.expect(
        of_class("emulated")["overhead"].is_null(),
        "the class `emulated` has an overhead",
    );
    let zone = "/spec/nodeSelector/topology.kubernetes.io~1zone";
    case.equal(
        "the zone of pinned",
        text(of_pod("pinned"), zone),
        "eu-central-1a",
    );
    let zone = "/scheduling/nodeSelector/topology.kubernetes.io~1zone";
    case.equal(
        "the zone of its class",
        text(of_class("zonal"), zone),
        "eu-central-1b",
    );
}

fn overhead(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    for (name, class) in [("builder", "microvm"), ("former", "emulated")] {
        let Some(found) = outcome.running("sandboxes", name, case) else {
            continue;
        };
        let class = object(outcome.target, RUNTIME, "", class);
        let what = format!("the overhead of sandboxes/{name}");
        case.json(&what, &found["spec"]["overhead"], &class["overhead"]["podFixed"]);
        case.expect(
            outcome.lists_change(&pod("sandboxes", name), "/spec/overhead"),
            format!("{what} is not listed as changed"),
        );
    }
    if let Some(found) = outcome.running("sandboxes", "pinned", case) {
        let captured = object(outcome.source, "pods", "sandboxes", "pinned");
        case.expect(
            found["spec"]["nodeSelector"] == captured["spec"]["nodeSelector"]
                || outcome.lists_change(&pod("sandboxes", "pinned"), "/spec/nodeSelector"),
            "the node selector of sandboxes/pinned differs and is not listed as changed",
        );
    }
}

const ENFORCE: &str = "/metadata/labels/pod-security.kubernetes.io~1enforce";

fn pod_security_in_source(source: &Snapshot, case: &mut Case<'_>) {
    let probe = object(source, "pods", "sensors", "probe");
    case.equal("the phase of probe", text(probe, "/status/phase"), "Running");
    case.equal(
        "the running Pods of collector",
        running(source, "sensors", "collector"),
        2,
    );
    let namespace = object(source, "namespaces", "", "sensors");
    case.equal("the label", text(namespace, ENFORCE), "restricted");
}

fn pod_security(outcome: &Outcome<'_>, case: &mut Case<'_>) {
    outcome.running("sensors", "probe", case);
    let collectors = running(outcome.target, "sensors", "collector");
    case.equal("the number of running Pods of sensors/collector", collectors, 2);
    let key = Key::new("namespaces", "", "sensors");
    if let Some(namespace) = outcome.restored(&key, case) {
        case.equal(
            "the label of the namespace sensors",
            text(namespace, ENFORCE),
            "restricted",
        );
        let captured = object(outcome.source, "namespaces", "", "sensors");
        case.equal(
            "the owners of the label",
            owners_of_label(namespace),
            owners_of_label(captured),
        );
    }
}

fn owners_of_label(namespace: &Value) -> BTreeSet<String> {
    let label = "/fieldsV1/f:metadata/f:labels/f:pod-security.kubernetes.io~1enforce";
    array(namespace, "/metadata/managedFields")
        .filter(|entry| entry.pointer(label).is_some())
        .map(|entry| format!("{} {}", text(entry, "/manager"), text(entry, "/operation")))
        .collect()
}

fn sidecars(snapshot: &Snapshot, side: &str, case: &mut Case<'_>) {
    for namespace in MESHES {
        let pods: Vec<_> = pods_of(snapshot, namespace, "web").collect();
        case.equal(
            &format!("the number of running Pods of {namespace}/web in the {side}"),
            running(snapshot, namespace, "web"),
            2,
        );
        for pod in pods {
            let what = format!("the set of containers of a Pod of {namespace}/web in the {side}");
            case.equal(&what, containers(pod), BTreeSet::from(["web", "proxy"]));
        }
    }
}

fn containers(pod: &Value) -> BTreeSet<&str> {
    array(pod, "/spec/containers")
        .map(|container| text(container, "/name"))
        .collect()
}
