//! Jobs: the protocol between the coordinator and the delegates in a scratch bucket.
//!
//! A job is a folder of documents. Each but `progress` is created once, by a conditional write:
//!
//! ```text
//! jobs/<delegate>/<job>/assignment.json        coordinator: the work; allows epoch 1
//! jobs/<delegate>/<job>/assignment-0002.json   coordinator: allows epoch 2
//! jobs/<delegate>/<job>/claim-0001.json        delegate: the invocation that owns epoch 1
//! jobs/<delegate>/<job>/checkpoint-0001.json   delegate: the progress at the end of epoch 1
//! jobs/<delegate>/<job>/progress-0001.json     delegate: what it is doing, for somebody who waits
//! jobs/<delegate>/<job>/result.json            delegate: the end, with the epoch that wrote it
//! jobs/<delegate>/<job>/cancel.json            coordinator: end early
//! ```
//!
//! The first part is the delegate that does the job: the application's name for the public one, with the name of a cluster
//! for a private one ([`lifeboat_model::DelegateId`]). A delegate looks for jobs nowhere else, and its role can write
//! nowhere else.
//!
//! [`signed`] authenticates the documents of the coordinator: a delegate uses an assignment or a cancellation
//! only if the coordinator's key has signed it. [`folder`] reads a job's folder within limits, whatever it
//! contains. [`view::JobView`] contains the state of a job in a bucket, and decides who owns it, whether its
//! result counts, and whether another epoch is due. [`pending`] finds the jobs of a delegate, [`claim`] is its
//! half of the protocol, and [`worker`] the loop that uses both. [`network`] is the check of a
//! private delegate's network, without a job. [`split`] splits the capture of a big cluster
//! into several jobs. Captures are stored below `captures/` in a scratch bucket, in the layout of a vault.
//!
//! Invariants: an assignment or cancellation that the coordinator has not signed has no effect; a claim
//! without an assignment has no effect; the highest claim owns the job; a result of a lower epoch has no
//! effect; a document that is malformed, oversized, of another format or for another key is recorded and has
//! no other effect; nothing is decided by a progress report. What a reader spends on a bucket is bounded, however much
//! somebody writes into it.

pub mod checkpoint;
pub mod claim;
pub mod data_keys;
pub mod document;
pub mod endpoint;
pub mod finding;
pub mod folder;
pub mod keys;
pub mod network;
pub mod pending;
pub mod private_delegate;
pub mod read;
pub mod result;
pub mod signed;
pub mod split;
#[cfg(test)]
mod testing;
pub mod view;
pub mod work;
pub mod worker;

pub use checkpoint::{CaptureCheckpoint, CompleteRanges, PlanCheckpoint, Progress, RestoreCheckpoint};
pub use data_keys::{DataKeysDone, DataKeysWork, WrappedDataKey, data_keys_job};
pub use document::{Assignment, Cancel, Checkpoint, Claim, Doing, ProgressReport};
pub use endpoint::{ClusterEndpoint, PrivateEndpoint};
pub use finding::{AccessFinding, Failure};
pub use keys::JobFile;
pub use network::NetworkCheck;
pub use private_delegate::{PrivateDelegateChange, PrivateDelegateDone, PrivateDelegateWork};
pub use read::{Document, DocumentError};
pub use result::{
    AccessReport, BuildDone, CaptureDone, Done, JobResult, Outcome, PartDone, PlanDone, RestoreDone, Sealed,
};
pub use signed::Trust;
pub use view::{JobStatus, JobView, Refused, ResultValidity};
pub use work::{
    BuildMode, BuildWork, CaptureWork, CheckWork, ClusterTarget, PlanWork, RestoreWork, SealWork, VaultPlace,
    Work,
};

use jiff::SignedDuration;

/// The format version of all documents of jobs. Version 1 had assignments without a signature, and results
/// with sentences and commands; its documents are refused, and the job is started again once both sides have
/// the same version of Lifeboat.
pub const FORMAT: u32 = 2;

/// The maximum number of epochs of a job. At 15 minutes each this is a day: a job that has not ended by then
/// would never end and only add cost.
pub const MAX_EPOCHS: u32 = 96;

/// The maximum duration of an invocation (AWS Lambda quotas: function timeout, 900 seconds).
pub const LONGEST_INVOCATION: SignedDuration = SignedDuration::from_secs(900);

/// The time after an owner's deadline until it is given up: clocks differ, and a last write may be in
/// progress.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);
