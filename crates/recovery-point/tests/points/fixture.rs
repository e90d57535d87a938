//! One recovery point of every format version, kept as it was written by that version. All later versions
//! must open, verify and decrypt it.

use std::sync::Arc;

use futures::TryStreamExt;
use lifeboat_filesystem::FolderStore;
use lifeboat_format::manifest::{Completeness, FORMAT_VERSION};
use lifeboat_recovery_point::{ReadablePoint, Silent, seal};
use lifeboat_store::ports::ObjectStore;

use crate::descriptions::{DOCUMENT, described, written};
use crate::sample::*;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

/// Writes the fixture if it does not exist. It is not reproducible byte by byte, because wrapping a key and
/// signing use random numbers, and is not meant to be regenerated: a new format version gets a new folder,
/// and existing ones stay.
///
/// `cargo test -p lifeboat-recovery-point --test points -- --ignored write_the_fixture`
#[test]
#[ignore = "writes the fixture; run once for each format version"]
fn write_the_fixture() {
    let folder = fixture_of(FORMAT_VERSION).join("store");
    assert!(!folder.exists(), "a fixture is written once");
    let store: Arc<dyn ObjectStore> = Arc::new(FolderStore::create(folder).unwrap());
    run(async {
        let (eu, us) = (
            capture(&store, NEWER, "eu").await.unwrap(),
            capture(&store, NEWER, "us").await.unwrap(),
        );
        let mut predicate = predicate(NEWER, &[("eu", &eu), ("us", &us)]);
        let described = written(&store, NEWER, described()).await;
        predicate.keys.extend(described.key);
        predicate.infrastructure = Some(described.record);
        seal(store.as_ref(), &signer(), predicate).await.unwrap();
    });
}

#[test]
fn a_point_of_version_1_still_opens_verifies_and_decrypts() {
    opens_verifies_and_decrypts(1);
}

#[test]
fn a_point_of_version_2_still_opens_verifies_and_decrypts() {
    opens_verifies_and_decrypts(2);
}

#[test]
fn a_point_of_version_3_still_opens_verifies_and_decrypts() {
    opens_verifies_and_decrypts(3);
}

#[test]
fn a_point_of_version_4_still_opens_verifies_and_decrypts() {
    opens_verifies_and_decrypts(4);
    run(async {
        let document = readable(4).await.descriptions(&Silent).await.unwrap();
        assert_eq!(document.unwrap(), DOCUMENT);
    });
}

/// `diff` compares the entries of indexes, whichever version wrote them.
#[test]
fn points_of_all_versions_have_the_same_entries_for_the_same_objects() {
    let entries = |version| {
        run(async {
            let readable = readable(version).await;
            let index = readable.index(&cluster("eu")).await.unwrap();
            index
                .iter()
                .map(|located| located.entry.clone())
                .collect::<Vec<_>>()
        })
    };
    let first = entries(1);
    assert_eq!(first.len(), 2 * OBJECTS);
    assert_eq!(first, entries(2));
    assert_eq!(first, entries(3));
    assert_eq!(first, entries(4));
}

async fn readable(version: u32) -> ReadablePoint {
    let store = FolderStore::open(fixture_of(version).join("store")).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let opened = vault(&store).open(&point(NEWER), &verifying()).await.unwrap();
    opened.decrypt(&unwrapper()).await.unwrap()
}

fn opens_verifies_and_decrypts(version: u32) {
    let store = FolderStore::open(fixture_of(version).join("store")).unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    run(async {
        let latest = vault(&store).resolve("latest", &verifying()).await.unwrap().point;
        assert_eq!(latest, point(NEWER));
        let opened = vault(&store).open(&latest, &verifying()).await.unwrap();
        let predicate = &opened.statement().predicate;
        assert_eq!(predicate.format_version, version);
        assert_eq!(predicate.completeness, Completeness::Complete);
        opened.verify_digests(&Silent).await.unwrap();
        let readable = opened.decrypt(&unwrapper()).await.unwrap();
        let report = readable.verify_contents(&Silent).await.unwrap();
        assert_eq!((report.packs, report.frames, report.objects), (4, 8, 40));
        for name in ["eu", "us"] {
            let index = readable.index(&cluster(name)).await.unwrap();
            let batches: Vec<_> = readable
                .objects(index.into_numbered())
                .try_collect()
                .await
                .unwrap();
            let last = batches[3].object(4).unwrap();
            assert_eq!(
                std::str::from_utf8(&last).unwrap(),
                format!(
                    r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"secret-9","namespace":"shop","uid":"{NEWER}-secret-9"}},"data":{{"n":9}}}}"#
                )
            );
        }
    });
}
