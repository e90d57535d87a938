//! The adapter against the local AWS: networks and launch templates are made by API and read back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod launch_templates;
mod network;
