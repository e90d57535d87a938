//! Reads a list to its end, page by page, and passes each object on exactly once.
//!
//! A page whose connection breaks is read again. If the second response is the same as the first (at an exact
//! resourceVersion, or with a continue token, which carries one), the items that were already taken are skipped by
//! count, also if the page has another size then. If it may differ, items up to the key of the last item taken are
//! skipped: lists are sorted by key. The order is checked, and the list fails if it is broken.
//!
//! Dropping a future of [`ListReader::next_page`] loses nothing: the reader still counts what was taken of the page.

use lifeboat_format::{ListMeta, ObjectMetadata, peek_metadata};
use lifeboat_model::{Diagnostic as _, ErrorKind};

use super::size::PageSize;
use super::{ListVersion, Page, PageError, PageSink, ReadError};
use crate::api::{Api, ApiError, Refusal};
use lifeboat_system::retry::RetryPolicy;

/// The number of times that one list may continue in another way (unpinned, with a new token, from the beginning)
/// before it fails. Each time requires a compaction in between, which kube-apiserver requests of etcd every five
/// minutes.
const MOST_FALLBACKS: u32 = 10;

/// The number of equal internal errors in a row after which a page is not requested again in the same way: the pauses
/// between so many attempts are longer than a controller or a restarted webhook usually needs to make a difference.
const SAME_FAILURES: u32 = 4;

/// A list to read.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// The path of the collection.
    pub path: String,
    /// A label selector; empty selects everything.
    pub labels: String,
    /// A field selector; empty selects everything.
    pub fields: String,
    /// The resourceVersion at which the list is read if the server allows it; the newest one without it.
    pub pinned: Option<String>,
    /// The maximum number of items per page. Pages shrink where the server cannot send as many.
    pub page_size: u32,
    /// The size of a response in bytes beyond which the rest is not read, and the page is requested with fewer items;
    /// [`super::MAX_ANSWER_BYTES`] unless there is a reason.
    pub page_bytes: u64,
    /// How often, and with which backoff, a page is read again.
    pub retry: RetryPolicy,
}

/// The position from which another process continues a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPosition {
    /// The continue token of the page; `None` for the first page.
    pub token: Option<String>,
    /// Whether the list is read at its newest version because the pinned one was refused.
    pub latest: bool,
    /// Whether the same request returns the same items again, so that `taken` is meaningful.
    pub repeatable: bool,
    /// The number of items from the beginning of the page that were taken.
    pub taken: u64,
    /// The number of items per page.
    pub limit: u32,
    /// The number of fallbacks so far.
    pub fallbacks: u32,
    /// The key of the last object that was taken: `namespace/name` or `name`.
    pub last_key: String,
    /// Whether all keys were in order so far.
    pub ordered: bool,
    /// Objects up to this key were taken before the list was restarted.
    pub skip_through_key: Option<String>,
}

/// Why a list is not, or not completely, read at its pinned version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// The list expired between two pages (410); the rest is from a later resourceVersion.
    ListExpired,
    /// The pinned resourceVersion has expired (410).
    VersionExpired,
    /// The server refuses to list at an exact resourceVersion, with this status (0 without one).
    VersionRefused(u16),
    /// The server fails to list at the pinned resourceVersion, with this status.
    VersionFails(u16),
}

/// A receiver of the objects of a list.
pub trait ListSink: Send {
    /// The sink's error. It ends the list.
    type Error: Send;

    /// Receives one object as the server sent it, with its metadata.
    ///
    /// # Errors
    /// An error ends the list.
    fn take(&mut self, raw: &[u8], found: &ObjectMetadata<'_>) -> Result<(), Self::Error>;

    /// Called after each piece of a response, to forward the objects received so far. Must be cancel safe.
    ///
    /// # Errors
    /// An error ends the list.
    fn flush(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// Called before a page is read again after a transient failure.
    ///
    /// # Errors
    /// An error ends the list.
    fn retrying(&mut self, why: &PageError) -> impl Future<Output = Result<(), Self::Error>> + Send {
        tracing::debug!(error = %why, "a page is read again");
        std::future::ready(Ok(()))
    }

    /// Called when the list continues in another way.
    fn fell_back(&mut self, why: Fallback) {
        tracing::debug!(?why, "falling back to another list method");
    }
}

/// The end of a list before its last page.
#[derive(Debug)]
pub enum ListError<E> {
    /// A page could not be read.
    Page(PageError),
    /// The sink failed.
    Sink(E),
}

/// Reads one list.
pub struct ListReader<'a> {
    api: &'a Api,
    request: ListRequest,
    at: ListVersion,
    token: Option<String>,
    /// Whether the same request returns the same items again.
    repeatable: bool,
    fallbacks: u32,
    size: PageSize,
    items: Items,
}

/// What was taken of the list.
#[derive(Debug, Default)]
struct Items {
    /// The number of items and bytes that this attempt at the page has returned so far.
    seen: u64,
    bytes: u64,
    /// The number of items from the beginning of this page that earlier attempts have taken.
    skip: u64,
    /// Items up to this key were taken before the list was restarted.
    skip_through_key: Option<String>,
    last_key: String,
    key: String,
    unordered: bool,
}

impl<'a> ListReader<'a> {
    /// Starts a list, or continues it from a position.
    #[must_use]
    pub fn new(api: &'a Api, request: ListRequest, from: Option<ListPosition>) -> Self {
        let pinned = request.pinned.clone().filter(|version| !version.is_empty());
        let at = pinned.map_or(ListVersion::Latest, ListVersion::Exact);
        let Some(from) = from else {
            return Self {
                api,
                repeatable: at != ListVersion::Latest,
                at,
                token: None,
                fallbacks: 0,
                size: PageSize::new(request.page_size, request.page_bytes),
                request,
                items: Items::default(),
            };
        };
        Self {
            api,
            at: if from.latest { ListVersion::Latest } else { at },
            token: from.token,
            repeatable: from.repeatable,
            fallbacks: from.fallbacks,
            size: PageSize::resumed(request.page_size, request.page_bytes, from.limit),
            request,
            items: Items {
                skip: from.taken,
                skip_through_key: from.skip_through_key,
                last_key: from.last_key,
                unordered: !from.ordered,
                ..Items::default()
            },
        }
    }

