//! What a function in a VPC reaches: names, addresses, and what answers there. This is an evaluation of its own, so that the
//! local AWS is an independent judge of what Lifeboat says of a network.
//!
//! The function's interface has no public address, so that a route to an internet gateway is no way out (AWS Lambda Developer
//! Guide, "Giving Lambda functions access to resources in an Amazon VPC"). AWS may use any of the function's subnets: the
//! one in which least can be reached counts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use super::facts::{Endpoint, Entry, Facts, Peer, Server, Subnet};

/// The port of S3 and of API servers on AWS, for which rules are evaluated.
const HTTPS: u16 = 443;
/// The ports from which a function connects (Amazon VPC User Guide, "Custom network ACLs": ephemeral ports).
const EPHEMERAL: (u16, u16) = (1024, u16::MAX);

/// The public address of S3 and that of all other services: addresses for documentation (RFC 5737), which lead nowhere.
pub(crate) const S3_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 3);
pub(crate) const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 4);

/// The places in a subnet of the function's interface, of an endpoint's and of an API server's. AWS reserves the first four
/// and the last address.
const OWN_PLACE: u32 = 8;
const ENDPOINT_PLACE: u32 = 9;
const SERVER_PLACE: u32 = 10;

/// The network of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    /// Whether the resolver of the VPC answers.
    pub(crate) has_resolver: bool,
    /// The names that the resolver knows, and their addresses. A name that begins with `*.` stands for all names that end so
    /// and have no better match. Without an address, a name does not exist.
    pub(crate) names: BTreeMap<String, Option<Ipv4Addr>>,
    /// What answers on the port of S3, by address. Nothing answers at other addresses: packets to them are lost.
    pub(crate) addresses: BTreeMap<Ipv4Addr, Answers>,
    /// The API servers, and whether a connection to them is possible. If it is not, packets are lost.
    pub(crate) servers: BTreeMap<SocketAddr, bool>,
}

/// What answers at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// S3, through an endpoint of this id or through a NAT gateway.
    S3(Option<String>),
    /// Another server.
    Other,
}

/// The other end of a connection.
#[derive(Clone, Copy)]
struct Target<'a> {
    address: Ipv4Addr,
    groups: &'a [String],
    prefix_list: Option<&'a str>,
}

impl Network {
    /// Derives the network of a function. A function without a subnet that exists reaches nothing.
    pub(crate) fn of(facts: &Facts) -> Self {
        let own = facts.own_subnets.iter();
        let found = own.map(|id| Some(Self::within(facts, subnet(facts, id)?)));
        // Every subnet is used sometimes, so a subnet that does not exist counts as the worst.
        let networks: Option<Vec<Self>> = found.collect();
        let worst = networks.into_iter().flatten().min_by_key(Self::reachable);
        worst.unwrap_or_default()
    }

    fn reachable(&self) -> usize {
        self.addresses.len() + self.servers.values().filter(|is_open| **is_open).count()
    }

    fn within(facts: &Facts, subnet: &Subnet) -> Self {
        let names = names(facts, subnet);
        let view = View {
            facts,
            subnet,
            own: subnet.range.address(OWN_PLACE),
        };
        let mut addresses = BTreeMap::new();
        for endpoint in facts.endpoints.iter().filter(|endpoint| endpoint.is_interface) {
            if let Some(address) = view.interface(endpoint) {
                addresses.insert(address, Answers::S3(Some(endpoint.id.clone())));
            }
        }
        if let Some(way) = view.way_to_public_s3() {
            addresses.insert(S3_ADDRESS, Answers::S3(way));
        }
        // The address in a record may be that of another server.
        for address in facts.records.values() {
            if !addresses.contains_key(address) && *address != S3_ADDRESS && view.reaches(*address) {
                addresses.insert(*address, Answers::Other);
            }
        }
        let servers = facts.servers.iter();
        Self {
            has_resolver: facts.has_resolver,
            names,
            addresses,
            servers: servers
                .map(|server| (server.address, view.server(server)))
                .collect(),
        }
    }
}

/// The network as the function sees it from one subnet.
struct View<'a> {
    facts: &'a Facts,
    subnet: &'a Subnet,
    own: Ipv4Addr,
}

