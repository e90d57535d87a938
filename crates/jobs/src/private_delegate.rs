//! How a private delegate comes and goes: the public delegate of its environment deploys, updates and removes its stack. The
//! private delegate registers itself when it is first invoked, so no job waits for that.

use jiff::Timestamp;
use lifeboat_model::StackOutcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::PrivateEndpoint;
use super::finding::Failure;
use super::work::ClusterTarget;

/// The payload of a job that deploys, updates or removes the private delegate of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivateDelegateWork {
    /// The cluster. The captures of the private delegate have its name in the application.
    pub cluster: ClusterTarget,
    /// What becomes of the private delegate.
    pub change: PrivateDelegateChange,
    /// When the job ends although the stack is still being changed.
    #[schemars(with = "String")]
    pub until: Timestamp,
}

/// What becomes of a private delegate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PrivateDelegateChange {
    /// It is deployed into the network of the cluster, with the code of the public delegate, or updated to that.
    Deploy(Box<PrivateEndpoint>),
    /// Its stack is deleted, and its registration with it.
    Remove {},
}

/// The result of a completed change of a private delegate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivateDelegateDone {
    /// What became of its stack. One that did not exist, and was to be removed, is deleted.
    pub outcome: StackOutcome,
    /// Why its registration remains although its stack is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Failure>,
}
