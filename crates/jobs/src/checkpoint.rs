//! What an epoch hands on to the next one.
//!
//! # What is equal however many epochs and jobs took part
//! A recovery point that was made in many pieces holds what one made in a single piece holds:
//! - every object line, byte for byte, and so its digest, each in exactly one frame, those of a type in the
//!   order of the server's list;
//! - of the manifest: `server`, `resourceVersion`, `filters`, `objects`, `bytes`, every record in `types`
//!   (with the version it was listed at), `missing` and `dependencies`, `completeness`.
//!
//! Types that a server makes up at each request (ComponentStatuses) have no version, and are as they were then.
//!
//! What differs is how it is packed. No delegate can unwrap a data key, so each epoch of each job makes one
//! of its own: `keys`, the names, digests and sizes of packs, and where frames begin and end differ, as they
//! do between any two captures, because a key is never used twice. Times (`startedAt`, `finishedAt`) are
//! those of the work.
//!
//! An API server forgets versions after some minutes. A list that has expired between two epochs goes on as
//! one that expires within an epoch does: behind the last object that was taken, at a later version, and its
//! record says so.
//!
//! A checkpoint holds names of objects (where a list goes on) and none of their content.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifeboat_format::manifest::{MissingRecord, PackRecord, ServerRecord, TypeRecord, WrappedKeyRecord};
use lifeboat_model::ClusterName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::CapturedCluster;

/// How far an epoch came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Progress {
    /// Of a capture.
    Capture(Box<CaptureCheckpoint>),
    /// Of a restore.
    Restore(RestoreCheckpoint),
    /// Of work that begins anew in each epoch, because one is enough for it.
    Nothing {},
}

/// How far a capture came: everything that the next epoch needs to write the same recovery point as if
/// there had been one epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureCheckpoint {
    /// The clusters that are whole.
    pub done: Vec<CapturedCluster>,
    /// The cluster that was begun; none where nothing of it is worth keeping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<ClusterCheckpoint>,
}

/// How far the capture of one cluster came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterCheckpoint {
    /// The cluster.
    pub name: ClusterName,
    /// When its capture began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// What was listed, and what is still to be.
    pub listing: ListingCheckpoint,
    /// The packs that are written, of all epochs. Those of an epoch that came to no checkpoint are not among
    /// them, and go with the capture.
    pub packs: Vec<PackRecord>,
    /// Their keys: each epoch has one of its own, because no delegate can read back what it wrapped.
    pub keys: Vec<WrappedKeyRecord>,
}

/// How far the lists of a cluster came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListingCheckpoint {
    /// Which server answered. Another one in the next epoch ends the capture.
    pub server: ServerRecord,
    /// The version that all types are pinned to; none where the server pins none.
    pub resource_version: Option<String>,
    /// The types that are done, or never are listed, with their records.
    pub types: Vec<TypeRecord>,
    /// The types that are to be listed, in the order in which they go on.
    pub open: Vec<TypeCheckpoint>,
    /// What is missing so far.
    pub missing: Vec<MissingRecord>,
    /// How many objects were stored of the types that are done.
    pub objects: u64,
    /// The size of their lines.
    pub bytes: u64,
    /// What the objects need outside of the cluster, so far.
    pub dependencies: BTreeMap<String, Vec<String>>,
}

/// A type that is not listed to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypeCheckpoint {
    /// The type. Its outcome is `Listed` with what was stored so far.
    pub record: TypeRecord,
    /// Where the list goes on; none where it was not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Position {
    /// Which of the type's lists: there is one for each namespace where a filter names some.
    pub collection: u32,
    /// The server's token for the page; none for the first one.
    pub continue_token: Option<String>,
    /// Whether the list is read at its newest version, because the pinned one was refused.
    pub latest: bool,
    /// Whether the same request gives the same items again, so that `taken` counts.
    pub repeatable: bool,
    /// How many items of the page were taken.
    pub taken: u64,
    /// How many items the page has at most.
    pub limit: u32,
    /// How often the list went on in another way so far.
    pub fallbacks: u32,
    /// The key of the last object that was taken: `<namespace>/<name>` or `<name>`.
    pub last_key: String,
    /// Whether all keys came in order so far.
    pub ordered: bool,
    /// The key up to which objects were taken before the list began anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_through_key: Option<String>,
}

/// How far a restore came. Only for people: the target itself remembers what was restored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreCheckpoint {
    /// How many objects the plan has.
    pub planned: u64,
    /// How many of them are there.
    pub done: u64,
}
