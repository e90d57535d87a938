//! Splits the capture of a big cluster into several jobs that run concurrently, each at the same
//! resourceVersion.
//!
//! The protocol:
//! 1. The capture job of a cluster that may be big (its last recovery point was, or there is none) is
//!    assigned with `split`. Its delegate pins a resourceVersion and counts each type by a list of one item,
//!    whose `remainingItemCount` gives the rest.
//! 2. If [`partition_types`] makes one part of the counts, the delegate captures at once, in the same
//!    invocation. Otherwise the job ends with the counts and the resourceVersion, without capturing anything.
//! 3. The coordinator computes the same partition from the counts, and creates one job per part: all but the
//!    last capture the types that they name, the last one captures every other type, counted or not, so that
//!    each type is captured by exactly one job, even if types are installed in the meantime. Lambda runs the
//!    jobs concurrently: each assignment's event starts an invocation.
//! 4. A seal job merges the parts of each cluster ([`merge`]) and signs.
//!
//! Parts continue over epochs like any capture. If one part fails, the recovery point fails: all jobs are
//! cancelled, and the next attempt counts again, because the resourceVersion has probably been compacted.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::TypeName;
use lifeboat_recovery_point::cursor::CapturedCluster;

/// The number of objects that make a part worth its own job: enough that counting, starting the job and
/// sealing in one more job cost less than the time saved, and few enough that a part ends well within the
/// five minutes for which an API server keeps a resourceVersion (etcd's compaction interval in
/// kube-apiserver). One job captures 10,000 objects per second if nothing else limits it. With parts of
/// 50,000, a cluster of 100,000 took 1.5 times as long as in one job, when all jobs shared two cores with the
/// API server.
pub const OBJECTS_PER_PART: u64 = 200_000;

/// The maximum number of jobs per cluster. Each reads over several connections, and an API server has a few
/// dozen of them for all its clients.
pub const MOST_PARTS: usize = 8;

/// Returns whether a cluster is counted before it is captured, given the number of objects in its last
/// recovery point, if any. A margin below the threshold avoids capturing a growing cluster once in one piece.
#[must_use]
pub fn may_be_big(objects: Option<u64>) -> bool {
    objects.is_none_or(|objects| objects >= OBJECTS_PER_PART / 2)
}

/// Partitions types into parts with about equal numbers of objects, largest first; types without objects are
/// in none. One part means that one job is enough. The job of the last part also captures every other type.
///
/// Assigns the largest type first, to the part with the fewest objects: at most 4/3 of the optimum (Graham,
/// 1969), and deterministic for the same counts.
#[must_use]
pub fn partition_types(counts: &BTreeMap<TypeName, u64>) -> Vec<BTreeSet<TypeName>> {
    let total: u64 = counts.values().sum();
    let wanted = usize::try_from(total / OBJECTS_PER_PART).unwrap_or(MOST_PARTS) + 1;
    let wanted = wanted.min(MOST_PARTS);
    let mut types: Vec<(&TypeName, u64)> = counts.iter().map(|(name, count)| (name, *count)).collect();
    types.retain(|(_, count)| *count > 0);
    types.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    let mut partition_types: Vec<(u64, BTreeSet<TypeName>)> = vec![(0, BTreeSet::new()); wanted];
    for (name, count) in types {
        let emptiest = partition_types
            .iter_mut()
            .min_by_key(|(load, _)| *load)
            .expect("there is at least one bin");
        emptiest.0 += count;
        emptiest.1.insert(name.clone());
    }
    partition_types.retain(|(_, types)| !types.is_empty());
    partition_types.sort_by_key(|(load, _)| std::cmp::Reverse(*load));
    if partition_types.is_empty() {
        partition_types.push((0, BTreeSet::new()));
    }
    partition_types.into_iter().map(|(_, types)| types).collect()
}

/// Parts that cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Two parts come from different clusters, for example because a cluster was recreated under its old
    /// name.
    #[error("merge the parts of {cluster}: they come from different clusters")]
    OtherCluster {
        /// The name of the cluster.
        cluster: String,
    },
    /// Two parts were listed at different resourceVersions.
    #[error("merge the parts of {cluster}: they have different resourceVersions")]
    OtherVersion {
        /// The name of the cluster.
        cluster: String,
    },
}

