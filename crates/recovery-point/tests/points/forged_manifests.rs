//! Recovery points that are signed with the right key but contradict themselves, as a faulty or malicious
//! writer could create. The digests of files match; the contents do not.

use std::sync::Arc;

use bytes::Bytes;
use lifeboat_format::manifest::{
    Envelope, FORMAT_VERSION, PackRecord, Predicate, Statement, TypeOutcome, WrappedKeyRecord, pae, payload,
};
use lifeboat_format::{Batch, Compressor, DataKey, IndexBuilder, PackIdentity, PackKind, PackWriter, Sha256};
use lifeboat_model::{Code, Diagnostic as _, ObjectKey, PackName};
use lifeboat_recovery_point::{PointError, Silent, WrittenPacks};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ObjectStore, Signer};

use crate::sample::*;

fn key(file: &str) -> ObjectKey {
    ObjectKey::parse(format!("shop/points/{NEWER}/{file}")).unwrap()
}

/// Signs and stores a statement without our own checks.
async fn sign(store: &dyn ObjectStore, statement: &Statement) {
    let signer = signer();
    let payload = payload(statement);
    let signature = signer.sign(&pae(&payload)).await.unwrap();
    let envelope = Envelope::new(&payload, signer.verifying_key(), &signature);
    store
        .put_new(&key("manifest.json"), envelope.to_bytes().into())
        .await
        .unwrap();
}

/// Opens the recovery point and reads everything; the digests of its files match.
async fn read(store: &Arc<dyn ObjectStore>) -> Result<(), PointError> {
    let opened = vault(store).open(&point(NEWER), &verifying()).await?;
    opened.verify_digests(&Silent).await.unwrap();
    let readable = opened.decrypt(&unwrapper()).await?;
    readable.verify_contents(&Silent).await.map(drop)
}

/// Opens a recovery point whose predicate was changed before it was signed.
fn with_predicate(change: impl FnOnce(&mut Predicate)) -> Result<(), PointError> {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        let packs = capture(&store, NEWER, "eu").await.unwrap();
        let mut predicate = predicate(NEWER, &[("eu", &packs)]);
        change(&mut predicate);
        sign(store.as_ref(), &Statement::new(predicate)).await;
        read(&store).await
    })
}

#[track_caller]
fn assert_lie(result: Result<(), PointError>, code: Code, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{}", error.problem());
    let problem = error.problem().to_string();
    assert!(problem.contains(words), "{problem}");
}

#[test]
fn the_truth_is_taken() {
    with_predicate(|_| ()).unwrap();
}

#[test]
fn counts_that_are_not_true_are_refused() {
    let count = |change: fn(&mut u64, &mut u64)| {
        with_predicate(|predicate| {
            let TypeOutcome::Listed { objects, bytes, .. } = &mut predicate.clusters[0].types[0].outcome
            else {
                unreachable!("the sample lists its types")
            };
            change(objects, bytes);
        })
    };
    assert_lie(
        count(|objects, _| *objects += 1),
        Code::PackCorrupt,
        "contains 10 configmaps",
    );
    assert_lie(
        count(|_, bytes| *bytes -= 1),
        Code::PackCorrupt,
        "contains 10 configmaps",
    );
    let total = with_predicate(|predicate| predicate.clusters[0].objects += 1);
    assert_lie(total, Code::PackCorrupt, "contains 20 objects");
    // The index is in memory as a whole, so that it is not read further than the manifest allows.
    let more = with_predicate(|predicate| predicate.clusters[0].objects = 3);
    assert_lie(more, Code::PackCorrupt, "it names more than the 3 objects");
    let hidden = with_predicate(|predicate| drop(predicate.clusters[0].types.remove(0)));
    assert_lie(
        hidden,
        Code::PackCorrupt,
        "contains configmaps, a type that is not in the manifest",
    );
    let excluded = with_predicate(|predicate| {
        predicate.clusters[0].types[0].outcome = TypeOutcome::Excluded {
            why: "asked".to_owned(),
        };
    });
    assert_lie(excluded, Code::PackCorrupt, "contains 10 configmaps");
}

#[test]
fn frames_that_the_manifest_does_not_count_are_refused() {
    let more = with_predicate(|predicate| predicate.clusters[0].packs[0].frames += 1);
    assert_lie(
        more,
        Code::PackCorrupt,
        "eu/p-0000.pack: it has 4 frames; the manifest lists 5",
    );
}

