//! Restores a recovery point into a cluster: survey → plan → preflight → execute → prove.
//!
//! - [`survey`]: what the target holds before anything is written.
//! - [`preflight`]: what the target would refuse.
//! - [`execute`]: the plan carried out, wave by wave; [`lease`]: one restore at a time in a target.
//! - [`prove`]: the target read back and compared with the plan.
//! - [`recover`]: all of it in order, for every caller.
//!
//! This crate may depend on the pure crates and on `lifeboat-apiserver`, and on nothing of AWS and no file system.
//!
//! Invariants: nothing is written that the plan does not name; everything may be done again; no object, token
//! or key is written to a log or an error.

pub mod execute;
pub mod holder;
pub mod lease;
pub mod outcome;
pub mod preflight;
pub mod prove;
pub mod recover;
pub mod source;
pub mod survey;
mod wire;

pub use execute::{RestoreError, RestoreProgress, RestoreSettings};
pub use holder::LeaseHolder;
pub use outcome::RestoreOutcome;
pub use survey::SurveyError;
