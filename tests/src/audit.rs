//! Checks Lifeboat's report of a restore against the two clusters.
//!
//! The audit is based on Kubernetes and uses none of Lifeboat's rules. For each object of the
//! source it checks that the report lists it exactly once, and that the report's statement about it
//! is true in the target. For each object of the target it checks its origin.

mod accounts;
mod age;
mod alive;
mod defaults;
mod pods;
mod reasons;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::compare::Place;
use crate::snapshot::{Key, Snapshot};

pub use self::reasons::{ChangeReason, passing_type, why};

/// The statements of a report, in the audit's own types.
#[derive(Debug, Default, Clone)]
pub struct Claims {
    /// Objects of the source that are restored, with their names in the target.
    pub restored: BTreeMap<Key, Restored>,
    /// Objects of the source that are not restored, with the reason.
    pub not_restored: BTreeMap<Key, Reason>,
    /// Objects of the target that are not part of the plan, as listed by the report.
    pub unplanned: BTreeSet<Key>,
    /// Workloads of the target that the report names as not the same.
    pub differing: BTreeSet<Key>,
    /// Objects of the source that are in more than one list.
    pub twice: BTreeSet<Key>,
}

/// A restored object.
#[derive(Debug, Default, Clone)]
pub struct Restored {
    /// The object's key in the target; the same as in the source if absent.
    pub target: Option<Key>,
    /// The fields that the report lists as changed.
    pub changes: Vec<Change>,
}

/// A changed field.
#[derive(Debug, Clone)]
pub struct Change {
    /// The place of the field in the object.
    pub place: Place,
    /// Whether a rule or a patch of the plan changed it, and not the target itself.
    pub planned: bool,
}

/// The reason why an object is not restored.
#[derive(Debug, Default, Clone)]
pub struct Reason {
    /// A short name for grouping.
    pub rule: String,
    /// The reason in the words of the report.
    pub text: String,
}

/// The class of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// An object of the source is in no list.
    Forgotten,
    /// An object is in several lists.
    Twice,
    /// The report names an object that is not in the source.
    Invented,
    /// An object is reported as restored and does not exist.
    Absent,
    /// A restored object has different content, and the report does not list the change.
    Content,
    /// A field has different owners, and the report does not list the change.
    FieldOwner,
    /// An owner reference is missing, or its owner does not exist.
    Reference,
    /// The two clusters do not confirm the reason for not restoring.
    UntrueReason,
    /// An owner has more children than in the source.
    Doubled,
    /// An owner has fewer children than in the source.
    Childless,
    /// The Pods of a workload run something else, and the report does not say so.
    Pods,
    /// Another object is the oldest or youngest one, where that decides.
    Age,
    /// An object that is ready or bound in the source is not so in the target.
    NotReady,
    /// An object of the target is neither part of the plan nor named by the report.
    Unexpected,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The class of the finding.
    pub fault: Fault,
    /// The object concerned, as text.
    pub object: String,
    /// The details, without values of objects, which may be secret.
    pub detail: String,
}

impl Finding {
    fn new(fault: Fault, object: &Key, detail: impl Into<String>) -> Self {
        Self {
            fault,
            object: object.to_string(),
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self.fault).ok();
        let name = name.as_ref().and_then(serde_json::Value::as_str).unwrap_or("?");
        write!(f, "{name}: {}: {}", self.object, self.detail)
    }
}

/// The input of an audit.
pub struct Evidence<'a> {
    /// The source while it is quiet, before or after the backup.
    pub source: &'a Snapshot,
    /// The target before the restore.
    pub before: &'a Snapshot,
    /// The target after the restore, once it is quiet.
    pub target: &'a Snapshot,
    /// The statements of the report.
    pub claims: &'a Claims,
    /// Objects of the source that changed by themselves during the backup. For those that are
    /// reported as restored, the audit checks only that they exist.
    pub moving: &'a BTreeSet<Key>,
    /// The types whose status was restored, so that it must be the same.
    pub with_status: &'a BTreeSet<String>,
}

impl Evidence<'_> {
    /// Returns the key in the target of an object of the source, if the report says that it is there.
    fn image(&self, key: &Key) -> Option<Key> {
        let restored = self.claims.restored.get(key)?;
        Some(restored.target.clone().unwrap_or_else(|| key.clone()))
    }
}

/// Returns every false statement of the report, and every difference in the running state of source and target.
#[must_use]
pub fn audit(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    accounts::check(evidence, &mut findings);
    alive::check(evidence, &mut findings);
    pods::check(evidence, &mut findings);
    defaults::check(evidence, &mut findings);
    age::check(evidence, &mut findings);
    findings.sort();
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests;
