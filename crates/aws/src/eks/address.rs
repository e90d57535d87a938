//! The description of a cluster by EKS.

use std::collections::BTreeMap;

use aws_sdk_eks::types::{Cluster, VpcConfigResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_model::Arn;

/// One cluster as EKS describes it
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_Cluster.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAddress {
    /// The name, unique in its account and Region.
    pub name: String,
    /// The ARN.
    pub arn: Arn,
    /// Where the control plane runs.
    pub kind: ClusterKind,
    /// The state of its lifecycle.
    pub status: ClusterStatus,
    /// The Kubernetes version, such as `1.33`.
    pub version: Option<String>,
    /// The endpoint of the API server; absent while the cluster is being created.
    pub endpoint: Option<Endpoint>,
    /// How it maps AWS principals to Kubernetes users.
    pub authentication: AuthenticationMode,
    /// Whether the API server is reachable from the internet.
    pub endpoint_public: bool,
    /// The CIDR blocks that may access the public endpoint; `0.0.0.0/0` allows every address.
    pub public_cidrs: Vec<String>,
    /// Whether the API server is reachable from the cluster's VPC by a private address.
    pub endpoint_private: bool,
    /// The id of the VPC.
    pub vpc: Option<String>,
    /// The ids of the subnets of the control plane's network interfaces.
    pub subnets: Vec<String>,
    /// The id of the security group whose members may connect to the API server.
    pub security_group: Option<String>,
    /// The URL of the issuer of its service account tokens.
    pub oidc_issuer: Option<String>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// The address of an API server, and the certificates to verify it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL of the API server.
    pub url: String,
    /// The certificates of the certificate authority that signed the API server's certificate, as PEM.
    pub ca_pem: String,
}

/// Where a cluster's control plane runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterKind {
    /// In the Region: an ordinary EKS cluster.
    Eks,
    /// On an Outpost (a local cluster): reachable only from there.
    Outpost,
    /// Elsewhere: a cluster of another platform that is only registered in EKS (EKS Connector).
    Connected,
}

/// The state of a cluster's lifecycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterStatus {
    /// Being created.
    Creating,
    /// Running. The endpoint may not answer yet.
    Active,
    /// Being changed; it keeps running.
    Updating,
    /// Being deleted.
    Deleting,
    /// Could not be created.
    Failed,
    /// A connected cluster whose agent has not connected yet.
    Pending,
    /// A state that this version of Lifeboat does not know.
    Other(String),
}

impl ClusterStatus {
    fn parse(text: &str) -> Self {
        match text {
            "CREATING" => Self::Creating,
            "ACTIVE" => Self::Active,
            "UPDATING" => Self::Updating,
            "DELETING" => Self::Deleting,
            "FAILED" => Self::Failed,
            "PENDING" => Self::Pending,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Reports whether the API server is running.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Active | Self::Updating)
    }
}

/// How a cluster maps AWS principals to Kubernetes users
/// (<https://docs.aws.amazon.com/eks/latest/userguide/setting-up-access-entries.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationMode {
    /// Only the ConfigMap `aws-auth`; access entries have no effect.
    ConfigMap,
    /// Access entries and `aws-auth`; an entry takes precedence over a mapping of the same principal.
    ApiAndConfigMap,
    /// Only access entries.
    Api,
}

impl AuthenticationMode {
    /// Reports whether access entries have an effect.
    #[must_use]
    pub fn has_access_entries(self) -> bool {
        matches!(self, Self::Api | Self::ApiAndConfigMap)
    }
}

