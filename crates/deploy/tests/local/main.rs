//! The recovery stacks on the local AWS.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod protection;
mod rebuild;
mod recovery;
mod rows;
