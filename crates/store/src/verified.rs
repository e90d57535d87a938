//! Uploads of a content that is known by its digest.

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_format::{Hasher, Sha256};
use lifeboat_model::ObjectKey;

use crate::ports::{ETag, StoreError, Upload};

/// An upload that is finished only if its content has the announced digest.
pub struct VerifiedUpload {
    inner: Box<dyn Upload>,
    key: String,
    expected: Sha256,
    hasher: Hasher,
}

impl VerifiedUpload {
    /// Wraps an upload of `key`.
    #[must_use]
    pub fn new(inner: Box<dyn Upload>, key: &ObjectKey, expected: Sha256) -> Self {
        Self {
            inner,
            key: key.to_string(),
            expected,
            hasher: Hasher::default(),
        }
    }
}

#[async_trait]
impl Upload for VerifiedUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.hasher.update(&bytes);
        self.inner.write(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<ETag, StoreError> {
        let Self {
            inner,
            key,
            expected,
            hasher,
        } = *self;
        let found = hasher.finish();
        if found == expected {
            return inner.finish().await;
        }
        // Best effort: an upload that is not finished never becomes visible.
        drop(inner.abort().await);
        Err(StoreError::OtherContent { key, expected, found })
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        self.inner.abort().await
    }
}
