//! Reading all objects of a type, streamed, at one version where the server allows it.

use http::StatusCode;
use lifeboat_format::splitter::{SplitError, Splitter};
use lifeboat_model::{Code, Diagnostic, ErrorKind, Problem};
use serde::Deserialize;

use crate::wire::query_value;
use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_system::sleep;

/// Objects per page: half the requests of kubectl, which asks for 500, and a page stays at a few MiB.
const PAGE: usize = 1_000;
/// How often a type is read from the beginning before its list counts as broken.
const ATTEMPTS: u32 = 4;
/// The pause before a list starts again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

/// Why the objects of a type could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The API server refused or the connection failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The answer is not a whole list.
    #[error("read {path} as a list")]
    Broken {
        /// The path of the list.
        path: String,
        /// What is wrong with it.
        #[source]
        cause: SplitError,
    },
}

impl Diagnostic for ListError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Api(error) => error.kind(),
            Self::Broken { cause, .. } => cause.kind(),
        }
    }

    fn code(&self) -> Code {
        self.problem().code
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Api(error) => error.problem(),
            Self::Broken { cause, .. } => Problem::new(
                cause.code(),
                format!("failed to {self}"),
                "run the same command again; if it fails again, check for a proxy that truncates responses of the API server",
            )
            .caused_by(cause),
        }
    }
}

impl ListError {
    fn begins_anew(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Api(ApiError::Interrupted { .. }) => true,
            Self::Api(error) => matches!(error.kind(), ErrorKind::Retry | ErrorKind::Gone),
        }
    }

    /// Whether the server may answer without an exact version: aggregated APIs and types with a store
    /// of their own do not know the version of another type, and old versions are compacted.
    fn may_be_the_version(&self) -> bool {
        matches!(self, Self::Api(error) if error.status().is_some_and(|status| {
            matches!(
                StatusCode::from_u16(status),
                Ok(StatusCode::BAD_REQUEST
                    | StatusCode::GONE
                    | StatusCode::GATEWAY_TIMEOUT
                    | StatusCode::INTERNAL_SERVER_ERROR)
            )
        }))
    }
}

#[derive(Deserialize)]
struct ListHead {
    metadata: ListHeadMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListHeadMeta {
    resource_version: String,
}

/// A version of the whole cluster that is as new as everything written so far. Lists at exactly this
/// version do not wait for the watch cache, which each consistent list after a write does.
pub(crate) async fn pin(api: &Api) -> Result<String, ApiError> {
    let head: ListHead = api.get_json("/api/v1/namespaces?limit=1").await?;
    Ok(head.metadata.resource_version)
}

/// Reads all objects below `path`, at exactly the version `at` where one is given and the server
/// agrees. `on_item` gets the bytes of each object as the server sent them; what it collects begins
/// again when the list does.
pub(crate) async fn collect<T: Default>(
    api: &Api,
    path: &str,
    at: Option<&str>,
    mut on_item: impl FnMut(&mut T, &[u8]),
) -> Result<T, ListError> {
    let mut at = at.filter(|version| !version.is_empty());
    let mut attempt = 1;
    loop {
        let mut collected = T::default();
        match pages(api, path, at, &mut |item| on_item(&mut collected, item)).await {
            Ok(()) => return Ok(collected),
            Err(error) if at.is_some() && error.may_be_the_version() => at = None,
            Err(error) if error.begins_anew() && attempt < ATTEMPTS => {
                attempt += 1;
                tracing::debug!(path, %error, "reading the list from its beginning");
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn pages(
    api: &Api,
    path: &str,
    at: Option<&str>,
    on_item: &mut dyn FnMut(&[u8]),
) -> Result<(), ListError> {
    let mut query = match at {
        Some(version) => format!(
            "limit={PAGE}&resourceVersion={}&resourceVersionMatch=Exact",
            query_value(version)
        ),
        None => format!("limit={PAGE}"),
    };
    loop {
        let broken = |cause| ListError::Broken {
            path: path.to_owned(),
            cause,
        };
        let mut stream = api.open_stream(&format!("{path}?{query}")).await?;
        let mut splitter = Splitter::new();
        while let Some(bytes) = stream.next().await? {
            splitter
                .push(&bytes, |item| {
                    on_item(item);
                    Ok::<_, SplitError>(())
                })
                .map_err(broken)?;
        }
        let meta = splitter.finish().map_err(broken)?;
        match meta.continue_token.filter(|token| !token.is_empty()) {
            Some(token) => query = format!("limit={PAGE}&continue={}", query_value(&token)),
            None => return Ok(()),
        }
    }
}
