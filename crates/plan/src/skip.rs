//! Decides from the object alone whether it is not restored.

use std::collections::BTreeMap;

use lifeboat_translate::pointer;
use serde_json::Value;

use crate::builder::workloads::controller;
use crate::eks;
use crate::rule::RuleId;
use crate::source::SourceType;

/// Returns the rule of a type of which no object is restored.
pub(crate) fn whole_type(r#type: &SourceType) -> Option<RuleId> {
    let rule = match (r#type.resource.group.as_str(), r#type.resource.resource.as_str()) {
        ("", "nodes") => RuleId::Node,
        ("" | "events.k8s.io", "events") => RuleId::Event,
        ("coordination.k8s.io", "leases" | "leasecandidates") => RuleId::Lease,
        ("storage.k8s.io", "csinodes") => RuleId::CsiNode,
        ("karpenter.sh", "nodeclaims") => RuleId::NodeClaim,
        ("storage.k8s.io", "volumeattachments") => RuleId::VolumeAttachment,
        ("certificates.k8s.io", "certificatesigningrequests" | "podcertificaterequests") => {
            RuleId::CertificateRequest
        }
        ("", "componentstatuses")
        | ("storage.k8s.io", "csistoragecapacities")
        | ("resource.k8s.io", "resourceslices")
        // The VPC CNI plugin: one for each Node, with the network interfaces that it may have.
        | ("vpcresources.k8s.aws" | "eks.amazonaws.com", "cninodes")
        | ("internal.apiserver.k8s.io", "storageversions") => RuleId::ObservedState,
        _ => {
            let verbs = &r#type.verbs;
            let creatable = verbs.is_empty() || verbs.iter().any(|verb| verb == "create");
            return (!creatable).then_some(RuleId::ReadOnlyType);
        }
    };
    Some(rule)
}

/// Returns the rule by which this object is not restored, with the fact that the rule depended on.
pub(crate) fn object(
    r#type: &SourceType,
    namespace: Option<&str>,
    name: &str,
    labels: &BTreeMap<String, String>,
    object: &Value,
) -> Option<(RuleId, Option<String>)> {
    if object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|time| !time.is_null())
    {
        return Some((RuleId::Terminating, None));
    }
    let named = (r#type.resource.group.as_str(), r#type.resource.resource.as_str());
    if let Some(detail) = eks::owns(named, namespace, name, object) {
        return Some((RuleId::EksManaged, detail));
    }
    let annotation = |key: &str| pointer::text(object, &pointer::of(&["metadata", "annotations", key]));
    let label = |key: &str| labels.get(key).map(String::as_str);
    let plain = |rule| Some((rule, None));
    match named {
        ("", "namespaces") if pointer::text(object, "/status/phase") == Some("Terminating") => {
            plain(RuleId::Terminating)
        }
        // The publisher of this ConfigMap resets all of its data.
        ("", "configmaps") if name == "kube-root-ca.crt" => plain(RuleId::RootCertificate),
        // The API server writes all data of these two. The first holds authorities for client certificates: those of
        // the source must not be trusted in the target. All other ConfigMaps of kube-system (`coredns`, `kube-proxy`,
        // `kubeadm-config`) are written by the installer of the cluster and belong to nobody else.
        ("", "configmaps")
            if namespace == Some("kube-system")
                && matches!(
                    name,
                    "extension-apiserver-authentication"
                        | "kube-apiserver-legacy-service-account-token-tracking"
                ) =>
        {
            plain(RuleId::ServerOwned)
        }
        ("", "services" | "endpoints") | ("discovery.k8s.io", "endpointslices")
            if namespace == Some("default") && name == "kubernetes" =>
        {
            plain(RuleId::KubernetesService)
        }
        ("", "endpoints") if annotation("control-plane.alpha.kubernetes.io/leader").is_some() => {
            plain(RuleId::Lease)
        }
        // Whether a controller writes a slice with its label depends on the Service (see `resolve`).
        ("discovery.k8s.io", "endpointslices")
            if label("endpointslice.kubernetes.io/managed-by")
                == Some("endpointslicemirroring-controller.k8s.io") =>
        {
            plain(RuleId::MirroredSlice)
        }
        // An address of another owner is reserved, and no Service gets it
        // (<https://kubernetes.io/docs/reference/networking/virtual-ips/#ip-address-objects>).
        ("networking.k8s.io", "ipaddresses")
            if label("ipaddress.kubernetes.io/managed-by") == Some("ipallocator.k8s.io")
                && pointer::text(object, "/spec/parentRef/resource") == Some("services") =>
        {
            plain(RuleId::AllocatedAddress)
        }
        ("networking.k8s.io", "servicecidrs") if name == "kubernetes" => plain(RuleId::ServerOwned),
        ("certificates.k8s.io", "clustertrustbundles")
            if name.starts_with("kubernetes.io:kube-apiserver-serving:") =>
        {
            plain(RuleId::ServerOwned)
        }
        ("scheduling.k8s.io", "priorityclasses") if name.starts_with("system-") => {
            plain(RuleId::SystemPriorityClass)
        }
        // The API server reconciles its default roles, unless an operator has disabled it with the `autoupdate`
        // annotation. It adds what is missing and keeps what was added: `resolve::rbac` finds the additions.
        ("rbac.authorization.k8s.io", _)
            if label("kubernetes.io/bootstrapping") == Some("rbac-defaults")
                && annotation("rbac.authorization.kubernetes.io/autoupdate") != Some("false") =>
        {
            plain(RuleId::BootstrapRbac)
        }
        // The API server resets the whole spec of these.
        ("flowcontrol.apiserver.k8s.io", _)
            if annotation("apf.kubernetes.io/autoupdate-spec") == Some("true")
                || matches!(name, "exempt" | "catch-all") =>
        {
            plain(RuleId::BootstrapFlowControl)
        }
        ("apiregistration.k8s.io", "apiservices")
            if label("kube-aggregator.kubernetes.io/automanaged").is_some()
                || object.pointer("/spec/service").is_none_or(Value::is_null) =>
        {
            plain(RuleId::AutomanagedApiService)
        }
        ("", "pods") if annotation("kubernetes.io/config.mirror").is_some() => plain(RuleId::MirrorPod),
        _ => child(r#type, object).or_else(|| finished(r#type, object)),
    }
}

/// Returns whether the object is a default of the API server that it does not reset, because an administrator has
/// taken it over by an annotation. The target has an object of its own with this name.
pub(crate) fn is_default_of_server(
    r#type: &SourceType,
    labels: &BTreeMap<String, String>,
    object: &Value,
) -> bool {
    let annotation = |key: &str| pointer::text(object, &pointer::of(&["metadata", "annotations", key]));
    match r#type.resource.group.as_str() {
        "rbac.authorization.k8s.io" => {
            labels.get("kubernetes.io/bootstrapping").map(String::as_str) == Some("rbac-defaults")
                && annotation("rbac.authorization.kubernetes.io/autoupdate") == Some("false")
        }
        "flowcontrol.apiserver.k8s.io" => annotation("apf.kubernetes.io/autoupdate-spec") == Some("false"),
        _ => false,
    }
}

