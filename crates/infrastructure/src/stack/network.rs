//! The stack `network`: VPCs, subnets and what belongs to them. A VPC that is adopted is its owner's: only the security
//! groups are built in it.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_model::Code;
use serde_json::{Value, json};

use crate::builder::Builder;
use crate::counterpart::CandidateKind;
use crate::description::network::{AvailabilityMode, ConnectivityType, IpSource, Subnet, Vpc};
use crate::names::logical_ids;
use crate::stack::json;
use crate::template::{Resource, attribute, reference};

mod acls;
mod endpoints;
mod groups;
mod routes;

pub(super) use groups::of_cluster;

pub(super) fn build(builder: &mut Builder<'_, '_>) {
    let all = builder.context.descriptions;
    for vpc in &all.vpcs {
        if builder.own(&vpc.vpc_id).is_some() {
            self::vpc(builder, vpc);
        }
    }
    for subnet in &all.subnets {
        if builder.own(&subnet.subnet_id).is_some() {
            self::subnet(builder, subnet);
        }
    }
    let gateways = gateways(builder);
    routes::build(builder, &gateways);
    acls::build(builder);
    groups::build(builder);
    endpoints::build(builder);
}

/// Whether this stack builds the VPC of a resource.
fn is_in_own(builder: &Builder<'_, '_>, vpc: &str) -> bool {
    builder.own(vpc).is_some()
}

fn vpc(builder: &mut Builder<'_, '_>, vpc: &Vpc) {
    let resource = Resource::new("AWS::EC2::VPC")
        .with("CidrBlock", json!(vpc.cidr_block))
        .with("InstanceTenancy", json(&vpc.instance_tenancy))
        .with("EnableDnsSupport", json(&vpc.enable_dns_support))
        .with("EnableDnsHostnames", json(&vpc.enable_dns_hostnames))
        .with("Tags", builder.tag_list(&vpc.tags));
    let Some(made) = builder.make(&vpc.vpc_id, resource) else {
        return;
    };
    let logical = &made.logical;
    for (position, range) in vpc
        .cidr_blocks
        .iter()
        .filter(|range| **range != vpc.cidr_block)
        .enumerate()
    {
        let block = Resource::new("AWS::EC2::VPCCidrBlock")
            .with("VpcId", reference(logical))
            .with("CidrBlock", json!(range));
        builder.add(format!("{logical}Range{}", position + 2), block);
    }
    for (position, range) in vpc.ipv6_cidr_blocks.iter().enumerate() {
        if range.ip_source.is_some_and(|source| source != IpSource::Amazon) || position > 0 {
            let what = format!(
                "the IPv6 range {} is not one of Amazon's; the VPC is built without it",
                range.ipv6_cidr_block
            );
            builder
                .findings
                .warning(Code::CounterpartUnknown, &vpc.vpc_id, what);
            continue;
        }
        let block = Resource::new("AWS::EC2::VPCCidrBlock")
            .with("VpcId", reference(logical))
            .with("AmazonProvidedIpv6CidrBlock", true);
        builder.add(ipv6_block(logical), block);
    }
}

fn ipv6_block(vpc: &str) -> String {
    format!("{vpc}Ipv6")
}

