//! The summary of a recovery point, computed from its signed manifest and used wherever recovery points are
//! listed or counted.

use jiff::Timestamp;
use lifeboat_format::manifest::Completeness;
use lifeboat_format::{Sha256, Statement};
use lifeboat_model::ClusterName;
use serde::Serialize;

/// The summary of a signed recovery point. Its files were not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedSummary {
    /// When the recovery point was made.
    pub created_at: Timestamp,
    /// Whether the recovery point contains everything that was requested.
    pub completeness: Completeness,
    /// The number of objects.
    pub objects: u64,
    /// The total size of its files in bytes, including files of earlier recovery points that it references.
    pub bytes: u64,
    /// The SHA-256 of `manifest.json`, which identifies the whole recovery point.
    pub manifest: Sha256,
    /// The summaries of its clusters.
    pub clusters: Vec<ClusterSummary>,
}

/// The summary of a cluster in a recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    /// The name of the cluster.
    pub name: ClusterName,
    /// The number of objects.
    pub objects: u64,
    /// The total size of their lines in bytes.
    pub bytes: u64,
    /// The number of types or API groups that are missing.
    pub missing: u64,
}

impl SignedSummary {
    /// Creates the summary of a statement whose signature was verified. `manifest` is the digest of the file
    /// that it was read from.
    #[must_use]
    pub fn of(statement: &Statement, manifest: Sha256) -> Self {
        let predicate = &statement.predicate;
        let clusters = predicate.clusters.iter().map(|cluster| ClusterSummary {
            name: cluster.name.clone(),
            objects: cluster.objects,
            bytes: cluster.bytes,
            missing: cluster.missing.len() as u64,
        });
        Self {
            created_at: predicate.created_at,
            completeness: predicate.completeness,
            objects: predicate.clusters.iter().map(|cluster| cluster.objects).sum(),
            bytes: predicate.packs().map(|pack| pack.bytes).sum(),
            manifest,
            clusters: clusters.collect(),
        }
    }
}
