//! Waits for what controllers and nodes of the target do.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use lifeboat_model::{Diagnostic as _, ErrorKind, ObjectRef};
use lifeboat_plan::{PlannedObject, PlannedWorkload, Wave};
use serde_json::Value;
use tokio::time::Instant;

use super::attempt::object_path;
use super::steps::NAMED_AFTER;
use super::{RestoreError, Shared};
use crate::wire;
use crate::workloads::{Deployments, list, pods};
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

/// Waits until the quota controller has counted what a quota limits. Until then the API server may not know the quota,
/// and admit a Pod.
pub(super) async fn quota_in_force(
    shared: &Shared<'_>,
    quota: &PlannedObject,
    until: Instant,
) -> Result<(), RestoreError> {
    while Instant::now() < until {
        match wire::read(shared.api, &object_path(quota)).await {
            Ok(Some(live)) if live.pointer("/status/hard").is_none() => {}
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Retry => {}
            Err(error) => return Err(error.into()),
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Waits until a namespace, or the whole target, has as many Pods as its workloads had in the source, because `object`
/// follows them. `limit` is the whole time of such waits, and `until` its end.
pub(super) async fn pods_exist(
    shared: &Shared<'_>,
    object: &ObjectRef,
    namespace: Option<&str>,
    limit: Duration,
    until: Instant,
) -> Result<(), RestoreError> {
    let of_namespace = |workload: &&PlannedWorkload| {
        namespace.is_none() || workload.workload.namespace.as_deref() == namespace
    };
    // Workloads that follow have no Pods yet.
    let younger: HashSet<&ObjectRef> = (shared.plan.objects.iter())
        .filter(|object| matches!(object.wave, Wave::YoungerWorkloads | Wave::LimitedWorkloads))
        .map(|object| &object.target)
        .collect();
    let wanted: Vec<&PlannedWorkload> = (shared.plan.workloads.iter())
        .filter(of_namespace)
        .filter(|workload| !younger.contains(&workload.workload))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let (begun, mut named) = (Instant::now(), false);
    loop {
        let found = match pods_of_workloads(shared, namespace).await {
            Ok(found) => found,
            Err(PageError::Api(error)) if error.kind() == ErrorKind::Retry => HashMap::new(),
            Err(PageError::Api(error)) => return Err(error.into()),
            // The proof reads the Pods again and says what is wrong.
            Err(_) => return Ok(()),
        };
        let exist = |workload: &&PlannedWorkload| {
            found.get(&workload.workload).copied().unwrap_or(0) >= workload.pods
        };
        if wanted.iter().all(exist) || Instant::now() >= until {
            return Ok(());
        }
        if begun.elapsed() >= NAMED_AFTER && !named {
            named = true;
            shared.progress.waiting(object, limit);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Returns the number of Pods of each workload.
async fn pods_of_workloads(
    shared: &Shared<'_>,
    namespace: Option<&str>,
) -> Result<HashMap<ObjectRef, u32>, PageError> {
    let deployments = Deployments::read(shared.api, namespace, None).await?;
    let add = |found: &mut HashMap<_, _>, pod: Value| {
        if let Some(workload) = deployments.workload_of(&pod) {
            *found.entry(workload).or_default() += 1;
        }
    };
    list(shared.api, &pods(), namespace, None, add).await
}
