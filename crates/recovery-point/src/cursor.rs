//! The state of an unfinished capture: what was listed, what was written, and where each list continues.
//!
//! # What is independent of the number of pieces
//! A recovery point that is captured in several pieces has the same content as one captured in a single
//! piece:
//! - every object line, byte for byte, and so its digest, each in exactly one frame, and those of a type in
//!   the order of the API server's list;
//! - of the manifest: `server`, `resourceVersion`, `filters`, `objects`, `bytes`, every record in `types`
//!   (with the version it was listed at), `missing`, `dependencies` and `completeness`.
//!
//! Types that an API server computes for each request (ComponentStatuses) have no version; their objects are
//! as they were when they were listed.
//!
//! The packs differ. The side that captures cannot unwrap a data key, so each piece has its own key: `keys`,
//! the names, digests and sizes of packs, and the boundaries of frames differ, as they do between any two
//! captures, because a key is never used twice. Times (`startedAt`, `finishedAt`) are those of the work.
//!
//! API servers discard old versions after some minutes. A list that has expired between two pieces continues
//! like one that expires within a piece: after the last object that was read, at a later version, and its
//! record says so.
//!
//! A cursor contains names of objects (where a list continues) and none of their content.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifeboat_format::manifest::{
    ClusterRecord, MissingRecord, PackRecord, ServerRecord, TypeRecord, WrappedKeyRecord,
};
use lifeboat_model::{ClusterName, TypeName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The types that a capture lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Types {
    /// All types.
    All,
    /// Some types; other jobs list the rest at the same version.
    Only {
        /// The types that are listed.
        types: Vec<TypeName>,
        /// The resourceVersion that every type is listed at.
        resource_version: String,
    },
    /// All types except some, which other jobs list at the same version. This job also records all types that
    /// are never listed.
    Except {
        /// The types of the other jobs.
        types: Vec<TypeName>,
        /// The resourceVersion that every type is listed at.
        resource_version: String,
    },
}

impl Types {
    /// Whether the type is one of them.
    #[must_use]
    pub fn takes(&self, name: &TypeName) -> bool {
        match self {
            Self::All => true,
            Self::Only { types, .. } => types.contains(name),
            Self::Except { types, .. } => !types.contains(name),
        }
    }

    /// Returns the resourceVersion that is given for all of them.
    #[must_use]
    pub fn resource_version(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Only { resource_version, .. } | Self::Except { resource_version, .. } => {
                Some(resource_version)
            }
        }
    }
}

/// The number of objects of each type in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypeCounts {
    /// The resourceVersion that all parts are listed at.
    pub resource_version: String,
    /// The number of objects of each type, without types that have none.
    pub types: BTreeMap<TypeName, u64>,
}

/// A captured cluster, ready for the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapturedCluster {
    /// The cluster's record in the manifest.
    pub record: ClusterRecord,
    /// The wrapped data keys of its packs.
    pub keys: Vec<WrappedKeyRecord>,
}

/// The checkpoint of the capture of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterCheckpoint {
    /// The name of the cluster.
    pub name: ClusterName,
    /// When the capture of the cluster began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// What was listed, and what remains.
    pub listing: ListingCheckpoint,
    /// The packs that were written, of all epochs. Packs of an epoch without a checkpoint are not included;
    /// they are deleted together with the capture.
    pub packs: Vec<PackRecord>,
    /// The wrapped data keys of the packs: one for each epoch, because no delegate can unwrap what it
    /// wrapped.
    pub keys: Vec<WrappedKeyRecord>,
}

/// The checkpoint of the lists of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListingCheckpoint {
    /// The API server that was captured. If the next epoch finds another one, the capture ends.
    pub server: ServerRecord,
    /// The resourceVersion that all types are pinned to; `None` if the API server does not pin any.
    pub resource_version: Option<String>,
    /// The records of the types that are complete or never listed.
    pub types: Vec<TypeRecord>,
    /// The types that remain to be listed, in order.
    pub open: Vec<TypeCheckpoint>,
    /// What is missing so far.
    pub missing: Vec<MissingRecord>,
    /// The number of stored objects of the complete types.
    pub objects: u64,
    /// The total size of their lines in bytes.
    pub bytes: u64,
    /// What the objects need outside of the cluster, so far.
    pub dependencies: BTreeMap<String, Vec<String>>,
}

/// A type whose listing is not complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypeCheckpoint {
    /// The record of the type. Its outcome is `Listed` with what was stored so far.
    pub record: TypeRecord,
    /// Where the list continues; `None` if it was not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// The position where a list continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Position {
    /// Which of the type's lists, from 0: if a filter selects namespaces, there is one for each of them.
    pub collection: u32,
    /// The `continue` token of the page; `None` for the first page.
    pub continue_token: Option<String>,
    /// Whether the list is read at its latest version because the pinned one has expired or was refused.
    pub latest: bool,
    /// Whether the same request returns the same items again, so that `taken` is meaningful.
    pub repeatable: bool,
    /// The number of items of the page that were processed.
    pub taken: u64,
    /// The maximum number of items of the page.
    pub limit: u32,
    /// The number of fallbacks so far: the pinned version or the `continue` token had expired or was refused,
    /// and the list continued at the latest version.
    pub fallbacks: u32,
    /// The key of the last object that was processed: `<namespace>/<name>` or `<name>`.
    pub last_key: String,
    /// Whether all keys were in order so far.
    pub ordered: bool,
    /// The key of the last object that was processed before the list was restarted; objects up to it are
    /// skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_through_key: Option<String>,
}
