//! Who asked for what, and what came of it.

use std::sync::{Arc, Mutex};

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// The caller was known and allowed; the service may still have refused the
    /// request itself, for example because the thing does not exist.
    Allowed,
    /// IAM or the check of the signature refused it.
    Denied,
}

/// One thing that IAM was asked. A call that needs several permissions, such as
/// a copy from one bucket to another, makes one entry for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditEntry {
    /// The caller's ARN; `anonymous` without a signature, `unknown` for keys that
    /// belong to nobody.
    pub principal: String,
    /// The action, such as `s3:PutObject`.
    pub action: String,
    /// The resource's ARN, or `*` where the action knows none.
    pub resource: String,
    /// The Region that the signature names.
    pub region: String,
    /// What became of it.
    pub decision: Decision,
}

/// Everything that was asked since the start, in order. A clone shares it.
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
