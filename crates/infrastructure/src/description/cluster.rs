//! EKS clusters, as `DescribeCluster` returns them
//! (<https://docs.aws.amazon.com/eks/latest/APIReference/API_Cluster.html>), with what belongs to each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Tags;
use super::access::{AccessEntry, IdentityProviderConfig, PodIdentityAssociation};
use super::nodes::{Addon, FargateProfile, Nodegroup};

/// An EKS cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The Kubernetes version, such as `1.33`.
    pub version: String,
    /// The role of the cluster.
    pub role_arn: String,
    /// The URL of the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The certificate authority of the API server. User data may contain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<Certificate>,
    /// Its network.
    pub resources_vpc_config: VpcConfig,
    /// The addresses of Services, and load balancing by Auto Mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_network_config: Option<KubernetesNetworkConfig>,
    /// The logs of the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// The OIDC issuer of its service accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ClusterIdentity>,
    /// The encryption of Secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encryption_config: Vec<EncryptionConfig>,
    /// Present if the control plane is on an Outpost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outpost_config: Option<OutpostConfig>,
    /// How principals of IAM are let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_config: Option<AccessConfig>,
    /// What happens at the end of the standard support of the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_policy: Option<UpgradePolicy>,
    /// Whether zonal shift is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zonal_shift_config: Option<Enabled>,
    /// The networks of hybrid nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_network_config: Option<RemoteNetworkConfig>,
    /// The nodes of Auto Mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_config: Option<ComputeConfig>,
    /// The block storage of Auto Mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_config: Option<StorageConfig>,
    /// Whether the cluster is protected against deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_protection: Option<bool>,
    /// The size of a provisioned control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_scaling_config: Option<ControlPlaneScalingConfig>,
    /// Settings of kube-apiserver, as the API returns them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_api_server_config: Option<Value>,
    /// Settings of kube-scheduler, as the API returns them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_scheduler_config: Option<Value>,
    /// Settings of kube-controller-manager, as the API returns them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_controller_manager_config: Option<Value>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The managed node groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodegroups: Vec<Nodegroup>,
    /// The Fargate profiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fargate_profiles: Vec<FargateProfile>,
    /// The add-ons that EKS manages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<Addon>,
    /// The access entries with their policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_entries: Vec<AccessEntry>,
    /// The EKS Pod Identity associations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pod_identity_associations: Vec<PodIdentityAssociation>,
    /// The OIDC identity providers that let users in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identity_provider_configs: Vec<IdentityProviderConfig>,
}

/// A certificate authority.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// The certificate, PEM in base64.
    pub data: String,
}

/// The network of a cluster (`VpcConfigResponse`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VpcConfig {
    /// The subnets of the network interfaces of the control plane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnet_ids: Vec<String>,
    /// The additional security groups of these interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<String>,
    /// The security group that EKS made for the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_security_group_id: Option<String>,
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// Whether the API server has a public endpoint.
    pub endpoint_public_access: bool,
    /// Whether the API server has an endpoint in the VPC.
    pub endpoint_private_access: bool,
    /// Who reaches the public endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public_access_cidrs: Vec<String>,
    /// How the control plane reaches the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_egress_mode: Option<ControlPlaneEgressMode>,
}

/// How the control plane reaches the network (`ControlPlaneEgressModeType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ControlPlaneEgressMode {
    /// `AWS_MANAGED`.
    #[serde(rename = "AWS_MANAGED")]
    AwsManaged,
    /// `CUSTOMER_ROUTED`.
    #[serde(rename = "CUSTOMER_ROUTED")]
    CustomerRouted,
    /// `CUSTOMER_ISOLATED`.
    #[serde(rename = "CUSTOMER_ISOLATED")]
    CustomerIsolated,
}

/// The addresses of Services (`KubernetesNetworkConfigResponse`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesNetworkConfig {
    /// The IPv4 range of Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_ipv4_cidr: Option<String>,
    /// The IPv6 range of Services, which EKS assigns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_ipv6_cidr: Option<String>,
    /// The addresses of Pods and Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_family: Option<IpFamily>,
    /// Load balancing by Auto Mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elastic_load_balancing: Option<ElasticLoadBalancing>,
}

/// Load balancing by Auto Mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ElasticLoadBalancing {
    /// Whether Auto Mode makes load balancers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Settings of the Gateway API, as the API returns them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_api: Option<Value>,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum IpFamily {
    /// `ipv4`.
    #[serde(rename = "ipv4")]
    Ipv4,
    /// `ipv6`.
    #[serde(rename = "ipv6")]
    Ipv6,
}

