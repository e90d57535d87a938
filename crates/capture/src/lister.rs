//! Lists one type page by page and stores each object exactly once.
//!
//! [`ListReader`] reads the pages. A cancelled capture stops between two objects and records its position. What was
//! taken of the current page counts as after a broken connection, and the next run reads the page again.

use std::collections::VecDeque;
use std::sync::Arc;

use lifeboat_format::{Batch, BatchBuilder, Compressor, ListMeta, ObjectMetadata};
use lifeboat_model::{Filter, TypeName};
use lifeboat_recovery_point::cursor::Position;
use tokio::sync::mpsc::Sender;

use super::definitions::Definitions;
use super::dependencies::ExternalReferences;
use super::job::{Collection, Done, ListJob, StartedListing, Task};
use super::outcome::TypeFailure;
use super::progress::CaptureEvent;
use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_apiserver::list::{
    Fallback, ListError, ListPosition, ListReader, ListRequest, ListSink, PageError,
};
use lifeboat_system::retry::RetryPolicy;
use tokio_util::sync::CancellationToken;

/// A message from a lister to the task that writes.
pub(super) enum Message {
    Batch(Batch),
    Event(CaptureEvent),
}

/// The state that all listers of a capture share.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) api: Api,
    pub(super) page_size: u32,
    pub(super) page_bytes: u64,
    pub(super) retry: RetryPolicy,
    pub(super) pinned: Option<String>,
    pub(super) filter: Arc<Filter>,
    pub(super) labels: String,
    pub(super) sender: Sender<Message>,
    pub(super) cancellation: CancellationToken,
}

/// Why a list ends early.
pub(super) enum Stop {
    /// This type cannot be read; others can.
    Failed(TypeFailure),
    /// Nothing more can be read from this API server.
    Run(ApiError),
    /// The receiver of the messages is gone; it reports the reason.
    NobodyListens,
    /// The capture was cancelled; the list continues from this position.
    Paused(Box<Position>),
}

/// Lists one type.
pub(super) async fn list(context: Context, task: Task) -> Result<Done, ApiError> {
    let Task { job, begun } = task;
    let type_name = job.resource.name();
    let started = CaptureEvent::TypeStarted {
        r#type: type_name.clone(),
    };
    let mut lister = Lister::new(&context, &job);
    let mut position = begun.map(|begun| lister.resume(begun));
    let first = position.as_ref().map_or(0, |position| position.collection);
    let mut stop = None;
    if job.store {
        stop = context.send(Message::Event(started)).await.err();
    }
    for (number, collection) in (0..).zip(&job.collections) {
        if stop.is_none() && number >= first {
            stop = lister.collection(number, collection, position.take()).await.err();
        }
    }
    let mut rest = None;
    if let Some(Stop::Paused(position)) = stop {
        rest = Some(*position);
        stop = None;
    }
    if stop.is_none() {
        stop = lister.finish().await.err();
    }
    let failure = match stop {
        Some(Stop::Run(error)) => return Err(error),
        Some(Stop::Failed(failure)) => Some(failure),
        // The caller ignores the result in this case.
        Some(Stop::NobodyListens | Stop::Paused(_)) | None => None,
    };
    if failure.is_some() {
        rest = None;
        // The objects that were read before the failure are stored; the outcome states that the type is incomplete.
        lister.finish().await.ok();
    }
    Ok(Done {
        failure,
        rest,
        stored: job.store,
        version: lister.version,
        why_not_pinned: lister.why_not_pinned,
        objects: lister.objects,
        bytes: lister.bytes,
        references: lister.references,
        definitions: lister.definitions,
        resource: job.resource,
    })
}

impl Context {
    async fn send(&self, message: Message) -> Result<(), Stop> {
        self.sender.send(message).await.map_err(|_| Stop::NobodyListens)
    }
}

