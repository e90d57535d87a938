//! Workloads and Pods, in the states that their controllers stop in.

use serde_json::{Value, json};

use super::storage::{claim_spec, volume};
use super::{Draft, Phase};

/// Returns the spec of a Pod with random parts. Nothing that it names must exist for it to run.
pub(super) fn pod_spec(draft: &mut Draft, image: &str) -> Value {
    let mut spec = json!({"containers": [{"name": "main", "image": image}]});
    if draft.once_in(4) {
        spec["initContainers"] = json!([{"name": "prepare", "image": "registry.example.com/prepare:1"}]);
    }
    if draft.once_in(5) {
        spec["initContainers"] = json!([
            {"name": "log", "image": "registry.example.com/log:1", "restartPolicy": "Always"}
        ]);
    }
    if draft.once_in(4) {
        spec["volumes"] = json!([{"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}}]);
        spec["containers"][0]["volumeMounts"] = json!([{"name": "scratch", "mountPath": "/scratch"}]);
    }
    if draft.once_in(4) {
        spec["containers"][0]["resources"] =
            json!({"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}});
    }
    if draft.once_in(4) {
        spec["containers"][0]["env"] = json!([
            {"name": "MODE", "value": "a"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
        ]);
    }
    if draft.once_in(5) {
        spec["securityContext"] =
            json!({"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}});
    }
    if draft.once_in(6) {
        spec["tolerations"] = json!([{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}]);
    }
    if draft.once_in(8) {
        spec["hostNetwork"] = json!(true);
    }
    if draft.once_in(8) {
        spec["automountServiceAccountToken"] = json!(false);
    }
    spec
}

fn template(draft: &mut Draft, app: &str, tag: u32) -> Value {
    let spec = pod_spec(draft, &image(app, tag));
    let mut metadata = json!({"labels": {"app": app}});
    if draft.once_in(4) {
        metadata["annotations"] = json!({"example.com/scrape": "true"});
    }
    json!({"metadata": metadata, "spec": spec})
}

/// Returns the image of an app.
pub(super) fn image(app: &str, tag: u32) -> String {
    format!("registry.example.com/{app}:{tag}")
}

fn workload(draft: &mut Draft, version: &str, kind: &str, name: &str, replicas: u32) -> Value {
    let namespace = draft.namespace();
    json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(draft, name, 1),
        }
    })
}

/// Returns the workload with another image.
fn with_tag(workload: &Value, tag: u32) -> Value {
    let mut changed = workload.clone();
    let name = workload["metadata"]["name"].as_str().unwrap_or_default();
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image(name, tag).into();
    changed
}

/// A Deployment, perhaps rolled out once more or scaled by another manager.
pub(super) fn deployment(draft: &mut Draft) {
    let (name, replicas) = (draft.name("web"), draft.rng.u32(0..4));
    let mut object = workload(draft, "apps/v1", "Deployment", &name, replicas);
    if draft.once_in(3) {
        object["spec"]["strategy"] = json!({"type": "Recreate"});
    }
    let (phase, manager) = (draft.age(), draft.manager());
    draft.apply(phase, manager, object.clone());
    if draft.once_in(2) {
        draft.apply(Phase::Changes, manager, with_tag(&object, 2));
        if draft.once_in(3) {
            // Back to the first revision, whose ReplicaSet exists.
            draft.apply(Phase::End, manager, object.clone());
        }
    }
    if draft.once_in(4) {
        let replicas = draft.rng.u32(0..4);
        draft.merge(
            Phase::End,
            &object,
            "/scale",
            json!({"spec": {"replicas": replicas}}),
        );
    }
}

/// A Deployment that is paused, with or without a change that waits.
pub(super) fn paused_rollout(draft: &mut Draft) {
    let (name, replicas) = (draft.name("paused"), draft.rng.u32(1..4));
    let object = workload(draft, "apps/v1", "Deployment", &name, replicas);
    let (phase, manager) = (draft.age(), draft.manager());
    draft.apply(phase, manager, object.clone());
    let mut paused = object.clone();
    paused["spec"]["paused"] = json!(true);
    draft.apply(Phase::Changes, manager, paused.clone());
    if draft.once_in(2) {
        draft.apply(Phase::End, manager, with_tag(&paused, 2));
    }
    if draft.once_in(3) {
        // While it is paused, replicas are still scaled.
        draft.merge(
            Phase::End,
            &object,
            "",
            json!({"spec": {"replicas": replicas + 1}}),
        );
    }
}

/// A Deployment that is paused while Pods of both revisions run.
pub(super) fn half_done_rollout(draft: &mut Draft) {
    let name = draft.name("rolling");
    let mut object = workload(draft, "apps/v1", "Deployment", &name, 3);
    object["spec"]["minReadySeconds"] = json!(0);
    object["spec"]["strategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
    let manager = draft.manager();
    draft.apply(Phase::Old, manager, object.clone());
    // The first Pod of the new revision is not available for five minutes, so that the rollout stops there.
    object["spec"]["minReadySeconds"] = json!(300);
    draft.apply(Phase::Changes, manager, with_tag(&object, 2));
    object["spec"]["paused"] = json!(true);
    draft.apply(Phase::End, manager, with_tag(&object, 2));
}

/// A StatefulSet, perhaps with a partition or OnDelete and Pods of an older revision.
pub(super) fn stateful_set(draft: &mut Draft) {
    let (name, replicas) = (draft.name("store"), draft.rng.u32(1..4));
    let mut object = workload(draft, "apps/v1", "StatefulSet", &name, replicas);
    object["spec"]["serviceName"] = json!(name);
    if draft.once_in(2) {
        object["spec"]["podManagementPolicy"] = json!("Parallel");
    }
    let strategy = draft.rng.u32(0..4);
    match strategy {
        0 => object["spec"]["updateStrategy"] = json!({"type": "OnDelete"}),
        1 => {
            object["spec"]["updateStrategy"] =
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": replicas - 1}});
        }
        _ => {}
    }
    if draft.once_in(4) {
        object["spec"]["ordinals"] = json!({"start": 5});
    }
    if draft.once_in(3) {
        // Static volumes, because nothing provisions volumes here.
        let class = draft.name("static");
        for index in 0..replicas {
            let disk = draft.name("disk");
            let volume = volume(&disk, &class, &format!("{}Gi", index + 1));
            draft.apply(Phase::Begin, "kubectl", volume);
        }
        object["spec"]["volumeClaimTemplates"] = json!([{
            "metadata": {"name": "data"}, "spec": claim_spec(&class)
        }]);
        if draft.once_in(2) {
            object["spec"]["persistentVolumeClaimRetentionPolicy"] =
                json!({"whenDeleted": "Delete", "whenScaled": "Retain"});
        }
    }
    let (phase, manager) = (draft.age(), draft.manager());
    draft.apply(phase, manager, object.clone());
    if strategy < 2 || draft.once_in(2) {
        draft.apply(Phase::Changes, manager, with_tag(&object, 2));
    }
}

/// A DaemonSet, perhaps with OnDelete and Pods of an older revision.
pub(super) fn daemon_set(draft: &mut Draft) {
    let name = draft.name("agent");
    let mut object = workload(draft, "apps/v1", "DaemonSet", &name, 0);
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("replicas");
    }
    let on_delete = draft.once_in(2);
    if on_delete {
        object["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    }
    if draft.once_in(4) {
        object["spec"]["template"]["spec"]["nodeSelector"] = json!({"example.com/none": "true"});
    }
    let (phase, manager) = (draft.age(), draft.manager());
    draft.apply(phase, manager, object.clone());
    if on_delete {
        draft.apply(Phase::Changes, manager, with_tag(&object, 2));
    }
}

/// A ReplicaSet without a Deployment; a change of its template makes no new Pods.
pub(super) fn replica_set(draft: &mut Draft) {
    let (name, replicas) = (draft.name("set"), draft.rng.u32(0..4));
    let object = workload(draft, "apps/v1", "ReplicaSet", &name, replicas);
    let (phase, manager) = (draft.age(), draft.manager());
    draft.apply(phase, manager, object.clone());
    if draft.once_in(3) {
        draft.apply(Phase::Changes, manager, with_tag(&object, 2));
    }
}

/// A ReplicationController.
pub(super) fn replication_controller(draft: &mut Draft) {
    let name = draft.name("controller");
    let mut object = workload(draft, "v1", "ReplicationController", &name, 2);
    object["spec"]["selector"] = json!({"app": name});
    let (phase, manager) = (draft.age(), draft.manager());
    draft.apply(phase, manager, object);
}

/// A Pod without a controller.
pub(super) fn pod(draft: &mut Draft) {
    let (name, namespace, phase, manager) = (
        draft.name("single"),
        draft.namespace(),
        draft.age(),
        draft.manager(),
    );
    let mut spec = pod_spec(draft, &image(&name, 1));
    if draft.once_in(6) {
        spec["nodeSelector"] = json!({"example.com/none": "true"});
    }
    let object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}}, "spec": spec
    });
    draft.create(phase, manager, object.clone());
    if draft.once_in(6) {
        draft.merge(
            Phase::End,
            &object,
            "/status",
            json!({"status": {"phase": "Succeeded"}}),
        );
    }
    if draft.once_in(6) {
        draft.merge(
            Phase::Changes,
            &object,
            "",
            json!({"metadata": {"labels": {"tier": "two"}}}),
        );
    }
}

/// Pods whose ReplicaSet was deleted without them.
pub(super) fn orphaned_pods(draft: &mut Draft) {
    let name = draft.name("left");
    let object = workload(draft, "apps/v1", "ReplicaSet", &name, 2);
    draft.apply(Phase::Old, "kubectl", object.clone());
    draft.delete(Phase::Changes, &object);
}

/// A Pod without a controller, with a claim that exists as long as the Pod.
pub(super) fn pod_with_ephemeral_volume(draft: &mut Draft) {
    let (name, namespace, class, disk) = (
        draft.name("cache"),
        draft.namespace(),
        draft.name("static"),
        draft.name("disk"),
    );
    draft.apply(Phase::Begin, "kubectl", volume(&disk, &class, "1Gi"));
    let phase = draft.age();
    draft.create(
        phase,
        "kubectl",
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "containers": [{"name": "main", "image": image(&name, 1)}],
                "volumes": [{"name": "cache", "ephemeral": {"volumeClaimTemplate": {"spec": claim_spec(&class)}}}]
            }
        }),
    );
}

/// A Deployment with a disruption budget and an autoscaler that gets no metrics.
pub(super) fn autoscaled(draft: &mut Draft) {
    let name = draft.name("scaled");
    let mut object = workload(draft, "apps/v1", "Deployment", &name, 2);
    let namespace = object["metadata"]["namespace"].clone();
    // The number of replicas is the autoscaler's.
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("replicas");
    }
    let phase = draft.age();
    draft.apply(phase, "flux", object.clone());
    draft.merge(phase, &object, "/scale", json!({"spec": {"replicas": 2}}));
    draft.apply(
        phase,
        "flux",
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": 2, "maxReplicas": 5,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}]
            }
        }),
    );
    draft.apply(
        phase,
        "flux",
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": name}}}
        }),
    );
}
