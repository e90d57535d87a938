//! The permissions with which the stack `application` lets the delegate of the recovery side build, and the boundary of
//! the roles that it builds, are evaluated against everything that CloudFormation calls for the recovery stacks.
//!
//! `handlers.json` has the actions that each resource type needs, `actions.json` the resources and condition keys of each
//! action. A role that may do less fails where the test says so, and so does one that may do more.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod boundary;
mod denied;
mod granted;
mod iam;
mod limits;
mod policies;
#[path = "../templates/random.rs"]
mod random;
mod requests;
#[path = "../templates/sample.rs"]
mod sample;
mod table;
