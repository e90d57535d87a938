//! Subnets by their place: the Availability Zones of an adopted VPC take the place of those of the primary, and within a
//! zone public and private subnets are counterparts in the order of their ranges.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::matching::Search;
use super::sought::Sought;
use super::{Candidate, CandidateKind};

/// Returns the counterparts of subnets that neither tags nor a name nor a range has found. Where the primary has another
/// number of subnets of a sort in a zone, none is chosen.
pub(super) fn by_position<'a, 's>(
    search: &Search<'a>,
    all: &'s [Sought<'a>],
    open: &[&'s Sought<'a>],
) -> Vec<(&'s Sought<'a>, &'a str)> {
    let zones = zones(search, &all.iter().collect::<Vec<_>>());
    let mut places: BTreeMap<(&str, &str, bool), Vec<&'s Sought<'a>>> = BTreeMap::new();
    for one in open {
        let vpc = one.parent.and_then(|vpc| search.counterparts.get(vpc));
        let zone = one.zone.and_then(|zone| zones.get(zone));
        if let (Some(vpc), Some(zone)) = (vpc, zone) {
            places.entry((vpc, zone, one.is_public)).or_default().push(one);
        }
    }
    let mut found = Vec::new();
    for ((vpc, zone, is_public), mut subnets) in places {
        let free = search.free(CandidateKind::Subnet, vpc).into_iter();
        let mut there: Vec<&'a Candidate> = free
            .filter(|one| one.zone_id.as_deref() == Some(zone) && one.public.unwrap_or_default() == is_public)
            .collect();
        if there.len() == subnets.len() {
            subnets.sort_by_key(|one| (address(one.cidr), one.from));
            there.sort_by_key(|one| (address(one.cidr.as_deref()), one.id.as_str()));
            let pairs = subnets.into_iter().zip(there);
            found.extend(pairs.map(|(one, to)| (one, to.id.as_str())));
        }
    }
    found
}

/// Returns the first address of a range, by which ranges are ordered.
fn address(cidr: Option<&str>) -> Option<Ipv4Addr> {
    cidr?.split('/').next()?.parse().ok()
}

/// Returns the ids of the zones of adopted VPCs that take the place of those of the primary: the mapped one, else the one
/// that the counterparts of its subnets are in, else the one with the same letter, else the next in order.
pub(super) fn zones<'a>(search: &Search<'a>, subnets: &[&Sought<'a>]) -> BTreeMap<&'a str, &'a str> {
    let facts = search.facts;
    let adopted = subnets.iter().filter_map(|one| {
        let vpc = search.counterparts.get(one.parent?)?;
        Some((*one, *vpc))
    });
    let adopted: Vec<(&Sought<'a>, &str)> = adopted.collect();
    let vpcs: BTreeSet<&str> = adopted.iter().map(|(_, vpc)| *vpc).collect();
    let candidates = facts.candidates.iter();
    let there = candidates.filter(|one| {
        let parent = one.parent.as_deref();
        one.kind == CandidateKind::Subnet && parent.is_some_and(|vpc| vpcs.contains(vpc))
    });
    let there: Vec<&'a Candidate> = there.collect();
    let name = |id: &'a str| search.zone(id).unwrap_or(id);
    // By name, which is the order of the primary's as well.
    let mut free: Vec<&'a str> = there.iter().filter_map(|one| one.zone_id.as_deref()).collect();
    free.sort_by_key(|id| name(id));
    free.dedup();
    let mut zones: BTreeMap<&'a str, &'a str> = BTreeMap::new();
    let mut open: BTreeSet<&'a str> = adopted.iter().filter_map(|(one, _)| one.zone).collect();
    let mut choose = |from: &'a str, id: &'a str, free: &mut Vec<&'a str>| {
        free.retain(|other| *other != id);
        zones.insert(from, id);
    };
    for from in open.clone() {
        let mut mapped = facts.adopted.iter().filter(|adoption| adoption.from == from);
        let mapped = mapped.find_map(|adoption| facts.zones.iter().find(|zone| zone.name == adoption.to));
        let of_counterparts = || {
            let of_zone = adopted.iter().filter(|(one, _)| one.zone == Some(from));
            let ids = of_zone.filter_map(|(one, _)| search.counterparts.get(one.from));
            let ids = ids.filter_map(|id| there.iter().find(|candidate| candidate.id == *id));
            let ids: BTreeSet<&'a str> = ids.filter_map(|one| one.zone_id.as_deref()).collect();
            ids.first().copied().filter(|_| ids.len() == 1)
        };
        if let Some(id) = mapped.map(|zone| zone.id.as_str()).or_else(of_counterparts) {
            choose(from, id, &mut free);
            open.remove(from);
        }
    }
    let letter = |name: &str| name.chars().next_back();
    for from in open.clone() {
        let same = free.iter().find(|id| letter(name(id)) == letter(from)).copied();
        if let Some(id) = same {
            choose(from, id, &mut free);
            open.remove(from);
        }
    }
    for (from, id) in open.into_iter().zip(free.clone()) {
        choose(from, id, &mut free);
    }
    zones
}
