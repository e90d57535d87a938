//! Decides what a restore does with each object, before anything is written.
//!
//! A [`PlanBuilder`] receives every object of a captured cluster and keeps a summary of each. Together with the
//! [`TargetFacts`] of a survey it produces a [`Plan`], which is immutable, deterministic, hashable and printable.
//! [`Plan::lint`] checks the plan, and [`body()`] builds exactly the request bodies from the captured bytes. After
//! the restore, [`compare()`] finds where the target differs, and [`report`] states whether the cluster matches the
//! plan.
//!
//! This crate is pure: it must not depend on anything that does I/O, on clocks or on randomness. Kubernetes objects
//! are `serde_json::Value`s, never typed structs, so that unknown fields and unusual numbers are preserved.
//!
//! Invariants:
//! - the same objects (in any order, but definitions first), options and facts produce the same plan, byte for byte;
//! - every decision is a [`RuleId`] with a reason;
//! - no value of a Secret appears in a plan, a finding or a report, including values that a patch sets;
//! - an owner is never created after the objects that it owns.
//!
//! Usage:
//! ```text
//! let mut draft = PlanBuilder::new(options, &types, point, cluster, redactor);
//! for each object in the index, definitions first: if draft.needs(..) { draft.add(..)? } else { draft.add_unselected(..) }
//! let facts = survey(target, draft.wanted());
//! let plan = draft.plan(&facts)?;
//! if plan.lint() has an Error: refuse
//! for each object, wave by wave: send body(&plan, object, raw, &uids)?
//! ```

mod address;
pub mod body;
pub mod builder;
pub mod cluster_plan;
pub mod compare;
mod digest;
mod eks;
mod empty_target;
pub mod leftovers;
pub mod lint;
pub mod options;
mod ownership;
pub mod planned;
mod prepare;
pub mod relax;
mod render;
pub mod report;
mod resolve;
pub mod rule;
mod schema;
mod settings;
pub mod shape;
mod skip;
pub mod source;
mod table;
pub mod target;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod wave;

pub use body::{Bodies, BodyError, additions, body, in_former_revision, merge_into_live};
pub use builder::crds::outline as definition_outline;
pub use builder::{ObserveError, PlanBuilder, PlanError, RequiredType};
pub use cluster_plan::{ClusterPlan, ComparedWith};
pub use compare::{Difference, FieldDifference, compare, compare_whole};
pub use digest::Redactor;
pub use eks::auth::add_entries as add_aws_auth_entries;
pub use leftovers::{TargetLeftover, TargetLeftovers};
pub use lint::{LintFinding, Severity};
pub use options::{
    ExistingPolicy, InvalidPortRange, PortRange, RestoreOptions, RuleSet, Selection, StatusRule,
};
pub use planned::{
    Action, Deferred, DeferredUntil, Dependency, Edit, EntryVersion, HeldRevision, MissingDependency,
    NotRestored, Note, Operation, Ownership, Plan, PlannedChange, PlannedObject, PlannedOrdinal,
    PlannedOwner, PlannedPods, PlannedWorkload, RuleUse, StatusPlan, Step,
};
pub use report::{
    OwnerDifference, PodDifference, Proof, Report, ReportBuilder, Verdict, Workload, WorkloadState,
};
pub use rule::RuleId;
pub use source::{Locator, MissingSource, SourceCompleteness, SourceType};
pub use target::{Existing, ExistingObjects, ServedType, ServiceAllocation, TargetFacts, VersionServed};
pub use wave::Wave;