#[test]
fn a_pack_or_index_left_out_of_the_manifest_is_missed() {
    let index = with_predicate(|predicate| drop(predicate.clusters[0].packs.remove(1)));
    assert_lie(
        index,
        Code::PackCorrupt,
        "eu/p-0000.pack: frame 0 is not in the index",
    );
    let objects = with_predicate(|predicate| drop(predicate.clusters[0].packs.remove(0)));
    assert_lie(
        objects,
        Code::PackCorrupt,
        "eu/p-0000.pack: frame 0: it is in the index but not in the pack",
    );
}

#[test]
fn a_newer_format_is_told_from_a_broken_one() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        let packs = capture(&store, NEWER, "eu").await.unwrap();
        let mut statement = Statement::new(predicate(NEWER, &[("eu", &packs)]));
        statement.predicate.format_version = FORMAT_VERSION + 1;
        sign(store.as_ref(), &statement).await;
        let error = read(&store).await.unwrap_err();
        assert_eq!(error.code(), Code::NewerFormat);
        assert_eq!(error.guidance(), "use a newer lifeboat");
    });
}

#[test]
fn a_point_that_names_a_key_it_does_not_have_is_refused() {
    let result = with_predicate(|predicate| predicate.keys.clear());
    assert_lie(result, Code::ManifestMalformed, "k-eu");
}

#[test]
fn a_damaged_data_key_does_not_unlock() {
    let result = with_predicate(|predicate| predicate.keys[0].recipients[0].wrapped[17] ^= 1);
    assert_lie(result, Code::PackCorrupt, "unwrap the data key");
}

/// A pack of objects and an index that are constructed by the test and signed as they are.
struct Forgery {
    data_key: DataKey,
    store: Arc<dyn ObjectStore>,
    packs: Vec<PackRecord>,
}

impl Forgery {
    fn new() -> Self {
        let data_key = DataKey::from_random([9; 32]);
        Self {
            data_key,
            store: Arc::new(MemoryStore::new()),
            packs: Vec::new(),
        }
    }

    fn writer(&self, kind: PackKind, name: &PackName) -> PackWriter {
        let identity = PackIdentity {
            application: &shop(),
            cluster: Some(&cluster("eu")),
            point: &point(NEWER),
            name,
        };
        PackWriter::new(kind, &self.data_key, identity).unwrap()
    }

    /// Writes a pack under `name`, encrypted for the name `encrypted_as`.
    fn pack(&mut self, name: &str, encrypted_as: &str, kind: PackKind, frames: &[Vec<u8>]) -> Vec<u8> {
        let encrypted_as = PackName::parse(encrypted_as).unwrap();
        let mut writer = self.writer(kind, &encrypted_as);
        let mut bytes = Vec::new();
        for frame in frames {
            writer.append(frame, &mut bytes).unwrap();
        }
        let mut summary = writer.finish(&mut bytes).unwrap();
        summary.sha256 = Sha256::of(&bytes);
        let name = PackName::parse(name).unwrap();
        wait(
            self.store
                .put_new(&key(name.as_str()), Bytes::from(bytes.clone())),
        )
        .unwrap();
        self.packs.push(PackRecord::new(name, kind, "k-eu", &summary));
        bytes
    }

    /// Writes the objects in `stored` as frames, and an index with entries for those in `indexed`.
    fn objects(&mut self, stored: &[Batch], indexed: &[Batch]) {
        let name = PackName::parse("eu/p-0000.pack").unwrap();
        let frames: Vec<_> = stored.iter().map(|b| b.compressed.clone()).collect();
        self.pack(name.as_str(), name.as_str(), PackKind::Objects, &frames);
        // The locations that the frames of the index would have in a separate pack.
        let mut places = self.writer(PackKind::Objects, &name);
        let (mut builder, mut nowhere) = (IndexBuilder::new(), Vec::new());
        for batch in indexed {
            let location = places.append(&batch.compressed, &mut nowhere).unwrap();
            builder.add(&name, location, batch);
        }
        let lines = builder.finish(&mut Compressor::new().unwrap()).unwrap();
        self.pack("eu/i-0000.pack", "eu/i-0000.pack", PackKind::Index, &[lines]);
    }

