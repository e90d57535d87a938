//! Lists: one page as a stream of raw items, and [`ListReader`], which reads a whole list page by page.

mod reader;
mod size;

use lifeboat_format::{ListMeta, MetadataError, SplitError, Splitter};
use lifeboat_model::{Code, Diagnostic, ErrorKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use crate::api::{Api, ApiError, Refusal};
use lifeboat_system::retry::RetryPolicy;

pub use reader::{Fallback, ListError, ListPosition, ListReader, ListRequest, ListSink};
pub use size::MAX_ANSWER_BYTES;

/// The resourceVersion at which a list is read
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list>).
#[derive(Debug, Clone, PartialEq, Eq)]
enum ListVersion {
    /// Exactly this resourceVersion.
    Exact(String),
    /// The most recent one, by a consistent read.
    Latest,
}

/// The request for one page of a list.
#[derive(Debug, Clone)]
struct Page<'a> {
    /// The path of the collection.
    path: &'a str,
    /// A label selector; empty selects everything.
    labels: &'a str,
    /// A field selector; empty selects everything.
    fields: &'a str,
    /// The maximum number of items.
    limit: u32,
    /// The resourceVersion of the first page; a continue token contains that of its list.
    at: &'a ListVersion,
    /// The continue token of the previous page.
    token: Option<&'a str>,
}

impl Page<'_> {
    /// Returns the path with its query.
    fn target(&self) -> String {
        let mut target = format!("{}?limit={}", self.path, self.limit);
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                target.push_str(&format!("&{name}={}", escape_query(value)));
            }
        };
        add("labelSelector", self.labels);
        add("fieldSelector", self.fields);
        match (self.token, self.at) {
            (Some(token), _) => add("continue", token),
            (None, ListVersion::Exact(version)) => {
                add("resourceVersion", version);
                add("resourceVersionMatch", "Exact");
            }
            (None, ListVersion::Latest) => {}
        }
        target
    }
}

/// The set of characters to encode: all but `unreserved` (RFC 3986).
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes all characters but `unreserved` in a value of a query (RFC 3986).
#[must_use]
pub fn escape_query(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, &UNRESERVED)
}

/// A page that could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The request has no usable response.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The response is not a complete list.
    #[error("read {path} as a list")]
    Split {
        /// The path.
        path: String,
        /// What is wrong with it.
        #[source]
        cause: SplitError,
    },
    /// An item of the response is not an object.
    #[error("read {path}: an item of the list is not an object")]
    Item {
        /// The path.
        path: String,
        /// What is wrong with it.
        #[source]
        cause: MetadataError,
    },
    /// The list ended early and cannot be continued, because its objects are not in the order of their keys.
    #[error(
        "read {path}: the list ended early, and it is not sorted, so that the remaining objects cannot be identified"
    )]
    Unordered {
        /// The path.
        path: String,
    },
}

impl Diagnostic for PageError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Api(error) => error.kind(),
            Self::Split { cause, .. } => cause.kind(),
            Self::Item { cause, .. } => cause.kind(),
            // The next attempt starts from the beginning.
            Self::Unordered { .. } => ErrorKind::Retry,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Api(error) => error.code(),
            Self::Split { cause, .. } => cause.code(),
            Self::Item { cause, .. } => cause.code(),
            Self::Unordered { .. } => Code::InvalidList,
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::Api(error) => error.guidance(),
            Self::Item { .. } => self.code().explanation().remedy.to_owned(),
            Self::Split { .. } | Self::Unordered { .. } => "run the same command again; if it fails again, check for a proxy that truncates responses of the API server".to_owned(),
        }
    }
}

impl PageError {
    /// Returns the status of the server's error response, also if it was sent within a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => error.status(),
            Self::Split {
                cause: SplitError::Status { code, .. },
                ..
            } => Some(*code).filter(|code| *code != 0),
            Self::Split { .. } | Self::Item { .. } | Self::Unordered { .. } => None,
        }
    }

    /// Returns the server's error message, as far as it was received.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Api(error) => error.refusal(),
            Self::Split { .. } | Self::Item { .. } | Self::Unordered { .. } => None,
        }
    }
}

/// Why a page was not read to its end.
enum ReadError<E> {
    /// The request or its response failed.
    Page(PageError),
    /// The response is too large and was not read further.
    TooLarge,
    /// The sink failed.
    Sink(E),
}

impl<E> From<SplitError> for ReadError<E> {
    fn from(cause: SplitError) -> Self {
        Self::Page(PageError::Split {
            path: String::new(),
            cause,
        })
    }
}

/// A receiver of the items of one page.
trait PageSink: Send {
    type Error: Send;

    /// Receives one item as the server sent it.
    fn take(&mut self, raw: &[u8]) -> Result<(), ReadError<Self::Error>>;

    /// Called after each piece of the response, which had `bytes` bytes, to forward the items received so far. Returns
    /// whether the rest of the response is wanted.
    fn flush(&mut self, bytes: usize) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

impl Api {
    /// Reads one page and passes its items to `sink` as they arrive.
    async fn read_page<T: PageSink>(
        &self,
        page: &Page<'_>,
        sink: &mut T,
    ) -> Result<ListMeta, ReadError<T::Error>> {
        let failed = |error: PageError| ReadError::Page(error);
        let mut stream =
            (self.open_stream_with(&page.target(), RetryPolicy::ONCE).await).map_err(|e| failed(e.into()))?;
        let mut splitter = Splitter::new();
        let named = |error: ReadError<T::Error>| match error {
            ReadError::Page(PageError::Split { cause, .. }) => failed(PageError::Split {
                path: page.path.to_owned(),
                cause,
            }),
            other => other,
        };
        while let Some(piece) = stream.next().await.map_err(|e| failed(e.into()))? {
            splitter.push(&piece, |raw| sink.take(raw)).map_err(named)?;
            if !sink.flush(piece.len()).await.map_err(ReadError::Sink)? {
                return Err(ReadError::TooLarge);
            }
        }
        splitter.finish().map_err(|cause| named(cause.into()))
    }
}
