//! Restores a recovery point into a cluster: survey → plan → preflight → execute → prove.
//!
//! - [`survey`]: the state of the target before the first write.
//! - [`preflight`]: what the target would reject.
//! - [`execute`]: carries out the plan, wave by wave; [`lease`]: one restore at a time per target.
//! - [`healing`]: which failed objects are tried again; [`webhooks`]: what to change when a webhook refuses.
//! - [`prove`]: reads the target back and compares it with the plan.
//! - [`recover`]: all steps in order, for every caller.
//!
//! This crate depends only on the pure crates and on `lifeboat-apiserver`; it uses no AWS API and no file
//! system.
//!
//! Invariants: only what the plan names is written; every step is idempotent; no object, token or key is
//! written to a log or an error.

pub mod execute;
pub mod healing;
pub mod holder;
pub mod lease;
pub mod outcome;
pub mod preflight;
pub mod prove;
pub mod recover;
mod roll;
pub mod source;
pub mod survey;
pub mod webhooks;
mod wire;
mod workloads;

pub use execute::{RestoreError, RestoreProgress, RestoreSettings};
pub use holder::LeaseHolder;
pub use outcome::RestoreOutcome;
pub use survey::SurveyError;
