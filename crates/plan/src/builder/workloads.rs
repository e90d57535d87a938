//! What the builder keeps of the Pods of workloads, and of the objects between a Pod and its workload.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use lifeboat_model::{ResourceType, Uid};
use lifeboat_translate::identity::Leftover;
use lifeboat_translate::pointer;
use serde_json::Value;

use crate::settings::Settings;
use crate::skip::is_finished_job;
use crate::{Locator, SourceType, prepare, shape};

/// Pods of one controller with one shape and one revision.
#[derive(Debug, Clone)]
pub(crate) struct PodGroup {
    pub(crate) digest: [u8; 32],
    /// The label of the revision; empty if the Pods have none.
    pub(crate) revision: Box<str>,
    pub(crate) pods: u32,
    pub(crate) ready: u32,
    /// The images of the Pods, by container.
    pub(crate) images: Images,
    /// The first Pod of the group in the recovery point.
    pub(crate) example: Locator,
    /// The ordinals of the Pods, if they are of a StatefulSet.
    pub(crate) ordinals: Vec<u32>,
}

/// A StatefulSet of which a part of the Pods runs a former revision, because a partition holds the rollout
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions>).
#[derive(Debug, Clone)]
pub(crate) struct HeldRollout {
    /// The name of the ControllerRevision that Pods below the partition run, which is also their label.
    pub(crate) former: Box<str>,
    /// The one of the others.
    pub(crate) current: Box<str>,
    /// The first ordinal that runs the current revision.
    pub(crate) from: u32,
}

impl HeldRollout {
    fn read(set: &Value) -> Option<Self> {
        let text = |path| pointer::text(set, path).filter(|text| !text.is_empty());
        let number = |path, default| {
            let number = set.pointer(path).map_or(Some(default), Value::as_u64)?;
            u32::try_from(number).ok()
        };
        let partition = number("/spec/updateStrategy/rollingUpdate/partition", 0)?;
        let (former, current) = (text("/status/currentRevision")?, text("/status/updateRevision")?);
        let is_rolling = text("/spec/updateStrategy/type").is_none_or(|kind| kind == "RollingUpdate");
        let has_pods = number("/spec/replicas", 1)? > 0;
        (is_rolling && partition > 0 && has_pods && former != current).then(|| Self {
            former: former.into(),
            current: current.into(),
            from: partition.saturating_add(number("/spec/ordinals/start", 0).unwrap_or(0)),
        })
    }

    /// Returns the label of the revision that the Pod with this ordinal gets.
    pub(crate) fn revision_of(&self, ordinal: u32) -> &str {
        if ordinal < self.from {
            &self.former
        } else {
            &self.current
        }
    }
}

/// A ControllerRevision of a StatefulSet.
#[derive(Debug, Clone)]
pub(crate) struct Revision {
    pub(crate) locator: Locator,
    /// The digest of its data.
    pub(crate) digest: [u8; 32],
    /// What names the primary in its template.
    pub(crate) leftovers: Vec<Leftover>,
}

/// Returns the ordinal of a Pod, if a StatefulSet is its controller.
fn ordinal(pod: &Value) -> Option<u32> {
    if pointer::text(controller(pod)?, "/kind") != Some("StatefulSet") {
        return None;
    }
    pointer::text(pod, "/metadata/name")?
        .rsplit_once('-')?
        .1
        .parse()
        .ok()
}

/// Images by the names of containers.
pub(crate) type Images = BTreeMap<Box<str>, Box<str>>;

/// Returns the images of a Pod or of a template.
fn images(pod: &Value) -> Images {
    let lists = ["/spec/initContainers", "/spec/containers"];
    let containers = lists.iter().flat_map(|path| pointer::list(pod, path));
    containers
        .filter_map(|container| {
            let text = |path| pointer::text(container, path).map(Into::into);
            Some((text("/name")?, text("/image")?))
        })
        .collect()
}

/// A ReplicaSet of a Deployment.
#[derive(Debug, Clone)]
pub(crate) struct ReplicaSetOf {
    pub(crate) deployment: Uid,
    pub(crate) revision: Box<str>,
}

