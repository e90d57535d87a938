//! Objects that are written in pieces.
//!
//! An object that fits into one part is written by one PutObject at the end: no failure leaves anything behind. A
//! larger one is a multipart upload, whose parts are sent while the next ones are collected. It is aborted if an error
//! occurs or the caller aborts it; if the process is killed or drops it, the bucket's lifecycle rule
//! `AbortIncompleteMultipartUpload` aborts it later. In both cases it never becomes visible.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use lifeboat_format::Sha256;
use lifeboat_model::{Diagnostic as _, ObjectKey};
use lifeboat_store::ports::{ETag, StoreError, StoreOperation, Upload};
use tokio::task::JoinSet;

use super::Inner;
use super::error::no_tag;
use super::write::{Condition, DIGEST, NONCE, Nonce};
use crate::AwsError;

/// The size of a part in bytes. S3 requires at least 5 MiB and at most 10,000 parts
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>): 80 GiB with this size, a thousand times the
/// size of a pack. Larger parts would only increase the memory of a delegate.
pub(super) const PART_BYTES: usize = 8 << 20;
/// The number of parts that are sent while the next is collected: enough to keep one connection busy while another
/// waits for its answer, and 24 MiB of memory for each upload.
const PARTS_IN_FLIGHT: usize = 2;
/// The maximum number of parts of an upload in S3.
const MAX_PARTS: i32 = 10_000;

pub(super) struct S3Upload {
    store: Arc<Inner>,
    key: ObjectKey,
    nonce: Nonce,
    /// The digest that is recorded with the object.
    digest: Option<Sha256>,
    buffer: BytesMut,
    /// Present once the first part is full.
    multipart: Option<Multipart>,
}

struct Multipart {
    id: String,
    last: i32,
    /// The requests in progress; dropping it cancels them.
    sending: JoinSet<Result<CompletedPart, StoreError>>,
    sent: Vec<CompletedPart>,
}

impl S3Upload {
    pub(super) fn new(store: Arc<Inner>, key: ObjectKey, digest: Option<Sha256>) -> Self {
        Self {
            nonce: Nonce::new(store.ids.as_ref()),
            digest,
            store,
            key,
            buffer: BytesMut::new(),
            multipart: None,
        }
    }

    async fn begin(&self) -> Result<Multipart, StoreError> {
        let asked = (self.store).asked(StoreOperation::Upload, "s3:PutObject", self.key.as_str());
        let request = self.store.client.create_multipart_upload();
        let request = match self.digest {
            Some(digest) => request.metadata(DIGEST, digest.to_string()),
            None => request,
        };
        let answer = request
            .bucket(&self.store.location.bucket)
            .expected_bucket_owner(self.store.location.owner.as_str())
            .key(self.store.name(&self.key))
            .metadata(NONCE, self.nonce.as_str())
            // Set explicitly, because the parts must use the algorithm that the upload was created with.
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(|e| asked.error(e))?;
        let id = answer.upload_id().map(str::to_owned).ok_or_else(|| {
            let what = "the response contains no upload id";
            asked.failure(AwsError::unexpected(asked.action, &asked.url, what))
        })?;
        Ok(Multipart {
            id,
            last: 0,
            sending: JoinSet::new(),
            sent: Vec::new(),
        })
    }

    /// Sends one part in the background.
    async fn send(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if self.multipart.is_none() {
            self.multipart = Some(self.begin().await?);
        }
        let multipart = self.multipart.as_mut().expect("it was begun above");
        if multipart.last == MAX_PARTS {
            let asked = (self.store).asked(StoreOperation::Upload, "s3:PutObject", self.key.as_str());
            let what = format!("an object has at most {MAX_PARTS} parts");
            return Err(asked.failure(AwsError::unexpected(asked.action, &asked.url, what)));
        }
        while multipart.sending.len() >= PARTS_IN_FLIGHT {
            multipart.take_one().await?;
        }
        multipart.last += 1;
        let (store, key) = (Arc::clone(&self.store), self.key.clone());
        let (id, number) = (multipart.id.clone(), multipart.last);
        (multipart.sending).spawn(async move { send_part(&store, &key, id, number, bytes).await });
        Ok(())
    }

