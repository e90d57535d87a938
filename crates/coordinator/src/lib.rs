//! The coordinator: the Lambda function that assigns jobs to delegates, keeps the vault, raises issues and
//! answers requests.
//!
//! What it decides is a pure function of `lifeboat_jobs::coordinator`; here is what starts it and what it
//! reaches the world through.
//!
//! - [`office`]: every application of the state bucket, one tick each, and the requests of users.
//! - [`resource`]: applications as resources of stacks.
//! - [`metrics`]: figures in the embedded metric format of CloudWatch.
//! - [`function`]: the wiring to AWS.
//!
//! It must not depend on the delegate: the two know each other by documents alone (`lifeboat_jobs::job`).
//!
//! Invariants: one application that cannot be worked on stops no other; nothing that an event says is
//! believed but requests, and those only as far as they parse.

pub mod function;
pub mod metrics;
pub mod office;
pub mod resource;

pub use office::Office;
