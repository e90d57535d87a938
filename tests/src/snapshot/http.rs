//! A plain HTTP client for an API server.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

/// Longer than any single response of a local API server takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one API server.
#[derive(Clone)]
pub struct Http {
    client: kube::Client,
}

impl Http {
    /// Connects to the cluster of a kubeconfig.
    ///
    /// # Errors
    /// If the kubeconfig cannot be read.
    pub async fn connect(kubeconfig: &Path) -> Result<Self> {
        let read = Kubeconfig::read_from(kubeconfig)
            .with_context(|| format!("read the kubeconfig {}", kubeconfig.display()))?;
        let mut config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
        // kube would retry for minutes, also requests that fail permanently.
        config.default_retry = false;
        config.read_timeout = Some(PATIENCE);
        Ok(Self {
            client: kube::Client::try_from(config)?,
        })
    }

    /// Reads a JSON document.
    ///
    /// # Errors
    /// If the server does not respond, or responds with a status other than success.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send("GET", path, "application/json", None).await
    }

    /// Sends a request with an optional JSON body.
    ///
    /// # Errors
    /// If the server does not respond, or responds with a status other than success.
    pub async fn send(&self, method: &str, path: &str, content: &str, body: Option<&Value>) -> Result<Value> {
        let bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, content)
            .body(Body::from(bytes))?;
        let response = self
            .client
            .send(request)
            .await
            .with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        let bytes = response
            .into_body()
            .collect()
            .await
            .with_context(|| format!("read the answer to {method} {path}"))?
            .to_bytes();
        if !status.is_success() {
            bail!(
                "{method} {path}: {status} {}",
                String::from_utf8_lossy(&bytes).trim()
            );
        }
        serde_json::from_slice(&bytes).with_context(|| format!("the answer to {method} {path} is not JSON"))
    }

    /// Creates an object in a collection.
    ///
    /// # Errors
    /// If the server rejects it.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.send("POST", path, "application/json", Some(object)).await
    }

    /// Changes an object with a JSON merge patch.
    ///
    /// # Errors
    /// If the server rejects it.
    pub async fn merge(&self, path: &str, patch: &Value) -> Result<Value> {
        self.send("PATCH", path, "application/merge-patch+json", Some(patch))
            .await
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// If the server rejects it.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.send("DELETE", path, "application/json", None).await
    }
}
