use std::net::{Ipv4Addr, SocketAddr};

use super::super::facts::{Endpoint, Entry, Facts, Peer, Range, Route, Rule, Server, Subnet};
use super::*;

const NAME: &str = "s3.eu-west-1.amazonaws.com";
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 77);

fn range(text: &str) -> Range {
    Range::parse(text).expect("the range is valid")
}

fn server() -> SocketAddr {
    ([127, 0, 0, 1], 6443).into()
}

fn entry(number: u32, is_egress: bool, allows: bool, ports: (u16, u16)) -> Entry {
    Entry {
        number,
        is_egress,
        allows,
        range: Range::default(),
        ports,
    }
}

/// The entries of a default network ACL.
fn open() -> Vec<Entry> {
    [true, false]
        .map(|is_egress| entry(100, is_egress, true, (0, u16::MAX)))
        .to_vec()
}

fn rule(is_egress: bool, ports: (u16, u16), peer: Peer) -> Rule {
    Rule {
        is_egress,
        ports,
        peer,
    }
}

fn endpoint(id: &str, is_interface: bool) -> Endpoint {
    Endpoint {
        id: id.to_owned(),
        is_interface,
        tables: Vec::new(),
        subnets: Vec::new(),
        groups: vec!["sg-endpoint".to_owned()],
        has_private_names: true,
    }
}

/// A function in two subnets, with the security group of a cluster. Nothing leads to S3.
fn facts() -> Facts {
    let all = (0, u16::MAX);
    let subnet = |id: &str, block: &str, table: &str| Subnet {
        id: id.to_owned(),
        range: range(block),
        table: table.to_owned(),
        routes: vec![Route {
            range: range("10.0.0.0/16"),
            gateway: "local".to_owned(),
        }],
        entries: open(),
    };
    Facts {
        region: "eu-west-1".to_owned(),
        vpc: "vpc-1".to_owned(),
        has_resolver: true,
        subnets: vec![
            subnet("subnet-a", "10.0.0.0/24", "rtb-1"),
            subnet("subnet-b", "10.0.1.0/24", "rtb-1"),
            subnet("subnet-public", "10.0.9.0/24", "rtb-public"),
        ],
        own_subnets: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
        groups: [
            (
                "sg-cluster".to_owned(),
                vec![
                    rule(true, all, Peer::Range(Range::default())),
                    rule(false, all, Peer::Group("sg-cluster".to_owned())),
                ],
            ),
            (
                "sg-endpoint".to_owned(),
                vec![rule(false, (443, 443), Peer::Range(range("10.0.0.0/16")))],
            ),
        ]
        .into(),
        own_groups: vec!["sg-cluster".to_owned()],
        prefix_list: Some("pl-s3".to_owned()),
        servers: vec![Server {
            address: server(),
            vpc: "vpc-1".to_owned(),
            subnets: vec!["subnet-a".to_owned()],
            groups: vec!["sg-cluster".to_owned()],
        }],
        ..Facts::default()
    }
}

fn with_gateway_endpoint(facts: &mut Facts) {
    facts.endpoints.push(Endpoint {
        tables: vec!["rtb-1".to_owned()],
        ..endpoint("vpce-g", false)
    });
}

fn with_interface_endpoint(facts: &mut Facts) {
    facts.endpoints.push(Endpoint {
        subnets: vec!["subnet-b".to_owned()],
        ..endpoint("vpce-i", true)
    });
}

fn with_nat_gateway(facts: &mut Facts) {
    facts
        .nat_gateways
        .insert("nat-1".to_owned(), "subnet-public".to_owned());
    for (subnet, gateway) in facts.subnets.iter_mut().zip(["nat-1", "nat-1", "igw-1"]) {
        subnet.routes.push(Route {
            range: Range::default(),
            gateway: gateway.to_owned(),
        });
    }
}

/// Returns what answers at the address that the name of S3 leads to: `no name`, `nothing`, `other`, the id of an endpoint or
/// `nat`.
fn asked(facts: &Facts) -> String {
    let network = Network::of(facts);
    let address = network.names.get(NAME).copied().flatten();
    let Some(address) = address.filter(|_| network.has_resolver) else {
        return "no name".to_owned();
    };
    match network.addresses.get(&address) {
        None => "nothing".to_owned(),
        Some(Answers::Other) => "other".to_owned(),
        Some(Answers::S3(way)) => way.clone().unwrap_or_else(|| "nat".to_owned()),
    }
}

/// A change of a network, and what answers at the name of S3 then.
type Case = (&'static str, Change, &'static str);

type Change = fn(&mut Facts);

fn check(base: fn(&mut Facts), cases: &[Case]) {
    for (what, change, expected) in cases {
        let mut facts = facts();
        base(&mut facts);
        change(&mut facts);
        assert_eq!(asked(&facts), *expected, "{what}");
    }
}

