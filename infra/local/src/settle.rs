//! Waits until the controllers of a cluster have reached a steady state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::http::Client;

/// How long nothing must change until a cluster counts as quiet. Controllers react to each other
/// within a few hundred milliseconds.
const STILL: Duration = Duration::from_secs(2);
/// How long nothing must change until a workload that is not ready counts as stuck: an image needs
/// something that the cluster lacks, or a volume has no provisioner.
const STUCK: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(400);
const SAY_EVERY: Duration = Duration::from_secs(15);

/// Resource types that change continuously or only report other changes.
const VOLATILE_TYPES: [&str; 4] = ["leases", "events", "componentstatuses", "leasecandidates"];

const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// The error of reading the state of the cluster.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The API server did not respond until the deadline.
    #[error("the API server did not respond")]
    Request(#[from] std::io::Error),
}

/// The result of waiting.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Whether the cluster became quiet before the deadline.
    pub reached: bool,
    /// How long the wait took.
    pub waited: Duration,
    /// What is not ready or still changed, one sentence each.
    pub notes: Vec<String>,
}

impl fmt::Display for Settled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.waited.as_secs_f64();
        if self.reached {
            write!(formatter, "settled after {seconds:.1} s")?;
        } else {
            write!(formatter, "not settled after {seconds:.1} s")?;
        }
        for note in &self.notes {
            write!(formatter, "; {note}")?;
        }
        Ok(())
    }
}

/// Waits until workloads are ready, claims are bound, Jobs are finished, and nothing but Leases and
/// Events changes. At the deadline it returns and lists what still changed. It also returns when
/// workloads are stuck: not ready, and nothing has changed for a while.
///
/// # Errors
/// If the API server does not respond at all.
pub fn wait_until_quiet(cluster: &Cluster, deadline: Duration) -> Result<Settled, SettleError> {
    wait(cluster, STUCK, deadline)
}

/// Waits until nothing but Leases and Events changes, whether workloads are ready or not: for a cluster some of whose
/// workloads are not to become ready.
///
/// # Errors
/// If the API server does not respond at all.
pub fn wait_until_still(cluster: &Cluster, deadline: Duration) -> Result<Settled, SettleError> {
    wait(cluster, STILL, deadline)
}

