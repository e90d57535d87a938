//! May we do everything that is needed? Asked by reading: one item of each type that discovery shows; and,
//! where things are to be written, by asking the server's authorizers about each type.
//!
//! A `SelfSubjectRulesReview` is only a guess where other authorizers than RBAC take part (its field
//! `incomplete` says so, <https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/>),
//! and says nothing about aggregated APIs. A real list is the truth, and costs one small answer for each type.
//! What is not to be done for a trial, to write, is asked by `SelfSubjectAccessReview`: all authorizers answer it.

use futures::StreamExt as _;
use lifeboat_model::TypeName;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::api::{Api, ApiError};
use crate::discovery::{DiscoveredType, DiscoveryError};

/// How many questions are asked at a time.
const CONCURRENCY: usize = 8;

/// What we may not do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Denied {
    /// The types that it is about, sorted.
    pub types: Vec<TypeName>,
    /// Who we are in the cluster, where it tells and anything is missing.
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

/// The name that the cluster gives us; none where it does not tell (before Kubernetes 1.28).
pub async fn user(api: &Api) -> Option<String> {
    whoami(api).await
}

/// Every type that we may not list in the whole cluster. Types whose API is not available are not among them:
/// that is no matter of permission, and a capture names them.
///
/// # Errors
/// Where discovery fails, or the server does not know us any more.
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

/// Every type that we may not create and change in the whole cluster. Roles are among them where we may not
/// give rights that we have not ourselves: RBAC refuses to create such roles and bindings.
///
/// # Errors
/// Where discovery fails, or the server does not answer.
pub async fn denied_writes(api: &Api) -> Result<Denied, DiscoveryError> {
    let everything = Attributes {
        group: "*",
        resource: "*",
        verb: "*",
    };
    // The usual case, and one question.
    if allowed(api, &everything).await? {
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

/// What a restore does with objects of a type. What cannot be created is made by its controllers.
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

/// Who the server takes us for, for the command that grants a permission.
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
