//! Whether an object that the API server refused is tried again.
//!
//! Requests are refused for what does not change while a restore runs (PodSecurity, the overhead of a RuntimeClass, an
//! invalid field), for what the restore itself changes (an object that is created later), and for what others change
//! (a controller that computes a quota, a webhook whose backend starts). Objects that fail for one cause that others
//! must remove wait together: one of them is tried, and the others follow when it succeeds.

use lifeboat_apiserver::api::{AnswerCause, ApiError};
use lifeboat_model::{Diagnostic as _, ErrorKind, ObjectRef};

/// The number of attempts of an object that fails with [`Healing::Once`].
const ATTEMPTS: u32 = 2;

/// Whether the same request may succeed later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Healing {
    /// It may succeed when others have done their work. Objects with an equal cause wait for the same.
    WithTime(Option<String>),
    /// It may succeed once the other objects of the restore exist; it is tried once more.
    Once,
    /// It is refused for as long as the object and the configuration of the target stay as they are.
    Never,
}

impl Healing {
    /// Returns the healing of an error without a response that names a cause.
    #[must_use]
    pub fn of_kind(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Retry | ErrorKind::Conflict | ErrorKind::Gone => Self::WithTime(None),
            ErrorKind::Denied => Self::Once,
            ErrorKind::Invalid | ErrorKind::Corrupt | ErrorKind::Deadline | ErrorKind::Bug => Self::Never,
        }
    }

    /// Returns the healing of an error for `object`.
    #[must_use]
    pub fn of(object: &ObjectRef, error: &ApiError) -> Self {
        let Some(refusal) = error.refusal() else {
            return Self::of_kind(error.kind());
        };
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let with = |cause: String| Self::WithTime(Some(cause));
        match refusal.cause() {
            AnswerCause::WebhookFailed(webhook) => with(format!("webhook {webhook}")),
            AnswerCause::QuotaExceeded(quota) | AnswerCause::QuotaUnknown(quota) => {
                with(format!("quota {namespace}/{quota}"))
            }
            AnswerCause::AccountMissing(account) => with(format!("service account {namespace}/{account}")),
            AnswerCause::NamespaceTerminating => with(format!("namespace {namespace}")),
            AnswerCause::NotFound(name) => with(format!("object {name} in {namespace:?}")),
            AnswerCause::TypeNotServed => with(format!("type {}", object.r#type)),
            AnswerCause::Unavailable => with("storage".to_owned()),
            AnswerCause::Escalation => Self::WithTime(None),
            AnswerCause::WebhookDenied(_) | AnswerCause::PriorityClassMissing(_) => Self::Once,
            // A few fields are checked against other objects, such as the addresses and ports of Services.
            AnswerCause::Deterministic if refusal.status == 422 => Self::Once,
            AnswerCause::Deterministic => Self::Never,
            AnswerCause::Unknown => Self::of_kind(error.kind()),
        }
    }

    /// Returns whether an object that has failed `failures` times is tried again.
    pub(crate) fn allows(&self, failures: u32) -> bool {
        match self {
            Self::WithTime(_) => true,
            Self::Once => failures < ATTEMPTS,
            Self::Never => false,
        }
    }

    /// Returns the cause that the object waits for together with others.
    pub(crate) fn shared_cause(&self) -> Option<&str> {
        match self {
            Self::WithTime(cause) => cause.as_deref(),
            Self::Once | Self::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use lifeboat_apiserver::Refusal;

    use super::*;

    fn healing(status: u16, message: &str) -> Healing {
        let refusal = Refusal {
            method: Method::POST,
            path: "/api/v1/namespaces/shop/pods".into(),
            status,
            reason: String::new(),
            message: message.to_owned(),
            is_status: !message.is_empty(),
            retry_after: None,
            continue_token: None,
            causes: Vec::new(),
        };
        let object = ObjectRef::new("zones.fleet.example.com".into(), Some("shop"), "x");
        Healing::of(&object, &ApiError::Refused(Box::new(refusal)))
    }

    #[test]
    fn what_no_waiting_changes_is_not_tried_again() {
        for message in [
            r#"pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged"#,
            r#"pods "x" is forbidden: the integer value of priority (0) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name"#,
            r#"pods "x" is forbidden: pod rejected: RuntimeClass "x" not found"#,
            r#"pods "x" is forbidden: failed quota: compute: must specify limits.cpu for: c"#,
        ] {
            assert_eq!(healing(403, message), Healing::Never, "{message}");
        }
        assert_eq!(healing(413, "too large"), Healing::Never);
        assert!(!Healing::Never.allows(0));
    }

    #[test]
    fn what_another_object_may_change_is_tried_once_more() {
        for (status, message) in [
            (422, r#"Service "x" is invalid: spec.clusterIPs: Invalid value"#),
            (403, r#"admission webhook "v.example.com" denied the request: no"#),
            (
                403,
                r#"pods is forbidden: User "u" cannot create resource "pods""#,
            ),
        ] {
            assert_eq!(healing(status, message), Healing::Once, "{message}");
        }
        assert!(Healing::Once.allows(1) && !Healing::Once.allows(2));
    }

    #[test]
    fn what_others_change_is_waited_for_by_cause() {
        for (status, message, cause) in [
            (
                500,
                r#"Internal error occurred: failed calling webhook "v.example.com": no endpoints"#,
                "webhook v.example.com",
            ),
            (
                403,
                r#"pods "x" is forbidden: exceeded quota: compute, requested: pods=1"#,
                "quota shop/compute",
            ),
            (
                403,
                r#"pods "x" is forbidden: error looking up service account shop/web: serviceaccount "web" not found"#,
                "service account shop/web",
            ),
            (404, "", "type zones.fleet.example.com"),
        ] {
            assert_eq!(healing(status, message).shared_cause(), Some(cause), "{message}");
        }
        assert_eq!(healing(409, "changed"), Healing::WithTime(None));
    }
}
