//! What keeps a function in a VPC from what it needs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::observation::DeniedBy;
use super::{ADDRESSES, is_host, is_resource_id};
use crate::Code;

/// The maximum number of ids in a cause: a cluster has up to 16 subnets (Amazon EKS API Reference, `VpcConfigRequest`).
const IDS: usize = 16;

/// The maximum number of keys of conditions in a cause: more would not help whoever reads the policy.
const KEYS: usize = 8;

/// The longest key of a condition or name of a zone.
const LONGEST_KEY: usize = 64;

/// A server that a private delegate needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NetworkTarget {
    /// Amazon S3.
    S3,
    /// The API server of the cluster.
    ApiServer,
}

/// What keeps a function in a VPC from what it needs, or will. One value is one change by the user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum NetworkCause {
    /// The VPC has no DNS resolver.
    NoResolver {
        /// The VPC.
        vpc: String,
    },
    /// The VPC has no private host names, without which neither endpoints nor API servers have their names there.
    NoHostNames {
        /// The VPC.
        vpc: String,
        /// Whose name is missing.
        target: NetworkTarget,
    },
    /// The private DNS names of the endpoint of S3 are off, and nothing else leads to S3.
    PrivateNamesOff {
        /// The endpoint.
        endpoint: String,
    },
    /// The resolver does not know a name, or does not answer.
    NameNotResolved {
        /// Whose name it is.
        target: NetworkTarget,
        /// The name.
        host: String,
        /// Whether the resolver did not answer.
        silent: bool,
    },
    /// A name leads to another server.
    LeadsElsewhere {
        /// Whose name it is.
        target: NetworkTarget,
        /// The name.
        host: String,
        /// Where it leads.
        #[schemars(with = "Vec<String>")]
        addresses: Vec<IpAddr>,
    },
    /// Subnets lead neither to an endpoint of S3 nor out of the VPC.
    NoRoute {
        /// The VPC.
        vpc: String,
        /// The subnets.
        subnets: Vec<String>,
        /// Their route tables.
        route_tables: Vec<String>,
        /// The gateway endpoint that the VPC has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
        /// Whether they lead out for IPv6, which the name of S3 has no address of.
        ipv6_only: bool,
    },
    /// The security group of the function does not let HTTPS out.
    GroupHoldsBack {
        /// The group.
        group: String,
        /// What it cannot reach.
        target: NetworkTarget,
    },
    /// A network ACL does not let HTTPS out, or its answers in.
    AclHoldsBack {
        /// The network ACL.
        acl: String,
        /// Whether that which leaves the subnets is held back.
        egress: bool,
        /// The number of the rule that the network ACL needs: a free one before that of the rule that denies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<u16>,
        /// What it cannot reach.
        target: NetworkTarget,
    },
    /// The security group of an interface endpoint does not admit the function.
    EndpointHoldsBack {
        /// The endpoint.
        endpoint: String,
        /// Its security group.
        group: String,
        /// The security group of the function.
        from: String,
    },
    /// The cluster security group does not admit its own members at the API server.
    ClusterHoldsBack {
        /// The group.
        group: String,
    },
    /// The policy of an endpoint denies the function its bucket.
    EndpointPolicy {
        /// The endpoint, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
        /// Whether a statement denies it, instead of none that allows it.
        explicit: bool,
    },
    /// Whether the policy of an endpoint allows it depends on conditions that cannot be evaluated.
    EndpointConditions {
        /// The endpoint.
        endpoint: String,
        /// The keys of the conditions.
        keys: Vec<String>,
    },
    /// Another policy denies the function its bucket.
    PolicyDenies {
        /// The kind of the policy.
        by: DeniedBy,
        /// Whether a statement denies it, instead of none that allows it.
        explicit: bool,
    },
    /// The client of S3 uses a proxy by this environment variable.
    Proxy {
        /// The name of the variable.
        variable: String,
    },
    /// Something between the function and a server answers in its place, or ends the connection.
    Intercepted {
        /// The server.
        target: NetworkTarget,
        /// Its name.
        host: String,
    },
    /// All subnets are in one zone, although the VPC has subnets in several.
    OneZone {
        /// The zone.
        zone: String,
    },
    /// Subnets have too few free addresses for the network interfaces of the function.
    FewAddresses {
        /// The number of free addresses by subnet.
        subnets: BTreeMap<String, u32>,
    },
    /// Subnets have IPv6 addresses only, which functions do not support.
    Ipv6Only {
        /// The subnets.
        subnets: Vec<String>,
    },
    /// Nothing answers, and nothing that is known of the VPC explains it.
    Silent {
        /// The server.
        target: NetworkTarget,
        /// Its name.
        host: String,
        /// The addresses that were tried.
        #[schemars(with = "Vec<String>")]
        addresses: Vec<IpAddr>,
        /// Whether the connection was refused instead of lost.
        refused: bool,
        /// Whether the VPC was looked at.
        seen: bool,
    },
    /// An answer that is not that of the server.
    OtherAnswer {
        /// The server.
        target: NetworkTarget,
        /// Its name.
        host: String,
        /// The HTTP status, if it is HTTP.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    },
}

