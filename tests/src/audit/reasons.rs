//! Decides from the two clusters alone whether an object need not be restored.

use std::fmt;

use serde_json::Value;

use super::Evidence;
use crate::compare::owners::{controller, owners};
use crate::snapshot::{Key, array, text};

/// A valid reason for not restoring an object of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeReason {
    /// The object or its namespace was being deleted.
    Terminating,
    /// A built-in controller creates it from its owner.
    Child,
    /// A run of a CronJob that has finished.
    Run,
    /// Its namespace did not exist.
    Orphan,
    /// The endpoints of a Service with a selector.
    Endpoints,
    /// It describes the state of one cluster at one moment: Events, Leases, Nodes and what belongs to them.
    Passing,
    /// Each cluster creates it itself, and the target has it.
    Maintained,
    /// It belongs to an object that a controller creates again.
    OfChild,
    /// A bare Pod that has finished: a restore would run it again.
    Finished,
    /// A finished Job with a TTL: its controller would remove it.
    Expired,
    /// A released volume whose reclaim policy deletes it.
    Released,
    /// A mirror Pod: the API object of a static Pod.
    Mirror,
    /// EKS puts it into each of its clusters, with the names and addresses of that cluster.
    Eks,
    /// The target has no such type.
    NoType,
}

impl ChangeReason {
    /// Returns whether the name of a rule means this reason. Rules are named by Lifeboat. An
    /// unknown name matches no reason, so that a new rule must be added here and is reviewed then.
    #[must_use]
    pub fn fits(self, rule: &str) -> bool {
        let rules: &[&str] = match self {
            Self::Terminating => &["terminating", "terminating-namespace"],
            Self::Child => &["child-of-controller"],
            Self::OfChild => &["dependant-of-child"],
            Self::Run => &["finished-run"],
            Self::Orphan => &["namespace-absent"],
            Self::Endpoints => &["endpoints-of-selector", "mirrored-slice"],
            Self::Passing => &[
                "node",
                "lease",
                "event",
                "csi-node",
                "node-claim",
                "volume-attachment",
                "certificate-request",
                "observed-state",
                "read-only-type",
            ],
            Self::Maintained => &[
                "server-owned",
                "bootstrap-rbac",
                "bootstrap-flow-control",
                "automanaged-api-service",
                "system-priority-class",
                "kubernetes-service",
                "root-certificate",
                "allocated-address",
                "existing-kept",
            ],
            Self::Finished => &["finished-pod"],
            Self::Expired => &["finished-job-expires"],
            Self::Released => &["released-volume"],
            Self::Mirror => &["mirror-pod"],
            Self::Eks => &["eks-managed"],
            Self::NoType => &["type-not-served", "version-not-served", "read-only-type"],
        };
        rules.contains(&rule)
    }
}

impl fmt::Display for ChangeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminating => "being deleted",
            Self::Child => "the child of a built-in controller",
            Self::OfChild => "owned by the child of a built-in controller",
            Self::Run => "a finished run of a CronJob",
            Self::Orphan => "in a namespace that did not exist",
            Self::Endpoints => "the endpoints of a Service with a selector",
            Self::Passing => "the state of one moment of one cluster",
            Self::Maintained => "made by each cluster itself",
            Self::Finished => "a finished bare Pod",
            Self::Expired => "a finished Job with a time to live",
            Self::Released => "a volume that is released and would be deleted",
            Self::Mirror => "the mirror of a static Pod",
            Self::Eks => "managed by EKS in each cluster",
            Self::NoType => "of a type that the target lacks",
        })
    }
}

/// Returns whether objects of a type are meaningful only in their cluster and at their time.
#[must_use]
pub fn passing_type(type_name: &str) -> bool {
    matches!(
        type_name,
        "events"
            | "events.events.k8s.io"
            | "nodes"
            | "componentstatuses"
            | "leases.coordination.k8s.io"
            | "leasecandidates.coordination.k8s.io"
            | "csinodes.storage.k8s.io"
            | "csistoragecapacities.storage.k8s.io"
            | "volumeattachments.storage.k8s.io"
            | "certificatesigningrequests.certificates.k8s.io"
            | "resourceslices.resource.k8s.io"
            | "storageversions.internal.apiserver.k8s.io"
    )
}

