//! The application document: what a user says about an application, in YAML or JSON.
//!
//! [`ApplicationDocument`] is the document as it was written, with plain text in its fields, so that
//! [`ApplicationDocument::parse`] can report every problem at once. [`Application`] is what it means.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;
use crate::{AccountId, ApplicationName, ClusterName, EnvironmentId, Filter, Problem, Region};

mod check;
mod pattern;

pub use pattern::TargetPattern;

/// The version of the document that this program reads.
pub const FORMAT: u32 = 1;

/// An application as a user writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationDocument {
    /// Always 1.
    pub format: u32,
    /// The application's name.
    pub name: String,
    /// Where the application runs.
    pub primary: PrimaryDocument,
    /// Where it is recovered.
    pub recovery: EnvironmentDocument,
    /// Its clusters by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterDocument>,
    /// Its clusters by tag: every EKS cluster of the primary environment that has all of these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cluster_tags: BTreeMap<String, String>,
    /// The EKS clusters in the recovery environment that clusters found by tag are restored into: a name in
    /// which `{cluster}` stands for that of the found cluster, such as `{cluster}-dr`. Unless given, a restore
    /// has to name its target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_into: Option<String>,
    /// When recovery points are made; every hour unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleDocument>,
    /// Which recovery points are kept.
    #[serde(default)]
    pub retention: Retention,
    /// Which objects are backed up; everything unless given.
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// How it is restored, in the words of restore options (`lifeboat schema options`).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rules: serde_json::Map<String, serde_json::Value>,
}

/// The primary environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrimaryDocument {
    /// The account, 12 digits (in YAML within quotes).
    pub account: String,
    /// The Region.
    pub region: String,
    /// The fingerprint of the key that signs recovery points, `sha256:…`. Where it is left out, the first
    /// key that registers is trusted from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
}

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentDocument {
    /// The account, 12 digits (in YAML within quotes).
    pub account: String,
    /// The Region.
    pub region: String,
}

/// A cluster of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterDocument {
    /// Its name in the application.
    pub name: String,
    /// The name of the EKS cluster in the primary environment; the same unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The EKS cluster in the recovery environment that a restore writes into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_into: Option<String>,
}

/// When recovery points are made: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleDocument {
    /// An interval: `15m`, `1h`, `1d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// Five fields, in UTC: `0 * * * *`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
}

/// Which recovery points are kept: of each period the newest good one, for so many periods. The last
/// good point is kept whatever is said here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Retention {
    /// So many of the newest points.
    pub last: u32,
    /// One point for each of so many hours.
    pub hourly: u32,
    /// One point for each of so many days.
    pub daily: u32,
    /// One point for each of so many weeks.
    pub weekly: u32,
    /// One point for each of so many months.
    pub monthly: u32,
}

impl Default for Retention {
    /// A day of every point, two days by the hour, two weeks by the day, two months by the week, a year by
    /// the month: dense where mistakes are found soon, long enough for those that are found late.
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

/// An application, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// Its name.
    pub name: ApplicationName,
    /// Where it runs.
    pub primary: EnvironmentId,
    /// Where it is recovered.
    pub recovery: EnvironmentId,
    /// The fingerprint of the signing key, where the user gave one.
    pub signing_key: Option<String>,
    /// Its clusters, sorted by name.
    pub clusters: Vec<ClusterSpec>,
    /// The tags by which further clusters are found.
    pub cluster_tags: BTreeMap<String, String>,
    /// What those are restored into.
    pub restore_into: Option<TargetPattern>,
    /// When recovery points are made.
    pub schedule: Schedule,
    /// Which are kept.
    pub retention: Retention,
    /// Which objects are backed up.
    pub filter: Filter,
    /// How it is restored: restore options, read by the planner.
    pub rules: serde_json::Map<String, serde_json::Value>,
}

/// A cluster of an application, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSpec {
    /// Its name in the application.
    pub name: ClusterName,
    /// The EKS cluster in the primary environment.
    pub cluster: ClusterName,
    /// The EKS cluster that a restore writes into.
    pub restore_into: Option<ClusterName>,
}

impl ApplicationDocument {
    /// What the document means.
    ///
    /// # Errors
    /// Every problem at once, each naming its field.
    pub fn parse(&self) -> Result<Application, Vec<Problem>> {
        check::parse(self)
    }

    /// Every problem of the document; none in one that can be used.
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

/// The JSON schema of the document.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(ApplicationDocument).to_value()
}

#[cfg(test)]
mod tests;