impl NetworkCause {
    /// Returns the code of the problem.
    #[must_use]
    pub fn code(&self) -> Code {
        use NetworkTarget::{ApiServer, S3};
        match self {
            Self::NoRoute { .. } => Code::PrivateNetworkRoute,
            Self::NameNotResolved {
                target: ApiServer, ..
            }
            | Self::NoHostNames {
                target: ApiServer, ..
            }
            | Self::LeadsElsewhere {
                target: ApiServer, ..
            } => Code::PrivateApiServerName,
            Self::NoResolver { .. }
            | Self::PrivateNamesOff { .. }
            | Self::NoHostNames { target: S3, .. }
            | Self::NameNotResolved { target: S3, .. }
            | Self::LeadsElsewhere { target: S3, .. } => Code::PrivateNetworkNames,
            Self::GroupHoldsBack {
                target: ApiServer, ..
            }
            | Self::ClusterHoldsBack { .. } => Code::PrivateApiServerRules,
            Self::GroupHoldsBack { target: S3, .. }
            | Self::AclHoldsBack { .. }
            | Self::EndpointHoldsBack { .. } => Code::PrivateNetworkRules,
            Self::EndpointPolicy { .. } | Self::EndpointConditions { .. } => Code::PrivateNetworkPolicy,
            Self::PolicyDenies { .. } => Code::PrivateBucketDenied,
            Self::Proxy { .. } | Self::Intercepted { .. } => Code::PrivateNetworkProxy,
            Self::OneZone { .. } => Code::PrivateNetworkZones,
            Self::FewAddresses { .. } => Code::PrivateNetworkAddresses,
            Self::Ipv6Only { .. } => Code::PrivateNetworkFamily,
            Self::Silent { .. } => Code::PrivateNetworkSilent,
            Self::OtherAnswer { .. } => Code::PrivateNetworkAnswer,
        }
    }

    /// Returns the server that is not reached; `None` if the cause does not keep the function from one now, or from both.
    #[must_use]
    pub fn target(&self) -> Option<NetworkTarget> {
        match self {
            Self::NoHostNames { target, .. }
            | Self::NameNotResolved { target, .. }
            | Self::LeadsElsewhere { target, .. }
            | Self::GroupHoldsBack { target, .. }
            | Self::AclHoldsBack { target, .. }
            | Self::Intercepted { target, .. }
            | Self::Silent { target, .. }
            | Self::OtherAnswer { target, .. } => Some(*target),
            Self::ClusterHoldsBack { .. } => Some(NetworkTarget::ApiServer),
            Self::PrivateNamesOff { .. }
            | Self::NoRoute { .. }
            | Self::EndpointHoldsBack { .. }
            | Self::EndpointPolicy { .. }
            | Self::EndpointConditions { .. }
            | Self::PolicyDenies { .. }
            | Self::Proxy { .. } => Some(NetworkTarget::S3),
            Self::NoResolver { .. }
            | Self::OneZone { .. }
            | Self::FewAddresses { .. }
            | Self::Ipv6Only { .. } => None,
        }
    }

