//! Lists one type page by page and stores each object exactly once.
//!
//! A page whose connection breaks is read again. If the second response is the same as the first (at an exact
//! resourceVersion, or with a continue token, which carries one), the items that were already taken are skipped by
//! count. If it may differ, items up to the key of the last item taken are skipped: lists are sorted by key. The
//! order is checked, and the type fails if it is broken.
//!
//! A cancelled capture stops between two objects and records its position. What was taken of the current page counts
//! as after a broken connection, and the next run reads the page again.

use std::collections::VecDeque;
use std::sync::Arc;

use lifeboat_format::{Batch, BatchBuilder, Compressor, ListMeta, peek_metadata};
use lifeboat_model::{Diagnostic as _, ErrorKind, Filter, TypeName};
use lifeboat_recovery_point::cursor::Position;
use tokio::sync::mpsc::Sender;

use super::dependencies::ExternalReferences;
use super::job::{Collection, Done, ListJob, StartedListing, Task};
use super::outcome::TypeFailure;
use super::progress::CaptureEvent;
use super::storage::StorageVersions;
use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_apiserver::list::{ItemSink, ListVersion, Page, PageError, ReadError};
use lifeboat_system::retry::RetryPolicy;
use tokio_util::sync::CancellationToken;

/// The number of times that one list may continue in another way (unpinned, with a new token, from the beginning)
/// before the type fails. Each time requires a compaction in between, which kube-apiserver requests of etcd every
/// five minutes.
const MOST_DETOURS: u32 = 10;

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

/// The state of a list between two requests.
struct Cursor {
    at: ListVersion,
    token: Option<String>,
    /// The maximum number of items of the page.
    limit: u32,
    /// Whether the same request returns the same items again.
    repeatable: bool,
    fallbacks: u32,
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
        storage: lister.storage,
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
    /// The number of items that this attempt at the page has returned so far.
    seen: u64,
    /// The number of items of this page that earlier attempts have taken.
    skip_items: u64,
    /// Items up to this key were taken before the list was restarted.
    skip_through_key: Option<String>,
    last_key: String,
    key: String,
    ordered: bool,
    version: Option<String>,
    why_not_pinned: Option<String>,
    objects: u64,
    bytes: u64,
    references: ExternalReferences,
    storage: StorageVersions,
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
            seen: 0,
            skip_items: 0,
            skip_through_key: None,
            last_key: String::new(),
            key: String::new(),
            ordered: true,
            version: None,
            why_not_pinned: context.pinned.is_none().then(|| no_version.to_owned()),
            objects: 0,
            bytes: 0,
            references: ExternalReferences::of(&type_name),
            storage: StorageVersions::default(),
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

    /// Returns the cursor at which a list starts or continues.
    fn begin(&mut self, position: Option<Position>) -> Cursor {
        let pinned = self
            .context
            .pinned
            .clone()
            .map_or(ListVersion::Latest, ListVersion::Exact);
        self.seen = 0;
        let Some(position) = position else {
            self.last_key.clear();
            self.ordered = true;
            self.skip_through_key = None;
            self.skip_items = 0;
            return Cursor {
                repeatable: pinned != ListVersion::Latest,
                at: pinned,
                token: None,
                limit: self.context.page_size,
                fallbacks: 0,
            };
        };
        self.last_key = position.last_key;
        self.ordered = position.ordered;
        self.skip_through_key = position.skip_through_key;
        self.skip_items = position.taken;
        Cursor {
            at: if position.latest {
                ListVersion::Latest
            } else {
                pinned
            },
            token: position.continue_token,
            limit: position.limit,
            repeatable: position.repeatable,
            fallbacks: position.fallbacks,
        }
    }

    /// Returns the position from which another run continues the list.
    fn position(
        &mut self,
        number: u32,
        collection: &Collection,
        cursor: Cursor,
    ) -> Result<Box<Position>, Stop> {
        self.remember_taken(&cursor, collection)?;
        Ok(Box::new(Position {
            collection: number,
            continue_token: cursor.token,
            latest: cursor.at == ListVersion::Latest,
            repeatable: cursor.repeatable,
            taken: self.skip_items,
            limit: cursor.limit,
            fallbacks: cursor.fallbacks,
            last_key: self.last_key.clone(),
            ordered: self.ordered,
            skip_through_key: self.skip_through_key.clone(),
        }))
    }

