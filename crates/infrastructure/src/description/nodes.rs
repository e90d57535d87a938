//! What runs Pods: node groups, Fargate profiles, and the add-ons of EKS, as `DescribeNodegroup`,
//! `DescribeFargateProfile` and `DescribeAddon` return them
//! (<https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html>).

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Descriptions, Hidden, Tags};

impl Descriptions {
    /// Returns the names of the SSH key pairs of nodes.
    #[must_use]
    pub fn key_pairs(&self) -> BTreeSet<&str> {
        let groups = self.clusters.iter().flat_map(|cluster| &cluster.nodegroups);
        let of_groups = groups.filter_map(|group| group.remote_access.as_ref()?.ec2_ssh_key.as_deref());
        let templates = self.launch_templates.iter();
        let of_templates = templates.filter_map(|one| one.launch_template_data.key_name.as_deref());
        of_groups.chain(of_templates).collect()
    }
}

/// A managed node group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nodegroup {
    /// The name.
    pub nodegroup_name: String,
    /// The ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodegroup_arn: Option<String>,
    /// The Kubernetes version of the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version of the image. With an image of the launch template, the id of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_version: Option<String>,
    /// How instances are bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_type: Option<CapacityType>,
    /// The number of nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling_config: Option<ScalingConfig>,
    /// The instance types, unless the launch template has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_types: Vec<String>,
    /// The subnets of the nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// Access by SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_access: Option<RemoteAccess>,
    /// The type of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami_type: Option<AmiType>,
    /// The role of the nodes.
    pub node_role: String,
    /// The labels of the nodes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The taints of the nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// The size of the root volume in GiB, unless the launch template has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_size: Option<u32>,
    /// How many nodes are replaced at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_config: Option<UpdateConfig>,
    /// Whether EKS repairs nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_repair_config: Option<NodeRepairConfig>,
    /// The launch template of the user; that of EKS is not described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_template: Option<LaunchTemplateSpecification>,
    /// Instances that are kept ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_pool_config: Option<WarmPoolConfig>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// How instances are bought (`CapacityTypes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum CapacityType {
    /// `ON_DEMAND`.
    #[serde(rename = "ON_DEMAND")]
    OnDemand,
    /// `SPOT`.
    #[serde(rename = "SPOT")]
    Spot,
    /// `CAPACITY_BLOCK`.
    #[serde(rename = "CAPACITY_BLOCK")]
    CapacityBlock,
}

/// The number of nodes (`NodegroupScalingConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScalingConfig {
    /// The minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u32>,
    /// The maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u32>,
    /// The number at the time of the capture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_size: Option<u32>,
}

/// Access by SSH (`RemoteAccessConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteAccess {
    /// The name of the key pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ec2_ssh_key: Option<String>,
    /// From where; from everywhere if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_security_groups: Vec<String>,
}

/// The type of the image of nodes (`AMITypes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AmiType {
    /// `AL2_x86_64`.
    #[serde(rename = "AL2_x86_64")]
    Al2X86,
    /// `AL2_x86_64_GPU`.
    #[serde(rename = "AL2_x86_64_GPU")]
    Al2X86Gpu,
    /// `AL2_ARM_64`.
    #[serde(rename = "AL2_ARM_64")]
    Al2Arm,
    /// `CUSTOM`: the launch template names the image.
    #[serde(rename = "CUSTOM")]
    Custom,
    /// `BOTTLEROCKET_ARM_64`.
    #[serde(rename = "BOTTLEROCKET_ARM_64")]
    BottlerocketArm,
    /// `BOTTLEROCKET_x86_64`.
    #[serde(rename = "BOTTLEROCKET_x86_64")]
    BottlerocketX86,
    /// `BOTTLEROCKET_ARM_64_FIPS`.
    #[serde(rename = "BOTTLEROCKET_ARM_64_FIPS")]
    BottlerocketArmFips,
    /// `BOTTLEROCKET_x86_64_FIPS`.
    #[serde(rename = "BOTTLEROCKET_x86_64_FIPS")]
    BottlerocketX86Fips,
    /// `BOTTLEROCKET_ARM_64_NVIDIA`.
    #[serde(rename = "BOTTLEROCKET_ARM_64_NVIDIA")]
    BottlerocketArmNvidia,
    /// `BOTTLEROCKET_x86_64_NVIDIA`.
    #[serde(rename = "BOTTLEROCKET_x86_64_NVIDIA")]
    BottlerocketX86Nvidia,
    /// `BOTTLEROCKET_ARM_64_NVIDIA_FIPS`.
    #[serde(rename = "BOTTLEROCKET_ARM_64_NVIDIA_FIPS")]
    BottlerocketArmNvidiaFips,
    /// `BOTTLEROCKET_x86_64_NVIDIA_FIPS`.
    #[serde(rename = "BOTTLEROCKET_x86_64_NVIDIA_FIPS")]
    BottlerocketX86NvidiaFips,
    /// `WINDOWS_CORE_2019_x86_64`.
    #[serde(rename = "WINDOWS_CORE_2019_x86_64")]
    WindowsCore2019,
    /// `WINDOWS_FULL_2019_x86_64`.
    #[serde(rename = "WINDOWS_FULL_2019_x86_64")]
    WindowsFull2019,
    /// `WINDOWS_CORE_2022_x86_64`.
    #[serde(rename = "WINDOWS_CORE_2022_x86_64")]
    WindowsCore2022,
    /// `WINDOWS_FULL_2022_x86_64`.
    #[serde(rename = "WINDOWS_FULL_2022_x86_64")]
    WindowsFull2022,
    /// `WINDOWS_CORE_2025_x86_64`.
    #[serde(rename = "WINDOWS_CORE_2025_x86_64")]
    WindowsCore2025,
    /// `WINDOWS_FULL_2025_x86_64`.
    #[serde(rename = "WINDOWS_FULL_2025_x86_64")]
    WindowsFull2025,
    /// `AL2023_x86_64_STANDARD`.
    #[serde(rename = "AL2023_x86_64_STANDARD")]
    Al2023X86,
    /// `AL2023_ARM_64_STANDARD`.
    #[serde(rename = "AL2023_ARM_64_STANDARD")]
    Al2023Arm,
    /// `AL2023_x86_64_NEURON`.
    #[serde(rename = "AL2023_x86_64_NEURON")]
    Al2023X86Neuron,
    /// `AL2023_x86_64_NVIDIA`.
    #[serde(rename = "AL2023_x86_64_NVIDIA")]
    Al2023X86Nvidia,
    /// `AL2023_ARM_64_NVIDIA`.
    #[serde(rename = "AL2023_ARM_64_NVIDIA")]
    Al2023ArmNvidia,
}

