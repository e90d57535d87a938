//! The state of a capture that is not finished: what was listed, what was written, and where each list continues.
//!
//! # What is equal however many pieces a capture has
//! A recovery point that is captured in several pieces holds what one captured in a single piece holds:
//! - every object line, byte for byte, and so its digest, each in exactly one frame, those of a type in the
//!   order of the server's list;
//! - of the manifest: `server`, `resourceVersion`, `filters`, `objects`, `bytes`, every record in `types`
//!   (with the version it was listed at), `missing` and `dependencies`, `completeness`.
//!
//! Types that a server computes for each request (ComponentStatuses) have no version, and are as they were then.
//!
//! What differs is how it is packed. The side that captures cannot unwrap a data key, so each piece has a key
//! of its own: `keys`, the names, digests and sizes of packs, and where frames begin and end differ, as they
//! do between any two captures, because a key is never used twice. Times (`startedAt`, `finishedAt`) are
//! those of the work.
//!
//! An API server forgets versions after some minutes. A list that has expired between two pieces continues as
//! one that expires within a piece does: behind the last object that was read, at a later version, and its
//! record says so.
//!
//! A cursor holds names of objects (where a list continues) and none of their content.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lifeboat_format::manifest::{
    ClusterRecord, MissingRecord, PackRecord, ServerRecord, TypeRecord, WrappedKeyRecord,
};
use lifeboat_model::{ClusterName, TypeName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which types a capture takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Types {
    /// All.
    All,
    /// Some; other jobs take the others at the same version.
    Only {
        /// The types.
        types: Vec<TypeName>,
        /// The version that every type is listed at.
        resource_version: String,
    },
    /// All but some, which other jobs take at the same version. This job also records everything that is
    /// not listed at all.
    Except {
        /// The types of the other jobs.
        types: Vec<TypeName>,
        /// The version that every type is listed at.
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

    /// The version that is given for all of them.
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

/// How much a cluster holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypeCounts {
    /// The version that all parts are listed at.
    pub resource_version: String,
    /// How many objects each type has; types without objects are left out.
    pub types: BTreeMap<TypeName, u64>,
}

/// A cluster for the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapturedCluster {
    /// Its record.
    pub record: ClusterRecord,
    /// The keys of its packs.
    pub keys: Vec<WrappedKeyRecord>,
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
