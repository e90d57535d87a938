//! Lists all objects of a type, streamed, at one resourceVersion if the server allows it.

use std::convert::Infallible;

use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_apiserver::list::{ItemSink, ListVersion, Page, PageError, ReadError};
use lifeboat_model::{Diagnostic as _, ErrorKind};
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
/// supports it. `on_item` gets the bytes of each object as the server sent them; its collection is reset when
/// the list starts again.
pub(crate) async fn collect<T: Default + Send>(
    api: &Api,
    path: &str,
    at: Option<&str>,
    mut on_item: impl FnMut(&mut T, &[u8]) + Send,
) -> Result<T, PageError> {
    let mut at = match at.filter(|version| !version.is_empty()) {
        Some(version) => ListVersion::Exact(version.to_owned()),
        None => ListVersion::Latest,
    };
    let mut attempt = 1;
    loop {
        let mut collected = T::default();
        let mut sink = Each(|item: &[u8]| on_item(&mut collected, item));
        match pages(api, path, &at, &mut sink).await {
            Ok(()) => return Ok(collected),
            Err(error) if at != ListVersion::Latest && refuses_version(&error) => at = ListVersion::Latest,
            Err(error) if begins_again(&error) && attempt < ATTEMPTS => {
                attempt += 1;
                tracing::debug!(path, %error, "reading the list from its beginning");
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

struct Each<F>(F);

impl<F: FnMut(&[u8]) + Send> ItemSink for Each<F> {
    type Error = Infallible;

    fn take(&mut self, raw: &[u8]) -> Result<(), Infallible> {
        (self.0)(raw);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

async fn pages(
    api: &Api,
    path: &str,
    at: &ListVersion,
    sink: &mut impl ItemSink<Error = Infallible>,
) -> Result<(), PageError> {
    let mut token: Option<String> = None;
    loop {
        let page = Page {
            path,
            labels: "",
            fields: "",
            limit: PAGE,
            at,
            token: token.as_deref(),
        };
        let meta = match api.read_page(&page, api.retry_policy(), sink).await {
            Ok(meta) => meta,
            Err(ReadError::Page(error)) => return Err(error),
            Err(ReadError::ItemSink(never)) => match never {},
        };
        token = meta.continue_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(());
        }
    }
}

fn begins_again(error: &PageError) -> bool {
    match error {
        PageError::Split { .. } | PageError::Api(ApiError::Interrupted { .. }) => true,
        PageError::Api(error) => matches!(error.kind(), ErrorKind::Retry | ErrorKind::Gone),
    }
}

/// Returns whether the list can be repeated without an exact version: aggregated APIs and types with a store
/// of their own do not know the version of another type, and old versions are compacted.
fn refuses_version(error: &PageError) -> bool {
    matches!(error, PageError::Api(error) if matches!(error.status(), Some(400 | 410 | 500 | 504)))
}
