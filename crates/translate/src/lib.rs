//! Rewrites identifiers of the source environment to those of the target, with rules and patches as data.
//!
//! This crate contains the locations of identifiers in Kubernetes objects, and edits `serde_json::Value`s. It
//! must not depend on anything but `model`, JSON libraries, base64 and a string search, and does no I/O.
//!
//! Invariants:
//! - namespaces are translated in structural fields only, never in free text; the scan for residual references
//!   reports what free text contains;
//! - identifiers of AWS are translated in every text, but only whole ones ([`identity`]): an ARN, URL or host name of
//!   which only the account or the Region would change stays, and the scan for leftovers reports it;
//! - what no rule matches keeps its bytes, and a translated object is not changed by the same translation again.

pub mod diff;
pub mod glob;
pub mod identity;
pub mod namespace;
pub mod patch;
pub mod place;
pub mod pointer;
pub mod rule;
pub mod translation;

pub use identity::{Identities, IdentityMap};
pub use namespace::NamespaceMap;
pub use patch::{Condition, PatchFailure, PatchRule, Subject};
pub use rule::Rule;
pub use translation::{Rewritten, Translated, Translation};
