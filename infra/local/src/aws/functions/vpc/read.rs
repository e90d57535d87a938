//! Reads what decides on the network of a function from EC2, Route 53 and EKS.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http::Request;

use super::facts::{Endpoint, Entry, Facts, Peer, Range, Route, Rule, Server, Subnet};
use crate::aws::gateway::Gateway;
use crate::aws::gateway::stacks::Attachment;
use crate::aws::gateway::upstream::UpstreamError;
use crate::aws::gateway::wire::form;
use crate::aws::gateway::xml::Element;

/// Route 53 has no Regions, but a signature contains one.
const GLOBAL: &str = "us-east-1";
/// The number of TCP in an entry of a network ACL (IANA, "Protocol Numbers").
const TCP: &str = "6";
const ALL_PROTOCOLS: &str = "-1";

/// Reads the facts of the VPC that a function is attached to.
pub(crate) async fn facts(
    gateway: &Gateway,
    account: &str,
    region: &str,
    attachment: &Attachment,
) -> Result<Facts, UpstreamError> {
    let ask = async |action: &str, more: &[(&str, &str)]| -> Result<Element, UpstreamError> {
        let mut pairs = vec![("Action", action), ("Version", "2016-11-15")];
        pairs.extend_from_slice(more);
        let query = gateway
            .upstream
            .query_as_administrator(account, "ec2", region, form(&pairs));
        Ok(Element::parse(&query.await?.text()))
    };
    let (subnets, tables, acls, groups, endpoints, nats, lists) = tokio::try_join!(
        ask("DescribeSubnets", &[]),
        ask("DescribeRouteTables", &[]),
        ask("DescribeNetworkAcls", &[]),
        ask("DescribeSecurityGroups", &[]),
        ask("DescribeVpcEndpoints", &[]),
        ask("DescribeNatGateways", &[]),
        ask("DescribePrefixLists", &[]),
    )?;
    let first = attachment.subnets.first().map_or("", String::as_str);
    let mut all = subnets.items("subnetSet");
    let vpc = all.find(|subnet| subnet.text("subnetId") == first);
    let vpc = vpc.map_or("", |subnet| subnet.text("vpcId")).to_owned();
    let resolver = [("VpcId", vpc.as_str()), ("Attribute", "enableDnsSupport")];
    let resolver = ask("DescribeVpcAttribute", &resolver).await?;
    let has_resolver = resolver
        .child("enableDnsSupport")
        .is_some_and(|support| support.text("value") == "true");
    let is_here = |element: &&Element| element.text("vpcId") == vpc;
    let groups: Vec<&Element> = groups.items("securityGroupInfo").filter(is_here).collect();
    let s3 = format!("com.amazonaws.{region}.s3");
    let mut facts = Facts {
        region: region.to_owned(),
        has_resolver,
        subnets: subnets
            .items("subnetSet")
            .filter(is_here)
            .filter_map(|from| subnet(from, &tables, &acls))
            .collect(),
        own_subnets: attachment.subnets.clone(),
        own_groups: attachment.groups.clone(),
        default_group: groups
            .iter()
            .find(|group| group.text("groupName") == "default")
            .map(|group| group.text("groupId").to_owned()),
        groups: groups
            .iter()
            .map(|group| (group.text("groupId").to_owned(), rules(group)))
            .collect(),
        prefix_list: lists
            .items("prefixListSet")
            .find(|list| list.text("prefixListName") == s3)
            .map(|list| list.text("prefixListId").to_owned()),
        endpoints: endpoints
            .items("vpcEndpointSet")
            .filter(is_here)
            .filter(|endpoint| endpoint.text("serviceName") == s3 && endpoint.text("state") == "available")
            .map(endpoint)
            .collect(),
        nat_gateways: nats
            .items("natGatewaySet")
            .filter(|nat| nat.text("state") == "available" && nat.text("connectivityType") != "private")
            .map(|nat| {
                (
                    nat.text("natGatewayId").to_owned(),
                    nat.text("subnetId").to_owned(),
                )
            })
            .collect(),
        servers: servers(gateway, account, region).await?,
        vpc,
        ..Facts::default()
    };
    private_zones(gateway, account, &mut facts).await?;
    Ok(facts)
}

