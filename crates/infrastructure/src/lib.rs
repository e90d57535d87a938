//! Turns descriptions of AWS resources, as a recovery point holds them, into the CloudFormation templates of an
//! application's recovery stacks, and into the identity map by which its objects are translated.
//!
//! [`description`] is the document, [`RecoveryFacts`] is what must be known of the recovery environment, [`generate`]
//! makes the template of a [`Stack`] in a [`Mode`]. What cannot be built as it was is a [`Finding`]. [`symbols()`] is the
//! identity map before anything is built, [`identity_map`] the same from the outputs of the stacks. [`differences`] are
//! those of a stack and the primary, [`cost::cost`] is what the stacks cost, [`reviewed()`] is what the hash of a plan covers.
//!
//! This crate is pure: it must not depend on anything but `model`, `translate`, base64 and JSON libraries, and does no
//! I/O.
//!
//! Invariants:
//! - the same descriptions and facts have the same bytes as result;
//! - a template refers to resources and parameters that it has, and holds no symbol;
//! - a template names the primary only where a finding says so;
//! - nothing of the primary is changed: where both environments share an account, copies have other names.
//!
//! The table of what each stack builds is in `STACKS.md`.

mod bindings;
mod builder;
mod checks;
mod context;
pub mod cost;
pub mod counterpart;
pub mod description;
pub mod difference;
pub mod facts;
pub mod finding;
pub mod mentions;
mod names;
mod pod_identities;
mod policy;
pub mod private_network;
pub mod reviewed;
mod selectors;
pub mod stack;
pub mod symbols;
pub mod template;
mod unbuilt;
mod zones;

pub use bindings::replicas;
pub use builder::TAG;
pub use cost::{Cost, Prices, Usd};
pub use counterpart::{Access, Candidate, CandidateKind, MatchRule, adoptions};
pub use description::Descriptions;
pub use difference::{Difference, Reason, ResourceDifference, differences};
pub use facts::{Adoption, OwnResource, RecoveryFacts, StackOutputs, Zone};
pub use finding::{Finding, Severity};
pub use mentions::{EcrImage, Mentions};
pub use reviewed::{ReviewedResources, reviewed};
pub use stack::{Generated, Mode, Stack, generate, stacks};
pub use symbols::{MissingOutput, identity_map, symbols};
pub use template::{Parameter, Resource, Template};
