//! A store whose process is killed at a chosen call, as in a crash, a power failure or a killed Lambda
//! function.
//!
//! Every call with an effect is counted, including each piece of an upload. At the chosen call the process is
//! considered dead: the call has no effect, its full effect or half of it, and fails. Every later call fails,
//! including reads, and unfinished uploads are not aborted. Running an operation once with a fault at each of
//! its calls is an exhaustive crash test.

use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_model::ObjectKey;

use crate::ports::{ETag, Listed, ObjectInfo, ObjectStore, StoreError, StoreOperation, Upload};

/// How much of the fatal call takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing: the process was killed before the call reached the store.
    Before,
    /// Everything, but the caller does not receive the result.
    After,
    /// Half of the bytes of a write. Calls that are atomic by contract leave the half as leftover data that
    /// is not visible; calls without bytes have no effect.
    Torn,
}

impl Moment {
    /// All moments, for exhaustive tests.
    pub const ALL: [Self; 3] = [Self::Before, Self::After, Self::Torn];
}

/// The call at which the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    call: u64,
    moment: Moment,
}

impl Fault {
    /// Kills the process at the call with this number. The first call with an effect is number 0.
    #[must_use]
    pub fn at(call: u64, moment: Moment) -> Self {
        Self { call, moment }
    }
}

#[derive(Debug, Default)]
struct FaultPlan {
    fault: Option<Fault>,
    calls: AtomicU64,
    dead: AtomicBool,
}

/// The error of every call after the process was killed.
#[derive(Debug, thiserror::Error)]
#[error("the process was killed here by a test")]
struct Killed;

impl FaultPlan {
    fn alive(&self, operation: StoreOperation, key: &str) -> Result<(), StoreError> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(killed(operation, key));
        }
        Ok(())
    }

    /// Counts a call with an effect. Returns the moment if it is the fatal call.
    fn effect(&self, operation: StoreOperation, key: &str) -> Result<Option<Moment>, StoreError> {
        self.alive(operation, key)?;
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Some(fault) if fault.call == call => {
                self.dead.store(true, Ordering::SeqCst);
                Ok(Some(fault.moment))
            }
            _ => Ok(None),
        }
    }
}

fn killed(operation: StoreOperation, key: &str) -> StoreError {
    StoreError::Failed {
        operation,
        key: key.to_owned(),
        source: Box::new(Killed),
    }
}

/// A store whose process is killed at a chosen call.
pub struct FailingStore<S> {
    inner: S,
    faults: Arc<FaultPlan>,
}

impl<S: ObjectStore> FailingStore<S> {
    /// Wraps a store; the process is killed at `fault`.
    pub fn new(inner: S, fault: Fault) -> Self {
        let faults = FaultPlan {
            fault: Some(fault),
            ..FaultPlan::default()
        };
        Self {
            inner,
            faults: Arc::new(faults),
        }
    }

    /// Wraps a store without a fault and counts the calls with an effect, so that a test can enumerate the
    /// faults.
    pub fn counting(inner: S) -> Self {
        Self {
            inner,
            faults: Arc::default(),
        }
    }

    /// Returns the number of calls with an effect, including the fatal one.
    pub fn calls(&self) -> u64 {
        self.faults.calls.load(Ordering::SeqCst)
    }

    /// Whether the fault has occurred.
    pub fn is_crashed(&self) -> bool {
        self.faults.dead.load(Ordering::SeqCst)
    }

