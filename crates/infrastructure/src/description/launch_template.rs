//! Launch templates of node groups, as `DescribeLaunchTemplateVersions` returns them
//! (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResponseLaunchTemplateData.html>).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Hidden, Tags};

/// One version of a launch template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LaunchTemplate {
    /// The id.
    pub launch_template_id: String,
    /// The name.
    pub launch_template_name: String,
    /// The number of the version.
    pub version_number: u64,
    /// What instances are made of.
    pub launch_template_data: LaunchTemplateData,
    /// The tags of the launch template.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// What instances are made of. Fields that hold no identifier are as the API returns them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LaunchTemplateData {
    /// The image, or a parameter of Systems Manager that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// The instance type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// The name of the SSH key pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    /// The user data, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<Hidden<String>>,
    /// Whether volumes have bandwidth of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ebs_optimized: Option<bool>,
    /// The instance profile; node groups do not allow one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_instance_profile: Option<Value>,
    /// The security groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<String>,
    /// The volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub block_device_mappings: Vec<BlockDeviceMapping>,
    /// The network interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_interfaces: Vec<NetworkInterface>,
    /// The tags of what is launched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tag_specifications: Vec<TagSpecification>,
    /// The instance metadata service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_options: Option<MetadataOptions>,
    /// Detailed monitoring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<Value>,
    /// Tenancy and placement group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Value>,
    /// The credits of burstable instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_specification: Option<Value>,
    /// Cores and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_options: Option<Value>,
    /// Capacity reservations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_reservation_specification: Option<Value>,
    /// Licenses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub license_specifications: Vec<Value>,
    /// Nitro Enclaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enclave_options: Option<Value>,
    /// Hibernation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hibernation_options: Option<Value>,
    /// Automatic recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_options: Option<Value>,
    /// Host names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns_name_options: Option<Value>,
    /// Spot instances; node groups have their own setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_market_options: Option<Value>,
    /// Attributes that instance types must have; node groups name instance types instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_requirements: Option<Value>,
    /// What shutdown does; node groups do not allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_initiated_shutdown_behavior: Option<String>,
    /// Protection against termination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_api_termination: Option<bool>,
    /// Protection against being stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_api_stop: Option<bool>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlockDeviceMapping {
    /// The name of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// The instance store volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_name: Option<String>,
    /// Present if the device of the image is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_device: Option<String>,
    /// The EBS volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ebs: Option<EbsBlockDevice>,
}

/// An EBS volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EbsBlockDevice {
    /// Whether it is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// Whether it is deleted with the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_on_termination: Option<bool>,
    /// I/O operations per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iops: Option<u32>,
    /// The KMS key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// The snapshot that it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<String>,
    /// The size in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_size: Option<u32>,
    /// The type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<VolumeType>,
    /// The throughput in MiB/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<u32>,
    /// The rate at which the snapshot is read, in MiB/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_initialization_rate: Option<u32>,
}

/// The type of an EBS volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum VolumeType {
    /// `standard`.
    #[serde(rename = "standard")]
    Standard,
    /// `io1`.
    #[serde(rename = "io1")]
    Io1,
    /// `io2`.
    #[serde(rename = "io2")]
    Io2,
    /// `gp2`.
    #[serde(rename = "gp2")]
    Gp2,
    /// `gp3`.
    #[serde(rename = "gp3")]
    Gp3,
    /// `sc1`.
    #[serde(rename = "sc1")]
    Sc1,
    /// `st1`.
    #[serde(rename = "st1")]
    St1,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkInterface {
    /// Its position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_index: Option<u32>,
    /// The network card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_card_index: Option<u32>,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The security groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Whether it gets a public address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associate_public_ip_address: Option<bool>,
    /// Whether it is deleted with the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_on_termination: Option<bool>,
    /// `interface`, `efa` or `efa-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface_type: Option<String>,
    /// How many IPv4 prefixes it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4_prefix_count: Option<u32>,
    /// How many IPv6 prefixes it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_prefix_count: Option<u32>,
    /// How many IPv6 addresses it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_address_count: Option<u32>,
    /// How many further IPv4 addresses it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary_private_ip_address_count: Option<u32>,
}

/// Tags of what is launched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TagSpecification {
    /// `instance`, `volume` or another resource type of EC2.
    pub resource_type: String,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// The instance metadata service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetadataOptions {
    /// Whether version 2 is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_tokens: Option<HttpTokens>,
    /// How many hops an answer goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_put_response_hop_limit: Option<u32>,
    /// Whether it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_endpoint: Option<Switch>,
    /// Whether it answers by IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_protocol_ipv6: Option<Switch>,
    /// Whether it tells the tags of the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_metadata_tags: Option<Switch>,
}

/// Whether version 2 of the instance metadata service is required (`LaunchTemplateHttpTokensState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum HttpTokens {
    /// `optional`.
    #[serde(rename = "optional")]
    Optional,
    /// `required`.
    #[serde(rename = "required")]
    Required,
}

/// Whether a part of the instance metadata service is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Switch {
    /// `enabled`.
    #[serde(rename = "enabled")]
    Enabled,
    /// `disabled`.
    #[serde(rename = "disabled")]
    Disabled,
}
