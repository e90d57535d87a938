//! The planner's input from the target cluster.

use std::sync::Arc;

use lifeboat_model::{ObjectRef, Uid};
use serde_json::Value;

/// The result of a survey of the target. The default is an empty cluster that serves nothing.
#[derive(Debug, Clone, Default)]
pub struct TargetFacts {
    /// The version of the API server, such as `v1.36.3`.
    pub server_version: String,
    /// Every type that the target serves.
    pub types: Vec<ServedType>,
    /// The ranges of cluster IPs (CIDR), primary family first; empty if they could not be determined.
    pub service_ranges: Vec<String>,
    /// The addresses and ports that are allocated to Services of the target.
    pub allocations: Vec<ServiceAllocation>,
    /// The objects of [`crate::PlanBuilder::wanted`] that exist.
    pub existing: ExistingObjects,
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
    /// The version, such as `v1`.
    pub version: String,
    /// The kind of its objects.
    pub kind: String,
    /// Whether the type is namespaced.
    pub namespaced: bool,
    /// The verbs that the version supports.
    pub verbs: Vec<String>,
}

/// The addresses and ports of a Service of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAllocation {
    /// The Service.
    pub service: ObjectRef,
    /// Its cluster IPs (never the value `None` of headless Services).
    pub cluster_ips: Vec<String>,
    /// Its node ports, including the health check node port.
    pub node_ports: Vec<u16>,
}

/// An object that exists in the target.
#[derive(Clone)]
pub struct Existing {
    /// Its UID.
    pub uid: Uid,
    /// Whether this restore created the object before it was interrupted. In that case the plan is the same as if the
    /// object did not exist, and the executor completes it.
    pub created_by_this_run: bool,
    /// The field managers that own fields of it, from `metadata.managedFields`.
    pub managers: Arc<[Arc<str>]>,
    /// What the plan needs of its content: the whole of a StatefulSet and of a default role or binding, the versions of
    /// a CustomResourceDefinition. Nothing for other types: a target may contain every object of the plan.
    pub body: Option<Box<Value>>,
}

/// Objects that exist in the target, by their references: a sorted list. In a continued restore it may name 300,000
/// objects, for which a tree takes half as much memory again.
#[derive(Debug, Clone, Default)]
pub struct ExistingObjects(Vec<(ObjectRef, Existing)>);

impl ExistingObjects {
    /// Returns an object, if it exists.
    #[must_use]
    pub fn get(&self, object: &ObjectRef) -> Option<&Existing> {
        let place = self.place(object).ok()?;
        Some(&self.0[place].1)
    }

    /// Returns whether an object exists.
    #[must_use]
    pub fn contains(&self, object: &ObjectRef) -> bool {
        self.place(object).is_ok()
    }

    /// Returns the number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether no object exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one object, or replaces what is known of it.
    pub fn insert(&mut self, object: ObjectRef, existing: Existing) {
        match self.place(&object) {
            Ok(place) => self.0[place].1 = existing,
            Err(place) => self.0.insert(place, (object, existing)),
        }
    }

    fn place(&self, object: &ObjectRef) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(object))
    }
}

impl FromIterator<(ObjectRef, Existing)> for ExistingObjects {
    /// Collects objects in any order. Of two with the same reference one is kept.
    fn from_iter<T: IntoIterator<Item = (ObjectRef, Existing)>>(objects: T) -> Self {
        let mut objects: Vec<_> = objects.into_iter().collect();
        objects.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        objects.dedup_by(|(a, _), (b, _)| a == b);
        objects.shrink_to_fit();
        Self(objects)
    }
}

// The object may be a Secret.
impl std::fmt::Debug for Existing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Existing")
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}
