//! What a signed manifest says of a recovery point, computed once for everybody who lists or counts points.

use jiff::Timestamp;
use lifeboat_format::manifest::Completeness;
use lifeboat_format::{Sha256, Statement};
use lifeboat_model::ClusterName;
use serde::Serialize;

/// A signed recovery point in short. Its files were not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedSummary {
    /// When the point was made.
    pub created_at: Timestamp,
    /// Whether everything that was asked for is in it.
    pub completeness: Completeness,
    /// How many objects it holds.
    pub objects: u64,
    /// The size of its files in bytes, those of earlier points included.
    pub bytes: u64,
    /// The SHA-256 of `manifest.json`, which names the whole point.
    pub manifest: Sha256,
    /// What it holds.
    pub clusters: Vec<ClusterSummary>,
}

/// A cluster of a recovery point in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    /// Its name.
    pub name: ClusterName,
    /// How many objects.
    pub objects: u64,
    /// The size of their lines in bytes.
    pub bytes: u64,
    /// How many types or groups are missing.
    pub missing: u64,
}

impl SignedSummary {
    /// The summary of a statement whose signature was verified, with the digest of the file it was read from.
    #[must_use]
    pub fn of(statement: &Statement, manifest: Sha256) -> Self {
        let predicate = &statement.predicate;
        let packs = predicate.clusters.iter().flat_map(|cluster| &cluster.packs);
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
            bytes: packs.map(|pack| pack.bytes).sum(),
            manifest,
            clusters: clusters.collect(),
        }
    }
}