    /// Whether the function may work nevertheless.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::OneZone { .. } | Self::FewAddresses { .. } | Self::EndpointConditions { .. }
        )
    }

    /// Returns what has to be changed, as part of the id of an issue: two causes with the same code differ in it.
    #[must_use]
    pub fn about(&self) -> &str {
        match self {
            Self::NoResolver { vpc } | Self::NoHostNames { vpc, .. } | Self::NoRoute { vpc, .. } => vpc,
            Self::PrivateNamesOff { endpoint }
            | Self::EndpointHoldsBack { endpoint, .. }
            | Self::EndpointConditions { endpoint, .. }
            | Self::EndpointPolicy {
                endpoint: Some(endpoint),
                ..
            } => endpoint,
            Self::EndpointPolicy { endpoint: None, .. } => "endpoint-policy",
            Self::GroupHoldsBack { group, .. } | Self::ClusterHoldsBack { group } => group,
            Self::AclHoldsBack { acl, .. } => acl,
            Self::PolicyDenies { .. } => "bucket",
            Self::Proxy { variable } => variable,
            Self::OneZone { zone } => zone,
            Self::FewAddresses { .. } | Self::Ipv6Only { .. } => "subnets",
            Self::NameNotResolved { target, .. }
            | Self::LeadsElsewhere { target, .. }
            | Self::Intercepted { target, .. }
            | Self::Silent { target, .. }
            | Self::OtherAnswer { target, .. } => match target {
                NetworkTarget::S3 => "s3",
                NetworkTarget::ApiServer => "api-server",
            },
        }
    }

    /// Whether every id has the form that AWS gives it, so that it can be part of a command, and all else is within limits.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let all = |ids: &[String], prefix: &str| {
            (1..=IDS).contains(&ids.len()) && ids.iter().all(|id| is_resource_id(id, prefix))
        };
        let is_word = |text: &String| {
            let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'/' | b'.');
            (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(is_part)
        };
        match self {
            Self::NoResolver { vpc } | Self::NoHostNames { vpc, .. } => is_resource_id(vpc, "vpc-"),
            Self::PrivateNamesOff { endpoint } => is_resource_id(endpoint, "vpce-"),
            Self::NameNotResolved { host, .. }
            | Self::Intercepted { host, .. }
            | Self::OtherAnswer { host, .. } => is_host(host),
            Self::LeadsElsewhere { host, addresses, .. } | Self::Silent { host, addresses, .. } => {
                is_host(host) && addresses.len() <= ADDRESSES
            }
            Self::NoRoute {
                vpc,
                subnets,
                route_tables,
                endpoint,
                ..
            } => {
                is_resource_id(vpc, "vpc-")
                    && all(subnets, "subnet-")
                    && all(route_tables, "rtb-")
                    && endpoint.as_ref().is_none_or(|id| is_resource_id(id, "vpce-"))
            }
            Self::GroupHoldsBack { group, .. } | Self::ClusterHoldsBack { group } => {
                is_resource_id(group, "sg-")
            }
            Self::AclHoldsBack { acl, .. } => is_resource_id(acl, "acl-"),
            Self::EndpointHoldsBack {
                endpoint,
                group,
                from,
            } => {
                is_resource_id(endpoint, "vpce-")
                    && is_resource_id(group, "sg-")
                    && is_resource_id(from, "sg-")
            }
            Self::EndpointPolicy { endpoint, .. } => {
                endpoint.as_ref().is_none_or(|id| is_resource_id(id, "vpce-"))
            }
            Self::EndpointConditions { endpoint, keys } => {
                is_resource_id(endpoint, "vpce-") && keys.len() <= KEYS && keys.iter().all(is_word)
            }
            Self::PolicyDenies { .. } => true,
            Self::Proxy { variable } => is_word(variable),
            Self::OneZone { zone } => is_word(zone),
            Self::FewAddresses { subnets } => {
                (1..=IDS).contains(&subnets.len()) && subnets.keys().all(|id| is_resource_id(id, "subnet-"))
            }
            Self::Ipv6Only { subnets } => all(subnets, "subnet-"),
        }
    }

    /// Returns the cause with lists within the limits of [`NetworkCause::is_valid`].
    #[must_use]
    pub fn bounded(mut self) -> Self {
        match &mut self {
            Self::EndpointConditions { keys, .. } => keys.truncate(KEYS),
            Self::LeadsElsewhere { addresses, .. } | Self::Silent { addresses, .. } => {
                addresses.truncate(ADDRESSES);
            }
            _ => {}
        }
        self
    }
}
