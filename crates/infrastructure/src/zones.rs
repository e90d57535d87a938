//! The Availability Zones of the recovery Region that take the place of those of the primary.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::Code;
use lifeboat_translate::identity::Kind;

use crate::description::Descriptions;
use crate::facts::{RecoveryFacts, Zone};
use crate::finding::Findings;

/// Zones in which EKS makes no control plane
/// (<https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html#network-requirements-subnets>).
const WITHOUT_EKS: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];

/// The zones by their names in the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Zones<'a> {
    /// The zone, and whether it is the counterpart of this one alone.
    by_name: BTreeMap<&'a str, (&'a Zone, bool)>,
    /// The ids of the zones of the primary.
    ids: BTreeMap<&'a str, &'a str>,
    /// Whether both environments are in one Region, where an id names the same zone in each account.
    is_same_region: bool,
}

impl<'a> Zones<'a> {
    /// Finds the counterparts: by an explicit mapping, else the zone that `adopted` subnets are in, else the zone with the
    /// same letter, else the first that is free. So a zone keeps its counterpart when the primary begins to use another.
    pub(crate) fn new(
        descriptions: &'a Descriptions,
        facts: &'a RecoveryFacts,
        adopted: &BTreeMap<&'a str, &'a str>,
        findings: &mut Findings,
    ) -> Self {
        let subnets = descriptions.subnets.iter();
        let ids: BTreeMap<&str, &str> = subnets
            .map(|subnet| {
                (
                    subnet.availability_zone.as_str(),
                    subnet.availability_zone_id.as_str(),
                )
            })
            .collect();
        let mut usable: Vec<&Zone> = facts
            .zones
            .iter()
            .filter(|zone| !WITHOUT_EKS.contains(&zone.id.as_str()))
            .collect();
        usable.sort();
        let mut by_name: BTreeMap<&str, (&Zone, bool)> = BTreeMap::new();
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        let mut take = |by_name: &mut BTreeMap<&'a str, (&'a Zone, bool)>, name: &'a str, zone: &'a Zone| {
            if taken.insert(&zone.name) {
                by_name.insert(name, (zone, true));
            }
        };
        let mapped = facts.adopted.iter();
        let mapped = mapped.map(|adoption| (adoption.from.as_str(), adoption.to.as_str()));
        for (from, to) in mapped.chain(adopted.iter().map(|(from, to)| (*from, *to))) {
            let zone = facts.zones.iter().find(|zone| zone.name == to);
            if let (Some(name), Some(zone)) = (ids.get_key_value(from), zone)
                && !by_name.contains_key(name.0)
            {
                take(&mut by_name, name.0, zone);
            }
        }
        let letter = |name: &str| name.chars().next_back();
        for name in ids.keys() {
            let same = usable.iter().find(|zone| letter(&zone.name) == letter(name));
            if let Some(zone) = same.filter(|_| !by_name.contains_key(name)) {
                take(&mut by_name, name, zone);
            }
        }
        for name in ids.keys() {
            for zone in &usable {
                if !by_name.contains_key(name) {
                    take(&mut by_name, name, zone);
                }
            }
        }
        for (position, name) in ids.keys().enumerate() {
            if by_name.contains_key(name) {
                continue;
            }
            let Some(zone) = usable.get(position % usable.len().max(1)) else {
                findings.error(
                    Code::ZoneWithoutCounterpart,
                    name,
                    "no zone of the recovery Region is known",
                );
                continue;
            };
            let what = format!(
                "{} zones are in use and {} has {}; its subnets are built in {}",
                ids.len(),
                facts.region,
                usable.len(),
                zone.name
            );
            findings.warning(Code::ZoneWithoutCounterpart, name, what);
            by_name.insert(name, (zone, false));
        }
        Self {
            by_name,
            ids,
            is_same_region: descriptions.region == facts.region,
        }
    }

    /// Returns the zone that subnets of a zone of the primary are built in.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Zone> {
        self.by_name.get(name).map(|(zone, _)| *zone)
    }

    /// Returns the names and ids that have a counterpart of their own.
    pub(crate) fn pairs(&self) -> Vec<(Kind, &'a str, String)> {
        let own = self.by_name.iter().filter(|(_, (_, is_own))| *is_own);
        own.flat_map(|(name, (zone, _))| {
            let ids = self
                .ids
                .get(name)
                .filter(|_| !self.is_same_region)
                .map(|id| (Kind::ZoneId, *id, zone.id.clone()));
            std::iter::once((Kind::Zone, *name, zone.name.clone())).chain(ids)
        })
        .collect()
    }
}
