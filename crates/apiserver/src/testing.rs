//! Test support for this and other crates: scripted API servers, and transports that fail on purpose.

mod cluster;
mod server;
mod transport;

pub use cluster::{FakeCluster, FakeType};
pub use server::{FakeServer, Recorded, Reply};
pub use transport::{FailAt, Moment, RequestCounter, failing_at, stalling_after};
