//! The ports through which everything outside of Lifeboat is reached, free of any vendor.
//!
//! - [`ports`]: the traits that adapters implement (object stores, keys, tokens, clock, randomness), and
//!   their errors.
//! - [`listing`]: whole listings from a store that lists in pages.
//! - [`prefix`]: a folder of a store as a store of its own.
//! - [`memory`], [`failing`], `conformance` (feature `testing`): a store in memory, a store whose process
//!   dies at a chosen call, and the test suite that every store must pass.
//!
//! This crate must not depend on tokio, a clock, the environment, or any adapter.
//!
//! Invariant: no secret is part of an error.

pub mod failing;
pub mod listing;
pub mod memory;
pub mod ports;
pub mod prefix;

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
