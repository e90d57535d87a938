//! Every object of a cluster at one point in time, streamed into a sink.
//!
//! One resourceVersion is taken from the server and every type is listed at exactly that version, many
//! at a time, in pages. Where a server or a type refuses, the type is listed at its newest version
//! instead and the record says so. A type that cannot be read at all is named, with how to fix
//! it, and the rest goes on.
//!
//! A capture can be stopped by a [`CancellationToken`] and gone on with by another process ([`capture_part`]). The parts
//! together hold what one run would have held: `lifeboat_recovery_point::cursor` says what exactly is equal.
//!
//! Memory: each list under way holds one batch (about a mebibyte) and one piece of an answer, and a
//! few packed batches wait for the sink. Nothing grows with the number of objects.

pub mod backup;
mod count;
mod dependencies;
mod error;
mod job;
mod lister;
mod outcome;
mod plan;
mod progress;
mod select;
mod storage;

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
use lifeboat_system::retry::RetryPolicy;

use job::Done;
use lister::{Context, Message};
use plan::Plan;

pub use count::count;
pub use error::CaptureError;
pub use progress::{CaptureEvent, CaptureProgress, Unwatched};
pub use tokio_util::sync::CancellationToken;

/// How many items a page has. On kube-apiserver 1.36 pages of 2,000 were 5 to 30 % faster than pages of
/// 500; larger ones make the server hold more at once for little gain.
pub const PAGE_SIZE: u32 = 2000;

/// How many types are listed at a time. Each costs up to some 3 MiB of memory here and one request of
/// the server's fairness budget, of which an ordinary user shares several dozen.
pub const CONCURRENCY: usize = 6;

/// Packed batches that wait for the sink. A batch is about 100 KiB packed; a few bridge the time that
/// a store takes for one write.
const WAITING_BATCHES: usize = 8;

/// What to capture and how.
#[derive(Debug, Clone)]
pub struct CaptureOptions {
    /// Which objects are taken.
    pub filter: Filter,
    /// Which types are taken of those that the filter takes, where several captures share a cluster.
    pub types: Types,
    /// How many items a page has; see [`PAGE_SIZE`].
    pub page_size: u32,
    /// How many types are listed at a time; see [`CONCURRENCY`].
    pub concurrency: usize,
    /// How long the whole capture may take.
    pub deadline: Option<Duration>,
    /// How often a page is tried again.
    pub retry: RetryPolicy,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            types: Types::All,
            page_size: PAGE_SIZE,
            concurrency: CONCURRENCY,
            deadline: None,
            retry: RetryPolicy::PATIENT,
        }
    }
}

/// Where batches go, in the order in which they come.
#[async_trait]
pub trait BatchSink: Send {
    /// Stores one batch.
    ///
    /// # Errors
    /// Ends the capture.
    async fn append(&mut self, batch: Batch) -> Result<(), WriteError>;
}

#[async_trait]
impl BatchSink for PointWriter {
    async fn append(&mut self, batch: Batch) -> Result<(), WriteError> {
        Self::append(self, batch).await
    }
}

/// What a capture found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Which server answered.
    pub server: ServerRecord,
    /// The version at which all pinned types were listed.
    pub resource_version: Option<String>,
    /// What was asked for.
    pub filter: Filter,
    /// How many objects were stored.
    pub objects: u64,
    /// The size of their lines in bytes, line ends included.
    pub bytes: u64,
    /// Every discovered type and what became of it, sorted by group and name.
    pub types: Vec<TypeRecord>,
    /// What is missing; empty in a complete capture.
    pub missing: Vec<MissingRecord>,
    /// What the objects need outside of the cluster.
    pub dependencies: BTreeMap<String, Vec<String>>,
    /// What a user should know beside that.
    pub notes: Vec<String>,
}

impl Captured {
    /// Whether everything that was asked for is there.
    #[must_use]
    pub fn completeness(&self) -> Completeness {
        if self.missing.is_empty() {
            Completeness::Complete
        } else {
            Completeness::Partial
        }
    }

    /// The cluster as the manifest tells it.
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

/// How a capture that may be stopped ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// With everything.
    Complete(Box<Captured>),
    /// Cancelled. Another run goes on from here; with nothing, it has to begin anew.
    Stopped(Option<Box<ListingCheckpoint>>),
}

/// Captures a cluster into `sink`.
///
/// # Errors
/// [`CaptureError`] where nothing more can be read or written. A single type that cannot be read is
/// none: it is named in [`Captured::missing`].
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

/// Captures a cluster into `sink`, from where an earlier run was stopped, until the end or until it is
/// cancelled. The deadline of the options is not looked at. `from` must come from a run with the same options.
///
/// # Errors
/// As [`capture`]; [`CaptureError::OtherCluster`] where `from` tells of another cluster.
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
            // What is ready to be written goes first: it is what holds memory.
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
    // All listers are gone, and what they sent last may still wait.
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

/// Finds out what is to be listed: from the cluster, or from where an earlier run was stopped.
async fn prepare(
    api: &Api,
    options: &CaptureOptions,
    from: Option<ListingCheckpoint>,
) -> Result<Plan, CaptureError> {
    if let Some(from) = from {
        let (version, uid) = futures::join!(ServerVersion::read(api), kube_system_uid(api));
        version?;
        // A user who may not read the UID is told by the answers: versions of another cluster do not exist.
        if let (Some(before), Some(now)) = (&from.server.kube_system_uid, uid?)
            && *before != now
        {
            return Err(CaptureError::OtherCluster);
        }
        return Ok(Plan::resume(from, &options.filter));
    }
    let discovery = api.discover().await?;
    check_filter(api, &discovery, &options.filter).await?;
    let mut plan = Plan::of(discovery, &options.filter, &options.types);
    let pinned = match options.types.resource_version() {
        Some(given) => Some(given.to_owned()),
        None => pin(api, plan.first_paths()).await?,
    };
    plan.pin(pinned);
    Ok(plan)
}

/// Every name in a filter must mean something, before anything is written.
async fn check_filter(api: &Api, discovery: &Discovery, filter: &Filter) -> Result<(), CaptureError> {
    // A type of a group that could not be discovered cannot be told from one that does not exist.
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
    for namespace in filter.namespaces.iter().chain(&filter.exclude_namespaces) {
        // A name that no namespace can have must not become part of a path.
        if !namespace.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') || namespace.is_empty() {
            return Err(CaptureError::UnknownNamespace {
                namespace: namespace.clone(),
            });
        }
        match api
            .get(&format!("/api/v1/namespaces/{namespace}"), "application/json")
            .await
        {
            // Who may not look at the namespace may still be allowed to read what is in it.
            Ok(_) => {}
            Err(ApiError::Refused(refusal)) if refusal.status == 403 => {}
            Err(ApiError::Refused(refusal)) if refusal.status == 404 => {
                return Err(CaptureError::UnknownNamespace {
                    namespace: namespace.clone(),
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Takes the version of the whole cluster from the first list that we may make. All types of one etcd
/// share their versions, so any will do.
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
    /// A user who may not list any of so many types may hardly list anything.
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
