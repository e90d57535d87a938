//! The facts of a target that does not exist yet.

use lifeboat_model::ObjectRef;

use crate::{Existing, PlanBuilder, ServedType, SourceType, TargetFacts, VersionServed};

/// The namespaces that every API server creates (<https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/#initial-namespaces>).
const INITIAL_NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

impl PlanBuilder {
    /// Returns the facts of an empty cluster of the version of the source, for a target that does not exist yet: it serves
    /// the built-in types of the source and has the initial namespaces. What EKS puts into a new cluster is not known.
    /// `service_ranges` are the ranges of cluster IPs (CIDR) that it will have.
    #[must_use]
    pub fn empty_target(&self, server_version: &str, service_ranges: Vec<String>) -> TargetFacts {
        let initial = INITIAL_NAMESPACES.iter().flat_map(|name| {
            [
                ObjectRef::new("namespaces".into(), None, name),
                ObjectRef::new("serviceaccounts".into(), Some(name), "default"),
            ]
        });
        let existing = initial.map(|object| {
            let existing = Existing {
                uid: "".into(),
                created_by_this_run: false,
                managers: [].into(),
                body: None,
            };
            (object, existing)
        });
        TargetFacts {
            server_version: server_version.to_owned(),
            types: self
                .types
                .iter()
                .filter(|known| is_built_in(known))
                .map(served)
                .collect(),
            service_ranges,
            existing: existing.collect(),
            ..TargetFacts::default()
        }
    }
}

/// Returns whether the API server itself serves a type. Groups that end in `.k8s.io` are reserved for Kubernetes
/// (<https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/2337-k8s.io-group-protection>); those
/// of metrics are served by an extension API server, which the objects of the plan bring.
fn is_built_in(known: &SourceType) -> bool {
    let group = known.resource.group.as_str();
    let is_reserved = !group.contains('.') || group.ends_with(".k8s.io");
    !known.custom && is_reserved && !group.ends_with("metrics.k8s.io")
}

fn served(known: &SourceType) -> ServedType {
    let resource = &known.resource;
    let others = known
        .served_versions
        .iter()
        .filter(|version| **version != resource.version);
    let versions = std::iter::once(&resource.version).chain(others);
    ServedType {
        group: resource.group.clone(),
        resource: resource.resource.clone(),
        versions: versions
            .map(|version| VersionServed {
                version: version.clone(),
                kind: resource.kind.clone(),
                namespaced: resource.namespaced,
                verbs: known.verbs.clone(),
            })
            .collect(),
    }
}
