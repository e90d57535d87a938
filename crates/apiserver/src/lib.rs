//! The connection to a Kubernetes API server.
//!
//! - [`connect`]: addresses and credentials, from a kubeconfig or from EKS.
//! - [`api`]: requests and their errors; [`lifeboat_system::retry`]: when a request is repeated.
//! - [`discovery`]: the types that a server serves; [`list`]: one type in pages, as the bytes that the server
//!   sent.
//! - [`access`]: the caller's permissions.
//! - `testing` (feature `testing`): scripted API servers and transports that fail on purpose.
//!
//! This crate may depend on kube; it uses no AWS API and no file system.
//!
//! Invariants:
//! - All retry delays use [`lifeboat_system::retry`], which depends on error kinds and never on messages. Messages are
//!   read in one place, [`api::AnswerCause`]: admission has no reasons of its own.
//! - Stale or incomplete discovery is reported and never treated as complete.
//! - No object, token or key is written to a log or an error.
//! - Wall clock times are passed in by callers; deadlines use the monotonic clock.

pub mod access;
pub mod api;
pub mod connect;
pub mod discovery;
pub mod list;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use api::{Answer, AnswerCause, Api, ApiError, ByteStream, Refusal};
pub use connect::{Address, AddressError, AddressOptions, ConnectError, ConnectOptions, KubeconfigSource};
pub use discovery::{DiscoveredType, Discovery, DiscoveryError, FailedGroup, ServedVersion, ServerVersion};
