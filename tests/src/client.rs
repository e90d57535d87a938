//! An administrator's client of one cluster: it finds the path of an object by discovery, as kubectl does.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::{Context, Result};
use lifeboat_local::Cluster;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::snapshot::http::Http;
use crate::snapshot::{Snapshot, array, text};

/// The paths of a kind of objects.
#[derive(Clone)]
struct Collection {
    root: String,
    plural: String,
    namespaced: bool,
}

/// A client of one cluster that waits for each answer.
pub struct Client {
    http: Http,
    /// The connections of the client belong to it.
    runtime: Runtime,
    /// The collections that are known, by API version and kind.
    collections: RefCell<BTreeMap<(String, String), Collection>>,
}

impl Client {
    /// Connects to a cluster.
    ///
    /// # Errors
    /// If its kubeconfig cannot be read.
    pub fn connect(cluster: &Cluster) -> Result<Self> {
        let runtime = Runtime::new()?;
        Ok(Self {
            http: runtime.block_on(Http::connect(cluster.kubeconfig()))?,
            runtime,
            collections: RefCell::default(),
        })
    }

    /// Applies one object as a field manager, as `kubectl apply --server-side --force-conflicts` does.
    ///
    /// # Errors
    /// If the server rejects it, or does not serve its kind.
    pub fn apply_object(&self, manager: &str, object: &Value) -> Result<Value> {
        let path = format!("{}?fieldManager={manager}&force=true", self.path(object)?);
        self.send("PATCH", &path, "application/apply-patch+yaml", object)
    }

    /// Creates one object; `query` is that of the request, such as `dryRun=All`.
    ///
    /// # Errors
    /// If the server rejects it, or does not serve its kind.
    pub fn create(&self, object: &Value, query: &str) -> Result<Value> {
        let path = format!("{}?{query}", self.collection(object)?);
        self.send("POST", &path, "application/json", object)
    }

    /// Sends a request with a body.
    ///
    /// # Errors
    /// If the server rejects it.
    pub fn send(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<Value> {
        self.runtime
            .block_on(self.http.send(method, path, content, Some(body)))
    }

    /// Reads the object or the list at a path.
    ///
    /// # Errors
    /// If the server rejects it.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.runtime.block_on(self.http.get(path))
    }

    /// Deletes the object at a path.
    ///
    /// # Errors
    /// If the server rejects it.
    pub fn delete(&self, path: &str) -> Result<Value> {
        self.runtime.block_on(self.http.delete(path))
    }

    /// Reads the whole cluster.
    ///
    /// # Errors
    /// If the API server does not respond.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.runtime.block_on(Snapshot::take(&self.http))
    }

    /// Returns the path of an object, of which the API version, kind, namespace and name are used.
    ///
    /// # Errors
    /// If the server does not serve its kind.
    pub fn path(&self, object: &Value) -> Result<String> {
        Ok(format!(
            "{}/{}",
            self.collection(object)?,
            text(object, "/metadata/name")
        ))
    }

    fn collection(&self, object: &Value) -> Result<String> {
        let (version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
        let key = (version.to_owned(), kind.to_owned());
        let known = self.collections.borrow().get(&key).cloned();
        let Collection {
            root,
            plural,
            namespaced,
        } = match known {
            Some(known) => known,
            None => {
                let found = self.discover(version, kind)?;
                self.collections.borrow_mut().insert(key, found.clone());
                found
            }
        };
        Ok(if namespaced {
            format!(
                "{root}/namespaces/{}/{plural}",
                text(object, "/metadata/namespace")
            )
        } else {
            format!("{root}/{plural}")
        })
    }

    fn discover(&self, version: &str, kind: &str) -> Result<Collection> {
        let root = if version.contains('/') {
            format!("/apis/{version}")
        } else {
            format!("/api/{version}")
        };
        let served = self.get(&root)?;
        let resource = array(&served, "/resources")
            .find(|resource| text(resource, "/kind") == kind && !text(resource, "/name").contains('/'))
            .with_context(|| format!("{version} has no {kind} yet"))?;
        Ok(Collection {
            root,
            plural: text(resource, "/name").to_owned(),
            namespaced: resource["namespaced"] == true,
        })
    }
}