    /// Returns the position from which another process continues the list.
    ///
    /// # Errors
    /// [`PageError::Unordered`] if it cannot be continued.
    pub fn into_position(mut self) -> Result<ListPosition, PageError> {
        self.remember_taken()?;
        Ok(ListPosition {
            token: self.token,
            latest: self.at == ListVersion::Latest,
            repeatable: self.repeatable,
            taken: self.items.skip,
            limit: self.size.items(),
            fallbacks: self.fallbacks,
            last_key: self.items.last_key,
            ordered: !self.items.unordered,
            skip_through_key: self.items.skip_through_key,
        })
    }

    /// Reads the next page, with retries and fallbacks. The list ends with the page whose metadata has no continue
    /// token.
    ///
    /// # Errors
    /// [`ListError`] if the list cannot be continued.
    pub async fn next_page<S: ListSink>(&mut self, sink: &mut S) -> Result<ListMeta, ListError<S::Error>> {
        let mut backoff = self.request.retry.begin(self.api.jitter());
        let mut failure = RepeatedFailure::default();
        loop {
            (self.items.seen, self.items.bytes) = (0, 0);
            let page = Page {
                path: &self.request.path,
                labels: &self.request.labels,
                fields: &self.request.fields,
                limit: self.size.items(),
                at: &self.at,
                token: self.token.as_deref(),
            };
            let mut taking = Taking {
                items: &mut self.items,
                size: &self.size,
                repeatable: self.repeatable,
                path: page.path,
                sink: &mut *sink,
            };
            let error = match self.api.read_page(&page, &mut taking).await {
                Ok(meta) => return Ok(self.page_read(meta)),
                Err(ReadError::Sink(error)) => return Err(ListError::Sink(error)),
                Err(ReadError::TooLarge) => {
                    let fitted = self.items.seen;
                    self.remember_taken().map_err(ListError::Page)?;
                    self.size.too_large(fitted);
                    tracing::debug!(fitted, "a page is too large");
                    continue;
                }
                Err(ReadError::Page(error)) => error,
            };
            if let Some(why) = self.fall_back(&error).map_err(ListError::Page)? {
                sink.fell_back(why);
                backoff = self.request.retry.begin(self.api.jitter());
                continue;
            }
            let kind = error.kind();
            let is_repeated = failure.is_repeated(&error);
            if kind == ErrorKind::Retry && !is_repeated {
                self.remember_taken().map_err(ListError::Page)?;
                if is_of_page(&error) {
                    self.size.failed();
                }
                sink.retrying(&error).await.map_err(ListError::Sink)?;
            }
            let retry_after = error.refusal().and_then(|refusal| refusal.retry_after);
            if !is_repeated && backoff.pause(kind, retry_after).await {
                continue;
            }
            match self.last_resort(&error).map_err(ListError::Page)? {
                Some(why) => sink.fell_back(why),
                None => return Err(ListError::Page(error)),
            }
            backoff = self.request.retry.begin(self.api.jitter());
        }
    }

    fn page_read(&mut self, meta: ListMeta) -> ListMeta {
        // A page that is smaller than an earlier attempt at it may end before the items that were taken.
        self.items.skip = self.items.skip.saturating_sub(self.items.seen);
        self.size.read(self.items.bytes);
        (self.items.seen, self.items.bytes) = (0, 0);
        self.token = meta.continue_token.clone().filter(|token| !token.is_empty());
        // The token carries the resourceVersion of the list, so that a repeated request for the next page returns the
        // same items.
        self.repeatable |= self.token.is_some();
        ListMeta {
            continue_token: self.token.clone(),
            ..meta
        }
    }

