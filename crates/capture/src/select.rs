//! What becomes of each discovered type under a filter: listed, excluded, or held by another type.

use lifeboat_format::manifest::TypeOutcome;
use lifeboat_model::{Filter, ResourceType};

use super::job::{Collection, ListJob};
use super::storage::{DEFINITIONS, StorageVersions};
use lifeboat_apiserver::discovery::DiscoveredType;

/// Up to this many named namespaces are listed one by one, so that a user who may only read those can
/// back them up. With more, one list of everything costs less than many small ones.
const LISTED_ONE_BY_ONE: usize = 16;

/// Groups that the API server itself holds. All other types may be custom ones, whose storage version
/// must be known before they are listed. Groups under `k8s.io` are in use for both.
const BUILT_IN: &[&str] = &["", "apps", "autoscaling", "batch", "extensions", "policy"];

/// What to do with a type.
pub(super) enum Choice {
    List,
    Settled(TypeOutcome),
}

/// Whether a type is listed.
pub(super) fn choose(known: &DiscoveredType, filter: &Filter) -> Choice {
    let excluded = |why: &str| Choice::Settled(TypeOutcome::Excluded { why: why.to_owned() });
    if let Some(other) = &known.same_as {
        return Choice::Settled(TypeOutcome::SameAs {
            r#type: other.clone(),
        });
    }
    if !known.is_listable() {
        return excluded("the server does not support the list verb for it");
    }
    let named = |list: &[lifeboat_model::TypeSelector]| list.iter().any(|s| known.is_named_by(s));
    if !filter.types.is_empty() && !named(&filter.types) {
        return excluded("the filter selects other types");
    }
    if named(&filter.exclude_types) {
        return excluded("the filter excludes the type");
    }
    // A Namespace belongs to itself: who names a namespace wants it as well.
    let belongs = known.resource.namespaced || is_namespaces(&known.resource);
    if !belongs && !filter.takes_namespace(None) {
        return excluded("the filter selects namespaces, and the type is cluster-scoped");
    }
    Choice::List
}

fn is_namespaces(resource: &ResourceType) -> bool {
    resource.group.is_empty() && resource.resource == "namespaces"
}

/// Whether the version to list depends on a definition that must be read first.
pub(super) fn waits_for_definitions(known: &DiscoveredType) -> bool {
    let listable = known
        .versions
        .iter()
        .filter(|served| served.has_verb("list"))
        .count();
    listable > 1 && !BUILT_IN.contains(&known.resource.group.as_str())
}

/// The version to list: that of storage where it is known and served, else the preferred one. The
/// second part says why it is not that of storage.
pub(super) fn version(known: &DiscoveredType, storage: &StorageVersions) -> (ResourceType, Option<String>) {
    let name = known.name();
    let Some(stored) = storage.of(&name) else {
        return (known.resource.clone(), None);
    };
    match (known.version(stored), known.at(stored)) {
        (Some(served), Some(resource)) if served.has_verb("list") => (resource, None),
        _ => {
            let preferred = &known.resource.version;
            let note = format!(
                "{name} is stored at version {stored}, which the server does not serve; it was listed at {preferred}"
            );
            (known.resource.clone(), Some(note))
        }
    }
}

/// How a type is listed under a filter.
pub(super) fn job(resource: ResourceType, filter: &Filter) -> ListJob {
    let one_by_one = !filter.namespaces.is_empty() && filter.namespaces.len() <= LISTED_ONE_BY_ONE;
    let whole = |fields: String| Collection {
        path: resource.collection_path(),
        namespace: None,
        fields,
    };
    let wanted = filter
        .namespaces
        .iter()
        .filter(|n| filter.takes_namespace(Some(n)));
    let collections = if one_by_one && resource.namespaced {
        wanted
            .map(|namespace| Collection {
                path: resource.path_in(Some(namespace)),
                namespace: Some(namespace.clone()),
                fields: String::new(),
            })
            .collect()
    } else if one_by_one && is_namespaces(&resource) {
        wanted
            .map(|namespace| whole(format!("metadata.name={namespace}")))
            .collect()
    } else {
        vec![whole(String::new())]
    };
    let filtered = !filter.namespaces.is_empty() || !filter.exclude_namespaces.is_empty();
    ListJob {
        check_namespace: filtered && !one_by_one && (resource.namespaced || is_namespaces(&resource)),
        collections,
        resource,
        store: true,
    }
}

/// Reads the definitions only for the storage versions in them.
pub(super) fn definitions_only(resource: &ResourceType) -> ListJob {
    ListJob {
        resource: resource.clone(),
        collections: vec![Collection {
            path: resource.collection_path(),
            namespace: None,
            fields: String::new(),
        }],
        check_namespace: false,
        store: false,
    }
}

/// The order in which types are begun: the definitions first, because others wait for them, then the
/// types that usually are the largest, so that none of them is left running alone at the end.
pub(super) fn rank(resource: &ResourceType) -> u8 {
    match resource.name().as_str() {
        DEFINITIONS => 0,
        "events" | "pods" | "replicasets.apps" | "secrets" | "configmaps" => 1,
        "endpointslices.discovery.k8s.io" | "deployments.apps" | "jobs.batch" | "services" | "endpoints" => 2,
        "leases.coordination.k8s.io" | "rolebindings.rbac.authorization.k8s.io" | "serviceaccounts" => 2,
        _ if !BUILT_IN.contains(&resource.group.as_str()) && !resource.group.ends_with(".k8s.io") => 2,
        _ => 3,
    }
}