struct Lister<'a> {
    context: &'a Context,
    job: &'a ListJob,
    type_name: TypeName,
    builder: BatchBuilder,
    compressor: Option<Compressor>,
    /// Batches that are sent between two chunks of a response.
    ready: VecDeque<Batch>,
    version: Option<String>,
    why_not_pinned: Option<String>,
    objects: u64,
    bytes: u64,
    references: ExternalReferences,
    definitions: Definitions,
}

impl<'a> Lister<'a> {
    fn new(context: &'a Context, job: &'a ListJob) -> Self {
        let type_name = job.resource.name();
        let no_version = "the server returned no resourceVersion to list all types at";
        Self {
            context,
            job,
            builder: BatchBuilder::new(&job.resource.api_version(), &job.resource.kind, type_name.clone()),
            compressor: None,
            ready: VecDeque::new(),
            version: None,
            why_not_pinned: context.pinned.is_none().then(|| no_version.to_owned()),
            objects: 0,
            bytes: 0,
            references: ExternalReferences::of(&type_name, &job.resource.kind),
            definitions: Definitions::default(),
            type_name,
        }
    }

    /// Restores the counts of an earlier run and returns its position.
    fn resume(&mut self, begun: StartedListing) -> Position {
        self.version = begun.version;
        self.why_not_pinned = self.why_not_pinned.take().or(begun.why_not_pinned);
        self.objects = begun.objects;
        self.bytes = begun.bytes;
        begun.position
    }

    #[tracing::instrument(skip_all, fields(r#type = %self.type_name, namespace = collection.namespace))]
    async fn collection(
        &mut self,
        number: u32,
        collection: &Collection,
        position: Option<Position>,
    ) -> Result<(), Stop> {
        let context = self.context;
        let request = ListRequest {
            path: collection.path.clone(),
            labels: if self.job.store {
                context.labels.clone()
            } else {
                String::new()
            },
            fields: collection.fields.clone(),
            pinned: context.pinned.clone(),
            page_size: context.page_size,
            page_bytes: context.page_bytes,
            retry: context.retry,
        };
        let mut reader = ListReader::new(&context.api, request, position.map(into_reader));
        loop {
            // After cancellation, the reader still counts what was taken of the page.
            let read = tokio::select! {
                biased;
                () = context.cancellation.cancelled() => None,
                read = reader.next_page(self) => Some(read),
            };
            let meta = match read {
                Some(Ok(meta)) => meta,
                Some(Err(ListError::Sink(stop))) => return Err(stop),
                Some(Err(ListError::Page(error))) => return Err(self.stop(error, collection)),
                None => {
                    let position = reader.into_position();
                    let position = position.map_err(|error| self.stop(error, collection))?;
                    return Err(Stop::Paused(Box::new(into_cursor(number, position))));
                }
            };
            self.note_version(&meta);
            let event = CaptureEvent::Page {
                r#type: self.type_name.clone(),
                objects: self.objects,
                bytes: self.bytes + self.builder.raw_len() as u64,
                remaining: meta.remaining,
            };
            self.context.send(Message::Event(event)).await?;
            if meta.continue_token.is_none() {
                return Ok(());
            }
        }
    }

    fn note_version(&mut self, meta: &ListMeta) {
        if self.why_not_pinned.is_none() && meta.resource_version != self.context.pinned {
            self.why_not_pinned = Some(match &meta.resource_version {
                Some(version) => {
                    format!("the server listed at resourceVersion {version} instead of the requested one")
                }
                None => "the server returned no resourceVersion for this list".to_owned(),
            });
        }
        self.version.clone_from(&meta.resource_version);
    }

    fn stop(&self, error: PageError, collection: &Collection) -> Stop {
        match error {
            PageError::Api(error)
                if matches!(
                    error,
                    ApiError::Unreachable { .. }
                        | ApiError::UntrustedCertificate { .. }
                        | ApiError::Credentials { .. }
                ) || error.status() == Some(401) =>
            {
                Stop::Run(error)
            }
            error => {
                let namespace = collection.namespace.as_deref();
                Stop::Failed(TypeFailure::of_page(&self.job.resource, namespace, &error))
            }
        }
    }

