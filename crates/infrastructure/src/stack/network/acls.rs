//! Network ACLs. The default one of a VPC cannot be changed by a stack: if its entries are not those that a new VPC
//! has, its subnets get one of their own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::is_in_own;
use crate::builder::Builder;
use crate::description::network::{NetworkAcl, NetworkAclEntry, RuleAction};
use crate::names::logical_ids;
use crate::stack::json;
use crate::template::{Resource, attribute, reference};

/// The number of the last entry, which denies everything and cannot be changed.
const LAST: u32 = 32_767;

/// The number of the last entry for IPv6.
const LAST_IPV6: u32 = 32_768;

pub(super) fn build(builder: &mut Builder<'_, '_>) {
    let all = builder.context.descriptions;
    let names = all.network_acls.iter().map(|acl| {
        let id = acl.network_acl_id.as_str();
        (id, crate::bindings::name_of(&acl.tags, id))
    });
    let ids = logical_ids("NetworkAcl", names);
    for acl in &all.network_acls {
        let id = acl.network_acl_id.as_str();
        let (Some(logical), true) = (ids.get(id), is_in_own(builder, &acl.vpc_id)) else {
            continue;
        };
        let subnets: BTreeSet<String> = builder.logicals(acl.subnet_ids.iter().map(String::as_str));
        if subnets.is_empty() || (acl.is_default && is_as_made(acl)) {
            continue;
        }
        let Some(vpc) = builder.id(&acl.vpc_id) else {
            continue;
        };
        let resource = Resource::new("AWS::EC2::NetworkAcl")
            .with("VpcId", vpc)
            .with("Tags", builder.tag_list(&acl.tags));
        builder.add(logical, resource);
        for entry in acl.entries.iter().filter(|entry| entry.rule_number < LAST) {
            let direction = if entry.egress { "Out" } else { "In" };
            builder.add(
                format!("{logical}{direction}{}", entry.rule_number),
                self::entry(logical, entry),
            );
        }
        for subnet in subnets {
            let association = Resource::new("AWS::EC2::SubnetNetworkAclAssociation")
                .with("NetworkAclId", attribute(logical, "Id"))
                .with("SubnetId", reference(&subnet));
            builder.add(format!("{subnet}NetworkAcl"), association);
        }
    }
}

fn entry(logical: &str, entry: &NetworkAclEntry) -> Resource {
    let protocol: Value = entry
        .protocol
        .parse::<i32>()
        .map_or(Value::Null, |number| json!(number));
    let mut resource = Resource::new("AWS::EC2::NetworkAclEntry")
        .with("NetworkAclId", attribute(logical, "Id"))
        .with("RuleNumber", json!(entry.rule_number))
        .with("Protocol", protocol)
        .with("RuleAction", json(&entry.rule_action))
        .with("Egress", entry.egress)
        .with("CidrBlock", json(&entry.cidr_block))
        .with("Ipv6CidrBlock", json(&entry.ipv6_cidr_block));
    if let Some(ports) = &entry.port_range {
        resource = resource.with("PortRange", json!({"From": ports.from, "To": ports.to}));
    }
    if let Some(icmp) = &entry.icmp_type_code {
        resource = resource.with("Icmp", json!({"Type": icmp.r#type, "Code": icmp.code}));
    }
    resource
}

/// Whether an ACL has the entries of a new VPC: everything is allowed.
fn is_as_made(acl: &NetworkAcl) -> bool {
    acl.entries.iter().all(|entry| {
        let is_last = matches!(entry.rule_number, LAST | LAST_IPV6);
        is_last || (entry.rule_action == RuleAction::Allow && entry.protocol == "-1")
    })
}
