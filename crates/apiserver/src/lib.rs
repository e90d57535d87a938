//! The connection to a Kubernetes API server.
//!
//! - [`connect`]: addresses and credentials, from a kubeconfig or from EKS.
//! - [`api`]: requests and their errors; [`retry`]: when a request is repeated.
//! - [`discovery`]: which types a server serves; [`list`]: one type in pages, as the bytes that the server sent.
//! - [`access`]: what the caller may do.
//! - `testing` (feature `testing`): scripted API servers and transports that fail on purpose.
//!
//! This crate may depend on kube, and on nothing of AWS and no file system.
//!
//! Invariants:
//! - All pauses go through [`retry`], which reads error kinds and never messages.
//! - Discovery that is stale or incomplete is named, never taken for complete.
//! - No object, token or key is written to a log or an error.
//! - Wall clocks are values that callers pass in; deadlines follow the monotonic clock.

pub mod access;
pub mod api;
pub mod connect;
pub mod discovery;
pub mod list;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use api::{Answer, Api, ApiError, ByteStream, Refusal};
pub use connect::{Address, AddressError, AddressOptions, ConnectError, ConnectOptions, KubeconfigSource};
pub use discovery::{DiscoveredType, Discovery, DiscoveryError, FailedGroup, ServedVersion, ServerVersion};
