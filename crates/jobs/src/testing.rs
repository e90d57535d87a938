//! What several tests of this crate need.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;
use jiff::Timestamp;
use lifeboat_filesystem::PemSigner;
use lifeboat_model::{EnvironmentId, Epoch, JobId, ObjectKey};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ETag, Listed, ObjectInfo, ObjectStore, StoreError, Upload};

use crate::FORMAT;
use crate::document::Assignment;
use crate::keys::JobFile;
use crate::signed::sign;
use crate::work::{CheckWork, Work};

/// Returns the coordinator's key of the tests.
pub(crate) fn signer() -> PemSigner {
    let file = "../recovery-point/tests/fixtures/point-v1/keys/signing.key.pem";
    PemSigner::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Returns the environment of the tests' delegate.
pub(crate) fn environment() -> EnvironmentId {
    EnvironmentId::parse("111111111111-eu-west-1").unwrap()
}

/// Returns an assignment that checks no cluster.
pub(crate) fn assignment(job: &str, epoch: Epoch) -> Assignment {
    let job = JobId::parse(job).unwrap();
    Assignment {
        format: FORMAT,
        application: job.application(),
        job,
        epoch,
        issued_at: Timestamp::UNIX_EPOCH,
        environment: environment(),
        work: Work::Check(CheckWork {
            clusters: Vec::new(),
            cluster_tags: BTreeMap::new(),
            recovery_key: None,
        }),
    }
}

/// A store that counts what is read from it.
#[derive(Default)]
pub(crate) struct Metered {
    inner: MemoryStore,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Metered {
    /// Writes an object without counting it.
    pub(crate) fn plant(&self, key: &str, bytes: impl Into<Bytes>) {
        let key = ObjectKey::parse(key).unwrap();
        block_on(self.inner.put_new(&key, bytes.into())).unwrap();
    }

    /// Writes an assignment as the coordinator does.
    pub(crate) fn assign(&self, job: &str, epoch: Epoch) {
        let assignment = assignment(job, epoch);
        let bytes = block_on(sign(&assignment, &signer())).unwrap();
        self.plant(JobFile::Assignment(epoch).key(&assignment.job).as_str(), bytes);
    }

    /// Returns the numbers of requests and of bytes that were read, and begins anew.
    pub(crate) fn take(&self) -> (u64, u64) {
        let requests = self.requests.swap(0, Ordering::Relaxed);
        (requests, self.bytes.swap(0, Ordering::Relaxed))
    }

    fn count(&self, bytes: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

#[async_trait]
impl ObjectStore for Metered {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        self.inner.put_new(key, bytes).await
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        self.inner.replace(key, expected, bytes).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        let read = self.inner.get(key).await;
        self.count(read.as_ref().map_or(0, |(bytes, _)| bytes.len()));
        read
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let read = self.inner.get_range(key, range).await;
        self.count(read.as_ref().map_or(0, Bytes::len));
        read
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        self.count(0);
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.count(0);
        self.inner.list(prefix, after, limit).await
    }

    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.count(0);
        self.inner.list_folders_after(prefix, after, limit).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        self.inner.upload(key).await
    }
}
