//! Shared code of the end-to-end programs and tests: the real `lifeboat` binary as a child process,
//! keys and a store in a folder of their own, measurements of a child process, and an audit of a
//! restore that shares no code with what it judges.
//!
//! This crate may depend on every crate, and no crate depends on it. [`snapshot`], [`compare`],
//! [`audit`] and [`claims`] must not use any other crate of the workspace.

pub mod audit;
pub mod aws;
pub mod bench;
pub mod canary;
pub mod child;
pub mod claims;
pub mod client;
pub mod compare;
pub mod demo;
pub mod environment;
pub mod equivalence;
pub mod generate;
pub mod prove;
pub mod snapshot;
pub mod workspace;