#[test]
fn a_way_to_s3_is_an_endpoint_or_a_nat_gateway() {
    check(
        |_| {},
        &[
            ("nothing", |_| {}, "nothing"),
            ("a gateway endpoint", with_gateway_endpoint, "vpce-g"),
            ("an interface endpoint", with_interface_endpoint, "vpce-i"),
            ("a NAT gateway", with_nat_gateway, "nat"),
            (
                "the endpoint is more specific than the default route",
                |facts| {
                    with_nat_gateway(facts);
                    with_gateway_endpoint(facts);
                },
                "vpce-g",
            ),
            (
                "the names lead to the interface endpoint",
                |facts| {
                    with_gateway_endpoint(facts);
                    with_interface_endpoint(facts);
                },
                "vpce-i",
            ),
            (
                "an internet gateway",
                |facts| {
                    for subnet in &mut facts.subnets {
                        subnet.routes.push(Route {
                            range: Range::default(),
                            gateway: "igw-1".to_owned(),
                        });
                    }
                },
                "nothing",
            ),
            (
                "a NAT gateway in a subnet that leads nowhere",
                |facts| {
                    with_nat_gateway(facts);
                    facts.subnets[2].routes.clear();
                },
                "nothing",
            ),
            (
                "a NAT gateway that is gone",
                |facts| {
                    with_nat_gateway(facts);
                    facts.nat_gateways.clear();
                },
                "nothing",
            ),
            (
                "an endpoint for one of two route tables",
                |facts| {
                    with_gateway_endpoint(facts);
                    facts.subnets[1].table = "rtb-2".to_owned();
                },
                "nothing",
            ),
            (
                "a subnet that is gone",
                |facts| {
                    with_gateway_endpoint(facts);
                    facts.subnets.remove(1);
                },
                "no name",
            ),
        ],
    );
}

#[test]
fn the_resolver_of_the_vpc_decides_where_names_lead() {
    check(
        with_gateway_endpoint,
        &[
            ("no resolver", |facts| facts.has_resolver = false, "no name"),
            (
                "a private hosted zone with another address",
                |facts| {
                    facts.zones.push(NAME.to_owned());
                    facts.records.insert(NAME.to_owned(), ELSEWHERE);
                },
                "other",
            ),
            (
                "a private hosted zone without a record",
                |facts| facts.zones.push("amazonaws.com".to_owned()),
                "no name",
            ),
            (
                "an address outside of the VPC",
                |facts| {
                    facts.zones.push(NAME.to_owned());
                    facts.records.insert(NAME.to_owned(), Ipv4Addr::new(192, 0, 2, 1));
                },
                "nothing",
            ),
        ],
    );
    check(
        with_interface_endpoint,
        &[
            (
                "private names are off",
                |facts| facts.endpoints[0].has_private_names = false,
                "nothing",
            ),
            (
                "private names are off, and a gateway endpoint is there",
                |facts| {
                    facts.endpoints[0].has_private_names = false;
                    with_gateway_endpoint(facts);
                },
                "vpce-g",
            ),
            (
                "a record with the address of the endpoint",
                |facts| {
                    facts.endpoints[0].has_private_names = false;
                    facts.zones.push(NAME.to_owned());
                    let address = facts.subnets[1].range.address(ENDPOINT_PLACE);
                    facts.records.insert(NAME.to_owned(), address);
                },
                "vpce-i",
            ),
        ],
    );
}

fn rules_of_cluster(facts: &mut Facts) -> &mut Vec<Rule> {
    facts.groups.get_mut("sg-cluster").expect("the group is there")
}

fn egress(facts: &mut Facts, rules: Vec<Rule>) {
    let group = rules_of_cluster(facts);
    group.retain(|rule| !rule.is_egress);
    group.extend(rules);
}

#[test]
fn security_groups_let_out_and_in() {
    check(
        with_gateway_endpoint,
        &[
            ("no rule", |facts| egress(facts, vec![]), "nothing"),
            (
                "another port",
                |facts| egress(facts, vec![rule(true, (80, 80), Peer::Range(Range::default()))]),
                "nothing",
            ),
            (
                "the VPC only",
                |facts| {
                    egress(
                        facts,
                        vec![rule(true, (443, 443), Peer::Range(range("10.0.0.0/16")))],
                    )
                },
                "nothing",
            ),
            (
                "the prefix list",
                |facts| {
                    egress(
                        facts,
                        vec![rule(true, (443, 443), Peer::PrefixList("pl-s3".to_owned()))],
                    )
                },
                "vpce-g",
            ),
            (
                "another prefix list",
                |facts| {
                    egress(
                        facts,
                        vec![rule(true, (443, 443), Peer::PrefixList("pl-2".to_owned()))],
                    )
                },
                "nothing",
            ),
        ],
    );
    check(
        with_interface_endpoint,
        &[
            (
                "the VPC only",
                |facts| {
                    egress(
                        facts,
                        vec![rule(true, (443, 443), Peer::Range(range("10.0.0.0/16")))],
                    )
                },
                "vpce-i",
            ),
            (
                "the group of the endpoint",
                |facts| {
                    egress(
                        facts,
                        vec![rule(true, (443, 443), Peer::Group("sg-endpoint".to_owned()))],
                    )
                },
                "vpce-i",
            ),
            (
                "the prefix list, which the endpoint is not in",
                |facts| {
                    egress(
                        facts,
                        vec![rule(true, (443, 443), Peer::PrefixList("pl-s3".to_owned()))],
                    )
                },
                "nothing",
            ),
            (
                "the group of the endpoint lets nobody in",
                |facts| drop(facts.groups.insert("sg-endpoint".to_owned(), vec![])),
                "nothing",
            ),
            (
                "the group of the endpoint lets the group in",
                |facts| {
                    let peer = Peer::Group("sg-cluster".to_owned());
                    facts
                        .groups
                        .insert("sg-endpoint".to_owned(), vec![rule(false, (443, 443), peer)]);
                },
                "vpce-i",
            ),
            (
                "the default group, which lets its members in",
                |facts| {
                    facts.endpoints[0].groups.clear();
                    facts.default_group = Some("sg-cluster".to_owned());
                },
                "vpce-i",
            ),
        ],
    );
}

