//! Waits for changes that controllers have to make before the cluster matches the plan.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use lifeboat_model::ObjectRef;
use lifeboat_plan::Plan;
use serde_json::Value;
use tokio::time::Instant;

use super::{ProveError, ProveSettings};
use crate::execute::{ObjectSource, RestoreOutcome};
use crate::outcome::ObjectResult;
use crate::survey::listing::{collect, pin};
use crate::survey::parse;
use crate::wire::text;
use lifeboat_apiserver::api::Api;
use lifeboat_system::sleep;

/// The interval between reads of PersistentVolumeClaims and PersistentVolumes while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Waits until claims and volumes that were bound to each other in the source are bound again, and returns
/// those that are not when the time is over.
pub(super) async fn settle(
    api: &Api,
    plan: &Plan,
    source: &dyn ObjectSource,
    outcome: &RestoreOutcome,
    settings: &ProveSettings,
) -> Result<BTreeMap<usize, String>, ProveError> {
    let mut waiting: BTreeMap<usize, String> = BTreeMap::new();
    for (at, object) in plan.objects.iter().enumerate() {
        let binds = matches!(
            object.target.r#type.as_str(),
            "persistentvolumes" | "persistentvolumeclaims"
        );
        if binds && outcome.results.get(at) == Some(&ObjectResult::Restored) {
            let raw = source
                .object(object.locator.frame, object.locator.position)
                .await?;
            let captured: Value = serde_json::from_slice(&raw).unwrap_or_default();
            if text(&captured, "/status/phase") == "Bound" {
                waiting.insert(at, String::new());
            }
        }
    }
    let until = Instant::now() + settings.settle_within;
    while !waiting.is_empty() {
        let phases = phases(api, plan, &waiting).await?;
        waiting.retain(|&at, why| {
            let phase = phases.get(&plan.objects[at].target).map_or("", String::as_str);
            *why = match phase {
                "" => "it was bound in the source and has no phase in the target".to_owned(),
                phase => format!("it was bound in the source and is {phase} in the target"),
            };
            phase != "Bound"
        });
        if waiting.is_empty() || Instant::now() >= until {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(waiting)
}

async fn phases(
    api: &Api,
    plan: &Plan,
    waiting: &BTreeMap<usize, String>,
) -> Result<HashMap<ObjectRef, String>, ProveError> {
    let mut resources: Vec<_> = waiting.keys().map(|&at| &plan.objects[at].resource).collect();
    resources.sort();
    resources.dedup();
    let version = pin(api).await?;
    let mut all = HashMap::new();
    for resource in resources {
        let path = resource.collection_path();
        let found = collect(
            api,
            &path,
            Some(&version),
            |found: &mut HashMap<_, _>, item, _| {
                if let Some(live) = parse(item, resource) {
                    let namespace = text(&live, "/metadata/namespace");
                    let object =
                        ObjectRef::new(resource.name(), Some(namespace), text(&live, "/metadata/name"));
                    found.insert(object, text(&live, "/status/phase").to_owned());
                }
            },
        )
        .await;
        all.extend(found.map_err(|cause| ProveError::List { path, cause })?);
    }
    Ok(all)
}
