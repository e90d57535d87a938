//! Buckets that throttle, lose responses after the effect, or return a stale list.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_model::ObjectKey;
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ETag, Listed, ObjectInfo, ObjectStore, StoreError, StoreOperation, Upload};

use crate::rng::Shared;

/// On average one in this many calls is throttled, and one in this many loses its response.
const SELDOM: u64 = 60;

pub(crate) struct Bucket {
    pub(crate) inner: MemoryStore,
    pub(crate) shared: Arc<Shared>,
    /// Whether the Region of the bucket is impaired: no request is answered then.
    pub(crate) dead: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Simulated(&'static str);

impl Bucket {
    async fn around<T>(
        &self,
        operation: StoreOperation,
        key: &str,
        effect: bool,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let fail = |why| StoreError::Unavailable {
            operation,
            key: key.to_owned(),
            source: Box::new(Simulated(why)),
        };
        // At every call other processes may run, or the caller may die.
        while self.dead.load(Ordering::Relaxed) {
            self.shared.sleep(60).await;
        }
        self.shared.step().await;
        if self.shared.fault(SELDOM) {
            return Err(fail("slow down"));
        }
        let answer = call.await?;
        if effect {
            self.shared.step().await;
            if self.shared.fault(SELDOM) {
                return Err(fail("the connection was lost"));
            }
        }
        Ok(answer)
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        let call = self.inner.put_new(key, bytes);
        self.around(StoreOperation::Create, key.as_str(), true, call)
            .await
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        let call = self.inner.replace(key, expected, bytes);
        self.around(StoreOperation::Replace, key.as_str(), true, call)
            .await
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        self.around(StoreOperation::Read, key.as_str(), false, self.inner.get(key))
            .await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let call = self.inner.get_range(key, range);
        self.around(StoreOperation::Read, key.as_str(), false, call).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        self.around(StoreOperation::Inspect, key.as_str(), false, self.inner.head(key))
            .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let call = self.inner.list(prefix, after, limit);
        self.around(StoreOperation::List, prefix, false, call).await
    }

    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let call = self.inner.list_folders_after(prefix, after, limit);
        self.around(StoreOperation::List, prefix, false, call).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.around(StoreOperation::Delete, key.as_str(), true, self.inner.delete(key))
            .await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(Sending {
            bucket: Self {
                inner: self.inner.clone(),
                shared: Arc::clone(&self.shared),
                dead: Arc::clone(&self.dead),
            },
            key: key.clone(),
            bytes: Vec::new(),
        }))
    }
}

struct Sending {
    bucket: Bucket,
    key: ObjectKey,
    bytes: Vec<u8>,
}

#[async_trait]
impl Upload for Sending {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<ETag, StoreError> {
        let Self { bucket, key, bytes } = *self;
        bucket.put_new(&key, bytes.into()).await
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The prefix of a list request and the key that it starts after.
type Request = (String, Option<String>);

/// Lists the folder of a job as it was at the first list. S3 does not, but a process that is suspended
/// between a list and a write acts on the same stale list.
pub(crate) struct StaleListings {
    inner: Arc<dyn ObjectStore>,
    seen: Mutex<BTreeMap<Request, Vec<Listed>>>,
}

impl StaleListings {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            seen: Mutex::default(),
        }
    }
}

/// The number of slashes in the prefix of a job's folder: `jobs/<application>/<job>/`.
const SLASHES_OF_A_JOB: usize = 3;

#[async_trait]
impl ObjectStore for StaleListings {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        self.inner.put_new(key, bytes).await
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        self.inner.replace(key, expected, bytes).await
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
        let place = (prefix.to_owned(), after.map(str::to_owned));
        if let Some(seen) = self.seen.lock().unwrap().get(&place) {
            return Ok(seen.clone());
        }
        let listed = self.inner.list(prefix, after, limit).await?;
        if prefix.matches('/').count() == SLASHES_OF_A_JOB {
            self.seen.lock().unwrap().insert(place, listed.clone());
        }
        Ok(listed)
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
        self.inner.delete(key).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        self.inner.upload(key).await
    }
}