/// Merges the parts of each cluster, as if one job had captured it. The result is sorted by name.
///
/// # Errors
/// [`MergeError`] if two parts of a cluster are not of the same cluster at the same resourceVersion.
pub fn merge(parts: impl IntoIterator<Item = CapturedCluster>) -> Result<Vec<CapturedCluster>, MergeError> {
    let mut clusters: BTreeMap<String, CapturedCluster> = BTreeMap::new();
    for part in parts {
        let name = part.record.name.to_string();
        match clusters.get_mut(&name) {
            None => drop(clusters.insert(name, part)),
            Some(whole) => add(whole, part, name)?,
        }
    }
    Ok(clusters.into_values().collect())
}

fn add(whole: &mut CapturedCluster, part: CapturedCluster, cluster: String) -> Result<(), MergeError> {
    let (into, from) = (&mut whole.record, part.record);
    if into.server.kube_system_uid != from.server.kube_system_uid {
        return Err(MergeError::OtherCluster { cluster });
    }
    if into.resource_version != from.resource_version {
        return Err(MergeError::OtherVersion { cluster });
    }
    into.started_at = into.started_at.min(from.started_at);
    into.finished_at = into.finished_at.max(from.finished_at);
    into.objects += from.objects;
    into.bytes += from.bytes;
    into.types.extend(from.types);
    into.types
        .sort_by(|a, b| (&a.group, &a.resource).cmp(&(&b.group, &b.resource)));
    into.missing.extend(from.missing);
    into.missing.sort();
    into.missing.dedup();
    into.packs.extend(from.packs);
    for (sort, found) in from.dependencies {
        let all = into.dependencies.entry(sort).or_default();
        all.extend(found);
        all.sort();
        all.dedup();
    }
    whole.keys.extend(part.keys);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> BTreeMap<TypeName, u64> {
        of.iter()
            .map(|(name, count)| (TypeName::from(*name), *count))
            .collect()
    }

    fn load(bin: &BTreeSet<TypeName>, counts: &BTreeMap<TypeName, u64>) -> u64 {
        bin.iter().map(|name| counts[name]).sum()
    }

    #[test]
    fn a_small_cluster_is_one_part() {
        assert_eq!(partition_types(&counts(&[])).len(), 1);
        assert_eq!(
            partition_types(&counts(&[("pods", 120_000), ("events", 79_999)])).len(),
            1
        );
        assert!(may_be_big(None) && may_be_big(Some(100_000)) && !may_be_big(Some(300)));
    }

    #[test]
    fn a_big_cluster_is_split_evenly_and_every_type_stands_once() {
        let counts = counts(&[
            ("pods", 240_000),
            ("events", 220_000),
            ("secrets", 160_000),
            ("configmaps", 120_000),
            ("leases.coordination.k8s.io", 16_000),
            ("nodes", 4_000),
            ("widgets.example", 0),
        ]);
        let partition_types = partition_types(&counts);
        assert_eq!(partition_types.len(), 4);
        let loads: Vec<u64> = partition_types.iter().map(|bin| load(bin, &counts)).collect();
        assert_eq!(loads, [240_000, 220_000, 160_000, 140_000], "fullest first");
        let named: usize = partition_types.iter().map(BTreeSet::len).sum();
        let all: BTreeSet<_> = partition_types.iter().flatten().collect();
        assert_eq!((named, all.len()), (6, 6));
    }

    #[test]
    fn one_huge_type_is_one_part_of_few_and_never_are_there_more_than_the_most() {
        let few = counts(&[("events", 390_000), ("pods", 7)]);
        assert_eq!(partition_types(&few).len(), 2);
        let alone = counts(&[("events", 900_000)]);
        assert_eq!(partition_types(&alone).len(), 1);
        let many: BTreeMap<_, _> = (0..40)
            .map(|n| (TypeName::from(format!("t{n}").as_str()), 200_000))
            .collect();
        assert_eq!(partition_types(&many).len(), MOST_PARTS);
    }
}
