//! Rewrites identifiers of the source into those of the target: rules and patches as data.
//!
//! This crate knows where in Kubernetes objects an identifier stands, and edits `serde_json::Value`s. It
//! must not depend on anything but `model` and JSON libraries, and does no I/O.
//!
//! Invariants: a translation touches structural places only, never a substring of free text; where free
//! text holds an identifier of the source, the leftover scan says so.

pub mod diff;
pub mod glob;
pub mod namespace;
pub mod patch;
pub mod place;
pub mod pointer;

pub use namespace::NamespaceMap;
pub use patch::{Condition, PatchFailure, PatchRule, Subject};
