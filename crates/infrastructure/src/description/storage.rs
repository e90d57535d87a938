//! ECR repositories, EFS file systems and KMS keys
//! (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Repository.html>,
//! <https://docs.aws.amazon.com/efs/latest/ug/API_FileSystemDescription.html>,
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html>).

use std::fmt;

use lifeboat_model::{AccountId, Region};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PolicyDocument, Tags};
use crate::mentions::EcrImage;

/// An ECR repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repository {
    /// The name.
    pub repository_name: String,
    /// The ARN.
    pub repository_arn: String,
    /// Whether tags can be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tag_mutability: Option<ImageTagMutability>,
    /// Tags for which the opposite holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_tag_mutability_exclusion_filters: Vec<MutabilityExclusion>,
    /// Whether images are scanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_scanning_configuration: Option<ImageScanning>,
    /// The encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_configuration: Option<RepositoryEncryption>,
    /// The policy of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyDocument>,
    /// Which images expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_policy: Option<PolicyDocument>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// The configuration of the private registry (`DescribeRegistry`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registry {
    /// The rules by which images are replicated when they are pushed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replication_rules: Vec<ReplicationRule>,
}

/// A rule of the replication of a registry (`ReplicationRule`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicationRule {
    /// Where images are replicated to.
    pub destinations: Vec<RegistryDestination>,
    /// The repositories that are replicated; all of them if there is no filter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repository_filters: Vec<RepositoryFilter>,
}

/// A registry that images are replicated to (`ReplicationDestination`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryDestination {
    /// The Region.
    pub region: String,
    /// The account.
    pub registry_id: String,
}

/// Repositories that a rule of replication applies to (`RepositoryFilter`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepositoryFilter {
    /// What the names of the repositories begin with.
    pub filter: String,
    /// The type.
    pub filter_type: RepositoryFilterType,
}

/// The type of a filter of repositories (`RepositoryFilterType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum RepositoryFilterType {
    /// `PREFIX_MATCH`.
    #[serde(rename = "PREFIX_MATCH")]
    PrefixMatch,
}

impl Registry {
    /// Whether images of a repository are replicated to the registry of an account in a Region.
    #[must_use]
    pub fn replicates(&self, repository: &str, account: &AccountId, region: &Region) -> bool {
        self.replication_rules.iter().any(|rule| {
            let is_destination =
                |to: &RegistryDestination| to.region == region.as_str() && to.registry_id == account.as_str();
            let mut filters = rule.repository_filters.iter();
            let is_filtered = rule.repository_filters.is_empty()
                || filters.any(|filter| repository.starts_with(&filter.filter));
            rule.destinations.iter().any(is_destination) && is_filtered
        })
    }
}

/// An image of the private registry that objects of the clusters name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// The name of the repository.
    pub repository_name: String,
    /// The digest, with `sha256:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// The tag, if there is no digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tag: Option<String>,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository_name)?;
        match (&self.image_digest, &self.image_tag) {
            (Some(digest), _) => write!(f, "@{digest}"),
            (None, Some(tag)) => write!(f, ":{tag}"),
            (None, None) => Ok(()),
        }
    }
}

impl From<EcrImage> for Image {
    /// What a container runtime resolves: the digest, else the tag, else `latest`.
    fn from(image: EcrImage) -> Self {
        let tag = image.tag.or_else(|| Some("latest".to_owned()));
        Self {
            repository_name: image.repository,
            image_tag: tag.filter(|_| image.digest.is_none()),
            image_digest: image.digest,
        }
    }
}

/// Whether tags can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ImageTagMutability {
    /// `MUTABLE`.
    #[serde(rename = "MUTABLE")]
    Mutable,
    /// `IMMUTABLE`.
    #[serde(rename = "IMMUTABLE")]
    Immutable,
    /// `MUTABLE_WITH_EXCLUSION`.
    #[serde(rename = "MUTABLE_WITH_EXCLUSION")]
    MutableWithExclusion,
    /// `IMMUTABLE_WITH_EXCLUSION`.
    #[serde(rename = "IMMUTABLE_WITH_EXCLUSION")]
    ImmutableWithExclusion,
}

/// Tags for which the opposite holds (`ImageTagMutabilityExclusionFilter`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MutabilityExclusion {
    /// `WILDCARD`.
    pub filter_type: String,
    /// The tags, with wildcards.
    pub filter: String,
}

/// Whether images are scanned (`ImageScanningConfiguration`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageScanning {
    /// Whether each is scanned when it is pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_on_push: Option<bool>,
}

