//! A small application with one or two clusters, and everything that is needed to back it up.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use futures::executor::block_on;
use lifeboat_filesystem::keys::{load_recipient, load_verifying};
use lifeboat_filesystem::{PemSigner, PemUnwrapper};
use lifeboat_format::manifest::{
    ClusterRecord, Completeness, FORMAT_VERSION, Predicate, ServerRecord, Tool, TypeOutcome, TypeRecord,
};
use lifeboat_format::{Batch, BatchBuilder, Compressor, RecipientKey, Statement, VerifyingKey};
use lifeboat_model::{ApplicationName, ClusterName, Code, Diagnostic as _, Filter, RecoveryPointId};
use lifeboat_recovery_point::{PointRepository, PointWriter, SealError, WriteError, WrittenPacks, seal};
use lifeboat_store::ports::{ObjectStore, Randomness};

pub(crate) const OLDER: &str = "20261121T100000Z-aaaaaa";
pub(crate) const NEWER: &str = "20261121T110000Z-bbbbbb";
pub(crate) const NEXT: &str = "20261121T120000Z-cccccc";

/// The number of objects of each of the two types in a cluster.
pub(crate) const OBJECTS: usize = 10;

/// Returns the folder with the recovery point of a format version, as written by that version.
pub(crate) fn fixture_of(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/point-v{version}"))
}

/// Returns a key file that all tests and fixtures share. The keys are those of the first version.
pub(crate) fn fixture(name: &str) -> PathBuf {
    fixture_of(1).join(name)
}

pub(crate) fn shop() -> ApplicationName {
    ApplicationName::parse("shop").unwrap()
}

pub(crate) fn point(id: &str) -> RecoveryPointId {
    RecoveryPointId::parse(id).unwrap()
}

pub(crate) fn cluster(name: &str) -> ClusterName {
    ClusterName::parse(name).unwrap()
}

pub(crate) fn recipient() -> RecipientKey {
    load_recipient(&fixture("keys/recovery.pub.pem")).unwrap()
}

pub(crate) fn unwrapper() -> PemUnwrapper {
    PemUnwrapper::load(&fixture("keys/recovery.key.pem")).unwrap()
}

pub(crate) fn signer() -> PemSigner {
    PemSigner::load(&fixture("keys/signing.key.pem")).unwrap()
}

pub(crate) fn other_signer() -> PemSigner {
    PemSigner::load(&fixture("keys/other-signing.key.pem")).unwrap()
}

pub(crate) fn verifying() -> VerifyingKey {
    load_verifying(&fixture("keys/signing.pub.pem")).unwrap()
}

/// A predictable sequence instead of random numbers.
#[derive(Default)]
pub(crate) struct Counting(AtomicU8);

impl Randomness for Counting {
    fn random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub(crate) fn vault(store: &Arc<dyn ObjectStore>) -> PointRepository {
    PointRepository::new(Arc::clone(store), shop())
}

pub(crate) fn object(kind: &str, number: usize, point: &str) -> String {
    format!(
        r#"{{"metadata":{{"name":"{kind}-{number}","namespace":"shop","uid":"{point}-{kind}-{number}"}},"data":{{"n":{number}}}}}"#
    )
}

/// Returns a batch of objects of a type with these numbers.
pub(crate) fn batch(kind: &str, resource: &str, numbers: std::ops::Range<usize>, point: &str) -> Batch {
    let mut builder = BatchBuilder::new("v1", kind, resource.into());
    for number in numbers {
        builder
            .push(object(&kind.to_lowercase(), number, point).as_bytes())
            .unwrap();
    }
    builder.finish(&mut Compressor::new().unwrap()).unwrap()
}

/// Returns the batches of a cluster: two types, in two frames each.
pub(crate) fn batches(point: &str) -> Vec<Batch> {
    let half = OBJECTS / 2;
    vec![
        batch("ConfigMap", "configmaps", 0..half, point),
        batch("ConfigMap", "configmaps", half..OBJECTS, point),
        batch("Secret", "secrets", 0..half, point),
        batch("Secret", "secrets", half..OBJECTS, point),
    ]
}

pub(crate) fn writer(
    store: &Arc<dyn ObjectStore>,
    point_id: &str,
    name: &str,
) -> Result<PointWriter, WriteError> {
    let writer = PointWriter::create(
        Arc::clone(store),
        &shop(),
        &point(point_id),
        &cluster(name),
        &[recipient()],
        &Counting::default(),
    )?;
    // Two frames in a pack, several pieces in an upload.
    Ok(writer
        .with_key_id(format!("k-{name}"))
        .with_pack_bytes(400)
        .with_piece(150))
}

/// The errors of a backup.
#[derive(Debug)]
pub(crate) enum BackupError {
    Write(WriteError),
    Seal(SealError),
}

impl BackupError {
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Write(error) => error.code(),
            Self::Seal(error) => error.code(),
        }
    }
}

