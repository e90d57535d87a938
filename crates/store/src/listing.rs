//! Whole listings from a store that lists in pages.

use std::collections::BTreeMap;

use lifeboat_model::ObjectKey;

use crate::ports::{Listed, ObjectStore, StoreError};

/// The most keys that S3 gives in one answer (Amazon S3 API Reference, `ListObjectsV2`, `max-keys`).
pub const MAX_KEYS: usize = 1000;

/// Every key below a prefix.
///
/// # Errors
/// Where the store fails.
pub async fn all(store: &dyn ObjectStore, prefix: &str) -> Result<Vec<Listed>, StoreError> {
    after(store, prefix, None).await
}

/// Every key below a prefix that sorts after `start`.
///
/// # Errors
/// Where the store fails.
pub async fn after(
    store: &dyn ObjectStore,
    prefix: &str,
    start: Option<&str>,
) -> Result<Vec<Listed>, StoreError> {
    let mut listed: Vec<Listed> = Vec::new();
    loop {
        let after = listed.last().map(|last| last.key.as_str()).or(start);
        let page = store.list(prefix, after, MAX_KEYS).await?;
        let last = page.len() < MAX_KEYS;
        listed.extend(page);
        if last {
            return Ok(listed);
        }
    }
}

/// The sizes of everything below a prefix, by the rest of the key.
pub async fn sizes(store: &dyn ObjectStore, prefix: &str) -> Result<BTreeMap<String, u64>, StoreError> {
    let listed = all(store, prefix).await?;
    Ok(listed
        .into_iter()
        .filter_map(|l| Some((l.key.as_str().strip_prefix(prefix)?.to_owned(), l.size)))
        .collect())
}

/// Deletes every key below a prefix, and answers how many there were.
pub async fn delete_all(store: &dyn ObjectStore, prefix: &str) -> Result<u64, StoreError> {
    let listed = all(store, prefix).await?;
    let keys: Vec<ObjectKey> = listed.into_iter().map(|l| l.key).collect();
    for key in &keys {
        store.delete(key).await?;
    }
    Ok(keys.len() as u64)
}
