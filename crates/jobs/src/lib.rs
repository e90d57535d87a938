//! What Lifeboat does with recovery points, free of any vendor: the ports through which it reaches
//! stores, keys, time and chance, and the recovery point written, sealed, found, opened and verified
//! through them.
//!
//! - [`ports`]: the traits that adapters implement, and their errors.
//! - [`writer`]: one cluster's capture streamed into packs; [`mod@seal`]: the signature that makes a point.
//! - [`vault`]: finds, opens and cleans up; [`point`]: verifies; [`unlocked`]: decrypts.
//! - [`job`]: jobs through a scratch bucket, with claims, epochs and fencing.
//! - [`retention`]: which points are kept, and why.
//! - [`coordinator`]: what is decided about applications, and what is done about it.
//! - [`memory`], [`failing`], `conformance` (feature `testing`): a store in memory, a store whose
//!   process dies at a chosen call, and the test suite that every store must pass.
//!
//! This crate must not depend on tokio, a clock, the environment, or any adapter.
//!
//! Invariants: a recovery point exists exactly when its `manifest.json` does, which is written once
//! and last; nothing of a point is believed before the pinned key has verified its manifest; no
//! secret is part of an error.

pub mod coordinator;
pub mod failing;
pub mod job;
pub mod layout;
mod listing;
pub mod memory;
pub mod point;
pub mod ports;
pub mod progress;
pub mod retention;
pub mod seal;
pub mod unlocked;
pub mod vault;
pub mod writer;

pub use point::{PointError, RecoveryPoint};
pub use progress::{Progress, Silent, Work};
pub use seal::{SealError, seal};
pub use unlocked::{ContentsReport, Index, IndexedFrame, Located, ObjectBatch, UnlockedPoint};
pub use vault::{Latest, PointState, PointSummary, Removed, Vault};
pub use writer::{PointWriter, WriteError, WrittenPacks};

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
