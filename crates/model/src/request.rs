//! The requests that the coordinator accepts and its answers, the same for the CLI and for `aws lambda
//! invoke`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ApplicationDocument, ApplicationName, BuildProgress, BuiltStack, ClusterName, EnvironmentId, Issue,
    IssueId, Problem, RecoveryPointId, RequestToken, RestoreProgress,
};

/// A request to the coordinator, such as `{"restore": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// Restores a recovery point.
    Restore(RestoreRequest),
    /// Plans a restore, without changing anything.
    Plan(PlanRequest),
    /// Starts a backup.
    Backup(BackupRequest),
    /// Returns the status of applications.
    Status(StatusRequest),
    /// Lists recovery points and why each is kept.
    Points(PointsRequest),
    /// Cancels a backup, a restore or a plan.
    Cancel(CancelRequest),
    /// Pins other keys than those that are pinned.
    Trust(TrustRequest),
    /// Acknowledges an issue.
    Acknowledge(AcknowledgeRequest),
    /// Writes, reads or lists application documents.
    Application(ApplicationRequest),
}

/// Restores a recovery point into clusters of the recovery environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreRequest {
    /// The application to restore.
    pub application: ApplicationName,
    /// The recovery point: `latest`, `latest-complete`, an id, or a prefix of one.
    #[serde(default = "latest")]
    pub point: String,
    /// The cluster of the application; all clusters if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// The EKS cluster to write into, instead of the one that the application names. Requires `cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<ClusterName>,
    /// Whether the recovery side takes over for good: the replication to file systems of the recovery environment ends, so
    /// that they can be written to. It requires `rebuild` in the application document.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failover: bool,
    /// The hash of the only plan that may be carried out, from `plans` in the status; any plan if absent. The plan must be of
    /// the same recovery point, clusters and options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_plan: Option<String>,
    /// Restore options, merged over the application's rules field by field.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub options: serde_json::Map<String, serde_json::Value>,
    /// The idempotency token: a repeated request with the same token starts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<RequestToken>,
}

fn latest() -> String {
    "latest".to_owned()
}

/// Plans what a restore with the same fields would do: the AWS resources that it would build, and the objects of each
/// cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRequest {
    /// The application whose restore is planned.
    pub application: ApplicationName,
    /// The recovery point: `latest`, `latest-complete`, an id, or a prefix of one.
    #[serde(default = "latest")]
    pub point: String,
    /// The cluster of the application; all clusters if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// The EKS cluster to plan for, instead of the one that the application names. Requires `cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<ClusterName>,
    /// Restore options, merged over the application's rules field by field.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub options: serde_json::Map<String, serde_json::Value>,
    /// The idempotency token: a repeated request with the same token starts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<RequestToken>,
}

/// Makes a recovery point now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupRequest {
    /// The application to back up.
    pub application: ApplicationName,
    /// The idempotency token: a repeated request with the same token starts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<RequestToken>,
}

/// Returns the status of applications.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusRequest {
    /// The application; all applications if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationName>,
}

/// Lists the recovery points of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointsRequest {
    /// The application whose recovery points are listed.
    pub application: ApplicationName,
    /// The recovery point that the page begins with: `next` of the previous page; the latest one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RecoveryPointId>,
}

/// Cancels a backup, a restore or a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelRequest {
    /// The application that the job belongs to.
    pub application: ApplicationName,
    /// The id of the restore or plan, from the answer to its request; the running backup if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RequestToken>,
    /// The idempotency token: a repeated request with the same token does not cancel a later job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<RequestToken>,
}

/// Pins registered keys in place of those that are pinned. A signing key that was pinned before stays valid for the
/// recovery points that it signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustRequest {
    /// The application whose keys are pinned.
    pub application: ApplicationName,
    /// The fingerprint of the signing key to pin, `sha256:…`. The primary environment must have registered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
    /// The fingerprint of the recovery key to pin, `sha256:…`. The recovery environment must have registered it.
    /// Recovery points that exist are still encrypted for the earlier key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_key: Option<String>,
    /// The idempotency token: a repeated request with the same token changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<RequestToken>,
}

