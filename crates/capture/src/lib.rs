//! Captures every object of a cluster at one point in time and streams the objects into a sink.
//!
//! One resourceVersion is taken from the API server and every type is listed at exactly that version, in pages,
//! several types at a time. If the server or a type refuses an exact version, the type is listed at its newest
//! version and its record states that. A type that cannot be read at all is recorded with a remediation, and the
//! capture continues.
//!
//! A capture can be stopped by a [`CancellationToken`] and continued by another process ([`capture_part`]). The parts
//! together contain what a single run would have contained; `lifeboat_recovery_point::cursor` documents exactly what
//! is equal.
//!
//! Pages shrink where the server cannot send them or where they are large, so that thousands of large objects are read
//! in many small responses.
//!
//! Memory: each active list holds one batch (about 1 MiB) and one chunk of a response, and a few packed batches wait
//! for the sink. Memory use does not grow with the number of objects.

pub mod backup;
mod count;
mod definitions;
mod dependencies;
mod error;
pub mod infrastructure;
mod job;
mod lister;
mod outcome;
mod plan;
mod progress;
mod select;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lifeboat_format::Batch;
use lifeboat_format::manifest::{
    ClusterRecord, Completeness, MissingRecord, PackRecord, ServerRecord, TypeRecord,
};
use lifeboat_model::{ClusterName, Filter, TypeSelector};
use lifeboat_recovery_point::cursor::{ListingCheckpoint, Types};
use lifeboat_recovery_point::writer::{PointWriter, WriteError};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_apiserver::discovery::{Discovery, FailedGroup, ServerVersion, kube_system_uid};
use lifeboat_apiserver::list::MAX_ANSWER_BYTES;
use lifeboat_system::retry::RetryPolicy;

use job::Done;
use lister::{Context, Message};
use plan::Plan;

pub use count::count;
pub use error::CaptureError;
pub use progress::{CaptureEvent, CaptureProgress, Unwatched};
pub use tokio_util::sync::CancellationToken;

/// The number of items per page. On kube-apiserver 1.36, pages of 2,000 items were 5 to 30 % faster than pages of
/// 500. Larger pages make the server hold more in memory for little gain.
pub const PAGE_SIZE: u32 = 2000;

/// The number of types that are listed concurrently. Each costs about 3 MiB of memory in this process and one request
/// of the server's API Priority and Fairness budget, of which ordinary users share several dozen.
pub const CONCURRENCY: usize = 6;

/// The number of packed batches that may wait for the sink. A packed batch is about 100 KiB; a few of them cover the
/// time of one write to a store.
const WAITING_BATCHES: usize = 8;

/// The options of a capture.
#[derive(Debug, Clone)]
pub struct CaptureOptions {
    /// The filter that selects the objects.
    pub filter: Filter,
    /// Which of the types that the filter selects are captured, where several captures share a cluster.
    pub types: Types,
    /// The number of items per page; see [`PAGE_SIZE`].
    pub page_size: u32,
    /// The size of a page in bytes beyond which it is requested with fewer items; see [`MAX_ANSWER_BYTES`].
    pub page_bytes: u64,
    /// The number of types that are listed concurrently; see [`CONCURRENCY`].
    pub concurrency: usize,
    /// The time limit of the whole capture, if any.
    pub deadline: Option<Duration>,
    /// How often, and with which backoff, a page is retried.
    pub retry: RetryPolicy,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            types: Types::All,
            page_size: PAGE_SIZE,
            page_bytes: MAX_ANSWER_BYTES,
            concurrency: CONCURRENCY,
            deadline: None,
            retry: RetryPolicy::PATIENT,
        }
    }
}

/// The destination of batches, which arrive in the order in which they were packed.
#[async_trait]
pub trait BatchSink: Send {
    /// Stores one batch.
    ///
    /// # Errors
    /// An error ends the capture.
    async fn append(&mut self, batch: Batch) -> Result<(), WriteError>;
}

#[async_trait]
impl BatchSink for PointWriter {
    async fn append(&mut self, batch: Batch) -> Result<(), WriteError> {
        Self::append(self, batch).await
    }
}

/// The result of a complete capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// The API server that was captured.
    pub server: ServerRecord,
    /// The resourceVersion at which all pinned types were listed; absent if the server returned none.
    pub resource_version: Option<String>,
    /// The filter of the capture.
    pub filter: Filter,
    /// The number of stored objects.
    pub objects: u64,
    /// The size of their lines in bytes, including line ends.
    pub bytes: u64,
    /// Every discovered type with its outcome, sorted by group and name.
    pub types: Vec<TypeRecord>,
    /// What is missing; empty in a complete capture.
    pub missing: Vec<MissingRecord>,
    /// What the objects need outside of the cluster, by sort (`images`, `roleArns`).
    pub dependencies: BTreeMap<String, Vec<String>>,
    /// Further notes for the user.
    pub notes: Vec<String>,
}

