//! Rules for Jobs: generated selectors, and work that is done.

use lifeboat_translate::pointer;
use serde_json::Value;

use super::Editor;
use crate::rule::RuleId;

/// How a Job that has finished, or has done a part of its work, is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JobCompletion {
    /// The captured `spec.suspend`.
    pub(crate) suspend: bool,
    /// Whether the Job has finished, so that its whole status is restored.
    pub(crate) finished: bool,
    /// Whether the Job has finished and has `spec.ttlSecondsAfterFinished`, after which its controller deletes it.
    pub(crate) expires: bool,
}

/// Labels that the Job strategy generates from UID and name (`job/strategy.go`, `generateSelector`).
const GENERATED_LABELS: [&str; 4] = [
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
];

pub(super) fn job(editor: &mut Editor<'_>, status: &mut Option<Value>) -> Option<JobCompletion> {
    if editor.body.pointer("/spec/manualSelector") != Some(&Value::Bool(true)) {
        editor.remove("/spec/selector", RuleId::JobSelector);
        for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
            for label in GENERATED_LABELS {
                editor.remove(&pointer::join(labels, label), RuleId::JobSelector);
            }
        }
    }
    let is_finished = status
        .as_ref()
        .is_some_and(|status| crate::skip::is_finished_job(&serde_json::json!({ "status": status })));
    if !is_finished {
        *status = Some(status.as_ref().and_then(progress)?);
    }
    let suspend = editor.body.pointer("/spec/suspend") == Some(&Value::Bool(true));
    if !suspend {
        let rule = if is_finished {
            RuleId::JobFinished
        } else {
            RuleId::JobContinued
        };
        editor.set("/spec/suspend", Value::Bool(true), rule);
    }
    let expires = is_finished
        && editor
            .body
            .pointer("/spec/ttlSecondsAfterFinished")
            .is_some_and(|ttl| !ttl.is_null());
    Some(JobCompletion {
        suspend,
        finished: is_finished,
        expires,
    })
}

/// The fields of a status by which the Job's controller knows what is done (`job_controller.go`, `calculateSucceededIndexes`).
const PROGRESS: [&str; 4] = ["succeeded", "completedIndexes", "failed", "failedIndexes"];

/// Returns the part of the status of an unfinished Job that says which work is done; `None` if none is.
fn progress(status: &Value) -> Option<Value> {
    let has_succeeded = status.get("succeeded").and_then(Value::as_u64).unwrap_or(0) > 0;
    let has_indexes = !pointer::text(status, "/completedIndexes")
        .unwrap_or_default()
        .is_empty();
    if !has_succeeded && !has_indexes {
        return None;
    }
    let fields = PROGRESS
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), status.get(name)?.clone())));
    Some(Value::Object(fields.collect()))
}
