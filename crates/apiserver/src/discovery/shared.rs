//! Types that are served by two groups; their objects are captured once.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::TypeName;
use serde::Deserialize;

use super::{DiscoveredType, Discovery, legacy};
use crate::api::Api;

/// Types whose objects are also served by another group, with the type that the storage is named for today.
/// Source: `AddCohabitatingResources` in `pkg/kubeapiserver/default_storage_factory_builder.go` of
/// kubernetes, and the types of `extensions` until 1.22.
const SHARED: &[(&str, &str)] = &[
    ("events.events.k8s.io", "events"),
    ("daemonsets.extensions", "daemonsets.apps"),
    ("deployments.extensions", "deployments.apps"),
    ("replicasets.extensions", "replicasets.apps"),
    ("ingresses.extensions", "ingresses.networking.k8s.io"),
    ("networkpolicies.extensions", "networkpolicies.networking.k8s.io"),
    ("podsecuritypolicies.extensions", "podsecuritypolicies.policy"),
];

const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

/// Marks types whose objects are stored as another type. For pairs that are not in the table, the server's
/// `storageVersionHash` decides: it is equal only if two types are stored as the same kind. Without a hash
/// the types stay separate, so that nothing is lost.
///
/// An aggregated API chooses its hashes itself, so that it could claim the storage of any type. Therefore the type
/// that is kept is always one that the API server itself serves; if the APIServices cannot be read, all types stay
/// separate.
pub(super) async fn mark(api: &Api, discovery: &mut Discovery) {
    let mut aggregated = Aggregated::Unread;
    for (alias, kept) in SHARED {
        let alias = TypeName::from(*alias);
        let Some(kept) = discovery.find(&TypeName::from(*kept)).filter(|t| t.is_listable()) else {
            continue;
        };
        if discovery.find(&alias).is_none() {
            continue;
        }
        // Nothing but the API server serves the core group.
        if kept.resource.group.is_empty() || aggregated.read(api).await.is_local(kept) {
            let kept = kept.name();
            if let Some(alias) = discovery.types.iter_mut().find(|t| t.name() == alias) {
                alias.same_as = Some(kept);
            }
        }
    }
    let mut alike: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (position, known) in discovery.types.iter().enumerate() {
        if known.same_as.is_none() && known.is_listable() {
            let key = (known.resource.resource.clone(), known.resource.kind.clone());
            alike.entry(key).or_default().push(position);
        }
    }
    for positions in alike.into_values().filter(|positions| positions.len() > 1) {
        let mut with_hash: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for position in positions {
            if let Some(hash) = storage_hash(api, &discovery.types[position]).await {
                with_hash.entry(hash).or_default().push(position);
            }
        }
        for same in with_hash.into_values().filter(|same| same.len() > 1) {
            let aggregated = aggregated.read(api).await;
            let owner = (same.iter().copied()).find(|at| aggregated.is_local(&discovery.types[*at]));
            let Some(owner) = owner else { continue };
            let kept = discovery.types[owner].name();
            for other in same.into_iter().filter(|other| *other != owner) {
                discovery.types[other].same_as = Some(kept.clone());
            }
        }
    }
}

/// The group versions that the API server forwards to another server.
enum Aggregated {
    Unread,
    Unknown,
    Known(BTreeSet<(String, String)>),
}

#[derive(Deserialize)]
struct ApiServices {
    items: Vec<ApiService>,
}

#[derive(Deserialize)]
struct ApiService {
    spec: ApiServiceSpec,
}

#[derive(Deserialize)]
struct ApiServiceSpec {
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    service: Option<serde::de::IgnoredAny>,
}

impl Aggregated {
    /// Reads the APIServices, once, because few clusters have types that need them.
    async fn read(&mut self, api: &Api) -> &Self {
        if matches!(self, Self::Unread) {
            *self = match api.get_json::<ApiServices>(API_SERVICES).await {
                Ok(found) => {
                    let forwarded = found.items.into_iter().filter(|one| one.spec.service.is_some());
                    Self::Known(forwarded.map(|one| (one.spec.group, one.spec.version)).collect())
                }
                Err(error) => {
                    tracing::debug!(%error, "the APIServices cannot be read");
                    Self::Unknown
                }
            };
        }
        self
    }

    /// Returns whether the API server itself serves every version of the type.
    fn is_local(&self, known: &DiscoveredType) -> bool {
        match self {
            Self::Unread | Self::Unknown => false,
            Self::Known(forwarded) => {
                let group = &known.resource.group;
                let is_forwarded = |version: &String| forwarded.contains(&(group.clone(), version.clone()));
                !known.versions.iter().any(|served| is_forwarded(&served.version))
            }
        }
    }
}

async fn storage_hash(api: &Api, known: &DiscoveredType) -> Option<String> {
    let list = legacy::resources(api, &known.resource.group, &known.resource.version)
        .await
        .ok()?;
    let resource = list
        .resources
        .into_iter()
        .find(|r| r.name == known.resource.resource)?;
    resource.storage_version_hash.filter(|hash| !hash.is_empty())
}
