//! A store that refuses every write.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_model::ObjectKey;

use crate::ports::{ETag, Listed, ObjectInfo, ObjectStore, StoreError, StoreOperation, Upload};

/// A store whose objects can be read and not changed. Commands that only read use it, so that no fault of theirs can
/// change a vault, whatever their credentials allow.
pub struct ReadOnlyStore<S> {
    inner: S,
}

/// The cause of a refused write.
#[derive(Debug, thiserror::Error)]
#[error("the store is opened for reading only")]
struct OnlyReads;

impl<S: ObjectStore> ReadOnlyStore<S> {
    /// Returns a store that reads from `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

fn refused<T>(operation: StoreOperation, key: &ObjectKey) -> Result<T, StoreError> {
    Err(StoreError::Denied {
        operation,
        key: key.to_string(),
        source: OnlyReads.into(),
    })
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for ReadOnlyStore<S> {
    async fn put_new(&self, key: &ObjectKey, _: Bytes) -> Result<ETag, StoreError> {
        refused(StoreOperation::Create, key)
    }

    async fn replace(&self, key: &ObjectKey, _: &ETag, _: Bytes) -> Result<ETag, StoreError> {
        refused(StoreOperation::Replace, key)
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        self.inner.get(key).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.inner.get_range(key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(prefix, after, limit).await
    }

    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.inner.list_folders_after(prefix, after, limit).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        refused(StoreOperation::Delete, key)
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        refused(StoreOperation::Upload, key)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lifeboat_model::{Code, Diagnostic as _};

    use super::*;
    use crate::memory::MemoryStore;

    #[test]
    fn a_store_that_is_only_read_gives_what_is_there_and_takes_nothing() {
        let inner = MemoryStore::new();
        let key = |text: &str| ObjectKey::parse(text).unwrap();
        futures::executor::block_on(async {
            let tag = inner.put_new(&key("a/b"), Bytes::from("12345")).await.unwrap();
            let before = inner.contents();
            let store = ReadOnlyStore::new(inner.clone());
            assert_eq!(store.get(&key("a/b")).await.unwrap().0, "12345");
            assert_eq!(store.get_range(&key("a/b"), 1..3).await.unwrap(), "23");
            assert_eq!(store.head(&key("a/b")).await.unwrap().size, 5);
            assert_eq!(store.list("a/", None, 10).await.unwrap().len(), 1);
            assert_eq!(store.list_folders("").await.unwrap(), ["a"]);

            let denied = [
                store.put_new(&key("c"), Bytes::new()).await.unwrap_err(),
                store.replace(&key("a/b"), &tag, Bytes::new()).await.unwrap_err(),
                store.delete(&key("a/b")).await.unwrap_err(),
                store.upload(&key("c")).await.map(drop).unwrap_err(),
            ];
            for error in denied {
                assert_eq!(error.code(), Code::StoreDenied, "{error}");
            }
            assert_eq!(inner.contents(), before);
        });
    }
}
