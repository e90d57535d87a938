//! Cluster IPs and node ports: kept if the target can allocate them, released otherwise. A ServiceCIDR of the plan is
//! restored before the Services, so that they can keep addresses in its ranges.
//!
//! A Service without a fixed address could be given an address that another Service needs. Therefore Services with
//! fixed addresses and ports come first (depth 0), and the others after them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::{Resolver, addresses_of};
use crate::address::{Range, place_after};
use crate::builder::summary::{Addresses, Extra};
use crate::options::PortRange;
use crate::planned::Action;
use crate::rule::RuleId;

struct AddressAllocator {
    ranges: Vec<Range>,
    ports: PortRange,
    taken_ips: BTreeSet<IpAddr>,
    taken_ports: BTreeSet<u16>,
}

pub(super) fn addresses(work: &mut Resolver<'_>, sorted: &[usize]) {
    let services: Vec<usize> = sorted
        .iter()
        .copied()
        .filter(|index| work.is_planned(*index) && work.decisions.actions[*index] != Action::Keep)
        .filter(|index| addresses_of(work.item(*index)).is_some())
        .collect();
    if services.is_empty() {
        return;
    }
    let mut pool = pool(work, &services);
    // The DNS Service comes first, because its offset in the range must be kept.
    let (dns, others): (Vec<usize>, Vec<usize>) = services
        .into_iter()
        .partition(|index| addresses_of(work.item(*index)).is_some_and(|a| a.is_dns));
    for index in dns.into_iter().chain(others) {
        let Some(addresses) = addresses_of(work.item(index)).cloned() else {
            continue;
        };
        let own = own_allocation(work, index);
        let fixed_ips = cluster_ips(work, index, &addresses, &mut pool, &own.0);
        let fixed_ports = node_ports(work, index, &addresses, &mut pool, &own.1);
        if !(fixed_ips && fixed_ports) {
            work.later.insert(index);
        }
    }
}

/// Returns the addresses and ports of the target's Services, except those that the plan replaces or that this run
/// created.
fn pool(work: &Resolver<'_>, services: &[usize]) -> AddressAllocator {
    let replaced: BTreeSet<_> = services
        .iter()
        .filter(|index| work.decisions.actions[**index] != Action::Update)
        .map(|index| &work.decisions.targets[*index])
        .collect();
    let mut pool = AddressAllocator {
        ranges: ranges(work),
        ports: work.draft.settings.node_ports,
        taken_ips: BTreeSet::new(),
        taken_ports: BTreeSet::new(),
    };
    for allocation in &work.facts.allocations {
        let by_this_run = work
            .facts
            .existing
            .get(&allocation.service)
            .is_some_and(|existing| existing.created_by_this_run);
        if !by_this_run && !replaced.contains(&allocation.service) {
            pool.taken_ips.extend(
                allocation
                    .cluster_ips
                    .iter()
                    .filter_map(|ip| ip.parse::<IpAddr>().ok()),
            );
            pool.taken_ports.extend(&allocation.node_ports);
        }
    }
    pool
}

/// Returns the ranges of the target, and those that the plan restores before the Services. The API server assigns
/// addresses only of the families that its own ranges have.
fn ranges(work: &Resolver<'_>) -> Vec<Range> {
    let parse = |range: &String| Range::parse(range);
    let mut ranges: Vec<Range> = work.facts.service_ranges.iter().filter_map(parse).collect();
    let own = ranges.clone();
    for index in (0..work.decisions.exclusions.len()).filter(|index| work.is_planned(*index)) {
        if let Some(Extra::ServiceRanges(restored)) = work.item(index).extra.as_deref() {
            let restored = restored.iter().filter_map(parse);
            ranges.extend(restored.filter(|range| own.iter().any(|own| own.is_v6() == range.is_v6())));
        }
    }
    ranges
}

/// Returns the addresses and ports that a Service to be updated has in the target.
fn own_allocation(work: &Resolver<'_>, index: usize) -> (Vec<String>, Vec<u16>) {
    if work.decisions.actions[index] != Action::Update {
        return Default::default();
    }
    work.facts
        .allocations
        .iter()
        .find(|allocation| allocation.service == work.decisions.targets[index])
        .map(|allocation| (allocation.cluster_ips.clone(), allocation.node_ports.clone()))
        .unwrap_or_default()
}

