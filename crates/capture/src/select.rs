//! Decides for each discovered type under a filter: listed, excluded, or the same as another type.

use lifeboat_format::manifest::TypeOutcome;
use lifeboat_model::{Filter, ResourceType};

use super::definitions::{DEFINITIONS, Definitions};
use super::job::{Collection, ListJob};
use lifeboat_apiserver::discovery::DiscoveredType;

/// The largest number of namespaces in a filter that are listed one by one, so that a user with permissions only in
/// those namespaces can back them up. With more, one list of the whole type costs less than many small lists.
const LISTED_ONE_BY_ONE: usize = 16;

/// Groups that the API server itself serves. Types in all other groups may be custom resources, whose storage version
/// must be known before they are listed. Groups under `k8s.io` are used for both.
const BUILT_IN: &[&str] = &["", "apps", "autoscaling", "batch", "extensions", "policy"];

/// The decision for a type.
pub(super) enum Choice {
    List,
    Settled(TypeOutcome),
}

/// Decides whether a type is listed.
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
    // A filter that selects a namespace selects its Namespace object as well.
    let belongs = known.resource.namespaced || is_namespaces(&known.resource);
    if !belongs && !filter.takes_namespace(None) {
        return excluded("the filter selects namespaces, and the type is cluster-scoped");
    }
    Choice::List
}

fn is_namespaces(resource: &ResourceType) -> bool {
    resource.group.is_empty() && resource.resource == "namespaces"
}

/// Returns whether the version to list depends on a CustomResourceDefinition that must be read first.
pub(super) fn waits_for_definitions(known: &DiscoveredType) -> bool {
    let listable = known
        .versions
        .iter()
        .filter(|served| served.has_verb("list"))
        .count();
    listable > 1 && !BUILT_IN.contains(&known.resource.group.as_str())
}

/// Returns the version to list: the storage version if it is known and served, else the preferred version. The second
/// value is a note that states why it is not the storage version.
pub(super) fn version(known: &DiscoveredType, definitions: &Definitions) -> (ResourceType, Option<String>) {
    let name = known.name();
    let Some(stored) = definitions.storage_version(&name) else {
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

/// Returns the job that lists a type under a filter.
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

/// Returns a job that reads the CustomResourceDefinitions only for their storage versions.
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

/// Returns the rank in which a type is started: the CustomResourceDefinitions first, because other types wait for
/// them, then the types that usually are the largest, so that none of them runs alone at the end.
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
