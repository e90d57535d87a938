//! The order in which types are restored.

use lifeboat_model::ResourceType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A wave; everything of a wave is attempted before the next begins. The order of the variants is the
/// order of execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Wave {
    /// CustomResourceDefinitions, established before use.
    Crds,
    /// Namespaces.
    Namespaces,
    /// Storage, ingress, priority and other classes, and cluster-wide settings.
    Classes,
    /// RBAC and ServiceAccounts.
    Access,
    /// ConfigMaps, Secrets, NetworkPolicies.
    Configuration,
    /// PersistentVolumes, then claims.
    Volumes,
    /// Services.
    Services,
    /// Custom resources and types that nothing is known about.
    CustomResources,
    /// What runs: bare Pods, then LimitRanges, then what controllers make Pods from. A LimitRange judges
    /// only what is created: claims and bare Pods that are older than it, or than its last change, came
    /// in without it and carry what they got then; Pods that controllers make are to get its defaults.
    Workloads,
    /// What points at Services and workloads.
    Dependants,
    /// ResourceQuotas, late so that they do not count half a cluster against each other.
    Quotas,
    /// APIServices with a backend: a type they serve is gone while the backend is not up.
    AggregatedApis,
    /// Webhooks and admission policies, last so that they cannot refuse what is restored.
    Admission,
}

impl Wave {
    /// Every wave, in order.
    pub const ALL: [Self; 13] = [
        Self::Crds,
        Self::Namespaces,
        Self::Classes,
        Self::Access,
        Self::Configuration,
        Self::Volumes,
        Self::Services,
        Self::CustomResources,
        Self::Workloads,
        Self::Dependants,
        Self::Quotas,
        Self::AggregatedApis,
        Self::Admission,
    ];

    /// A heading for people.
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
            Self::Workloads => "workloads",
            Self::Dependants => "dependents of services and workloads",
            Self::Quotas => "quotas",
            Self::AggregatedApis => "aggregated APIs",
            Self::Admission => "admission",
        }
    }

    /// The wave of a type and the least depth inside it.
    #[must_use]
    pub fn of(resource: &ResourceType) -> (Self, u16) {
        match (resource.group.as_str(), resource.resource.as_str()) {
            ("apiextensions.k8s.io", "customresourcedefinitions") => (Self::Crds, 0),
            ("", "namespaces") => (Self::Namespaces, 0),
            ("storage.k8s.io" | "scheduling.k8s.io" | "node.k8s.io", _)
            | ("networking.k8s.io", "ingressclasses" | "servicecidrs")
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
            // Services whose addresses are fixed come before those that take any free one: depth 1.
            ("", "services") => (Self::Services, 0),
            ("", "pods") => (Self::Workloads, 0),
            ("", "limitranges") => (Self::Workloads, 1),
            ("", "replicationcontrollers") | ("apps" | "batch", _) => (Self::Workloads, 2),
            ("", "endpoints")
            | ("discovery.k8s.io" | "autoscaling" | "policy", _)
            | ("networking.k8s.io", "ingresses") => (Self::Dependants, 0),
            ("", "resourcequotas") => (Self::Quotas, 0),
            ("apiregistration.k8s.io", _) => (Self::AggregatedApis, 0),
            // A binding is inert until its policy is there, and the policy alone does nothing.
            ("admissionregistration.k8s.io", "validatingadmissionpolicies" | "mutatingadmissionpolicies") => {
                (Self::Admission, 0)
            }
            ("admissionregistration.k8s.io", _) => (Self::Admission, 1),
            _ => (Self::CustomResources, 0),
        }
    }
}
