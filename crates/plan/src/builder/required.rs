//! The objects that the survey of the target looks for.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashSet};
use std::hash::{Hash, Hasher as _};
use std::sync::Arc;

use lifeboat_model::TypeName;

/// The objects of one type that the survey of the target looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredType {
    /// The type.
    pub type_name: TypeName,
    /// The namespaces of the objects; `None` for objects without a namespace.
    pub namespaces: BTreeSet<Option<Arc<str>>>,
    /// Hashes of namespaces and names. There may be 300,000 objects, whose names would take ten times the memory.
    objects: HashSet<u64>,
}

impl RequiredType {
    /// Creates a requirement without objects.
    #[must_use]
    pub fn none(type_name: TypeName) -> Self {
        Self {
            type_name,
            namespaces: BTreeSet::new(),
            objects: HashSet::new(),
        }
    }

    /// Adds an object.
    pub fn insert(&mut self, namespace: Option<&Arc<str>>, name: &str) {
        let in_namespace = namespace.map(|namespace| &**namespace);
        self.objects.insert(hash((in_namespace, name)));
        if !self.namespaces.contains(&namespace.cloned()) {
            self.namespaces.insert(namespace.cloned());
        }
    }

    /// Returns whether the object is required. Two names may have the same hash: then a plan gets the facts of an object
    /// that it does not ask for.
    #[must_use]
    pub fn contains(&self, namespace: Option<&str>, name: &str) -> bool {
        self.objects.contains(&hash((namespace, name)))
    }
}

/// Returns a hash that stands for names of objects where these would take too much memory.
pub(crate) fn hash(names: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    hasher.finish()
}
