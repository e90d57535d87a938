//! What became of each object of a plan.

use std::collections::HashMap;
use std::fmt;

use lifeboat_model::{Diagnostic as _, ErrorKind, ObjectRef};

use lifeboat_apiserver::api::ApiError;

/// What a restore did. Nothing in it tells an uninterrupted run from one that was continued.
#[derive(Debug, Clone)]
pub struct RestoreOutcome {
    /// One result for each object of the plan, in the plan's order.
    pub results: Vec<ObjectResult>,
    /// The uids of owners: from their uid in the source to the one in the target.
    pub uids: HashMap<String, String>,
    /// How often the plan was gone through; 1 when nothing had to be tried again.
    pub passes: u32,
}

impl RestoreOutcome {
    /// Whether every object was restored or kept as planned.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.results
            .iter()
            .all(|result| !matches!(result, ObjectResult::Failed(_)))
    }

    /// The objects that failed, with their place in the plan.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &Failure)> {
        self.results
            .iter()
            .enumerate()
            .filter_map(|(at, result)| match result {
                ObjectResult::Failed(failure) => Some((at, failure)),
                _ => None,
            })
    }
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectResult {
    /// It is in the target as the plan says, as far as the API server's answers tell.
    Restored,
    /// It existed and was kept, as the plan says.
    Kept,
    /// Somebody else made it after the plan was made, and the policy is to keep what exists.
    KeptUnplanned,
    /// It was not restored, or not completely.
    Failed(Failure),
}

/// Why an object was not restored, without a value of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What was being done.
    pub step: FailedStep,
    /// What a caller should do about it.
    pub kind: ErrorKind,
    /// The status that the API server answered, if it answered.
    pub status: Option<u16>,
    /// The answer in its own words; of Secrets only the reason, because answers may quote values.
    pub answer: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.answer)
    }
}

/// What was being done when an object failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailedStep {
    /// Making the planned body out of the captured bytes.
    Prepare,
    /// Creating it.
    Create,
    /// Changing it to the planned state.
    Update,
    /// Deleting it, to make it anew.
    Delete,
    /// Waiting until its type is served.
    Establish,
    /// Writing its status.
    Status,
    /// Letting a finished Job go on as finished.
    Finish,
    /// Writing who owns its fields.
    Ownership,
}

impl fmt::Display for FailedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "its content could not be built",
            Self::Create => "it could not be created",
            Self::Update => "it could not be updated to the planned state",
            Self::Delete => "it could not be deleted to be recreated",
            Self::Establish => "it was created, but its type is not served",
            Self::Status => "it was created, but its status could not be written",
            Self::Finish => "it was created suspended, but its finished status could not be written",
            Self::Ownership => "it was created, but its field ownership could not be written",
        })
    }
}

impl Failure {
    /// A failure without an answer of the API server.
    pub(super) fn without_answer(step: FailedStep, kind: ErrorKind, answer: String) -> Self {
        Self {
            step,
            kind,
            status: None,
            answer,
        }
    }

    /// What the API server said about a request for `object`.
    pub(super) fn from_api(step: FailedStep, object: &ObjectRef, error: &ApiError) -> Self {
        Self {
            step,
            kind: error.kind(),
            status: error.status(),
            answer: answer(object, error),
        }
    }
}

/// The words of an answer that may be shown. Validation and webhooks quote the values that they refuse,
/// so that of a Secret nothing but the reason is kept.
pub(super) fn answer(object: &ObjectRef, error: &ApiError) -> String {
    let Some(refusal) = error.refusal() else {
        return error.to_string();
    };
    let message = if refusal.message.is_empty() {
        "no message"
    } else {
        &refusal.message
    };
    match object.r#type.as_str() {
        "secrets" => format!(
            "{} {} (the response may contain the Secret and is not shown)",
            refusal.status, refusal.reason
        ),
        _ => format!("{} {}: {message}", refusal.status, refusal.reason),
    }
}