impl View<'_> {
    /// Returns the address of an interface endpoint, if the function can connect to it.
    fn interface(&self, endpoint: &Endpoint) -> Option<Ipv4Addr> {
        let (address, there) = address_of(self.facts, self.subnet, endpoint)?;
        let default: Vec<String> = self.facts.default_group.iter().cloned().collect();
        let groups = match endpoint.groups.as_slice() {
            [] => default.as_slice(),
            groups => groups,
        };
        let target = Target {
            address,
            groups,
            prefix_list: None,
        };
        let passes = self.goes_out(target) && self.comes_in(groups) && self.crosses_to(there, address);
        passes.then_some(address)
    }

    /// Returns the endpoint through which the public address of S3 answers, or nothing in it for a NAT gateway; nothing if
    /// it does not answer.
    fn way_to_public_s3(&self) -> Option<Option<String>> {
        let target = Target {
            address: S3_ADDRESS,
            groups: &[],
            prefix_list: self.facts.prefix_list.as_deref(),
        };
        if !self.goes_out(target) || !passes_both_ways(&self.subnet.entries, S3_ADDRESS) {
            return None;
        }
        // The prefix list of the endpoint is more specific than a default route.
        let mut endpoints = self.facts.endpoints.iter();
        let gateway =
            endpoints.find(|endpoint| !endpoint.is_interface && endpoint.tables.contains(&self.subnet.table));
        match gateway {
            Some(endpoint) => Some(Some(endpoint.id.clone())),
            None => self.has_nat(S3_ADDRESS).then_some(None),
        }
    }

    /// Returns whether the function can connect to an address, in the VPC or outside.
    fn reaches(&self, address: Ipv4Addr) -> bool {
        let target = Target {
            address,
            groups: &[],
            prefix_list: None,
        };
        let mut subnets = self.facts.subnets.iter();
        let leads = match subnets.find(|subnet| subnet.range.contains(address)) {
            Some(there) => self.crosses_to(there, address),
            None => passes_both_ways(&self.subnet.entries, address) && self.has_nat(address),
        };
        leads && self.goes_out(target)
    }

    /// Returns whether the security groups of an API server let the function in, and its own let it out.
    fn server(&self, server: &Server) -> bool {
        let mut subnets = server.subnets.iter().filter_map(|id| subnet(self.facts, id));
        let there = subnets.next().unwrap_or(self.subnet);
        let target = Target {
            address: there.range.address(SERVER_PLACE),
            groups: &server.groups,
            prefix_list: None,
        };
        server.vpc == self.facts.vpc && self.goes_out(target) && self.comes_in(&server.groups)
    }

    /// Returns whether the most specific route to an address leads to a NAT gateway that works: one in a subnet with a route
    /// to an internet gateway.
    fn has_nat(&self, address: Ipv4Addr) -> bool {
        let nat = gateway_to(self.subnet, address).and_then(|gateway| self.facts.nat_gateways.get(gateway));
        let Some(outer) = nat.and_then(|id| subnet(self.facts, id)) else {
            return false;
        };
        let leads_out = gateway_to(outer, address).is_some_and(|gateway| gateway.starts_with("igw-"));
        leads_out && passes_both_ways(&outer.entries, address)
    }

    /// Returns whether a rule of the function's groups lets it connect to the other end.
    fn goes_out(&self, target: Target<'_>) -> bool {
        self.any_rule(&self.facts.own_groups, true, |peer| match peer {
            Peer::Range(range) => range.contains(target.address),
            Peer::PrefixList(list) => target.prefix_list == Some(list),
            Peer::Group(group) => target.groups.contains(group),
        })
    }

    /// Returns whether a rule of these groups lets the function in.
    fn comes_in(&self, groups: &[String]) -> bool {
        self.any_rule(groups, false, |peer| match peer {
            Peer::Range(range) => range.contains(self.own),
            Peer::PrefixList(_) => false,
            Peer::Group(group) => self.facts.own_groups.contains(group),
        })
    }

    fn any_rule(&self, groups: &[String], is_egress: bool, matches: impl Fn(&Peer) -> bool) -> bool {
        let rules = groups
            .iter()
            .filter_map(|group| self.facts.groups.get(group))
            .flatten();
        let mut fitting = rules
            .filter(|rule| rule.is_egress == is_egress && (rule.ports.0..=rule.ports.1).contains(&HTTPS));
        fitting.any(|rule| matches(&rule.peer))
    }

    /// Returns whether the network ACLs of two subnets let a connection pass. Within one subnet they do not apply.
    fn crosses_to(&self, there: &Subnet, address: Ipv4Addr) -> bool {
        there.id == self.subnet.id
            || passes_both_ways(&self.subnet.entries, address)
                && passes(&there.entries, false, self.own, (HTTPS, HTTPS))
                && passes(&there.entries, true, self.own, EPHEMERAL)
    }
}

