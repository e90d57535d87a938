//! Rewrites identifiers of the source environment to those of the target, with rules and patches as data.
//!
//! This crate contains the locations of identifiers in Kubernetes objects, and edits `serde_json::Value`s. It
//! must not depend on anything but `model` and JSON libraries, and does no I/O.
//!
//! Invariant: a translation changes only structural fields, never a substring of free text. If free text
//! contains an identifier of the source, the scan for residual references reports it.

pub mod diff;
pub mod glob;
pub mod namespace;
pub mod patch;
pub mod place;
pub mod pointer;

pub use namespace::NamespaceMap;
pub use patch::{Condition, PatchFailure, PatchRule, Subject};
