//! Objects written through the API server, with waits that poll.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use lifeboat_local::Cluster;
use lifeboat_tests::environment::pause;
use lifeboat_tests::snapshot::http::Http;
use lifeboat_tests::snapshot::{Snapshot, array, text};
use serde::Deserialize as _;
use serde_json::Value;

use crate::support::block;

/// The longest wait for one step on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Controllers and watches react within some tens of milliseconds.
const POLL: Duration = Duration::from_millis(50);

/// An administrator's client of one cluster.
pub(super) struct Api {
    http: Http,
    /// The paths of the collections, by API version and kind; `{namespace}` is replaced.
    collections: RefCell<BTreeMap<(String, String), String>>,
}

impl Api {
    pub(super) fn connect(cluster: &Cluster) -> Self {
        Self {
            http: block(Http::connect(cluster.kubeconfig())).unwrap(),
            collections: RefCell::default(),
        }
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
                self.try_apply(manager, &document)
                    .map_err(|error| format!("{error:#}"))
            });
        }
    }

    /// Applies one object as a field manager.
    pub(super) fn try_apply(&self, manager: &str, object: &Value) -> Result<Value> {
        let path = format!(
            "{}/{}?fieldManager={manager}&force=true",
            self.collection(object)?,
            text(object, "/metadata/name")
        );
        block(
            self.http
                .send("PATCH", &path, "application/apply-patch+yaml", Some(object)),
        )
    }

    /// Creates one object; with `dry_run` the server only admits and validates it.
    pub(super) fn create(&self, object: &Value, dry_run: bool) -> Result<Value> {
        let query = if dry_run { "?dryRun=All" } else { "" };
        let path = format!("{}{query}", self.collection(object)?);
        block(self.http.create(&path, object))
    }

    pub(super) fn get(&self, path: &str) -> Result<Value> {
        block(self.http.get(path))
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value> {
        block(self.http.delete(path))
    }

    pub(super) fn put(&self, path: &str, object: &Value) {
        block(self.http.send("PUT", path, "application/json", Some(object))).unwrap();
    }

    /// Changes an object or a subresource by a merge patch, which must not contain nulls.
    pub(super) fn merge(&self, path: &str, patch: &Value) {
        block(self.http.merge(path, patch)).unwrap();
    }

    /// Changes an object or a subresource by a JSON patch.
    pub(super) fn json_patch(&self, path: &str, patch: &Value) {
        block(
            self.http
                .send("PATCH", path, "application/json-patch+json", Some(patch)),
        )
        .unwrap();
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        block(Snapshot::take(&self.http)).unwrap()
    }

    fn collection(&self, object: &Value) -> Result<String> {
        let (version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
        let key = (version.to_owned(), kind.to_owned());
        let known = self.collections.borrow().get(&key).cloned();
        let path = match known {
            Some(path) => path,
            None => {
                let path = self.discover(version, kind)?;
                self.collections.borrow_mut().insert(key, path.clone());
                path
            }
        };
        Ok(path.replace("{namespace}", text(object, "/metadata/namespace")))
    }

    fn discover(&self, version: &str, kind: &str) -> Result<String> {
        let root = if version.contains('/') {
            format!("/apis/{version}")
        } else {
            format!("/api/{version}")
        };
        let served = self.get(&root)?;
        let resource = array(&served, "/resources")
            .find(|resource| text(resource, "/kind") == kind && !text(resource, "/name").contains('/'))
            .with_context(|| format!("{version} has no {kind} yet"))?;
        let plural = text(resource, "/name");
        Ok(if resource["namespaced"] == true {
            format!("{root}/namespaces/{{namespace}}/{plural}")
        } else {
            format!("{root}/{plural}")
        })
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
