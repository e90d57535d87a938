//! What the planner is told about the target cluster.

use std::collections::BTreeMap;

use lifeboat_model::ObjectRef;
use serde_json::Value;

/// What a survey of the target found. The default is an empty cluster that serves nothing.
#[derive(Debug, Clone, Default)]
pub struct TargetFacts {
    /// The version of the API server, such as `v1.36.3`.
    pub server_version: String,
    /// Every type that the target serves.
    pub types: Vec<ServedType>,
    /// The ranges of cluster IPs (CIDR), primary family first; empty when they could not be found out.
    pub service_ranges: Vec<String>,
    /// Addresses and ports that Services of the target hold.
    pub allocations: Vec<ServiceAllocation>,
    /// Objects among those that [`crate::PlanBuilder::wanted`] names which exist.
    pub existing: BTreeMap<ObjectRef, Existing>,
    /// Every ValidatingWebhookConfiguration and MutatingWebhookConfiguration of the target.
    pub webhooks: Vec<Value>,
    /// Every ResourceQuota of the target.
    pub quotas: Vec<Value>,
}

/// A type that the target serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedType {
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural name.
    pub resource: String,
    /// The versions, the server's preferred one first.
    pub versions: Vec<VersionServed>,
}

/// One served version of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionServed {
    /// Such as `v1`.
    pub version: String,
    /// The kind of one object.
    pub kind: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it.
    pub verbs: Vec<String>,
}

/// What a Service of the target holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAllocation {
    /// The Service.
    pub service: ObjectRef,
    /// Its cluster IPs (never `None`).
    pub cluster_ips: Vec<String>,
    /// Its node ports, the one for health checks included.
    pub node_ports: Vec<u16>,
}

/// An object that exists in the target.
#[derive(Clone)]
pub struct Existing {
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub resource_version: String,
    /// Whether this restore, interrupted and started again, created it: then the plan is the same as
    /// if it were not there, and the executor completes it.
    pub created_by_this_run: bool,
    /// The object. `Null` where the survey kept only the metadata.
    pub body: Value,
}

// The body may be a Secret.
impl std::fmt::Debug for Existing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Existing")
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}
