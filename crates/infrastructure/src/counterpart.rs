//! Counterparts: what exists in the recovery environment and takes the place of a resource of the primary, instead of
//! one that a stack builds.
//!
//! A [`Candidate`] is a resource that exists there. [`MatchRule`] are the rules by which a candidate is found to be a
//! counterpart, in the order in which they are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lifeboat_model::{Arn, SharedStack};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bindings::{Bindings, replicas};
use crate::description::storage::{AccessPoint, PosixUser};
use crate::description::{Descriptions, Tags};
use crate::facts::{Adoption, RecoveryFacts};
use crate::finding::Findings;

pub(crate) mod matching;
mod sought;
mod subnets;

/// A resource that exists in the recovery environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Candidate {
    /// Its type.
    pub kind: CandidateKind,
    /// The identifier by which a template and an object name it: the id of a resource of EC2 or EFS, else the ARN.
    pub id: String,
    /// The name: of a group, role, policy, repository, target group or web ACL, the alias of a key with `alias/`, the
    /// permission set of a role of IAM Identity Center, else the tag `Name`.
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
    /// What clients of an access point see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
}

/// What clients of an EFS access point see of its file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Access {
    /// The directory that is their root.
    pub path: String,
    /// The user of every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posix_user: Option<PosixUser>,
}

impl Access {
    /// Returns what clients of an access point see. Without a directory it is `/`
    /// (<https://docs.aws.amazon.com/efs/latest/ug/API_CreateAccessPoint.html>). The order of further groups has no
    /// meaning.
    #[must_use]
    pub fn of(point: &AccessPoint) -> Self {
        let root = point.root_directory.as_ref();
        let mut posix_user = point.posix_user.clone();
        if let Some(user) = &mut posix_user {
            user.secondary_gids.sort_unstable();
        }
        Self {
            path: root
                .and_then(|root| root.path.clone())
                .unwrap_or_else(|| "/".to_owned()),
            posix_user,
        }
    }
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
            access: None,
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
    /// A mount target of an EFS file system. It is nothing's counterpart; a zone that has one gets no other.
    MountTarget,
    /// A certificate of ACM.
    Certificate,
    /// A target group of Elastic Load Balancing.
    TargetGroup,
    /// A web ACL of AWS WAF.
    WebAcl,
    /// An S3 bucket.
    Bucket,
    /// A role that IAM Identity Center makes for a permission set.
    PermissionSetRole,
}

impl CandidateKind {
    /// Returns the stack that builds resources of this type; `None` if no stack does, so that only a counterpart can take
    /// their place.
    #[must_use]
    pub fn stack(self) -> Option<SharedStack> {
        match self {
            Self::Vpc | Self::Subnet | Self::SecurityGroup => Some(SharedStack::Network),
            Self::Role | Self::Policy | Self::InstanceProfile => Some(SharedStack::Identity),
            Self::Key | Self::Repository | Self::FileSystem | Self::AccessPoint | Self::MountTarget => {
                Some(SharedStack::Storage)
            }
            Self::Certificate | Self::TargetGroup | Self::WebAcl | Self::Bucket | Self::PermissionSetRole => {
                None
            }
        }
    }

