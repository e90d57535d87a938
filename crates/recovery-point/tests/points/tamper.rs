//! Recovery points that were modified by an attacker who can write to the store but cannot sign.

use std::sync::Arc;

use bytes::Bytes;
use lifeboat_model::{Code, Diagnostic as _, ErrorKind, ObjectKey};
use lifeboat_recovery_point::{PointError, ReadablePoint, Silent};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ObjectStore, Signer};

use crate::sample::*;

const PACKS: [&str; 4] = [
    "eu/p-0000.pack",
    "eu/i-0000.pack",
    "eu/p-0001.pack",
    "eu/i-0001.pack",
];

fn key(point: &str, file: &str) -> ObjectKey {
    ObjectKey::parse(format!("shop/points/{point}/{file}")).unwrap()
}

/// Two recovery points of one application. The newer one is modified.
struct Scene {
    memory: MemoryStore,
    store: Arc<dyn ObjectStore>,
    /// The newer recovery point, opened and decrypted before the modification: the state of a reader that has
    /// verified the manifest and then reads files that have changed.
    held: ReadablePoint,
}

impl Scene {
    fn new() -> Self {
        let memory = MemoryStore::new();
        let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
        let held = wait(async {
            backup(&store, OLDER).await.unwrap();
            backup(&store, NEWER).await.unwrap();
            let opened = vault(&store).open(&point(NEWER), &verifying()).await.unwrap();
            opened.decrypt(&unwrapper()).await.unwrap()
        });
        Self { memory, store, held }
    }

    fn bytes(&self, point: &str, file: &str) -> Bytes {
        wait(self.store.get(&key(point, file))).unwrap().0
    }

    fn put(&self, file: &str, bytes: impl Into<Bytes>) {
        self.memory.overwrite(&key(NEWER, file), bytes.into());
    }

    /// Opens the newer recovery point and compares all digests, which needs no private key.
    fn verify(&self) -> Result<(), PointError> {
        wait(async {
            let opened = vault(&self.store).open(&point(NEWER), &verifying()).await?;
            opened.verify_digests(&Silent).await
        })
    }

    /// Reads everything without comparing the digests of files first.
    fn read(&self) -> Result<(), PointError> {
        wait(self.held.verify_contents(&Silent)).map(drop)
    }

    /// Both ways of reading must fail and name the file.
    #[track_caller]
    fn refused(&self, file: &str, codes: &[Code]) {
        let ways = [("verify", self.verify()), ("read", self.read())];
        for (way, result) in ways {
            let Err(error) = result else {
                panic!("{way} takes {file}")
            };
            let problem = error.problem();
            assert!(codes.contains(&error.code()), "{way}: {problem}");
            assert!(
                problem.to_string().contains(file),
                "{way} does not name {file}: {problem}"
            );
            assert!(
                problem.to_string().contains(NEWER),
                "{way} does not name the point: {problem}"
            );
        }
    }
}

const BROKEN: &[Code] = &[Code::DigestMismatch, Code::PackCorrupt, Code::NewerFormat];

#[test]
fn every_byte_of_a_pack_counts() {
    let scene = Scene::new();
    for file in PACKS {
        let whole = scene.bytes(NEWER, file);
        for at in 0..whole.len() {
            let mut changed = whole.to_vec();
            changed[at] ^= 1 << (at % 8);
            scene.put(file, changed);
            scene.refused(file, BROKEN);
        }
        scene.put(file, whole);
    }
    scene.verify().unwrap();
    scene.read().unwrap();
}

#[test]
fn every_byte_of_the_manifest_counts() {
    let scene = Scene::new();
    let whole = scene.bytes(NEWER, "manifest.json");
    let signed = scene.held.point().statement();
    // DSSE does not sign the hints that name the signer and give its key; the signature matches without them.
    let text = std::str::from_utf8(&whole).unwrap();
    let hints = [
        text.find("\"keyid\"").unwrap()..text.find(",\"sig\"").unwrap(),
        text.find("\"publicKey\"").unwrap()..text.find("\"}]}").unwrap(),
    ];
    for at in 0..whole.len() {
        let mut changed = whole.to_vec();
        changed[at] ^= 1;
        scene.put("manifest.json", changed);
        match wait(vault(&scene.store).open(&point(NEWER), &verifying())) {
            Ok(opened) => {
                let hinted = hints.iter().any(|hint| hint.contains(&at));
                assert!(hinted && opened.statement() == signed, "byte {at}");
            }
            Err(error) => {
                let refused = [Code::SignatureInvalid, Code::ManifestMalformed];
                assert!(refused.contains(&error.code()), "byte {at}: {}", error.problem());
                let words = error.to_string();
                assert!(
                    words.contains(NEWER) && words.contains("manifest.json"),
                    "{words}"
                );
            }
        }
    }
}

