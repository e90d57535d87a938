//! Checks what the Pods of restored workloads run: a controller makes them again, from the template and through the
//! admission of the target.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Evidence, Fault, Finding};
use crate::compare::owners::controller;
use crate::snapshot::{Key, Snapshot, array, text};

/// Labels that controllers and kubelets give to each Pod.
const LABELS_OF_CONTROLLERS: [&str; 9] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Fields of a Pod's spec that decide what it runs and as whom.
const FIELDS: [&str; 8] = [
    "serviceAccountName",
    "runtimeClassName",
    "schedulerName",
    "nodeSelector",
    "hostNetwork",
    "hostPID",
    "securityContext",
    "imagePullSecrets",
];

/// Fields of a container that decide what it runs.
const CONTAINER_FIELDS: [&str; 8] = [
    "name",
    "image",
    "command",
    "args",
    "env",
    "envFrom",
    "restartPolicy",
    "securityContext",
];

pub(super) fn check(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let (before, after) = (by_owner(evidence.source), by_owner(evidence.target));
    let none = BTreeMap::new();
    for key in evidence.source.objects.keys() {
        let Some(image) = evidence.image(key).filter(|_| !evidence.moving.contains(key)) else {
            continue;
        };
        let (had, has) = (
            before.get(key).unwrap_or(&none),
            after.get(&image).unwrap_or(&none),
        );
        let count = |pods: &BTreeMap<String, usize>| pods.values().sum::<usize>();
        let lost = had
            .keys()
            .filter(|_| count(has) >= count(had))
            .find(|shape| !has.contains_key(*shape));
        let gained = has.keys().find(|shape| !had.contains_key(*shape));
        let Some(shape) = lost.or(gained) else { continue };
        if evidence.claims.differing.contains(&image) {
            continue;
        }
        let other = if lost.is_some() { has } else { had };
        findings.push(Finding::new(
            Fault::Pods,
            key,
            format!(
                "its Pods run something else, and the report does not say so: {} on one side, {} on the other",
                shape,
                other.keys().next().map_or("none", String::as_str)
            ),
        ));
    }
}

/// Returns the shapes of the living Pods of each top-level owner, with their numbers.
fn by_owner(snapshot: &Snapshot) -> BTreeMap<Key, BTreeMap<String, usize>> {
    let mut shapes: BTreeMap<Key, BTreeMap<String, usize>> = BTreeMap::new();
    for (key, pod) in snapshot.of_type("pods") {
        if super::alive::ended(pod) || controller(pod).is_none() {
            continue;
        }
        let owner = super::alive::top_owner(snapshot, key, pod);
        *shapes
            .entry(owner)
            .or_default()
            .entry(shape(snapshot, pod).to_string())
            .or_default() += 1;
    }
    shapes
}

fn shape(snapshot: &Snapshot, pod: &Value) -> Value {
    let spec = &pod["spec"];
    let mut shape = Map::new();
    for field in FIELDS {
        shape.insert(field.to_owned(), spec[field].clone());
    }
    // The default class is given to each Pod that is made anew, in the source too.
    let class = text(spec, "/priorityClassName");
    let is_default = snapshot
        .of_type("priorityclasses.scheduling.k8s.io")
        .any(|(key, object)| key.name == class && object["globalDefault"] == true);
    let class = if is_default { "" } else { class };
    shape.insert("priorityClassName".to_owned(), json!(class));
    for list in ["initContainers", "containers"] {
        let containers = array(spec, &format!("/{list}")).map(|container| {
            let fields = CONTAINER_FIELDS
                .iter()
                .map(|field| ((*field).to_owned(), container[*field].clone()));
            Value::Object(fields.collect())
        });
        shape.insert(list.to_owned(), containers.collect());
    }
    let volumes = array(spec, "/volumes")
        .filter(|volume| !text(volume, "/name").starts_with("kube-api-access-"))
        .map(|volume| {
            let mut volume = volume.clone();
            // A StatefulSet's claims have the names of its Pods.
            if let Some(name) = volume.pointer_mut("/persistentVolumeClaim/claimName") {
                *name = Value::Null;
            }
            volume
        });
    shape.insert("volumes".to_owned(), volumes.collect());
    let mut labels = pod["metadata"]["labels"].clone();
    if let Some(labels) = labels.as_object_mut() {
        labels.retain(|name, _| !LABELS_OF_CONTROLLERS.contains(&name.as_str()));
    }
    shape.insert("labels".to_owned(), labels);
    let mut annotations = pod["metadata"]["annotations"].clone();
    if let Some(annotations) = annotations.as_object_mut() {
        // What a LimitRange has set, for readers. Each Pod that is made anew gets it, in the source too.
        annotations.remove("kubernetes.io/limit-ranger");
    }
    if annotations.as_object().is_some_and(Map::is_empty) {
        annotations = Value::Null;
    }
    shape.insert("annotations".to_owned(), annotations);
    Value::Object(shape)
}
