//! Lists all objects of a type, streamed, at one resourceVersion if the server allows it.

use std::convert::Infallible;

use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_apiserver::list::{ListError, ListReader, ListRequest, ListSink, MAX_ANSWER_BYTES, PageError};
use lifeboat_format::ObjectMetadata;
use lifeboat_system::sleep;
use serde::Deserialize;

/// The number of objects per page. kubectl requests 500; 1,000 halves the requests, and a page remains a few
/// MiB.
const PAGE: u32 = 1_000;
/// The number of attempts to list a type from the beginning before the list fails.
const ATTEMPTS: u32 = 4;
/// The pause before a list starts from the beginning.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

#[derive(Deserialize)]
struct ListHead {
    metadata: ListHeadMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListHeadMeta {
    resource_version: String,
}

/// Returns a resourceVersion of the whole cluster that is at least as new as every completed write. A list at
/// exactly this version does not wait for the watch cache; each consistent list after a write does.
pub(crate) async fn pin(api: &Api) -> Result<String, ApiError> {
    let head: ListHead = api.get_json("/api/v1/namespaces?limit=1").await?;
    Ok(head.metadata.resource_version)
}

/// Lists all objects below `path`, at exactly the resourceVersion `at` if one is given and the server
/// supports it. `on_item` gets the bytes of each object as the server sent them, once. Its collection is reset if
/// the list has to start again.
pub(crate) async fn collect<T: Default + Send>(
    api: &Api,
    path: &str,
    at: Option<&str>,
    mut on_item: impl FnMut(&mut T, &[u8], &ObjectMetadata<'_>) + Send,
) -> Result<T, PageError> {
    let mut pages = Pages::new(api, path, at);
    let mut collected = T::default();
    loop {
        match pages
            .next(|item, seen| on_item(&mut collected, item, seen))
            .await?
        {
            PageEnd::More => {}
            PageEnd::Last => return Ok(collected),
            PageEnd::Restarted => collected = T::default(),
        }
    }
}

/// A list that is read page by page.
pub(crate) struct Pages<'a> {
    api: &'a Api,
    path: &'a str,
    reader: ListReader<'a>,
    attempt: u32,
    pinned: Option<String>,
}

/// What follows a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageEnd {
    /// There are more pages.
    More,
    /// The list is complete.
    Last,
    /// The page could not be read, and the list begins again: its objects are sent once more.
    Restarted,
}

impl<'a> Pages<'a> {
    /// Begins a list of all objects below `path`, at exactly the resourceVersion `at` if one is given and the server
    /// supports it.
    pub(crate) fn new(api: &'a Api, path: &'a str, at: Option<&str>) -> Self {
        let pinned = at.map(str::to_owned);
        Self {
            api,
            path,
            reader: reader(api, path, pinned.clone()),
            attempt: 1,
            pinned,
        }
    }

    /// Reads the next page. `on_item` gets the bytes of each object as the server sent them.
    pub(crate) async fn next(
        &mut self,
        on_item: impl FnMut(&[u8], &ObjectMetadata<'_>) + Send,
    ) -> Result<PageEnd, PageError> {
        match self.reader.next_page(&mut Each(on_item)).await {
            Ok(meta) if meta.continue_token.is_none() => return Ok(PageEnd::Last),
            Ok(_) => return Ok(PageEnd::More),
            // Some aggregated APIs do not sort their lists.
            Err(ListError::Page(PageError::Unordered { .. })) if self.attempt < ATTEMPTS => {
                self.pinned = None;
            }
            // Discovery shows the type of a new definition a moment before it can be listed.
            Err(ListError::Page(error)) if error.status() == Some(404) && self.attempt < ATTEMPTS => {}
            Err(ListError::Page(error)) => return Err(error),
            Err(ListError::Sink(never)) => match never {},
        }
        self.attempt += 1;
        tracing::debug!(self.path, "reading the list from its beginning");
        sleep(PAUSE).await;
        self.reader = reader(self.api, self.path, self.pinned.clone());
        Ok(PageEnd::Restarted)
    }
}

fn reader<'a>(api: &'a Api, path: &str, pinned: Option<String>) -> ListReader<'a> {
    let request = ListRequest {
        path: path.to_owned(),
        labels: String::new(),
        fields: String::new(),
        pinned,
        page_size: PAGE,
        page_bytes: MAX_ANSWER_BYTES,
        retry: api.retry_policy(),
    };
    ListReader::new(api, request, None)
}

struct Each<F>(F);

impl<F: FnMut(&[u8], &ObjectMetadata<'_>) + Send> ListSink for Each<F> {
    type Error = Infallible;

    fn take(&mut self, raw: &[u8], found: &ObjectMetadata<'_>) -> Result<(), Infallible> {
        (self.0)(raw, found);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
