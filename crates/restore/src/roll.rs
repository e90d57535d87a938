//! Replaces Pods that came up before admission could change them.

use std::collections::BTreeSet;

use lifeboat_model::ObjectRef;
use lifeboat_plan::report::{Report, WorkloadState};
use lifeboat_plan::{Plan, Wave};
use serde_json::Value;

use crate::execute::RunRecord;
use crate::prove::ProveError;
use crate::survey::listing::pin;
use crate::wire::{self, text};
use crate::workloads::{Deployments, list, pods};
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
    let deployments = Deployments::read(api, None, Some(&version))
        .await
        .map_err(ProveError::list(&Deployments::replica_sets()))?;
    let pods = pods();
    let add = |found: &mut Vec<(String, String)>, pod: Value| {
        let workload = deployments.workload_of(&pod);
        if workload.is_some_and(|workload| workloads.contains(&workload))
            && run.made(text(&pod, "/metadata/creationTimestamp"))
        {
            let namespace = Some(text(&pod, "/metadata/namespace"));
            let path = pods.object_path(namespace, text(&pod, "/metadata/name"));
            found.push((path, text(&pod, "/metadata/uid").to_owned()));
        }
    };
    let found = list(api, &pods, None, Some(&version), add)
        .await
        .map_err(ProveError::list(&pods))?;
    for (path, uid) in found {
        wire::delete(api, &path, &uid, None).await?;
    }
    Ok(())
}
