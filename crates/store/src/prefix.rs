//! A folder of a store as a separate store.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_format::Sha256;
use lifeboat_model::ObjectKey;

use crate::ports::{ETag, Listed, ObjectInfo, ObjectStore, StoreError, StoreOperation, Upload};

/// The folder of a scratch bucket that contains captures, with the layout of a vault.
pub const CAPTURES: &str = "captures/";

/// The part of a store below a prefix. Keys in calls and results do not include the prefix.
pub struct PrefixStore<S> {
    inner: S,
    prefix: String,
}

impl<S: AsRef<dyn ObjectStore> + Send + Sync> PrefixStore<S> {
    /// Returns the folder `prefix` (which ends with `/`) of a store as a store.
    pub fn new(inner: S, prefix: impl Into<String>) -> Self {
        Self {
            inner,
            prefix: prefix.into(),
        }
    }

    fn key(&self, operation: StoreOperation, key: &ObjectKey) -> Result<ObjectKey, StoreError> {
        ObjectKey::parse(format!("{}{key}", self.prefix)).map_err(|error| StoreError::Failed {
            operation,
            key: key.to_string(),
            source: Box::new(error),
        })
    }
}

#[async_trait]
impl<S: AsRef<dyn ObjectStore> + Send + Sync> ObjectStore for PrefixStore<S> {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        let key = self.key(StoreOperation::Create, key)?;
        self.inner.as_ref().put_new(&key, bytes).await
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        let key = self.key(StoreOperation::Replace, key)?;
        self.inner.as_ref().replace(&key, expected, bytes).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        let key = self.key(StoreOperation::Read, key)?;
        self.inner.as_ref().get(&key).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let key = self.key(StoreOperation::Read, key)?;
        self.inner.as_ref().get_range(&key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        let key = self.key(StoreOperation::Inspect, key)?;
        self.inner.as_ref().head(&key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let after = after.map(|after| format!("{}{after}", self.prefix));
        let listed = self
            .inner
            .as_ref()
            .list(&format!("{}{prefix}", self.prefix), after.as_deref(), limit)
            .await?;
        let own = |listed: Listed| {
            let key = listed.key.as_str().strip_prefix(self.prefix.as_str())?;
            Some(Listed {
                key: ObjectKey::parse(key).ok()?,
                size: listed.size,
            })
        };
        Ok(listed.into_iter().filter_map(own).collect())
    }

    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.inner
            .as_ref()
            .list_folders_after(&format!("{}{prefix}", self.prefix), after, limit)
            .await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let key = self.key(StoreOperation::Delete, key)?;
        self.inner.as_ref().delete(&key).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        let key = self.key(StoreOperation::Upload, key)?;
        self.inner.as_ref().upload(&key).await
    }

    async fn upload_verified(&self, key: &ObjectKey, sha256: Sha256) -> Result<Box<dyn Upload>, StoreError> {
        let key = self.key(StoreOperation::Upload, key)?;
        self.inner.as_ref().upload_verified(&key, sha256).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::conformance;
    use crate::memory::MemoryStore;

    #[test]
    fn a_folder_of_a_store_is_a_store() {
        futures::executor::block_on(conformance::all(&|| {
            let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
            Box::new(PrefixStore::new(store, CAPTURES))
        }));
    }
}
