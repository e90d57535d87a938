//! A store in an S3 bucket.
//!
//! What it builds on, and where AWS documents it:
//! - Reads after writes are strongly consistent, listings included
//!   (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>).
//! - `PutObject` and `CompleteMultipartUpload` with `If-None-Match: *` create a key once, of several
//!   writers one wins and the others get 412, or 409 while the winner is at it; with `If-Match` an
//!   object is replaced only if its entity tag is still that one
//!   (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
//! - A multipart upload is invisible until it is completed, and its parts are kept, and billed, until
//!   it is completed or aborted. A process that dies cannot abort: the bucket needs a lifecycle rule
//!   `AbortIncompleteMultipartUpload`
//!   (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html>).
//! - A role that may not list a bucket is told 403 and not 404 for a key that does not exist
//!   (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>, permissions): whoever works
//!   on a store needs `s3:ListBucket` for its prefixes.
//!
//! Integrity on the wire is CRC-32, the SDK's default: S3 checks what it receives against it, and the
//! SDK what it receives from S3. Whether the content is the right one is told by the SHA-256 digests
//! in signed manifests.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use lifeboat_model::{AccountId, ObjectKey};
use lifeboat_store::ports::{
    ETag, Listed, ObjectInfo, ObjectStore, Randomness, StoreError, StoreOperation, Upload,
};

use crate::{AwsContext, AwsError};

mod error;
mod listing;
mod requests;
mod retry;
mod upload;
mod write;

use error::{RequestContext, no_tag};
pub(crate) use requests::RequestCounter;
pub use requests::S3Requests;
use upload::S3Upload;
use write::{Condition, Nonce};

/// The largest object that [`ObjectStore::get`] reads into memory. Documents and manifests are far
/// smaller; what is larger was put there by somebody who means harm or made a mistake.
const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// Where in S3 a store lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// The account that must own it. S3 refuses with 403 where another one does.
    pub owner: AccountId,
    /// What the keys of the store begin with in the bucket: empty, or ending with `/`.
    pub prefix: String,
}

impl S3Location {
    /// A whole bucket.
    #[must_use]
    pub fn bucket(bucket: impl Into<String>, owner: AccountId) -> Self {
        Self {
            bucket: bucket.into(),
            owner,
            prefix: String::new(),
        }
    }

    /// The part of this location below a folder, which is given without the `/` at its end.
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
    /// A store at `location`, which must be a bucket of the context's Region. `ids` marks each write,
    /// so that one whose answer was lost is recognised. Nothing is asked of S3 yet.
    #[must_use]
    pub fn new(context: &AwsContext, location: S3Location, ids: Arc<dyn Randomness>) -> Self {
        let config = aws_sdk_s3::config::Builder::from(context.sdk_config())
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

    /// Where the store lies.
    #[must_use]
    pub fn location(&self) -> &S3Location {
        &self.inner.location
    }
}

impl Inner {
    fn name(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.location.prefix)
    }

    /// What messages call a key.
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
            // There is no range header for nothing.
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
        // An object that ends inside the range is answered with what there is.
        let size = (answer.content_range()).and_then(|text| text.rsplit_once('/')?.1.parse().ok());
        let bytes = collect(answer.body, &asked, wanted).await?;
        if (bytes.len() as u64) < wanted {
            return Err(out_of_range(size.unwrap_or(range.start + bytes.len() as u64)));
        }
        Ok(bytes)
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectInfo, StoreError> {
        // S3 has no permission of this name: HeadObject is allowed by s3:GetObject.
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
            .put(key, bytes, &nonce, &Condition::New(StoreOperation::Create)))
        .await
    }

    async fn replace(&self, key: &ObjectKey, expected: &ETag, bytes: Bytes) -> Result<ETag, StoreError> {
        let nonce = Nonce::new(self.inner.ids.as_ref());
        (self
            .inner
            .put(key, bytes, &nonce, &Condition::Unchanged(expected)))
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

    async fn list_folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.inner.list_folders(prefix).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn upload(&self, key: &ObjectKey) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(S3Upload::new(Arc::clone(&self.inner), key.clone())))
    }
}