/// Writes the packs of one cluster.
pub(crate) async fn capture(
    store: &Arc<dyn ObjectStore>,
    point_id: &str,
    name: &str,
) -> Result<WrittenPacks, WriteError> {
    let mut writer = writer(store, point_id, name)?;
    for batch in batches(point_id) {
        writer.append(batch).await?;
    }
    writer.finish().await
}

pub(crate) fn record(name: &str, packs: &WrittenPacks, batches: &[Batch]) -> ClusterRecord {
    let types = [
        ("ConfigMap", "configmaps"),
        ("Secret", "secrets"),
        ("Pod", "pods"),
    ];
    ClusterRecord {
        name: cluster(name),
        server: ServerRecord {
            kube_system_uid: Some("0000-1111".to_owned()),
            version: "v1.36.3".to_owned(),
            platform: "linux/amd64".to_owned(),
        },
        resource_version: Some("12345".to_owned()),
        started_at: "2026-11-21T10:00:00Z".parse().unwrap(),
        finished_at: "2026-11-21T10:00:07Z".parse().unwrap(),
        filters: Filter::default(),
        objects: packs.objects,
        bytes: packs.bytes,
        types: types
            .iter()
            .map(|(kind, resource)| type_record(kind, resource, batches))
            .collect(),
        missing: Vec::new(),
        packs: packs.packs.clone(),
        dependencies: [("images".to_owned(), vec!["registry.example/shop:1".to_owned()])].into(),
    }
}

fn type_record(kind: &str, resource: &str, batches: &[Batch]) -> TypeRecord {
    let of_type = || batches.iter().filter(|b| b.type_name.as_str() == resource);
    TypeRecord {
        group: String::new(),
        version: "v1".to_owned(),
        resource: resource.to_owned(),
        kind: kind.to_owned(),
        namespaced: true,
        short_names: Vec::new(),
        singular: kind.to_lowercase(),
        verbs: vec!["create".to_owned(), "get".to_owned(), "list".to_owned()],
        served_versions: vec!["v1".to_owned()],
        custom: false,
        outcome: TypeOutcome::Listed {
            resource_version: Some("12345".to_owned()),
            pinned: true,
            why: None,
            objects: of_type().map(|b| b.entries.len() as u64).sum(),
            bytes: of_type().map(|b| b.raw_bytes).sum(),
        },
    }
}

/// Returns the predicate of a recovery point with these clusters.
pub(crate) fn predicate(point_id: &str, clusters: &[(&str, &WrittenPacks)]) -> Predicate {
    let batches = batches(point_id);
    Predicate {
        infrastructure: None,
        format_version: FORMAT_VERSION,
        application: shop(),
        point: point(point_id),
        created_at: "2026-11-21T10:00:08Z".parse().unwrap(),
        tool: Tool {
            name: "lifeboat".to_owned(),
            version: "0.1.0".to_owned(),
        },
        completeness: Completeness::Complete,
        keys: clusters.iter().map(|(_, packs)| packs.key.clone()).collect(),
        clusters: clusters
            .iter()
            .map(|(name, packs)| record(name, packs, &batches))
            .collect(),
    }
}

/// Runs a whole backup of one cluster: packs, then the seal.
pub(crate) async fn backup(store: &Arc<dyn ObjectStore>, point_id: &str) -> Result<Statement, BackupError> {
    let packs = capture(store, point_id, "eu").await.map_err(BackupError::Write)?;
    seal(store.as_ref(), &signer(), predicate(point_id, &[("eu", &packs)]))
        .await
        .map(|sealed| sealed.statement)
        .map_err(BackupError::Seal)
}

/// Opens a recovery point and verifies everything in it.
pub(crate) async fn assert_whole(store: &Arc<dyn ObjectStore>, point_id: &str) {
    let opened = vault(store).open(&point(point_id), &verifying()).await.unwrap();
    opened
        .verify_digests(&lifeboat_recovery_point::Silent)
        .await
        .unwrap();
    let readable = opened.decrypt(&unwrapper()).await.unwrap();
    let report = readable
        .verify_contents(&lifeboat_recovery_point::Silent)
        .await
        .unwrap();
    assert_eq!(report.objects, 2 * OBJECTS as u64);
}

/// Runs a future that needs no runtime.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    block_on(work)
}