    #[tracing::instrument(skip_all, fields(r#type = %self.type_name, namespace = collection.namespace))]
    async fn collection(
        &mut self,
        number: u32,
        collection: &Collection,
        position: Option<Position>,
    ) -> Result<(), Stop> {
        let context = self.context;
        let mut cursor = self.begin(position);
        loop {
            // After cancellation, `seen` still counts what was taken of the page.
            let read = tokio::select! {
                biased;
                () = context.cancellation.cancelled() => None,
                read = self.page(collection, &mut cursor) => Some(read),
            };
            let Some(read) = read else {
                return Err(Stop::Paused(self.position(number, collection, cursor)?));
            };
            let meta = read?;
            self.seen = 0;
            self.skip_items = 0;
            cursor.limit = context.page_size;
            self.note_version(&meta);
            let event = CaptureEvent::Page {
                r#type: self.type_name.clone(),
                objects: self.objects,
                bytes: self.bytes + self.builder.raw_len() as u64,
                remaining: meta.remaining,
            };
            self.context.send(Message::Event(event)).await?;
            match meta.continue_token {
                None => return Ok(()),
                // The token carries the resourceVersion of the list, so a repeated request for the next page returns
                // the same items.
                token => {
                    cursor.token = token;
                    cursor.repeatable = true;
                }
            }
        }
    }

    /// Reads one page, with retries and fallbacks.
    async fn page(&mut self, collection: &Collection, cursor: &mut Cursor) -> Result<ListMeta, Stop> {
        let mut backoff = self.context.retry.begin(self.context.api.jitter());
        loop {
            self.seen = 0;
            let context = self.context;
            let page = Page {
                path: &collection.path,
                labels: if self.job.store { &context.labels } else { "" },
                fields: &collection.fields,
                limit: cursor.limit,
                at: &cursor.at,
                token: cursor.token.as_deref(),
            };
            let error = match context.api.read_page(&page, RetryPolicy::ONCE, self).await {
                Ok(meta) => return Ok(meta),
                Err(ReadError::ItemSink(stop)) => return Err(stop),
                Err(ReadError::Page(error)) => error,
            };
            if self.fallback(&error, cursor, collection)? {
                backoff = context.retry.begin(context.api.jitter());
                continue;
            }
            let retry_after = error.refusal().and_then(|refusal| refusal.retry_after);
            let kind = error.kind();
            if kind == ErrorKind::Retry {
                self.remember_taken(cursor, collection)?;
                let event = CaptureEvent::Retrying {
                    r#type: self.type_name.clone(),
                    why: error.to_string(),
                };
                context.send(Message::Event(event)).await?;
                tracing::debug!(%error, attempt = backoff.attempts(), "a page was truncated");
            }
            if backoff.pause(kind, retry_after).await {
                continue;
            }
            if !self.last_resort(&error, cursor, collection)? {
                return Err(self.stop(error, collection));
            }
            backoff = context.retry.begin(context.api.jitter());
        }
    }

    /// Ensures that the items that this attempt has taken are not taken again.
    fn remember_taken(&mut self, cursor: &Cursor, collection: &Collection) -> Result<(), Stop> {
        if cursor.repeatable {
            self.skip_items = self.skip_items.max(self.seen);
        } else if self.seen > 0 {
            self.begin_anew(collection)?;
        }
        Ok(())
    }

    /// Prepares to skip everything that was taken of this collection, by key.
    fn begin_anew(&mut self, collection: &Collection) -> Result<(), Stop> {
        self.skip_items = 0;
        if self.last_key.is_empty() {
            return Ok(());
        }
        if !self.ordered {
            let why =
                "the list ended early, and it is not sorted, so the remaining objects cannot be identified";
            return Err(Stop::Failed(TypeFailure::own(
                &self.job.resource,
                collection.namespace.as_deref(),
                why,
            )));
        }
        self.skip_through_key = Some(self.last_key.clone());
        Ok(())
    }

