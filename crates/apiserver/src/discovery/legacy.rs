//! Legacy discovery: one document lists the groups, and each version of a group has its own document.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};
use serde::Deserialize;

use super::{FailedGroup, Found, ServedVersion};
use crate::api::{Answer, Api, ApiError};

/// The number of concurrent requests for group documents: enough to hide the latency for the ~25 groups of a
/// new cluster, few enough to stay within the server's priority and fairness limits.
const CONCURRENT: usize = 8;

#[derive(Deserialize)]
struct CoreVersions {
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct GroupList {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    #[serde(default)]
    versions: Vec<Version>,
    preferred_version: Option<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
pub(super) struct ResourceList {
    #[serde(default)]
    pub(super) resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    pub(super) name: String,
    #[serde(default)]
    singular_name: String,
    #[serde(default)]
    namespaced: bool,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
    pub(super) storage_version_hash: Option<String>,
}

pub(super) async fn read(api: &Api, root: &str, answer: &Answer, found: &mut Found) -> Result<(), ApiError> {
    let mut documents = Vec::new();
    if root == "/api" {
        let core: CoreVersions = answer.json()?;
        documents.extend(core.versions.into_iter().map(|version| (String::new(), version)));
    } else {
        let list: GroupList = answer.json()?;
        for group in list.groups {
            let preferred = group.preferred_version.map(|v| v.version);
            let others = group.versions.into_iter().map(|v| v.version);
            let others = others.filter(|version| Some(version) != preferred.as_ref());
            let ordered: Vec<String> = preferred.clone().into_iter().chain(others).collect();
            documents.extend(ordered.into_iter().map(|version| (group.name.clone(), version)));
        }
    }
    // `buffered` keeps the order, which is the order of preference.
    let mut answers = stream::iter(documents)
        .map(|(group, version)| async move {
            let list = resources(api, &group, &version).await;
            (group, version, list)
        })
        .buffered(CONCURRENT);
    while let Some((group, version, list)) = answers.next().await {
        match list {
            Ok(list) => add(&group, &version, list, found),
            Err(error) if group.is_empty() => return Err(error),
            Err(error) => (found.failed).push(FailedGroup::because(&group, &version, error.to_string())),
        }
    }
    Ok(())
}

pub(super) async fn resources(api: &Api, group: &str, version: &str) -> Result<ResourceList, ApiError> {
    let path = if group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{group}/{version}")
    };
    api.get_json(&path).await
}

fn add(group: &str, version: &str, list: ResourceList, found: &mut Found) {
    let mut subresources: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resource in &list.resources {
        if let Some((parent, sub)) = resource.name.split_once('/') {
            subresources
                .entry(parent.to_owned())
                .or_default()
                .push(sub.to_owned());
        }
    }
    for resource in list.resources {
        if resource.name.contains('/') {
            continue;
        }
        let served = ServedVersion {
            version: version.to_owned(),
            kind: resource.kind,
            namespaced: resource.namespaced,
            verbs: resource.verbs,
            subresources: subresources.remove(&resource.name).unwrap_or_default(),
        };
        found.add(
            group,
            &resource.name,
            &resource.singular_name,
            &resource.short_names,
            served,
        );
    }
}