/// Acknowledges an issue that does not close by itself: a damaged or missing recovery point is given up, or
/// deletions that retention holds back are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// The application that the issue belongs to.
    pub application: ApplicationName,
    /// The id of the issue, such as `LB-0905:20261121T112233Z-7f3a9c`.
    pub issue: IssueId,
    /// The idempotency token: a repeated request with the same token does not acknowledge a later issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<RequestToken>,
}

/// Operations on application documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ApplicationRequest {
    /// Writes a document and replaces an earlier one with the same name.
    Put(Box<ApplicationDocument>),
    /// Returns a document.
    Get {
        /// The application whose document is returned.
        application: ApplicationName,
    },
    /// Lists the names of all applications.
    List {},
}

impl Request {
    /// Returns the application that the request is about; `None` if it is about all applications.
    #[must_use]
    pub fn application(&self) -> Option<ApplicationName> {
        match self {
            Self::Restore(request) => Some(request.application.clone()),
            Self::Plan(request) => Some(request.application.clone()),
            Self::Backup(request) => Some(request.application.clone()),
            Self::Status(request) => request.application.clone(),
            Self::Points(request) => Some(request.application.clone()),
            Self::Cancel(request) => Some(request.application.clone()),
            Self::Trust(request) => Some(request.application.clone()),
            Self::Acknowledge(request) => Some(request.application.clone()),
            Self::Application(ApplicationRequest::Get { application }) => Some(application.clone()),
            Self::Application(ApplicationRequest::Put(document)) => {
                ApplicationName::parse(document.name.as_str()).ok()
            }
            Self::Application(ApplicationRequest::List {}) => None,
        }
    }

    /// Returns the idempotency token of the request.
    #[must_use]
    pub fn token(&self) -> Option<&RequestToken> {
        match self {
            Self::Restore(request) => request.token.as_ref(),
            Self::Plan(request) => request.token.as_ref(),
            Self::Backup(request) => request.token.as_ref(),
            Self::Cancel(request) => request.token.as_ref(),
            Self::Trust(request) => request.token.as_ref(),
            Self::Acknowledge(request) => request.token.as_ref(),
            Self::Status(_) | Self::Points(_) | Self::Application(_) => None,
        }
    }
}

/// An answer of the coordinator, such as `{"accepted": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Answer {
    /// The request is accepted; `status` reports the progress.
    Accepted(Accepted),
    /// The status of applications.
    Status(StatusAnswer),
    /// The recovery points of an application.
    Points(PointsAnswer),
    /// The document as it was written.
    Application(Box<ApplicationDocument>),
    /// The names of all applications.
    Applications(Vec<ApplicationName>),
    /// The request is refused and has no effect.
    Refused(Vec<Problem>),
}

/// An accepted request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Accepted {
    /// The application that the request is about.
    pub application: ApplicationName,
    /// The token of the request; a new one if the request had none.
    pub token: RequestToken,
    /// Whether a request with this token was already accepted, so nothing was started now.
    pub repeated: bool,
    /// The recovery point that is made or restored, if it is already known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<RecoveryPointId>,
    /// The later recovery points that `latest` or `latest-complete` passed over, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOver>,
}

/// A recovery point that cannot be used although it is later than the one that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PassedOver {
    /// The id of the recovery point.
    pub point: RecoveryPointId,
    /// Why it cannot be used.
    pub reason: String,
}

