//! The storage versions of custom resources, read from their definitions.
//!
//! Custom resources live at their storage version: read there, no conversion webhook is asked, neither
//! here nor when they are created again.

use std::collections::BTreeMap;

use lifeboat_model::TypeName;
use serde::Deserialize;

pub(super) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// The storage version of each custom type, as far as definitions were read.
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
    /// Looks at an object; only definitions are read.
    pub(super) fn look(&mut self, type_name: &TypeName, raw: &[u8]) {
        if type_name.as_str() != DEFINITIONS {
            return;
        }
        // A definition that cannot be read leaves its type at the preferred version, which is noted.
        if let Ok(Definition { spec }) = serde_json::from_slice(raw)
            && let Some(stored) = spec.versions.into_iter().find(|version| version.storage)
        {
            self.0
                .insert(TypeName::new(&spec.group, &spec.names.plural), stored.name);
        }
    }

    /// The storage version of a type, where it is a custom one.
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
