//! Complete listings of a store that lists in pages.

use std::collections::BTreeMap;

use lifeboat_model::ObjectKey;

use crate::ports::{Listed, ObjectStore, StoreError};

/// The maximum number of keys in one response of S3 (Amazon S3 API Reference, `ListObjectsV2`, `max-keys`).
pub const MAX_KEYS: usize = 1000;

/// Lists all keys below a prefix.
///
/// # Errors
/// If the store fails.
pub async fn all(store: &dyn ObjectStore, prefix: &str) -> Result<Vec<Listed>, StoreError> {
    after(store, prefix, None).await
}

/// Lists all keys below a prefix that sort after `start`.
///
/// # Errors
/// If the store fails.
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

/// Returns the size in bytes of every object below a prefix, by the rest of its key.
pub async fn sizes(store: &dyn ObjectStore, prefix: &str) -> Result<BTreeMap<String, u64>, StoreError> {
    let listed = all(store, prefix).await?;
    Ok(listed
        .into_iter()
        .filter_map(|l| Some((l.key.as_str().strip_prefix(prefix)?.to_owned(), l.size)))
        .collect())
}

/// Deletes all keys below a prefix. Returns how many there were.
pub async fn delete_all(store: &dyn ObjectStore, prefix: &str) -> Result<u64, StoreError> {
    let listed = all(store, prefix).await?;
    let keys: Vec<ObjectKey> = listed.into_iter().map(|l| l.key).collect();
    for key in &keys {
        store.delete(key).await?;
    }
    Ok(keys.len() as u64)
}
