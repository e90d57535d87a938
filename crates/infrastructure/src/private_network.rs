//! Whether a function in the subnets of a cluster reaches Amazon S3 and the API server, from what EC2 says of the VPC: most of
//! what a private delegate could lack is known before it is deployed, and without a timeout. [`diagnose`] explains with it what
//! the function observes.
//!
//! A subnet with a route to an internet gateway is no way out for a function: its network interfaces have no public address
//! (AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC"). What is behind a transit
//! gateway, a peering connection or an appliance is not known, and counts as a way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lifeboat_model::EnvironmentId;
use lifeboat_model::network::{NetworkCause, NetworkTarget};

use crate::description::network::{NetworkAcl, Route, RouteTable, Subnet, Vpc, VpcEndpoint, VpcEndpointType};
use crate::description::security_group::SecurityGroup;

mod diagnosis;
mod endpoint_policy;
mod range;
mod rules;

pub use diagnosis::diagnose;
use endpoint_policy::{RequestContext, Verdict};
use range::Range;

/// The port of HTTPS, on which S3 and API servers listen.
const HTTPS: u16 = 443;

/// The number of free addresses that a subnet needs: Lambda keeps one network interface in each subnet of a function (AWS
/// Lambda Developer Guide, "Understanding Hyperplane Elastic Network Interfaces"), and makes the next one before it removes the
/// former.
const FREE_ADDRESSES: u32 = 2;

/// The network that a private delegate is attached to.
#[derive(Debug, Clone, Copy)]
pub struct PrivateNetwork<'a> {
    /// The environment.
    pub environment: &'a EnvironmentId,
    /// The ARN of the function's role, if it is known.
    pub role: Option<&'a str>,
    /// The VPC.
    pub vpc: &'a Vpc,
    /// The subnets of the function, and of the API server.
    pub subnets: &'a [String],
    /// The security group of the function, and of the API server.
    pub group: &'a str,
    /// The subnets of the VPC.
    pub all_subnets: &'a [Subnet],
    /// The number of free addresses of subnets, as far as it is known.
    pub free_addresses: &'a BTreeMap<String, u32>,
    /// Its route tables.
    pub route_tables: &'a [RouteTable],
    /// Its network ACLs.
    pub network_acls: &'a [NetworkAcl],
    /// Its security groups.
    pub security_groups: &'a [SecurityGroup],
    /// Its endpoints.
    pub vpc_endpoints: &'a [VpcEndpoint],
}

/// What is seen of a network from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkView {
    /// What keeps a function in it from what it needs. An empty list does not prove that it reaches S3: what is outside of the
    /// VPC is not known.
    pub causes: Vec<NetworkCause>,
    ranges: Vec<Range>,
    /// Whether an endpoint in the VPC has the names of S3.
    has_named_endpoint: bool,
    /// Whether all subnets of the function lead to the public addresses of S3.
    leads_to_public: bool,
}

impl NetworkView {
    /// Whether addresses that the name of S3 has in the VPC lead elsewhere. Private addresses outside of the VPC may be those
    /// of an endpoint in another one.
    fn is_elsewhere(&self, addresses: &[IpAddr]) -> bool {
        let is_inside = |address: &IpAddr| {
            let address = Range::of(*address);
            self.ranges.iter().any(|range| range.contains(&address))
        };
        let is_public = |address: &IpAddr| !Range::of(*address).is_private();
        !addresses.is_empty()
            && match self.has_named_endpoint {
                true => {
                    addresses.iter().all(|one| is_public(one) && !is_inside(one)) && !self.leads_to_public
                }
                false => addresses.iter().any(is_inside),
            }
    }
}

