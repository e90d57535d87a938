//! Tests of the real `lifeboat` program with real API servers.
//!
//! All tests are in one binary, because each links the same crates and starts clusters: two tests
//! run at a time, each with clusters of its own, which end with the test.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundles;
mod busy;
mod cases;
mod choices;
mod crashes;
mod refusals;
mod sample;
mod support;
