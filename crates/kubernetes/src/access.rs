//! May we read everything? Asked by reading: one item of each type that discovery shows.
//!
//! A `SelfSubjectRulesReview` is only a guess where other authorizers than RBAC take part (its field
//! `incomplete` says so, <https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/>),
//! and says nothing about aggregated APIs. A real list is the truth, and costs one small answer for each type.

use futures::StreamExt as _;
use lifeboat_model::TypeName;
use serde::de::IgnoredAny;

use crate::api::{Api, ApiError};
use crate::capture::{grant, whoami};
use crate::discovery::DiscoveryError;

/// How many types are asked for at a time.
const CONCURRENCY: usize = 8;

/// A type that may not be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The type.
    pub r#type: TypeName,
    /// The command that lets us list it, for whoever may grant that.
    pub command: String,
}

/// Every type that we may not list in the whole cluster, sorted. Types whose API is not available are not
/// among them: that is no matter of permission, and a capture names them.
///
/// # Errors
/// Where discovery fails, or the server does not know us any more.
pub async fn unreadable(api: &Api) -> Result<Vec<Unreadable>, DiscoveryError> {
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
    forbidden.sort();
    let user = if forbidden.is_empty() {
        None
    } else {
        whoami(api).await
    };
    let unreadable = forbidden.into_iter().map(|r#type| Unreadable {
        command: grant(r#type.as_str(), None, user.as_deref()),
        r#type,
    });
    Ok(unreadable.collect())
}