    /// Ensures that the items that this attempt has taken are not taken again.
    fn remember_taken(&mut self) -> Result<(), PageError> {
        if self.repeatable {
            self.items.skip = self.items.skip.max(self.items.seen);
        } else if self.items.seen > 0 {
            self.begin_anew()?;
        }
        Ok(())
    }

    /// Prepares to skip everything that was taken of this list, by key.
    fn begin_anew(&mut self) -> Result<(), PageError> {
        self.items.skip = 0;
        if self.items.last_key.is_empty() {
            return Ok(());
        }
        if self.items.unordered {
            return Err(PageError::Unordered {
                path: self.request.path.clone(),
            });
        }
        self.items.skip_through_key = Some(self.items.last_key.clone());
        Ok(())
    }

    /// Switches to another list method after an error that a retry would not fix. Returns why, if there is one.
    fn fall_back(&mut self, error: &PageError) -> Result<Option<Fallback>, PageError> {
        if self.fallbacks >= MOST_FALLBACKS {
            return Ok(None);
        }
        let gone = error.status() == Some(410);
        let exact = self.at != ListVersion::Latest;
        let why = if gone && self.token.is_some() {
            Fallback::ListExpired
        } else if gone && exact {
            Fallback::VersionExpired
        } else if self.token.is_none() && exact && refuses_exact(error) {
            Fallback::VersionRefused(error.status().unwrap_or_default())
        } else {
            return Ok(None);
        };
        self.fallbacks += 1;
        self.repeatable = false;
        self.at = ListVersion::Latest;
        // With the continue token in the server's 410 response, the list continues after the last page; without one
        // it starts again.
        let token = error.refusal().and_then(|refusal| refusal.continue_token.clone());
        self.token = token.filter(|_| self.token.is_some());
        if self.token.is_none() || self.items.skip > 0 {
            self.begin_anew()?;
        }
        Ok(Some(why))
    }

    /// Falls back to the newest version if the server keeps failing at the exact one. Such failures look transient: a
    /// separate storage for Events that has not reached the version answers 500 or 504.
    fn last_resort(&mut self, error: &PageError) -> Result<Option<Fallback>, PageError> {
        let Some(status @ (500 | 504)) = error.status() else {
            return Ok(None);
        };
        if self.at == ListVersion::Latest || self.token.is_some() {
            return Ok(None);
        }
        self.at = ListVersion::Latest;
        self.repeatable = false;
        self.begin_anew()?;
        Ok(Some(Fallback::VersionFails(status)))
    }
}

/// Counts equal internal errors in a row.
#[derive(Default)]
struct RepeatedFailure {
    last: Option<Refusal>,
    times: u32,
}

impl RepeatedFailure {
    /// Returns whether the error has occurred so often that the request would fail in the same way again.
    fn is_repeated(&mut self, error: &PageError) -> bool {
        let same = match (&self.last, error.refusal()) {
            (Some(last), Some(now)) => now.is_same_failure(last),
            _ => false,
        };
        self.times = if same { self.times.saturating_add(1) } else { 1 };
        self.last = error.refusal().cloned();
        self.times >= SAME_FAILURES
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

/// Returns whether a smaller page may succeed: the server timed out, failed, or ended the response early. A server
/// that only asks to come back later (429), or that was not reached, says nothing about the size.
fn is_of_page(error: &PageError) -> bool {
    match error {
        PageError::Api(ApiError::Unreachable { .. }) => false,
        _ => error.status() != Some(429),
    }
}

/// Passes the items of one page on.
struct Taking<'t, S> {
    items: &'t mut Items,
    size: &'t PageSize,
    repeatable: bool,
    path: &'t str,
    sink: &'t mut S,
}

impl<S: ListSink> PageSink for Taking<'_, S> {
    type Error = S::Error;

    fn take(&mut self, raw: &[u8]) -> Result<(), ReadError<S::Error>> {
        let items = &mut *self.items;
        items.seen += 1;
        if items.seen <= items.skip {
            return Ok(());
        }
        let found = peek_metadata(raw).map_err(|cause| {
            ReadError::Page(PageError::Item {
                path: self.path.to_owned(),
                cause,
            })
        })?;
        items.key.clear();
        if let Some(namespace) = &found.namespace {
            items.key.push_str(namespace);
            items.key.push('/');
        }
        items.key.push_str(&found.name);
        if let Some(taken) = &items.skip_through_key {
            if items.key <= *taken {
                return Ok(());
            }
            items.skip_through_key = None;
        }
        items.unordered |= items.key <= items.last_key;
        std::mem::swap(&mut items.key, &mut items.last_key);
        self.sink.take(raw, &found).map_err(ReadError::Sink)
    }

    async fn flush(&mut self, bytes: usize) -> Result<bool, S::Error> {
        self.sink.flush().await?;
        self.items.bytes = self.items.bytes.saturating_add(bytes as u64);
        let continues = self.repeatable || !self.items.unordered;
        let too_large = self.size.is_too_large(self.items.seen, self.items.bytes);
        Ok(!(too_large && continues))
    }
}
