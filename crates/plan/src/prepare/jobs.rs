//! Rules for Jobs: generated selectors, and finished Jobs.

use lifeboat_translate::pointer;
use serde_json::Value;

use super::Editor;
use crate::rule::RuleId;

/// How a finished Job is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JobCompletion {
    /// The captured `spec.suspend`.
    pub(crate) suspend: bool,
    /// Whether the Job has `spec.ttlSecondsAfterFinished`, after which its controller deletes it.
    pub(crate) expires: bool,
}

/// Labels that the Job strategy generates from UID and name (`job/strategy.go`, `generateSelector`).
const GENERATED_LABELS: [&str; 4] = [
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
];

pub(super) fn job(editor: &mut Editor<'_>, status: Option<&Value>) -> Option<JobCompletion> {
    if editor.body.pointer("/spec/manualSelector") != Some(&Value::Bool(true)) {
        editor.remove("/spec/selector", RuleId::JobSelector);
        for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
            for label in GENERATED_LABELS {
                editor.remove(&pointer::join(labels, label), RuleId::JobSelector);
            }
        }
    }
    let finished = status.is_some_and(|status| {
        pointer::list(status, "/conditions").any(|condition| {
            matches!(pointer::text(condition, "/type"), Some("Complete" | "Failed"))
                && pointer::text(condition, "/status") == Some("True")
        })
    });
    if !finished {
        return None;
    }
    let suspend = editor.body.pointer("/spec/suspend") == Some(&Value::Bool(true));
    if !suspend {
        editor.set("/spec/suspend", Value::Bool(true), RuleId::JobFinished);
    }
    let expires = editor
        .body
        .pointer("/spec/ttlSecondsAfterFinished")
        .is_some_and(|ttl| !ttl.is_null());
    Some(JobCompletion { suspend, expires })
}
