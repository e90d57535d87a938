//! What an error response says about its cause: which webhook, quota or missing object it comes from.
//!
//! Admission has no reasons of its own in the API: a quota, a webhook and PodSecurity all answer 403 `Forbidden`, and a
//! webhook that cannot be called answers as any other internal error. Only the message tells them apart. This is the
//! only module that reads messages; everything else decides by the [`AnswerCause`] that it returns.

use super::Refusal;

/// The cause that the message of an error response names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerCause<'a> {
    /// The webhook with this name could not be called, and fails closed.
    WebhookFailed(&'a str),
    /// The webhook with this name denied the request.
    WebhookDenied(&'a str),
    /// A ResourceQuota does not allow more objects at the moment.
    QuotaExceeded(&'a str),
    /// The usage of a ResourceQuota is not computed yet.
    QuotaUnknown(&'a str),
    /// The ServiceAccount with this name does not exist yet.
    AccountMissing(&'a str),
    /// The PriorityClass with this name does not exist, or the API server does not see it yet.
    PriorityClassMissing(&'a str),
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// The namespace or another required object with this name does not exist.
    NotFound(&'a str),
    /// The server does not serve the type of the request: the answer has no `Status`.
    TypeNotServed,
    /// A Role or binding would grant what the caller does not have, as far as the API server has seen its roles.
    Escalation,
    /// The request itself is refused, and will be as long as it and the configuration of the cluster stay as they
    /// are: PodSecurity, a LimitRange, the priority or overhead of a Pod, an invalid field.
    Deterministic,
    /// Something behind the API server is not available at the moment: etcd, or a conversion webhook.
    Unavailable,
    /// The message names no known cause.
    Unknown,
}

/// Messages of admission plugins that depend on the object and on configuration that the request cannot wait for.
const DETERMINISTIC: [&str; 7] = [
    // PodSecurity.
    "violates PodSecurity",
    // Priority: `plugin/pkg/admission/priority`.
    "must not be provided in pod spec; priority admission controller computed",
    "must not be provided in pod spec; priority admission controller defaulted",
    // RuntimeClass: `plugin/pkg/admission/runtimeclass`.
    "pod rejected: ",
    // A quota that requires limits which the Pod does not have.
    "failed quota: ",
    // A quota that limits objects of a scope that matches no quota.
    "insufficient quota to match these scopes",
    // LimitRanger.
    "usage per ",
];

/// Messages of what is behind the API server: etcd and its client, and conversion webhooks. They pass when etcd has a
/// leader again, or the backend of the webhook runs.
const UNAVAILABLE: [&str; 4] = [
    "etcdserver:",
    "rpc error:",
    "context deadline exceeded",
    "conversion webhook for ",
];

impl Refusal {
    /// Returns the cause that the message names.
    #[must_use]
    pub fn cause(&self) -> AnswerCause<'_> {
        let message = self.message.as_str();
        if let Some(webhook) = quoted_after(message, "failed calling webhook \"") {
            return AnswerCause::WebhookFailed(webhook);
        }
        if let Some(webhook) = quoted_after(message, "admission webhook \"")
            && message.contains("\" denied the request")
        {
            return AnswerCause::WebhookDenied(webhook);
        }
        match self.status {
            403 => self.forbidden(),
            404 if !self.is_status => AnswerCause::TypeNotServed,
            404 => quoted_before(message, "\" not found").map_or(AnswerCause::Unknown, AnswerCause::NotFound),
            422 => AnswerCause::Deterministic,
            500.. if UNAVAILABLE.iter().any(|text| message.contains(text)) => AnswerCause::Unavailable,
            _ => AnswerCause::Unknown,
        }
    }

    fn forbidden(&self) -> AnswerCause<'_> {
        let message = self.message.as_str();
        let word = |before: &str| {
            let rest = after(message, before)?;
            rest.split([',', ':', ' ']).next().filter(|word| !word.is_empty())
        };
        if self.causes.iter().any(|reason| reason == "NamespaceTerminating") {
            AnswerCause::NamespaceTerminating
        } else if DETERMINISTIC.iter().any(|text| message.contains(text)) {
            AnswerCause::Deterministic
        } else if let Some(quota) = word("exceeded quota: ") {
            AnswerCause::QuotaExceeded(quota)
        } else if let Some(quota) = word("status unknown for quota: ") {
            AnswerCause::QuotaUnknown(quota)
        } else if let Some(account) = quoted_after(message, "serviceaccount \"")
            && message.contains("\" not found")
        {
            AnswerCause::AccountMissing(account)
        } else if let Some(class) = word("no PriorityClass with name ") {
            AnswerCause::PriorityClassMissing(class)
        } else if message.contains("is attempting to grant RBAC permissions not currently held") {
            AnswerCause::Escalation
        } else {
            AnswerCause::Unknown
        }
    }

    /// Returns the name of the admission webhook that refused the request, if one did.
    #[must_use]
    pub fn webhook(&self) -> Option<&str> {
        match self.cause() {
            AnswerCause::WebhookFailed(name) | AnswerCause::WebhookDenied(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the version in which an object is stored and which its definition no longer has, if that is the cause.
    #[must_use]
    pub fn unconvertible_version(&self) -> Option<&str> {
        let rest = after(
            &self.message,
            "request to convert CR from an invalid group/version: ",
        )?;
        rest.split_whitespace().next()
    }

    /// Returns whether this is the failure of an earlier attempt again, and does not pass with time: an internal error
    /// with the same message, unless something behind the API server is not available.
    #[must_use]
    pub fn is_same_failure(&self, earlier: &Self) -> bool {
        self.status == 500
            && earlier.status == 500
            && !self.message.is_empty()
            && self.message == earlier.message
            && self.cause() != AnswerCause::Unavailable
    }
}

fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.find(words).map(|at| &text[at + words.len()..])
}

/// Returns the text between `words`, which end with a quotation mark, and the next quotation mark.
fn quoted_after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let (quoted, _) = after(text, words)?.split_once('"')?;
    (!quoted.is_empty()).then_some(quoted)
}

/// Returns the quoted text that ends where `words`, which begin with a quotation mark, begin.
fn quoted_before<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let before = &text[..text.find(words)?];
    let (_, quoted) = before.rsplit_once('"')?;
    (!quoted.is_empty()).then_some(quoted)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, StatusCode};
    use serde_json::json;

    use super::*;

    fn refusal(status: u16, message: &str) -> Refusal {
        let body = json!({"kind": "Status", "status": "Failure", "code": status, "message": message});
        read(status, body.to_string().as_bytes())
    }

    fn read(status: u16, body: &[u8]) -> Refusal {
        let status = StatusCode::from_u16(status).expect("a status");
        Refusal::read(&Method::POST, "/api/v1/pods", status, &HeaderMap::new(), body)
    }

    /// The messages are those of kube-apiserver 1.36.
    #[test]
    fn the_message_names_the_cause() {
        use AnswerCause::{
            AccountMissing, Deterministic, Escalation, NotFound, PriorityClassMissing, QuotaExceeded,
            QuotaUnknown, Unavailable, Unknown, WebhookDenied, WebhookFailed,
        };
        for (status, message, expected) in [
            (
                500,
                r#"Internal error occurred: failed calling webhook "validate.policy.example.com": failed to call webhook: Post "https://policy.policy.svc:443/validate?timeout=1s": service "policy" not found"#,
                WebhookFailed("validate.policy.example.com"),
            ),
            (
                500,
                r#"Internal error occurred: failed calling webhook "m.example.com": failed to call webhook: Post "https://p.p.svc:443/m?timeout=1s": context deadline exceeded"#,
                WebhookFailed("m.example.com"),
            ),
            (
                403,
                r#"admission webhook "v.example.com" denied the request: no label "team" not found"#,
                WebhookDenied("v.example.com"),
            ),
            (
                400,
                r#"admission webhook "v.example.com" denied the request without explanation"#,
                WebhookDenied("v.example.com"),
            ),
            (
                403,
                r#"pods "x" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=4, limited: pods=4"#,
                QuotaExceeded("compute"),
            ),
            (
                403,
                r#"pods "x" is forbidden: status unknown for quota: compute, resources: pods"#,
                QuotaUnknown("compute"),
            ),
            (
                403,
                r#"pods "x" is forbidden: failed quota: compute: must specify limits.cpu for: c"#,
                Deterministic,
            ),
            (
                403,
                r#"pods "x" is forbidden: error looking up service account shop/web: serviceaccount "web" not found"#,
                AccountMissing("web"),
            ),
            (
                403,
                r#"pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged"#,
                Deterministic,
            ),
            (
                403,
                r#"pods "x" is forbidden: the integer value of priority (0) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name"#,
                Deterministic,
            ),
            (
                403,
                r#"pods "x" is forbidden: no PriorityClass with name high was found"#,
                PriorityClassMissing("high"),
            ),
            (
                403,
                r#"pods "x" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"#,
                Deterministic,
            ),
            (
                403,
                r#"pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2"#,
                Deterministic,
            ),
            (
                403,
                r#"roles.rbac.authorization.k8s.io "x" is forbidden: user "u" (groups=[]) is attempting to grant RBAC permissions not currently held:"#,
                Escalation,
            ),
            (
                403,
                r#"pods is forbidden: User "u" cannot create resource "pods""#,
                Unknown,
            ),
            (404, r#"namespaces "shop" not found"#, NotFound("shop")),
            (
                422,
                r#"Service "x" is invalid: spec.ports: Required value"#,
                Deterministic,
            ),
            (500, "etcdserver: request timed out", Unavailable),
            (
                500,
                r#"conversion webhook for shop.example.com/v1, Kind=Cart failed: Post "https://c.c.svc:443/": no endpoints"#,
                Unavailable,
            ),
            (500, "Internal error occurred: something else", Unknown),
        ] {
            assert_eq!(refusal(status, message).cause(), expected, "{message}");
        }
        assert_eq!(
            read(404, b"404 page not found\n").cause(),
            AnswerCause::TypeNotServed
        );
        let terminating = json!({
            "kind": "Status", "code": 403, "message": "configmaps \"x\" is forbidden: unable to create new content",
            "details": {"causes": [{"reason": "NamespaceTerminating"}]},
        });
        assert_eq!(
            read(403, terminating.to_string().as_bytes()).cause(),
            AnswerCause::NamespaceTerminating
        );
    }

    #[test]
    fn a_failure_that_repeats_its_message_is_the_same_unless_something_is_not_available() {
        let conversion = "request to convert CR from an invalid group/version: news.example.com/v1alpha1";
        let same = |a: &str, b: &str| refusal(500, a).is_same_failure(&refusal(500, b));
        assert!(same(conversion, conversion));
        assert!(!same(conversion, "another"));
        assert!(!same("", ""));
        assert!(!same("etcdserver: leader changed", "etcdserver: leader changed"));
        assert!(!refusal(503, conversion).is_same_failure(&refusal(503, conversion)));
    }
}
