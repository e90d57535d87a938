//! Verification of all contents of a recovery point.

use std::collections::BTreeMap;

use lifeboat_format::manifest::{ClusterRecord, PackRecordKind, TypeOutcome};
use lifeboat_format::{Frame, FrameRef, peek_metadata};
use lifeboat_model::{PackName, TypeName};

use super::index::check_lines;
use super::{Index, IndexedFrame, ReadablePoint};
use crate::point::PointError;
use crate::progress::{Progress, Silent, Work};

/// What was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentsReport {
    /// The number of packs of objects.
    pub packs: u64,
    /// The number of frames with objects.
    pub frames: u64,
    /// The number of objects.
    pub objects: u64,
    /// The total size of their lines in bytes, line ends included.
    pub bytes: u64,
    /// Whether there are descriptions of AWS resources.
    pub descriptions: bool,
}

/// The number of objects and bytes of a type.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    objects: u64,
    bytes: u64,
}

pub(super) async fn verify(
    point: &ReadablePoint,
    progress: &dyn Progress,
) -> Result<ContentsReport, PointError> {
    let mut report = ContentsReport::default();
    progress.begin(Work::VerifyContents, point.point().bytes());
    for cluster in &point.point().statement().predicate.clusters {
        let index = point.index_with(&cluster.name, &Part(progress)).await?;
        let counts = verify_cluster(point, cluster, &index, progress, &mut report).await?;
        check_counts(cluster, &counts).map_err(|what| PointError::Contents {
            point: point.point().point().clone(),
            name: cluster.name.to_string(),
            what,
        })?;
    }
    report.descriptions = point.descriptions(&Part(progress)).await?.is_some();
    progress.end(Work::VerifyContents);
    Ok(report)
}

/// Forwards the progress of one part of larger work.
struct Part<'a>(&'a dyn Progress);

impl Progress for Part<'_> {
    fn file(&self, name: &str) {
        self.0.file(name);
    }

    fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }

    fn begin(&self, work: Work, bytes: u64) {
        Silent.begin(work, bytes);
    }
}

async fn verify_cluster(
    point: &ReadablePoint,
    cluster: &ClusterRecord,
    index: &Index,
    progress: &dyn Progress,
    report: &mut ContentsReport,
) -> Result<BTreeMap<TypeName, Count>, PointError> {
    let mut expected: BTreeMap<(&PackName, u32), &IndexedFrame> = BTreeMap::new();
    for indexed in index.frames() {
        let FrameRef { pack, location, .. } = &indexed.frame;
        if expected.insert((pack, location.frame), indexed).is_some() {
            return Err(point.contents_error(&indexed.frame, "it appears twice in the index".to_owned()));
        }
    }
    let mut counts: BTreeMap<TypeName, Count> = BTreeMap::new();
    for pack in cluster.packs.iter().filter(|p| p.kind == PackRecordKind::Objects) {
        let mut check = |frame: Frame<'_>| {
            if frame.plaintext.is_empty() {
                return Ok(());
            }
            let Some(indexed) = expected.remove(&(&pack.name, frame.location.frame)) else {
                return Err(PointError::Contents {
                    point: point.point().pack_owner(pack).clone(),
                    name: pack.name.to_string(),
                    what: format!("frame {} is not in the index", frame.location.frame),
                });
            };
            check_frame(indexed, frame).map_err(|what| point.contents_error(&indexed.frame, what))?;
            let objects = indexed.entries.len() as u64;
            let bytes = frame.plaintext.len() as u64;
            let count = counts.entry(indexed.frame.type_name.clone()).or_default();
            count.objects += objects;
            count.bytes += bytes;
            report.frames += 1;
            report.objects += objects;
            report.bytes += bytes;
            Ok(())
        };
        point
            .read_pack(Some(&cluster.name), pack, progress, &mut check)
            .await?;
        report.packs += 1;
    }
    match expected.into_values().next() {
        Some(indexed) => Err(point.contents_error(
            &indexed.frame,
            "it is in the index but not in the pack".to_owned(),
        )),
        None => Ok(counts),
    }
}

/// Compares a frame with its index entries, including the name of each object.
fn check_frame(indexed: &IndexedFrame, frame: Frame<'_>) -> Result<(), String> {
    if indexed.frame.location != frame.location {
        return Err("it is not at the position that the index gives".to_owned());
    }
    let starts = check_lines(&indexed.entries, frame.plaintext)?;
    for (position, (start, entry)) in starts.into_iter().zip(&indexed.entries).enumerate() {
        let length = usize::try_from(entry.bytes).expect("the length was compared with a line in memory");
        let seen = peek_metadata(&frame.plaintext[start..start + length])
            .map_err(|_| format!("object {position} is not a Kubernetes object"))?;
        let same =
            seen.namespace.as_deref().unwrap_or_default() == entry.namespace && seen.name == entry.name;
        if !same {
            return Err(format!("object {position} is not the one that the index lists"));
        }
    }
    Ok(())
}

/// Compares the counts that were read with those in the manifest, for each type and for the cluster.
fn check_counts(cluster: &ClusterRecord, counts: &BTreeMap<TypeName, Count>) -> Result<(), String> {
    let mut rest = counts.clone();
    for record in &cluster.types {
        let name = record.name();
        let found = rest.remove(&name).unwrap_or_default();
        let said = match record.outcome {
            TypeOutcome::Listed { objects, bytes, .. } => Count { objects, bytes },
            // Objects that were read before the type failed are stored, and count for the cluster's total.
            TypeOutcome::Failed { .. } => found,
            TypeOutcome::Excluded { .. } | TypeOutcome::SameAs { .. } => Count::default(),
        };
        if found != said {
            return Err(format!(
                "it contains {} {name} with {} bytes; the manifest lists {} with {}",
                found.objects, found.bytes, said.objects, said.bytes
            ));
        }
    }
    if let Some(name) = rest.keys().next() {
        return Err(format!("it contains {name}, a type that is not in the manifest"));
    }
    let total = counts.values().fold(Count::default(), |sum, count| Count {
        objects: sum.objects + count.objects,
        bytes: sum.bytes + count.bytes,
    });
    if (total.objects, total.bytes) == (cluster.objects, cluster.bytes) {
        Ok(())
    } else {
        Err(format!(
            "it contains {} objects with {} bytes; the manifest lists {} with {}",
            total.objects, total.bytes, cluster.objects, cluster.bytes
        ))
    }
}
