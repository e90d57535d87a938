//! The words of Lifeboat as types: identifiers, resource types, object references, filters,
//! error kinds and the problems a user can see.
//!
//! This crate holds no behaviour beyond parsing and rendering. It must not depend on anything but
//! serde, schemars and thiserror, so that every other crate can speak its language.
//!
//! Invariants: an identifier that exists was parsed, so it is safe in a store key, a file name and a
//! log line; a [`Problem`] that exists has a stable code, says what was wrong, and what to do.

pub mod error;
pub mod filter;
pub mod identifier;
pub mod problem;
pub mod resource;
pub mod secret;

pub use error::ErrorKind;
pub use filter::{Filter, LabelSelector, TypeSelector};
pub use identifier::{ApplicationName, ClusterName, InvalidIdentifier, ObjectKey, PackName, RecoveryPointId};
pub use problem::{Code, Problem};
pub use resource::{ObjectRef, ResourceType, TypeName};
pub use secret::Redacted;