/// The encryption of a repository (`EncryptionConfiguration`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepositoryEncryption {
    /// The type.
    pub encryption_type: RepositoryEncryptionType,
    /// The ARN of the KMS key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// The type of encryption of a repository (`EncryptionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum RepositoryEncryptionType {
    /// `AES256`.
    #[serde(rename = "AES256")]
    Aes256,
    /// `KMS`.
    #[serde(rename = "KMS")]
    Kms,
    /// `KMS_DSSE`.
    #[serde(rename = "KMS_DSSE")]
    KmsDsse,
}

/// An EFS file system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileSystem {
    /// The id.
    pub file_system_id: String,
    /// The ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_system_arn: Option<String>,
    /// The performance mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performance_mode: Option<PerformanceMode>,
    /// The throughput mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput_mode: Option<ThroughputMode>,
    /// The throughput in MiB/s, if it is provisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned_throughput_in_mibps: Option<f64>,
    /// Whether it is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// The ARN of the KMS key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// The zone of a One Zone file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone_name: Option<String>,
    /// The policy of the file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyDocument>,
    /// When files go to other storage classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifecycle_policies: Vec<FileSystemLifecycle>,
    /// Whether AWS Backup copies it (`BackupPolicy`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
    /// Where EFS replicates it to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replication_destinations: Vec<ReplicationDestination>,
    /// The access points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_points: Vec<AccessPoint>,
    /// The mount targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mount_targets: Vec<MountTarget>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// The performance mode of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum PerformanceMode {
    /// `generalPurpose`.
    #[serde(rename = "generalPurpose")]
    GeneralPurpose,
    /// `maxIO`.
    #[serde(rename = "maxIO")]
    MaxIo,
}

/// The throughput mode of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ThroughputMode {
    /// `bursting`.
    #[serde(rename = "bursting")]
    Bursting,
    /// `provisioned`.
    #[serde(rename = "provisioned")]
    Provisioned,
    /// `elastic`.
    #[serde(rename = "elastic")]
    Elastic,
}

/// When files go to another storage class (`LifecyclePolicy`). Each object has one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileSystemLifecycle {
    /// To Infrequent Access, such as `AFTER_30_DAYS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "transitionToIA")]
    pub transition_to_ia: Option<String>,
    /// To Archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition_to_archive: Option<String>,
    /// Back: `AFTER_1_ACCESS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition_to_primary_storage_class: Option<String>,
}

/// A file system that EFS replicates another one to (`Destination`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicationDestination {
    /// The id.
    pub file_system_id: String,
    /// The Region.
    pub region: String,
    /// The account, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Whether data is copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ReplicationStatus>,
}

/// Whether data is copied to the destination of a replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ReplicationStatus {
    /// `ENABLED`.
    #[serde(rename = "ENABLED")]
    Enabled,
    /// `ENABLING`.
    #[serde(rename = "ENABLING")]
    Enabling,
    /// `DELETING`.
    #[serde(rename = "DELETING")]
    Deleting,
    /// `ERROR`.
    #[serde(rename = "ERROR")]
    Error,
    /// `PAUSED`.
    #[serde(rename = "PAUSED")]
    Paused,
    /// `PAUSING`.
    #[serde(rename = "PAUSING")]
    Pausing,
}

/// An EFS access point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessPoint {
    /// The id.
    pub access_point_id: String,
    /// The user of every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posix_user: Option<PosixUser>,
    /// The directory that clients see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_directory: Option<RootDirectory>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// A user of a file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PosixUser {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Further groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secondary_gids: Vec<u32>,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RootDirectory {
    /// The path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How it is made, if it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_info: Option<CreationInfo>,
}

/// How a directory is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreationInfo {
    /// Its owner.
    pub owner_uid: u32,
    /// Its group.
    pub owner_gid: u32,
    /// Its permissions, octal.
    pub permissions: String,
}

/// A mount target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MountTarget {
    /// The id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_target_id: Option<String>,
    /// The subnet.
    pub subnet_id: String,
    /// The security groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<String>,
}

/// A KMS key that something uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    /// The id.
    pub key_id: String,
    /// The ARN.
    pub arn: String,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who manages it.
    pub key_manager: KeyManager,
    /// Whether it is a multi-Region key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_region: Option<bool>,
    /// Whether its material is rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_key_rotation: Option<bool>,
    /// The aliases, with `alias/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The key policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyDocument>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// Who manages a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum KeyManager {
    /// `AWS`: a key of a service, such as `aws/ebs`, which each account has in each Region.
    #[serde(rename = "AWS")]
    Aws,
    /// `CUSTOMER`.
    #[serde(rename = "CUSTOMER")]
    Customer,
}
