//! The descriptions of AWS resources in a recovery point: one document for all clusters.

use bytes::Bytes;
use jiff::Timestamp;
use lifeboat_format::manifest::{
    InfrastructureRecord, PackRecord, ResourceRecord, UnreadRecord, WrappedKeyRecord,
};
use lifeboat_format::{Compressor, DataKey, PackIdentity, PackKind, PackWriter, RecipientKey};
use lifeboat_model::{AccountId, ApplicationName, RecoveryPointId, Region};
use lifeboat_store::ports::{ObjectStore, Randomness};
use zeroize::Zeroizing;

use crate::layout::{descriptions_name, file_key};
use crate::writer::{WriteError, pack_error, store_error};

/// The id of the data key of the descriptions.
pub const DESCRIPTIONS_KEY: &str = "k-infrastructure";

/// What is known about the AWS resources that the clusters stand on.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedInfrastructure {
    /// The account that was read.
    pub account: AccountId,
    /// The Region that was read.
    pub region: Region,
    /// The time of the description.
    pub described_at: Timestamp,
    /// The resources that are described.
    pub resources: Vec<ResourceRecord>,
    /// What could not be read.
    pub missing: Vec<UnreadRecord>,
    /// What the clusters name and AWS does not have.
    pub absent: Vec<UnreadRecord>,
    /// The document with the descriptions: JSON without a line feed. Empty if nothing could be read.
    pub document: Bytes,
}

/// Descriptions that are in the store, ready for the manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct CapturedInfrastructure {
    /// The record in the manifest.
    pub record: InfrastructureRecord,
    /// The wrapped data key of its pack.
    pub key: Option<WrappedKeyRecord>,
}

/// Writes the descriptions as a pack of their own. `attempt` is part of its name: a file is written only once, and what
/// an earlier attempt left is not used. The file has no effect until a manifest references it.
///
/// # Errors
/// [`WriteError`].
pub async fn write_descriptions(
    store: &dyn ObjectStore,
    application: &ApplicationName,
    point: &RecoveryPointId,
    attempt: u32,
    described: DescribedInfrastructure,
    recipients: &[RecipientKey],
    ids: &dyn Randomness,
) -> Result<CapturedInfrastructure, WriteError> {
    let mut captured = CapturedInfrastructure {
        record: InfrastructureRecord {
            account: described.account,
            region: described.region,
            described_at: described.described_at,
            resources: described.resources,
            missing: described.missing,
            absent: described.absent,
            pack: None,
        },
        key: None,
    };
    if described.document.is_empty() {
        return Ok(captured);
    }
    let mut random = Zeroizing::new([0; 32]);
    ids.random(random.as_mut());
    let data_key = DataKey::from_random(*random);
    let key = WrappedKeyRecord::wrap(DESCRIPTIONS_KEY, application, None, &data_key, recipients)
        .map_err(WriteError::Wrap)?;
    let name = descriptions_name(attempt);
    let identity = PackIdentity {
        application,
        cluster: None,
        point,
        name: &name,
    };
    let mut line = described.document.to_vec();
    line.push(b'\n');
    let mut compressor = Compressor::new().map_err(WriteError::Compress)?;
    let compressed = compressor.compress(&line).map_err(WriteError::Compress)?;
    let mut file = Vec::with_capacity(compressed.len() + 64);
    let mut pack = PackWriter::new(PackKind::Descriptions, &data_key, identity).map_err(pack_error(&name))?;
    pack.append(&compressed, &mut file).map_err(pack_error(&name))?;
    let summary = pack.finish(&mut file).map_err(pack_error(&name))?;
    let place = file_key(application, point, &name);
    store
        .put_new(&place, file.into())
        .await
        .map_err(store_error(&name))?;
    let record = PackRecord::new(name, PackKind::Descriptions, DESCRIPTIONS_KEY, &summary);
    captured.record.pack = Some(record);
    captured.key = Some(key);
    Ok(captured)
}
