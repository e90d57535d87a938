//! The domain types of Lifeboat: identifiers, resource types, object references, filters, error kinds,
//! user-visible problems, and the documents that users, the coordinator and the delegates exchange
//! (applications, registrations, requests, issues).
//!
//! This crate only parses and renders. Its dependencies are limited to serde, schemars, thiserror, serde_json
//! (for parts of documents that other crates parse), jiff (times and the calendar of schedules) and uuid (uids of
//! objects), so that every other crate can depend on it.
//!
//! Invariants: a value of an identifier type has been parsed, so it is safe in a store key, a file name and a
//! log line. A [`Problem`] always has a stable code, a message and guidance.

pub mod application;
pub mod environment;
pub mod error;
pub mod filter;
#[macro_use]
pub mod identifier;
pub mod issue;
pub mod network;
pub mod problem;
pub mod progress;
pub mod request;
pub mod resource;
pub mod schedule;
pub mod secret;
pub mod text;
pub mod uid;

pub use application::{Application, ApplicationDocument, ClusterSpec, Retention, SharedStack};
pub use environment::{DelegateRegistration, EnvironmentRegistration, Side};
pub use error::ErrorKind;
pub use filter::{Filter, LabelSelector, TypeSelector};
pub use identifier::aws::{AccountId, Arn, ArnKind, EnvironmentId, Partition, Region, StackName};
pub use identifier::delegate::DelegateId;
pub use identifier::job::{Epoch, JobId, RequestToken};
pub use identifier::kms::KmsKeyId;
pub use identifier::{ApplicationName, ClusterName, InvalidIdentifier, ObjectKey, PackName, RecoveryPointId};
pub use issue::{Alternative, Issue, IssueId, Severity};
pub use problem::{Code, Diagnostic, Exit, Explanation, Problem};
pub use progress::{
    BuildProgress, BuiltStack, NodeProgress, RestoreProgress, RestoreStep, StackEvent, StackOutcome,
};
pub use resource::{ObjectRef, ResourceType, TypeName, shared};
pub use schedule::{Cron, Schedule};
pub use secret::Redacted;
pub use uid::Uid;
