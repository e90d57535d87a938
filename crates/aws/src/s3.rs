//! A store in an S3 bucket.
//!
//! The behavior of S3 that it relies on, and where AWS documents it:
//! - Reads after writes are strongly consistent, and so are listings
//!   (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>).
//! - `PutObject` and `CompleteMultipartUpload` with `If-None-Match: *` create a key once: of several writers one
//!   succeeds, and the others get 412, or 409 while the first write is in progress. With `If-Match` an object is
//!   replaced only if its entity tag is unchanged
//!   (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
//! - A multipart upload is invisible until it is completed, and its parts are kept, and billed, until it is completed
//!   or aborted. A process that is killed cannot abort it: the bucket needs a lifecycle rule
//!   `AbortIncompleteMultipartUpload`
//!   (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html>).
//! - A role without the permission to list a bucket gets 403 instead of 404 for a key that does not exist
//!   (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>, permissions): every user of a store needs
//!   `s3:ListBucket` for its prefixes.
//!
//! Transfers are checked with CRC-32, the SDK's default: S3 verifies what it receives, and the SDK verifies what it
//! receives from S3. The SHA-256 digests in signed manifests verify that the content is the expected one. S3 has no
//! SHA-256 of an object that was uploaded in parts, only of the list of its parts: an upload with an announced digest
//! checks it before it is completed, and records it in the object's metadata, which only who writes the object can set.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use lifeboat_format::Sha256;
use lifeboat_model::{AccountId, ObjectKey};
use lifeboat_store::ports::{
    ETag, Listed, ObjectInfo, ObjectStore, Randomness, StoreError, StoreOperation, Upload,
};
use lifeboat_store::verified::VerifiedUpload;

use crate::{AwsContext, AwsError};

mod error;
mod listing;
mod locate;
mod requests;
mod retry;
mod upload;
mod write;

use error::{RequestContext, no_tag};
pub(crate) use requests::RequestCounter;
pub use requests::S3Requests;
use upload::S3Upload;
use write::{Condition, DIGEST, Nonce};

/// The largest object that [`ObjectStore::get`] reads into memory, in bytes. Documents and manifests are far smaller; a
/// larger object was written by mistake or by an attacker.
const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// The location of a store in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// The account that must own the bucket. S3 refuses with 403 if another account does.
    pub owner: AccountId,
    /// The prefix of the store's keys in the bucket: empty, or ending with `/`.
    pub prefix: String,
}

impl S3Location {
    /// Returns the location of a whole bucket.
    #[must_use]
    pub fn bucket(bucket: impl Into<String>, owner: AccountId) -> Self {
        Self {
            bucket: bucket.into(),
            owner,
            prefix: String::new(),
        }
    }

    /// Returns the location of a folder in this one. The folder is given without the `/` at its end.
    #[must_use]
    pub fn below(&self, folder: &ObjectKey) -> Self {
        Self {
            prefix: format!("{}{folder}/", self.prefix),
            ..self.clone()
        }
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// A store in an S3 bucket, or below a prefix of one. Clones share the connections.
#[derive(Clone)]
pub struct S3Store {
    inner: Arc<Inner>,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Store({})", self.inner.location)
    }
}

struct Inner {
    client: Client,
    location: S3Location,
    ids: Arc<dyn Randomness>,
}

impl S3Store {
    /// Creates a store at `location`, which must be a bucket in the context's Region. `ids` generates the nonce of each
    /// write, which identifies a write whose answer was lost. Sends no request to S3.
    #[must_use]
    pub fn new(context: &AwsContext, location: S3Location, ids: Arc<dyn Randomness>) -> Self {
        let config = configuration(context)
            .retry_classifier(retry::RetryWriteConflicts)
            .interceptor(context.s3_requests().clone())
            .build();
        Self {
            inner: Arc::new(Inner {
                client: Client::from_conf(config),
                location,
                ids,
            }),
        }
    }

    /// Returns the location of the store.
    #[must_use]
    pub fn location(&self) -> &S3Location {
        &self.inner.location
    }
}

/// Returns the configuration of a client of S3. A configured endpoint may have one name only, so that the bucket is in the
/// path then. S3 answers that as well
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#path-style-access>).
fn configuration(context: &AwsContext) -> aws_sdk_s3::config::Builder {
    let is_configured = context.endpoint_override("S3").is_some();
    aws_sdk_s3::config::Builder::from(context.sdk_config()).force_path_style(is_configured)
}

impl Inner {
    fn name(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.location.prefix)
    }

    /// Returns the URL of a key for messages.
    fn url(&self, key: &str) -> String {
        format!("{}{key}", self.location)
    }

