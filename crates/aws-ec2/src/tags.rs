//! Tags.

use aws_sdk_ec2::types::Tag;
use lifeboat_infrastructure::description::Tags;

/// Returns tags by their keys.
pub(crate) fn tags(from: &[Tag]) -> Tags {
    let pairs = from
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())));
    pairs.collect()
}

/// Returns a copy that the description owns.
pub(crate) fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// Returns a number that the API cannot return as negative.
pub(crate) fn number(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}
