//! Every object of a cluster at one point in time, streamed into a sink.
//!
//! One resourceVersion is taken from the server and every type is listed at exactly that version, many
//! at a time, in pages. Where a server or a type refuses, the type is listed at its newest version
//! instead and the record says so. A type that cannot be read at all is named, with what would mend
//! it, and the rest goes on.
//!
//! Memory: each list under way holds one batch (about a mebibyte) and one piece of an answer, and a
//! few packed batches wait for the sink. Nothing grows with the number of objects.

mod dependencies;
mod error;
mod lister;
mod outcome;
mod progress;
mod select;
mod storage;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lifeboat_format::Batch;
use lifeboat_format::manifest::{
    ClusterRecord, Completeness, MissingRecord, PackRecord, ServerRecord, TypeOutcome, TypeRecord,
};
use lifeboat_jobs::writer::{PointWriter, WriteError};
use lifeboat_model::{ClusterName, Filter, TypeName, TypeSelector};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::api::{Api, ApiError};
use crate::discovery::{DiscoveredType, Discovery, FailedGroup};
use crate::retry::RetryPolicy;

use lister::{Context, Done, Job, Message};
use select::Choice;
use storage::{DEFINITIONS, StorageVersions};

pub(crate) use outcome::grant;

pub use error::CaptureError;
pub use progress::{CaptureEvent, CaptureProgress, Unwatched};

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
    let run = run(api, options, sink, progress);
    match options.deadline {
        None => run.await,
        // tokio's clock is the monotonic one.
        Some(allowed) => tokio::time::timeout(allowed, run)
            .await
            .unwrap_or(Err(CaptureError::Deadline { allowed })),
    }
}

