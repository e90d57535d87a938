//! The ports for everything outside of Lifeboat, independent of any vendor.
//!
//! - [`ports`]: the traits that adapters implement (object stores, keys, tokens, clock, randomness), and
//!   their errors.
//! - [`listing`]: complete listings of a store that lists in pages.
//! - [`prefix`]: a folder of a store as a separate store; [`read_only`]: a store that refuses every write.
//! - [`memory`], [`failing`], `metered` and `conformance` (feature `testing`): a store in memory, a store whose process
//!   is killed at a chosen call, a store that records what is read, and the test suite that every store must pass.
//!
//! This crate must not depend on tokio, a clock, the environment, or any adapter.
//!
//! Invariant: errors contain no secrets.

pub mod failing;
pub mod listing;
pub mod memory;
pub mod ports;
pub mod prefix;
pub mod read_only;
pub mod verified;

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(any(test, feature = "testing"))]
pub mod metered;
