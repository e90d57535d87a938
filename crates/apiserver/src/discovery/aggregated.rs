//! Aggregated discovery: all groups in one document
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#aggregated-discovery>).

use serde::Deserialize;

use super::{FailedGroup, Found, ServedVersion};
use crate::api::{Answer, ApiError};

/// The accepted media types, in order of preference; the last one is the legacy format, which every server
/// supports.
pub(super) const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
     application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,\
     application/json";

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct GroupList {
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    metadata: Metadata,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Metadata {
    /// Absent for the core group.
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    freshness: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    resource: String,
    /// Absent on a type that only carries subresources.
    response_kind: Option<ResponseKind>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    singular_resource: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
    #[serde(default)]
    subresources: Vec<Subresource>,
}

#[derive(Deserialize)]
struct ResponseKind {
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize)]
struct Subresource {
    subresource: String,
}

/// Reads the document; returns `false` if it is a legacy document.
pub(super) fn read(root: &str, answer: &Answer, found: &mut Found) -> Result<bool, ApiError> {
    let kind: Kind = answer.json()?;
    match kind.kind.as_deref() {
        Some("APIGroupDiscoveryList") => {}
        Some("APIVersions" | "APIGroupList") => return Ok(false),
        other => {
            return Err(ApiError::NotKubernetes {
                path: root.to_owned(),
                why: format!("the answer is of kind {other:?} and not a discovery document"),
            });
        }
    }
    let list: GroupList = answer.json()?;
    for group in list.items {
        for version in group.versions {
            if version.freshness == "Stale" {
                (found.failed).push(FailedGroup::stale(&group.metadata.name, &version.version));
            }
            for resource in version.resources {
                let Some(response) = resource.response_kind.filter(|r| !r.kind.is_empty()) else {
                    continue;
                };
                let served = ServedVersion {
                    version: version.version.clone(),
                    kind: response.kind,
                    namespaced: resource.scope == "Namespaced",
                    verbs: resource.verbs,
                    subresources: resource.subresources.into_iter().map(|s| s.subresource).collect(),
                };
                found.add(
                    &group.metadata.name,
                    &resource.resource,
                    &resource.singular_resource,
                    &resource.short_names,
                    served,
                );
            }
        }
    }
    Ok(true)
}
