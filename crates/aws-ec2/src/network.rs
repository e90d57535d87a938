//! All that belongs to the VPCs of an application.

use std::collections::BTreeSet;

use lifeboat_aws::AwsError;
use lifeboat_aws::reads::Reads;
use lifeboat_infrastructure::description::network::{
    EgressOnlyInternetGateway, InternetGateway, NatGateway, NetworkAcl, PrefixList, RouteTable, Subnet, Vpc,
    VpcEndpoint,
};
use lifeboat_infrastructure::description::security_group::SecurityGroup;

use crate::Ec2;

/// VPCs with all that belongs to them. Each list is sorted by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Network {
    /// The VPCs.
    pub vpcs: Vec<Vpc>,
    /// The subnets.
    pub subnets: Vec<Subnet>,
    /// The route tables.
    pub route_tables: Vec<RouteTable>,
    /// The internet gateways.
    pub internet_gateways: Vec<InternetGateway>,
    /// The egress-only internet gateways.
    pub egress_only_internet_gateways: Vec<EgressOnlyInternetGateway>,
    /// The NAT gateways.
    pub nat_gateways: Vec<NatGateway>,
    /// The network ACLs.
    pub network_acls: Vec<NetworkAcl>,
    /// The security groups with their rules.
    pub security_groups: Vec<SecurityGroup>,
    /// The VPC endpoints.
    pub vpc_endpoints: Vec<VpcEndpoint>,
    /// The prefix lists that routes and rules name.
    pub prefix_lists: Vec<PrefixList>,
}

impl Ec2 {
    /// Reads these VPCs, and those of these subnets, with all that belongs to them.
    ///
    /// # Errors
    /// [`AwsError`] if EC2 throttles or does not answer. What it refuses is noted in `reads`.
    pub async fn network(
        &self,
        reads: &Reads,
        vpcs: &BTreeSet<String>,
        subnets: &BTreeSet<String>,
    ) -> Result<Network, AwsError> {
        let mut vpcs = vpcs.clone();
        vpcs.extend(self.vpcs_of(reads, subnets).await?);
        let vpcs: Vec<String> = vpcs.into_iter().collect();
        if vpcs.is_empty() {
            return Ok(Network::default());
        }
        let mut network = Network {
            vpcs: self.vpcs(reads, &vpcs).await?,
            subnets: self.subnets(reads, &vpcs).await?,
            route_tables: self.route_tables(reads, &vpcs).await?,
            internet_gateways: self.internet_gateways(reads, &vpcs).await?,
            egress_only_internet_gateways: self.egress_only_internet_gateways(reads, &vpcs).await?,
            nat_gateways: self.nat_gateways(reads, &vpcs).await?,
            network_acls: self.network_acls(reads, &vpcs).await?,
            security_groups: self.security_groups(reads, &vpcs).await?,
            vpc_endpoints: self.vpc_endpoints(reads, &vpcs).await?,
            prefix_lists: Vec::new(),
        };
        network.prefix_lists = self.prefix_lists(reads, &network.named_prefix_lists()).await?;
        Ok(network)
    }

    /// Reads of a VPC what decides which way the packets of its network interfaces take, without gateways and prefix lists.
    ///
    /// # Errors
    /// As [`Ec2::network`].
    pub async fn ways(&self, reads: &Reads, vpc: &str) -> Result<Network, AwsError> {
        let vpcs = [vpc.to_owned()];
        Ok(Network {
            vpcs: self.vpcs(reads, &vpcs).await?,
            subnets: self.subnets(reads, &vpcs).await?,
            route_tables: self.route_tables(reads, &vpcs).await?,
            network_acls: self.network_acls(reads, &vpcs).await?,
            security_groups: self.security_groups(reads, &vpcs).await?,
            vpc_endpoints: self.vpc_endpoints(reads, &vpcs).await?,
            ..Network::default()
        })
    }
}

impl Network {
    /// Returns the prefix lists that routes and rules name.
    fn named_prefix_lists(&self) -> BTreeSet<String> {
        let routes = self.route_tables.iter().flat_map(|table| &table.routes);
        let routes = routes.filter_map(|route| route.destination_prefix_list_id.clone());
        let rules = self.security_groups.iter().flat_map(|group| &group.rules);
        routes
            .chain(rules.filter_map(|rule| rule.prefix_list_id.clone()))
            .collect()
    }
}
