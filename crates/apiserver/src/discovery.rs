//! Discovery: the types that a cluster serves, with every group and every version; parts that cannot be read
//! are named.
//!
//! kube's own discovery treats a legacy response as an empty one and ignores `freshness: Stale`, so that this
//! module reads the documents itself: aggregated discovery (`apidiscovery.k8s.io` v2, then v2beta1), and the
//! legacy documents of each group if a server supports only these. Source:
//! <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>.

mod aggregated;
mod legacy;
mod shared;

use std::collections::BTreeMap;

use lifeboat_model::{Code, Diagnostic, ErrorKind, Problem, ResourceType, TypeName, TypeSelector};
use serde::{Deserialize, Serialize};

use crate::api::{Api, ApiError};

/// The response of `/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerVersion {
    /// The version, such as `v1.36.3` or `v1.33.1-eks-ab12cd3`.
    pub git_version: String,
    /// The major version, `1`.
    pub major: String,
    /// The minor version, such as `36` or `33+`.
    pub minor: String,
    /// The platform, such as `linux/amd64`.
    #[serde(default)]
    pub platform: String,
}

impl ServerVersion {
    /// Reads `/version`. A server with another response is not a Kubernetes API server.
    ///
    /// # Errors
    /// [`ApiError`]; a 404 or a redirect counts as [`ApiError::NotKubernetes`].
    pub async fn read(api: &Api) -> Result<Self, ApiError> {
        match api.get_json(VERSION_PATH).await {
            Err(ApiError::Refused(refusal))
                if !refusal.is_status && !matches!(refusal.status, 401 | 403 | 408 | 429 | 500..) =>
            {
                Err(ApiError::NotKubernetes {
                    path: VERSION_PATH.into(),
                    why: format!("the answer is {} without a Status object", refusal.status),
                })
            }
            other => other,
        }
    }
}

const VERSION_PATH: &str = "/version";

/// One version of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedVersion {
    /// The version, such as `v1beta1`.
    pub version: String,
    /// The kind at this version.
    pub kind: String,
    /// Whether the type is namespaced.
    pub namespaced: bool,
    /// The supported verbs: `list`, `create`, ...
    pub verbs: Vec<String>,
    /// The subresources, such as `status` and `scale`.
    pub subresources: Vec<String>,
}

impl ServedVersion {
    /// Returns whether the server supports a verb for the type.
    #[must_use]
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }
}

/// One type with all the versions that the server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveredType {
    /// The type at its preferred version: the first version in the order of its group that can be listed.
    pub resource: ResourceType,
    /// The singular name; may be empty.
    pub singular: String,
    /// Short names, such as `deploy`.
    pub short_names: Vec<String>,
    /// All served versions, in the server's order of preference. Never empty.
    pub versions: Vec<ServedVersion>,
    /// The type that stores the same objects, if two groups serve them.
    pub same_as: Option<TypeName>,
}

impl DiscoveredType {
    /// Returns the type's name.
    #[must_use]
    pub fn name(&self) -> TypeName {
        self.resource.name()
    }

    /// Returns a served version by name.
    #[must_use]
    pub fn version(&self, version: &str) -> Option<&ServedVersion> {
        self.versions.iter().find(|served| served.version == version)
    }

    /// Returns the preferred version.
    #[must_use]
    pub fn preferred(&self) -> &ServedVersion {
        self.version(&self.resource.version)
            .expect("the preferred version is chosen among the served ones")
    }

    /// Returns the type at another served version.
    #[must_use]
    pub fn at(&self, version: &str) -> Option<ResourceType> {
        self.version(version).map(|served| ResourceType {
            group: self.resource.group.clone(),
            version: served.version.clone(),
            resource: self.resource.resource.clone(),
            kind: served.kind.clone(),
            namespaced: served.namespaced,
        })
    }

    /// Returns whether the type can be listed.
    #[must_use]
    pub fn is_listable(&self) -> bool {
        self.preferred().has_verb("list")
    }

    /// Returns whether a user's selector names the type.
    #[must_use]
    pub fn is_named_by(&self, selector: &TypeSelector) -> bool {
        let named = |kind: &str| {
            selector.matches(
                &self.resource.group,
                &self.resource.resource,
                &self.singular,
                kind,
                &self.short_names,
            )
        };
        self.versions.iter().any(|served| named(&served.kind))
    }
}

/// A group or version of a group that could not be discovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedGroup {
    /// The group.
    pub group: String,
    /// Its version.
    pub version: String,
    /// The server's response.
    pub answer: String,
    /// How to fix it, if possible as a command.
    pub remediation: String,
}

impl FailedGroup {
    fn stale(group: &str, version: &str) -> Self {
        Self::because(
            group,
            version,
            "discovery is Stale: the backend of the aggregated API does not respond".into(),
        )
    }

    fn because(group: &str, version: &str, answer: String) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            answer,
            remediation: format!(
                "inspect it with `kubectl get apiservice {version}.{group} -o yaml`; start its backend, or delete the APIService if it is not needed"
            ),
        }
    }
}

