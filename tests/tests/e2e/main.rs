//! The real `lifeboat` on real API servers.
//!
//! One binary, because every one of its tests links the same crates and starts clusters: two of them
//! run at a time, each with clusters of its own, which end with the test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundles;
mod busy;
mod choices;
mod crashes;
mod refusals;
mod sample;
mod support;
