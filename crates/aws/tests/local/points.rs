//! Recovery points in S3: written, interrupted at every call, sealed with KMS, listed, opened, read.

use std::sync::Arc;

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use bytes::Bytes;
use lifeboat_aws::{KmsSigner, S3Location, S3Store};
use lifeboat_filesystem::PemUnwrapper;
use lifeboat_filesystem::keys::{generate, load_recipient};
use lifeboat_format::manifest::{
    ClusterRecord, Completeness, FORMAT_VERSION, Predicate, ServerRecord, Tool, TypeOutcome, TypeRecord,
};
use lifeboat_format::{BatchBuilder, Compressor, RecipientKey};
use lifeboat_model::{ApplicationName, ClusterName, Filter, ObjectKey, RecoveryPointId};
use lifeboat_recovery_point::{PointRepository, PointState, PointWriter, Silent, WrittenPacks, seal};
use lifeboat_store::failing::{FailingStore, Fault, Moment};
use lifeboat_store::memory::MemoryLock;
use lifeboat_store::ports::{ObjectStore, Signer as _};
use lifeboat_system::SystemRandomness;

use crate::fixture::{bucket, context, run, s3, store};
use crate::keys::key;

const OLDER: &str = "20261121T100000Z-aaaaaa";
const NEWER: &str = "20261121T110000Z-bbbbbb";
const NEXT: &str = "20261121T120000Z-cccccc";
const OBJECTS: u64 = 8;
/// The padding of each object in bytes with which a pack has two parts. It compresses to half of this.
const LARGE: usize = 5 << 19;

/// The keys of a backup and of a restore.
struct Keys {
    signer: KmsSigner,
    recipients: [RecipientKey; 1],
    unwrapper: PemUnwrapper,
}

impl Keys {
    async fn new() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let files = generate(folder.path()).unwrap();
        let signing = key(KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
        Self {
            signer: KmsSigner::open(&context(), &signing).await.unwrap(),
            recipients: [load_recipient(&files.recovery_public).unwrap()],
            unwrapper: PemUnwrapper::load(&files.recovery_key).unwrap(),
        }
    }
}

fn shop() -> ApplicationName {
    ApplicationName::parse("shop").unwrap()
}

fn point(id: &str) -> RecoveryPointId {
    RecoveryPointId::parse(id).unwrap()
}

fn vault(store: &Arc<dyn ObjectStore>) -> PointRepository {
    PointRepository::new(Arc::clone(store), shop())
}

/// Packs and seals one cluster. `padding` is added to each object, in bytes.
async fn backup(store: &Arc<dyn ObjectStore>, id: &str, keys: &Keys, padding: usize) -> Result<(), String> {
    let cluster = ClusterName::parse("eu").unwrap();
    let made = PointWriter::create(
        Arc::clone(store),
        &shop(),
        &point(id),
        &cluster,
        &keys.recipients,
        &SystemRandomness,
    );
    let mut writer = made.map_err(|e| e.to_string())?;
    if padding == 0 {
        // Several packs, and several pieces per upload.
        writer = writer.with_pack_bytes(400).with_piece(150);
    }
    for half in [0..OBJECTS / 2, OBJECTS / 2..OBJECTS] {
        let mut batch = BatchBuilder::new("v1", "ConfigMap", "configmaps".into());
        for number in half {
            // Random bytes in hexadecimal, so that compression halves the size and not more.
            let mut noise = vec![0; padding / 2];
            lifeboat_store::ports::Randomness::random(&SystemRandomness, &mut noise);
            let text = hex::encode(noise);
            let object = format!(
                r#"{{"metadata":{{"name":"n-{number}","namespace":"shop","uid":"u-{number}"}},"data":{{"n":"{text}"}}}}"#
            );
            batch.push(object.as_bytes()).unwrap();
        }
        let batch = batch.finish(&mut Compressor::new().unwrap()).unwrap();
        writer.append(batch).await.map_err(|e| e.to_string())?;
    }
    let packs = writer.finish().await.map_err(|e| e.to_string())?;
    let sealed = seal(store.as_ref(), &keys.signer, predicate(id, cluster, packs)).await;
    sealed.map(drop).map_err(|e| e.to_string())
}

fn predicate(id: &str, cluster: ClusterName, packs: WrittenPacks) -> Predicate {
    let listed = TypeRecord {
        group: String::new(),
        version: "v1".to_owned(),
        resource: "configmaps".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespaced: true,
        short_names: Vec::new(),
        singular: "configmap".to_owned(),
        verbs: vec!["list".to_owned()],
        served_versions: vec!["v1".to_owned()],
        custom: false,
        outcome: TypeOutcome::Listed {
            resource_version: Some("12345".to_owned()),
            pinned: true,
            why: None,
            objects: packs.objects,
            bytes: packs.bytes,
        },
    };
    Predicate {
        infrastructure: None,
        format_version: FORMAT_VERSION,
        application: shop(),
        point: point(id),
        created_at: "2026-11-21T10:00:08Z".parse().unwrap(),
        tool: Tool {
            name: "lifeboat".to_owned(),
            version: "0.1.0".to_owned(),
        },
        completeness: Completeness::Complete,
        keys: vec![packs.key],
        clusters: vec![ClusterRecord {
            name: cluster,
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
            types: vec![listed],
            missing: Vec::new(),
            packs: packs.packs,
            dependencies: std::collections::BTreeMap::new(),
        }],
    }
}

