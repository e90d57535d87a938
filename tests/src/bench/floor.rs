//! The baselines: a bare client at the same concurrency, without storing anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

use super::objects::Sample;

/// A client of one cluster that adds nothing to HTTP.
#[derive(Clone)]
pub struct Bare {
    client: kube::Client,
}

/// The result of a listing or creation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timing {
    /// Objects listed or created.
    pub objects: u64,
    /// Bytes of responses read.
    pub bytes: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl Bare {
    /// Connects to the cluster of a kubeconfig.
    ///
    /// # Errors
    /// If the kubeconfig cannot be read.
    pub async fn connect(kubeconfig: &std::path::Path) -> Result<Self> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let mut config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        // kube would retry for minutes, also requests that fail permanently.
        config.default_retry = false;
        config.read_timeout = Some(Duration::from_secs(120));
        Ok(Self {
            client: kube::Client::try_from(config)?,
        })
    }

    async fn get(&self, path: &str) -> Result<Bytes> {
        let request = Request::get(path).body(Body::empty())?;
        let response = self.client.send(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("GET {path}: {status}");
        }
        Ok(bytes)
    }

    /// Returns every listable collection of the cluster at its preferred version.
    ///
    /// # Errors
    /// If discovery fails.
    pub async fn collections(&self) -> Result<Vec<String>> {
        let groups: Value = serde_json::from_slice(&self.get("/apis").await?)?;
        let mut roots = vec!["/api/v1".to_owned()];
        for group in groups["groups"].as_array().into_iter().flatten() {
            let version = group["preferredVersion"]["groupVersion"]
                .as_str()
                .context("a preferred version")?;
            roots.push(format!("/apis/{version}"));
        }
        let mut paths = Vec::new();
        for root in roots {
            let resources: Value = serde_json::from_slice(&self.get(&root).await?)?;
            for resource in resources["resources"].as_array().into_iter().flatten() {
                let name = resource["name"].as_str().context("a name")?;
                let lists = resource["verbs"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|verb| verb == "list");
                // Events are served by two groups and stored once; a backup reads them once.
                if lists && !name.contains('/') && !(root.contains("events.k8s.io") && name == "events") {
                    paths.push(format!("{root}/{name}"));
                }
            }
        }
        Ok(paths)
    }

    /// Returns the number of objects in these collections.
    ///
    /// # Errors
    /// If a list fails.
    pub async fn count(&self, paths: &[String]) -> Result<u64> {
        let mut count = 0;
        for path in paths {
            // The first page says how many follow.
            let page: Value = serde_json::from_slice(&self.get(&format!("{path}?limit=1")).await?)?;
            count += page["items"].as_array().map_or(0, Vec::len) as u64
                + page["metadata"]["remainingItemCount"].as_u64().unwrap_or(0);
        }
        Ok(count)
    }

    /// Returns whether an object exists.
    ///
    /// # Errors
    /// If the API server does not answer.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        let request = Request::get(path).body(Body::empty())?;
        Ok(self.client.send(request).await?.status().is_success())
    }

    /// Makes the API server run its garbage collection. On a large server a collection takes
    /// seconds of both cores and slows down whichever request runs then, so both sides of a
    /// comparison begin right after one.
    ///
    /// # Errors
    /// If the server does not serve its profiles (`--profiling`). A heap profile with `gc=1` begins
    /// with a garbage collection (<https://pkg.go.dev/net/http/pprof>).
    pub async fn collect_garbage(&self) -> Result<()> {
        self.get("/debug/pprof/heap?gc=1").await.map(|_| ())
    }

    /// Returns the current resourceVersion.
    ///
    /// # Errors
    /// If the list that contains it fails.
    pub async fn now(&self) -> Result<String> {
        let list: Value = serde_json::from_slice(&self.get("/api/v1/namespaces?limit=1").await?)?;
        let version = list["metadata"]["resourceVersion"].as_str();
        Ok(version.context("a list has a resourceVersion")?.to_owned())
    }

    /// Lists every object of `paths` in pages, `concurrency` collections at a time, and discards
    /// the bytes. Only the continue token is parsed. With a resourceVersion every collection is
    /// read at exactly that version, as a backup of one point in time must; without one, at its
    /// latest version.
    ///
    /// # Errors
    /// If a list fails.
    pub async fn list(
        &self,
        paths: &[String],
        exact: Option<&str>,
        page: usize,
        concurrency: usize,
    ) -> Result<Timing> {
        let start = Instant::now();
        let bytes = AtomicU64::new(0);
        stream::iter(paths.iter().map(|path| self.list_one(path, exact, page, &bytes)))
            .buffer_unordered(concurrency)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(Timing {
            objects: 0,
            bytes: bytes.into_inner(),
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    async fn list_one(&self, path: &str, exact: Option<&str>, page: usize, total: &AtomicU64) -> Result<()> {
        let mut token = String::new();
        loop {
            // The continue token contains the version of the first page.
            let continued = match (token.is_empty(), exact) {
                (true, Some(version)) => format!("&resourceVersion={version}&resourceVersionMatch=Exact"),
                (true, None) => String::new(),
                (false, _) => format!("&continue={token}"),
            };
            let request = Request::get(format!("{path}?limit={page}{continued}")).body(Body::empty())?;
            let response = self.client.send(request).await?;
            let status = response.status();
            let mut body = response.into_body();
            let mut head: Vec<u8> = Vec::new();
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame?.into_data() {
                    total.fetch_add(data.len() as u64, Ordering::Relaxed);
                    if head.len() < 4096 {
                        head.extend_from_slice(&data);
                    }
                }
            }
            if !status.is_success() {
                bail!("GET {path}: {status}");
            }
            match continue_token(&head) {
                Some(next) => token = next,
                None => return Ok(()),
            }
        }
    }

    /// Reads every object of `paths` into memory, for the baseline archive.
    ///
    /// # Errors
    /// If a list fails or is not JSON.
    pub async fn read(
        &self,
        paths: &[String],
        mut each: impl FnMut(&str, &Value) -> Result<()>,
    ) -> Result<()> {
        for path in paths {
            let mut token = String::new();
            loop {
                let continued = if token.is_empty() {
                    String::new()
                } else {
                    format!("&continue={token}")
                };
                let page: Value =
                    serde_json::from_slice(&self.get(&format!("{path}?limit=500{continued}")).await?)?;
                for item in page["items"].as_array().into_iter().flatten() {
                    each(path, item)?;
                }
                match page["metadata"]["continue"].as_str() {
                    Some(next) if !next.is_empty() => token = next.to_owned(),
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Creates every sample, `concurrency` at a time: one POST each. Bodies are rendered while the
    /// requests run, as any client must.
    ///
    /// # Errors
    /// If an object cannot be created.
    pub async fn create(&self, samples: impl Iterator<Item = Sample>, concurrency: usize) -> Result<Timing> {
        let start = Instant::now();
        let created = Arc::new(AtomicU64::new(0));
        stream::iter(samples.map(|sample| {
            let (this, created) = (self.clone(), Arc::clone(&created));
            async move {
                this.write("POST", &sample.path, sample.manager, &sample.body)
                    .await?;
                created.fetch_add(1, Ordering::Relaxed);
                anyhow::Ok(())
            }
        }))
        .buffer_unordered(concurrency)
        .try_collect::<Vec<()>>()
        .await?;
        Ok(Timing {
            objects: created.load(Ordering::Relaxed),
            bytes: 0,
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Sends the writes of the second owner for the samples that have one.
    ///
    /// # Errors
    /// If a patch is rejected.
    pub async fn touch(&self, samples: impl Iterator<Item = Sample>, concurrency: usize) -> Result<()> {
        stream::iter(samples.filter_map(|sample| {
            let second = sample.second?;
            let name = sample.body["metadata"]["name"].as_str()?.to_owned();
            let this = self.clone();
            Some(async move {
                let path = format!("{}/{name}{}", sample.path, second.subresource);
                this.write("PATCH", &path, second.manager, &second.patch).await
            })
        }))
        .buffer_unordered(concurrency)
        .try_collect::<Vec<()>>()
        .await?;
        Ok(())
    }

    async fn write(&self, method: &str, path: &str, manager: &str, body: &Value) -> Result<()> {
        let content = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}?fieldManager={manager}"))
            .header(http::header::CONTENT_TYPE, content)
            .body(Body::from(serde_json::to_vec(body)?))?;
        let response = self.client.send(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }
}

/// Returns the continue token from the start of a list: the API server writes `metadata` before `items`.
fn continue_token(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let metadata = text.split("\"items\"").next()?;
    let token = metadata.split("\"continue\":\"").nth(1)?.split('"').next()?;
    (!token.is_empty()).then(|| token.to_owned())
}
