//! Recovery points from end to end, with real packs and real keys: written, killed at every call, sealed,
//! listed, opened, read, tampered with.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bound;
mod contents;
mod crash;
mod descriptions;
mod earlier;
mod fixture;
mod forged_manifests;
mod killed;
mod problems;
mod sample;
mod signers;
mod tamper;
mod vault;
mod writer;
