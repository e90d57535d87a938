//! The facts that CustomResourceDefinitions contain about the types that they define.

use std::collections::BTreeMap;

use lifeboat_translate::pointer;
use serde_json::{Value, json};

use crate::digest;

pub(crate) const GROUP: &str = "apiextensions.k8s.io";
pub(crate) const RESOURCE: &str = "customresourcedefinitions";
pub(crate) const TYPE: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// The fields of a CustomResourceDefinition that the plans of its objects depend on.
#[derive(Debug, Clone)]
pub(crate) struct CrdFacts {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    /// The served versions, each with whether it has a status subresource.
    pub(crate) served: BTreeMap<String, bool>,
    /// Every version, served or not, each with the digest of its schema.
    pub(crate) schemas: BTreeMap<String, String>,
    pub(crate) converts_by_webhook: bool,
    /// Whether its names were accepted and it was established; true if its status does not say.
    pub(crate) established: bool,
}

/// Returns what a plan needs of a CustomResourceDefinition of the target. Schemas are replaced by digests: they may be
/// large.
#[must_use]
pub fn outline(definition: &Value) -> Value {
    let take = |path: &str| definition.pointer(path).cloned().unwrap_or_default();
    let versions: Vec<Value> = pointer::list(definition, "/spec/versions")
        .map(|version| {
            json!({
                "name": version.get("name"),
                "served": version.get("served"),
                "subresources": version.get("subresources"),
                "schema": schema_digest(version),
            })
        })
        .collect();
    json!({
        "spec": {
            "group": take("/spec/group"),
            "names": { "plural": take("/spec/names/plural") },
            "conversion": { "strategy": take("/spec/conversion/strategy") },
            "versions": versions,
        }
    })
}

/// Returns the digest of a version's schema. An outline contains digests already.
fn schema_digest(version: &Value) -> String {
    match version.get("schema") {
        Some(Value::String(digest)) => digest.clone(),
        schema => digest::of_serialized(&schema),
    }
}

impl CrdFacts {
    pub(crate) fn read(name: &str, object: &Value) -> Option<Self> {
        let served = pointer::list(object, "/spec/versions")
            .filter(|version| version.get("served") == Some(&Value::Bool(true)))
            .filter_map(|version| {
                let has_status = version.pointer("/subresources/status").is_some();
                Some((pointer::text(version, "/name")?.to_owned(), has_status))
            })
            .collect();
        let schemas = pointer::list(object, "/spec/versions")
            .filter_map(|version| {
                Some((
                    pointer::text(version, "/name")?.to_owned(),
                    schema_digest(version),
                ))
            })
            .collect();
        Some(Self {
            schemas,
            name: name.to_owned(),
            group: pointer::text(object, "/spec/group")?.to_owned(),
            resource: pointer::text(object, "/spec/names/plural")?.to_owned(),
            served,
            converts_by_webhook: pointer::text(object, "/spec/conversion/strategy") == Some("Webhook"),
            established: pointer::list(object, "/status/conditions").all(|condition| {
                !matches!(
                    pointer::text(condition, "/type"),
                    Some("Established" | "NamesAccepted")
                ) || pointer::text(condition, "/status") == Some("True")
            }),
        })
    }
}
