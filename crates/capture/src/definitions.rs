//! The CustomResourceDefinitions of a cluster: the storage version of each type, and the types that discovery does not
//! show.
//!
//! When custom resources are read at their storage version, the API server calls no conversion webhook, neither in
//! the capture nor when they are created again.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_format::manifest::{MissingRecord, TypeOutcome, TypeRecord};
use lifeboat_model::{Filter, TypeName};
use serde::Deserialize;

pub(super) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// The definitions that were read, by the type that they define.
#[derive(Debug, Clone, Default)]
pub(super) struct Definitions(BTreeMap<TypeName, Definition>);

#[derive(Debug, Clone, Deserialize)]
struct Definition {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    name: String,
    deletion_timestamp: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Spec {
    group: String,
    names: Names,
    #[serde(default)]
    scope: String,
    versions: Vec<Version>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names {
    plural: String,
    #[serde(default)]
    singular: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    short_names: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Version {
    name: String,
    #[serde(default)]
    served: bool,
    #[serde(default)]
    storage: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

/// A type that is not captured although its definition exists.
pub(super) struct Unlisted {
    pub(super) record: TypeRecord,
    pub(super) missing: MissingRecord,
}

impl Definitions {
    /// Records the definition if the object is a CustomResourceDefinition.
    pub(super) fn look(&mut self, type_name: &TypeName, raw: &[u8]) {
        if type_name.as_str() != DEFINITIONS {
            return;
        }
        // If a definition cannot be parsed, its type is listed at the preferred version.
        if let Ok(definition) = serde_json::from_slice::<Definition>(raw) {
            let name = TypeName::new(&definition.spec.group, &definition.spec.names.plural);
            self.0.insert(name, definition);
        }
    }

    /// Returns the storage version of a type, if it is a known custom resource type.
    pub(super) fn storage_version(&self, type_name: &TypeName) -> Option<&str> {
        self.0.get(type_name)?.storage_version()
    }

    /// Returns the types that may have objects, that `filter` selects, and that are not in `discovered`: their
    /// definitions were made after discovery, or serve no version.
    pub(super) fn unlisted<'a>(
        &'a self,
        discovered: &'a BTreeSet<TypeName>,
        filter: &'a Filter,
    ) -> impl Iterator<Item = Unlisted> + 'a {
        (self.0.iter())
            .filter(|(name, definition)| {
                !discovered.contains(name) && definition.may_have_objects() && definition.is_selected(filter)
            })
            .map(|(name, definition)| definition.unlisted(name))
    }
}

impl Definition {
    fn storage_version(&self) -> Option<&str> {
        let stored = self.spec.versions.iter().find(|version| version.storage)?;
        Some(&stored.name)
    }

    /// Objects can be created only after the definition was established, which is a write of its own: a definition
    /// that was not established at the version of the list has no objects at this version. The objects of a
    /// definition that is being deleted are deleted with it.
    fn may_have_objects(&self) -> bool {
        let established =
            |condition: &Condition| condition.r#type == "Established" && condition.status == "True";
        self.metadata.deletion_timestamp.is_none() && self.status.conditions.iter().any(established)
    }

    fn is_selected(&self, filter: &Filter) -> bool {
        let Spec { group, names, .. } = &self.spec;
        let named = |selectors: &[lifeboat_model::TypeSelector]| {
            selectors.iter().any(|selector| {
                selector.matches(
                    group,
                    &names.plural,
                    &names.singular,
                    &names.kind,
                    &names.short_names,
                )
            })
        };
        (filter.types.is_empty() || named(&filter.types))
            && !named(&filter.exclude_types)
            && (self.is_namespaced() || filter.takes_namespace(None))
    }

    fn is_namespaced(&self) -> bool {
        self.spec.scope != "Cluster"
    }

    fn unlisted(&self, name: &TypeName) -> Unlisted {
        let served: Vec<String> = (self.spec.versions.iter())
            .filter(|version| version.served)
            .map(|version| version.name.clone())
            .collect();
        let (why, remediation) = if served.is_empty() {
            (
                "the CustomResourceDefinition serves no version, so that its objects cannot be read",
                format!(
                    "set `served: true` for a version with `kubectl edit crd {0}`, or delete the definition with `kubectl delete crd {0}` if its objects are not needed",
                    self.metadata.name
                ),
            )
        } else {
            (
                "the CustomResourceDefinition was made or changed while the backup began, and the server did not show its type yet",
                "run the backup again".to_owned(),
            )
        };
        let names = &self.spec.names;
        Unlisted {
            record: TypeRecord {
                group: self.spec.group.clone(),
                version: self.storage_version().unwrap_or_default().to_owned(),
                resource: names.plural.clone(),
                kind: names.kind.clone(),
                namespaced: self.is_namespaced(),
                short_names: names.short_names.clone(),
                singular: names.singular.clone(),
                verbs: Vec::new(),
                served_versions: served,
                custom: true,
                outcome: TypeOutcome::Failed {
                    verb: "discover".into(),
                    status: None,
                    reason: String::new(),
                    message: why.to_owned(),
                    remediation: remediation.clone(),
                },
            },
            missing: MissingRecord {
                r#type: Some(name.clone()),
                group: None,
                verb: "discover".into(),
                answer: why.to_owned(),
                remediation,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storage_version_is_the_one_that_says_so() {
        let mut definitions = Definitions::default();
        let raw = br#"{"metadata":{"name":"x"},"spec":{"group":"shop.example","names":{"plural":"carts","kind":"Cart"},"versions":[{"name":"v1","served":true,"storage":false},{"name":"v1beta1","served":true,"storage":true}]}}"#;
        definitions.look(&TypeName::from("pods"), raw);
        let carts = TypeName::from("carts.shop.example");
        assert_eq!(definitions.storage_version(&carts), None);
        definitions.look(&TypeName::from(DEFINITIONS), raw);
        assert_eq!(definitions.storage_version(&carts), Some("v1beta1"));
    }
}
