//! The Lambda function: what starts a tick, and what the coordinator reaches the world through.
//!
//! - [`coordinator`]: every application of the state bucket, one tick each, and the requests of users.
//! - [`resource`]: applications as resources of stacks.
//! - [`metrics`]: figures in the embedded metric format of CloudWatch.
//! - [`notification`]: issues as messages to an SNS topic.
//! - [`function`]: the wiring to AWS.
//!
//! Invariants: one application that cannot be worked on stops no other; nothing that an event says is
//! believed but requests, and those only as far as they parse.

pub mod coordinator;
pub mod function;
pub mod metrics;
pub mod notification;
pub mod resource;

pub use coordinator::Coordinator;
