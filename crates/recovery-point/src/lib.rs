//! Recovery points in a store: written, sealed, found, verified and decrypted.
//!
//! - [`cursor`]: the state of a capture that is not finished.
//! - [`layout`]: the keys of a recovery point.
//! - [`writer`]: one cluster's capture streamed into packs; [`mod@seal`]: the signature that makes a point.
//! - [`repository`]: finds, opens and cleans up; [`mod@summary`]: a point in short.
//! - [`point`]: a point whose signature was verified; [`readable`]: one whose data keys are at hand, and one of which
//!   every file was verified too, which is the only kind that a restore takes.
//! - [`progress`]: how long work on a point tells how far it is.
//!
//! This crate must not depend on tokio, a clock, the environment, or any adapter.
//!
//! Invariants: a recovery point exists exactly when its `manifest.json` does, which is written once
//! and last; nothing of a point is believed before the pinned key has verified its manifest; no
//! secret is part of an error.

pub mod cursor;
pub mod layout;
pub mod point;
pub mod progress;
pub mod readable;
pub mod repository;
pub mod seal;
pub mod summary;
pub mod writer;

pub use point::{PointError, RecoveryPoint};
pub use progress::{Progress, Silent, Work};
pub use readable::{
    ContentsReport, Index, IndexedFrame, ObjectBatch, ObjectLocation, ReadablePoint, VerifiedPoint,
};
pub use repository::{PointRepository, PointState, PointSummary, Removed, Resolved};
pub use seal::{NewPoint, SealError, SealedPoint, seal};
pub use summary::{ClusterSummary, SignedSummary};
pub use writer::{PointWriter, WriteError, WrittenPacks};