/// Reads a subnet with its route table and its network ACL: those it is associated with, else those of the VPC.
fn subnet(from: &Element, tables: &Element, acls: &Element) -> Option<Subnet> {
    let (id, vpc) = (from.text("subnetId"), from.text("vpcId"));
    let of_vpc = |element: &&Element| element.text("vpcId") == vpc;
    let has_subnet = |element: &&Element| {
        let mut associations = element.items("associationSet");
        associations.any(|association| association.text("subnetId") == id)
    };
    let is_main = |table: &&Element| {
        let mut associations = table.items("associationSet");
        associations.any(|association| association.text("main") == "true")
    };
    let of_vpc_tables = || tables.items("routeTableSet").filter(of_vpc);
    let table = of_vpc_tables()
        .find(has_subnet)
        .or_else(|| of_vpc_tables().find(is_main));
    let of_vpc_acls = || acls.items("networkAclSet").filter(of_vpc);
    let acl = of_vpc_acls()
        .find(has_subnet)
        .or_else(|| of_vpc_acls().find(|acl| acl.text("default") == "true"));
    let routes = table.into_iter().flat_map(|table| table.items("routeSet"));
    let entries = acl.into_iter().flat_map(|acl| acl.items("entrySet"));
    Some(Subnet {
        id: id.to_owned(),
        range: Range::parse(from.text("cidrBlock"))?,
        table: table.map_or("", |table| table.text("routeTableId")).to_owned(),
        routes: routes.filter_map(route).collect(),
        entries: entries.filter_map(entry).collect(),
    })
}

/// Reads a route to addresses of IPv4. Only gateways of the VPC itself are known.
fn route(from: &Element) -> Option<Route> {
    let gateways = [from.text("natGatewayId"), from.text("gatewayId")];
    let gateway = gateways.into_iter().find(|id| !id.is_empty()).unwrap_or_default();
    Some(Route {
        range: Range::parse(from.text("destinationCidrBlock"))?,
        gateway: gateway.to_owned(),
    })
}

/// Reads an entry of a network ACL, if it is about TCP.
fn entry(from: &Element) -> Option<Entry> {
    let protocol = from.text("protocol");
    let ports = from.child("portRange").filter(|_| protocol != ALL_PROTOCOLS);
    [TCP, ALL_PROTOCOLS].contains(&protocol).then_some(())?;
    Some(Entry {
        number: from.text("ruleNumber").parse().ok()?,
        is_egress: from.text("egress") == "true",
        allows: from.text("ruleAction") == "allow",
        range: Range::parse(from.text("cidrBlock"))?,
        ports: ports.map_or((0, u16::MAX), |ports| {
            (port(ports.text("from"), 0), port(ports.text("to"), u16::MAX))
        }),
    })
}

/// Reads the rules of a security group about TCP.
fn rules(group: &Element) -> Vec<Rule> {
    let directions = [("ipPermissions", false), ("ipPermissionsEgress", true)];
    let permissions = directions
        .into_iter()
        .flat_map(|(list, is_egress)| group.items(list).map(move |permission| (permission, is_egress)));
    let of_tcp = permissions
        .filter(|(permission, _)| ["tcp", TCP, ALL_PROTOCOLS].contains(&permission.text("ipProtocol")));
    of_tcp
        .flat_map(|(permission, is_egress)| {
            let ports = match permission.text("ipProtocol") {
                ALL_PROTOCOLS => (0, u16::MAX),
                _ => (
                    port(permission.text("fromPort"), 0),
                    port(permission.text("toPort"), u16::MAX),
                ),
            };
            let ranges = permission.texts("ipRanges", "cidrIp").into_iter();
            let ranges = ranges.filter_map(|range| Range::parse(&range).map(Peer::Range));
            let lists = permission
                .texts("prefixListIds", "prefixListId")
                .into_iter()
                .map(Peer::PrefixList);
            let groups = permission.texts("groups", "groupId").into_iter().map(Peer::Group);
            let peers = ranges.chain(lists).chain(groups);
            peers.map(move |peer| Rule {
                is_egress,
                ports,
                peer,
            })
        })
        .collect()
}

/// Reads a port; -1 stands for all ports.
fn port(text: &str, otherwise: u16) -> u16 {
    text.parse().unwrap_or(otherwise)
}

fn endpoint(from: &Element) -> Endpoint {
    let texts =
        |list: &str| -> Vec<String> { from.items(list).map(|item| item.own_text().to_owned()).collect() };
    Endpoint {
        id: from.text("vpcEndpointId").to_owned(),
        is_interface: from.text("vpcEndpointType") == "Interface",
        tables: texts("routeTableIdSet"),
        subnets: texts("subnetIdSet"),
        groups: from.texts("groupSet", "groupId"),
        has_private_names: from.text("privateDnsEnabled") == "true",
    }
}

/// Reads the API servers of the account in the Region.
async fn servers(gateway: &Gateway, account: &str, region: &str) -> Result<Vec<Server>, UpstreamError> {
    let mut servers = Vec::new();
    for (name, server) in gateway.clusters.servers(account, region) {
        let Ok(address) = server.trim_start_matches("https://").parse::<SocketAddr>() else {
            continue;
        };
        let request = Request::get(format!("/clusters/{name}"));
        let answer = gateway
            .upstream
            .ask_as_administrator(account, "eks", region, request, "")
            .await?
            .json();
        let network = &answer["cluster"]["resourcesVpcConfig"];
        let texts = |list: &str| -> Vec<String> {
            let items = network[list].as_array().into_iter().flatten();
            items
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect()
        };
        let own = network["clusterSecurityGroupId"].as_str().map(str::to_owned);
        servers.push(Server {
            address,
            vpc: network["vpcId"].as_str().unwrap_or_default().to_owned(),
            subnets: texts("subnetIds"),
            groups: own.into_iter().chain(texts("securityGroupIds")).collect(),
        });
    }
    Ok(servers)
}