/// Decides the cluster IPs. Returns whether the Service requests fixed addresses or none.
fn cluster_ips(
    work: &mut Resolver<'_>,
    index: usize,
    addresses: &Addresses,
    pool: &mut AddressAllocator,
    own: &[String],
) -> bool {
    if addresses.cluster_ips.is_empty() {
        return true;
    }
    if !own.is_empty() {
        // Addresses of a live Service are immutable; if they differ, it keeps its own.
        if own != addresses.cluster_ips.as_slice() {
            release(work, index, addresses);
        }
        return true;
    }
    let ips: Option<Vec<IpAddr>> = addresses.cluster_ips.iter().map(|ip| ip.parse().ok()).collect();
    let is_free =
        |ip: &IpAddr| pool.ranges.iter().any(|range| range.holds(*ip)) && !pool.taken_ips.contains(ip);
    match ips {
        Some(ips) if ips.iter().all(is_free) => {
            pool.taken_ips.extend(ips);
            work.note_use(RuleId::ClusterIpKept);
            return true;
        }
        Some(ips) if addresses.is_dns => {
            if let Some(moved) = moved(work, pool, &ips) {
                set(work, index, addresses, &moved);
                pool.taken_ips.extend(moved);
                return true;
            }
        }
        _ => {}
    }
    release(work, index, addresses);
    families(work, index, addresses, pool);
    false
}

/// Returns the addresses with the same offsets in the target's ranges.
fn moved(work: &Resolver<'_>, pool: &AddressAllocator, ips: &[IpAddr]) -> Option<Vec<IpAddr>> {
    ips.iter()
        .map(|ip| {
            let first = work
                .draft
                .first_addresses
                .iter()
                .find(|first| first.is_ipv4() == ip.is_ipv4())?;
            let place = place_after(*first, *ip)?;
            let range = pool.ranges.iter().find(|range| range.is_v6() == ip.is_ipv6())?;
            range.at(place).filter(|ip| !pool.taken_ips.contains(ip))
        })
        .collect()
}

fn set(work: &mut Resolver<'_>, index: usize, addresses: &Addresses, ips: &[IpAddr]) {
    let texts: Vec<String> = ips.iter().map(ToString::to_string).collect();
    change(work, index, addresses, RuleId::ClusterIpMoved, &texts);
}

fn release(work: &mut Resolver<'_>, index: usize, addresses: &Addresses) {
    change(work, index, addresses, RuleId::ClusterIpReleased, &[]);
}

/// Changes both fields together: `clusterIP` must be the first of `clusterIPs` (Kubernetes API reference,
/// ServiceSpec).
fn change(work: &mut Resolver<'_>, index: usize, addresses: &Addresses, rule: RuleId, to: &[String]) {
    let from = &addresses.cluster_ips;
    let all = (!to.is_empty()).then(|| Value::from(to));
    work.edit(index, "/spec/clusterIP", to.first().cloned().map(Value::from));
    work.edit(index, "/spec/clusterIPs", all);
    work.change(
        index,
        "/spec/clusterIP",
        rule,
        from.first().cloned(),
        to.first().cloned(),
    );
    let all = (!to.is_empty()).then(|| to.join(", "));
    work.change(index, "/spec/clusterIPs", rule, Some(from.join(", ")), all);
}

/// Removes IP families that the target does not support, because the API server would reject the Service.
fn families(work: &mut Resolver<'_>, index: usize, addresses: &Addresses, pool: &AddressAllocator) {
    if pool.ranges.is_empty() {
        return;
    }
    let offered = |family: &String| {
        pool.ranges
            .iter()
            .any(|range| range.is_v6() == (family == "IPv6"))
    };
    if !addresses.families.iter().all(offered) {
        work.edit(index, "/spec/ipFamilies", None);
        let from = addresses.families.join(", ");
        work.change(
            index,
            "/spec/ipFamilies",
            RuleId::IpFamilyReleased,
            Some(from),
            None,
        );
    }
    let dual = pool.ranges.iter().any(|r| r.is_v6()) && pool.ranges.iter().any(|r| !r.is_v6());
    if addresses.policy == "RequireDualStack" && !dual {
        let (path, to) = ("/spec/ipFamilyPolicy", "PreferDualStack");
        work.edit(index, path, Some(Value::from(to)));
        work.change(
            index,
            path,
            RuleId::IpFamilyReleased,
            Some(addresses.policy.clone()),
            Some(to.to_owned()),
        );
    }
}

fn node_ports(
    work: &mut Resolver<'_>,
    index: usize,
    addresses: &Addresses,
    pool: &mut AddressAllocator,
    own: &[u16],
) -> bool {
    let mut all_kept = true;
    // TCP and UDP ports of one Service may share a number.
    let mut mine = BTreeSet::new();
    for (path, port) in &addresses.node_ports {
        let in_range = pool.ports.contains(*port);
        let free = !pool.taken_ports.contains(port) || mine.contains(port) || own.contains(port);
        if in_range && free {
            mine.insert(*port);
            pool.taken_ports.insert(*port);
            continue;
        }
        all_kept = false;
        work.edit(index, path, None);
        work.change(
            index,
            path,
            RuleId::NodePortReleased,
            Some(port.to_string()),
            None,
        );
    }
    all_kept
}
