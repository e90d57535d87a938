//! Whether a function in the subnets of a cluster reaches Amazon S3, from what EC2 says of the VPC: most of what a private
//! delegate could lack is known before it is deployed, and without a timeout.
//!
//! A subnet with a route to an internet gateway is no way out for a function: its network interfaces have no public address
//! (AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC"). What is behind a transit
//! gateway, a peering connection or an appliance is not known, and counts as a way.

use std::collections::BTreeSet;

use lifeboat_model::{Code, EnvironmentId, Problem};

use crate::description::network::{
    NetworkAcl, NetworkAclEntry, Route, RouteTable, RuleAction, Subnet, Vpc, VpcEndpoint, VpcEndpointType,
};
use crate::description::security_group::{SecurityGroup, SecurityGroupRule};
use crate::policy;

/// The port of HTTPS, on which S3 and API servers listen.
const HTTPS: u16 = 443;

/// The first port of the range from which a connection of Linux may come (Amazon VPC User Guide, "Ephemeral ports"): Lambda
/// uses 1024 to 65535.
const EPHEMERAL: u16 = 1024;

/// The number of the protocol TCP in an entry of a network ACL (IANA, "Protocol Numbers").
const TCP: &str = "6";

/// The actions on the scratch bucket without which a delegate does nothing.
const NEEDED: [&str; 2] = ["s3:GetObject", "s3:PutObject"];

/// The network that a private delegate is attached to.
#[derive(Debug, Clone, Copy)]
pub struct PrivateNetwork<'a> {
    /// The environment.
    pub environment: &'a EnvironmentId,
    /// The VPC.
    pub vpc: &'a Vpc,
    /// The subnets of the function.
    pub subnets: &'a [String],
    /// The security group of the function.
    pub group: &'a str,
    /// The subnets of the VPC.
    pub all_subnets: &'a [Subnet],
    /// Its route tables.
    pub route_tables: &'a [RouteTable],
    /// Its network ACLs.
    pub network_acls: &'a [NetworkAcl],
    /// Its security groups.
    pub security_groups: &'a [SecurityGroup],
    /// Its endpoints.
    pub vpc_endpoints: &'a [VpcEndpoint],
}