impl PrivateNetwork<'_> {
    /// Looks for what keeps a function in this network from S3 and the API server.
    #[must_use]
    pub fn view(&self) -> NetworkView {
        let mut causes = Vec::new();
        causes.extend(self.without_dns());
        causes.extend(self.without_way());
        causes.extend(self.without_private_dns());
        causes.extend(self.denied_by_endpoints());
        causes.extend(self.held_by_group());
        causes.extend(self.held_by_cluster_group());
        causes.extend(self.held_by_endpoint_groups());
        causes.extend(self.held_by_acls());
        causes.extend(self.without_ipv4());
        causes.extend(self.without_addresses());
        causes.extend(self.in_one_zone());
        let vpc = [&self.vpc.cidr_block].into_iter().chain(&self.vpc.cidr_blocks);
        NetworkView {
            causes: causes.into_iter().map(NetworkCause::bounded).collect(),
            ranges: vpc.filter_map(|range| Range::parse(range)).collect(),
            has_named_endpoint: self.named_endpoints().next().is_some(),
            leads_to_public: self.subnets.iter().all(|subnet| self.leads_to_public(subnet)),
        }
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

    /// Returns the interface endpoints that the names of S3 lead to.
    fn named_endpoints(&self) -> impl Iterator<Item = &VpcEndpoint> {
        let endpoints = self.endpoints(VpcEndpointType::Interface);
        endpoints.filter(|endpoint| endpoint.private_dns_enabled != Some(false))
    }

    /// Returns the IPv4 ranges of subnets.
    fn ranges_of<'s>(&self, subnets: impl IntoIterator<Item = &'s String>) -> Vec<Range> {
        let of = |id: &String| self.all_subnets.iter().find(|subnet| subnet.subnet_id == *id);
        let ranges = subnets.into_iter().filter_map(|id| of(id)?.cidr_block.as_deref());
        ranges.filter_map(Range::parse).collect()
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

    /// Whether a subnet leads to a gateway endpoint of S3, or out of the VPC.
    fn leads_to_public(&self, subnet: &str) -> bool {
        self.table_of(subnet).is_some_and(|table| {
            let mut gateways = self.endpoints(VpcEndpointType::Gateway);
            gateways.any(|endpoint| endpoint.route_table_ids.contains(&table.route_table_id))
                || table.routes.iter().any(leads_out)
        })
    }

    /// Finds that the VPC has no resolver, or no host names in it, without which neither the API server nor an endpoint has a
    /// name there (Amazon EKS User Guide, "Cluster API server endpoint"; AWS PrivateLink Guide, "Private DNS").
    fn without_dns(&self) -> Option<NetworkCause> {
        let vpc = self.vpc.vpc_id.clone();
        if self.vpc.enable_dns_support == Some(false) {
            return Some(NetworkCause::NoResolver { vpc });
        }
        (self.vpc.enable_dns_hostnames == Some(false)).then_some(NetworkCause::NoHostNames {
            vpc,
            target: NetworkTarget::ApiServer,
        })
    }

    /// Finds subnets that lead neither to an endpoint of S3 nor out of the VPC.
    fn without_way(&self) -> Option<NetworkCause> {
        // The names of S3 lead to it in the whole VPC.
        if self.endpoints(VpcEndpointType::Interface).next().is_some() {
            return None;
        }
        let cut_off = self.subnets.iter().filter(|subnet| !self.leads_to_public(subnet));
        let cut_off: Vec<String> = cut_off.cloned().collect();
        if cut_off.is_empty() {
            return None;
        }
        let tables: BTreeMap<&str, &RouteTable> = (cut_off.iter())
            .filter_map(|subnet| self.table_of(subnet))
            .map(|table| (table.route_table_id.as_str(), table))
            .collect();
        let existing = self.endpoints(VpcEndpointType::Gateway).next();
        Some(NetworkCause::NoRoute {
            vpc: self.vpc.vpc_id.clone(),
            subnets: cut_off,
            ipv6_only: tables
                .values()
                .any(|table| table.routes.iter().any(leads_out_by_ipv6)),
            route_tables: tables.into_keys().map(str::to_owned).collect(),
            endpoint: existing.map(|endpoint| endpoint.vpc_endpoint_id.clone()),
        })
    }

    /// Finds that the names of S3 do not lead to its interface endpoint, and nothing else leads there.
    fn without_private_dns(&self) -> Option<NetworkCause> {
        let first = self.endpoints(VpcEndpointType::Interface).next()?;
        let leads = self.subnets.iter().all(|subnet| self.leads_to_public(subnet));
        (self.named_endpoints().next().is_none() && !leads).then(|| NetworkCause::PrivateNamesOff {
            endpoint: first.vpc_endpoint_id.clone(),
        })
    }

    /// Finds endpoints whose policy does not let the function use its bucket.
    fn denied_by_endpoints(&self) -> Vec<NetworkCause> {
        let partition = self.environment.region.partition();
        let bucket = format!("arn:{partition}:s3:::{}", self.environment.scratch_bucket());
        // The actions without which a delegate does nothing.
        let needed = [
            ("s3:GetObject", format!("{bucket}/jobs/x")),
            ("s3:PutObject", format!("{bucket}/jobs/x")),
            ("s3:ListBucket", bucket.clone()),
        ];
        let kinds = [VpcEndpointType::Gateway, VpcEndpointType::Interface];
        let endpoints = kinds.into_iter().flat_map(|kind| self.endpoints(kind));
        let denied = endpoints.filter_map(|endpoint| {
            let policy = &endpoint.policy_document.as_ref()?.0;
            let request = RequestContext {
                account: self.environment.account.as_str(),
                role: self.role,
                vpc: &self.vpc.vpc_id,
                endpoint: &endpoint.vpc_endpoint_id,
                region: self.region(),
            };
            let verdicts = needed
                .iter()
                .map(|(action, resource)| request.verdict(policy, action, resource));
            let mut unknown = BTreeSet::new();
            for verdict in verdicts {
                match verdict {
                    Verdict::Allowed => {}
                    Verdict::Denied { explicit } => {
                        return Some(NetworkCause::EndpointPolicy {
                            endpoint: Some(endpoint.vpc_endpoint_id.clone()),
                            explicit,
                        });
                    }
                    Verdict::Depends(keys) => unknown.extend(keys),
                }
            }
            (!unknown.is_empty()).then(|| NetworkCause::EndpointConditions {
                endpoint: endpoint.vpc_endpoint_id.clone(),
                keys: unknown.into_iter().collect(),
            })
        });
        denied.collect()
    }

    fn own_subnets(&self) -> impl Iterator<Item = &Subnet> {
        let subnets = self.all_subnets.iter();
        subnets.filter(|subnet| self.subnets.contains(&subnet.subnet_id))
    }

    /// Finds subnets without IPv4 addresses.
    fn without_ipv4(&self) -> Option<NetworkCause> {
        let found = self
            .own_subnets()
            .filter(|subnet| subnet.ipv6_native == Some(true));
        let subnets: Vec<String> = found.map(|subnet| subnet.subnet_id.clone()).collect();
        (!subnets.is_empty()).then_some(NetworkCause::Ipv6Only { subnets })
    }

    /// Finds subnets without room for the network interfaces of the function.
    fn without_addresses(&self) -> Option<NetworkCause> {
        let own = (self.free_addresses.iter()).filter(|(id, free)| {
            let is_ipv4 = self
                .own_subnets()
                .any(|subnet| subnet.subnet_id == **id && subnet.ipv6_native != Some(true));
            is_ipv4 && **free < FREE_ADDRESSES
        });
        let subnets: BTreeMap<String, u32> = own.map(|(id, free)| (id.clone(), *free)).collect();
        (!subnets.is_empty()).then_some(NetworkCause::FewAddresses { subnets })
    }

    /// Finds that the function is in one zone although the VPC has subnets in several.
    fn in_one_zone(&self) -> Option<NetworkCause> {
        let zone = |subnet: &Subnet| subnet.availability_zone.clone();
        let own: BTreeSet<String> = self.own_subnets().map(zone).collect();
        let all: BTreeSet<String> = self.all_subnets.iter().map(zone).collect();
        (own.len() == 1 && all.len() > 1).then(|| NetworkCause::OneZone {
            zone: own.into_iter().collect(),
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

/// Whether a route leads out of a VPC for IPv6 addresses.
fn leads_out_by_ipv6(route: &Route) -> bool {
    route.destination_ipv6_cidr_block.as_deref() == Some("::/0")
}

#[cfg(test)]
mod tests;
