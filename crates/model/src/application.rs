//! The application document: the user's definition of an application, in YAML or JSON.
//!
//! [`ApplicationDocument`] is the document as written, with plain text in its fields, so that
//! [`ApplicationDocument::parse`] can report all problems at once. [`Application`] is the parsed and checked
//! result.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;
use crate::{AccountId, ApplicationName, ClusterName, EnvironmentId, Filter, Problem, Region};

mod check;
mod pattern;
mod shared_stack;

pub use pattern::TargetPattern;
pub use shared_stack::SharedStack;

/// The version of the document that this program reads.
pub const FORMAT: u32 = 1;

/// The application document as written by a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationDocument {
    /// Always 1.
    pub format: u32,
    /// The name of the application.
    pub name: String,
    /// The environment that the application runs in.
    pub primary: PrimaryDocument,
    /// The environment that the application is recovered in.
    pub recovery: EnvironmentDocument,
    /// The clusters of the application, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterDocument>,
    /// The clusters of the application, by tag: every EKS cluster of the primary environment that has all of
    /// these tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cluster_tags: BTreeMap<String, String>,
    /// The name pattern of the EKS clusters in the recovery environment that clusters found by tag are
    /// restored into. `{cluster}` is replaced by the name of the found cluster, as in `{cluster}-dr`. If it
    /// is absent, each restore must name its target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_into: Option<String>,
    /// When recovery points are made; every hour if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleDocument>,
    /// Which recovery points are kept.
    #[serde(default)]
    pub retention: Retention,
    /// Which objects are backed up; all objects if absent.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// The AWS resources that the clusters stand on.
    #[serde(default, skip_serializing_if = "InfrastructureDocument::is_default")]
    pub infrastructure: InfrastructureDocument,
    /// How the application is restored, as restore options (`lifeboat schema options`).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rules: serde_json::Map<String, serde_json::Value>,
}

/// The primary environment in the application document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrimaryDocument {
    /// The AWS account id, 12 digits (quoted in YAML).
    pub account: String,
    /// The AWS Region.
    pub region: String,
    /// The fingerprint of the key that signs recovery points, `sha256:…`. If it is absent, the first key that
    /// registers is pinned and trusted from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
}

/// An environment in the application document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentDocument {
    /// The AWS account id, 12 digits (quoted in YAML).
    pub account: String,
    /// The AWS Region.
    pub region: String,
}

/// A cluster in the application document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterDocument {
    /// The name of the cluster within the application.
    pub name: String,
    /// The name of the EKS cluster in the primary environment; the same as `name` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The EKS cluster in the recovery environment that a restore writes into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_into: Option<String>,
}

/// The AWS resources that the clusters of an application stand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct InfrastructureDocument {
    /// Whether recovery points describe them, so that they can be rebuilt. `lifeboat deploy application` gives the
    /// delegate of the primary environment the permissions to read them.
    pub describe: bool,
    /// Whether a restore builds them first, with CloudFormation, and restores into the clusters that it built. `lifeboat
    /// deploy application` gives the delegate of the recovery environment the permissions.
    pub rebuild: bool,
    /// Whether each recovery point brings the recovery stacks up to date with what costs nothing while nobody uses it:
    /// networks, roles, repositories, file systems. What cannot be built is then known before it is needed. Stacks with
    /// clusters are in use, and are not changed.
    pub standby: bool,
    /// Whether add-ons of EKS are created as add-ons, instead of restoring their objects.
    pub managed_addons: bool,
    /// Whether service accounts get their roles by associations of EKS Pod Identity instead of IRSA, where the trust
    /// policy of the role names the service account. Their annotation is not restored.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub irsa_to_pod_identity: bool,
    /// Whether a cluster gets the nearest Kubernetes version that EKS offers, if EKS no longer offers its own. Without it,
    /// such a cluster is not built.
    pub allow_nearest_version: bool,
    /// Resources of the recovery environment that are used instead of building one: ids of EC2 and EFS, ARNs, and names
    /// of Availability Zones and of SSH key pairs, by those of the primary environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub adopt: BTreeMap<String, String>,
    /// The ARNs of the IAM policies of the recovery account that the built roles may have as permissions boundary, for
    /// example that of a landing zone. The first is that of roles that have none in the primary environment. If there are
    /// none, `lifeboat deploy application` creates one. It limits the delegate of the recovery environment to roles with
    /// one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permissions_boundaries: Vec<String>,
    /// The stacks that use what exists in the recovery environment, such as the VPC of a landing zone, and build only what
    /// is not found there. A resource is found by its tags, else by its name, else by its IPv4 range.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub adopt_existing: BTreeSet<SharedStack>,
    /// The keys of the tags by which resources are found. If it is empty, all tags that you gave to the resource of the
    /// primary environment, besides `Name`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub adopt_tags: BTreeSet<String>,
}