    /// Returns the type as CloudFormation names it.
    #[must_use]
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Vpc => "AWS::EC2::VPC",
            Self::Subnet => "AWS::EC2::Subnet",
            Self::SecurityGroup => "AWS::EC2::SecurityGroup",
            Self::Role | Self::PermissionSetRole => "AWS::IAM::Role",
            Self::Policy => "AWS::IAM::ManagedPolicy",
            Self::InstanceProfile => "AWS::IAM::InstanceProfile",
            Self::Key => "AWS::KMS::Key",
            Self::Repository => "AWS::ECR::Repository",
            Self::FileSystem => "AWS::EFS::FileSystem",
            Self::AccessPoint => "AWS::EFS::AccessPoint",
            Self::MountTarget => "AWS::EFS::MountTarget",
            Self::Certificate => "AWS::CertificateManager::Certificate",
            Self::TargetGroup => "AWS::ElasticLoadBalancingV2::TargetGroup",
            Self::WebAcl => "AWS::WAFv2::WebACL",
            Self::Bucket => "AWS::S3::Bucket",
        }
    }

    /// Whether no two resources of this type have one name, in their account and Region or in their VPC.
    pub(crate) fn has_unique_names(self) -> bool {
        !matches!(
            self,
            Self::Vpc
                | Self::Subnet
                | Self::FileSystem
                | Self::AccessPoint
                | Self::MountTarget
                | Self::Certificate
                | Self::PermissionSetRole
        )
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
    /// EFS replicates the file system of the primary to it.
    Replication,
    /// It has the tags that the user gave to the resource of the primary.
    Tags,
    /// It has the same name.
    Name,
    /// It has the same IPv4 range; of a subnet also: the same position among the public or private subnets of its VPC, by
    /// Availability Zone.
    Cidr,
    /// It has the same domain names.
    Domain,
    /// An access point has the same root directory and POSIX user.
    Path,
}

impl MatchRule {
    /// Returns the name, as it stands in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mapping => "mapping",
            Self::Replication => "replication",
            Self::Tags => "tags",
            Self::Name => "name",
            Self::Cidr => "cidr",
            Self::Domain => "domain",
            Self::Path => "path",
        }
    }
}

impl fmt::Display for MatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns the names that the counterparts of a type can have, by the identifiers of the primary. Where both environments
/// share an account, names of IAM have a suffix.
#[must_use]
pub fn names<'a>(
    descriptions: &'a Descriptions,
    facts: &RecoveryFacts,
    kind: CandidateKind,
) -> BTreeMap<&'a str, BTreeSet<String>> {
    let all = sought::sought(descriptions, facts).into_iter();
    let of_type = all.filter(|one| one.kind == kind);
    of_type.map(|one| (one.from, one.names)).collect()
}

/// Returns what is adopted, mapped or found, by the stack that would build it; `None` is what no stack builds.
#[must_use]
pub fn adoptions(
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
) -> BTreeMap<Option<SharedStack>, Vec<Adoption>> {
    let bindings = Bindings::new(descriptions, facts, &mut Findings::default());
    let mut all: BTreeMap<Option<SharedStack>, Vec<Adoption>> = BTreeMap::new();
    for adoption in &facts.adopted {
        let stack = stack_of(&adoption.from, descriptions);
        all.entry(stack).or_default().push(adoption.clone());
    }
    for found in &bindings.matches.found {
        all.entry(found.kind.stack()).or_default().push(Adoption {
            from: found.from.to_owned(),
            to: found.to.to_owned(),
            rule: found.rule,
        });
    }
    for (from, to) in replicas(descriptions, facts) {
        if bindings.adopted.get(from) == Some(&to) && !facts.adopted.iter().any(|one| one.from == from) {
            all.entry(Some(SharedStack::Storage)).or_default().push(Adoption {
                from: from.to_owned(),
                to: to.to_owned(),
                rule: MatchRule::Replication,
            });
        }
    }
    for list in all.values_mut() {
        list.sort();
        list.dedup();
    }
    all
}

/// Returns the stack that would build a resource that is mapped: those of EC2 and zones are part of networks.
fn stack_of(from: &str, descriptions: &Descriptions) -> Option<SharedStack> {
    let service = Arn::parse(from).map(|arn| arn.service().to_owned());
    let is_key = descriptions.keys.iter().any(|key| key.key_id == from);
    match service.as_deref() {
        Ok("iam") => Some(SharedStack::Identity),
        Ok("ecr" | "elasticfilesystem" | "kms") => Some(SharedStack::Storage),
        Ok(_) => None,
        Err(_) if is_key || from.starts_with("fs-") || from.starts_with("fsap-") => {
            Some(SharedStack::Storage)
        }
        Err(_) => Some(SharedStack::Network),
    }
}