/// Waits until the cluster is quiet, or nothing has changed for `stuck`.
fn wait(cluster: &Cluster, stuck: Duration, deadline: Duration) -> Result<Settled, SettleError> {
    let client = cluster.client();
    let began = Instant::now();
    let mut said = Duration::ZERO;
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut moved = Instant::now();
    let mut moving: BTreeSet<String> = BTreeSet::new();
    loop {
        let waited = began.elapsed();
        let state = match look(client) {
            Ok(state) => state,
            // The API server may restart in the meantime, so errors before the deadline are retried.
            Err(_) if waited < deadline => {
                std::thread::sleep(PAUSE);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let changed = differing(&last, &state.fingerprints);
        if !changed.is_empty() {
            moved = Instant::now();
            moving = changed;
        }
        last = state.fingerprints;
        let still = moved.elapsed();
        // Without controllers no workload becomes ready.
        let unready = if cluster.options().controllers {
            state.unready
        } else {
            Vec::new()
        };
        if still >= STILL && (unready.is_empty() || still >= stuck) {
            return Ok(Settled {
                reached: true,
                waited: began.elapsed(),
                notes: unready,
            });
        }
        if waited >= deadline {
            let mut notes = unready;
            if still < STILL {
                let types: Vec<_> = moving.into_iter().collect();
                notes.push(format!("still changing: {}", types.join(", ")));
            }
            return Ok(Settled {
                reached: false,
                waited,
                notes,
            });
        }
        if waited - said > SAY_EVERY {
            said = waited;
            let what = unready
                .first()
                .cloned()
                .unwrap_or_else(|| "objects still change".into());
            eprintln!(
                "cluster {}: waiting until it settles ({} s): {what}",
                cluster.name(),
                waited.as_secs()
            );
        }
        std::thread::sleep(PAUSE);
    }
}

struct State {
    /// Maps each type to a digest of the versions of its objects.
    fingerprints: BTreeMap<String, u64>,
    unready: Vec<String>,
}

fn look(client: &Client) -> Result<State, std::io::Error> {
    let mut state = State {
        fingerprints: BTreeMap::new(),
        unready: Vec::new(),
    };
    for path in collections(client)? {
        let plain = NEEDS_STATUS.contains(&path.as_str());
        let accept = if plain { "application/json" } else { METADATA };
        // The server's cache is recent enough, and a consistent list would wait for it.
        let answer = client.get(&format!("{path}?resourceVersion=0"), accept)?;
        // A type that was removed or whose backend does not respond is not waited for.
        if answer.status != 200 {
            continue;
        }
        let list = answer.json()?;
        let items = list["items"].as_array().map_or(&[][..], Vec::as_slice);
        let mut versions: Vec<(&str, &str)> = items
            .iter()
            .map(|item| {
                let metadata = &item["metadata"];
                (text(&metadata["uid"]), text(&metadata["resourceVersion"]))
            })
            .collect();
        versions.sort_unstable();
        let mut hasher = DefaultHasher::new();
        versions.hash(&mut hasher);
        if plain {
            state
                .unready
                .extend(items.iter().filter_map(|item| unready(&path, item)));
        }
        state.fingerprints.insert(path, hasher.finish());
    }
    Ok(state)
}

/// The types whose status shows readiness.
const NEEDS_STATUS: [&str; 7] = [
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/apis/batch/v1/jobs",
    "/api/v1/persistentvolumeclaims",
    "/api/v1/namespaces",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
];

/// Returns the path of every collection that can be listed, each once.
fn collections(client: &Client) -> Result<BTreeSet<String>, std::io::Error> {
    let mut paths = BTreeSet::new();
    for root in ["/api", "/apis"] {
        let answer = client.get(root, DISCOVERY)?;
        let groups = answer.json()?;
        for group in groups["items"].as_array().into_iter().flatten() {
            // The versions are in order of preference. The first one whose discovery is not stale
            // is enough, because all of them serve the same objects.
            let Some(version) = group["versions"]
                .as_array()
                .and_then(|versions| versions.iter().find(|version| version["freshness"] != "Stale"))
            else {
                continue;
            };
            let base = match text(&group["metadata"]["name"]) {
                "" => format!("/api/{}", text(&version["version"])),
                name => format!("/apis/{name}/{}", text(&version["version"])),
            };
            for resource in version["resources"].as_array().into_iter().flatten() {
                let name = text(&resource["resource"]);
                let listable = resource["verbs"]
                    .as_array()
                    .is_some_and(|verbs| verbs.iter().any(|verb| verb == "list"));
                if listable && !VOLATILE_TYPES.contains(&name) {
                    paths.insert(format!("{base}/{name}"));
                }
            }
        }
    }
    Ok(paths)
}

fn differing(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeSet<String> {
    before
        .keys()
        .chain(after.keys())
        .filter(|path| before.get(*path) != after.get(*path))
        .cloned()
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns why an object is not ready, as a sentence; nothing if it is ready or its state is final.
fn unready(path: &str, object: &Value) -> Option<String> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let number = |value: &Value, default: i64| value.as_i64().unwrap_or(default);
    let observed = number(&status["observedGeneration"], 0) >= number(&object["metadata"]["generation"], 0);
    let condition = |wanted: &str| {
        status["conditions"].as_array().is_some_and(|conditions| {
            conditions
                .iter()
                .any(|condition| condition["type"] == wanted && condition["status"] == "True")
        })
    };
    let why = match path.rsplit('/').next().unwrap_or_default() {
        "deployments" | "statefulsets" => {
            let wanted = number(&spec["replicas"], 1);
            let ready = number(&status["readyReplicas"], 0);
            let updated = number(&status["updatedReplicas"], 0);
            (!observed || ready != wanted || updated != wanted)
                .then(|| format!("{ready} of {wanted} are ready"))
        }
        "daemonsets" => {
            let wanted = number(&status["desiredNumberScheduled"], 0);
            let ready = number(&status["numberReady"], 0);
            (!observed || ready != wanted).then(|| format!("{ready} of {wanted} are ready"))
        }
        "jobs" => {
            let over = condition("Complete") || condition("Failed") || spec["suspend"] == true;
            (!over).then(|| "is not complete".to_owned())
        }
        "persistentvolumeclaims" => (status["phase"] != "Bound").then(|| "is not bound".to_owned()),
        "namespaces" => (status["phase"] == "Terminating").then(|| "is being deleted".to_owned()),
        "customresourcedefinitions" => (!condition("Established")).then(|| "is not established".to_owned()),
        _ => None,
    }?;
    let kind = path.rsplit('/').next().unwrap_or_default();
    let metadata = &object["metadata"];
    Some(match text(&metadata["namespace"]) {
        "" => format!("{kind}/{} {why}", text(&metadata["name"])),
        namespace => format!("{kind}/{} in {namespace} {why}", text(&metadata["name"])),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_is_ready_only_when_its_last_change_was_seen() {
        let path = "/apis/apps/v1/deployments";
        let mut object = json!({
            "metadata": { "name": "web", "namespace": "shop", "generation": 2 },
            "spec": { "replicas": 2 },
            "status": { "observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": 2 },
        });
        assert!(unready(path, &object).unwrap().contains("web in shop"));
        object["status"]["observedGeneration"] = 2.into();
        assert_eq!(unready(path, &object), None);
        object["status"]["readyReplicas"] = 1.into();
        assert!(unready(path, &object).is_some());
    }

    #[test]
    fn a_job_that_failed_is_over() {
        let job = json!({ "status": { "conditions": [{ "type": "Failed", "status": "True" }] } });
        assert_eq!(unready("/apis/batch/v1/jobs", &job), None);
        assert!(unready("/apis/batch/v1/jobs", &json!({})).is_some());
    }

    #[test]
    fn appearing_and_disappearing_types_are_changes() {
        let one = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]);
        let other = BTreeMap::from([("b".to_owned(), 1), ("c".to_owned(), 1)]);
        assert_eq!(
            differing(&one, &other),
            BTreeSet::from(["a".to_owned(), "c".to_owned()])
        );
        assert!(differing(&one, &one).is_empty());
    }
}
