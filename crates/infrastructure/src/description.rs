//! The descriptions of the AWS resources that an application stands on, as a recovery point holds them.
//!
//! [`Descriptions`] is the document `lifeboat.dev/aws-descriptions/v1`. Fields are named as in the API of each service,
//! in camelCase; enumerations have the spellings of the API. Lists that the API returns by a call of their own (the
//! rules of a group, the policies of a role) are part of what they belong to. Identifiers are kept as AWS returned
//! them: a recovery must be able to read every description, and checks each before it is used.
//!
//! User data, policies and the configuration of add-ons may hold secrets: [`Hidden`] keeps them out of every log.

use std::collections::BTreeMap;
use std::fmt;

use lifeboat_model::{AccountId, Region};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod access;
pub mod cluster;
pub mod data;
pub mod filters;
pub mod iam;
pub mod launch_template;
pub mod load_balancing;
pub mod network;
pub mod nodes;
mod resources;
pub mod security_group;
pub mod storage;

use cluster::Cluster;
use data::{Bucket, Secret, Snapshot, Volume};
use filters::Filters;
use iam::{InstanceProfile, ManagedPolicy, OidcProvider, Role};
use launch_template::LaunchTemplate;
use load_balancing::{Certificate, TargetGroup, WebAcl};
pub use resources::Resource;

use network::{
    EgressOnlyInternetGateway, InternetGateway, NatGateway, NetworkAcl, PrefixList, RouteTable, Subnet, Vpc,
    VpcEndpoint,
};
use security_group::SecurityGroup;
use storage::{FileSystem, Image, Key, Registry, Repository};

/// Tags by their keys.
pub type Tags = BTreeMap<String, String>;

/// A policy, as JSON.
pub type PolicyDocument = Hidden<Value>;

/// A value that may hold secrets: `Debug` does not print it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Hidden<T>(pub T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The AWS resources that an application stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Descriptions {
    /// Always `lifeboat.dev/aws-descriptions/v1`.
    pub format: String,
    /// The account of the primary environment.
    pub account: AccountId,
    /// The Region of the primary environment.
    pub region: Region,
    /// The EKS clusters with what belongs to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<Cluster>,
    /// The launch templates of node groups, each in the versions in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launch_templates: Vec<LaunchTemplate>,
    /// The VPCs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vpcs: Vec<Vpc>,
    /// The subnets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<Subnet>,
    /// The route tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route_tables: Vec<RouteTable>,
    /// The internet gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub internet_gateways: Vec<InternetGateway>,
    /// The egress-only internet gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress_only_internet_gateways: Vec<EgressOnlyInternetGateway>,
    /// The NAT gateways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nat_gateways: Vec<NatGateway>,
    /// The network ACLs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_acls: Vec<NetworkAcl>,
    /// The security groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<SecurityGroup>,
    /// The VPC endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vpc_endpoints: Vec<VpcEndpoint>,
    /// The prefix lists that routes and rules name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefix_lists: Vec<PrefixList>,
    /// What objects select subnets by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnet_filters: Vec<Filters>,
    /// What objects select security groups by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_group_filters: Vec<Filters>,
    /// The IAM roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// The customer managed policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<ManagedPolicy>,
    /// The instance profiles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_profiles: Vec<InstanceProfile>,
    /// The OIDC providers of IAM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oidc_providers: Vec<OidcProvider>,
    /// The ECR repositories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<Repository>,
    /// The configuration of the registry, if the application has images in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
    /// The images in the registry that objects of the clusters name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// The EFS file systems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_systems: Vec<FileSystem>,
    /// The KMS keys that others use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// The certificates of ACM that objects name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// The target groups that objects name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_groups: Vec<TargetGroup>,
    /// The web ACLs that objects name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub web_acls: Vec<WebAcl>,
    /// The EBS volumes that objects name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// The EBS snapshots that objects name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Snapshot>,
    /// The S3 buckets that objects name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<Bucket>,
    /// The secrets that objects name by their ARNs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// What could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// A resource, or all resources of a type, that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Missing {
    /// The ARN or id of the resource, or the type as CloudFormation names it, such as `AWS::IAM::Role`.
    pub resource: String,
    /// The call, such as `iam:GetRole`.
    pub call: String,
    /// The error code of the service, such as `AccessDenied`.
    pub code: String,
}

impl Descriptions {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/aws-descriptions/v1";

    /// Creates descriptions of an environment in which nothing was found.
    #[must_use]
    pub fn new(account: AccountId, region: Region) -> Self {
        Self {
            format: Self::FORMAT.to_owned(),
            account,
            region,
            clusters: Vec::new(),
            launch_templates: Vec::new(),
            vpcs: Vec::new(),
            subnets: Vec::new(),
            route_tables: Vec::new(),
            internet_gateways: Vec::new(),
            egress_only_internet_gateways: Vec::new(),
            nat_gateways: Vec::new(),
            network_acls: Vec::new(),
            security_groups: Vec::new(),
            vpc_endpoints: Vec::new(),
            prefix_lists: Vec::new(),
            subnet_filters: Vec::new(),
            security_group_filters: Vec::new(),
            roles: Vec::new(),
            policies: Vec::new(),
            instance_profiles: Vec::new(),
            oidc_providers: Vec::new(),
            repositories: Vec::new(),
            registry: None,
            images: Vec::new(),
            file_systems: Vec::new(),
            keys: Vec::new(),
            certificates: Vec::new(),
            target_groups: Vec::new(),
            web_acls: Vec::new(),
            volumes: Vec::new(),
            snapshots: Vec::new(),
            buckets: Vec::new(),
            secrets: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Reads the document.
    ///
    /// # Errors
    /// [`InvalidDescriptions`] if the bytes are not a document of this version.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidDescriptions> {
        let descriptions: Self = serde_json::from_slice(bytes).map_err(InvalidDescriptions::Json)?;
        if descriptions.format == Self::FORMAT {
            Ok(descriptions)
        } else {
            Err(InvalidDescriptions::Format(descriptions.format))
        }
    }
}

/// Why a document is not one of descriptions.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDescriptions {
    /// It is not JSON of this form.
    #[error("read the descriptions of AWS resources")]
    Json(#[source] serde_json::Error),
    /// It has another version.
    #[error("read the descriptions of AWS resources of the format {0:?}")]
    Format(String),
}

/// Returns the JSON schema of the document.
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(Descriptions).to_value()
}

#[cfg(test)]
mod tests;
