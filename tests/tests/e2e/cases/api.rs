//! Objects written through the API server, with waits that poll.

use std::ops::Deref;
use std::time::{Duration, Instant};

use lifeboat_local::Cluster;
use lifeboat_tests::client::Client;
use lifeboat_tests::environment::pause;
use lifeboat_tests::snapshot::Snapshot;
use serde::Deserialize as _;
use serde_json::Value;

/// The longest wait for one step on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Controllers and watches react within some tens of milliseconds.
const POLL: Duration = Duration::from_millis(50);

/// An administrator's client of one cluster, whose requests must succeed unless they return a result.
pub(super) struct Api(Client);

impl Deref for Api {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl Api {
    pub(super) fn connect(cluster: &Cluster) -> Self {
        Self(Client::connect(cluster).unwrap())
    }

    /// Applies manifests, as `kubectl apply --server-side` does.
    pub(super) fn apply(&self, manifests: &str) {
        self.apply_as("kubectl", manifests);
    }

    /// Applies manifests as a field manager, one after another. Each is tried again until the server accepts it: types,
    /// classes and accounts are known a moment after they are created.
    pub(super) fn apply_as(&self, manager: &str, manifests: &str) {
        for document in documents(manifests) {
            until("the server accepts an object", || {
                self.0
                    .apply_object(manager, &document)
                    .map_err(|error| format!("{error:#}"))
            });
        }
    }

    pub(super) fn put(&self, path: &str, object: &Value) {
        self.0.send("PUT", path, "application/json", object).unwrap();
    }

    /// Changes an object or a subresource by a merge patch, which must not contain nulls.
    pub(super) fn merge(&self, path: &str, patch: &Value) {
        self.0
            .send("PATCH", path, "application/merge-patch+json", patch)
            .unwrap();
    }

    /// Changes an object or a subresource by a JSON patch.
    pub(super) fn json_patch(&self, path: &str, patch: &Value) {
        self.0
            .send("PATCH", path, "application/json-patch+json", patch)
            .unwrap();
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.0.snapshot().unwrap()
    }
}

/// Parses the documents of a manifest.
pub(super) fn documents(manifests: &str) -> Vec<Value> {
    serde_yaml_ng::Deserializer::from_str(manifests)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|document| !document.is_null())
        .collect()
}

/// Polls until `attempt` succeeds.
pub(super) fn until<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) => assert!(began.elapsed() < PATIENCE, "waiting until {what}: {error}"),
        }
        pause(POLL);
    }
}
