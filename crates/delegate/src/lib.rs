//! The delegate: the Lambda function that accesses the Kubernetes API servers of one application on one side,
//! with the role of that side.
//!
//! It is started by a scheduled tick or by the event of an assignment. Both have the same effect: read the
//! scratch bucket, claim open jobs, do them, write their results. The content of the event is not trusted.
//!
//! - [`configuration`]: the function's environment variables, parsed at once.
//! - [`event`]: the events that start it; [`registration`]: the custom resource that registers it.
//! - [`clusters`]: the interface to EKS, from a cluster's ARN to a connection or to the missing access.
//! - [`network`]: what a private delegate observes of its network.
//! - [`infrastructure`]: the AWS resources that the clusters stand on. [`private_delegates`]: the stacks of private delegates.
//! - [`metrics`]: metrics in the embedded metric format. [`function`]: the AWS clients. [`work`]: the loop
//!   over open jobs, and each kind of job.
//!
//! It must not depend on the coordinator: the two share only documents (`lifeboat_jobs`).
//!
//! Invariants: data is encrypted only for the recovery key that the function was deployed with, whatever an
//! assignment contains; every write carries the epoch of its claim; a failed job ends with a problem that
//! states the reason.

pub mod clusters;
pub mod configuration;
pub mod event;
pub mod function;
pub mod infrastructure;
pub mod metrics;
pub mod network;
pub mod private_delegates;
pub mod registration;
pub mod work;

pub use clusters::{Clusters, Unreachable};
pub use configuration::Configuration;
pub use event::Event;
pub use work::Delegate;