fn subnet(builder: &mut Builder<'_, '_>, subnet: &Subnet) {
    let id = subnet.subnet_id.as_str();
    let bindings = &builder.context.bindings;
    if let Some(vpc) = bindings.adopted.get(subnet.vpc_id.as_str()) {
        if !bindings.matches.refused.contains(id) {
            let what = format!(
                "its VPC is adopted; map it to a subnet of {vpc}{}",
                free_subnets(builder, vpc)
            );
            builder.findings.error(Code::SubnetNotMapped, id, what);
        }
        return;
    }
    if subnet.outpost_arn.is_some() {
        let what = "it is on an Outpost; it is built in an Availability Zone";
        builder.findings.warning(Code::PropertyNotKept, id, what);
    }
    let Some(vpc) = builder.needed(id, &subnet.vpc_id) else {
        return;
    };
    let Some(zone) = builder.context.bindings.zones.get(&subnet.availability_zone) else {
        return;
    };
    let mut resource = Resource::new("AWS::EC2::Subnet")
        .with("VpcId", vpc)
        .with("CidrBlock", json(&subnet.cidr_block))
        // The id, because names differ between accounts.
        .with("AvailabilityZoneId", json!(zone.id))
        .with("MapPublicIpOnLaunch", json(&subnet.map_public_ip_on_launch))
        .with("EnableDns64", json(&subnet.enable_dns64))
        .with("Ipv6Native", json(&subnet.ipv6_native))
        .with("Tags", builder.tag_list(&subnet.tags));
    if let Some((vpc, position)) = ipv6_position(builder, subnet) {
        let all = json!({ "Fn::Select": [0, attribute(&vpc, "Ipv6CidrBlocks")] });
        let range = json!({ "Fn::Select": [position, { "Fn::Cidr": [all, 256, 64] }] });
        resource = resource
            .with("Ipv6CidrBlock", range)
            .with(
                "AssignIpv6AddressOnCreation",
                json(&subnet.assign_ipv6_address_on_creation),
            )
            .after(ipv6_block(&vpc));
    }
    builder.make(id, resource);
}

/// Returns the subnets of an adopted VPC that are nothing's counterpart, for a sentence, if they were looked up.
fn free_subnets(builder: &Builder<'_, '_>, vpc: &str) -> String {
    let context = builder.context;
    let taken: BTreeSet<&str> = context.bindings.adopted.values().copied().collect();
    let free = context.facts.candidates.iter().filter(|one| {
        let is_there = one.kind == CandidateKind::Subnet && one.parent.as_deref() == Some(vpc);
        is_there && !taken.contains(one.id.as_str())
    });
    let free = free.map(|one| {
        let zone = context
            .facts
            .zones
            .iter()
            .find(|zone| Some(&zone.id) == one.zone_id.as_ref());
        let zone = zone.map(|zone| zone.name.as_str()).or(one.zone_id.as_deref());
        let sort = one
            .public
            .map(|is_public| if is_public { "public" } else { "private" });
        let known = [one.name.as_deref(), one.cidr.as_deref(), zone, sort]
            .into_iter()
            .flatten();
        format!("{} ({})", one.id, known.collect::<Vec<_>>().join(", "))
    });
    let free: Vec<String> = free.collect();
    if free.is_empty() {
        return String::new();
    }
    format!(", of which these are free: {}", free.join(", "))
}

/// Returns the position of the IPv6 range of a subnet (/64) in that of its VPC (/56), if both are built.
fn ipv6_position(builder: &mut Builder<'_, '_>, subnet: &Subnet) -> Option<(String, u16)> {
    let range = subnet.ipv6_cidr_block.as_deref()?;
    let vpc = builder.own(&subnet.vpc_id)?.logical.clone();
    let address: std::net::Ipv6Addr = range.split('/').next()?.parse().ok()?;
    builder
        .has(&ipv6_block(&vpc))
        .then(|| (vpc, address.segments()[3] & 0xff))
}

