//! The ports: everything that Lifeboat needs from outside, in terms of the domain.
//!
//! Each port has a real adapter (in the filesystem and AWS crates) and a fake. Stores also have a failing
//! wrapper and one conformance suite that runs against all of them.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_format::Sha256;
use lifeboat_format::keys::{DataKey, Fingerprint, VerifyingKey, WrappedKey};
use lifeboat_model::{ApplicationName, ObjectKey};

use crate::listing::MAX_KEYS;
use crate::verified::VerifiedUpload;

pub mod key_error;
pub mod store_error;
pub mod token;

pub use key_error::KeyError;
pub use store_error::{BoxError, StoreError, StoreOperation};
pub use token::{TokenError, TokenSource};

/// An entity tag: identifies one content of one key. A store returns a different tag whenever the content
/// differs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(String);

impl ETag {
    /// Creates an entity tag from the text that a store returned.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The size and tag of an object, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The size in bytes.
    pub size: u64,
    /// The tag of the content.
    pub etag: ETag,
    /// The digest of the content, if the store recorded it when the object was created
    /// ([`ObjectStore::upload_verified`]).
    pub sha256: Option<Sha256>,
}

/// One key of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: ObjectKey,
    /// The size in bytes.
    pub size: u64,
}

/// A store of immutable objects under keys, with the guarantees that Lifeboat needs: creation is atomic and
/// happens once, replacement is a compare-and-swap, and a reader sees either the complete object or none.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Creates `key` with these bytes.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if the key exists. Exactly one of several concurrent calls succeeds.
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError>;

    /// Replaces the content of `key` if its current tag is `expected`.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if the tag differs or the key no longer exists.
    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError>;

    /// Reads the whole object. Intended for manifests and state, not for packs.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the key does not exist.
    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError>;

    /// Reads exactly the bytes `range` of `key`.
    ///
    /// # Errors
    /// [`StoreError::OutOfRange`] if the object ends before the range does; [`StoreError::NotFound`] if the
    /// key does not exist.
    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// Returns the size and tag of `key`. May read the whole object; use [`Self::list`] if only sizes are
    /// needed.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the key does not exist.
    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError>;

    /// Lists up to `limit` keys that begin with `prefix` (plain text that need not end with `/`) and sort
    /// after `after`, in byte order. Fewer than `limit` keys mean that there are no more.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// Lists the distinct next path segments below `prefix` (which ends with `/` or is empty) that contain at
    /// least one key, in the order of their keys, without `/`.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let mut found: Vec<String> = Vec::new();
        loop {
            let page = self
                .list_folders_after(prefix, found.last().map(String::as_str), MAX_KEYS)
                .await?;
            let is_last = page.len() < MAX_KEYS;
            found.extend(page);
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Lists up to `limit` of the segments that [`Self::list_folders`] lists and that follow `after`. Fewer than `limit`
    /// mean that there are no more.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError>;

    /// Removes `key`. Succeeds if it does not exist.
    ///
    /// # Errors
    /// If the store refuses.
    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// Begins an object that is written in pieces and becomes visible when it is finished.
    ///
    /// # Errors
    /// May return [`StoreError::Exists`]; [`Upload::finish`] returns it at the latest.
    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError>;

    /// Begins an object whose content is known by its digest. [`Upload::finish`] refuses any other content. A store that
    /// can record the digest beside the object returns it from [`Self::head`], so that the object need not be read
    /// again to be believed.
    ///
    /// # Errors
    /// As [`Self::upload`].
    async fn upload_verified(&self, key: &ObjectKey, sha256: Sha256) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(VerifiedUpload::new(
            self.upload(key).await?,
            key,
            sha256,
        )))
    }
}

/// An upload of an object to a store. The object never becomes visible if the upload is dropped without
/// [`Upload::finish`].
#[async_trait]
pub trait Upload: Send {
    /// Appends bytes. Pieces of about 1 MiB are suitable for every store.
    ///
    /// # Errors
    /// If the store fails; the upload cannot be used after that.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Makes the object visible, atomically and durably.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if the key was created in the meantime, [`StoreError::OtherContent`] if the content has
    /// another digest than was announced; nothing is left behind.
    async fn finish(self: Box<Self>) -> Result<ETag, StoreError>;

    /// Aborts the upload and removes what it has written.
    ///
    /// # Errors
    /// If the written data cannot be removed.
    async fn abort(self: Box<Self>) -> Result<(), StoreError>;
}

/// The private half of a recovery key, which unwraps data keys.
#[async_trait]
pub trait KeyUnwrapper: Send + Sync {
    /// Returns the fingerprint of the recovery key.
    fn fingerprint(&self) -> Fingerprint;

    /// Unwraps a data key.
    ///
    /// # Errors
    /// [`KeyError::WrongKey`] if it was wrapped for another recovery key.
    async fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<DataKey, KeyError>;
}

/// A private signing key: ECDSA over P-256 with SHA-256, signatures in ASN.1 DER.
#[async_trait]
pub trait Signer: Send + Sync {
    /// Returns the public half, so that a signature can be verified where it was made.
    fn verifying_key(&self) -> &VerifyingKey;

    /// Returns the fingerprint of the signing key.
    fn fingerprint(&self) -> Fingerprint {
        self.verifying_key().fingerprint().clone()
    }

    /// Signs a message. The signer computes the hash.
    ///
    /// # Errors
    /// If the key cannot be used.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;
}

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> jiff::Timestamp;
}

/// A timer, for limits on the time that a caller waits.
#[async_trait]
pub trait Timer: Send + Sync {
    /// Waits for `duration`.
    async fn sleep(&self, duration: std::time::Duration);
}

/// A cryptographically secure source of random bytes, for data keys and unique names.
pub trait Randomness: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn random(&self, bytes: &mut [u8]);
}

/// Proof that only this process works on an application in a store. The lock is released when the value is
/// dropped.
pub trait RunLock: Send + Sync {
    /// Returns the application that is locked.
    fn application(&self) -> &ApplicationName;
}
