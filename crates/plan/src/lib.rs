//! Decides what a restore does, object by object, before anything is written.
//!
//! A [`PlanBuilder`] is shown every object of a captured cluster and keeps a summary of each; with the
//! [`TargetFacts`] of a survey it becomes a [`Plan`]: immutable, deterministic, hashable, printable. The
//! plan is linted ([`Plan::lint`]), and [`body()`] makes from the captured bytes exactly what is sent. After
//! the restore [`compare()`] finds where the target differs, and [`report`] says whether the cluster matches the plan.
//!
//! This crate is pure: it must not depend on anything that does I/O, on clocks or on randomness, and
//! Kubernetes objects are `serde_json::Value`s, never typed structs, so that unknown fields and odd
//! numbers survive.
//!
//! Invariants:
//! - the same objects (in any order), options and facts give the same plan, byte for byte;
//! - every decision is a [`RuleId`] with a reason;
//! - no value of a Secret is in a plan, a finding or a report, also not one that a patch puts there;
//! - an owner is never created after what it owns.
//!
//! How a caller uses it:
//! ```text
//! let mut draft = PlanBuilder::new(options, &types, point, cluster, redactor);
//! for each object in the index: if draft.needs(..) { draft.add(..)? } else { draft.add_unselected(..) }
//! let facts = survey(target, draft.wanted());
//! let plan = draft.plan(&facts)?;
//! if plan.lint() has an Error: refuse
//! for each object, wave by wave: send body(&plan, object, raw, &uids)?
//! ```

mod address;
pub mod body;
pub mod builder;
pub mod compare;
mod digest;
pub mod lint;
pub mod options;
mod ownership;
pub mod planned;
mod prepare;
mod render;
pub mod report;
mod resolve;
pub mod rule;
mod settings;
mod skip;
pub mod source;
mod table;
pub mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod wave;

pub use body::{Bodies, BodyError, body, merge_into_live};
pub use builder::{ObserveError, PlanBuilder, PlanError, WantedType};
pub use compare::{Difference, FieldDifference, compare};
pub use digest::Redactor;
pub use lint::{LintFinding, Severity};
pub use options::{
    ExistingPolicy, InvalidPortRange, PortRange, RestoreOptions, RuleSet, Selection, StatusRule,
};
pub use planned::{
    Action, Dependency, Edit, MissingDependency, NotRestored, Note, Operation, Ownership, Plan,
    PlannedChange, PlannedObject, PlannedOwner, RuleUse, StatusPlan, Step,
};
pub use report::{Proof, Report, ReportBuilder, Verdict};
pub use rule::RuleId;
pub use source::{Locator, SourceType};
pub use target::{Existing, ServedType, ServiceAllocation, TargetFacts, VersionServed};
pub use wave::Wave;