/// A taint of nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Taint {
    /// The key.
    pub key: String,
    /// The value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The effect.
    pub effect: TaintEffect,
}

/// The effect of a taint, as EKS spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// `NO_SCHEDULE`.
    #[serde(rename = "NO_SCHEDULE")]
    NoSchedule,
    /// `NO_EXECUTE`.
    #[serde(rename = "NO_EXECUTE")]
    NoExecute,
    /// `PREFER_NO_SCHEDULE`.
    #[serde(rename = "PREFER_NO_SCHEDULE")]
    PreferNoSchedule,
}

/// How many nodes are replaced at once (`NodegroupUpdateConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateConfig {
    /// By number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<u32>,
    /// By share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable_percentage: Option<u32>,
    /// Whether new nodes come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<UpdateStrategy>,
}

/// Whether new nodes come before old ones go (`NodegroupUpdateStrategies`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum UpdateStrategy {
    /// `DEFAULT`.
    #[serde(rename = "DEFAULT")]
    Default,
    /// `MINIMAL`.
    #[serde(rename = "MINIMAL")]
    Minimal,
}

/// Whether EKS repairs nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRepairConfig {
    /// Whether it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// With more unhealthy nodes, nothing is repaired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unhealthy_node_threshold_count: Option<u32>,
    /// The same by share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unhealthy_node_threshold_percentage: Option<u32>,
    /// How many at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel_nodes_repaired_count: Option<u32>,
    /// The same by share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel_nodes_repaired_percentage: Option<u32>,
    /// Actions for single conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_repair_config_overrides: Vec<NodeRepairOverride>,
}

/// The action for a condition of a node (`NodeRepairConfigOverrides`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeRepairOverride {
    /// The condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_monitoring_condition: Option<String>,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_unhealthy_reason: Option<String>,
    /// How long the condition must hold, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_repair_wait_time_mins: Option<u32>,
    /// The action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair_action: Option<RepairAction>,
}

/// What EKS does with an unhealthy node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum RepairAction {
    /// `Replace`.
    Replace,
    /// `Reboot`.
    Reboot,
    /// `NoAction`.
    NoAction,
}

/// The launch template of a node group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LaunchTemplateSpecification {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number of its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Instances that are kept ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WarmPoolConfig {
    /// Whether there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How many at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_size: Option<u32>,
    /// How many with those in service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_group_prepared_capacity: Option<i32>,
    /// The state in which they wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_state: Option<WarmPoolState>,
    /// Whether instances go back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse_on_scale_in: Option<bool>,
}

/// The state in which instances wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum WarmPoolState {
    /// `STOPPED`.
    #[serde(rename = "STOPPED")]
    Stopped,
    /// `RUNNING`.
    #[serde(rename = "RUNNING")]
    Running,
    /// `HIBERNATED`.
    #[serde(rename = "HIBERNATED")]
    Hibernated,
}

/// A Fargate profile (<https://docs.aws.amazon.com/eks/latest/APIReference/API_FargateProfile.html>).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FargateProfile {
    /// The name.
    pub fargate_profile_name: String,
    /// The ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fargate_profile_arn: Option<String>,
    /// The role of kubelet.
    pub pod_execution_role_arn: String,
    /// The private subnets of the Pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// Which Pods run on Fargate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<FargateSelector>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// Which Pods run on Fargate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FargateSelector {
    /// The namespace; `*` and `?` are wildcards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels that Pods must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// An add-on that EKS manages (<https://docs.aws.amazon.com/eks/latest/APIReference/API_Addon.html>).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addon {
    /// The name.
    pub addon_name: String,
    /// The ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addon_arn: Option<String>,
    /// The version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addon_version: Option<String>,
    /// The role of its service account by IRSA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_role_arn: Option<String>,
    /// Its configuration, JSON or YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_values: Option<Hidden<String>>,
    /// The ARNs of its Pod Identity associations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pod_identity_associations: Vec<String>,
    /// The namespace, if it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_config: Option<AddonNamespace>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// The namespace of an add-on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddonNamespace {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