/// Reads the private hosted zones of the VPC, with their addresses of IPv4.
async fn private_zones(gateway: &Gateway, account: &str, facts: &mut Facts) -> Result<(), UpstreamError> {
    let ask = async |path: String| -> Result<Element, UpstreamError> {
        let request = Request::get(format!("/2013-04-01/{path}"));
        let asked = gateway
            .upstream
            .ask_as_administrator(account, "route53", GLOBAL, request, "");
        Ok(Element::parse(&asked.await?.text()))
    };
    if facts.vpc.is_empty() {
        return Ok(());
    }
    let query = form(&[("vpcid", &facts.vpc), ("vpcregion", &facts.region)]);
    let listed = ask(format!("hostedzonesbyvpc?{query}")).await?;
    let mut records = BTreeMap::new();
    for zone in listed.items("HostedZoneSummaries") {
        facts.zones.push(name(zone.text("Name")));
        let sets = ask(format!("hostedzone/{}/rrset", zone.text("HostedZoneId"))).await?;
        for set in sets
            .items("ResourceRecordSets")
            .filter(|set| set.text("Type") == "A")
        {
            let values = set.texts("ResourceRecords", "Value");
            let addresses = values.iter().filter_map(|value| value.parse().ok());
            records.extend(addresses.map(|address| (name(set.text("Name")), address)));
        }
    }
    facts.records = records;
    Ok(())
}

/// Returns a name as the resolver is asked for it: without the dot at its end, and with a wildcard that Route 53 does not
/// escape.
fn name(text: &str) -> String {
    text.trim_end_matches('.')
        .replace("\\052", "*")
        .to_ascii_lowercase()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_without_an_association_has_the_table_and_the_acl_of_the_vpc() {
        let tables = Element::parse(
            "<R><routeTableSet><item><routeTableId>rtb-2</routeTableId><vpcId>vpc-2</vpcId><associationSet><item><main>true</main></item>\
             </associationSet></item><item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId><routeSet><item>\
             <destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-1</natGatewayId></item><item>\
             <destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock><gatewayId>igw-1</gatewayId></item></routeSet>\
             <associationSet><item><main>true</main></item></associationSet></item></routeTableSet></R>",
        );
        let acls = Element::parse(
            "<R><networkAclSet><item><vpcId>vpc-1</vpcId><default>true</default><entrySet><item><ruleNumber>100</ruleNumber>\
             <protocol>6</protocol><ruleAction>allow</ruleAction><egress>true</egress><cidrBlock>0.0.0.0/0</cidrBlock>\
             <portRange><from>443</from><to>443</to></portRange></item><item><ruleNumber>101</ruleNumber><protocol>17</protocol>\
             <cidrBlock>0.0.0.0/0</cidrBlock></item></entrySet></item></networkAclSet></R>",
        );
        let from = Element::parse(
            "<item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/24</cidrBlock></item>",
        );
        let read = subnet(&from, &tables, &acls).unwrap();
        assert_eq!(read.table, "rtb-1");
        assert_eq!((read.routes.len(), read.routes[0].gateway.as_str()), (1, "nat-1"));
        assert_eq!((read.entries.len(), read.entries[0].ports), (1, (443, 443)));
    }

    #[test]
    fn a_permission_of_a_group_is_a_rule_for_each_peer() {
        let group = Element::parse(
            "<item><ipPermissions><item><ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>444</toPort><ipRanges><item>\
             <cidrIp>10.0.0.0/16</cidrIp></item></ipRanges><prefixListIds><item><prefixListId>pl-1</prefixListId></item>\
             </prefixListIds><groups><item><groupId>sg-2</groupId></item></groups></item><item><ipProtocol>udp</ipProtocol>\
             <ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item></ipPermissions><ipPermissionsEgress><item>\
             <ipProtocol>-1</ipProtocol><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item>\
             </ipPermissionsEgress></item>",
        );
        let read = rules(&group);
        let peers: Vec<&Peer> = read.iter().map(|rule| &rule.peer).collect();
        let block = Range::parse("10.0.0.0/16").unwrap();
        assert_eq!(
            peers,
            [
                &Peer::Range(block),
                &Peer::PrefixList("pl-1".to_owned()),
                &Peer::Group("sg-2".to_owned()),
                &Peer::Range(Range::default())
            ]
        );
        assert_eq!((read[0].ports, read[0].is_egress), ((443, 444), false));
        assert_eq!((read[3].ports, read[3].is_egress), ((0, u16::MAX), true));
    }
}
