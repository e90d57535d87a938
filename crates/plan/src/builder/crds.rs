//! The facts that CustomResourceDefinitions contain about the types that they define.

use std::collections::BTreeMap;

use lifeboat_translate::pointer;
use serde_json::Value;

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
    pub(crate) converts_by_webhook: bool,
    /// Whether its names were accepted and it was established; true if its status does not say.
    pub(crate) established: bool,
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
        Some(Self {
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
