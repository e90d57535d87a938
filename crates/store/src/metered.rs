//! A store that records what is read from it.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_format::Sha256;
use lifeboat_model::ObjectKey;

use crate::memory::MemoryStore;
use crate::ports::{ETag, Listed, ObjectInfo, ObjectStore, StoreError, Upload};

/// A request that reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The key, or the prefix of a listing.
    pub key: String,
    /// The number of bytes of the object that were read; 0 if the request failed or reads no content.
    pub bytes: u64,
}

/// A [`MemoryStore`] that records the requests that read. Its clones share the objects and the record.
#[derive(Clone, Default)]
pub struct MeteredStore {
    inner: MemoryStore,
    reads: Arc<Mutex<Vec<Read>>>,
}

impl MeteredStore {
    /// Returns the store itself, through which nothing is recorded.
    #[must_use]
    pub fn inner(&self) -> &MemoryStore {
        &self.inner
    }

    /// Returns the reads since the last call.
    #[must_use]
    pub fn take_reads(&self) -> Vec<Read> {
        std::mem::take(&mut self.reads())
    }

    fn reads(&self) -> MutexGuard<'_, Vec<Read>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, key: &str, bytes: usize) {
        self.reads().push(Read {
            key: key.to_owned(),
            bytes: bytes as u64,
        });
    }
}

#[async_trait]
impl ObjectStore for MeteredStore {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        self.inner.put_new(key, bytes).await
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        self.inner.replace(key, expected, bytes).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        let read = self.inner.get(key).await;
        self.record(key.as_str(), read.as_ref().map_or(0, |(bytes, _)| bytes.len()));
        read
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let read = self.inner.get_range(key, range).await;
        self.record(key.as_str(), read.as_ref().map_or(0, Bytes::len));
        read
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        self.record(key.as_str(), 0);
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.record(prefix, 0);
        self.inner.list(prefix, after, limit).await
    }

    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.record(prefix, 0);
        self.inner.list_folders_after(prefix, after, limit).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        self.inner.upload(key).await
    }

    async fn upload_verified(&self, key: &ObjectKey, sha256: Sha256) -> Result<Box<dyn Upload>, StoreError> {
        self.inner.upload_verified(key, sha256).await
    }
}
