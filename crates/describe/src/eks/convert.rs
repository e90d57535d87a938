//! What conversions of answers of EKS share.

use std::collections::{BTreeMap, HashMap};

/// Returns a map in the order of its keys.
pub(super) fn sorted(map: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    let pairs = map.into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Returns identifiers in order: the API returns them in any.
pub(super) fn in_order(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

/// Returns a copy that the description owns.
pub(super) fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// Returns a number that the API cannot return as negative.
pub(super) fn number(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}