impl PrivateNetwork<'_> {
    /// Returns what keeps a function in this network from S3, each with the command that changes it. An empty list does not
    /// prove that it reaches S3: what is outside of the VPC is not known.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        found.extend(self.without_dns());
        found.extend(self.without_way());
        found.extend(self.without_private_dns());
        found.extend(self.denied_by_endpoints());
        found.extend(self.held_by_group());
        found.extend(self.held_by_acls());
        found.extend(self.in_one_zone());
        found
    }

    fn region(&self) -> &str {
        self.environment.region.as_str()
    }

    /// Returns the endpoints of S3 of this type.
    fn endpoints(&self, kind: VpcEndpointType) -> impl Iterator<Item = &VpcEndpoint> {
        let service = format!(".{}.s3", self.region());
        let endpoints = self.vpc_endpoints.iter();
        endpoints.filter(move |endpoint| {
            endpoint.vpc_id == self.vpc.vpc_id
                && endpoint.vpc_endpoint_type == kind
                && endpoint.service_name.ends_with(&service)
        })
    }

    fn table_of(&self, subnet: &str) -> Option<&RouteTable> {
        let own = self
            .route_tables
            .iter()
            .find(|table| table.subnet_ids.iter().any(|id| id == subnet));
        let main = || {
            let mut tables = self.route_tables.iter();
            tables.find(|table| table.main && table.vpc_id == self.vpc.vpc_id)
        };
        own.or_else(main)
    }

    fn without_dns(&self) -> Option<Problem> {
        let vpc = &self.vpc.vpc_id;
        (self.vpc.enable_dns_support == Some(false)).then(|| {
            Problem::new(
                Code::PrivateNetworkNames,
                format!("the VPC {vpc} has no DNS resolver: no host name can be resolved in it"),
                format!(
                    "run `aws ec2 modify-vpc-attribute --region {} --vpc-id {vpc} --enable-dns-support`",
                    self.region()
                ),
            )
        })
    }

    /// Finds subnets that lead neither to an endpoint of S3 nor out of the VPC.
    fn without_way(&self) -> Option<Problem> {
        // The names of S3 lead to it in the whole VPC.
        if self.endpoints(VpcEndpointType::Interface).next().is_some() {
            return None;
        }
        let gateways: BTreeSet<&str> = self
            .endpoints(VpcEndpointType::Gateway)
            .flat_map(|endpoint| &endpoint.route_table_ids)
            .map(String::as_str)
            .collect();
        let leads = |subnet: &&String| {
            self.table_of(subnet).is_some_and(|table| {
                gateways.contains(table.route_table_id.as_str()) || table.routes.iter().any(leads_out)
            })
        };
        let cut_off: Vec<&str> = (self.subnets.iter())
            .filter(|subnet| !leads(subnet))
            .map(String::as_str)
            .collect();
        if cut_off.is_empty() {
            return None;
        }
        let tables: BTreeSet<&str> = (cut_off.iter())
            .filter_map(|subnet| Some(self.table_of(subnet)?.route_table_id.as_str()))
            .collect();
        let tables: Vec<&str> = tables.into_iter().collect();
        let region = self.region();
        let existing = self.endpoints(VpcEndpointType::Gateway).next();
        let command = match existing {
            Some(endpoint) => format!(
                "aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {} --add-route-table-ids {}",
                endpoint.vpc_endpoint_id,
                tables.join(" ")
            ),
            None => format!(
                "aws ec2 create-vpc-endpoint --region {region} --vpc-id {} --vpc-endpoint-type Gateway --service-name com.amazonaws.{region}.s3 --route-table-ids {}",
                self.vpc.vpc_id,
                tables.join(" ")
            ),
        };
        Some(Problem::new(
            Code::PrivateNetworkRoute,
            format!("no route leads from {} to Amazon S3", cut_off.join(", ")),
            format!("run `{command}`; a gateway endpoint is free of charge"),
        ))
    }

    /// Finds that the names of S3 do not lead to its interface endpoint, and nothing else leads there.
    fn without_private_dns(&self) -> Option<Problem> {
        let mut endpoints = self.endpoints(VpcEndpointType::Interface).peekable();
        let first = endpoints.peek()?.vpc_endpoint_id.clone();
        let has_names = endpoints.any(|endpoint| endpoint.private_dns_enabled != Some(false));
        let has_gateway = self.endpoints(VpcEndpointType::Gateway).next().is_some();
        (!has_names && !has_gateway).then(|| {
            let region = self.region();
            Problem::new(
                Code::PrivateNetworkNames,
                format!(
                    "the name s3.{region}.amazonaws.com does not lead to the endpoint {first}: its private DNS names are off"
                ),
                format!(
                    "run `aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {first} --private-dns-enabled`"
                ),
            )
        })
    }

    /// Finds endpoints whose policy does not let the function use its bucket. Conditions are not evaluated.
    fn denied_by_endpoints(&self) -> Vec<Problem> {
        let bucket = self.environment.scratch_bucket();
        let partition = self.environment.region.partition();
        let object = format!("arn:{partition}:s3:::{bucket}/jobs/x");
        let kinds = [VpcEndpointType::Gateway, VpcEndpointType::Interface];
        let endpoints = kinds.into_iter().flat_map(|kind| self.endpoints(kind));
        let denied = endpoints.filter_map(|endpoint| {
            let policy = &endpoint.policy_document.as_ref()?.0;
            let lacks: Vec<&str> = NEEDED
                .into_iter()
                .filter(|action| !policy::allows(policy, action, &object))
                .collect();
            let id = &endpoint.vpc_endpoint_id;
            (!lacks.is_empty()).then(|| {
                Problem::new(
                    Code::PrivateNetworkPolicy,
                    format!("the policy of the endpoint {id} does not allow {} on the bucket {bucket}", lacks.join(" and ")),
                    format!(
                        "add a statement that allows s3:* on arn:{partition}:s3:::{bucket} and arn:{partition}:s3:::{bucket}/*, with `aws ec2 modify-vpc-endpoint --region {} --vpc-endpoint-id {id} --policy-document FILE`",
                        self.region()
                    ),
                )
            })
        });
        denied.collect()
    }

    /// Finds that no rule of the security group lets HTTPS out.
    fn held_by_group(&self) -> Option<Problem> {
        let group = self
            .security_groups
            .iter()
            .find(|group| group.group_id == self.group)?;
        let lets_out = |rule: &SecurityGroupRule| {
            let is_tcp = matches!(rule.ip_protocol.as_str(), "tcp" | "6");
            let port = i32::from(HTTPS);
            let in_range =
                rule.from_port.is_none_or(|from| from <= port) && rule.to_port.is_none_or(|to| to >= port);
            rule.is_egress && (rule.ip_protocol == "-1" || is_tcp && in_range)
        };
        let leads_out = |rule: &SecurityGroupRule| lets_out(rule) && rule.referenced_group_info.is_none();
        (!group.rules.iter().any(leads_out)).then(|| {
            Problem::new(
                Code::PrivateNetworkRules,
                format!("no rule of the security group {} allows HTTPS to Amazon S3", self.group),
                format!(
                    "run `aws ec2 authorize-security-group-egress --region {} --group-id {} --protocol tcp --port {HTTPS} --cidr 0.0.0.0/0`, or allow the prefix list of S3 only",
                    self.region(),
                    self.group
                ),
            )
        })
    }

    /// Finds network ACLs that let HTTPS not out, or its answers not in.
    fn held_by_acls(&self) -> Vec<Problem> {
        let of = |acl: &&NetworkAcl| acl.subnet_ids.iter().any(|id| self.subnets.contains(id));
        let held = self.network_acls.iter().filter(of).filter_map(|acl| {
            let id = &acl.network_acl_id;
            let (what, egress, ports) = if !passes(acl, true, HTTPS) {
                ("HTTPS out of", "--egress", format!("From={HTTPS},To={HTTPS}"))
            } else if !passes(acl, false, EPHEMERAL) {
                ("the answers of HTTPS into", "--ingress", format!("From={EPHEMERAL},To=65535"))
            } else {
                return None;
            };
            Some(Problem::new(
                Code::PrivateNetworkRules,
                format!("the network ACL {id} does not let {what} the subnets"),
                format!(
                    "run `aws ec2 create-network-acl-entry --region {} --network-acl-id {id} {egress} --rule-number NUMBER --protocol tcp --port-range {ports} --cidr-block 0.0.0.0/0 --rule-action allow` with a number before that of the rule that denies it",
                    self.region()
                ),
            ))
        });
        held.collect()
    }

    /// Finds that the function is in one zone although the VPC has subnets in several.
    fn in_one_zone(&self) -> Option<Problem> {
        let zones_of = |is_own: bool| -> BTreeSet<&str> {
            let subnets = self.all_subnets.iter();
            subnets
                .filter(|subnet| !is_own || self.subnets.contains(&subnet.subnet_id))
                .map(|subnet| subnet.availability_zone.as_str())
                .collect()
        };
        let own = zones_of(true);
        (own.len() == 1 && zones_of(false).len() > 1).then(|| {
            Problem::new(
                Code::PrivateNetworkZones,
                format!(
                    "all subnets of the function are in {}: it does not run while that zone is impaired",
                    own.into_iter().collect::<String>()
                ),
                "add a subnet of another zone to the cluster with `aws eks update-cluster-config --resources-vpc-config subnetIds=…`",
            )
        })
    }
}

