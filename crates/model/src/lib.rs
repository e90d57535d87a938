//! The words of Lifeboat as types: identifiers, resource types, object references, filters,
//! error kinds, the problems a user can see, and the documents that users and parts of Lifeboat give
//! each other: applications, registrations, requests, issues.
//!
//! This crate holds no behaviour beyond parsing and rendering. It must not depend on anything but
//! serde, schemars and thiserror, serde_json (for parts of documents that other crates read) and jiff
//! (for times and the calendar of schedules), so that every other crate can speak its language.
//!
//! Invariants: an identifier that exists was parsed, so it is safe in a store key, a file name and a
//! log line; a [`Problem`] that exists has a stable code, says what was wrong, and what to do.

pub mod application;
pub mod environment;
pub mod error;
pub mod filter;
#[macro_use]
pub mod identifier;
pub mod issue;
pub mod problem;
pub mod request;
pub mod resource;
pub mod schedule;
pub mod secret;

pub use application::{Application, ApplicationDocument, ClusterSpec, Retention};
pub use environment::{DelegateRegistration, EnvironmentRegistration, Side};
pub use error::ErrorKind;
pub use filter::{Filter, LabelSelector, TypeSelector};
pub use identifier::aws::{AccountId, Arn, ArnKind, EnvironmentId, Partition, Region};
pub use identifier::job::{Epoch, JobId, RequestToken};
pub use identifier::{ApplicationName, ClusterName, InvalidIdentifier, ObjectKey, PackName, RecoveryPointId};
pub use issue::{Alternative, Issue, IssueId, Severity};
pub use problem::{Code, Diagnostic, Exit, Explanation, Problem};
pub use resource::{ObjectRef, ResourceType, TypeName};
pub use schedule::{Cron, Schedule};
pub use secret::Redacted;