impl Default for InfrastructureDocument {
    fn default() -> Self {
        Self {
            describe: true,
            rebuild: false,
            standby: false,
            managed_addons: false,
            irsa_to_pod_identity: false,
            allow_nearest_version: false,
            adopt: BTreeMap::new(),
            permissions_boundaries: Vec::new(),
            adopt_existing: BTreeSet::new(),
            adopt_tags: BTreeSet::new(),
        }
    }
}

impl InfrastructureDocument {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// When recovery points are made. Exactly one of the two fields is set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleDocument {
    /// An interval, such as `15m`, `1h` or `1d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// A cron expression of five fields, in UTC, such as `0 * * * *`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
}

/// Which recovery points are kept: the newest good one of each period, for the given number of periods. The
/// last good recovery point is always kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retention {
    /// The number of newest recovery points to keep.
    pub last: u32,
    /// The number of hours for which one recovery point each is kept.
    pub hourly: u32,
    /// The number of days for which one recovery point each is kept.
    pub daily: u32,
    /// The number of weeks for which one recovery point each is kept.
    pub weekly: u32,
    /// The number of months for which one recovery point each is kept.
    pub monthly: u32,
}

impl Default for Retention {
    /// Every recovery point for a day, then one per hour for two days, one per day for two weeks, one per
    /// week for two months and one per month for a year. Recent recovery points are dense because most
    /// mistakes are found soon; the monthly ones are for mistakes that are found late.
    fn default() -> Self {
        Self {
            last: 24,
            hourly: 48,
            daily: 14,
            weekly: 8,
            monthly: 12,
        }
    }
}

/// An application, parsed and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// The name of the application.
    pub name: ApplicationName,
    /// The environment that the application runs in.
    pub primary: EnvironmentId,
    /// The environment that the application is recovered in.
    pub recovery: EnvironmentId,
    /// The fingerprint of the signing key, if the document gives one.
    pub signing_key: Option<String>,
    /// The clusters that the document lists, sorted by name.
    pub clusters: Vec<ClusterSpec>,
    /// The tags by which further clusters are found.
    pub cluster_tags: BTreeMap<String, String>,
    /// The name pattern of the clusters that clusters found by tag are restored into.
    pub restore_into: Option<TargetPattern>,
    /// When recovery points are made.
    pub schedule: Schedule,
    /// Which recovery points are kept.
    pub retention: Retention,
    /// Which objects are backed up.
    pub filter: Filter,
    /// The AWS resources that the clusters stand on.
    pub infrastructure: InfrastructureDocument,
    /// How the application is restored: restore options, parsed by the planner.
    pub rules: serde_json::Map<String, serde_json::Value>,
}

/// A cluster of an application, parsed and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSpec {
    /// The name of the cluster within the application.
    pub name: ClusterName,
    /// The EKS cluster in the primary environment.
    pub cluster: ClusterName,
    /// The EKS cluster in the recovery environment that a restore writes into.
    pub restore_into: Option<ClusterName>,
}

impl ApplicationDocument {
    /// Parses and checks the document.
    ///
    /// # Errors
    /// All problems of the document, each with the path of its field.
    pub fn parse(&self) -> Result<Application, Vec<Problem>> {
        check::parse(self)
    }

    /// Returns all problems of the document; empty if it is valid.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        self.parse().err().unwrap_or_default()
    }
}

/// Parses an account and a Region of a document.
fn environment(account: &str, region: &str) -> (Result<AccountId, String>, Result<Region, String>) {
    (
        AccountId::parse(account).map_err(|e| e.to_string()),
        Region::parse(region).map_err(|e| e.to_string()),
    )
}

/// Returns the JSON schema of the document.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(ApplicationDocument).to_value()
}

#[cfg(test)]
mod tests;
