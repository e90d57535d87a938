//! The result for each object of a plan.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use lifeboat_model::{Diagnostic as _, ErrorKind, ObjectRef, Uid};

use crate::healing::Healing;
use lifeboat_apiserver::api::{AnswerCause, ApiError};

/// What a restore did. An uninterrupted run and a continued one have the same outcome.
#[derive(Debug, Clone)]
pub struct RestoreOutcome {
    /// One result for each object of the plan, in the plan's order.
    pub results: Vec<ObjectResult>,
    /// The uids of owners: source uid to target uid.
    pub uids: HashMap<Uid, Uid>,
    /// The number of passes over the plan; 1 if nothing was retried.
    pub passes: u32,
    /// Mutating configurations that were created last, because their backends were not available in time.
    pub held: Vec<usize>,
    /// Definitions that were without rules for some time, with the number of objects that break these.
    pub relaxed: BTreeMap<usize, usize>,
    /// Workloads whose Pods were deleted once, so that admission changes those that their controllers create again.
    pub rolled: BTreeSet<ObjectRef>,
    /// Whether the restore was interrupted: objects may be missing that nothing was wrong with.
    pub interrupted: bool,
}

impl RestoreOutcome {
    /// Returns whether every object was restored or kept as planned.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.results
            .iter()
            .all(|result| !matches!(result, ObjectResult::Failed(_) | ObjectResult::NotAttempted))
    }

    /// Returns the uid in the target of the owner with this uid in the source. An owner that failed has none; the object
    /// that it owns failed too.
    pub(crate) fn owner_uid(&self, uid: &Uid) -> Uid {
        self.uids.get(uid).unwrap_or(uid).clone()
    }

    /// Returns the objects that failed, with their index in the plan.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &Failure)> {
        self.results
            .iter()
            .enumerate()
            .filter_map(|(at, result)| match result {
                ObjectResult::Failed(failure) => Some((at, &**failure)),
                _ => None,
            })
    }
}

/// The result for one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectResult {
    /// The target contains it as planned, according to the API server's responses.
    Restored,
    /// It existed and was kept, as planned.
    Kept,
    /// Another client created it after the plan was made, and the policy is to keep what exists.
    KeptUnplanned,
    /// It was not restored, or not completely.
    Failed(Box<Failure>),
    /// The restore was interrupted before it was restored.
    NotAttempted,
}

/// Why an object was not restored, without any of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The step that failed.
    pub step: FailedStep,
    /// How a caller reacts to the failure.
    pub kind: ErrorKind,
    /// The HTTP status of the API server's response, if there was one.
    pub status: Option<u16>,
    /// The response's message; for Secrets only the reason, because messages may quote values.
    pub answer: String,
    /// Whether the same request may succeed later.
    pub healing: Healing,
    /// The admission webhook that refused the request.
    pub webhook: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.answer)
    }
}

/// The step during which an object failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailedStep {
    /// Building the planned body from the captured bytes.
    Prepare,
    /// Creating it.
    Create,
    /// Updating it to the planned state.
    Update,
    /// Deleting it before it is created again.
    Delete,
    /// Waiting until its type is served (CustomResourceDefinition).
    Establish,
    /// Writing its status.
    Status,
    /// Restoring a finished Job as finished.
    Finish,
    /// Continuing the rollout of a StatefulSet that is held.
    Rollout,
    /// Writing the fields that are set later.
    Deferred,
    /// Restoring the rules of a definition.
    Rules,
    /// Writing the owners of its fields (`managedFields`).
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
            Self::Rollout => "it was created without Pods and with its former revision, but its current one could not be set",
            Self::Deferred => "it was created, but the fields that are set last could not be written",
            Self::Rules => "it was created, but its validation rules could not be restored",
            Self::Ownership => "it was created, but its field ownership could not be written",
        })
    }
}

impl Failure {
    /// Creates a failure without a response of the API server.
    pub(super) fn without_answer(step: FailedStep, kind: ErrorKind, answer: String) -> Self {
        Self {
            step,
            kind,
            status: None,
            answer,
            healing: Healing::of_kind(kind),
            webhook: None,
        }
    }

    /// Creates a failure from the API server's error for `object`.
    pub(super) fn from_api(step: FailedStep, object: &ObjectRef, error: &ApiError) -> Self {
        Self {
            step,
            kind: error.kind(),
            status: error.status(),
            answer: answer(object, error),
            healing: Healing::of(object, error),
            webhook: (error.refusal().and_then(|refusal| refusal.webhook())).map(str::to_owned),
        }
    }
}

/// Returns the part of an error message that may be shown. Validation and webhooks quote the values that they
/// reject, so that for a Secret only the reason is kept.
pub(super) fn answer(object: &ObjectRef, error: &ApiError) -> String {
    let Some(refusal) = error.refusal() else {
        return error.to_string();
    };
    if refusal.cause() == AnswerCause::TypeNotServed {
        return not_served(object);
    }
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

/// Returns the message for an object of a type that the target does not serve: the answer itself is empty.
fn not_served(object: &ObjectRef) -> String {
    let name = object.r#type.as_str();
    let group = name.split_once('.').map_or("", |(_, group)| group);
    let is_built_in = !group.contains('.') || group.ends_with(".k8s.io");
    if is_built_in {
        format!("404: the target does not serve the type {name}")
    } else {
        format!(
            "404: the target does not serve the type {name}; the conditions of its CustomResourceDefinition say why (`kubectl describe crd {name}`)"
        )
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use lifeboat_apiserver::Refusal;

    use super::*;

    #[test]
    fn a_type_that_is_not_served_names_its_definition() {
        let refusal = Refusal {
            method: Method::POST,
            path: "/apis/fleet.example.com/v1/namespaces/regions/zones".into(),
            status: 404,
            reason: String::new(),
            message: String::new(),
            is_status: false,
            retry_after: None,
            continue_token: None,
            causes: Vec::new(),
        };
        let error = ApiError::Refused(Box::new(refusal));
        let shown = |r#type: &str| answer(&ObjectRef::new(r#type.into(), Some("regions"), "north"), &error);
        assert_eq!(
            shown("zones.fleet.example.com"),
            "404: the target does not serve the type zones.fleet.example.com; the conditions of its CustomResourceDefinition say why (`kubectl describe crd zones.fleet.example.com`)"
        );
        assert_eq!(
            shown("podgroups.scheduling.k8s.io"),
            "404: the target does not serve the type podgroups.scheduling.k8s.io"
        );
    }
}