    /// Aborts the multipart upload. Requests in progress are canceled first, so that no part arrives after the abort.
    async fn give_up(&mut self) -> Result<(), StoreError> {
        let Some(mut multipart) = self.multipart.take() else {
            return Ok(());
        };
        multipart.sending.shutdown().await;
        let asked = (self.store).asked(
            StoreOperation::Abort,
            "s3:AbortMultipartUpload",
            self.key.as_str(),
        );
        let answer = (self.store.client.abort_multipart_upload())
            .bucket(&self.store.location.bucket)
            .expected_bucket_owner(self.store.location.owner.as_str())
            .key(self.store.name(&self.key))
            .upload_id(multipart.id)
            .send()
            .await;
        match answer.map_err(|e| asked.error(e)) {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Aborts because of `error`, and returns `error`: the caller needs it more than an error of the abort.
    async fn give_up_after(&mut self, error: StoreError) -> StoreError {
        if let Err(second) = self.give_up().await {
            let problem = second.problem();
            tracing::warn!(%problem, "parts of an upload are left for the bucket's lifecycle rule");
        }
        error
    }

    async fn complete(&mut self) -> Result<ETag, StoreError> {
        if !self.buffer.is_empty() {
            let bytes = self.buffer.split().freeze();
            self.send(bytes).await?;
        }
        let multipart = self.multipart.as_mut().expect("it was begun with the first part");
        while !multipart.sending.is_empty() {
            multipart.take_one().await?;
        }
        let mut parts = std::mem::take(&mut multipart.sent);
        parts.sort_by_key(|part| part.part_number());
        let asked = (self.store).asked(StoreOperation::Finish, "s3:PutObject", self.key.as_str());
        let answer = (self.store.client.complete_multipart_upload())
            .bucket(&self.store.location.bucket)
            .expected_bucket_owner(self.store.location.owner.as_str())
            .key(self.store.name(&self.key))
            .upload_id(&multipart.id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .if_none_match("*")
            .send()
            .await;
        let error = match answer {
            Ok(answer) => return answer.e_tag().map(ETag::new).ok_or_else(|| no_tag(&asked)),
            Err(error) => error,
        };
        let status = error.raw_response().map(|response| response.status().as_u16());
        if !matches!(status, Some(404 | 412)) {
            return Err(asked.error(error));
        }
        // 404: the upload does not exist any more, perhaps because an attempt whose answer was lost completed it.
        let ours = (self.store)
            .written_by_nonce(&self.key, &self.nonce, StoreOperation::Finish)
            .await?;
        match (ours, status) {
            (Some(etag), _) => Ok(etag),
            (None, Some(412)) => Err(Condition::New(StoreOperation::Finish).refused(asked.url)),
            // The upload was aborted elsewhere, or S3 requires a new upload after a conflict: the caller may retry.
            (None, _) => Err(StoreError::Unavailable {
                operation: StoreOperation::Finish,
                key: asked.url.clone(),
                source: AwsError::new(asked.action, asked.url, error).into(),
            }),
        }
    }
}

impl Multipart {
    /// Waits for one part in progress.
    async fn take_one(&mut self) -> Result<(), StoreError> {
        match self.sending.join_next().await {
            Some(Ok(part)) => self.sent.push(part?),
            Some(Err(error)) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => unreachable!("parts are ended only after the last is waited for"),
            },
            None => {}
        }
        Ok(())
    }
}

async fn send_part(
    store: &Inner,
    key: &ObjectKey,
    id: String,
    number: i32,
    bytes: Bytes,
) -> Result<CompletedPart, StoreError> {
    let asked = store.asked(StoreOperation::Upload, "s3:PutObject", key.as_str());
    let answer = (store.client.upload_part())
        .bucket(&store.location.bucket)
        .expected_bucket_owner(store.location.owner.as_str())
        .key(store.name(key))
        .upload_id(id)
        .part_number(number)
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .body(ByteStream::from(bytes))
        .send()
        .await
        .map_err(|e| asked.error(e))?;
    Ok(CompletedPart::builder()
        .part_number(number)
        .set_e_tag(answer.e_tag().map(str::to_owned))
        .set_checksum_crc32(answer.checksum_crc32().map(str::to_owned))
        .build())
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), StoreError> {
        while self.buffer.len() + bytes.len() >= PART_BYTES {
            let piece = bytes.split_to(PART_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(&piece);
            let part = self.buffer.split().freeze();
            if let Err(error) = self.send(part).await {
                return Err(self.give_up_after(error).await);
            }
        }
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ETag, StoreError> {
        if self.multipart.is_none() {
            let bytes = self.buffer.split().freeze();
            let condition = Condition::New(StoreOperation::Finish);
            let put = (self.store).put(&self.key, bytes, &self.nonce, &condition, self.digest);
            return put.await;
        }
        match self.complete().await {
            Ok(etag) => Ok(etag),
            Err(error) => Err(self.give_up_after(error).await),
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        self.give_up().await
    }
}
