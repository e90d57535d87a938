//! Decides whether a recovery point is Partial for an acceptable reason.

use serde_json::Value;

use super::Verdict;
use crate::snapshot::{Snapshot, array, text};

/// Judges each reason. An aggregated API without a backend has no objects in this cluster, so a
/// recovery point without them is complete. Every other reason is a failure.
pub fn judge(shown: &Value, source: &Snapshot, verdict: &mut Verdict) {
    let mut reasons = 0;
    for missing in missing(shown) {
        reasons += 1;
        let what = match text(missing, "/type") {
            "" => text(missing, "/group"),
            name => name,
        };
        if absent_backend(what, source) {
            verdict.note(format!(
                "the point is Partial because the aggregated API {what} has no backend; nothing of it exists"
            ));
        } else {
            verdict.fail(format!("the point is Partial without need: {missing}"));
        }
    }
    if reasons == 0 {
        verdict.fail("the point is Partial and does not say why".into());
    }
}

fn missing(shown: &Value) -> Vec<&Value> {
    array(shown, "/manifest/clusters")
        .flat_map(|cluster| array(cluster, "/missing"))
        .collect()
}

/// Returns whether `what` (`group`, `group/version` or `type.group`) is served by an APIService
/// whose Service is not available.
fn absent_backend(what: &str, source: &Snapshot) -> bool {
    source
        .of_type("apiservices.apiregistration.k8s.io")
        .filter(|(_, service)| {
            !service["spec"]["service"].is_null()
                && array(service, "/status/conditions")
                    .any(|entry| entry["type"] == "Available" && entry["status"] != "True")
        })
        .any(|(_, service)| {
            let group = text(service, "/spec/group");
            let named = what.split('/').next().unwrap_or_default();
            named == group || named.ends_with(&format!(".{group}"))
        })
}