    fn read(&self) -> Result<(), PointError> {
        let all = batches(NEWER);
        let written = WrittenPacks {
            packs: self.packs.clone(),
            key: WrappedKeyRecord::wrap(
                "k-eu",
                &shop(),
                Some(&cluster("eu")),
                &self.data_key,
                &[recipient()],
            )
            .unwrap(),
            objects: 2 * OBJECTS as u64,
            bytes: all.iter().map(|b| b.raw_bytes).sum(),
        };
        wait(async {
            let statement = Statement::new(predicate(NEWER, &[("eu", &written)]));
            sign(self.store.as_ref(), &statement).await;
            read(&self.store).await
        })
    }
}

#[test]
fn an_honest_forgery_is_taken() {
    let mut forgery = Forgery::new();
    forgery.objects(&batches(NEWER), &batches(NEWER));
    forgery.read().unwrap();
}

#[test]
fn a_frame_that_the_index_does_not_name_is_refused() {
    let mut forgery = Forgery::new();
    forgery.objects(&batches(NEWER), &batches(NEWER)[..3]);
    assert_lie(
        forgery.read(),
        Code::PackCorrupt,
        "eu/p-0000.pack: frame 3 is not in the index",
    );
}

#[test]
fn a_frame_that_only_the_index_names_is_refused() {
    let mut forgery = Forgery::new();
    forgery.objects(&batches(NEWER)[..3], &batches(NEWER));
    assert_lie(
        forgery.read(),
        Code::PackCorrupt,
        "eu/p-0000.pack: frame 3: it is in the index but not in the pack",
    );
}

#[test]
fn objects_that_are_not_those_of_the_index_are_refused() {
    let honest = batches(NEWER);
    type Lie = (&'static str, fn(&mut Batch));
    let cases: [Lie; 4] = [
        ("the digest of object 2 differs", |batch| {
            batch.entries[2].digest.0[0] ^= 1
        }),
        ("the length of object 2 differs", |batch| {
            batch.entries[2].bytes += 1
        }),
        ("object 2 is not the one", |batch| batch.entries[2].name.push('x')),
        ("it contains more than the 4 objects", |batch| {
            drop(batch.entries.pop())
        }),
    ];
    for (words, change) in cases {
        let mut lying = honest.clone();
        change(&mut lying[1]);
        let mut forgery = Forgery::new();
        forgery.objects(&honest, &lying);
        assert_lie(forgery.read(), Code::PackCorrupt, words);
    }
}

#[test]
fn frames_that_were_exchanged_are_refused() {
    let honest = batches(NEWER);
    let mut exchanged = honest.clone();
    exchanged.swap(0, 1);
    let mut forgery = Forgery::new();
    forgery.objects(&exchanged, &honest);
    assert_lie(forgery.read(), Code::PackCorrupt, "eu/p-0000.pack");
}

#[test]
fn a_pack_encrypted_under_another_name_is_refused() {
    let mut forgery = Forgery::new();
    forgery.objects(&batches(NEWER), &batches(NEWER));
    let frames = [batches(NEWER)[0].compressed.clone()];
    forgery.pack("eu/p-0001.pack", "eu/p-0002.pack", PackKind::Objects, &frames);
    assert_lie(forgery.read(), Code::PackCorrupt, "eu/p-0001.pack");
}

#[test]
fn an_index_that_is_no_index_is_refused() {
    let mut compressor = Compressor::new().unwrap();
    for lines in [
        "nonsense\n",
        "[\"\",\"a\",\"x\",1]\n",
        "{\"pack\":\"../../x.pack\"}\n",
    ] {
        let mut forgery = Forgery::new();
        let frame = compressor.compress(lines.as_bytes()).unwrap();
        forgery.pack("eu/i-0000.pack", "eu/i-0000.pack", PackKind::Index, &[frame]);
        assert_lie(forgery.read(), Code::PackCorrupt, "eu/i-0000.pack");
    }
}

#[test]
fn objects_stay_unread_where_the_index_lies() {
    let honest = batches(NEWER);
    let mut lying = honest.clone();
    lying[1].entries[2].digest.0[0] ^= 1;
    let mut forgery = Forgery::new();
    forgery.objects(&honest, &lying);
    forgery.read().unwrap_err();
    wait(async {
        let opened = vault(&forgery.store)
            .open(&point(NEWER), &verifying())
            .await
            .unwrap();
        let readable = opened.decrypt(&unwrapper()).await.unwrap();
        let index = readable.index(&cluster("eu")).await.unwrap();
        readable.batch(&index, 0).await.unwrap();
        let error = readable.batch(&index, 1).await.unwrap_err();
        assert_eq!(error.code(), Code::PackCorrupt);
    });
}
