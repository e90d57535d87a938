//! Pods, their templates, and their status as a kubelet writes it.

use serde_json::{Value, json};

use super::rng::Rng;
use super::text;

/// Returns the Pod template of one instance of an application.
pub(super) fn template(application: usize, instance: &str, own: &mut Rng) -> Value {
    let environment: Vec<Value> = text::environment(application, instance, own)
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    json!({
        "metadata": {"labels": {"app.kubernetes.io/name": format!("app-{application}"), "app.kubernetes.io/instance": instance}, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {
            "serviceAccountName": instance,
            "containers": [{
                "name": "app", "image": image(application, own.below(3)),
                "ports": [{"containerPort": 8080, "name": "http"}], "env": environment,
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 10},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}]
            }],
            "volumes": [{"name": "config", "configMap": {"name": instance}}]
        }
    })
}

/// Returns the image: all instances of an application use one of the few versions of its image that are in use.
fn image(application: usize, version: usize) -> String {
    format!("{REGISTRY}/app-{application}:1.{}.{version}", application % 40)
}

const REGISTRY: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop";

/// Returns the name, in the form of EKS, of one of 60 nodes.
pub(super) fn node(number: usize) -> String {
    format!(
        "ip-{}.eu-west-1.compute.internal",
        address(number).replace('.', "-")
    )
}

fn address(number: usize) -> String {
    format!("10.0.{}.{}", number % 60, 10 + number % 60 * 3)
}

/// Returns what the kubelet of node `node` writes into the status of a running Pod with this
/// `spec`, with the fields and their order from the Kubernetes API reference (PodStatus). The
/// random parts of container ids, times and addresses belong to one Pod; the image's digest belongs
/// to the image.
pub(super) fn status(spec: &Value, node: usize, own: &mut Rng) -> Value {
    let container = &spec["containers"][0];
    let image = container["image"].as_str().unwrap_or_default();
    let seed = image
        .bytes()
        .fold(7_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
    let (repository, _) = image.rsplit_once(':').unwrap_or((image, ""));
    let (scheduled, ready) = (own.time(), own.time());
    let condition = |name: &str, time: &str| json!({"type": name, "status": "True", "lastProbeTime": null, "lastTransitionTime": time, "observedGeneration": 1});
    let (pod_ip, host_ip) = (
        format!("10.0.{}.{}", 64 + own.below(128), 1 + own.below(254)),
        address(node),
    );
    json!({
        "phase": "Running",
        "observedGeneration": 1,
        "startTime": scheduled,
        "hostIP": host_ip, "hostIPs": [{"ip": host_ip}],
        "podIP": pod_ip, "podIPs": [{"ip": pod_ip}],
        "conditions": [
            condition("PodReadyToStartContainers", &ready), condition("Initialized", &scheduled),
            condition("Ready", &ready), condition("ContainersReady", &ready), condition("PodScheduled", &scheduled),
        ],
        "containerStatuses": [{
            "name": "app", "image": image, "ready": true, "started": true, "restartCount": own.below(10) / 8,
            "imageID": format!("{repository}@sha256:{}", Rng::new(seed).hex(64)),
            "containerID": format!("containerd://{}", own.hex(64)),
            "state": {"running": {"startedAt": ready}}, "lastState": {},
            "allocatedResources": container["resources"]["requests"], "resources": container["resources"],
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}]
        }]
    })
}