/// The Pods that ran in the source, by the UIDs of the objects that own them.
#[derive(Debug, Default)]
pub(crate) struct WorkloadFacts {
    /// By the controller of the Pods.
    pub(crate) pods: HashMap<Uid, Vec<PodGroup>>,
    /// By the ReplicaSet.
    pub(crate) replica_sets: HashMap<Uid, ReplicaSetOf>,
    /// The current revision of a Deployment (its number) or StatefulSet (the label of its Pods).
    pub(crate) current: HashMap<Uid, Box<str>>,
    /// The newest revision of a StatefulSet or DaemonSet, with the label of its Pods.
    pub(crate) newest: HashMap<Uid, (i64, Box<str>)>,
    /// StatefulSets whose rollout is held.
    pub(crate) held: HashMap<Uid, HeldRollout>,
    /// The ControllerRevisions of StatefulSets, by the UID of the StatefulSet and their own name.
    pub(crate) revisions: HashMap<(Uid, Box<str>), Revision>,
    /// The images in the templates of ReplicaSets without a Deployment and of ReplicationControllers. Their Pods have no
    /// label of a revision, and a change of the template replaces none of them.
    pub(crate) templates: HashMap<Uid, Images>,
    /// Workloads that have fewer Pods than they ask for.
    pub(crate) lacking: BTreeSet<Uid>,
    /// What refused the Pods of workloads that lack some, as far as their status says it.
    pub(crate) refusals: HashMap<Uid, Refusal>,
    /// When the oldest Pod of each controller was created.
    pub(crate) oldest_pods: HashMap<Uid, Box<str>>,
    /// When each mutating webhook configuration and policy was created.
    pub(crate) mutating: HashMap<Uid, Box<str>>,
    /// Deployments that are paused.
    pub(crate) paused: BTreeSet<Uid>,
    /// Namespaces in which Pods ran.
    pub(crate) namespaces: BTreeSet<Arc<str>>,
    /// The number of Pods of controllers with each PriorityClass; the empty name for those without one.
    pub(crate) priority_classes: BTreeMap<Box<str>, u64>,
    /// The PriorityClasses of Pods, by their controller.
    pub(crate) classes: HashMap<Uid, BTreeSet<Box<str>>>,
    /// The `scheduling.nodeSelector` of each RuntimeClass.
    pub(crate) runtime_classes: BTreeMap<Box<str>, BTreeMap<String, String>>,
}

/// Returns the reference to the controller of an object.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    pointer::list(object, "/metadata/ownerReferences")
        .find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
}

/// Returns the UID of the controller of an object.
fn controller_uid(object: &Value) -> Option<Uid> {
    pointer::text(controller(object)?, "/uid").map(Uid::from)
}

/// Returns whether a controller has fewer Pods than its workload asks for. A workload that no controller has seen yet
/// lacks none.
fn lacks_pods(resource: &ResourceType, object: &Value) -> bool {
    let number = |path: &str, default| object.pointer(path).and_then(Value::as_u64).unwrap_or(default);
    let is_seen = object.pointer("/status/observedGeneration").is_some();
    match (resource.group.as_str(), resource.resource.as_str()) {
        ("apps", "deployments" | "statefulsets" | "replicasets") | ("", "replicationcontrollers") => {
            is_seen && number("/status/replicas", 0) < number("/spec/replicas", 1)
        }
        ("apps", "daemonsets") => {
            number("/status/currentNumberScheduled", 0) < number("/status/desiredNumberScheduled", 0)
        }
        ("batch", "jobs") => {
            let is_open =
                object.pointer("/spec/suspend") != Some(&Value::Bool(true)) && !is_finished_job(object);
            // Without completions any success is the end of the Job.
            let left = number("/spec/completions", 1).saturating_sub(number("/status/succeeded", 0));
            is_open && number("/status/active", 0) < left.min(number("/spec/parallelism", 1))
        }
        _ => false,
    }
}

/// What refused a Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A validating webhook or policy, with its name.
    Validation(Box<str>),
    /// Anything else.
    Other,
}

/// Returns what refused the Pods of a controller, from the condition that a ReplicaSet and its Deployment have for it.
fn refusal(object: &Value) -> Option<Refusal> {
    let failure = pointer::list(object, "/status/conditions").find(|condition| {
        pointer::text(condition, "/type") == Some("ReplicaFailure")
            && pointer::text(condition, "/status") == Some("True")
    })?;
    let message = pointer::text(failure, "/message").unwrap_or_default();
    // The messages of `pkg/admission/plugin/webhook/errors` and `pkg/admission/plugin/policy/validating` of apiserver.
    let named = [
        ("admission webhook \"", '"'),
        ("failed calling webhook \"", '"'),
        ("ValidatingAdmissionPolicy '", '\''),
    ]
    .into_iter()
    .find_map(|(before, quote)| Some(message.split_once(before)?.1.split_once(quote)?.0));
    Some(named.map_or(Refusal::Other, |name| Refusal::Validation(name.into())))
}

