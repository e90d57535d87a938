//! What users ask of the coordinator and what it answers, the same for the CLI and for
//! `aws lambda invoke`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ApplicationDocument, ApplicationName, ClusterName, EnvironmentId, Issue, Problem, RecoveryPointId,
    RequestToken,
};

/// A request: `{"restore": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// Restore a recovery point.
    Restore(RestoreRequest),
    /// Start a backup.
    Backup(BackupRequest),
    /// How things stand.
    Status(StatusRequest),
    /// Which recovery points there are and why each is kept.
    Points(PointsRequest),
    /// Cancel a backup or a restore.
    Cancel(CancelRequest),
    /// Put, show or list application documents.
    Application(ApplicationRequest),
}

/// Restores a recovery point into clusters of the recovery environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreRequest {
    /// The application.
    pub application: ApplicationName,
    /// `latest`, `latest-complete`, an id, or the beginning of one.
    #[serde(default = "latest")]
    pub point: String,
    /// The cluster of the application; all of them unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// The EKS cluster that is written into, where `cluster` is given and another one than the
    /// application names is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<ClusterName>,
    /// Restore options, laid over the application's rules field by field.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Names the request, so that repeating it starts nothing twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<RequestToken>,
}

fn latest() -> String {
    "latest".to_owned()
}

/// Makes a recovery point now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupRequest {
    /// The application.
    pub application: ApplicationName,
    /// Names the request, so that repeating it starts nothing twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<RequestToken>,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusRequest {
    /// One application; all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationName>,
}

/// The recovery points of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointsRequest {
    /// The application.
    pub application: ApplicationName,
}

/// Ends a backup or a restore early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelRequest {
    /// The application.
    pub application: ApplicationName,
    /// The restore's id, as its request was answered; the running backup unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RequestToken>,
    /// Names the request, so that repeating it cancels nothing that came later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<RequestToken>,
}

/// What is asked of application documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ApplicationRequest {
    /// Puts a document in place of the former one of that name.
    Put(Box<ApplicationDocument>),
    /// Shows a document.
    Get {
        /// The application.
        application: ApplicationName,
    },
    /// Lists the names of all applications.
    List {},
}

impl Request {
    /// The application that the request is about; none where it is about all.
    #[must_use]
    pub fn application(&self) -> Option<ApplicationName> {
        match self {
            Self::Restore(request) => Some(request.application.clone()),
            Self::Backup(request) => Some(request.application.clone()),
            Self::Status(request) => request.application.clone(),
            Self::Points(request) => Some(request.application.clone()),
            Self::Cancel(request) => Some(request.application.clone()),
            Self::Application(ApplicationRequest::Get { application }) => Some(application.clone()),
            Self::Application(ApplicationRequest::Put(document)) => {
                ApplicationName::parse(document.name.as_str()).ok()
            }
            Self::Application(ApplicationRequest::List {}) => None,
        }
    }

    /// The token that names the request.
    #[must_use]
    pub fn token(&self) -> Option<&RequestToken> {
        match self {
            Self::Restore(request) => request.token.as_ref(),
            Self::Backup(request) => request.token.as_ref(),
            Self::Cancel(request) => request.token.as_ref(),
            Self::Status(_) | Self::Points(_) | Self::Application(_) => None,
        }
    }
}

/// An answer: `{"accepted": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Answer {
    /// It will be done; `status` tells how far it is.
    Accepted(Accepted),
    /// How things stand.
    Status(StatusAnswer),
    /// The recovery points.
    Points(PointsAnswer),
    /// A document as it was put.
    Application(Box<ApplicationDocument>),
    /// The names of all applications.
    Applications(Vec<ApplicationName>),
    /// It will not be done, and nothing has changed.
    Refused(Vec<Problem>),
}

/// What was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Accepted {
    /// The application.
    pub application: ApplicationName,
    /// The name of the request; a new one where none was given.
    pub token: RequestToken,
    /// Whether the same request was accepted before, so that nothing was started now.
    pub repeated: bool,
    /// The recovery point that is made or restored, where it is known already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<RecoveryPointId>,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusAnswer {
    /// The applications, sorted by name.
    pub applications: Vec<ApplicationStatus>,
}

/// How one application stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationStatus {
    /// The application.
    pub application: ApplicationName,
    /// Where it runs.
    pub primary: EnvironmentId,
    /// Where it is recovered.
    pub recovery: EnvironmentId,
    /// Its clusters.
    pub clusters: Vec<ClusterName>,
    /// When recovery points are made, for people: `every 1h`.
    pub schedule: String,
    /// The fingerprint of the signing key that is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
    /// The last good recovery point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<PointStatus>,
    /// Its age in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// When a newer recovery point is overdue by the schedule; never where the schedule has no further times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub overdue_at: Option<Timestamp>,
    /// When the next one begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next_backup: Option<Timestamp>,
    /// The backup that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupStatus>,
    /// Restores, newest first.
    pub restores: Vec<RestoreStatus>,
    /// Open issues, the worst first.
    pub issues: Vec<Issue>,
}

/// A backup that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupStatus {
    /// The recovery point that it makes.
    pub point: RecoveryPointId,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// How far it is: `capturing`, `sealing`, `vaulting`.
    pub phase: String,
    /// The how manieth try it is, from 1.
    pub attempt: u32,
}

/// A restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreStatus {
    /// The request's name.
    pub token: RequestToken,
    /// The recovery point.
    pub point: RecoveryPointId,
    /// The cluster of the application.
    pub cluster: ClusterName,
    /// The EKS cluster that is written into.
    pub into: ClusterName,
    /// When it was asked for.
    #[schemars(with = "String")]
    pub requested_at: Timestamp,
    /// How far it is.
    pub state: RestoreState,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Where the whole report lies, once it has come to its end: `s3://<bucket>/<key>`, in the scratch bucket of the
    /// recovery environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
}

/// How far a restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RestoreState {
    /// Another one writes into the same cluster, or it is about to begin.
    Waiting,
    /// A delegate works on it.
    Running,
    /// The cluster matches the plan.
    Done,
    /// It ended, but the cluster does not match the plan; the report lists the differences.
    Incomplete,
    /// It could not be done.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RestoreState {
    /// Whether it has ended.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// The recovery points of an application, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointsAnswer {
    /// The application.
    pub application: ApplicationName,
    /// The points.
    pub points: Vec<PointStatus>,
}

/// A recovery point in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointStatus {
    /// Its id.
    pub point: RecoveryPointId,
    /// When it was made.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// Whether everything that was asked for is in it.
    pub complete: bool,
    /// How many objects it holds.
    pub objects: u64,
    /// The size of its files.
    pub bytes: u64,
    /// When it was stored in the vault, by the clock of the coordinator.
    #[schemars(with = "String")]
    pub vaulted_at: Timestamp,
    /// When its signature and every digest were last checked in the vault.
    #[schemars(with = "String")]
    pub verified_at: Timestamp,
    /// Why it cannot be used, where a check failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged: Option<Problem>,
    /// Why it is kept: `latest good`, `daily 2026-11-20`.
    pub kept_by: Vec<String>,
}

/// The JSON schema of requests.
#[must_use]
pub fn request_schema() -> serde_json::Value {
    schemars::schema_for!(Request).to_value()
}

/// The JSON schema of answers.
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
        for schema in [request_schema(), answer_schema()] {
            assert!(schema["oneOf"].as_array().is_some_and(|all| all.len() == 6));
        }
    }
}
