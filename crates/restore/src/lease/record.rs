//! The record of a restore run, read from its Lease.

use serde_json::Value;

use super::text;

/// The annotation with the digest of the inputs of the plan.
pub(super) const INPUTS: &str = "lifeboat.dev/plan-inputs";
/// The annotation with the start of the run, if it is earlier than that of the Lease.
pub(super) const STARTED: &str = "lifeboat.dev/run-started";

/// The start of a run: of this process, or of an interrupted run that it continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// The `creationTimestamp` of the first Lease of the run, RFC 3339 in UTC with whole seconds. Objects with a later
    /// timestamp were created by the run. The format sorts as text.
    pub started: String,
    /// Whether this run continues an interrupted one.
    pub resumed: bool,
}

impl RunRecord {
    /// Reads the record of the run that holds this Lease; `None` if the Lease has no usable timestamp.
    pub(super) fn read(lease: &Value, resumed: bool) -> Option<Self> {
        let earlier = annotation(lease, STARTED);
        if is_time(earlier) {
            return Some(Self {
                started: earlier.to_owned(),
                resumed: true,
            });
        }
        let started = text(lease, "/metadata/creationTimestamp");
        is_time(started).then(|| Self {
            started: started.to_owned(),
            resumed,
        })
    }

    /// Returns whether an object with this `creationTimestamp` was created after the run began.
    #[must_use]
    pub fn made(&self, creation_timestamp: &str) -> bool {
        creation_timestamp > self.started.as_str()
    }
}

/// Returns the digest of the inputs of the run that holds this Lease.
pub(super) fn inputs(lease: &Value) -> &str {
    annotation(lease, INPUTS)
}

/// Returns whether a text is a time as the API server writes it.
pub(super) fn is_time(text: &str) -> bool {
    text.len() == "2026-01-01T00:00:00Z".len() && text.ends_with('Z')
}

fn annotation<'a>(object: &'a Value, key: &str) -> &'a str {
    object
        .pointer("/metadata/annotations")
        .and_then(|annotations| annotations.get(key)?.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_of_the_same_second_is_not_taken_for_one_of_the_run() {
        let lease = json!({"metadata": {"creationTimestamp": "2026-11-21T10:00:00Z"}});
        let run = RunRecord::read(&lease, true).unwrap();
        assert!(run.made("2026-11-21T10:00:01Z"));
        assert!(!run.made("2026-11-21T10:00:00Z") && !run.made("2026-11-21T09:59:59Z"));
        assert!(RunRecord::read(&json!({}), false).is_none());
    }

    #[test]
    fn a_lease_that_goes_on_with_an_interrupted_run_has_its_start() {
        let lease = json!({"metadata": {
            "creationTimestamp": "2026-11-21T10:00:00Z",
            "annotations": {STARTED: "2026-11-21T09:00:00Z"},
        }});
        let run = RunRecord::read(&lease, false).unwrap();
        assert!(run.resumed && run.made("2026-11-21T09:00:01Z"));
    }
}
