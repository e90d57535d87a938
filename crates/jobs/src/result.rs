//! How a job ended.

use jiff::Timestamp;
use lifeboat_format::Sha256;
use lifeboat_format::manifest::Completeness;
use lifeboat_model::{Alternative, Arn, ClusterName, EnvironmentId, Epoch, JobId, Problem};
use lifeboat_recovery_point::cursor::{CapturedCluster, TypeCounts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::work::ClusterTarget;

/// How a job ended. Written by the delegate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobResult {
    /// Always [`super::FORMAT`].
    pub format: u32,
    /// The job.
    pub job: JobId,
    /// The epoch that ended it.
    pub epoch: Epoch,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// What was found about access to each cluster that the job touched.
    #[serde(default)]
    pub access: Vec<AccessReport>,
    /// The environment of the delegate.
    pub environment: EnvironmentId,
    /// The delegate's function.
    pub delegate: Arn,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Outcome {
    /// It is done.
    Done(Done),
    /// It could not be done.
    Failed {
        /// Why.
        problems: Vec<Problem>,
        /// Whether a retry can succeed without a change by the user.
        retry: bool,
    },
    /// It was cancelled before it was done.
    Cancelled {},
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Done {
    /// Clusters were captured.
    Capture(CaptureDone),
    /// A point was sealed.
    Seal(Sealed),
    /// A cluster was restored.
    Restore(RestoreDone),
    /// Access was checked; the reports stand beside.
    Check {
        /// The clusters that have the tags that were asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        found: Vec<ClusterTarget>,
        /// Why clusters could not be looked for by their tags. Those that were found before still count.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<AccessFinding>,
    },
}

/// A capture that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureDone {
    /// The sealed point, where the capture was to seal it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// What the manifest has to say about the clusters, where another job seals the point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<CapturedCluster>,
    /// How much there is to capture, where that is too much for one job: nothing was captured then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<TypeCounts>,
}

/// A point that lies sealed in the captures of a scratch bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sealed {
    /// The digest of its `manifest.json`.
    pub manifest: Sha256,
    /// Whether everything that was asked for is in it.
    pub completeness: Completeness,
    /// How many objects it holds.
    pub objects: u64,
    /// The size of its files.
    pub bytes: u64,
}

/// A restore that came to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreDone {
    /// Whether the cluster matches the plan.
    pub matches_plan: bool,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// How many objects were restored.
    pub restored: u64,
    /// How many were not, each with its reason in the report.
    pub not_restored: u64,
    /// The key of the whole report in the scratch bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
}

/// What a delegate found about its access to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessReport {
    /// The cluster's name in the application.
    pub cluster: ClusterName,
    /// The EKS cluster.
    pub arn: Arn,
    /// The role that asked.
    pub role: Arn,
    /// When.
    #[schemars(with = "String")]
    pub checked_at: Timestamp,
    /// What is missing; empty is good.
    pub findings: Vec<AccessFinding>,
}

/// Access that the delegate needs and lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessFinding {
    /// What is wrong, with a code of LB-08xx.
    pub problem: Problem,
    /// The command that fixes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Other commands that fix it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
    /// Whether a recovery point can be made all the same, without what cannot be read.
    pub partial: bool,
}

impl AccessFinding {
    /// A finding that blocks the work, without a command that fixes it.
    #[must_use]
    pub fn new(problem: Problem) -> Self {
        Self {
            problem,
            command: None,
            alternatives: Vec::new(),
            partial: false,
        }
    }

    /// The same with the command that fixes it.
    #[must_use]
    pub fn with_command(mut self, command: String) -> Self {
        self.command = Some(command);
        self
    }

    /// The same with another command that fixes it.
    #[must_use]
    pub fn or(mut self, what: impl Into<String>, command: String) -> Self {
        let what = what.into();
        self.alternatives.push(Alternative { what, command });
        self
    }

    /// The same, where a recovery point can be made all the same.
    #[must_use]
    pub fn as_partial(mut self) -> Self {
        self.partial = true;
        self
    }
}
