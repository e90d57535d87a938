//! Waits for what controllers and nodes of the target do.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use lifeboat_model::{Diagnostic as _, ErrorKind, ObjectRef, ResourceType};
use lifeboat_plan::Wave;
use serde_json::Value;
use tokio::time::Instant;

use super::attempt::object_path;
use super::{RestoreError, Shared};
use crate::survey::listing::collect;
use crate::survey::parse;
use crate::wire;
use lifeboat_apiserver::list::PageError;
use lifeboat_system::sleep;

/// The interval between two reads.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Waits until a workload has an available Pod; returns whether it has one in time.
pub(super) async fn available(
    shared: &Shared<'_>,
    workload: &ObjectRef,
    until: Instant,
) -> Result<bool, RestoreError> {
    let planned = shared
        .plan
        .objects
        .iter()
        .find(|object| object.target == *workload);
    let Some(path) = planned.map(object_path) else {
        return Ok(false);
    };
    loop {
        let live = match wire::read(shared.api, &path).await {
            // It was not created.
            Ok(None) => return Ok(false),
            Ok(Some(live)) => live,
            Err(error) if error.kind() == ErrorKind::Retry => Value::Null,
            Err(error) => return Err(error.into()),
        };
        let number = |name: &str| live.pointer(&format!("/status/{name}")).and_then(Value::as_u64);
        let pods = ["availableReplicas", "numberAvailable", "readyReplicas"];
        if pods.into_iter().filter_map(number).any(|pods| pods > 0) {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Waits until a namespace, or the whole target, has as many Pods as its workloads had in the source.
pub(super) async fn pods_exist(
    shared: &Shared<'_>,
    namespace: Option<&str>,
    until: Instant,
) -> Result<(), RestoreError> {
    let of_namespace = |workload: &&lifeboat_plan::PlannedWorkload| {
        namespace.is_none() || workload.workload.namespace.as_deref() == namespace
    };
    // Workloads that follow have no Pods yet.
    let younger: HashSet<&ObjectRef> = (shared.plan.objects.iter())
        .filter(|object| object.wave == Wave::YoungerWorkloads)
        .map(|object| &object.target)
        .collect();
    let wanted: Vec<&lifeboat_plan::PlannedWorkload> = (shared.plan.workloads.iter())
        .filter(of_namespace)
        .filter(|workload| !younger.contains(&workload.workload))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let pods = ResourceType {
        group: String::new(),
        version: "v1".to_owned(),
        resource: "pods".to_owned(),
        kind: "Pod".to_owned(),
        namespaced: true,
    };
    let path = match namespace {
        Some(_) => pods.path_in(namespace),
        None => pods.collection_path(),
    };
    loop {
        let listed = collect(shared.api, &path, None, |found: &mut Owned, item, _| {
            let pod = parse(item, &pods).unwrap_or_default();
            let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            for owner in owners
                .into_iter()
                .flatten()
                .filter(|owner| owner["controller"] == true)
            {
                let text = |value: &Value, path: &str| wire::text(value, path).to_owned();
                let key = (
                    text(&pod, "/metadata/namespace"),
                    text(owner, "/kind"),
                    text(owner, "/name"),
                );
                *found.entry(key).or_default() += 1;
            }
        });
        let found = match listed.await {
            Ok(found) => found,
            Err(PageError::Api(error)) if error.kind() == ErrorKind::Retry => Owned::new(),
            Err(PageError::Api(error)) => return Err(error.into()),
            // The proof reads the Pods again and says what is wrong.
            Err(_) => return Ok(()),
        };
        if wanted
            .iter()
            .all(|workload| pods_of(&found, workload) >= workload.pods)
            || Instant::now() >= until
        {
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
}

/// The number of Pods by namespace, and by kind and name of their controller.
type Owned = HashMap<(String, String, String), u32>;

/// Returns the number of Pods of a workload. The ReplicaSets of a Deployment begin with its name.
fn pods_of(found: &Owned, workload: &lifeboat_plan::PlannedWorkload) -> u32 {
    let ObjectRef {
        r#type,
        namespace,
        name,
    } = &workload.workload;
    let is_deployment = r#type.as_str() == "deployments.apps";
    let own = found.iter().filter(|((of, kind, controller), _)| {
        Some(of) == namespace.as_ref()
            && match is_deployment {
                true => kind == "ReplicaSet" && controller.starts_with(&format!("{name}-")),
                false => controller == name && r#type.as_str().starts_with(&kind.to_lowercase()),
            }
    });
    own.map(|(_, pods)| pods).sum()
}
