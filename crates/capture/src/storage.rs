//! The storage versions of custom resources, read from their CustomResourceDefinitions.
//!
//! When custom resources are read at their storage version, the API server calls no conversion webhook, neither in
//! the capture nor when they are created again.

use std::collections::BTreeMap;

use lifeboat_model::TypeName;
use serde::Deserialize;

pub(super) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// The storage version of each custom resource type whose definition was read.
#[derive(Debug, Clone, Default)]
pub(super) struct StorageVersions(BTreeMap<TypeName, String>);

#[derive(Deserialize)]
struct Definition {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    group: String,
    names: Names,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Names {
    plural: String,
}

#[derive(Deserialize)]
struct Version {
    name: String,
    #[serde(default)]
    storage: bool,
}

impl StorageVersions {
    /// Records the storage version if the object is a CustomResourceDefinition.
    pub(super) fn look(&mut self, type_name: &TypeName, raw: &[u8]) {
        if type_name.as_str() != DEFINITIONS {
            return;
        }
        // If a definition cannot be parsed, its type is listed at the preferred version.
        if let Ok(Definition { spec }) = serde_json::from_slice(raw)
            && let Some(stored) = spec.versions.into_iter().find(|version| version.storage)
        {
            self.0
                .insert(TypeName::new(&spec.group, &spec.names.plural), stored.name);
        }
    }

    /// Returns the storage version of a type, if it is a known custom resource type.
    pub(super) fn of(&self, type_name: &TypeName) -> Option<&str> {
        self.0.get(type_name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storage_version_is_the_one_that_says_so() {
        let mut versions = StorageVersions::default();
        let raw = br#"{"metadata":{"name":"x"},"spec":{"group":"shop.example","names":{"plural":"carts","kind":"Cart"},"versions":[{"name":"v1","served":true,"storage":false},{"name":"v1beta1","served":true,"storage":true}]}}"#;
        versions.look(&TypeName::from("pods"), raw);
        assert_eq!(versions.of(&TypeName::from("carts.shop.example")), None);
        versions.look(&TypeName::from(DEFINITIONS), raw);
        assert_eq!(
            versions.of(&TypeName::from("carts.shop.example")),
            Some("v1beta1")
        );
    }
}