impl ClusterAddress {
    /// Reads the answer of EKS; `None` if it lacks a field that every cluster has.
    pub(super) fn read(cluster: &Cluster) -> Option<Self> {
        let network = cluster.resources_vpc_config();
        let mode = (cluster.access_config()).and_then(|access| access.authentication_mode());
        let issuer = (cluster.identity()).and_then(|identity| identity.oidc()?.issuer());
        Some(Self {
            name: cluster.name()?.to_owned(),
            arn: Arn::parse(cluster.arn()?).ok()?,
            kind: if cluster.connector_config().is_some() {
                ClusterKind::Connected
            } else if cluster.outpost_config().is_some() {
                ClusterKind::Outpost
            } else {
                ClusterKind::Eks
            },
            status: ClusterStatus::parse(cluster.status().map_or("", |status| status.as_str())),
            version: cluster.version().map(str::to_owned),
            endpoint: endpoint(cluster),
            authentication: match mode.map(|mode| mode.as_str()) {
                Some("API") => AuthenticationMode::Api,
                Some("API_AND_CONFIG_MAP") => AuthenticationMode::ApiAndConfigMap,
                // Clusters from before access entries do not report a mode; theirs is CONFIG_MAP.
                _ => AuthenticationMode::ConfigMap,
            },
            endpoint_public: network.is_some_and(VpcConfigResponse::endpoint_public_access),
            public_cidrs: network.map_or(&[][..], |n| n.public_access_cidrs()).to_vec(),
            endpoint_private: network.is_some_and(VpcConfigResponse::endpoint_private_access),
            vpc: network.and_then(|n| n.vpc_id()).map(str::to_owned),
            subnets: network.map_or(&[][..], |n| n.subnet_ids()).to_vec(),
            security_group: network
                .and_then(|n| n.cluster_security_group_id())
                .map(str::to_owned),
            oidc_issuer: issuer.map(str::to_owned),
            tags: (cluster.tags().into_iter().flatten())
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        })
    }
}

/// Returns the endpoint if both its URL and its certificates are present and valid.
fn endpoint(cluster: &Cluster) -> Option<Endpoint> {
    let url = cluster.endpoint().filter(|url| !url.is_empty())?;
    let data = cluster.certificate_authority()?.data()?;
    let pem = String::from_utf8(STANDARD.decode(data).ok()?).ok()?;
    Some(Endpoint {
        url: url.to_owned(),
        ca_pem: pem,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_eks::types::builders::ClusterBuilder;
    use aws_sdk_eks::types::{
        AccessConfigResponse, AuthenticationMode as Mode, Certificate, ClusterStatus as Status,
        ConnectorConfigResponse, OutpostConfigResponse,
    };

    use super::*;

    fn read(builder: ClusterBuilder) -> ClusterAddress {
        let arn = "arn:aws:eks:eu-west-1:111111111111:cluster/orders";
        ClusterAddress::read(&builder.name("orders").arn(arn).build()).unwrap()
    }

    #[test]
    fn a_cluster_without_an_answer_to_everything_is_read() {
        let bare = read(Cluster::builder());
        assert_eq!(bare.name, "orders");
        assert_eq!(bare.endpoint, None);
        assert_eq!(bare.kind, ClusterKind::Eks);
        assert_eq!(bare.authentication, AuthenticationMode::ConfigMap);
        assert!(!bare.status.is_up());
    }

    #[test]
    fn an_endpoint_needs_its_certificate() {
        let half = Cluster::builder().endpoint("https://x.eks.amazonaws.com");
        assert_eq!(read(half.clone()).endpoint, None);
        let broken = Certificate::builder().data("%%%").build();
        assert_eq!(read(half.clone().certificate_authority(broken)).endpoint, None);
        let whole = Certificate::builder().data(STANDARD.encode("pem")).build();
        let endpoint = read(half.certificate_authority(whole)).endpoint.unwrap();
        assert_eq!(endpoint.ca_pem, "pem");
    }

    #[test]
    fn kinds_modes_and_states_are_told_apart() {
        let outpost = OutpostConfigResponse::builder()
            .set_outpost_arns(Some(Vec::new()))
            .control_plane_instance_type("m5.large");
        let outpost = Cluster::builder().outpost_config(outpost.build().unwrap());
        assert_eq!(read(outpost).kind, ClusterKind::Outpost);
        let connected = Cluster::builder().connector_config(ConnectorConfigResponse::builder().build());
        assert_eq!(read(connected).kind, ClusterKind::Connected);
        for (mode, expected) in [
            (Mode::Api, AuthenticationMode::Api),
            (Mode::ApiAndConfigMap, AuthenticationMode::ApiAndConfigMap),
            (Mode::ConfigMap, AuthenticationMode::ConfigMap),
        ] {
            let access = AccessConfigResponse::builder().authentication_mode(mode).build();
            let address = read(Cluster::builder().access_config(access));
            assert_eq!(address.authentication, expected);
        }
        for (status, expected) in [
            (Status::Active, ClusterStatus::Active),
            (Status::Updating, ClusterStatus::Updating),
            (Status::from("DREAMING"), ClusterStatus::Other("DREAMING".into())),
        ] {
            assert_eq!(read(Cluster::builder().status(status)).status, expected);
        }
    }
}