/// What routes lead to, by the id in the primary: the property and the value.
type Gateways = BTreeMap<String, (&'static str, Value, Option<String>)>;

/// Adds gateways. NAT gateways cost by the hour, so that only an active stack has them.
fn gateways(builder: &mut Builder<'_, '_>) -> Gateways {
    let all = builder.context.descriptions;
    let mut gateways = Gateways::new();
    let names = all.internet_gateways.iter().map(|gateway| {
        let id = gateway.internet_gateway_id.as_str();
        (id, crate::bindings::name_of(&gateway.tags, id))
    });
    let ids = logical_ids("InternetGateway", names);
    for gateway in &all.internet_gateways {
        let id = gateway.internet_gateway_id.as_str();
        let (Some(logical), true) = (ids.get(id), is_in_own(builder, &gateway.vpc_id)) else {
            continue;
        };
        let Some(vpc) = builder.id(&gateway.vpc_id) else {
            continue;
        };
        let tags = builder.tag_list(&gateway.tags);
        builder.add(
            logical,
            Resource::new("AWS::EC2::InternetGateway").with("Tags", tags),
        );
        let attachment = Resource::new("AWS::EC2::VPCGatewayAttachment")
            .with("VpcId", vpc)
            .with("InternetGatewayId", reference(logical));
        let attached = format!("{logical}Attachment");
        builder.add(&attached, attachment);
        gateways.insert(id.to_owned(), ("GatewayId", reference(logical), Some(attached)));
    }
    let names = all.egress_only_internet_gateways.iter().map(|gateway| {
        let id = gateway.egress_only_internet_gateway_id.as_str();
        (id, crate::bindings::name_of(&gateway.tags, id))
    });
    let ids = logical_ids("EgressOnlyGateway", names);
    for gateway in &all.egress_only_internet_gateways {
        let id = gateway.egress_only_internet_gateway_id.as_str();
        let (Some(logical), true) = (ids.get(id), is_in_own(builder, &gateway.vpc_id)) else {
            continue;
        };
        let Some(vpc) = builder.id(&gateway.vpc_id) else {
            continue;
        };
        let resource = Resource::new("AWS::EC2::EgressOnlyInternetGateway")
            .with("VpcId", vpc)
            .with("Tags", builder.tag_list(&gateway.tags));
        builder.add(logical, resource);
        let target = ("EgressOnlyInternetGatewayId", attribute(logical, "Id"), None);
        gateways.insert(id.to_owned(), target);
    }
    if builder.is_active() {
        nat_gateways(builder, &mut gateways);
    }
    for (id, to) in &builder.context.bindings.adopted {
        let property = match id.split('-').next().unwrap_or_default() {
            "tgw" => "TransitGatewayId",
            "pcx" => "VpcPeeringConnectionId",
            "vgw" | "igw" => "GatewayId",
            "nat" => "NatGatewayId",
            "eni" => "NetworkInterfaceId",
            "eigw" => "EgressOnlyInternetGatewayId",
            _ => continue,
        };
        gateways.insert((*id).to_owned(), (property, json!(to), None));
    }
    gateways
}

fn nat_gateways(builder: &mut Builder<'_, '_>, gateways: &mut Gateways) {
    let all = builder.context.descriptions;
    let names = all.nat_gateways.iter().map(|gateway| {
        let id = gateway.nat_gateway_id.as_str();
        (id, crate::bindings::name_of(&gateway.tags, id))
    });
    let ids = logical_ids("NatGateway", names);
    let attachments: BTreeSet<String> = gateways
        .values()
        .filter_map(|(_, _, after)| after.clone())
        .collect();
    for gateway in &all.nat_gateways {
        let id = gateway.nat_gateway_id.as_str();
        let (Some(logical), true) = (ids.get(id), is_in_own(builder, &gateway.vpc_id)) else {
            continue;
        };
        let is_public = gateway.connectivity_type != Some(ConnectivityType::Private);
        let mut resource = Resource::new("AWS::EC2::NatGateway")
            .with("ConnectivityType", json(&gateway.connectivity_type))
            .with("Tags", builder.tag_list(&gateway.tags));
        if gateway.availability_mode == Some(AvailabilityMode::Regional) {
            let Some(vpc) = builder.id(&gateway.vpc_id) else {
                continue;
            };
            resource = resource.with("AvailabilityMode", "regional").with("VpcId", vpc);
        } else {
            let subnet = gateway
                .subnet_id
                .as_deref()
                .and_then(|subnet| builder.needed(id, subnet));
            let Some(subnet) = subnet else { continue };
            resource = resource.with("SubnetId", subnet);
            if is_public {
                let address = format!("{logical}Address");
                let tags = builder.tag_list(&gateway.tags);
                let eip = Resource::new("AWS::EC2::EIP")
                    .with("Domain", "vpc")
                    .with("Tags", tags);
                let eip = attachments.iter().fold(eip, |eip, attached| eip.after(attached));
                builder.add(&address, eip);
                resource = resource.with("AllocationId", attribute(&address, "AllocationId"));
            }
        }
        // A public NAT gateway needs an internet gateway that is attached.
        if is_public {
            resource = attachments
                .iter()
                .fold(resource, |resource, attached| resource.after(attached));
        }
        builder.add(logical, resource);
        gateways.insert(id.to_owned(), ("NatGatewayId", reference(logical), None));
    }
}