/// Returns what the resolver of the VPC knows.
fn names(facts: &Facts, subnet: &Subnet) -> BTreeMap<String, Option<Ipv4Addr>> {
    let mut interfaces = facts
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.is_interface && endpoint.has_private_names);
    let of_endpoint = interfaces.find_map(|endpoint| Some(address_of(facts, subnet, endpoint)?.0));
    let s3 = format!("s3.{}.amazonaws.com", facts.region);
    let address = of_endpoint.unwrap_or(S3_ADDRESS);
    let mut names = BTreeMap::from([
        ("*.amazonaws.com".to_owned(), Some(OTHER_ADDRESS)),
        (format!("*.{s3}"), Some(address)),
        (s3, Some(address)),
    ]);
    // A private hosted zone hides all public names in it.
    names.retain(|name, _| {
        let is_in = |zone: &String| name == zone || name.ends_with(&format!(".{zone}"));
        !facts.zones.iter().any(is_in)
    });
    for zone in &facts.zones {
        names.insert(zone.clone(), None);
        names.insert(format!("*.{zone}"), None);
    }
    names.extend(
        facts
            .records
            .iter()
            .map(|(name, address)| (name.clone(), Some(*address))),
    );
    names
}

/// Returns the address of an interface endpoint, and its subnet: that of the function, or its first one.
fn address_of<'a>(facts: &'a Facts, own: &Subnet, endpoint: &Endpoint) -> Option<(Ipv4Addr, &'a Subnet)> {
    let is_here = endpoint.subnets.contains(&own.id);
    let id = if is_here {
        &own.id
    } else {
        endpoint.subnets.first()?
    };
    let there = subnet(facts, id)?;
    Some((there.range.address(ENDPOINT_PLACE), there))
}

fn subnet<'a>(facts: &'a Facts, id: &str) -> Option<&'a Subnet> {
    facts.subnets.iter().find(|subnet| subnet.id == id)
}

/// Returns the gateway of the most specific route to an address.
fn gateway_to(subnet: &Subnet, address: Ipv4Addr) -> Option<&str> {
    let routes = subnet.routes.iter().filter(|route| route.range.contains(address));
    let best = routes.max_by_key(|route| route.range.bits)?;
    Some(&best.gateway)
}

/// Returns whether a network ACL lets requests to an address pass, and the answers from it.
fn passes_both_ways(entries: &[Entry], address: Ipv4Addr) -> bool {
    passes(entries, true, address, (HTTPS, HTTPS)) && passes(entries, false, address, EPHEMERAL)
}

/// Returns whether a network ACL lets all of these ports pass. Of the entries for a port, the one with the lowest number
/// decides; without any, nothing passes (Amazon VPC User Guide, "Network ACL rules").
fn passes(entries: &[Entry], is_egress: bool, address: Ipv4Addr, (first, last): (u16, u16)) -> bool {
    let mut concerned: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.is_egress == is_egress && entry.range.contains(address))
        .collect();
    concerned.sort_by_key(|entry| entry.number);
    // What decides changes only where the ports of an entry begin, or after they end.
    let begins = concerned.iter().map(|entry| entry.ports.0);
    let ends = concerned.iter().filter_map(|entry| entry.ports.1.checked_add(1));
    let mut ports = begins
        .chain(ends)
        .chain([first])
        .filter(|port| (first..=last).contains(port));
    ports.all(|port| {
        let mut of_port = concerned
            .iter()
            .filter(|entry| (entry.ports.0..=entry.ports.1).contains(&port));
        of_port.next().is_some_and(|entry| entry.allows)
    })
}

#[cfg(test)]
mod tests;
