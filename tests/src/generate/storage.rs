//! Volumes, claims and storage classes.

use serde_json::{Value, json};

use super::{Draft, Phase};

/// Returns a volume that nothing deletes, and that only claims of its class get.
pub(super) fn volume(name: &str, class: &str, size: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": format!("/disks/{name}")}
        }
    })
}

/// Returns the spec of a claim.
pub(super) fn claim_spec(class: &str) -> Value {
    json!({
        "accessModes": ["ReadWriteOnce"], "storageClassName": class,
        "resources": {"requests": {"storage": "1Gi"}}
    })
}

fn claim(name: &str, namespace: &str, class: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace},
        "spec": claim_spec(class)
    })
}

/// A claim that is bound to a volume, which may be larger than it, and perhaps a Pod that uses it.
pub(super) fn bound_claim(draft: &mut Draft) {
    let (disk, class, name, namespace) = (
        draft.name("disk"),
        draft.name("static"),
        draft.name("claim"),
        draft.namespace(),
    );
    let size = draft.one(&["1Gi", "8Gi"]);
    draft.apply(Phase::Begin, "kubectl", volume(&disk, &class, size));
    let phase = draft.age();
    draft.apply(phase, "helm", claim(&name, namespace, &class));
    if draft.once_in(2) {
        let pod = draft.name("reader");
        draft.create(
            phase,
            "kubectl",
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": namespace},
                "spec": {
                    "containers": [{"name": "main", "image": "registry.example.com/reader:1"}],
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
                }
            }),
        );
    }
}

/// A volume whose claim was deleted.
pub(super) fn released_volume(draft: &mut Draft) {
    let (disk, class, name, namespace) = (
        draft.name("disk"),
        draft.name("static"),
        draft.name("claim"),
        draft.namespace(),
    );
    draft.apply(Phase::Begin, "kubectl", volume(&disk, &class, "1Gi"));
    let object = claim(&name, namespace, &class);
    draft.apply(Phase::Old, "kubectl", object.clone());
    draft.delete(Phase::Changes, &object);
}

/// A claim that nothing binds.
pub(super) fn pending_claim(draft: &mut Draft) {
    let (name, namespace, class, phase) = (
        draft.name("claim"),
        draft.namespace(),
        draft.name("none"),
        draft.age(),
    );
    draft.apply(phase, "helm", claim(&name, namespace, &class));
}

/// Two default classes: the younger one is effective. A claim without a class is older than both.
pub(super) fn default_classes(draft: &mut Draft) {
    let (first, second) = (draft.name("zeta-class"), draft.name("alpha-class"));
    let (older, namespace) = (draft.name("claim"), draft.namespace());
    let mut object = claim(&older, namespace, "");
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("storageClassName");
    }
    draft.apply(Phase::Old, "helm", object);
    for (name, phase) in [(second, Phase::Policies), (first, Phase::Changes)] {
        draft.apply(
            phase,
            "kubectl",
            json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "provisioner": "example.com/disks", "volumeBindingMode": "WaitForFirstConsumer"
            }),
        );
    }
}
