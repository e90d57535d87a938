//! The audit log: each caller, action and authorization decision.

use std::sync::{Arc, Mutex};

/// The authorization decision of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// The caller is known and allowed. The service may still have rejected the request itself, for
    /// example because the resource does not exist.
    Allowed,
    /// IAM or the signature check refused the call.
    Denied,
}

/// One authorization decision. A call that needs several permissions, such as a copy from one
/// bucket to another, has one entry for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditEntry {
    /// The caller's ARN; `anonymous` without a signature, `unknown` for unknown keys.
    pub principal: String,
    /// The action, such as `s3:PutObject`.
    pub action: String,
    /// The resource's ARN, or `*` for an action without a resource.
    pub resource: String,
    /// The Region in the signature.
    pub region: String,
    /// The decision.
    pub decision: Decision,
}

/// All entries since the start, in order. A clone shares them.
#[derive(Clone, Default)]
pub(crate) struct Audit {
    entries: Arc<Mutex<Vec<AuditEntry>>>,
}

impl Audit {
    pub(crate) fn record(&self, entries: impl IntoIterator<Item = AuditEntry>) {
        self.lock().extend(entries);
    }

    pub(crate) fn entries(&self) -> Vec<AuditEntry> {
        self.lock().clone()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<AuditEntry>> {
        self.entries.lock().expect("no holder of this lock panics")
    }
}
