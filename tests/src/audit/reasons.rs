//! Why an object need not be restored, judged from the two clusters alone.

use std::fmt;

use serde_json::Value;

use super::Evidence;
use crate::compare::owners::{controller, owners};
use crate::snapshot::{Key, array, text};

/// Why an object of the source rightly is not restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was being deleted, or its namespace was.
    Terminating,
    /// A built-in controller makes it from its owner.
    Child,
    /// The endpoints of a Service with a selector.
    Endpoints,
    /// The state of one moment of one cluster: Events, Leases, Nodes and what belongs to them.
    Passing,
    /// Each cluster makes it by itself, and the target has it.
    Maintained,
    /// It belongs to what a controller makes anew.
    OfChild,
    /// A bare Pod that had finished: it would run again.
    Finished,
    /// A finished Job that its controller would remove.
    Expired,
    /// A volume whose claim is gone and whose reclaim policy deletes what it holds.
    Released,
    /// The kubelet's picture of a static Pod.
    Mirror,
    /// The target has no such type.
    NoType,
}

impl Why {
    /// Whether a rule's name says the same. Rules are named by Lifeboat; a name that is not known here
    /// fits nothing, so that a new rule is looked at by whoever adds it.
    #[must_use]
    pub fn fits(self, rule: &str) -> bool {
        let rules: &[&str] = match self {
            Self::Terminating => &["terminating", "terminating-namespace"],
            Self::Child => &["child-of-controller"],
            Self::OfChild => &["dependant-of-child"],
            Self::Endpoints => &["endpoints-of-selector", "mirrored-slice"],
            Self::Passing => &[
                "node",
                "lease",
                "event",
                "csi-node",
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
            Self::NoType => &["type-not-served", "version-not-served", "read-only-type"],
        };
        rules.contains(&rule)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminating => "being deleted",
            Self::Child => "the child of a built-in controller",
            Self::OfChild => "owned by the child of a built-in controller",
            Self::Endpoints => "the endpoints of a Service with a selector",
            Self::Passing => "the state of one moment of one cluster",
            Self::Maintained => "made by each cluster itself",
            Self::Finished => "a finished bare Pod",
            Self::Expired => "a finished Job with a time to live",
            Self::Released => "a volume that is released and would be deleted",
            Self::Mirror => "the mirror of a static Pod",
            Self::NoType => "of a type that the target lacks",
        })
    }
}

/// Types whose objects mean something only in the cluster and the moment in which they are.
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

/// Why `object` rightly is not restored; none if it ought to be.
#[must_use]
pub fn why(evidence: &Evidence<'_>, key: &Key, object: &Value) -> Option<Why> {
    let type_name = key.type_name.as_str();
    let namespace = evidence.source.get(&Key::new("namespaces", "", &key.namespace));
    if terminating(object) || namespace.is_some_and(terminating) {
        return Some(Why::Terminating);
    }
    if passing_type(type_name) {
        return Some(Why::Passing);
    }
    if !evidence.target.types.contains_key(type_name) {
        return Some(Why::NoType);
    }
    if !text(object, "/metadata/annotations/kubernetes.io~1config.mirror").is_empty() {
        return Some(Why::Mirror);
    }
    // A claim outlives the StatefulSet that made it: it holds data, and no controller can make that.
    if child(object) && type_name != "persistentvolumeclaims" {
        return Some(Why::Child);
    }
    if type_name == "endpoints" && has_selector(evidence, key, &key.name) {
        return Some(Why::Endpoints);
    }
    if type_name == "endpointslices.discovery.k8s.io" {
        let service = text(object, "/metadata/labels/kubernetes.io~1service-name");
        let managed = text(object, "/metadata/labels/endpointslice.kubernetes.io~1managed-by");
        if managed.starts_with("endpointslicemirroring-controller")
            || (managed.starts_with("endpointslice-controller") && has_selector(evidence, key, service))
        {
            return Some(Why::Endpoints);
        }
    }
    if type_name == "pods"
        && owners(object).is_empty()
        && matches!(text(object, "/status/phase"), "Succeeded" | "Failed")
    {
        return Some(Why::Finished);
    }
    let finished = array(object, "/status/conditions")
        .any(|entry| matches!(text(entry, "/type"), "Complete" | "Failed") && entry["status"] == "True");
    if type_name == "jobs.batch" && finished && !object["spec"]["ttlSecondsAfterFinished"].is_null() {
        return Some(Why::Expired);
    }
    if type_name == "persistentvolumes"
        && matches!(text(object, "/status/phase"), "Released" | "Failed")
        && matches!(
            text(object, "/spec/persistentVolumeReclaimPolicy"),
            "Delete" | "Recycle"
        )
    {
        return Some(Why::Released);
    }
    if maintained(evidence, key, object) {
        return Some(Why::Maintained);
    }
    let of_child = owners(object).iter().any(|owner| {
        evidence.source.objects.iter().any(|(other, found)| {
            text(found, "/metadata/uid") == owner.uid
                && matches!(why(evidence, other, found), Some(Why::Child | Why::OfChild))
        })
    });
    of_child.then_some(Why::OfChild)
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

/// Each cluster makes it by itself: it was in the target before anything was restored, or it is one of
/// the few objects that come with each namespace, Service or Node.
fn maintained(evidence: &Evidence<'_>, key: &Key, object: &Value) -> bool {
    if evidence.target.get(key).is_none() {
        // An address object has the name of the address, which a Service may have got anew.
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
