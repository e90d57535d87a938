//! The Lambda function: its events, and the AWS clients that the coordinator uses.
//!
//! - [`coordinator`]: one tick for every application in the state bucket, and the users' requests.
//! - [`resource`]: applications as custom resources of stacks.
//! - [`metrics`]: metrics in the CloudWatch embedded metric format.
//! - [`notification`]: issues as messages to an SNS topic.
//! - [`function`]: the wiring to AWS.
//!
//! Invariants: the failure of one application does not stop the others; nothing in an event is trusted except
//! requests, and those only if they parse.

pub mod coordinator;
pub mod function;
pub mod metrics;
pub mod notification;
pub mod resource;

pub use coordinator::Coordinator;
