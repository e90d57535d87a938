//! The ports: everything that Lifeboat needs from outside, named for the domain.
//!
//! Each has a real adapter (the filesystem crate, later the AWS crate), a fake, and for stores a
//! failing wrapper and one conformance suite that runs against all of them.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use lifeboat_format::keys::{DataKey, Fingerprint, VerifyingKey, WrappedKey};
use lifeboat_model::{ApplicationName, ObjectKey};

pub mod key_error;
pub mod store_error;
pub mod token;

pub use key_error::KeyError;
pub use store_error::{BoxError, StoreError, StoreOperation};
pub use token::{TokenError, TokenSource};

/// Names one content of one key; a store gives a different one whenever the content differs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(String);

impl ETag {
    /// An entity tag as a store gave it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The tag as text.
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

/// What a store knows about one key without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The size in bytes.
    pub size: u64,
    /// The tag of the content.
    pub etag: ETag,
}

/// One key of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: ObjectKey,
    /// The size in bytes.
    pub size: u64,
}

/// A place for immutable objects under keys, with the few guarantees that Lifeboat builds on:
/// creation is atomic and happens once, replacement is a compare-and-swap, and a reader sees either
/// nothing or all of an object.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Creates `key` with these bytes.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where the key exists: of several concurrent calls exactly one wins.
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError>;

    /// Replaces the content of `key` if it is still the one that `expected` names.
    ///
    /// # Errors
    /// [`StoreError::Changed`] where it is not, or is gone.
    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError>;

    /// Reads all of `key`. For manifests and state, not for packs.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such key.
    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError>;

    /// Reads the bytes `range` of `key`, all of them.
    ///
    /// # Errors
    /// [`StoreError::OutOfRange`] where the object ends before the range does;
    /// [`StoreError::NotFound`] where there is no such key.
    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// Size and tag of `key`. May cost a read of the whole object; sizes alone come from [`Self::list`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such key.
    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError>;

    /// Up to `limit` keys that begin with `prefix` (plain text, it need not end at a `/`) and sort
    /// behind `after`, in byte order. Fewer than `limit` means that there are no more.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// The distinct next path segments below `prefix` (which ends with `/` or is empty) that hold at
    /// least one key, in byte order, without `/`.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Removes `key`; one that is not there counts as removed.
    ///
    /// # Errors
    /// Where the store refuses.
    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// Begins an object that is written in pieces and becomes visible when finished.
    ///
    /// # Errors
    /// May already say [`StoreError::Exists`] here; [`Upload::finish`] says so at the latest.
    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError>;
}

/// An object on its way into a store. Dropped without [`Upload::finish`], it never becomes visible.
#[async_trait]
pub trait Upload: Send {
    /// Appends bytes. Pieces of about a mebibyte suit every store.
    ///
    /// # Errors
    /// Where the store fails; the upload is then of no more use.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Makes the object visible, durably and at once.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where the key was created in the meantime; nothing is left behind.
    async fn finish(self: Box<Self>) -> Result<ETag, StoreError>;

    /// Gives the upload up and removes what it left.
    ///
    /// # Errors
    /// Where the remains cannot be removed.
    async fn abort(self: Box<Self>) -> Result<(), StoreError>;
}

/// Holds the private half of a recovery key and unwraps data keys with it.
#[async_trait]
pub trait KeyUnwrapper: Send + Sync {
    /// Which recovery key this is.
    fn fingerprint(&self) -> Fingerprint;

    /// Unwraps a data key.
    ///
    /// # Errors
    /// [`KeyError::WrongKey`] where it was wrapped for another recovery key.
    async fn unwrap_key(&self, wrapped: &WrappedKey) -> Result<DataKey, KeyError>;
}

/// Holds a private signing key: ECDSA over P-256 with SHA-256, signatures in ASN.1 DER.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The public half, so that a signature can be checked where it was made.
    fn verifying_key(&self) -> &VerifyingKey;

    /// Which signing key this is.
    fn fingerprint(&self) -> Fingerprint {
        self.verifying_key().fingerprint().clone()
    }

    /// Signs a message (which is hashed by the signer).
    ///
    /// # Errors
    /// Where the key cannot be used.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;
}

/// What time it is.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> jiff::Timestamp;
}

/// Where randomness comes from: data keys, nonces of names. Must be fit for cryptography.
pub trait Randomness: Send + Sync {
    /// Fills `bytes`.
    fn random(&self, bytes: &mut [u8]);
}

/// Proof that this process alone works on an application in a store. The lock ends with the value.
pub trait RunLock: Send + Sync {
    /// The application that is held.
    fn application(&self) -> &ApplicationName;
}
