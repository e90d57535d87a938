//! The waves, which are the order in which types are restored.

use lifeboat_model::ResourceType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A wave of a restore. Every object of a wave is attempted before the next wave begins. The order of the variants is
/// the order of execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Wave {
    /// CustomResourceDefinitions, which must be established before they are used.
    Crds,
    /// Namespaces.
    Namespaces,
    /// Storage, ingress, priority and other classes, and cluster-wide settings.
    Classes,
    /// RBAC and ServiceAccounts.
    Access,
    /// ConfigMaps, Secrets, NetworkPolicies.
    Configuration,
    /// PersistentVolumes, then PersistentVolumeClaims.
    Volumes,
    /// Services.
    Services,
    /// Custom resources and types that are not in the table of this crate.
    CustomResources,
    /// Bare Pods, then LimitRanges. A LimitRange applies only to objects that are created: claims and bare Pods that are
    /// older than it, or than its last change, were admitted without it and carry the values that they received then.
    /// Pods that controllers create are to receive its defaults.
    Pods,
    /// Objects that refer to Services and workloads.
    Dependants,
    /// Workloads behind mutating webhooks, which must answer before other workloads create Pods.
    AdmissionBackends,
    /// Webhooks and policies that change Pods. Captured objects carry their changes already.
    MutatingAdmission,
    /// Controllers that create Pods.
    Workloads,
    /// Controllers whose Pods are younger than a default PriorityClass that most Pods are older than.
    YoungerWorkloads,
    /// ResourceQuotas. They come late, so that they do not limit the restore itself.
    Quotas,
    /// Controllers that had fewer Pods than they ask for in a namespace whose quota or Pod Security Standard may have
    /// kept them from creating more. Without those they would: a Job that waits for a quota would run.
    LimitedWorkloads,
    /// APIServices with a backend. The types that they serve are unavailable until the backend runs.
    AggregatedApis,
    /// All other webhooks and admission policies. They come last, so that they cannot reject restored objects.
    Admission,
}

impl Wave {
    /// Every wave, in order.
    pub const ALL: [Self; 18] = [
        Self::Crds,
        Self::Namespaces,
        Self::Classes,
        Self::Access,
        Self::Configuration,
        Self::Volumes,
        Self::Services,
        Self::CustomResources,
        Self::Pods,
        Self::Dependants,
        Self::AdmissionBackends,
        Self::MutatingAdmission,
        Self::Workloads,
        Self::YoungerWorkloads,
        Self::Quotas,
        Self::LimitedWorkloads,
        Self::AggregatedApis,
        Self::Admission,
    ];

    /// Returns a heading for display.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Crds => "custom resource definitions",
            Self::Namespaces => "namespaces",
            Self::Classes => "classes and cluster settings",
            Self::Access => "access",
            Self::Configuration => "configuration",
            Self::Volumes => "volumes and claims",
            Self::Services => "services",
            Self::CustomResources => "custom resources",
            Self::Pods => "pods",
            Self::Dependants => "dependents of services and workloads",
            Self::AdmissionBackends => "backends of mutating admission",
            Self::MutatingAdmission => "mutating admission",
            Self::Workloads => "workloads",
            Self::YoungerWorkloads => "workloads younger than a default class",
            Self::Quotas => "quotas",
            Self::LimitedWorkloads => "workloads that admission limits",
            Self::AggregatedApis => "aggregated APIs",
            Self::Admission => "admission",
        }
    }

    /// Returns the wave of a type and its minimum depth in the wave.
    #[must_use]
    pub fn of(resource: &ResourceType) -> (Self, u16) {
        match (resource.group.as_str(), resource.resource.as_str()) {
            ("apiextensions.k8s.io", "customresourcedefinitions") => (Self::Crds, 0),
            ("", "namespaces") => (Self::Namespaces, 0),
            ("storage.k8s.io" | "scheduling.k8s.io" | "node.k8s.io", _)
            // Reserved addresses come before Services, so that none of them gets one.
            | ("networking.k8s.io", "ingressclasses" | "servicecidrs" | "ipaddresses")
            | ("flowcontrol.apiserver.k8s.io", _)
            | ("resource.k8s.io", "deviceclasses" | "devicetaintrules")
            | ("certificates.k8s.io", "clustertrustbundles") => (Self::Classes, 0),
            ("", "serviceaccounts") => (Self::Access, 0),
            ("rbac.authorization.k8s.io", "roles" | "clusterroles") => (Self::Access, 0),
            ("rbac.authorization.k8s.io", _) => (Self::Access, 1),
            ("", "configmaps" | "secrets" | "podtemplates")
            | ("networking.k8s.io", "networkpolicies")
            | ("resource.k8s.io", "resourceclaimtemplates") => (Self::Configuration, 0),
            ("", "persistentvolumes") => (Self::Volumes, 0),
            ("", "persistentvolumeclaims") => (Self::Volumes, 1),
            ("resource.k8s.io", "resourceclaims") => (Self::Volumes, 0),
            // Services with fixed addresses are created before those with any free address, which have depth 1.
            ("", "services") => (Self::Services, 0),
            ("", "pods") => (Self::Pods, 0),
            ("", "limitranges") => (Self::Pods, 1),
            ("", "replicationcontrollers") | ("apps" | "batch", _) => (Self::Workloads, 0),
            ("", "endpoints")
            | ("discovery.k8s.io" | "autoscaling" | "policy", _)
            | ("networking.k8s.io", "ingresses") => (Self::Dependants, 0),
            ("", "resourcequotas") => (Self::Quotas, 0),
            ("apiregistration.k8s.io", _) => (Self::AggregatedApis, 0),
            // A binding has no effect until its policy exists, and a policy has no effect without a binding.
            // Those that change Pods come earlier (see `resolve::admission`).
            ("admissionregistration.k8s.io", "validatingadmissionpolicies" | "mutatingadmissionpolicies") => {
                (Self::Admission, 0)
            }
            ("admissionregistration.k8s.io", _) => (Self::Admission, 1),
            // A VolumeSnapshot is bound to its VolumeSnapshotContent, which is created before it.
            ("snapshot.storage.k8s.io", "volumesnapshots") => (Self::CustomResources, 1),
            _ => (Self::CustomResources, 0),
        }
    }
}
