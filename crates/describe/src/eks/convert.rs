//! What conversions of answers of EKS share.

use std::collections::{BTreeMap, HashMap};

pub(super) use lifeboat_aws::reads::{number, owned};

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
