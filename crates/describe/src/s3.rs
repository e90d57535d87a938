//! Buckets of the recovery environment, as candidates. Nothing here reads what is in them.

use aws_sdk_s3::Client;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::{Candidate, CandidateKind};

use crate::unbuilt;

/// Returns the buckets of an account in the Region of the context, sorted by name. Load balancers write their logs to
/// buckets of their Region
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>).
///
/// # Errors
/// [`AwsError`] if S3 refuses the call or does not answer.
pub(crate) async fn candidates(context: &AwsContext) -> Result<Vec<Candidate>, AwsError> {
    let client = Client::new(context.sdk_config());
    let request = client.list_buckets().bucket_region(context.region().as_str());
    let pages = request.into_paginator().items().send().try_collect();
    let action = unbuilt::LIST_BUCKETS.name();
    let buckets: Vec<aws_sdk_s3::types::Bucket> =
        (pages.await).map_err(|error| AwsError::new(action, "AWS::S3::Bucket", error))?;
    let names = buckets.into_iter().filter_map(|bucket| bucket.name);
    let mut found: Vec<Candidate> = names
        .map(|name| Candidate {
            name: Some(name.clone()),
            ..Candidate::new(CandidateKind::Bucket, name)
        })
        .collect();
    found.sort();
    Ok(found)
}
