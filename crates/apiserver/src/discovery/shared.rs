//! Types that are served by two groups; their objects are captured once.

use std::collections::BTreeMap;

use lifeboat_model::TypeName;

use super::{Discovery, legacy};
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

/// Marks types whose objects are stored as another type. For pairs that are not in the table, the server's
/// `storageVersionHash` decides: it is equal only if two types are stored as the same kind. Without a hash
/// the types stay separate, so that nothing is lost.
pub(super) async fn mark(api: &Api, discovery: &mut Discovery) {
    for (alias, kept) in SHARED {
        let kept = TypeName::from(*kept);
        if discovery.find(&kept).is_some_and(|kept| kept.is_listable()) {
            let alias = discovery.types.iter_mut().find(|t| t.name().as_str() == *alias);
            if let Some(alias) = alias {
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
        let mut first_with: BTreeMap<String, TypeName> = BTreeMap::new();
        for position in positions {
            let known = &discovery.types[position];
            let Some(hash) = storage_hash(api, known).await else {
                continue;
            };
            let name = known.name();
            match first_with.get(&hash) {
                Some(kept) => discovery.types[position].same_as = Some(kept.clone()),
                None => {
                    first_with.insert(hash, name);
                }
            }
        }
    }
}

async fn storage_hash(api: &Api, known: &super::DiscoveredType) -> Option<String> {
    let list = legacy::resources(api, &known.resource.group, &known.resource.version)
        .await
        .ok()?;
    let resource = list
        .resources
        .into_iter()
        .find(|r| r.name == known.resource.resource)?;
    resource.storage_version_hash.filter(|hash| !hash.is_empty())
}