/// Whether a route leads out of a VPC for an interface without a public address.
fn leads_out(route: &Route) -> bool {
    let is_default = route.destination_cidr_block.as_deref() == Some("0.0.0.0/0");
    let others = [
        &route.nat_gateway_id,
        &route.transit_gateway_id,
        &route.vpc_peering_connection_id,
        &route.network_interface_id,
        &route.instance_id,
        &route.core_network_arn,
        &route.vpc_endpoint_id,
    ];
    let is_private_gateway = |gateway: &String| gateway.starts_with("vgw-");
    is_default
        && (others.into_iter().any(Option::is_some)
            || route.gateway_id.as_ref().is_some_and(is_private_gateway))
}

/// Whether a network ACL lets TCP on a port pass to or from everywhere: the entry with the lowest number decides (Amazon VPC
/// User Guide, "Network ACL rules"). Entries for a part of all addresses do not decide for the addresses of S3, which are
/// not known.
fn passes(acl: &NetworkAcl, egress: bool, port: u16) -> bool {
    let concerns = |entry: &&NetworkAclEntry| {
        let is_tcp = entry.protocol == "-1" || entry.protocol == TCP;
        let in_range =
            (entry.port_range.as_ref()).is_none_or(|ports| (ports.from..=ports.to).contains(&port));
        entry.egress == egress && is_tcp && in_range && entry.cidr_block.as_deref() == Some("0.0.0.0/0")
    };
    let first = acl
        .entries
        .iter()
        .filter(concerns)
        .min_by_key(|entry| entry.rule_number);
    first.is_some_and(|entry| entry.rule_action == RuleAction::Allow)
}

#[cfg(test)]
mod tests;