#[test]
fn the_entry_of_a_network_acl_with_the_lowest_number_decides() {
    check(
        with_gateway_endpoint,
        &[
            ("no entry", |facts| facts.subnets[1].entries.clear(), "nothing"),
            (
                "HTTPS is denied before it is allowed",
                |facts| facts.subnets[1].entries.push(entry(90, true, false, (443, 443))),
                "nothing",
            ),
            (
                "HTTPS is denied after it is allowed",
                |facts| facts.subnets[1].entries.push(entry(110, true, false, (443, 443))),
                "vpce-g",
            ),
            (
                "some answers are denied",
                |facts| {
                    facts.subnets[1]
                        .entries
                        .push(entry(90, false, false, (2000, 2000)))
                },
                "nothing",
            ),
            (
                "answers to ports that are not ephemeral are denied",
                |facts| facts.subnets[1].entries.push(entry(90, false, false, (0, 1023))),
                "vpce-g",
            ),
            (
                "only what is needed is allowed",
                |facts| {
                    for subnet in &mut facts.subnets {
                        subnet.entries =
                            vec![entry(1, true, true, (443, 443)), entry(2, false, true, EPHEMERAL)];
                    }
                },
                "vpce-g",
            ),
        ],
    );
    check(
        with_interface_endpoint,
        &[
            (
                "the subnet of the endpoint lets nothing in",
                |facts| facts.subnets[1].entries.push(entry(90, false, false, (443, 443))),
                "nothing",
            ),
            (
                "within one subnet nothing is filtered",
                |facts| {
                    facts.own_subnets.remove(0);
                    facts.subnets[1].entries.clear();
                },
                "vpce-i",
            ),
        ],
    );
}

#[test]
fn a_cluster_security_group_decides_who_reaches_the_api_server() {
    fn own(facts: &mut Facts, ingress: Peer) {
        facts.own_groups = vec!["sg-own".to_owned()];
        let all = rule(true, (0, u16::MAX), Peer::Range(Range::default()));
        facts.groups.insert("sg-own".to_owned(), vec![all]);
        rules_of_cluster(facts).push(rule(false, (443, 443), ingress));
    }
    let cases: [(&str, Change, bool); 7] = [
        ("a member", |_| {}, true),
        (
            "a member that no rule lets out",
            |facts| egress(facts, vec![]),
            false,
        ),
        (
            "a member of a group that lets nobody in",
            |facts| rules_of_cluster(facts).retain(|rule| rule.is_egress),
            false,
        ),
        (
            "a group that a rule references",
            |facts| own(facts, Peer::Group("sg-own".to_owned())),
            true,
        ),
        (
            "an address that a rule allows",
            |facts| own(facts, Peer::Range(range("10.0.0.0/23"))),
            true,
        ),
        (
            "an address that a rule allows in one of two subnets",
            |facts| own(facts, Peer::Range(range("10.0.0.0/24"))),
            false,
        ),
        (
            "a cluster in another VPC",
            |facts| facts.servers[0].vpc = "vpc-2".to_owned(),
            false,
        ),
    ];
    for (what, change, is_reached) in cases {
        let mut facts = facts();
        change(&mut facts);
        assert_eq!(Network::of(&facts).servers[&server()], is_reached, "{what}");
    }
}

#[test]
fn a_range_contains_what_has_its_bits() {
    for (text, address, is_in) in [
        ("0.0.0.0/0", [198, 51, 100, 3], true),
        ("10.0.0.0/16", [10, 0, 255, 255], true),
        ("10.0.0.0/16", [10, 1, 0, 0], false),
        ("10.0.0.7/32", [10, 0, 0, 7], true),
        ("10.0.3.7/24", [10, 0, 3, 9], true),
    ] {
        assert_eq!(range(text).contains(address.into()), is_in, "{text} {address:?}");
    }
    assert_eq!(range("10.0.3.0/24").address(9), Ipv4Addr::new(10, 0, 3, 9));
    for text in ["::/0", "10.0.0.0", "10.0.0.0/33", ""] {
        assert_eq!(Range::parse(text), None, "{text}");
    }
}
