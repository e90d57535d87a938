//! One page of a list: its path, and its response as a stream of raw items.

use lifeboat_format::{ListMeta, SplitError, Splitter};
use lifeboat_model::{Code, Diagnostic, ErrorKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use crate::api::{Api, ApiError, Refusal};
use lifeboat_system::retry::RetryPolicy;

/// The resourceVersion at which a list is read
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListVersion {
    /// Exactly this resourceVersion.
    Exact(String),
    /// The most recent one, by a consistent read.
    Latest,
}

/// The request for one page of a list.
#[derive(Debug, Clone)]
pub struct Page<'a> {
    /// The path of the collection.
    pub path: &'a str,
    /// A label selector; empty selects everything.
    pub labels: &'a str,
    /// A field selector; empty selects everything.
    pub fields: &'a str,
    /// The maximum number of items.
    pub limit: u32,
    /// The resourceVersion of the first page; a continue token contains that of its list.
    pub at: &'a ListVersion,
    /// The continue token of the previous page.
    pub token: Option<&'a str>,
}

impl Page<'_> {
    /// Returns the path with its query.
    #[must_use]
    pub fn target(&self) -> String {
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
}

impl Diagnostic for PageError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Api(error) => error.kind(),
            Self::Split { cause, .. } => cause.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Api(error) => error.code(),
            Self::Split { cause, .. } => cause.code(),
        }
    }

    fn guidance(&self) -> String {
        match self {
            Self::Api(error) => error.guidance(),
            Self::Split { .. } => "run the same command again; if it fails again, check for a proxy that truncates responses of the API server".to_owned(),
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
            Self::Split { .. } => None,
        }
    }

    /// Returns the server's error message, as far as it was received.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Api(error) => error.refusal(),
            Self::Split { .. } => None,
        }
    }
}

/// The failure of the item sink or of the page.
#[derive(Debug)]
pub enum ReadError<E> {
    /// The page could not be read.
    Page(PageError),
    /// The sink failed.
    ItemSink(E),
}

impl<E> From<SplitError> for ReadError<E> {
    fn from(cause: SplitError) -> Self {
        Self::Page(PageError::Split {
            path: String::new(),
            cause,
        })
    }
}

/// A receiver of the items of a page.
pub trait ItemSink: Send {
    /// The sink's error.
    type Error: Send;

    /// Receives one item as the server sent it.
    ///
    /// # Errors
    /// An error ends the page.
    fn take(&mut self, raw: &[u8]) -> Result<(), Self::Error>;

    /// Called after each piece of the response, to forward the items received so far.
    ///
    /// # Errors
    /// An error ends the page.
    fn flush(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

impl Api {
    /// Reads one page and passes its items to `sink` as they arrive. `policy` only retries the start of the
    /// response; after a failure in the middle the caller knows which items it has.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read_page<T: ItemSink>(
        &self,
        page: &Page<'_>,
        policy: RetryPolicy,
        sink: &mut T,
    ) -> Result<ListMeta, ReadError<T::Error>> {
        let failed = |error: PageError| ReadError::Page(error);
        let mut stream =
            (self.open_stream_with(&page.target(), policy).await).map_err(|e| failed(e.into()))?;
        let mut splitter = Splitter::new();
        let named = |error: ReadError<T::Error>| match error {
            ReadError::Page(PageError::Split { cause, .. }) => ReadError::Page(PageError::Split {
                path: page.path.to_owned(),
                cause,
            }),
            other => other,
        };
        while let Some(piece) = stream.next().await.map_err(|e| failed(e.into()))? {
            splitter
                .push(&piece, |raw| sink.take(raw).map_err(ReadError::ItemSink))
                .map_err(named)?;
            sink.flush().await.map_err(ReadError::ItemSink)?;
        }
        splitter.finish().map_err(|cause| named(cause.into()))
    }
}
