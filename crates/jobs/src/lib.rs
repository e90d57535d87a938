//! Jobs: how the coordinator and the delegates speak through a scratch bucket.
//!
//! A job is a folder of documents, each created once:
//!
//! ```text
//! jobs/<application>/<job>/assignment.json        coordinator: what is to be done; allows epoch 1
//! jobs/<application>/<job>/assignment-0002.json   coordinator: allows epoch 2
//! jobs/<application>/<job>/claim-0001.json        delegate: the invocation that owns epoch 1
//! jobs/<application>/<job>/checkpoint-0001.json   delegate: epoch 1 has ended, this far
//! jobs/<application>/<job>/result.json            delegate: the end, with the epoch that wrote it
//! jobs/<application>/<job>/cancel.json            coordinator: end early
//! ```
//!
//! [`view::JobView`] holds what a bucket says about a job, and decides who owns it, whether its result
//! counts, and whether another epoch is due. [`claim`] is the delegate's half of the protocol, [`worker`] the loop
//! that follows it.
//! [`split`] makes several capture jobs of one for a big cluster.
//! A capture lies in the folder `captures/` of a scratch bucket, laid out as a vault.
//!
//! Invariants: a claim without an assignment is nothing; the highest claim owns the job; a result of a
//! lower epoch has no effect; a document that is malformed, oversized, newer or foreign has no effect but
//! to be recorded.

pub mod checkpoint;
pub mod claim;
pub mod document;
pub mod keys;
pub mod read;
pub mod result;
pub mod split;
pub mod view;
pub mod work;
pub mod worker;

pub use checkpoint::{CaptureCheckpoint, Progress, RestoreCheckpoint};
pub use document::{Assignment, Cancel, Checkpoint, Claim};
pub use keys::JobFile;
pub use read::{Document, DocumentError};
pub use result::{AccessFinding, AccessReport, CaptureDone, Done, JobResult, Outcome, RestoreDone, Sealed};
pub use view::{JobStatus, JobView, Refused, ResultValidity};
pub use work::{CaptureWork, CheckWork, ClusterTarget, RestoreWork, SealWork, VaultPlace, Work};

use jiff::SignedDuration;

/// The version of all documents of jobs.
pub const FORMAT: u32 = 1;

/// How many epochs a job gets. At 15 minutes each that is a day: what has not ended by then never will,
/// and would go on costing.
pub const MAX_EPOCHS: u32 = 96;

/// The longest that an invocation lasts (AWS Lambda quotas: function timeout, 900 seconds).
pub const LONGEST_INVOCATION: SignedDuration = SignedDuration::from_secs(900);

/// How long after an owner's deadline it is given up: clocks differ, and a last write may be under way.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);