impl Captured {
    /// Returns whether everything that the filter selects was captured.
    #[must_use]
    pub fn completeness(&self) -> Completeness {
        if self.missing.is_empty() {
            Completeness::Complete
        } else {
            Completeness::Partial
        }
    }

    /// Converts the result to the record of the cluster in the manifest.
    #[must_use]
    pub fn into_record(
        self,
        name: ClusterName,
        started_at: jiff::Timestamp,
        finished_at: jiff::Timestamp,
        packs: Vec<PackRecord>,
    ) -> ClusterRecord {
        ClusterRecord {
            name,
            server: self.server,
            resource_version: self.resource_version,
            started_at,
            finished_at,
            filters: self.filter,
            objects: self.objects,
            bytes: self.bytes,
            types: self.types,
            missing: self.missing,
            packs,
            dependencies: self.dependencies,
        }
    }
}

/// The outcome of a capture that can be cancelled.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The capture is complete.
    Complete(Box<Captured>),
    /// The capture was cancelled. Another run continues from this checkpoint; without one it starts from the
    /// beginning.
    Stopped(Option<Box<ListingCheckpoint>>),
}

/// Captures a cluster into `sink`.
///
/// # Errors
/// [`CaptureError`] if nothing more can be read or written. A single type that cannot be read is not an error: it is
/// listed in [`Captured::missing`].
pub async fn capture(
    api: &Api,
    options: &CaptureOptions,
    sink: &mut dyn BatchSink,
    progress: &mut (dyn CaptureProgress + Send),
) -> Result<Captured, CaptureError> {
    let cancellation = CancellationToken::new();
    let run = capture_part(api, options, None, &cancellation, sink, progress);
    match within(options.deadline, run).await? {
        Ended::Complete(captured) => Ok(*captured),
        Ended::Stopped(_) => unreachable!("nobody else holds this token"),
    }
}

/// Ends `run` with [`CaptureError::Deadline`] once `deadline` has passed on the monotonic clock.
async fn within<T>(
    deadline: Option<Duration>,
    run: impl Future<Output = Result<T, CaptureError>>,
) -> Result<T, CaptureError> {
    match deadline {
        None => run.await,
        Some(allowed) => tokio::time::timeout(allowed, run)
            .await
            .unwrap_or(Err(CaptureError::Deadline { allowed })),
    }
}

/// Captures a cluster into `sink`, from the checkpoint of an earlier run if there is one, until the end or until it
/// is cancelled. The deadline of the options is ignored. `from` must come from a run with the same options.
///
/// # Errors
/// As [`capture`], and [`CaptureError::OtherCluster`] if `from` is the checkpoint of another cluster.
#[tracing::instrument(name = "capture", skip_all)]
pub async fn capture_part(
    api: &Api,
    options: &CaptureOptions,
    from: Option<ListingCheckpoint>,
    cancellation: &CancellationToken,
    sink: &mut dyn BatchSink,
    progress: &mut (dyn CaptureProgress + Send),
) -> Result<Ended, CaptureError> {
    let cancelled = cancellation.clone();
    let mut plan = tokio::select! {
        biased;
        () = cancelled.cancelled() => return Ok(Ended::Stopped(from.map(Box::new))),
        prepared = prepare(api, options, from.clone()) => prepared?,
    };
    progress.event(&CaptureEvent::Discovered {
        types: plan.to_list(),
        failed_groups: plan.failed_groups(),
    });
    progress.event(&CaptureEvent::Pinned {
        resource_version: plan.pinned().map(str::to_owned),
    });

    let (sender, mut receiver) = mpsc::channel(WAITING_BATCHES);
    let context = Context {
        api: api.clone(),
        page_size: options.page_size.max(1),
        page_bytes: options.page_bytes,
        retry: options.retry,
        pinned: plan.pinned().map(str::to_owned),
        filter: Arc::new(options.filter.clone()),
        labels: options.filter.labels.to_string(),
        sender,
        cancellation: cancelled.clone(),
    };
    let mut tasks: JoinSet<Result<Done, ApiError>> = JoinSet::new();
    let mut finished = Vec::new();
    let mut stopping = false;
    loop {
        while !stopping
            && tasks.len() < options.concurrency.max(1)
            && let Some(task) = plan.next()
        {
            tasks.spawn(lister::list(context.clone(), task));
        }
        if tasks.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            () = cancelled.cancelled(), if !stopping => stopping = true,
            // Finished batches are written first, because they hold the memory.
            Some(message) = receiver.recv() => take(message, sink, progress).await?,
            Some(ended) = tasks.join_next() => {
                let done = ended.map_err(|_| CaptureError::Panicked)??;
                plan.note(&done);
                if done.stored && done.rest.is_none() {
                    progress.event(&CaptureEvent::TypeFinished {
                        r#type: done.resource.name(),
                        outcome: done.outcome(None),
                    });
                }
                finished.push(done);
            }
            else => break,
        }
    }
    // All listers have ended, but their last messages may still be in the channel.
    drop(context);
    while let Some(message) = receiver.recv().await {
        take(message, sink, progress).await?;
    }
    let user = if finished
        .iter()
        .any(|done| done.failure.as_ref().is_some_and(|f| f.status == Some(403)))
    {
        lifeboat_apiserver::access::whoami(api).await
    } else {
        None
    };
    Ok(plan.end(finished, user.as_deref()))
}

