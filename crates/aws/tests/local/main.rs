//! The adapters against the AWS of the local environment.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clusters;
mod conformance;
mod keys;
mod lost;
mod points;
mod road;
mod world;
