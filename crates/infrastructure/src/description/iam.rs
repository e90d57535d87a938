//! Roles, customer managed policies, instance profiles and OIDC providers, as IAM returns them
//! (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html>).

use std::collections::BTreeMap;

pub use lifeboat_translate::identity::permission_set;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PolicyDocument, Tags};

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// The name.
    pub role_name: String,
    /// The path.
    pub path: String,
    /// The ARN.
    pub arn: String,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The trust policy.
    pub assume_role_policy_document: PolicyDocument,
    /// The longest session, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_session_duration: Option<u32>,
    /// The ARN of the permissions boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    /// The ARNs of the managed policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached_policies: Vec<String>,
    /// The inline policies, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inline_policies: BTreeMap<String, PolicyDocument>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

impl Role {
    /// Whether AWS makes the role and nobody else can: service-linked roles, and those of IAM Identity Center
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.path.starts_with("/aws-service-role/") || self.path.starts_with("/aws-reserved/")
    }

    /// Returns the permission set for which IAM Identity Center has made the role.
    #[must_use]
    pub fn permission_set(&self) -> Option<&str> {
        let name = permission_set(&self.role_name);
        name.filter(|_| self.path.starts_with("/aws-reserved/"))
    }
}

/// A customer managed policy, in its default version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagedPolicy {
    /// The name.
    pub policy_name: String,
    /// The path.
    pub path: String,
    /// The ARN.
    pub arn: String,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The policy.
    pub document: PolicyDocument,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// An instance profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceProfile {
    /// The name.
    pub instance_profile_name: String,
    /// The path.
    pub path: String,
    /// The ARN.
    pub arn: String,
    /// The name of its role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// An OIDC provider of IAM (`GetOpenIDConnectProvider`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcProvider {
    /// The ARN.
    pub arn: String,
    /// The URL of the issuer, without scheme as IAM returns it.
    pub url: String,
    /// The audiences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_id_list: Vec<String>,
    /// The thumbprints of certificate authorities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thumbprint_list: Vec<String>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}
