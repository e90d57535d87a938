//! Conditional writes, and how a refusal is interpreted.
//!
//! If a write took effect but its answer was lost, the SDK repeats it, and S3 refuses the repetition because the key
//! exists. Therefore each write stores a nonce in the object's metadata, and after a refusal the nonce of the existing
//! object is compared.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use lifeboat_format::Sha256;
use lifeboat_model::ObjectKey;
use lifeboat_store::ports::{ETag, Randomness, StoreError, StoreOperation};

use super::Inner;
use super::error::no_tag;

/// The metadata key of the nonce of the write that created an object: `x-amz-meta-lifeboat-write`.
pub(super) const NONCE: &str = "lifeboat-write";

/// The metadata key of the SHA-256 of an object whose content was verified when it was written:
/// `x-amz-meta-lifeboat-sha256`.
pub(super) const DIGEST: &str = "lifeboat-sha256";

/// A random identifier of one write.
#[derive(Clone)]
pub(super) struct Nonce(String);

impl Nonce {
    pub(super) fn new(ids: &dyn Randomness) -> Self {
        let mut bytes = [0; 16];
        ids.random(&mut bytes);
        Self(hex::encode(bytes))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The condition of a write.
pub(super) enum Condition<'a> {
    /// The key must not exist. Messages name the operation.
    New(StoreOperation),
    /// The object must still have this entity tag.
    Unchanged(&'a ETag),
}

impl Condition<'_> {
    fn operation(&self) -> StoreOperation {
        match self {
            Self::New(operation) => *operation,
            Self::Unchanged(_) => StoreOperation::Replace,
        }
    }

    pub(super) fn refused(&self, key: String) -> StoreError {
        match self {
            Self::New(operation) => StoreError::Exists {
                operation: *operation,
                key,
            },
            Self::Unchanged(_) => StoreError::Changed { key },
        }
    }
}

impl Inner {
    pub(super) async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        nonce: &Nonce,
        condition: &Condition<'_>,
        digest: Option<Sha256>,
    ) -> Result<ETag, StoreError> {
        let asked = self.asked(condition.operation(), "s3:PutObject", key.as_str());
        let request = (self.client.put_object())
            .bucket(&self.location.bucket)
            .expected_bucket_owner(self.location.owner.as_str())
            .key(self.name(key))
            .metadata(NONCE, nonce.as_str())
            .body(ByteStream::from(bytes));
        let request = match digest {
            Some(digest) => request.metadata(DIGEST, digest.to_string()),
            None => request,
        };
        let request = match condition {
            Condition::New(_) => request.if_none_match("*"),
            Condition::Unchanged(expected) => request.if_match(expected.as_str()),
        };
        let error = match request.send().await {
            Ok(answer) => return answer.e_tag().map(ETag::new).ok_or_else(|| no_tag(&asked)),
            Err(error) => error,
        };
        let refused = match error.raw_response().map(|response| response.status().as_u16()) {
            Some(412) => true,
            // The bucket exists, and the object to replace does not exist any more.
            Some(404) => {
                matches!(condition, Condition::Unchanged(_))
                    && matches!(asked.error(error), StoreError::NotFound { .. })
            }
            _ => return Err(asked.error(error)),
        };
        if !refused {
            return Err(StoreError::NoStore {
                store: format!("s3://{}", self.location.bucket),
                problem: "the bucket does not exist",
            });
        }
        match self.written_by_nonce(key, nonce, condition.operation()).await? {
            Some(etag) => Ok(etag),
            None => Err(condition.refused(asked.url)),
        }
    }

    /// Returns the entity tag of the object at `key` if the write with this nonce created it.
    ///
    /// # Errors
    /// If the object's metadata cannot be read: then it is unknown whether the write succeeded or was refused.
    pub(super) async fn written_by_nonce(
        &self,
        key: &ObjectKey,
        nonce: &Nonce,
        operation: StoreOperation,
    ) -> Result<Option<ETag>, StoreError> {
        let asked = self.asked(operation, "s3:GetObject", key.as_str());
        let answer = (self.client.head_object())
            .bucket(&self.location.bucket)
            .expected_bucket_owner(self.location.owner.as_str())
            .key(self.name(key))
            .send()
            .await;
        let answer = match answer.map_err(|error| asked.error(error)) {
            Ok(answer) => answer,
            // Deleted since then: it existed when the write was refused.
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let ours = (answer.metadata()).and_then(|all| all.get(NONCE)) == Some(&nonce.0);
        if !ours {
            return Ok(None);
        }
        tracing::info!(
            key = asked.url,
            "found the object of a write whose response was lost"
        );
        Ok(Some(
            (answer.e_tag()).map(ETag::new).ok_or_else(|| no_tag(&asked))?,
        ))
    }
}
