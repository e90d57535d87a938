//! Opening a bucket that a user names: whether it exists, and in which Region.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use lifeboat_model::{ErrorKind, Region};
use lifeboat_store::ports::{Randomness, StoreError, StoreOperation};

use super::error::RequestContext;
use super::{S3Location, S3Store, configuration};
use crate::{AwsContext, AwsError};

/// The header with which S3 tells the Region of a bucket, also where it refuses the request
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>).
const REGION_HEADER: &str = "x-amz-bucket-region";

impl S3Store {
    /// Opens the store at `location`, in whichever Region its bucket is. Needs `s3:ListBucket` on the bucket, as every
    /// listing does.
    ///
    /// # Errors
    /// [`StoreError::NoStore`] if there is no such bucket; [`StoreError::Denied`] if these credentials may not list it,
    /// or another account owns it, which S3 does not tell apart.
    pub async fn open(
        context: &AwsContext,
        location: S3Location,
        ids: Arc<dyn Randomness>,
    ) -> Result<Self, StoreError> {
        let (answer, region) = head(context, &location).await;
        let here = match region.filter(|region| region != context.region()) {
            Some(region) => {
                let there = context.in_region(&region);
                let (answer, _) = head(&there, &location).await;
                answer?;
                there
            }
            None => {
                answer?;
                context.clone()
            }
        };
        Ok(Self::new(&here, location, ids))
    }
}

/// Asks for a bucket. Returns also its Region, if S3 tells it.
async fn head(context: &AwsContext, location: &S3Location) -> (Result<(), StoreError>, Option<Region>) {
    let client = Client::from_conf(configuration(context).build());
    let answer = (client.head_bucket())
        .bucket(&location.bucket)
        .expected_bucket_owner(location.owner.as_str())
        .send()
        .await;
    let error = match answer {
        Ok(answer) => return (Ok(()), answer.bucket_region().and_then(parse)),
        Err(error) => error,
    };
    let region = region_of(&error);
    let asked = RequestContext {
        operation: StoreOperation::Open,
        action: "s3:ListBucket",
        url: location.to_string(),
        bucket: location.bucket.clone(),
    };
    let error = AwsError::new(asked.action, &asked.url, error);
    let error = match error.kind() {
        // The answer to a HEAD has no body, so that it names no reason.
        ErrorKind::Gone => StoreError::NoStore {
            store: format!("s3://{}", location.bucket),
            problem: "the bucket does not exist",
        },
        _ => asked.failure(error),
    };
    (Err(error), region)
}

fn region_of<E>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>) -> Option<Region> {
    error.raw_response()?.headers().get(REGION_HEADER).and_then(parse)
}

fn parse(text: &str) -> Option<Region> {
    Region::parse(text).ok()
}

#[cfg(test)]
mod tests;
