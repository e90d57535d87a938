//! What a delegate in a VPC needs to reach a cluster whose API server has no public endpoint.
//!
//! The public delegate reads it from EKS and reports it; the coordinator hands it on in the assignments of the private
//! delegate, which cannot ask EKS, and in the commands of issues. So it is checked before it is used.

use lifeboat_model::network::is_resource_id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The maximum length of the URL of an API server: those of EKS have about 80 characters.
const LONGEST_URL: usize = 256;

/// The maximum size in bytes of the certificates of an API server: those of EKS have about 1,100.
const LONGEST_CA: usize = 16 << 10;

/// The maximum number of subnets of a cluster (Amazon EKS API Reference, `VpcConfigRequest`, "up to 16").
const SUBNETS: usize = 16;

/// The endpoint of an API server, for a delegate that cannot ask EKS for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterEndpoint {
    /// The URL of the API server.
    pub url: String,
    /// The certificates of the certificate authority that signed the API server's certificate, as PEM.
    pub ca: String,
    /// Whether access entries of the cluster have an effect; otherwise only `aws-auth` grants access.
    pub access_entries: bool,
}

/// The private endpoint of a cluster, and the network from which it is reachable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivateEndpoint {
    /// The endpoint.
    pub endpoint: ClusterEndpoint,
    /// The id of the cluster's VPC.
    pub vpc: String,
    /// The ids of the subnets of the control plane's network interfaces.
    pub subnets: Vec<String>,
    /// The id of the cluster security group, whose members may connect to the API server.
    pub security_group: String,
}

impl ClusterEndpoint {
    /// Whether this can be the endpoint of an API server, within limits.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let host = self.url.strip_prefix("https://").unwrap_or_default();
        let is_authority = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
        !host.is_empty()
            && self.url.len() <= LONGEST_URL
            && host.bytes().all(is_authority)
            && self.ca.len() <= LONGEST_CA
            && self.ca.starts_with("-----BEGIN CERTIFICATE-----")
    }
}

impl PrivateEndpoint {
    /// Whether every id has the form that EC2 gives it, so that it can be part of a command.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.endpoint.is_valid()
            && is_resource_id(&self.vpc, "vpc-")
            && is_resource_id(&self.security_group, "sg-")
            && (1..=SUBNETS).contains(&self.subnets.len())
            && self
                .subnets
                .iter()
                .all(|subnet| is_resource_id(subnet, "subnet-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> PrivateEndpoint {
        PrivateEndpoint {
            endpoint: ClusterEndpoint {
                url: "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com".to_owned(),
                ca: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned(),
                access_entries: true,
            },
            vpc: "vpc-0123456789abcdef0".to_owned(),
            subnets: vec![
                "subnet-0123456789abcdef0".to_owned(),
                "subnet-0123abcd".to_owned(),
            ],
            security_group: "sg-0123456789abcdef0".to_owned(),
        }
    }

    #[test]
    fn only_what_eks_can_have_said_is_used() {
        assert!(endpoint().is_valid());
        let broken: [fn(&mut PrivateEndpoint); 8] = [
            |endpoint| endpoint.endpoint.url = "http://10.0.0.1".to_owned(),
            |endpoint| endpoint.endpoint.url = "https://".to_owned(),
            |endpoint| endpoint.endpoint.url.push_str("/$(reboot)"),
            |endpoint| endpoint.endpoint.ca = "x".to_owned(),
            |endpoint| endpoint.endpoint.ca.push_str(&"x".repeat(LONGEST_CA)),
            |endpoint| endpoint.subnets.clear(),
            |endpoint| endpoint.subnets.push("subnet-1; reboot".to_owned()),
            |endpoint| endpoint.security_group = "sg-0123456789ABCDEF0".to_owned(),
        ];
        for breaks in broken {
            let mut endpoint = endpoint();
            breaks(&mut endpoint);
            assert!(!endpoint.is_valid(), "{endpoint:?}");
        }
    }
}