#[test]
fn files_that_are_cut_or_go_on_are_refused() {
    let scene = Scene::new();
    for file in PACKS {
        let whole = scene.bytes(NEWER, file);
        let lengths = [
            0,
            1,
            7,
            8,
            9,
            11,
            12,
            27,
            28,
            whole.len() / 2,
            whole.len() - 20,
            whole.len() - 1,
        ];
        for length in lengths {
            scene.put(file, whole.slice(..length));
            scene.refused(file, &[Code::DigestMismatch]);
            // The missing part filled with zeros, as after a crash of a file system.
            let mut zeros = whole.slice(..length).to_vec();
            zeros.resize(whole.len(), 0);
            scene.put(file, zeros);
            scene.refused(file, BROKEN);
        }
        scene.put(file, [whole.as_ref(), b"x"].concat());
        let error = scene.verify().unwrap_err();
        assert_eq!(error.code(), Code::DigestMismatch);
        scene.put(file, whole);
    }
    let manifest = scene.bytes(NEWER, "manifest.json");
    for length in [0, 1, manifest.len() / 2, manifest.len() - 2] {
        scene.put("manifest.json", manifest.slice(..length));
        assert_eq!(
            scene.verify().unwrap_err().code(),
            Code::ManifestMalformed,
            "{length}"
        );
    }
}

#[test]
fn files_in_the_place_of_others_are_refused() {
    let scene = Scene::new();
    for file in PACKS {
        let whole = scene.bytes(NEWER, file);
        for other in PACKS.into_iter().filter(|other| *other != file) {
            scene.put(file, scene.bytes(NEWER, other));
            scene.refused(file, BROKEN);
        }
        scene.put(file, scene.bytes(OLDER, file));
        scene.refused(file, BROKEN);
        scene.put(file, whole);
    }
    // Two files of the same size swapped: the message identifies both.
    let (one, two) = (scene.bytes(NEWER, PACKS[0]), scene.bytes(NEWER, PACKS[2]));
    if one.len() == two.len() {
        scene.put(PACKS[0], two);
        let problem = scene.verify().unwrap_err().problem().to_string();
        assert!(
            problem.contains("contains the data that was signed as eu/p-0001.pack"),
            "{problem}"
        );
    }
}

#[test]
fn a_missing_file_is_named() {
    for file in PACKS {
        let scene = Scene::new();
        wait(scene.store.delete(&key(NEWER, file))).unwrap();
        scene.refused(file, &[Code::PackMissing]);
    }
    let scene = Scene::new();
    wait(scene.store.delete(&key(NEWER, "manifest.json"))).unwrap();
    assert_eq!(scene.verify().unwrap_err().code(), Code::PointNotFound);
}

#[test]
fn an_old_point_in_the_place_of_the_latest_is_refused() {
    let scene = Scene::new();
    for file in PACKS.iter().chain(&["manifest.json"]) {
        scene.put(file, scene.bytes(OLDER, file));
    }
    let error = scene.verify().unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        (Code::PointIdentityMismatch, ErrorKind::Corrupt)
    );
    let problem = error.problem().to_string();
    assert!(problem.contains(OLDER) && problem.contains(NEWER), "{problem}");
}

#[test]
fn a_point_of_another_application_is_refused() {
    let scene = Scene::new();
    let zoo = lifeboat_model::ApplicationName::parse("zoo").unwrap();
    for file in PACKS.iter().chain(&["manifest.json"]) {
        let copy = ObjectKey::parse(format!("zoo/points/{NEWER}/{file}")).unwrap();
        scene.memory.overwrite(&copy, scene.bytes(NEWER, file));
    }
    let vault = lifeboat_recovery_point::PointRepository::new(Arc::clone(&scene.store), zoo);
    let error = wait(vault.open(&point(NEWER), &verifying())).unwrap_err();
    assert_eq!(error.code(), Code::PointIdentityMismatch);
}

#[test]
fn a_manifest_signed_by_a_stranger_is_refused() {
    let scene = Scene::new();
    wait(async {
        let stranger = other_signer();
        let opened = vault(&scene.store)
            .open(&point(NEWER), stranger.verifying_key())
            .await;
        let error = opened.unwrap_err();
        assert_eq!(error.code(), Code::SignatureInvalid);
        let problem = error.problem().to_string();
        for name in [verifying().fingerprint(), stranger.verifying_key().fingerprint()] {
            assert!(problem.contains(name.as_str()), "{problem}");
        }
    });
}
