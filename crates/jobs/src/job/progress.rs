//! What an epoch hands on to the next one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifeboat_format::manifest::{MissingRecord, PackRecord, ServerRecord, TypeRecord, WrappedKeyRecord};
use lifeboat_model::{ClusterName, TypeName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far an epoch came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Progress {
    /// Of a capture.
    Capture(CaptureProgress),
    /// Of a restore.
    Restore(RestoreProgress),
    /// Of work that begins anew in each epoch, because one is enough for it.
    Nothing {},
}

/// How far a capture came: everything that the next epoch needs to write the same recovery point as if
/// there had been one epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureProgress {
    /// The clusters that were begun, sorted by name.
    pub clusters: Vec<ClusterProgress>,
}

/// How far the capture of one cluster came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterProgress {
    /// The cluster.
    pub name: ClusterName,
    /// Which server answered. Another one in the next epoch makes the capture begin anew.
    pub server: ServerRecord,
    /// The version that all types are pinned to; none where the server pins none.
    pub resource_version: Option<String>,
    /// When its capture began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// Whether it is finished.
    pub finished: bool,
    /// The types that are done, with their records.
    pub types: Vec<TypeRecord>,
    /// The types that are half done.
    pub open: Vec<TypeProgress>,
    /// What is missing so far.
    pub missing: Vec<MissingRecord>,
    /// The packs that are written, of all epochs.
    pub packs: Vec<PackRecord>,
    /// Their keys: each epoch has one of its own, because no delegate can read back what it wrapped.
    pub keys: Vec<WrappedKeyRecord>,
    /// How many objects they hold.
    pub objects: u64,
    /// The size of the objects' lines.
    pub bytes: u64,
    /// What the objects need outside of the cluster, so far.
    pub dependencies: BTreeMap<String, Vec<String>>,
}

/// A type of which some pages were stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypeProgress {
    /// The type.
    pub r#type: TypeName,
    /// The version that is listed.
    pub version: String,
    /// Where the next page begins.
    pub continue_token: String,
    /// The version of the list.
    pub resource_version: Option<String>,
    /// How many objects were stored.
    pub objects: u64,
    /// The size of their lines.
    pub bytes: u64,
}

/// How far a restore came. Only for people: the target itself remembers what was restored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreProgress {
    /// How many objects the plan has.
    pub planned: u64,
    /// How many of them are there.
    pub done: u64,
}