#[tracing::instrument(name = "capture", skip_all)]
async fn run(
    api: &Api,
    options: &CaptureOptions,
    sink: &mut dyn BatchSink,
    progress: &mut (dyn CaptureProgress + Send),
) -> Result<Captured, CaptureError> {
    let discovery = api.discover().await?;
    check_filter(api, &discovery, &options.filter).await?;
    let mut plan = Plan::of(&discovery, &options.filter);
    progress.event(&CaptureEvent::Discovered {
        types: plan.to_list.len(),
        failed_groups: discovery.failed_groups.len(),
    });
    let pinned = pin(api, &plan).await?;
    progress.event(&CaptureEvent::Pinned {
        resource_version: pinned.clone(),
    });

    let (sender, mut receiver) = mpsc::channel(WAITING_BATCHES);
    let context = Context {
        api: api.clone(),
        page_size: options.page_size.max(1),
        retry: options.retry,
        pinned: pinned.clone(),
        filter: Arc::new(options.filter.clone()),
        labels: options.filter.labels.to_string(),
        sender,
    };
    let mut tasks: JoinSet<Result<Done, ApiError>> = JoinSet::new();
    let mut finished = Vec::new();
    loop {
        while tasks.len() < options.concurrency.max(1)
            && let Some(job) = plan.next()
        {
            tasks.spawn(lister::list(context.clone(), job));
        }
        if tasks.is_empty() {
            break;
        }
        tokio::select! {
            // What is ready to be written goes first: it is what holds memory.
            biased;
            Some(message) = receiver.recv() => take(message, sink, progress).await?,
            Some(ended) = tasks.join_next() => {
                let done = ended.map_err(|_| CaptureError::Panicked)??;
                plan.note(&done);
                if done.stored {
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
        whoami(api).await
    } else {
        None
    };
    Ok(plan.into_captured(&discovery, pinned, finished, user.as_deref()))
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
async fn pin(api: &Api, plan: &Plan<'_>) -> Result<Option<String>, CaptureError> {
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
    let own = plan.first_paths().take(TRIES);
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

/// Who the server takes us for, for the command that grants a permission.
pub(crate) async fn whoami(api: &Api) -> Option<String> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        user_info: User,
    }
    #[derive(Deserialize)]
    struct User {
        username: String,
    }
    let request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#.into())
        .expect("a constant request is well formed");
    let review: Review = api.request(request).await.ok()?.json().ok()?;
    Some(review.status.user_info.username)
}

/// Which types are listed, and which wait for the definitions of custom resources.
struct Plan<'a> {
    filter: &'a Filter,
    settled: Vec<(&'a DiscoveredType, TypeOutcome)>,
    to_list: Vec<&'a DiscoveredType>,
    queue: VecDeque<Job>,
    waiting: Vec<&'a DiscoveredType>,
    storage: StorageVersions,
    /// Whether the job that stores the definitions reads all of them, or another job must.
    definitions_are_stored: bool,
    notes: Vec<String>,
}

impl<'a> Plan<'a> {
    fn of(discovery: &'a Discovery, filter: &'a Filter) -> Self {
        let mut plan = Self {
            filter,
            settled: Vec::new(),
            to_list: Vec::new(),
            queue: VecDeque::new(),
            waiting: Vec::new(),
            storage: StorageVersions::default(),
            definitions_are_stored: false,
            notes: Vec::new(),
        };
        for known in &discovery.types {
            match select::choose(known, filter) {
                Choice::Settled(outcome) => plan.settled.push((known, outcome)),
                Choice::List => plan.to_list.push(known),
            }
        }
        plan.to_list.sort_by_key(|known| select::rank(&known.resource));
        for known in plan.to_list.clone() {
            if select::waits_for_definitions(known) {
                plan.waiting.push(known);
            } else {
                plan.queue.push_back(select::job(known.resource.clone(), filter));
            }
        }
        // Where the definitions themselves are not asked for, or only some of them by label, all are
        // read all the same.
        plan.definitions_are_stored = plan.stores_all_definitions();
        let definitions = discovery
            .find(&TypeName::from(DEFINITIONS))
            .filter(|d| d.is_listable());
        match definitions {
            Some(known) if !plan.definitions_are_stored => {
                plan.queue.push_front(select::definitions_only(&known.resource));
            }
            Some(_) => {}
            None => plan.release(),
        }
        plan
    }

    fn stores_all_definitions(&self) -> bool {
        self.filter.labels.is_empty()
            && self
                .queue
                .iter()
                .any(|job| job.resource.name().as_str() == DEFINITIONS)
    }

    fn next(&mut self) -> Option<Job> {
        self.queue.pop_front()
    }

    /// The first path of each type, for pinning.
    fn first_paths(&self) -> impl Iterator<Item = String> {
        self.queue
            .iter()
            .filter_map(|job| job.collections.first())
            .map(|c| c.path.clone())
    }

    /// Takes note of a finished job: once all definitions are read, nothing waits any longer.
    fn note(&mut self, done: &Done) {
        if done.resource.name().as_str() == DEFINITIONS && done.stored == self.definitions_are_stored {
            self.storage = done.storage.clone();
            if done.failure.is_some() && !self.waiting.is_empty() {
                self.notes.push(
                    "the storage versions of custom resources are not known; they were listed at their preferred versions"
                        .into(),
                );
            }
            self.release();
        }
    }

    fn release(&mut self) {
        for known in std::mem::take(&mut self.waiting) {
            let (resource, note) = select::version(known, &self.storage);
            self.notes.extend(note);
            // Custom resources are often many, so they do not queue behind the small types.
            self.queue.push_front(select::job(resource, self.filter));
        }
    }

    fn into_captured(
        self,
        discovery: &Discovery,
        pinned: Option<String>,
        finished: Vec<Done>,
        user: Option<&str>,
    ) -> Captured {
        let mut types = Vec::new();
        let mut missing = Vec::new();
        let (mut objects, mut bytes) = (0, 0);
        let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (known, outcome) in self.settled {
            types.push(record(known, &known.resource.version, &self.storage, outcome));
        }
        for done in finished.into_iter().filter(|done| done.stored) {
            let known = discovery
                .find(&done.resource.name())
                .expect("only discovered types are listed");
            let outcome = done.outcome(user);
            if let Some(failure) = &done.failure {
                missing.push(failure.missing(&done.resource, user));
            }
            types.push(record(known, &done.resource.version, &self.storage, outcome));
            objects += done.objects;
            bytes += done.bytes;
            done.sighting.add_to(&mut dependencies);
        }
        // Who asks for certain types by name has got them; else a group that is not known may hold
        // some that were asked for.
        if self.filter.types.is_empty() {
            missing.extend(discovery.failed_groups.iter().map(group_record));
        }
        types.sort_by(|a, b| (&a.group, &a.resource).cmp(&(&b.group, &b.resource)));
        missing.sort();
        let dependencies = dependencies
            .into_iter()
            .map(|(sort, found)| (sort, found.into_iter().collect()))
            .collect();
        Captured {
            server: ServerRecord {
                kube_system_uid: discovery.kube_system_uid.clone(),
                version: discovery.server_version.git_version.clone(),
                platform: discovery.server_version.platform.clone(),
            },
            resource_version: pinned,
            filter: self.filter.clone(),
            objects,
            bytes,
            types,
            missing,
            dependencies,
            notes: self.notes,
        }
    }
}

fn group_record(failed: &FailedGroup) -> MissingRecord {
    MissingRecord {
        r#type: None,
        group: Some(format!("{}/{}", failed.group, failed.version)),
        verb: "discover".into(),
        answer: failed.answer.clone(),
        mend: failed.mend.clone(),
    }
}

fn record(
    known: &DiscoveredType,
    version: &str,
    storage: &StorageVersions,
    outcome: TypeOutcome,
) -> TypeRecord {
    let served = known.version(version).unwrap_or_else(|| known.preferred());
    TypeRecord {
        group: known.resource.group.clone(),
        version: version.to_owned(),
        resource: known.resource.resource.clone(),
        kind: served.kind.clone(),
        namespaced: served.namespaced,
        short_names: known.short_names.clone(),
        singular: known.singular.clone(),
        verbs: served.verbs.clone(),
        served_versions: known.versions.iter().map(|v| v.version.clone()).collect(),
        custom: storage.of(&known.name()).is_some(),
        outcome,
    }
}

#[cfg(test)]
mod tests;
