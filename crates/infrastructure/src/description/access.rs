//! Who is let into a cluster, and which roles its Pods get
//! (<https://docs.aws.amazon.com/eks/latest/APIReference/API_AccessEntry.html>).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Hidden, Tags};

/// A principal of IAM that is let into a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessEntry {
    /// The ARN of the role or user.
    pub principal_arn: String,
    /// The groups of Kubernetes that it gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kubernetes_groups: Vec<String>,
    /// The user of Kubernetes that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What it is for.
    pub r#type: AccessEntryType,
    /// The access policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_policies: Vec<AssociatedAccessPolicy>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// What an access entry is for (`CreateAccessEntry`, parameter `type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AccessEntryType {
    /// `STANDARD`.
    #[serde(rename = "STANDARD")]
    Standard,
    /// `EC2_LINUX`.
    #[serde(rename = "EC2_LINUX")]
    Ec2Linux,
    /// `EC2_WINDOWS`.
    #[serde(rename = "EC2_WINDOWS")]
    Ec2Windows,
    /// `EC2`: nodes of Auto Mode.
    #[serde(rename = "EC2")]
    Ec2,
    /// `FARGATE_LINUX`.
    #[serde(rename = "FARGATE_LINUX")]
    FargateLinux,
    /// `HYBRID_LINUX`.
    #[serde(rename = "HYBRID_LINUX")]
    HybridLinux,
    /// `HYPERPOD_LINUX`.
    #[serde(rename = "HYPERPOD_LINUX")]
    HyperpodLinux,
}

/// An access policy of an access entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssociatedAccessPolicy {
    /// The ARN of the policy.
    pub policy_arn: String,
    /// Where it holds.
    pub access_scope: AccessScope,
}

/// Where an access policy holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessScope {
    /// In the cluster or in namespaces.
    pub r#type: AccessScopeType,
    /// The namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
}

/// Where an access policy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AccessScopeType {
    /// `cluster`.
    #[serde(rename = "cluster")]
    Cluster,
    /// `namespace`.
    #[serde(rename = "namespace")]
    Namespace,
}

/// The role of the Pods of a service account
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_PodIdentityAssociation.html>).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodIdentityAssociation {
    /// The ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association_arn: Option<String>,
    /// The id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association_id: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The service account.
    pub service_account: String,
    /// The ARN of the role.
    pub role_arn: String,
    /// The ARN of the add-on that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_arn: Option<String>,
    /// Whether the session has no tags of the Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_session_tags: Option<bool>,
    /// The ARN of a role that the role assumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_role_arn: Option<String>,
    /// A session policy, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Hidden<String>>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// An OIDC identity provider whose users are let in (`OidcIdentityProviderConfig`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityProviderConfig {
    /// The name.
    pub identity_provider_config_name: String,
    /// The URL of the provider.
    pub issuer_url: String,
    /// The audience.
    pub client_id: String,
    /// The claim that is the name of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_claim: Option<String>,
    /// What is before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_prefix: Option<String>,
    /// The claim that holds the groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// What is before each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_prefix: Option<String>,
    /// Claims that tokens must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub required_claims: BTreeMap<String, String>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}
