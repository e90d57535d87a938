//! Counterparts: what exists in the recovery environment and takes the place of a resource of the primary, instead of
//! one that a stack builds.
//!
//! A [`Candidate`] is a resource that exists there. [`MatchRule`] are the rules by which a candidate is found to be a
//! counterpart, in the order in which they are tried.

use std::collections::BTreeSet;

use lifeboat_model::SharedStack;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::description::Tags;

/// A resource that exists in the recovery environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Candidate {
    /// Its type.
    pub kind: CandidateKind,
    /// The identifier by which a template and an object name it: the id of a resource of EC2 or EFS, else the ARN.
    pub id: String,
    /// The name: of a group, role, policy, repository or target group, the alias of a key with `alias/`, else the tag
    /// `Name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The first IPv4 range of a VPC, or that of a subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// The id of the Availability Zone of a subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_id: Option<String>,
    /// Whether a subnet has a route to an internet gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
    /// The identifier of what it belongs to: the VPC of a subnet, security group or target group, the file system of an
    /// access point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The domain names of a certificate.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub domains: BTreeSet<String>,
}

impl Candidate {
    /// Creates a candidate of which nothing else is known.
    #[must_use]
    pub fn new(kind: CandidateKind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            name: None,
            tags: Tags::new(),
            cidr: None,
            zone_id: None,
            public: None,
            parent: None,
            domains: BTreeSet::new(),
        }
    }
}

/// The type of a candidate, in the order in which counterparts are found: what belongs to another comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CandidateKind {
    /// A VPC.
    Vpc,
    /// A subnet.
    Subnet,
    /// A security group.
    SecurityGroup,
    /// An IAM role.
    Role,
    /// A customer managed policy.
    Policy,
    /// An instance profile.
    InstanceProfile,
    /// A KMS key.
    Key,
    /// An ECR repository.
    Repository,
    /// An EFS file system.
    FileSystem,
    /// An access point of an EFS file system.
    AccessPoint,
    /// A certificate of ACM.
    Certificate,
    /// A target group of Elastic Load Balancing.
    TargetGroup,
    /// A web ACL of AWS WAF.
    WebAcl,
    /// An S3 bucket.
    Bucket,
}

impl CandidateKind {
    /// Returns the stack that builds resources of this type; `None` if no stack does, so that only a counterpart can take
    /// their place.
    #[must_use]
    pub fn stack(self) -> Option<SharedStack> {
        match self {
            Self::Vpc | Self::Subnet | Self::SecurityGroup => Some(SharedStack::Network),
            Self::Role | Self::Policy | Self::InstanceProfile => Some(SharedStack::Identity),
            Self::Key | Self::Repository | Self::FileSystem | Self::AccessPoint => Some(SharedStack::Storage),
            Self::Certificate | Self::TargetGroup | Self::WebAcl | Self::Bucket => None,
        }
    }
}

/// The rule by which a counterpart is found, in the order in which they are tried.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum MatchRule {
    /// The user has mapped it.
    #[default]
    Mapping,
    /// It has the tags that the user gave to the resource of the primary.
    Tags,
    /// It has the same name.
    Name,
    /// It has the same IPv4 range; of a subnet also: the same position among the public or private subnets of its VPC, by
    /// Availability Zone.
    Cidr,
    /// It has the same domain names.
    Domain,
}
