//! VPCs with their subnets, routes, gateways, network ACLs and endpoints, as the `Describe` calls of EC2 return them
//! (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Vpc.html>).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PolicyDocument, Tags};

/// A VPC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vpc {
    /// The id.
    pub vpc_id: String,
    /// The first IPv4 range.
    pub cidr_block: String,
    /// Further IPv4 ranges (`cidrBlockAssociationSet`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidr_blocks: Vec<String>,
    /// The IPv6 ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipv6_cidr_blocks: Vec<Ipv6CidrBlock>,
    /// Whether instances run on hardware of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_tenancy: Option<Tenancy>,
    /// Whether the VPC has a DNS resolver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_dns_support: Option<bool>,
    /// Whether instances get public host names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_dns_hostnames: Option<bool>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// An IPv6 range (`VpcIpv6CidrBlockAssociation`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ipv6CidrBlock {
    /// The range.
    pub ipv6_cidr_block: String,
    /// Whose range it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_source: Option<IpSource>,
}

/// Whose IPv6 range it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum IpSource {
    /// `amazon`.
    #[serde(rename = "amazon")]
    Amazon,
    /// `byoip`.
    #[serde(rename = "byoip")]
    Byoip,
    /// `none`.
    #[serde(rename = "none")]
    None,
}

/// Whether instances run on hardware of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Tenancy {
    /// `default`.
    #[serde(rename = "default")]
    Default,
    /// `dedicated`.
    #[serde(rename = "dedicated")]
    Dedicated,
    /// `host`.
    #[serde(rename = "host")]
    Host,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subnet {
    /// The id.
    pub subnet_id: String,
    /// The VPC.
    pub vpc_id: String,
    /// The IPv4 range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr_block: Option<String>,
    /// The IPv6 range (`ipv6CidrBlockAssociationSet`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_cidr_block: Option<String>,
    /// The name of its Availability Zone.
    pub availability_zone: String,
    /// The id of its Availability Zone.
    pub availability_zone_id: String,
    /// Whether instances get public IPv4 addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_public_ip_on_launch: Option<bool>,
    /// Whether network interfaces get IPv6 addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assign_ipv6_address_on_creation: Option<bool>,
    /// Whether the resolver makes IPv6 addresses of IPv4 ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_dns64: Option<bool>,
    /// Whether it has IPv6 addresses only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_native: Option<bool>,
    /// The Outpost that it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outpost_arn: Option<String>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// A route table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteTable {
    /// The id.
    pub route_table_id: String,
    /// The VPC.
    pub vpc_id: String,
    /// Whether subnets without an association use it.
    pub main: bool,
    /// The subnets that are associated with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnet_ids: Vec<String>,
    /// The routes, without that of the VPC itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// The IPv4 range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_cidr_block: Option<String>,
    /// The IPv6 range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_ipv6_cidr_block: Option<String>,
    /// The prefix list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_prefix_list_id: Option<String>,
    /// The internet gateway, virtual private gateway or gateway endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_id: Option<String>,
    /// The NAT gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat_gateway_id: Option<String>,
    /// The egress-only internet gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_only_internet_gateway_id: Option<String>,
    /// The transit gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transit_gateway_id: Option<String>,
    /// The peering connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_peering_connection_id: Option<String>,
    /// The network interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_interface_id: Option<String>,
    /// The instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The carrier gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier_gateway_id: Option<String>,
    /// The gateway of an Outpost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_gateway_id: Option<String>,
    /// The core network of Cloud WAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_network_arn: Option<String>,
    /// The Gateway Load Balancer endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_id: Option<String>,
    /// How it came to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RouteOrigin>,
}

/// How a route came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum RouteOrigin {
    /// `CreateRouteTable`.
    CreateRouteTable,
    /// `CreateRoute`.
    CreateRoute,
    /// `EnableVgwRoutePropagation`.
    EnableVgwRoutePropagation,
    /// `Advertisement`.
    Advertisement,
}