/// The logs of the control plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logging {
    /// The types of logs, enabled or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_logging: Vec<LogSetup>,
}

/// Types of logs that are all enabled or all disabled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogSetup {
    /// The types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<LogType>,
    /// Whether they are enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A log of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum LogType {
    /// `api`.
    #[serde(rename = "api")]
    Api,
    /// `audit`.
    #[serde(rename = "audit")]
    Audit,
    /// `authenticator`.
    #[serde(rename = "authenticator")]
    Authenticator,
    /// `controllerManager`.
    #[serde(rename = "controllerManager")]
    ControllerManager,
    /// `scheduler`.
    #[serde(rename = "scheduler")]
    Scheduler,
}

/// The identities that a cluster issues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterIdentity {
    /// The issuer of tokens of service accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Oidc>,
}

/// The issuer of tokens of service accounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Oidc {
    /// Its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// The encryption of objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EncryptionConfig {
    /// What is encrypted: `secrets`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
}

/// The key of an encryption.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provider {
    /// The ARN of the KMS key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_arn: Option<String>,
}

/// The place of a control plane on Outposts (`OutpostConfigResponse`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutpostConfig {
    /// The Outposts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outpost_arns: Vec<String>,
    /// The instance type of the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_instance_type: Option<String>,
    /// Its placement, as the API returns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_placement: Option<Value>,
    /// The instance type of etcd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd_instance_type: Option<String>,
    /// Its placement, as the API returns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd_placement: Option<Value>,
}

/// How principals of IAM are let in (`AccessConfigResponse`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessConfig {
    /// Whether access entries, the ConfigMap `aws-auth` or both count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_mode: Option<AuthenticationMode>,
    /// Whether the creator of the cluster was let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_cluster_creator_admin_permissions: Option<bool>,
}

/// Where EKS looks up principals of IAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AuthenticationMode {
    /// `API`.
    #[serde(rename = "API")]
    Api,
    /// `API_AND_CONFIG_MAP`.
    #[serde(rename = "API_AND_CONFIG_MAP")]
    ApiAndConfigMap,
    /// `CONFIG_MAP`.
    #[serde(rename = "CONFIG_MAP")]
    ConfigMap,
}

/// What happens at the end of the standard support of the version (`UpgradePolicyResponse`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpgradePolicy {
    /// The support that the cluster gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_type: Option<SupportType>,
}

/// The support of a Kubernetes version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum SupportType {
    /// `STANDARD`.
    #[serde(rename = "STANDARD")]
    Standard,
    /// `EXTENDED`.
    #[serde(rename = "EXTENDED")]
    Extended,
}

/// A feature that is enabled or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Enabled {
    /// Whether it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// The networks of hybrid nodes (`RemoteNetworkConfigResponse`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteNetworkConfig {
    /// The networks of the nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remote_node_networks: Vec<RemoteNetwork>,
    /// The networks of their Pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remote_pod_networks: Vec<RemoteNetwork>,
}

/// A network outside of AWS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteNetwork {
    /// Its address ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<String>,
}

/// The nodes of Auto Mode (`ComputeConfigResponse`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComputeConfig {
    /// Whether Auto Mode makes nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The built-in node pools: `system`, `general-purpose`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_pools: Vec<String>,
    /// The role of the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_role_arn: Option<String>,
}

/// The storage of Auto Mode (`StorageConfigResponse`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StorageConfig {
    /// Whether Auto Mode makes volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_storage: Option<Enabled>,
}

/// The size of a provisioned control plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlPlaneScalingConfig {
    /// The tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<ControlPlaneTier>,
}

/// The tier of a provisioned control plane (`ProvisionedControlPlaneTier`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ControlPlaneTier {
    /// `standard`.
    #[serde(rename = "standard")]
    Standard,
    /// `tier-xl`.
    #[serde(rename = "tier-xl")]
    TierXl,
    /// `tier-2xl`.
    #[serde(rename = "tier-2xl")]
    Tier2xl,
    /// `tier-4xl`.
    #[serde(rename = "tier-4xl")]
    Tier4xl,
    /// `tier-8xl`.
    #[serde(rename = "tier-8xl")]
    Tier8xl,
}