/// The types that a cluster serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// The types, sorted by group and name.
    pub types: Vec<DiscoveredType>,
    /// The groups that could not be discovered; an empty list means that discovery is complete.
    pub failed_groups: Vec<FailedGroup>,
    /// The server's version.
    pub server_version: ServerVersion,
    /// The UID of the namespace `kube-system`, used as the cluster's identity; absent without permission to
    /// read it.
    pub kube_system_uid: Option<String>,
}

/// A failed discovery.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// A document could not be read.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A selector of the user matches no type of the server.
    #[error("find a type named {selector:?} on the cluster")]
    UnknownType {
        /// The selector.
        selector: String,
    },
}

impl Diagnostic for DiscoveryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Api(error) => error.kind(),
            Self::UnknownType { .. } => ErrorKind::Invalid,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Api(error) => error.code(),
            Self::UnknownType { .. } => Code::UnknownFilter,
        }
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Api(error) => error.problem(),
            Self::UnknownType { .. } => Problem::new(
                self.code(),
                format!("failed to {self}"),
                "list the types with `kubectl api-resources`",
            ),
        }
    }
}

impl Discovery {
    /// Returns the type of this name.
    #[must_use]
    pub fn find(&self, name: &TypeName) -> Option<&DiscoveredType> {
        self.types.iter().find(|known| known.name() == *name)
    }

    /// Returns the types that a user's selector names. Types of groups that could not be discovered are
    /// unknown.
    ///
    /// # Errors
    /// [`DiscoveryError::UnknownType`] if no type matches.
    pub fn resolve(&self, selector: &TypeSelector) -> Result<Vec<&DiscoveredType>, DiscoveryError> {
        let named: Vec<_> = self
            .types
            .iter()
            .filter(|known| known.is_named_by(selector))
            .collect();
        if named.is_empty() {
            return Err(DiscoveryError::UnknownType {
                selector: selector.0.clone(),
            });
        }
        Ok(named)
    }
}

impl Api {
    /// Discovers the types that the cluster serves.
    ///
    /// # Errors
    /// [`DiscoveryError`] if discovery fails as a whole. A single group that fails is recorded in
    /// [`Discovery::failed_groups`].
    #[tracing::instrument(skip_all)]
    pub async fn discover(&self) -> Result<Discovery, DiscoveryError> {
        let (server_version, identity) = futures::join!(ServerVersion::read(self), kube_system_uid(self));
        let (server_version, kube_system_uid) = (server_version?, identity?);
        let (core, groups) = futures::join!(
            self.get("/api", aggregated::ACCEPT),
            self.get("/apis", aggregated::ACCEPT)
        );
        let mut found = Found::default();
        for (root, answer) in [("/api", core?), ("/apis", groups?)] {
            if !aggregated::read(root, &answer, &mut found)? {
                legacy::read(self, root, &answer, &mut found).await?;
            }
        }
        let mut discovery = Discovery {
            types: found.take_types(),
            failed_groups: found.failed,
            server_version,
            kube_system_uid,
        };
        shared::mark(self, &mut discovery).await;
        tracing::info!(
            types = discovery.types.len(),
            failed_groups = discovery.failed_groups.len(),
            "discovered"
        );
        Ok(discovery)
    }
}

/// Returns the UID of the namespace `kube-system`; `None` without permission to read it.
pub async fn kube_system_uid(api: &Api) -> Result<Option<String>, ApiError> {
    #[derive(Deserialize)]
    struct Namespace {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        uid: String,
    }
    match api.get_json::<Namespace>("/api/v1/namespaces/kube-system").await {
        Ok(namespace) => Ok(Some(namespace.metadata.uid)),
        // Without this permission the user can still work on the rest.
        Err(ApiError::Refused(refusal)) if matches!(refusal.status, 403 | 404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The content of the documents, collected by group and name.
#[derive(Default)]
struct Found {
    types: BTreeMap<(String, String), FoundType>,
    failed: Vec<FailedGroup>,
}

#[derive(Default)]
struct FoundType {
    singular: String,
    short_names: Vec<String>,
    versions: Vec<ServedVersion>,
}

impl Found {
    /// Adds one version of a type; versions are added in the order of preference.
    fn add(
        &mut self,
        group: &str,
        resource: &str,
        singular: &str,
        short_names: &[String],
        served: ServedVersion,
    ) {
        let known = self
            .types
            .entry((group.to_owned(), resource.to_owned()))
            .or_default();
        if known.singular.is_empty() {
            singular.clone_into(&mut known.singular);
        }
        if known.short_names.is_empty() {
            known.short_names = short_names.to_vec();
        }
        known.versions.push(served);
    }

    fn take_types(&mut self) -> Vec<DiscoveredType> {
        std::mem::take(&mut self.types)
            .into_iter()
            .filter_map(|((group, resource), found)| {
                let preferred = (found.versions.iter().find(|v| v.has_verb("list")))
                    .or(found.versions.first())?
                    .clone();
                Some(DiscoveredType {
                    resource: ResourceType {
                        group,
                        resource,
                        version: preferred.version,
                        kind: preferred.kind,
                        namespaced: preferred.namespaced,
                    },
                    singular: found.singular,
                    short_names: found.short_names,
                    versions: found.versions,
                    same_as: None,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