    fn asked(&self, operation: StoreOperation, action: &'static str, key: &str) -> RequestContext {
        RequestContext {
            operation,
            action,
            url: self.url(key),
            bucket: self.location.bucket.clone(),
        }
    }

    async fn get(&self, key: &ObjectKey) -> Result<(Bytes, ETag), StoreError> {
        let asked = self.asked(StoreOperation::Read, "s3:GetObject", key.as_str());
        let answer = (self.client.get_object())
            .bucket(&self.location.bucket)
            .expected_bucket_owner(self.location.owner.as_str())
            .key(self.name(key))
            .send()
            .await
            .map_err(|e| asked.error(e))?;
        let etag = (answer.e_tag()).map(ETag::new).ok_or_else(|| no_tag(&asked))?;
        let bytes = collect(answer.body, &asked, MAX_DOCUMENT_BYTES).await?;
        Ok((bytes, etag))
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let out_of_range = |size| StoreError::OutOfRange {
            key: self.url(key.as_str()),
            start: range.start,
            end: range.end,
            size,
        };
        if range.start >= range.end {
            // A range header cannot express an empty range.
            let size = self.head(key).await?.size;
            return if range.start <= size {
                Ok(Bytes::new())
            } else {
                Err(out_of_range(size))
            };
        }
        let asked = self.asked(StoreOperation::Read, "s3:GetObject", key.as_str());
        let wanted = range.end - range.start;
        let answer = (self.client.get_object())
            .bucket(&self.location.bucket)
            .expected_bucket_owner(self.location.owner.as_str())
            .key(self.name(key))
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.raw_response().is_some_and(|r| r.status().as_u16() == 416) => {
                return Err(out_of_range(self.head(key).await?.size));
            }
            Err(error) => return Err(asked.error(error)),
        };
        // For an object that ends inside the range, S3 returns the bytes up to its end.
        let size = (answer.content_range()).and_then(|text| text.rsplit_once('/')?.1.parse().ok());
        let bytes = collect(answer.body, &asked, wanted).await?;
        if (bytes.len() as u64) < wanted {
            return Err(out_of_range(size.unwrap_or(range.start + bytes.len() as u64)));
        }
        Ok(bytes)
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        // S3 has no permission `s3:HeadObject`: HeadObject requires s3:GetObject.
        let asked = self.asked(StoreOperation::Inspect, "s3:GetObject", key.as_str());
        let answer = (self.client.head_object())
            .bucket(&self.location.bucket)
            .expected_bucket_owner(self.location.owner.as_str())
            .key(self.name(key))
            .send()
            .await
            .map_err(|e| asked.error(e))?;
        Ok(ObjectInfo {
            size: (answer.content_length().and_then(|n| u64::try_from(n).ok())).unwrap_or(0),
            etag: (answer.e_tag()).map(ETag::new).ok_or_else(|| no_tag(&asked))?,
            sha256: (answer.metadata())
                .and_then(|all| all.get(DIGEST))
                .and_then(|text| text.parse().ok()),
        })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let asked = self.asked(StoreOperation::Delete, "s3:DeleteObject", key.as_str());
        (self.client.delete_object())
            .bucket(&self.location.bucket)
            .expected_bucket_owner(self.location.owner.as_str())
            .key(self.name(key))
            .send()
            .await
            .map_err(|e| asked.error(e))?;
        Ok(())
    }
}

/// Reads a body of at most `most` bytes.
async fn collect(mut body: ByteStream, asked: &RequestContext, most: u64) -> Result<Bytes, StoreError> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece =
            piece.map_err(|error| asked.failure(AwsError::interrupted(asked.action, &asked.url, &error)))?;
        if (bytes.len() + piece.len()) as u64 > most {
            let what = format!("the object is larger than the limit of {most} bytes");
            return Err(asked.failure(AwsError::unexpected(asked.action, &asked.url, what)));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put_new(&self, key: &ObjectKey, bytes: Bytes) -> Result<ETag, StoreError> {
        let nonce = Nonce::new(self.inner.ids.as_ref());
        (self
            .inner
            .put(key, bytes, &nonce, &Condition::New(StoreOperation::Create), None))
        .await
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        let nonce = Nonce::new(self.inner.ids.as_ref());
        (self
            .inner
            .put(key, bytes, &nonce, &Condition::Unchanged(expected), None))
        .await
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
        self.inner.delete(key).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(S3Upload::new(
            Arc::clone(&self.inner),
            key.clone(),
            None,
        )))
    }

    async fn upload_verified(&self, key: &ObjectKey, sha256: Sha256) -> Result<Box<dyn Upload>, StoreError> {
        let upload = S3Upload::new(Arc::clone(&self.inner), key.clone(), Some(sha256));
        Ok(Box::new(VerifiedUpload::new(Box::new(upload), key, sha256)))
    }
}