/// The status of applications.
#[derive(Debug, Clone, PartialEq, Default, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusAnswer {
    /// The applications, sorted by name.
    pub applications: Vec<ApplicationStatus>,
    /// The failures of applications whose status could not be determined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// The status of one application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationStatus {
    /// The name of the application.
    pub application: ApplicationName,
    /// The environment that the application runs in.
    pub primary: EnvironmentId,
    /// The environment that the application is recovered in.
    pub recovery: EnvironmentId,
    /// The clusters of the application.
    pub clusters: Vec<ClusterName>,
    /// The schedule in readable form, such as `every 1h`.
    pub schedule: String,
    /// The fingerprint of the pinned signing key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
    /// The last good recovery point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<PointStatus>,
    /// The age of the last good recovery point in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// When a newer recovery point is overdue by the schedule; absent if the schedule has no further times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub overdue_at: Option<Timestamp>,
    /// When the next scheduled backup begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next_backup: Option<Timestamp>,
    /// The backup in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupStatus>,
    /// The restores, newest first.
    pub restores: Vec<RestoreStatus>,
    /// What restores build of AWS resources, newest first. The latest are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub builds: Vec<BuildStatus>,
    /// The plans of restores, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PlanStatus>,
    /// The open issues, most severe first.
    pub issues: Vec<Issue>,
}

/// A backup in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupStatus {
    /// The recovery point that the backup makes.
    pub point: RecoveryPointId,
    /// When the backup began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// The phase: `capturing`, `sealing` or `vaulting`.
    pub phase: String,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

/// The status of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreStatus {
    /// The token of the request, which is the id of the restore.
    pub token: RequestToken,
    /// The recovery point that is restored.
    pub point: RecoveryPointId,
    /// The cluster of the application.
    pub cluster: ClusterName,
    /// The EKS cluster that the restore writes into.
    pub into: ClusterName,
    /// When the restore was requested.
    #[schemars(with = "String")]
    pub requested_at: Timestamp,
    /// The state of the restore.
    pub state: RestoreState,
    /// What it does while it runs: `building clusters`, `restoring objects and building nodes`, `building nodes` or
    /// `restoring objects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The number of the attempt at this phase, from 1, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Why the attempt before failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_before: Option<Problem>,
    /// What it is at while its objects are restored, as the delegate reports it every few seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<RestoreProgress>,
    /// When the restore ended; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Timestamp>,
    /// Why the restore failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// The location of the full report after the restore has ended: `s3://<bucket>/<key>`, in the scratch
    /// bucket of the recovery environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
}

/// What a restore builds of the AWS resources that the clusters stand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildStatus {
    /// The token of the request for the restore.
    pub token: RequestToken,
    /// What it is at while it runs, as the delegate reports it every few seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<BuildProgress>,
    /// The stacks that were built, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<BuiltStack>,
    /// Where what was built differs from the primary in a way that matters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
    /// The number of further warnings, which only the plan lists.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_warnings: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The state of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RestoreState {
    /// The restore is about to begin, or waits for another restore that writes into the same cluster.
    Waiting,
    /// A delegate is running the restore.
    Running,
    /// The cluster matches the plan.
    Done,
    /// The restore ended, but the cluster does not match the plan. The report lists the differences.
    Incomplete,
    /// The restore failed.
    Failed,
    /// The restore was cancelled.
    Cancelled,
}

impl RestoreState {
    /// Whether the restore has ended.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// The status of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanStatus {
    /// The token of the request, which is the id of the plan.
    pub token: RequestToken,
    /// The recovery point whose restore is planned.
    pub point: RecoveryPointId,
    /// When the plan was requested.
    #[schemars(with = "String")]
    pub requested_at: Timestamp,
    /// The state of the plan.
    pub state: PlanState,
    /// When the plan ended; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Timestamp>,
    /// Why no plan was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// The hash of the plan, for `expectPlan` of a restore; absent until the plan has ended, and if a part could not be
    /// planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The part about AWS resources; absent until the plan has ended, and if restores of the application do not build
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<PlannedPart>,
    /// The parts about the objects of each cluster, after the plan has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<PlannedClusterStatus>,
}

/// A part of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedPart {
    /// Whether a restore would reject it before anything is changed.
    pub rejected: bool,
    /// The location of the part: `s3://<bucket>/<key>`, in the scratch bucket of the recovery environment.
    pub report: String,
}

/// The plan of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedClusterStatus {
    /// The cluster of the application.
    pub cluster: ClusterName,
    /// The EKS cluster that a restore would write into.
    pub into: ClusterName,
    /// The part about its objects.
    pub part: PlannedPart,
}

