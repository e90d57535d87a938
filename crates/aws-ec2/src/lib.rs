//! The adapter for Amazon EC2: reads networks, launch templates and volumes as descriptions, networks of the recovery
//! environment as candidates for their counterparts, SSH key pairs, and Availability Zones.
//!
//! `aws-sdk-ec2` takes minutes and gigabytes to compile, so it is a dependency of this crate alone. This crate must not
//! depend on another adapter but `lifeboat-aws`.
//!
//! Invariants:
//! - nothing here changes anything in EC2;
//! - what EC2 refuses is noted in [`Reads`], and the rest is described;
//! - results are sorted by their ids, so the same account gives the same descriptions.

mod acls;
mod candidates;
mod convert;
mod endpoints;
mod gateways;
mod groups;
mod launch_templates;
mod network;
mod prefix_lists;
mod routes;
mod subnets;
mod volumes;
mod vpcs;
mod zones;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Filter;
use lifeboat_aws::AwsContext;
#[cfg(doc)]
use lifeboat_aws::reads::Reads;

pub use launch_templates::LaunchTemplateVersion;
pub use network::Network;

/// The actions of IAM that this crate needs.
pub mod actions {
    lifeboat_aws::actions! {
        /// The actions of IAM that reading descriptions needs. EC2 has no permissions on single resources for them
        /// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>).
        pub ACTIONS {
            VPCS = "ec2:DescribeVpcs",
            VPC_ATTRIBUTE = "ec2:DescribeVpcAttribute",
            SUBNETS = "ec2:DescribeSubnets",
            ROUTE_TABLES = "ec2:DescribeRouteTables",
            INTERNET_GATEWAYS = "ec2:DescribeInternetGateways",
            EGRESS_ONLY_INTERNET_GATEWAYS = "ec2:DescribeEgressOnlyInternetGateways",
            NAT_GATEWAYS = "ec2:DescribeNatGateways",
            NETWORK_ACLS = "ec2:DescribeNetworkAcls",
            SECURITY_GROUPS = "ec2:DescribeSecurityGroups",
            SECURITY_GROUP_RULES = "ec2:DescribeSecurityGroupRules",
            VPC_ENDPOINTS = "ec2:DescribeVpcEndpoints",
            MANAGED_PREFIX_LISTS = "ec2:DescribeManagedPrefixLists",
            LAUNCH_TEMPLATES = "ec2:DescribeLaunchTemplates",
            LAUNCH_TEMPLATE_VERSIONS = "ec2:DescribeLaunchTemplateVersions",
            VOLUMES = "ec2:DescribeVolumes",
        }
    }

    /// The actions that [`crate::Ec2::ways`] and [`crate::Ec2::free_addresses`] need.
    pub const WAYS: &[&str] = &[
        NETWORK_ACLS.name(),
        ROUTE_TABLES.name(),
        SECURITY_GROUP_RULES.name(),
        SECURITY_GROUPS.name(),
        SUBNETS.name(),
        VPC_ATTRIBUTE.name(),
        VPC_ENDPOINTS.name(),
        VPCS.name(),
    ];

    /// The action that [`crate::Ec2::zones`] needs, on the recovery side.
    pub const AVAILABILITY_ZONES: &str = "ec2:DescribeAvailabilityZones";

    /// The action that [`crate::Ec2::key_pairs`] needs, on the recovery side.
    pub const KEY_PAIRS: &str = "ec2:DescribeKeyPairs";

    /// The actions that the look-up of candidates needs, on the recovery side.
    pub const CANDIDATES: &[&str] = &[
        KEY_PAIRS,
        VPCS.name(),
        SUBNETS.name(),
        ROUTE_TABLES.name(),
        SECURITY_GROUPS.name(),
    ];
}

/// A filter of EC2 takes 200 values
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html#Filtering_Resources_CLI>).
const FILTER_VALUES: usize = 200;

/// Amazon EC2 in one account and Region.
#[derive(Clone)]
pub struct Ec2 {
    client: Client,
}

impl std::fmt::Debug for Ec2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ec2")
    }
}

impl Ec2 {
    /// Creates a client for the context's account and Region.
    #[must_use]
    pub fn new(context: &AwsContext) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
        }
    }
}

/// Returns a filter for resources that have one of these values. A filter, unlike a list of ids, does not fail for an
/// id that does not exist.
fn filter(name: &str, values: &[String]) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.to_vec()))
        .build()
}
