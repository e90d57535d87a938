//! The delegate: the Lambda function that talks to the Kubernetes API servers of one application on one
//! side, with the role of that side.
//!
//! It is started by its tick or by the event of an assignment, and both mean the same: look into the
//! scratch bucket, claim what is open, do it, write what became of it. What it is told by the event
//! itself is not believed.
//!
//! - [`configuration`]: the function's environment variables, parsed at once.
//! - [`event`]: what starts it; [`registration`]: the custom resource that makes it known.
//! - [`clusters`]: the port to EKS, from a cluster's ARN to a connection or to what is missing.
//! - [`metrics`]: figures in the embedded metric format. [`function`]: the wiring to AWS. [`work`]: the loop over
//!   open jobs, and each kind of job.
//!
//! It must not depend on the coordinator: the two know each other by documents alone
//! (`lifeboat_jobs`).
//!
//! Invariants: nothing is encrypted to any key but the recovery key that the function was deployed with,
//! whatever an assignment says; every write carries the epoch of its claim; a job that cannot be done
//! ends with a problem that says why.

pub mod clusters;
mod commands;
pub mod configuration;
pub mod event;
pub mod function;
pub mod metrics;
pub mod registration;
pub mod work;

pub use clusters::{Clusters, Unreachable};
pub use configuration::Configuration;
pub use event::Event;
pub use work::Delegate;
