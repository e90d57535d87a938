//! Recovery points in a store: writing, sealing, finding, verifying and decrypting them.
//!
//! - [`cursor`]: the state of an unfinished capture.
//! - [`descriptions`]: the descriptions of AWS resources in a recovery point.
//! - [`layout`]: the keys of a recovery point.
//! - [`writer`]: writes the capture of one cluster to packs; [`mod@seal`]: writes the signed manifest that
//!   completes a recovery point.
//! - [`repository`]: lists, finds and opens recovery points, and removes unfinished ones; [`mod@summary`]: a
//!   summary of a recovery point; [`signers`]: the signers that recovery points name.
//! - [`point`]: a recovery point whose signature was verified; [`readable`]: one whose data keys are
//!   available, and one whose files were all verified too, which a restore requires.
//! - [`progress`]: progress of work on a recovery point.
//!
//! This crate must not depend on tokio, a clock, the environment, or any adapter.
//!
//! Invariants: a recovery point exists exactly when its `manifest.json` does, which is written once and last.
//! No content of a recovery point is trusted before its manifest was verified with the pinned key. Errors
//! contain no secrets.

pub mod cursor;
pub mod descriptions;
pub mod layout;
pub mod point;
pub mod progress;
pub mod readable;
pub mod repository;
pub mod seal;
pub mod signers;
pub mod summary;
pub mod writer;

pub use descriptions::{CapturedInfrastructure, DescribedInfrastructure, write_descriptions};
pub use point::{PointError, RecoveryPoint, UnwrappedKey};
pub use progress::{Progress, Silent, Work};
pub use readable::{
    ContentsReport, Index, IndexedFrame, ObjectBatch, ObjectLocation, ReadablePoint, VerifiedPoint,
};
pub use repository::{PointRepository, PointState, PointSummary, Removed, Resolved};
pub use seal::{NewPoint, SealError, SealedPoint, seal};
pub use signers::ClaimedSigners;
pub use summary::{ClusterSummary, SignedSummary};
pub use writer::{PointWriter, WriteError, WrittenPacks};
