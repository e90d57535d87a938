//! The adapters against the AWS of the local environment.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clusters;
mod conformance;
mod fault_proxy;
mod fixture;
mod keys;
mod lost_responses;
mod points;