async fn take(
    message: Message,
    sink: &mut dyn BatchSink,
    progress: &mut (dyn CaptureProgress + Send),
) -> Result<(), CaptureError> {
    match message {
        Message::Batch(batch) => sink.append(batch).await?,
        Message::Event(event) => progress.event(&event),
    }
    Ok(())
}

/// Plans what is listed: from the discovery of the cluster, or from the checkpoint of an earlier run.
async fn prepare(
    api: &Api,
    options: &CaptureOptions,
    from: Option<ListingCheckpoint>,
) -> Result<Plan, CaptureError> {
    if let Some(from) = from {
        let (version, uid) = futures::join!(ServerVersion::read(api), kube_system_uid(api));
        version?;
        // For a user without permission to read the UID, the lists detect another cluster: resourceVersions and
        // continue tokens of one cluster do not exist on another.
        if let (Some(before), Some(now)) = (&from.server.kube_system_uid, uid?)
            && *before != now
        {
            return Err(CaptureError::OtherCluster);
        }
        return Ok(Plan::resume(from, &options.filter));
    }
    let discovery = api.discover().await?;
    let notes = check_filter(api, &discovery, &options.filter).await?;
    let mut plan = Plan::of(discovery, &options.filter, &options.types);
    plan.note_all(notes);
    let pinned = match options.types.resource_version() {
        Some(given) => Some(given.to_owned()),
        None => pin(api, plan.first_paths()).await?,
    };
    plan.pin(pinned);
    Ok(plan)
}

/// Checks, before anything is written, that every type and namespace in the filter exists. An excluded namespace need
/// not: its objects may outlive it, and then the exclusion is a way to leave them out. Returns notes for the user.
async fn check_filter(
    api: &Api,
    discovery: &Discovery,
    filter: &Filter,
) -> Result<Vec<String>, CaptureError> {
    let mut notes = Vec::new();
    // A type of a group that could not be discovered is indistinguishable from one that does not exist.
    let in_failed_group = |selector: &TypeSelector| {
        let named = |failed: &FailedGroup| selector.0.ends_with(&format!(".{}", failed.group));
        discovery.failed_groups.iter().any(named)
    };
    for selector in &filter.types {
        discovery.resolve(selector)?;
    }
    for selector in filter.exclude_types.iter().filter(|s| !in_failed_group(s)) {
        discovery.resolve(selector)?;
    }
    let selected = filter.namespaces.iter().map(|namespace| (namespace, false));
    let excluded = filter
        .exclude_namespaces
        .iter()
        .map(|namespace| (namespace, true));
    for (namespace, is_excluded) in selected.chain(excluded) {
        // An invalid namespace name must not become part of a request path.
        if !namespace.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') || namespace.is_empty() {
            return Err(CaptureError::UnknownNamespace {
                namespace: namespace.clone(),
            });
        }
        match api
            .get(&format!("/api/v1/namespaces/{namespace}"), "application/json")
            .await
        {
            // A user without permission to get the namespace may still be allowed to read the objects in it.
            Ok(_) => {}
            Err(ApiError::Refused(refusal)) if refusal.status == 403 => {}
            Err(ApiError::Refused(refusal)) if refusal.status == 404 && is_excluded => {
                notes.push(format!("the excluded namespace {namespace} does not exist"));
            }
            Err(ApiError::Refused(refusal)) if refusal.status == 404 => {
                return Err(CaptureError::UnknownNamespace {
                    namespace: namespace.clone(),
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(notes)
}

/// Takes the resourceVersion of the capture from the first list that the user may make. All types in one etcd share
/// one revision counter, so any type will do.
async fn pin(api: &Api, paths: Vec<String>) -> Result<Option<String>, CaptureError> {
    #[derive(Deserialize)]
    struct List {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        #[serde(default)]
        resource_version: String,
    }
    /// The number of types that are tried. A user who may not list any of them can hardly list anything.
    const TRIES: usize = 8;
    let own = paths.into_iter().take(TRIES);
    for path in std::iter::once("/api/v1/namespaces".to_owned()).chain(own) {
        match api.get_json::<List>(&format!("{path}?limit=1")).await {
            Ok(list) if !list.metadata.resource_version.is_empty() => {
                return Ok(Some(list.metadata.resource_version));
            }
            Ok(_) => {}
            Err(ApiError::Refused(refusal)) if refusal.status != 401 => {
                tracing::debug!(%refusal, "no version from this type");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
