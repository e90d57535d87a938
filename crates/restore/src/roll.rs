//! Replaces Pods that came up before admission could change them.

use std::collections::{BTreeSet, HashMap};

use lifeboat_model::{ObjectRef, ResourceType};
use lifeboat_plan::report::{Report, WorkloadState};
use lifeboat_plan::{Plan, Wave};
use serde_json::Value;

use crate::execute::RunRecord;
use crate::prove::ProveError;
use crate::survey::listing::{collect, pin};
use crate::survey::parse;
use crate::wire::{self, text};
use lifeboat_apiserver::api::Api;

/// The paths of a Pod's shape that admission adds.
const INJECTED: [&str; 5] = [
    "/containers",
    "/initContainers",
    "/volumes",
    "/annotations",
    "/labels",
];

/// Returns the workloads whose Pods lack something that admission injected in the source. They are created again once
/// the admission that the plan restores is there.
pub(crate) fn uninjected(plan: &Plan, report: &Report) -> BTreeSet<ObjectRef> {
    let mutates = plan
        .objects
        .iter()
        .any(|object| object.wave == Wave::MutatingAdmission || is_mutating(&object.target));
    if !mutates {
        return BTreeSet::new();
    }
    let differing = (report.workloads.iter()).filter(|workload| workload.state == WorkloadState::Differs);
    let lacks = differing.filter(|workload| {
        workload.object.r#type.as_str() != "jobs.batch"
            && workload.differences.iter().any(|one| {
                one.source.is_some()
                    && one.target.is_none()
                    && INJECTED.iter().any(|path| one.path.starts_with(path))
            })
    });
    lacks.map(|workload| workload.object.clone()).collect()
}

fn is_mutating(object: &ObjectRef) -> bool {
    object.r#type.as_str() == "mutatingwebhookconfigurations.admissionregistration.k8s.io"
}

/// Deletes the Pods of these workloads that this run has caused; their controllers create them again.
pub(crate) async fn roll(
    api: &Api,
    run: &RunRecord,
    workloads: &BTreeSet<ObjectRef>,
) -> Result<(), ProveError> {
    let version = pin(api).await?;
    let resource = |group: &str, plural: &str, kind: &str| ResourceType {
        group: group.to_owned(),
        version: "v1".to_owned(),
        resource: plural.to_owned(),
        kind: kind.to_owned(),
        namespaced: true,
    };
    let owners = |found: &mut HashMap<String, String>, object: &Value| {
        let owned = object
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array);
        for owner in owned.into_iter().flatten() {
            if owner.get("controller") == Some(&Value::Bool(true)) {
                found.insert(
                    text(object, "/metadata/uid").to_owned(),
                    text(owner, "/uid").to_owned(),
                );
            }
        }
    };
    let mut of: HashMap<String, String> = HashMap::new();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for (group, plural, kind) in [
        ("apps", "deployments", "Deployment"),
        ("apps", "statefulsets", "StatefulSet"),
        ("apps", "daemonsets", "DaemonSet"),
        ("apps", "replicasets", "ReplicaSet"),
        ("", "replicationcontrollers", "ReplicationController"),
    ] {
        let resource = resource(group, plural, kind);
        let path = resource.collection_path();
        let objects = collect(api, &path, Some(&version), |found: &mut Vec<Value>, item, _| {
            found.extend(parse(item, &resource));
        })
        .await
        .map_err(|cause| ProveError::List { path, cause })?;
        for object in objects {
            owners(&mut of, &object);
            let known = ObjectRef::new(
                resource.name(),
                Some(text(&object, "/metadata/namespace")),
                text(&object, "/metadata/name"),
            );
            if workloads.contains(&known) {
                wanted.insert(text(&object, "/metadata/uid").to_owned());
            }
        }
    }
    let pods = resource("", "pods", "Pod");
    let path = pods.collection_path();
    let found = collect(
        api,
        &path,
        Some(&version),
        |found: &mut Vec<(String, String)>, item, _| {
            let Some(pod) = parse(item, &pods) else { return };
            let mut controller = HashMap::new();
            owners(&mut controller, &pod);
            let uid = text(&pod, "/metadata/uid").to_owned();
            let owner = controller.get(&uid);
            let root = owner.map(|owner| of.get(owner).unwrap_or(owner));
            if root.is_some_and(|root| wanted.contains(root))
                && run.made(text(&pod, "/metadata/creationTimestamp"))
            {
                let path = pods.object_path(
                    Some(text(&pod, "/metadata/namespace")),
                    text(&pod, "/metadata/name"),
                );
                found.push((path, uid));
            }
        },
    )
    .await
    .map_err(|cause| ProveError::List { path, cause })?;
    for (path, uid) in found {
        wire::delete(api, &path, &uid, None).await?;
    }
    Ok(())
}
