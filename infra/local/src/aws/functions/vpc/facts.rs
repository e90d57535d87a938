//! What EC2, Route 53 and EKS say of the VPC of a function.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

/// What decides on the network of a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) region: String,
    /// The id of the VPC.
    pub(crate) vpc: String,
    /// Whether the VPC has a resolver: `enableDnsSupport`.
    pub(crate) has_resolver: bool,
    /// The addresses in the private hosted zones of the VPC, by name. A name may begin with `*.`.
    pub(crate) records: BTreeMap<String, Ipv4Addr>,
    /// The names of these zones.
    pub(crate) zones: Vec<String>,
    /// The subnets of the VPC.
    pub(crate) subnets: Vec<Subnet>,
    /// The ids of the subnets of the function.
    pub(crate) own_subnets: Vec<String>,
    /// The rules of the security groups of the VPC, by the ids of the groups.
    pub(crate) groups: BTreeMap<String, Vec<Rule>>,
    /// The id of the default security group of the VPC.
    pub(crate) default_group: Option<String>,
    /// The ids of the security groups of the function.
    pub(crate) own_groups: Vec<String>,
    /// The id of the prefix list with the addresses of S3.
    pub(crate) prefix_list: Option<String>,
    /// The endpoints of S3 in the VPC.
    pub(crate) endpoints: Vec<Endpoint>,
    /// The subnets of the NAT gateways that are available, by the ids of the gateways.
    pub(crate) nat_gateways: BTreeMap<String, String>,
    /// The API servers of the account in the Region.
    pub(crate) servers: Vec<Server>,
}

/// A subnet, with the route table and the network ACL that apply to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) range: Range,
    pub(crate) table: String,
    pub(crate) routes: Vec<Route>,
    /// The entries of its network ACL.
    pub(crate) entries: Vec<Entry>,
}

/// A route to a range of addresses.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) range: Range,
    /// The id of the internet gateway or the NAT gateway.
    pub(crate) gateway: String,
}

/// An entry of a network ACL about TCP.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) number: u32,
    pub(crate) is_egress: bool,
    pub(crate) allows: bool,
    pub(crate) range: Range,
    /// The first and the last port.
    pub(crate) ports: (u16, u16),
}

/// A rule of a security group about TCP.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) is_egress: bool,
    /// The first and the last port.
    pub(crate) ports: (u16, u16),
    pub(crate) peer: Peer,
}

/// The other end of a connection that a rule allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// An address of this range.
    Range(Range),
    /// An address of this prefix list.
    PrefixList(String),
    /// An interface with this security group.
    Group(String),
}

/// An endpoint of S3.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    /// Whether it is an interface endpoint, else a gateway endpoint.
    pub(crate) is_interface: bool,
    /// The route tables of a gateway endpoint.
    pub(crate) tables: Vec<String>,
    /// The subnets of an interface endpoint.
    pub(crate) subnets: Vec<String>,
    /// The security groups of an interface endpoint; without any it has the default group.
    pub(crate) groups: Vec<String>,
    /// Whether the names of S3 lead to an interface endpoint.
    pub(crate) has_private_names: bool,
}

/// The API server of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The id of the VPC of the cluster.
    pub(crate) vpc: String,
    /// The subnets of the cluster, in which EKS has interfaces of the API server.
    pub(crate) subnets: Vec<String>,
    /// The cluster security group, and further groups of these interfaces.
    pub(crate) groups: Vec<String>,
}

/// A range of IPv4 addresses. The default is that of all addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    first: u32,
    /// The number of leading bits that its addresses have in common.
    pub(crate) bits: u32,
}

impl Range {
    /// Reads a range in CIDR notation; nothing for one of IPv6.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let first = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let unmasked = Self { first, bits };
        Some(Self {
            first: first & unmasked.mask(),
            bits,
        })
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - self.bits).unwrap_or(0)
    }

    pub(crate) fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & self.mask() == self.first
    }

    /// Returns the address at this place in the range.
    pub(crate) fn address(self, place: u32) -> Ipv4Addr {
        (self.first | (place & !self.mask())).into()
    }
}
