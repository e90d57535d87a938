//! The settings of a bucket, and the time by the clock of S3.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::types::ObjectOwnership;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use lifeboat_model::AccountId;

use crate::{AwsContext, AwsError};

/// The settings of a bucket that S3 reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketFacts {
    /// Whether all four settings of S3 Block Public Access are on.
    pub closed: bool,
    /// Whether the account of the bucket owns every object in it, regardless of the writer (`BucketOwnerEnforced`).
    pub owns_objects: bool,
    /// The time by the clock of S3; `None` if its answer had no date.
    pub now: Option<Timestamp>,
}

impl BucketFacts {
    /// Reads the settings. The bucket must belong to `owner`.
    ///
    /// # Errors
    /// [`AwsError`] if one of the three requests to S3 fails.
    pub async fn read(context: &AwsContext, bucket: &str, owner: &AccountId) -> Result<Self, AwsError> {
        let client = Client::new(context.sdk_config());
        let date = Date::default();
        (client.head_bucket())
            .bucket(bucket)
            .expected_bucket_owner(owner.as_str())
            .customize()
            .interceptor(date.clone())
            .send()
            .await
            .map_err(|error| AwsError::new("s3:ListBucket", bucket, error))?;
        Ok(Self {
            closed: is_closed(&client, bucket, owner).await?,
            owns_objects: owns_objects(&client, bucket, owner).await?,
            now: date.take(),
        })
    }
}

/// Reports whether Block Public Access is complete for the bucket itself. That of the account is not considered: other
/// users may turn it off.
async fn is_closed(client: &Client, bucket: &str, owner: &AccountId) -> Result<bool, AwsError> {
    let answer = (client.get_public_access_block())
        .bucket(bucket)
        .expected_bucket_owner(owner.as_str())
        .send()
        .await
        .map_err(|error| AwsError::new("s3:GetBucketPublicAccessBlock", bucket, error));
    let answer = match answer {
        Ok(answer) => answer.public_access_block_configuration,
        Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => None,
        Err(error) => return Err(error),
    };
    Ok(answer.is_some_and(|block| {
        [
            block.block_public_acls,
            block.block_public_policy,
            block.ignore_public_acls,
            block.restrict_public_buckets,
        ]
        .iter()
        .all(|set| *set == Some(true))
    }))
}

async fn owns_objects(client: &Client, bucket: &str, owner: &AccountId) -> Result<bool, AwsError> {
    let answer = (client.get_bucket_ownership_controls())
        .bucket(bucket)
        .expected_bucket_owner(owner.as_str())
        .send()
        .await
        .map_err(|error| AwsError::new("s3:GetBucketOwnershipControls", bucket, error));
    let rules = match answer {
        Ok(answer) => answer.ownership_controls.map(|controls| controls.rules),
        Err(error) if error.code() == Some("OwnershipControlsNotFoundError") => None,
        Err(error) => return Err(error),
    };
    Ok((rules.into_iter().flatten())
        .any(|rule| rule.object_ownership == ObjectOwnership::BucketOwnerEnforced))
}

/// Keeps the date of the last answer.
#[derive(Debug, Clone, Default)]
struct Date(Arc<Mutex<Option<Timestamp>>>);

impl Date {
    fn take(&self) -> Option<Timestamp> {
        self.0.lock().expect("no holder of this lock panics").take()
    }
}

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").and_then(parse);
        *self.0.lock().expect("no holder of this lock panics") = date;
        Ok(())
    }
}

/// Parses a date of HTTP (RFC 9110, section 5.6.7), whose format is one that RFC 2822 allows.
fn parse(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        let date = parse("Sat, 21 Nov 2026 18:04:05 GMT");
        assert_eq!(date, "2026-11-21T18:04:05Z".parse().ok());
        assert_eq!(parse("1795284245"), None);
    }
}
