//! The adapters against the local AWS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clusters;
mod conformance;
mod fault_proxy;
mod fixture;
mod keys;
mod lost_responses;
mod points;
