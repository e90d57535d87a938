//! Which workload of the target a Pod belongs to.

use std::collections::HashMap;

use lifeboat_model::{ObjectRef, ResourceType};
use serde_json::Value;

use crate::survey::listing::collect;
use crate::survey::parse;
use crate::wire::text;
use lifeboat_apiserver::api::Api;
use lifeboat_apiserver::list::PageError;

/// The type of DaemonSets.
pub(crate) const DAEMON_SETS: &str = "daemonsets.apps";

/// Returns a namespaced built-in type of version `v1`.
pub(crate) fn built_in(group: &str, plural: &str, kind: &str) -> ResourceType {
    ResourceType {
        group: group.to_owned(),
        version: "v1".to_owned(),
        resource: plural.to_owned(),
        kind: kind.to_owned(),
        namespaced: true,
    }
}

/// Returns the type of Pods.
pub(crate) fn pods() -> ResourceType {
    built_in("", "pods", "Pod")
}

/// Returns the path of the objects of a type, in one namespace or in all.
fn list_path(resource: &ResourceType, namespace: Option<&str>) -> String {
    match namespace {
        Some(_) => resource.path_in(namespace),
        None => resource.collection_path(),
    }
}

/// Lists the objects of a type in one namespace or in all, at a resourceVersion if one is given.
pub(crate) async fn list<T: Default + Send>(
    api: &Api,
    resource: &ResourceType,
    namespace: Option<&str>,
    at: Option<&str>,
    add: impl Fn(&mut T, Value) + Send + Sync,
) -> Result<T, PageError> {
    let path = list_path(resource, namespace);
    collect(api, &path, at, |found: &mut T, item, _| {
        if let Some(object) = parse(item, resource) {
            add(found, object);
        }
    })
    .await
}

/// The Deployments of ReplicaSets, whose Pods count for the Deployment.
pub(crate) struct Deployments(HashMap<(String, String), String>);

impl Deployments {
    /// The type of ReplicaSets.
    pub(crate) fn replica_sets() -> ResourceType {
        built_in("apps", "replicasets", "ReplicaSet")
    }

    /// Reads the ReplicaSets of one namespace or of all.
    pub(crate) async fn read(
        api: &Api,
        namespace: Option<&str>,
        at: Option<&str>,
    ) -> Result<Self, PageError> {
        let add = |found: &mut HashMap<_, _>, set: Value| {
            if let Some(("Deployment", name)) = controller(&set) {
                let key = (
                    text(&set, "/metadata/namespace").to_owned(),
                    text(&set, "/metadata/name").to_owned(),
                );
                found.insert(key, name.to_owned());
            }
        };
        list(api, &Self::replica_sets(), namespace, at, add)
            .await
            .map(Self)
    }

    /// Returns the workload of a Pod that a built-in controller has created.
    pub(crate) fn workload_of(&self, pod: &Value) -> Option<ObjectRef> {
        let (kind, name) = controller(pod)?;
        let namespace = text(pod, "/metadata/namespace");
        let deployment = self.0.get(&(namespace.to_owned(), name.to_owned()));
        let (r#type, name) = match (kind, deployment) {
            ("ReplicaSet", Some(deployment)) => ("deployments.apps", deployment.as_str()),
            ("ReplicaSet", None) => ("replicasets.apps", name),
            ("StatefulSet", _) => ("statefulsets.apps", name),
            ("DaemonSet", _) => (DAEMON_SETS, name),
            ("ReplicationController", _) => ("replicationcontrollers", name),
            ("Job", _) => ("jobs.batch", name),
            _ => return None,
        };
        Some(ObjectRef::new(r#type.into(), Some(namespace), name))
    }
}

/// Returns kind and name of the controller of an object.
fn controller(object: &Value) -> Option<(&str, &str)> {
    let owners = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array)?;
    let owner = owners
        .iter()
        .find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    Some((text(owner, "/kind"), text(owner, "/name")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_of_a_replica_set_count_for_its_deployment() {
        let key = |name: &str| ("shop".to_owned(), name.to_owned());
        let deployments = Deployments([(key("web-1"), "web".to_owned())].into());
        let of = |kind: &str, name: &str| {
            let owners =
                json!([{"kind": "Node", "name": "n"}, {"kind": kind, "name": name, "controller": true}]);
            let pod = json!({"metadata": {"namespace": "shop", "ownerReferences": owners}});
            deployments.workload_of(&pod).map(|object| object.to_string())
        };
        assert_eq!(
            of("ReplicaSet", "web-1").as_deref(),
            Some("deployments.apps shop/web")
        );
        assert_eq!(
            of("ReplicaSet", "web-api-1").as_deref(),
            Some("replicasets.apps shop/web-api-1")
        );
        assert_eq!(of("Job", "web-1").as_deref(), Some("jobs.batch shop/web-1"));
        assert_eq!(of("Rollout", "web-1"), None);
        assert_eq!(
            deployments.workload_of(&json!({"metadata": {"namespace": "shop"}})),
            None
        );
    }
}