    /// Switches to another list method after an error that a retry would not fix. Returns whether there is one.
    fn fallback(
        &mut self,
        error: &PageError,
        cursor: &mut Cursor,
        collection: &Collection,
    ) -> Result<bool, Stop> {
        if cursor.fallbacks >= MOST_DETOURS {
            return Ok(false);
        }
        let gone = error.status() == Some(410);
        let pinned = self.context.pinned.as_deref().unwrap_or_default();
        let why = if gone && cursor.token.is_some() {
            format!(
                "the list expired after {} objects (410); the rest is from a later resourceVersion",
                self.objects
            )
        } else if gone && cursor.at != ListVersion::Latest {
            format!("resourceVersion {pinned} has expired (410)")
        } else if cursor.token.is_none() && cursor.at != ListVersion::Latest && refuses_exact(error) {
            let status = error.status().unwrap_or_default();
            format!("the server refuses to list at exactly resourceVersion {pinned} ({status})")
        } else {
            return Ok(false);
        };
        cursor.fallbacks += 1;
        cursor.repeatable = false;
        cursor.at = ListVersion::Latest;
        // With the continue token in the server's 410 response, the list continues after the last page; without one
        // it starts again.
        let token = error.refusal().and_then(|refusal| refusal.continue_token.clone());
        cursor.token = token.filter(|_| cursor.token.is_some());
        if cursor.token.is_none() || self.skip_items > 0 {
            self.begin_anew(collection)?;
        }
        tracing::debug!(why, "falling back to another list method");
        self.why_not_pinned.get_or_insert(why);
        Ok(true)
    }

    /// Falls back to the newest version if the server keeps failing at the exact one. Such failures look transient: a
    /// separate storage for Events that has not reached the version answers 500 or 504. Returns whether the list can
    /// continue.
    fn last_resort(
        &mut self,
        error: &PageError,
        cursor: &mut Cursor,
        collection: &Collection,
    ) -> Result<bool, Stop> {
        let Some(status @ (500 | 504)) = error.status() else {
            return Ok(false);
        };
        if cursor.at == ListVersion::Latest || cursor.token.is_some() {
            return Ok(false);
        }
        let why = format!("the server fails to list at exactly the pinned resourceVersion ({status})");
        self.why_not_pinned.get_or_insert(why);
        cursor.at = ListVersion::Latest;
        cursor.repeatable = false;
        self.begin_anew(collection)?;
        Ok(true)
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

/// Returns whether the error means that the server does not support a list at an exact resourceVersion.
fn refuses_exact(error: &PageError) -> bool {
    let too_large = |reason: &String| reason == "ResourceVersionTooLarge";
    matches!(error.status(), Some(400 | 422 | 501))
        || error
            .refusal()
            .is_some_and(|refusal| refusal.causes.iter().any(too_large))
}

impl ItemSink for Lister<'_> {
    type Error = Stop;

    fn take(&mut self, raw: &[u8]) -> Result<(), Stop> {
        self.seen += 1;
        if self.seen <= self.skip_items {
            return Ok(());
        }
        let found = peek_metadata(raw).map_err(|e| {
            self.job
                .failed(&format!("an item of the list is not an object: {e}"))
        })?;
        let namespace = found.namespace.as_deref();
        self.key.clear();
        if let Some(namespace) = namespace {
            self.key.push_str(namespace);
            self.key.push('/');
        }
        self.key.push_str(&found.name);
        if let Some(taken) = &self.skip_through_key {
            if self.key <= *taken {
                return Ok(());
            }
            self.skip_through_key = None;
        }
        self.ordered &= self.key > self.last_key;
        std::mem::swap(&mut self.key, &mut self.last_key);
        if self.job.check_namespace {
            // A namespace filter selects the Namespace object of that name as well.
            let of = if self.type_name.as_str() == "namespaces" {
                Some(&*found.name)
            } else {
                namespace
            };
            if !self.context.filter.takes_namespace(of) {
                return Ok(());
            }
        }
        self.storage.look(&self.type_name, raw);
        if !self.job.store {
            return Ok(());
        }
        self.references.look(raw);
        self.builder
            .push_glanced(raw, &found)
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
}
