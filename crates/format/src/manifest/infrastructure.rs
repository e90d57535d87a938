//! The AWS resources that the clusters of a recovery point stand on.

use jiff::Timestamp;
use lifeboat_model::{AccountId, Region};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PackRecord;

/// The folder of the descriptions in a recovery point. It is no name of a cluster, because those begin with a letter or
/// a digit.
pub const INFRASTRUCTURE: &str = "_infrastructure";

/// The AWS resources that the clusters stand on. The descriptions themselves are in the pack, encrypted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InfrastructureRecord {
    /// The account that was read.
    pub account: AccountId,
    /// The Region that was read.
    pub region: Region,
    /// The time of the description.
    #[schemars(with = "String")]
    pub described_at: Timestamp,
    /// The resources that are described, sorted by type and id.
    pub resources: Vec<ResourceRecord>,
    /// What could not be read, sorted. It makes the recovery point partial.
    pub missing: Vec<UnreadRecord>,
    /// What the clusters name and AWS does not have, sorted.
    pub absent: Vec<UnreadRecord>,
    /// The file with the descriptions; absent if nothing could be read.
    pub pack: Option<PackRecord>,
}

/// An AWS resource that is described.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRecord {
    /// The type as CloudFormation names it, such as `AWS::IAM::Role`.
    pub r#type: String,
    /// The ARN, or the id of a resource of EC2.
    pub id: String,
}

/// An AWS resource that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnreadRecord {
    /// The ARN or id of the resource, or the type as CloudFormation names it.
    pub resource: String,
    /// The call, such as `iam:GetRole`.
    pub call: String,
    /// The error code of the service, such as `AccessDenied`.
    pub code: String,
}

impl InfrastructureRecord {
    /// Makes order without meaning canonical.
    pub(super) fn sort(&mut self) {
        self.resources.sort();
        self.resources.dedup();
        for list in [&mut self.missing, &mut self.absent] {
            list.sort();
            list.dedup();
        }
    }
}
