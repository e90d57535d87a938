//! What conversions of answers of EC2 share.

use aws_sdk_ec2::types::Tag;
pub(crate) use lifeboat_aws::reads::{number, owned};
use lifeboat_infrastructure::description::Tags;

/// Returns tags by their keys.
pub(crate) fn tags(from: &[Tag]) -> Tags {
    let pairs = from
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())));
    pairs.collect()
}