    fn pack(&mut self) -> Result<(), Stop> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            empty => {
                let made = Compressor::new().map_err(|e| self.job.failed(&e.to_string()))?;
                empty.insert(made)
            }
        };
        let batch = self
            .builder
            .finish(compressor)
            .map_err(|e| self.job.failed(&e.to_string()))?;
        self.bytes += batch.raw_bytes;
        self.ready.push_back(batch);
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Stop> {
        if !self.builder.is_empty() {
            self.pack()?;
        }
        self.flush().await
    }
}

impl ListJob {
    fn failed(&self, why: &str) -> Stop {
        Stop::Failed(TypeFailure::own(&self.resource, None, why))
    }
}

/// Converts the position in a checkpoint to that of a reader.
fn into_reader(position: Position) -> ListPosition {
    ListPosition {
        token: position.continue_token,
        latest: position.latest,
        repeatable: position.repeatable,
        taken: position.taken,
        limit: position.limit,
        fallbacks: position.fallbacks,
        last_key: position.last_key,
        ordered: position.ordered,
        skip_through_key: position.skip_through_key,
    }
}

/// Converts the position of a reader to that in a checkpoint.
fn into_cursor(collection: u32, position: ListPosition) -> Position {
    Position {
        collection,
        continue_token: position.token,
        latest: position.latest,
        repeatable: position.repeatable,
        taken: position.taken,
        limit: position.limit,
        fallbacks: position.fallbacks,
        last_key: position.last_key,
        ordered: position.ordered,
        skip_through_key: position.skip_through_key,
    }
}

impl ListSink for Lister<'_> {
    type Error = Stop;

    fn take(&mut self, raw: &[u8], found: &ObjectMetadata<'_>) -> Result<(), Stop> {
        if self.job.check_namespace {
            // A namespace filter selects the Namespace object of that name as well.
            let of = if self.type_name.as_str() == "namespaces" {
                Some(&*found.name)
            } else {
                found.namespace.as_deref()
            };
            if !self.context.filter.takes_namespace(of) {
                return Ok(());
            }
        }
        self.definitions.look(&self.type_name, raw);
        if !self.job.store {
            return Ok(());
        }
        self.references.look(raw);
        self.builder
            .push_glanced(raw, found)
            .map_err(|e| self.job.failed(&e.to_string()))?;
        self.objects += 1;
        if self.builder.is_full() {
            self.pack()?;
        }
        Ok(())
    }

    /// Cancel safe: a batch is removed from the queue only when the channel has reserved capacity for it.
    async fn flush(&mut self) -> Result<(), Stop> {
        while !self.ready.is_empty() {
            let reserved = self.context.sender.reserve().await;
            let place = reserved.map_err(|_| Stop::NobodyListens)?;
            if let Some(batch) = self.ready.pop_front() {
                place.send(Message::Batch(batch));
            }
        }
        Ok(())
    }

    async fn retrying(&mut self, why: &PageError) -> Result<(), Stop> {
        let event = CaptureEvent::Retrying {
            r#type: self.type_name.clone(),
            why: why.to_string(),
        };
        self.context.send(Message::Event(event)).await
    }

    fn fell_back(&mut self, why: Fallback) {
        let pinned = self.context.pinned.as_deref().unwrap_or_default();
        let why = match why {
            Fallback::ListExpired => format!(
                "the list expired after {} objects (410); the rest is from a later resourceVersion",
                self.objects
            ),
            Fallback::VersionExpired => format!("resourceVersion {pinned} has expired (410)"),
            Fallback::VersionRefused(status) => {
                format!("the server refuses to list at exactly resourceVersion {pinned} ({status})")
            }
            Fallback::VersionFails(status) => {
                format!("the server fails to list at exactly the pinned resourceVersion ({status})")
            }
        };
        tracing::debug!(why, "falling back to another list method");
        self.why_not_pinned.get_or_insert(why);
    }
}