async fn assert_whole(store: &Arc<dyn ObjectStore>, id: &str, keys: &Keys) {
    let opened = vault(store)
        .open(&point(id), keys.signer.verifying_key())
        .await
        .unwrap();
    opened.verify_digests(&Silent).await.unwrap();
    let readable = opened.decrypt(&keys.unwrapper).await.unwrap();
    let report = readable.verify_contents(&Silent).await.unwrap();
    assert_eq!(report.objects, OBJECTS);
}

/// Interrupts a backup at every call with an effect, each time in a folder of its own in the bucket.
async fn killed_at_every_call(location: &S3Location, padding: usize, moments: &[Moment]) -> u64 {
    let keys = Keys::new().await;
    let mut calls = 0;
    for moment in moments {
        for call in 0.. {
            let at = format!("{moment:?}-{call}");
            let place = store(location.below(&ObjectKey::parse(at.clone()).unwrap()));
            let whole: Arc<dyn ObjectStore> = Arc::new(place.clone());
            backup(&whole, OLDER, &keys, 0).await.unwrap();
            let failing = Arc::new(FailingStore::new(place, Fault::at(call, *moment)));
            let through: Arc<dyn ObjectStore> = failing.clone();
            let result = backup(&through, NEWER, &keys, padding).await;
            if !failing.is_crashed() {
                result.unwrap();
                calls = call;
                break;
            }
            result.unwrap_err();
            check_after_death(&whole, &keys, &at).await;
        }
    }
    calls
}

async fn check_after_death(store: &Arc<dyn ObjectStore>, keys: &Keys, at: &str) {
    assert_whole(store, OLDER, keys).await;
    let points = vault(store).points(keys.signer.verifying_key()).await.unwrap();
    let ids: Vec<&str> = points.iter().map(|p| p.point.as_str()).collect();
    assert!(ids == [OLDER] || ids == [OLDER, NEWER], "{at}: {ids:?}");
    for summary in &points {
        assert!(
            matches!(summary.state, PointState::Signed { .. }),
            "{at}: {summary:?}"
        );
    }
    if ids.len() == 2 {
        assert_whole(store, NEWER, keys).await;
    }
    let lock = MemoryLock::new(shop());
    vault(store).prune_incomplete(&lock).await.unwrap();
    let folders = store.list_folders("shop/points/").await.unwrap();
    assert_eq!(folders, ids, "{at}");
    backup(store, NEXT, keys, 0).await.unwrap();
    assert_whole(store, NEXT, keys).await;
}

#[test]
fn a_backup_killed_at_any_call_harms_nothing() {
    run(async {
        let calls = killed_at_every_call(&bucket().await, 0, &Moment::ALL).await;
        // For each of two packs with its index: the start of an upload, at least one piece, and its end; then the
        // manifest.
        assert!(calls >= 8, "{calls}");
    });
}

/// Only parts of an upload remain, which are not visible; the bucket's lifecycle rule removes them.
#[test]
fn a_backup_killed_in_the_middle_of_a_large_pack_harms_nothing() {
    run(async {
        let location = bucket().await;
        killed_at_every_call(&location, LARGE, &[Moment::After]).await;
        let pending = s3()
            .list_multipart_uploads()
            .bucket(&location.bucket)
            .send()
            .await;
        assert!(
            !pending.unwrap().uploads().is_empty(),
            "no death left parts behind"
        );
    });
}

#[test]
fn a_pack_that_was_changed_in_the_bucket_is_found_out() {
    run(async {
        let keys = Keys::new().await;
        let place: S3Store = store(bucket().await);
        let shared: Arc<dyn ObjectStore> = Arc::new(place.clone());
        backup(&shared, NEWER, &keys, LARGE).await.unwrap();
        assert_whole(&shared, NEWER, &keys).await;
        let pack = ObjectKey::parse(format!("shop/points/{NEWER}/eu/p-0000.pack")).unwrap();
        let (bytes, tag) = place.get(&pack).await.unwrap();
        let mut forged = bytes.to_vec();
        *forged.last_mut().unwrap() ^= 1;
        place.replace(&pack, &tag, Bytes::from(forged)).await.unwrap();
        let opened = vault(&shared)
            .open(&point(NEWER), keys.signer.verifying_key())
            .await
            .unwrap();
        opened.verify_digests(&Silent).await.unwrap_err();
    });
}
