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
    let mut pinned = at.map(str::to_owned);
    for attempt in 1.. {
        let mut sink = Each {
            collected: T::default(),
            on_item: &mut on_item,
        };
        let request = ListRequest {
            path: path.to_owned(),
            labels: String::new(),
            fields: String::new(),
            pinned: pinned.clone(),
            page_size: PAGE,
            page_bytes: MAX_ANSWER_BYTES,
            retry: api.retry_policy(),
        };
        match all_pages(ListReader::new(api, request, None), &mut sink).await {
            Ok(()) => return Ok(sink.collected),
            // Some aggregated APIs do not sort their lists.
            Err(PageError::Unordered { .. }) if attempt < ATTEMPTS => pinned = None,
            // Discovery shows the type of a new definition a moment before it can be listed.
            Err(error) if error.status() == Some(404) && attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
        tracing::debug!(path, "reading the list from its beginning");
        sleep(PAUSE).await;
    }
    unreachable!("the last attempt returns")
}

async fn all_pages<S: ListSink<Error = Infallible>>(
    mut reader: ListReader<'_>,
    sink: &mut S,
) -> Result<(), PageError> {
    loop {
        match reader.next_page(sink).await {
            Ok(meta) if meta.continue_token.is_none() => return Ok(()),
            Ok(_) => {}
            Err(ListError::Page(error)) => return Err(error),
            Err(ListError::Sink(never)) => match never {},
        }
    }
}

struct Each<'f, T, F> {
    collected: T,
    on_item: &'f mut F,
}

impl<T: Send, F: FnMut(&mut T, &[u8], &ObjectMetadata<'_>) + Send> ListSink for Each<'_, T, F> {
    type Error = Infallible;

    fn take(&mut self, raw: &[u8], found: &ObjectMetadata<'_>) -> Result<(), Infallible> {
        (self.on_item)(&mut self.collected, raw, found);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