    /// Leaves half of `bytes` in an upload that is never finished.
    async fn tear(&self, key: &ObjectKey, bytes: &Bytes) {
        if let Ok(mut upload) = self.inner.upload(key).await {
            // Best effort: a store that refuses the write leaves even less behind.
            let _ = upload.write(bytes.slice(..bytes.len() / 2)).await;
            mem::forget(upload);
        }
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for FailingStore<S> {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        match self.faults.effect(StoreOperation::Create, key.as_str())? {
            None => return self.inner.put_new(key, bytes).await,
            Some(Moment::Before) => {}
            Some(Moment::After) => drop(self.inner.put_new(key, bytes).await?),
            Some(Moment::Torn) => self.tear(key, &bytes).await,
        }
        Err(killed(StoreOperation::Create, key.as_str()))
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        match self.faults.effect(StoreOperation::Replace, key.as_str())? {
            None => return self.inner.replace(key, expected, bytes).await,
            Some(Moment::Before) => {}
            Some(Moment::After) => drop(self.inner.replace(key, expected, bytes).await?),
            Some(Moment::Torn) => self.tear(key, &bytes).await,
        }
        Err(killed(StoreOperation::Replace, key.as_str()))
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        self.faults.alive(StoreOperation::Read, key.as_str())?;
        self.inner.get(key).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.faults.alive(StoreOperation::Read, key.as_str())?;
        self.inner.get_range(key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        self.faults.alive(StoreOperation::Inspect, key.as_str())?;
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.faults.alive(StoreOperation::List, prefix)?;
        self.inner.list(prefix, after, limit).await
    }

    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.faults.alive(StoreOperation::List, prefix)?;
        self.inner.list_folders_after(prefix, after, limit).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        match self.faults.effect(StoreOperation::Delete, key.as_str())? {
            None => return self.inner.delete(key).await,
            Some(Moment::Before | Moment::Torn) => {}
            Some(Moment::After) => self.inner.delete(key).await?,
        }
        Err(killed(StoreOperation::Delete, key.as_str()))
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        let moment = self.faults.effect(StoreOperation::Upload, key.as_str())?;
        if moment == Some(Moment::After) {
            mem::forget(self.inner.upload(key).await?);
        }
        if moment.is_some() {
            return Err(killed(StoreOperation::Upload, key.as_str()));
        }
        Ok(Box::new(FailingUpload {
            inner: Some(self.inner.upload(key).await?),
            key: key.to_string(),
            faults: Arc::clone(&self.faults),
        }))
    }
}

struct FailingUpload {
    /// Present until the upload ends.
    inner: Option<Box<dyn Upload>>,
    key: String,
    faults: Arc<FaultPlan>,
}

impl FailingUpload {
    fn take(&mut self) -> Box<dyn Upload> {
        self.inner.take().expect("an upload ends once, by value")
    }
}

impl Drop for FailingUpload {
    fn drop(&mut self) {
        // A killed process does not clean up.
        if self.faults.dead.load(Ordering::SeqCst) {
            mem::forget(self.inner.take());
        }
    }
}

#[async_trait]
impl Upload for FailingUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let moment = self.faults.effect(StoreOperation::Upload, &self.key)?;
        let inner = self.inner.as_mut().expect("an upload ends once, by value");
        match moment {
            None => return inner.write(bytes).await,
            Some(Moment::Before) => {}
            Some(Moment::After) => inner.write(bytes).await?,
            Some(Moment::Torn) => inner.write(bytes.slice(..bytes.len() / 2)).await?,
        }
        Err(killed(StoreOperation::Upload, &self.key))
    }

    async fn finish(mut self: Box<Self>) -> Result<ETag, StoreError> {
        let moment = self.faults.effect(StoreOperation::Finish, &self.key)?;
        match moment {
            None => return self.take().finish().await,
            Some(Moment::Before | Moment::Torn) => {}
            Some(Moment::After) => drop(self.take().finish().await?),
        }
        Err(killed(StoreOperation::Finish, &self.key))
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        let moment = self.faults.effect(StoreOperation::Abort, &self.key)?;
        match moment {
            None => return self.take().abort().await,
            Some(Moment::Before | Moment::Torn) => {}
            Some(Moment::After) => self.take().abort().await?,
        }
        Err(killed(StoreOperation::Abort, &self.key))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use futures::executor::block_on;

    use super::*;
    use crate::conformance;
    use crate::memory::MemoryStore;

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).unwrap()
    }

    #[test]
    fn a_wrapper_without_a_fault_conforms() {
        block_on(conformance::all(&|| {
            Box::new(FailingStore::counting(MemoryStore::new()))
        }));
    }

    #[test]
    fn after_its_death_a_store_answers_nothing() {
        for (moment, visible) in [(Moment::Before, 1), (Moment::After, 2), (Moment::Torn, 1)] {
            let memory = MemoryStore::new();
            let store = FailingStore::new(memory.clone(), Fault::at(1, moment));
            block_on(async {
                store.put_new(&key("a"), Bytes::from_static(b"a")).await.unwrap();
                store
                    .put_new(&key("b"), Bytes::from_static(b"b"))
                    .await
                    .unwrap_err();
                assert!(store.is_crashed());
                store.get(&key("a")).await.unwrap_err();
                store.list("", None, 10).await.unwrap_err();
                store.put_new(&key("c"), Bytes::new()).await.unwrap_err();
            });
            assert_eq!(memory.contents().len(), visible, "{moment:?}");
        }
    }

    #[test]
    fn an_upload_counts_each_of_its_calls() {
        let store = FailingStore::counting(MemoryStore::new());
        block_on(async {
            let mut upload = store.upload(&key("a")).await.unwrap();
            upload.write(Bytes::from_static(b"a")).await.unwrap();
            upload.write(Bytes::from_static(b"b")).await.unwrap();
            upload.finish().await.unwrap();
        });
        assert_eq!(store.calls(), 4);
    }
}