impl WorkloadFacts {
    /// Records what the plans of workloads need from an object.
    pub(crate) fn learn(
        &mut self,
        r#type: &SourceType,
        namespace: Option<Arc<str>>,
        name: &str,
        locator: Locator,
        object: &Value,
        settings: &Settings,
    ) {
        let uid = || Uid::from(pointer::text(object, "/metadata/uid").unwrap_or_default());
        let revision = || pointer::text(object, "/metadata/annotations/deployment.kubernetes.io~1revision");
        let created = || pointer::text(object, "/metadata/creationTimestamp").unwrap_or_default();
        if lacks_pods(&r#type.resource, object) {
            self.lacking.insert(uid());
            self.refusals.extend(refusal(object).map(|by| (uid(), by)));
        }
        match (r#type.resource.group.as_str(), r#type.resource.resource.as_str()) {
            ("", "pods") if shape::is_active(object) => {
                self.namespaces.extend(namespace);
                if let Some(owner) = controller_uid(object) {
                    let oldest = self
                        .oldest_pods
                        .entry(owner.clone())
                        .or_insert_with(|| created().into());
                    if created() < &**oldest {
                        *oldest = created().into();
                    }
                    let class = pointer::text(object, "/spec/priorityClassName").unwrap_or_default();
                    *self.priority_classes.entry(class.into()).or_default() += 1;
                    if !class.is_empty() {
                        let classes = self.classes.entry(owner.clone()).or_default();
                        classes.insert(class.into());
                    }
                    self.add_pod(owner, locator, object, settings);
                }
            }
            ("apps", "replicasets") => {
                if let (Some(owner), Some(deployment)) = (controller(object), controller_uid(object))
                    && pointer::text(owner, "/kind") == Some("Deployment")
                {
                    let of = ReplicaSetOf {
                        deployment,
                        revision: revision().unwrap_or_default().into(),
                    };
                    self.replica_sets.insert(uid(), of);
                } else if let Some(template) = object.pointer("/spec/template") {
                    self.templates.insert(uid(), images(template));
                }
            }
            (
                "admissionregistration.k8s.io",
                "mutatingwebhookconfigurations" | "mutatingadmissionpolicies",
            ) => {
                self.mutating.insert(uid(), created().into());
            }
            ("", "replicationcontrollers") => {
                if let Some(template) = object.pointer("/spec/template") {
                    self.templates.insert(uid(), images(template));
                }
            }
            ("apps", "deployments") => {
                if let Some(revision) = revision() {
                    self.current.insert(uid(), revision.into());
                }
                if object.pointer("/spec/paused") == Some(&Value::Bool(true)) {
                    self.paused.insert(uid());
                }
            }
            ("apps", "statefulsets") => {
                if let Some(revision) = pointer::text(object, "/status/updateRevision") {
                    self.current.insert(uid(), revision.into());
                }
                if let Some(held) = HeldRollout::read(object) {
                    self.held.insert(uid(), held);
                }
            }
            ("apps", "controllerrevisions") => {
                if let (Some(owner), Some(data)) = (controller(object), object.get("data"))
                    && pointer::text(owner, "/kind") == Some("StatefulSet")
                    && let Some(set) = controller_uid(object)
                {
                    let digest = settings.redactor.bytes(data);
                    let set_name = pointer::text(owner, "/name").unwrap_or_default();
                    let revision = Revision {
                        locator,
                        digest,
                        leftovers: prepare::revisions::leftovers(settings, set_name, object),
                    };
                    self.revisions.insert((set, name.into()), revision);
                }
                let number = object.pointer("/revision").and_then(Value::as_i64);
                let label = pointer::text(object, "/metadata/labels/controller-revision-hash");
                if let (Some(owner), Some(number), Some(label)) = (controller_uid(object), number, label)
                    && self.newest.get(&owner).is_none_or(|(known, _)| *known < number)
                {
                    self.newest.insert(owner, (number, label.into()));
                }
            }
            ("node.k8s.io", "runtimeclasses") => {
                let selector = object
                    .pointer("/scheduling/nodeSelector")
                    .and_then(Value::as_object);
                let texts = selector.into_iter().flatten();
                let selector =
                    texts.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
                self.runtime_classes.insert(name.into(), selector.collect());
            }
            _ => {}
        }
    }

    /// Returns the number of ready Pods of a workload.
    pub(crate) fn ready_of(&self, uid: &Uid) -> u32 {
        let own = self.pods.iter().filter(|(controller, _)| {
            let of = self.replica_sets.get(*controller);
            *controller == uid || of.is_some_and(|set| set.deployment == *uid)
        });
        own.flat_map(|(_, groups)| groups).map(|group| group.ready).sum()
    }

    fn add_pod(&mut self, owner: Uid, locator: Locator, pod: &Value, settings: &Settings) {
        let shape = settings.shape_in_target(shape::of_pod(pod));
        let digest = settings.redactor.bytes(&shape);
        let revision = shape::revision(pod).unwrap_or_default();
        let groups = self.pods.entry(owner).or_default();
        let known = groups
            .iter()
            .position(|group| group.digest == digest && &*group.revision == revision);
        let group = match known {
            Some(at) => &mut groups[at],
            None => {
                groups.push(PodGroup {
                    digest,
                    revision: revision.into(),
                    pods: 0,
                    ready: 0,
                    images: images(pod),
                    example: locator,
                    ordinals: Vec::new(),
                });
                groups.last_mut().expect("one was added")
            }
        };
        group.pods += 1;
        group.ready += u32::from(shape::is_ready(pod));
        group.example = group.example.min(locator);
        group.ordinals.extend(ordinal(pod));
    }
}
