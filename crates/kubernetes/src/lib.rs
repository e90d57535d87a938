//! The adapter to Kubernetes API servers: connect, discover, capture, survey, restore, prove.
//!
//! Objects travel as the bytes that the server sent; this crate moves them between an API server and
//! the pure crates, which understand them. It may depend on those and on kube, and on nothing of AWS
//! and no file system.
//!
//! Invariants:
//! - All pauses go through [`retry`], which reads error kinds and never messages.
//! - Discovery that is stale or incomplete is named, never taken for complete.
//! - No object, token or key is written to a log or an error.
//! - Wall clocks are values that callers pass in; deadlines follow the monotonic clock.

pub mod access;
pub mod api;
pub mod capture;
pub mod connect;
pub mod discovery;
pub mod list;
pub mod prove;
pub mod recover;
pub mod restore;
pub mod retry;
pub mod survey;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use api::{Answer, Api, ApiError, ByteStream, Refusal};
pub use capture::{
    BatchSink, Brake, CaptureError, CaptureEvent, CaptureOptions, CaptureProgress, Captured, Ended, capture,
    capture_part,
};
pub use connect::{Address, AddressError, AddressOptions, ConnectError, ConnectOptions, KubeconfigSource};
pub use discovery::{DiscoveredType, Discovery, DiscoveryError, FailedGroup, ServedVersion, ServerVersion};
pub use lifeboat_jobs::ports::{TokenError, TokenSource};
pub use restore::{RestoreError, RestoreOutcome, RestoreProgress, RestoreSettings, restore};
pub use retry::{Backoff, Jitter, RetryPolicy};
pub use survey::{SurveyError, survey};