/// Returns a valid reason for not restoring `object`; nothing if it must be restored.
#[must_use]
pub fn why(evidence: &Evidence<'_>, key: &Key, object: &Value) -> Option<ChangeReason> {
    let type_name = key.type_name.as_str();
    let namespace = evidence.source.get(&Key::new("namespaces", "", &key.namespace));
    if terminating(object) || namespace.is_some_and(terminating) {
        return Some(ChangeReason::Terminating);
    }
    if passing_type(type_name) {
        return Some(ChangeReason::Passing);
    }
    if !evidence.target.types.contains_key(type_name) {
        return Some(ChangeReason::NoType);
    }
    if !text(object, "/metadata/annotations/kubernetes.io~1config.mirror").is_empty() {
        return Some(ChangeReason::Mirror);
    }
    // A claim outlives the StatefulSet that created it: it has data, which no controller can create again.
    let finished = array(object, "/status/conditions")
        .any(|entry| matches!(text(entry, "/type"), "Complete" | "Failed") && entry["status"] == "True");
    if type_name == "jobs.batch" && controller(object).is_some_and(|owner| owner.kind == "CronJob") {
        return finished.then_some(ChangeReason::Run);
    }
    if child(object) && type_name != "persistentvolumeclaims" && !of_paused(evidence, key, object) {
        return Some(ChangeReason::Child);
    }
    if type_name == "persistentvolumeclaims" && made_for_pod(evidence, key, object) {
        return Some(ChangeReason::Child);
    }
    if !key.namespace.is_empty() && namespace.is_none() {
        return Some(ChangeReason::Orphan);
    }
    if type_name == "endpoints" && has_selector(evidence, key, &key.name) {
        return Some(ChangeReason::Endpoints);
    }
    if type_name == "endpointslices.discovery.k8s.io" {
        let service = text(object, "/metadata/labels/kubernetes.io~1service-name");
        let managed = text(object, "/metadata/labels/endpointslice.kubernetes.io~1managed-by");
        if managed.starts_with("endpointslicemirroring-controller")
            || (managed.starts_with("endpointslice-controller") && has_selector(evidence, key, service))
        {
            return Some(ChangeReason::Endpoints);
        }
    }
    if type_name == "pods"
        && owners(object).is_empty()
        && matches!(text(object, "/status/phase"), "Succeeded" | "Failed")
    {
        return Some(ChangeReason::Finished);
    }
    if type_name == "jobs.batch" && finished && !object["spec"]["ttlSecondsAfterFinished"].is_null() {
        return Some(ChangeReason::Expired);
    }
    if type_name == "persistentvolumes"
        && matches!(text(object, "/status/phase"), "Released" | "Failed")
        && matches!(
            text(object, "/spec/persistentVolumeReclaimPolicy"),
            "Delete" | "Recycle"
        )
    {
        return Some(ChangeReason::Released);
    }
    if maintained(evidence, key, object) {
        return Some(ChangeReason::Maintained);
    }
    if eks(key, object) {
        return Some(ChangeReason::Eks);
    }
    let of_child = owners(object).iter().any(|owner| {
        evidence.source.objects.iter().any(|(other, found)| {
            text(found, "/metadata/uid") == owner.uid
                && matches!(
                    why(evidence, other, found),
                    Some(ChangeReason::Child | ChangeReason::OfChild)
                )
        })
    });
    of_child.then_some(ChangeReason::OfChild)
}

fn terminating(object: &Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

fn child(object: &Value) -> bool {
    controller(object).is_some_and(|owner| {
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        matches!(
            (group, owner.kind.as_str()),
            ("apps" | "batch", _) | ("", "ReplicationController" | "Node")
        )
    })
}

/// Returns whether a claim is that of an ephemeral volume of a Pod that is made again, in the target bound as in the
/// source.
fn made_for_pod(evidence: &Evidence<'_>, key: &Key, claim: &Value) -> bool {
    let Some(owner) = controller(claim).filter(|owner| owner.kind == "Pod") else {
        return false;
    };
    let pod = Key::new("pods", &key.namespace, &owner.name);
    if evidence.source.get(&pod).is_some_and(child) {
        return true;
    }
    evidence.target.get(key).is_some_and(|found| {
        let same = |path: &str| found.pointer(path) == claim.pointer(path);
        controller(found).is_some_and(|other| other.kind == "Pod" && other.name == owner.name)
            && same("/status/phase")
            && same("/spec/volumeName")
    })
}

/// Returns whether an object is a ReplicaSet with Pods whose Deployment is paused: its controller makes none.
fn of_paused(evidence: &Evidence<'_>, key: &Key, object: &Value) -> bool {
    let owner = controller(object).filter(|owner| owner.kind == "Deployment");
    let deployment = owner.and_then(|owner| {
        evidence
            .source
            .get(&Key::new("deployments.apps", &key.namespace, &owner.name))
    });
    key.type_name == "replicasets.apps"
        && object["spec"]["replicas"] != 0
        && deployment.is_some_and(|deployment| deployment["spec"]["paused"] == true)
}

fn has_selector(evidence: &Evidence<'_>, key: &Key, service: &str) -> bool {
    evidence
        .source
        .get(&Key::new("services", &key.namespace, service))
        .is_some_and(|service| {
            service["spec"]["selector"]
                .as_object()
                .is_some_and(|selector| !selector.is_empty())
        })
}

/// Returns whether EKS put the object into the cluster: by its field manager, or by names that EKS documents (Amazon EKS
/// User Guide, "Understand Amazon EKS created RBAC roles and users" and "Grant IAM users access with a ConfigMap").
fn eks(key: &Key, object: &Value) -> bool {
    let of_eks = array(object, "/metadata/managedFields").any(|entry| text(entry, "/manager") == "eks");
    let name = key.name.as_str();
    of_eks
        || name.starts_with("eks:")
        || (key.type_name == "configmaps" && key.namespace == "kube-system" && name == "aws-auth")
}

/// Returns whether each cluster creates the object itself: it was in the target before the restore,
/// or it is one of the few objects that exist for each namespace, Service or Node.
fn maintained(evidence: &Evidence<'_>, key: &Key, object: &Value) -> bool {
    if evidence.target.get(key).is_none() {
        // An IPAddress has the address as its name, and a Service may have another address in the target.
        return key.type_name == "ipaddresses.networking.k8s.io"
            && text(object, "/spec/parentRef/resource") == "services";
    }
    evidence.before.get(key).is_some()
        || (key.type_name == "configmaps" && key.name == "kube-root-ca.crt")
        || (key.type_name == "serviceaccounts" && key.name == "default")
        || key.type_name == "ipaddresses.networking.k8s.io"
        || (key.type_name == "apiservices.apiregistration.k8s.io"
            && !text(
                object,
                "/metadata/labels/kube-aggregator.kubernetes.io~1automanaged",
            )
            .is_empty())
}