/// An internet gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InternetGateway {
    /// The id.
    pub internet_gateway_id: String,
    /// The VPC that it is attached to.
    pub vpc_id: String,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// An egress-only internet gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EgressOnlyInternetGateway {
    /// The id.
    pub egress_only_internet_gateway_id: String,
    /// The VPC that it is attached to.
    pub vpc_id: String,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// A NAT gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NatGateway {
    /// The id.
    pub nat_gateway_id: String,
    /// The VPC.
    pub vpc_id: String,
    /// The subnet; none for one of the whole VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// Whether it leads to the internet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectivity_type: Option<ConnectivityType>,
    /// Whether it is in one zone or in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_mode: Option<AvailabilityMode>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// Whether a NAT gateway leads to the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConnectivityType {
    /// `private`.
    #[serde(rename = "private")]
    Private,
    /// `public`.
    #[serde(rename = "public")]
    Public,
}

/// Whether a NAT gateway is in one zone or in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AvailabilityMode {
    /// `zonal`.
    #[serde(rename = "zonal")]
    Zonal,
    /// `regional`.
    #[serde(rename = "regional")]
    Regional,
}

/// A network ACL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkAcl {
    /// The id.
    pub network_acl_id: String,
    /// The VPC.
    pub vpc_id: String,
    /// Whether it is the one that the VPC was made with.
    pub is_default: bool,
    /// The subnets that it is associated with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnet_ids: Vec<String>,
    /// The entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<NetworkAclEntry>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// An entry of a network ACL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkAclEntry {
    /// The number; 32767 is the last, which cannot be changed.
    pub rule_number: u32,
    /// Whether it is for what leaves the subnet.
    pub egress: bool,
    /// The number of the protocol, -1 for all.
    pub protocol: String,
    /// What it does.
    pub rule_action: RuleAction,
    /// The IPv4 range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr_block: Option<String>,
    /// The IPv6 range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_cidr_block: Option<String>,
    /// The ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_range: Option<PortRange>,
    /// The type of ICMP messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_type_code: Option<IcmpTypeCode>,
}

/// What an entry of a network ACL does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum RuleAction {
    /// `allow`.
    #[serde(rename = "allow")]
    Allow,
    /// `deny`.
    #[serde(rename = "deny")]
    Deny,
}

/// A range of ports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortRange {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

/// A type of ICMP messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IcmpTypeCode {
    /// The type, -1 for all.
    pub r#type: i32,
    /// The code, -1 for all.
    pub code: i32,
}

/// A VPC endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VpcEndpoint {
    /// The id.
    pub vpc_endpoint_id: String,
    /// The VPC.
    pub vpc_id: String,
    /// How it is reached.
    pub vpc_endpoint_type: VpcEndpointType,
    /// The name of the service.
    pub service_name: String,
    /// The policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_document: Option<PolicyDocument>,
    /// The route tables of a gateway endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route_table_ids: Vec<String>,
    /// The subnets of an interface endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnet_ids: Vec<String>,
    /// The security groups of an interface endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_ids: Vec<String>,
    /// Whether the public host name of the service leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns_enabled: Option<bool>,
    /// The family of its addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<EndpointAddressType>,
    /// Whether a service of AWS made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester_managed: Option<bool>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// How an endpoint is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum VpcEndpointType {
    /// `Interface`.
    Interface,
    /// `Gateway`.
    Gateway,
    /// `GatewayLoadBalancer`.
    GatewayLoadBalancer,
    /// `Resource`.
    Resource,
    /// `ServiceNetwork`.
    ServiceNetwork,
    /// `Tunnel`.
    Tunnel,
}

/// The family of the addresses of an endpoint (`IpAddressType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum EndpointAddressType {
    /// `ipv4`.
    #[serde(rename = "ipv4")]
    Ipv4,
    /// `dualstack`.
    #[serde(rename = "dualstack")]
    Dualstack,
    /// `ipv6`.
    #[serde(rename = "ipv6")]
    Ipv6,
}

/// A prefix list in use (`ManagedPrefixList`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrefixList {
    /// The id.
    pub prefix_list_id: String,
    /// The name.
    pub prefix_list_name: String,
    /// The account, or `AWS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
}