/// Returns the rule if a built-in controller creates the object from an owner of a built-in type.
fn child(r#type: &SourceType, object: &Value) -> Option<(RuleId, Option<String>)> {
    let child = (r#type.resource.group.as_str(), r#type.resource.resource.as_str());
    let owner = controller(object)?;
    let group = pointer::text(owner, "/apiVersion")?
        .rsplit_once('/')
        .map_or("", |(group, _)| group);
    let kind = pointer::text(owner, "/kind")?;
    let made = match (child, group, kind) {
        (("", "pods"), "", "Node") => return Some((RuleId::MirrorPod, None)),
        // No controller starts a run again: neither one that was started by hand nor one that is in progress.
        (("batch", "jobs"), "batch", "CronJob") => {
            let owner = format!("{kind} {}", pointer::text(owner, "/name").unwrap_or_default());
            return is_finished_job(object).then_some((RuleId::FinishedRun, Some(owner)));
        }
        // While a Deployment is paused, its controller makes no ReplicaSet (see `resolve`).
        (("apps", "replicasets"), "apps", "Deployment") if has_replicas(object) => return None,
        (("", "pods"), "apps", "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | (("", "pods"), "batch", "Job")
        | (("", "pods"), "", "ReplicationController")
        | (("apps", "replicasets"), "apps", "Deployment")
        | (("apps", "controllerrevisions"), "apps", "StatefulSet" | "DaemonSet")
        | (("", "endpoints"), "", "Service")
        | (("resource.k8s.io", "resourceclaims"), "", "Pod") => true,
        // The claim of a generic ephemeral volume.
        (("", "persistentvolumeclaims"), "", "Pod") => true,
        _ => false,
    };
    let name = pointer::text(owner, "/name").unwrap_or_default();
    made.then(|| (RuleId::ChildOfController, Some(format!("{kind} {name}"))))
}

/// Returns whether a Job has the condition `Complete` or `Failed`.
pub(crate) fn is_finished_job(job: &Value) -> bool {
    pointer::list(job, "/status/conditions").any(|condition| {
        matches!(pointer::text(condition, "/type"), Some("Complete" | "Failed"))
            && pointer::text(condition, "/status") == Some("True")
    })
}

fn has_replicas(replica_set: &Value) -> bool {
    let number = |path: &str| replica_set.pointer(path).and_then(Value::as_u64);
    number("/spec/replicas").unwrap_or(1) > 0 || number("/status/replicas").unwrap_or(0) > 0
}

fn finished(r#type: &SourceType, object: &Value) -> Option<(RuleId, Option<String>)> {
    let is_pod = r#type.resource.group.is_empty() && r#type.resource.resource == "pods";
    let phase = pointer::text(object, "/status/phase")?;
    (is_pod && matches!(phase, "Succeeded" | "Failed")).then(|| (RuleId::FinishedPod, Some(phase.to_owned())))
}

#[cfg(test)]
mod tests;
