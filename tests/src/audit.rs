//! Whether a report tells the truth: two clusters against what Lifeboat says about them.
//!
//! The audit knows Kubernetes and nothing of Lifeboat's rules. For each object of the source it asks
//! whether the report accounts for it exactly once, and whether what the report says is so in the
//! target; for each object of the target, where it comes from.

mod accounts;
mod alive;
mod reasons;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::compare::Place;
use crate::snapshot::{Key, Snapshot};

pub use self::reasons::{Why, passing_type, why};

/// What a report says, in the audit's own words.
#[derive(Debug, Default, Clone)]
pub struct Claims {
    /// Objects of the source that are restored, with what they are called in the target.
    pub restored: BTreeMap<Key, Restored>,
    /// Objects of the source that are not restored, with the reason.
    pub not_restored: BTreeMap<Key, Reason>,
    /// Objects of the target that nobody planned, as the report lists them.
    pub unplanned: BTreeSet<Key>,
    /// Objects of the source that stand in more than one list.
    pub twice: BTreeSet<Key>,
}

/// A restored object.
#[derive(Debug, Default, Clone)]
pub struct Restored {
    /// Its name in the target; the same as in the source if none.
    pub target: Option<Key>,
    /// The fields that the report says are changed.
    pub changes: Vec<Change>,
}

/// A changed field.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// Whether a rule or a patch of the plan changed it, and not the target by itself.
    pub planned: bool,
}

/// Why an object is not restored.
#[derive(Debug, Default, Clone)]
pub struct Reason {
    /// A short name to group by.
    pub rule: String,
    /// What the report says.
    pub text: String,
}

/// What is wrong, as a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// An object of the source is in no list.
    Forgotten,
    /// An object stands in several lists.
    Twice,
    /// The report names an object that the source never had.
    Invented,
    /// An object that is said to be restored is not there.
    Absent,
    /// A restored object has another content, and the report does not say so.
    Content,
    /// A field has other owners, and the report does not say so.
    FieldOwner,
    /// An owner reference is lost, or names nobody alive.
    Reference,
    /// Nothing in the two clusters supports the reason for not restoring.
    UntrueReason,
    /// An owner has more or fewer children than in the source.
    Doubled,
    /// Something that was ready or bound in the source is not so in the target.
    NotReady,
    /// An object of the target that nobody planned and the report does not name.
    Unexpected,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The class.
    pub fault: Fault,
    /// The object.
    pub object: String,
    /// What exactly. No values of objects, which may be secret.
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

/// The evidence of an audit.
pub struct Evidence<'a> {
    /// The source, quiet, before or after the backup.
    pub source: &'a Snapshot,
    /// The target before the restore.
    pub before: &'a Snapshot,
    /// The target after the restore, quiet.
    pub target: &'a Snapshot,
    /// What the report says.
    pub claims: &'a Claims,
    /// Objects of the source that moved by themselves during the backup: nothing is asked of them but
    /// that those which are said to be restored are there.
    pub moving: &'a BTreeSet<Key>,
}

impl Evidence<'_> {
    /// What an object of the source is called in the target, if the report says that it is there.
    fn image(&self, key: &Key) -> Option<Key> {
        let restored = self.claims.restored.get(key)?;
        Some(restored.target.clone().unwrap_or_else(|| key.clone()))
    }
}

/// Everything in which the report is wrong, or the target does not live as the source did.
#[must_use]
pub fn audit(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    accounts::check(evidence, &mut findings);
    alive::check(evidence, &mut findings);
    findings.sort();
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests;
