//! The walk against the local AWS: resources are made by API, described, and compared.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod sample;
mod walk;
