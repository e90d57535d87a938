//! Checks the caller's permissions: for reads by listing one item of each type that discovery shows, for
//! writes by asking the server's authorizers about each type.
//!
//! A `SelfSubjectRulesReview` is incomplete if authorizers other than RBAC are configured (its field
//! `incomplete` says so,
//! <https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/>),
//! and does not cover aggregated APIs. A list request is exact, and costs one small response for each type.
//! Writes cannot be tried and are checked by `SelfSubjectAccessReview`, which all authorizers answer.

use futures::StreamExt as _;
use lifeboat_model::TypeName;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::api::{Api, ApiError};
use crate::discovery::{DiscoveredType, DiscoveryError};

/// The number of concurrent requests.
const CONCURRENCY: usize = 8;

/// Missing permissions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Denied {
    /// The types without permission, sorted.
    pub types: Vec<TypeName>,
    /// The caller's user name in the cluster, if a permission is missing and the server reports the name.
    pub user: Option<String>,
}

impl Denied {
    async fn of(api: &Api, mut types: Vec<TypeName>) -> Self {
        types.sort();
        types.dedup();
        let user = if types.is_empty() { None } else { whoami(api).await };
        Self { types, user }
    }
}

/// Returns the caller's user name in the cluster; `None` if the server does not report it (before Kubernetes
/// 1.28).
pub async fn user(api: &Api) -> Option<String> {
    whoami(api).await
}

/// Returns every type that the caller may not list in the whole cluster. Types whose API is unavailable are
/// not included: this is not a matter of permission, and a capture reports them.
///
/// # Errors
/// If discovery fails, or the server no longer accepts the credentials.
pub async fn denied_reads(api: &Api) -> Result<Denied, DiscoveryError> {
    let discovery = api.discover().await?;
    let listable = discovery.types.iter().filter(|known| known.is_listable());
    let asked = listable.map(|known| async move {
        let path = format!("{}?limit=1", known.resource.path_in(None));
        let answer: Result<IgnoredAny, ApiError> = api.get_json(&path).await;
        (known.resource.name(), answer)
    });
    let answers: Vec<_> = futures::stream::iter(asked)
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let mut forbidden = Vec::new();
    for (name, answer) in answers {
        match answer {
            Err(ApiError::Refused(refusal)) if refusal.status == 403 => forbidden.push(name),
            Err(ApiError::Refused(refusal)) if refusal.status == 401 => {
                return Err(ApiError::Refused(refusal).into());
            }
            _ => {}
        }
    }
    Ok(Denied::of(api, forbidden).await)
}

/// Reports whether the caller may do everything in the cluster.
///
/// # Errors
/// If the server does not respond.
pub async fn may_do_everything(api: &Api) -> Result<bool, ApiError> {
    let everything = Attributes {
        group: "*",
        resource: "*",
        verb: "*",
    };
    allowed(api, &everything).await
}

/// Returns every type that the caller may not create and change in the whole cluster. Roles are included if
/// the caller may not grant permissions that it does not have itself: RBAC rejects such roles and bindings.
///
/// # Errors
/// If discovery fails, or the server does not respond.
pub async fn denied_writes(api: &Api) -> Result<Denied, DiscoveryError> {
    // The usual case, with one request.
    if may_do_everything(api).await? {
        return Ok(Denied::default());
    }
    let discovery = api.discover().await?;
    let asked: Vec<_> = (discovery.types.iter())
        .flat_map(|known| verbs(known).into_iter().map(move |verb| (known, verb)))
        .collect();
    let mut answers = futures::stream::iter(asked.into_iter().map(|(known, verb)| async move {
        let attributes = Attributes {
            group: &known.resource.group,
            resource: &known.resource.resource,
            verb,
        };
        (known, allowed(api, &attributes).await)
    }))
    .buffer_unordered(CONCURRENCY);
    let mut denied = Vec::new();
    while let Some((known, answer)) = answers.next().await {
        if !answer? {
            denied.push(known.resource.name());
        }
    }
    Ok(Denied::of(api, denied).await)
}

/// Returns the verbs that a restore needs for a type. Types that cannot be created are left to their
/// controllers.
fn verbs(known: &DiscoveredType) -> Vec<&'static str> {
    const ROLES: &[&str] = &["clusterroles", "roles"];
    let serves = |verb: &str| known.preferred().has_verb(verb);
    let mut verbs = Vec::new();
    if known.is_listable() && serves("create") {
        verbs.extend(["create", "patch"].into_iter().filter(|verb| serves(verb)));
    }
    let resource = &known.resource;
    if resource.group == "rbac.authorization.k8s.io" && ROLES.contains(&resource.resource.as_str()) {
        verbs.extend(["bind", "escalate"]);
    }
    verbs
}

struct Attributes<'a> {
    group: &'a str,
    resource: &'a str,
    verb: &'a str,
}

async fn allowed(api: &Api, attributes: &Attributes<'_>) -> Result<bool, ApiError> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        allowed: bool,
    }
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "group": attributes.group, "resource": attributes.resource, "verb": attributes.verb,
        }},
    });
    let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(review.to_string().into())
        .expect("a constant request is well formed");
    let review: Review = api.request(request).await?.json()?;
    Ok(review.status.allowed)
}

/// Returns the user name that the server authenticates, for the command that grants a permission.
pub async fn whoami(api: &Api) -> Option<String> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        user_info: User,
    }
    #[derive(Deserialize)]
    struct User {
        username: String,
    }
    let request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#.into())
        .expect("a constant request is well formed");
    let review: Review = api.request(request).await.ok()?.json().ok()?;
    Some(review.status.user_info.username)
}
