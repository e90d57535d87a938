//! What controllers have to do before the plan has come true.

use lifeboat_plan::PlannedObject;
use serde_json::Value;

use crate::restore::wire::text;

/// Whether controllers are through with the object, as far as the plan requires it: a claim and a volume
/// that were bound to each other in the source are bound to each other again. Gives the state that is
/// waited for otherwise.
pub(super) fn unsettled(object: &PlannedObject, captured: &Value, live: &Value) -> Option<String> {
    let phase = |of: &Value| text(of, "/status/phase").to_owned();
    match object.target.r#type.as_str() {
        "persistentvolumeclaims" => {
            let was_bound = phase(captured) == "Bound" && !text(captured, "/spec/volumeName").is_empty();
            (was_bound && phase(live) != "Bound").then(|| {
                format!(
                    "the claim was bound in the source and is {:?} in the target",
                    phase(live)
                )
            })
        }
        "persistentvolumes" => {
            let was_bound = phase(captured) == "Bound";
            (was_bound && phase(live) != "Bound").then(|| {
                format!(
                    "the volume was bound in the source and is {:?} in the target",
                    phase(live)
                )
            })
        }
        _ => None,
    }
}

/// How far the controllers of the target are with a workload, for readers: nothing is required of it.
pub(super) fn readiness(live: &Value) -> Option<(u64, u64)> {
    let number = |pointer| live.pointer(pointer).and_then(Value::as_u64);
    match text(live, "/kind") {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => Some((
            number("/status/readyReplicas").unwrap_or(0),
            number("/spec/replicas").unwrap_or(1),
        )),
        "DaemonSet" => Some((
            number("/status/numberReady").unwrap_or(0),
            number("/status/desiredNumberScheduled").unwrap_or(0),
        )),
        _ => None,
    }
}