/// The state of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PlanState {
    /// The plan is about to begin, or waits for another plan or a build of the same stacks.
    Waiting,
    /// A delegate is making the plan.
    Running,
    /// A restore would carry it out.
    Done,
    /// A restore would reject it; its parts say why.
    Rejected,
    /// No plan could be made.
    Failed,
    /// The plan was cancelled.
    Cancelled,
}

impl PlanState {
    /// Whether the plan has ended.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// The recovery points of an application, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointsAnswer {
    /// The application that the recovery points belong to.
    pub application: ApplicationName,
    /// The recovery points.
    pub points: Vec<PointStatus>,
    /// The recovery point that the next page begins with; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<RecoveryPointId>,
}

/// A recovery point in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointStatus {
    /// The id of the recovery point.
    pub point: RecoveryPointId,
    /// When the recovery point was made.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// Whether the recovery point contains everything that was requested.
    pub complete: bool,
    /// The number of objects in the recovery point.
    pub objects: u64,
    /// The total size of its files in bytes.
    pub bytes: u64,
    /// When the recovery point was stored in the vault, by the clock of the coordinator.
    #[schemars(with = "String")]
    pub vaulted_at: Timestamp,
    /// When its signature and all digests were last verified in the vault.
    #[schemars(with = "String")]
    pub verified_at: Timestamp,
    /// Why the recovery point cannot be used, if a check failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged: Option<Problem>,
    /// The retention rules that keep it, such as `latest good` or `daily 2026-11-20`.
    pub kept_by: Vec<String>,
}

/// Returns the JSON schema of requests.
#[must_use]
pub fn request_schema() -> serde_json::Value {
    schemars::schema_for!(Request).to_value()
}

/// Returns the JSON schema of answers.
#[must_use]
pub fn answer_schema() -> serde_json::Value {
    schemars::schema_for!(Answer).to_value()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn requests_are_read_as_the_readme_writes_them() {
        for (text, application, token) in [
            (
                r#"{"restore":{"application":"shop","point":"latest"}}"#,
                Some("shop"),
                None,
            ),
            (r#"{"restore":{"application":"shop"}}"#, Some("shop"), None),
            (
                r#"{"plan":{"application":"shop","token":"t-1"}}"#,
                Some("shop"),
                Some("t-1"),
            ),
            (
                r#"{"backup":{"application":"shop","token":"t-1"}}"#,
                Some("shop"),
                Some("t-1"),
            ),
            (r#"{"status":{}}"#, None, None),
            (r#"{"points":{"application":"shop"}}"#, Some("shop"), None),
            (
                r#"{"cancel":{"application":"shop","restore":"t-1"}}"#,
                Some("shop"),
                None,
            ),
            (
                r#"{"trust":{"application":"shop","signingKey":"sha256:0a"}}"#,
                Some("shop"),
                None,
            ),
            (
                r#"{"acknowledge":{"application":"shop","issue":"LB-0914","token":"t-1"}}"#,
                Some("shop"),
                Some("t-1"),
            ),
            (r#"{"application":{"list":{}}}"#, None, None),
            (
                r#"{"application":{"get":{"application":"shop"}}}"#,
                Some("shop"),
                None,
            ),
        ] {
            let request: Request = serde_json::from_str(text).unwrap();
            assert_eq!(
                request.application().as_ref().map(ApplicationName::as_str),
                application,
                "{text}"
            );
            assert_eq!(request.token().map(RequestToken::as_str), token, "{text}");
        }
        for wrong in [
            r#"{"restore":{"application":"shop","pint":"latest"}}"#,
            r#"{"destroy":{}}"#,
            r#"{"backup":{"application":"shop"},"status":{}}"#,
            r#"{"backup":{}}"#,
        ] {
            assert!(serde_json::from_str::<Request>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn both_documents_have_a_schema() {
        for (schema, kinds) in [(request_schema(), 9), (answer_schema(), 6)] {
            assert!(schema["oneOf"].as_array().is_some_and(|all| all.len() == kinds));
        }
    }
}
