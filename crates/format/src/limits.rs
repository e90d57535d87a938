//! The limits of a recovery point, which bound the memory and time that a reader spends on it. Whoever can write to a
//! store, or holds a signing key, can write anything within the types of the format; a restore must survive that.
//!
//! The numbers leave room for the largest clusters and are checked before memory is allocated: the size of the manifest
//! before it is read, the number of JSON values before they are parsed, and the counts before anything else is read.

use lifeboat_model::{Code, Diagnostic, ErrorKind};

use crate::manifest::{PackRecord, Predicate, Statement, TypeOutcome};
use crate::pack::{FRAME_HEAD_LEN, HEADER_LEN, TAG_LEN};

/// The maximum size of `manifest.json` in bytes. Encoded as base64 a type takes about 500 bytes in it and a pack with its
/// subject about 650, so that this is enough for 10 clusters of 1,000 types with 10,000 packs. With the decoded payload,
/// three quarters of it, and [`MAX_VALUES`] a manifest takes less than 200 MiB while it is opened, which fits into the
/// 512 MiB of the functions.
pub const MAX_MANIFEST: usize = 16 << 20;

/// The maximum number of JSON values in a manifest. The smallest, `""`, takes three bytes in JSON and 24 in memory, the
/// largest about 50 each, so that the bytes alone would allow a manifest to unfold to eight times its size.
pub const MAX_VALUES: usize = 1_000_000;

/// The maximum number of signatures of an envelope that are looked at; further ones are ignored. Nothing before them is
/// signed, so that anybody could add more.
pub const MAX_SIGNATURES: usize = 16;

/// The maximum number of clusters of a recovery point. They are recovered together, one delegate for each.
pub const MAX_CLUSTERS: usize = 256;

/// The maximum number of data keys of a recovery point: one for each job and epoch that wrote packs. A restore asks the
/// key service once for each.
pub const MAX_KEYS: usize = 4_096;

/// The maximum number of recovery keys that a data key is wrapped for. While a key is replaced there are two for each
/// recovery account.
pub const MAX_RECIPIENTS: usize = 8;

/// The maximum number of types of a cluster. API servers become slow at a few thousand custom resource definitions.
pub const MAX_TYPES: usize = 10_000;

/// The maximum number of packs of a recovery point. Writers close a pack at 64 MiB, so that this is half a TiB of
/// objects after compression.
pub const MAX_PACKS: usize = 16_384;

/// The maximum number of AWS resources that a recovery point describes: 500 for each of the stacks that rebuild them
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>), for [`MAX_CLUSTERS`].
pub const MAX_RESOURCES: usize = 500 * MAX_CLUSTERS;

/// The maximum size of a pack in bytes. Writers close a pack at 64 MiB, and a last frame adds at most 65. It is less than
/// the 5 GiB that S3 copies in one request.
pub const MAX_PACK_BYTES: u64 = 1 << 30;

/// The maximum number of objects of a cluster. etcd holds 8 GiB, and an object seldom less than a KiB. The index of a
/// cluster takes about 200 bytes of memory for each.
pub const MAX_OBJECTS: u64 = 8_000_000;

/// The maximum size of the objects of a cluster in bytes, uncompressed: [`MAX_OBJECTS`] of the 1.5 MiB that etcd allows
/// for each.
const MAX_CLUSTER_BYTES: u64 = MAX_OBJECTS * (3 << 19);

/// The least bytes of a frame: its head and its tag.
const MIN_FRAME: u64 = (FRAME_HEAD_LEN + TAG_LEN) as u64;

/// The error for a recovery point that exceeds a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} exceed the limit of {limit}")]
pub struct OverLimit {
    /// What there is too much of.
    pub what: String,
    /// The limit.
    pub limit: u64,
}

impl Diagnostic for OverLimit {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Corrupt
    }

    fn code(&self) -> Code {
        Code::OverLimit
    }
}

fn at_most(what: &str, found: usize, limit: usize) -> Result<(), OverLimit> {
    at_most_u64(what, found as u64, limit as u64)
}

fn at_most_u64(what: &str, found: u64, limit: u64) -> Result<(), OverLimit> {
    if found <= limit {
        return Ok(());
    }
    Err(OverLimit {
        what: format!("its {found} {what}"),
        limit,
    })
}

/// Checks the size of `manifest.json` in bytes, before it is read.
///
/// # Errors
/// [`OverLimit`].
pub fn check_manifest_size(bytes: u64) -> Result<(), OverLimit> {
    at_most_u64("bytes", bytes, MAX_MANIFEST as u64)
}

/// Checks the number of values in JSON, before it is parsed. Allocates nothing.
///
/// # Errors
/// [`OverLimit`].
pub fn check_values(json: &[u8]) -> Result<(), OverLimit> {
    let (mut separators, mut in_string, mut escaped) = (0, false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            // Each value but the first follows a comma or begins an array or object, whether that is empty or not.
            (false, b',' | b'[' | b'{') => separators += 1,
            _ => {}
        }
    }
    at_most("JSON values", separators, MAX_VALUES)
}

/// Checks the counts and sizes in a statement. A writer calls it before signing, a reader before anything that the
/// statement names is read. Within these limits no sum of sizes or counts overflows.
///
/// # Errors
/// [`OverLimit`] with the first limit that is exceeded.
pub fn check_limits(statement: &Statement) -> Result<(), OverLimit> {
    let Predicate {
        keys,
        clusters,
        infrastructure,
        ..
    } = &statement.predicate;
    at_most("clusters", clusters.len(), MAX_CLUSTERS)?;
    at_most("data keys", keys.len(), MAX_KEYS)?;
    for key in keys {
        at_most("recipients of a data key", key.recipients.len(), MAX_RECIPIENTS)?;
    }
    at_most("subjects", statement.subject.len(), MAX_PACKS)?;
    at_most("packs", statement.predicate.packs().count(), MAX_PACKS)?;
    statement.predicate.packs().try_for_each(check_pack)?;
    if let Some(record) = infrastructure {
        at_most("AWS resources", record.resources.len(), MAX_RESOURCES)?;
        at_most(
            "AWS resources that could not be read",
            record.missing.len(),
            MAX_RESOURCES,
        )?;
        at_most(
            "AWS resources that do not exist",
            record.absent.len(),
            MAX_RESOURCES,
        )?;
    }
    for cluster in clusters {
        at_most("types of a cluster", cluster.types.len(), MAX_TYPES)?;
        at_most_u64("objects of a cluster", cluster.objects, MAX_OBJECTS)?;
        at_most_u64("bytes of objects of a cluster", cluster.bytes, MAX_CLUSTER_BYTES)?;
        for record in &cluster.types {
            if let TypeOutcome::Listed { objects, bytes, .. } = record.outcome {
                at_most_u64("objects of a type", objects, MAX_OBJECTS)?;
                at_most_u64("bytes of objects of a type", bytes, MAX_CLUSTER_BYTES)?;
            }
        }
    }
    Ok(())
}

fn check_pack(pack: &PackRecord) -> Result<(), OverLimit> {
    at_most_u64("bytes of a pack", pack.bytes, MAX_PACK_BYTES)?;
    let frames = pack.bytes.saturating_sub(HEADER_LEN as u64) / MIN_FRAME;
    at_most_u64("frames of a pack", u64::from(pack.frames), frames)
}

#[cfg(test)]
mod tests;
