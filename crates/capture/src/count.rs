//! Counts the objects of a cluster before a capture.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use lifeboat_recovery_point::cursor::TypeCounts;
use serde::Deserialize;

use super::{CONCURRENCY, CaptureError, CaptureOptions, prepare};
use lifeboat_apiserver::api::{Api, ApiError};

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    items: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    remaining_item_count: u64,
}

/// Counts the objects of each type that a capture with these options would list. Each type is listed with `limit=1`
/// at one resourceVersion, and `remainingItemCount` is added. A type that cannot be counted is left out; the capture
/// reports the reason. Filters on objects are not applied, so the counts may be too high. Returns `None` if the
/// server returns no resourceVersion.
///
/// # Errors
/// As [`super::capture`], if nothing can be read at all.
pub async fn count(api: &Api, options: &CaptureOptions) -> Result<Option<TypeCounts>, CaptureError> {
    let plan = prepare(api, options, None).await?;
    let Some(version) = plan.pinned().map(str::to_owned) else {
        return Ok(None);
    };
    let resources = plan.jobs().map(|job| &job.resource).chain(plan.waiting());
    let asked = resources.map(|resource| {
        let path = format!(
            "{}?limit=1&resourceVersion={version}&resourceVersionMatch=Exact",
            resource.collection_path()
        );
        async move {
            let answer: Result<List, ApiError> = api.get_json(&path).await;
            (resource.name(), answer)
        }
    });
    let answers: Vec<_> = futures::stream::iter(asked)
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let mut types = BTreeMap::new();
    for (name, answer) in answers {
        match answer {
            Ok(list) => {
                let count = list.items.len() as u64 + list.metadata.remaining_item_count;
                if count > 0 {
                    types.insert(name, count);
                }
            }
            Err(ApiError::Refused(refusal)) if refusal.status == 401 => {
                return Err(ApiError::Refused(refusal).into());
            }
            Err(error) => tracing::debug!(r#type = %name, %error, "not counted"),
        }
    }
    Ok(Some(TypeCounts {
        resource_version: version,
        types,
    }))
}
