//! The conformance suite of stores, as tests that panic. An adapter runs [`all`] in its own tests; each check
//! gets a new, empty store from the factory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use lifeboat_format::Sha256;
use lifeboat_model::{Code, Diagnostic as _, ErrorKind, ObjectKey};

use crate::ports::{ETag, ObjectStore, StoreError};

/// Creates an empty store.
pub type Factory<'a> = &'a dyn Fn() -> Box<dyn ObjectStore>;

/// Runs every check.
pub async fn all(make: Factory<'_>) {
    what_was_put_is_read(make().as_ref()).await;
    keys_are_written_once(make().as_ref()).await;
    one_of_many_creators_wins(make().as_ref()).await;
    replacing_needs_the_current_tag(make().as_ref()).await;
    one_of_many_replacers_wins(make().as_ref()).await;
    ranges_are_exact(make().as_ref()).await;
    listings_are_ordered_and_paged(make().as_ref()).await;
    folders_are_common_prefixes(make().as_ref()).await;
    deleting_is_idempotent(make().as_ref()).await;
    uploads_are_invisible_until_finished(make().as_ref()).await;
    uploads_do_not_overwrite(make().as_ref()).await;
    one_of_many_uploads_wins(make().as_ref()).await;
    abandoned_uploads_leave_nothing(make().as_ref()).await;
    large_uploads_keep_every_byte(make().as_ref()).await;
    announced_digests_are_checked(make().as_ref()).await;
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

fn text(bytes: &'static str) -> Bytes {
    Bytes::from_static(bytes.as_bytes())
}

#[track_caller]
fn assert_conflict<T: std::fmt::Debug>(result: Result<T, StoreError>, name: &str) {
    let error = result.expect_err("the key is taken");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!(error.code(), Code::StoreConflict, "{error}");
    assert!(error.to_string().contains(name), "{error} does not name {name}");
}

#[track_caller]
fn assert_gone<T: std::fmt::Debug>(result: Result<T, StoreError>, name: &str) {
    let error = result.expect_err("there is no such key");
    assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
    assert!(error.to_string().contains(name), "{error} does not name {name}");
}

async fn names(store: &dyn ObjectStore, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let listed = store.list(prefix, after, limit).await.unwrap();
    listed.into_iter().map(|l| l.key.to_string()).collect()
}

async fn what_was_put_is_read(store: &dyn ObjectStore) {
    let name = key("shop/points/a.json");
    assert_gone(store.get(&name).await, "shop/points/a.json");
    assert_gone(store.head(&name).await, "shop/points/a.json");
    assert_gone(store.get_range(&name, 0..0).await, "shop/points/a.json");
    let put = store.put_new(&name, text("hello")).await.unwrap();
    let (bytes, etag) = store.get(&name).await.unwrap();
    assert_eq!((bytes, &etag), (text("hello"), &put));
    let info = store.head(&name).await.unwrap();
    assert_eq!((info.size, &info.etag), (5, &put));
    let empty = key("shop/empty");
    store.put_new(&empty, Bytes::new()).await.unwrap();
    assert_eq!(store.get(&empty).await.unwrap().0, Bytes::new());
}

async fn keys_are_written_once(store: &dyn ObjectStore) {
    let name = key("a/b");
    store.put_new(&name, text("first")).await.unwrap();
    assert_conflict(store.put_new(&name, text("second")).await, "a/b");
    assert_conflict(store.put_new(&name, text("first")).await, "a/b");
    assert_eq!(store.get(&name).await.unwrap().0, text("first"));
}

async fn one_of_many_creators_wins(store: &dyn ObjectStore) {
    let name = key("race/new");
    let attempts = join_all((0..16).map(|n| store.put_new(&name, Bytes::from(format!("writer {n}"))))).await;
    let won: Vec<usize> = (0..16).filter(|n| attempts[*n].is_ok()).collect();
    assert_eq!(won.len(), 1, "winners: {won:?}");
    for (n, attempt) in attempts.into_iter().enumerate() {
        if n != won[0] {
            assert_conflict(attempt, "race/new");
        }
    }
    assert_eq!(
        store.get(&name).await.unwrap().0,
        format!("writer {}", won[0]).as_bytes()
    );
}

async fn replacing_needs_the_current_tag(store: &dyn ObjectStore) {
    let name = key("state.json");
    assert_conflict(
        store.replace(&name, &ETag::new("none"), text("x")).await,
        "state.json",
    );
    assert_gone(store.get(&name).await, "state.json");
    let first = store.put_new(&name, text("1")).await.unwrap();
    let second = store.replace(&name, &first, text("2")).await.unwrap();
    assert_ne!(first, second);
    assert_conflict(store.replace(&name, &first, text("3")).await, "state.json");
    let (bytes, etag) = store.get(&name).await.unwrap();
    assert_eq!((bytes, etag), (text("2"), second.clone()));
    store.replace(&name, &second, text("4")).await.unwrap();
    assert_eq!(store.get(&name).await.unwrap().0, text("4"));
    assert_eq!(names(store, "", None, 10).await, ["state.json"]);
}

async fn one_of_many_replacers_wins(store: &dyn ObjectStore) {
    let name = key("race/replace");
    let tag = store.put_new(&name, text("start")).await.unwrap();
    let attempts =
        join_all((0..16).map(|n| store.replace(&name, &tag, Bytes::from(format!("writer {n}"))))).await;
    let won: Vec<usize> = (0..16).filter(|n| attempts[*n].is_ok()).collect();
    assert_eq!(won.len(), 1, "winners: {won:?}");
    assert_eq!(
        store.get(&name).await.unwrap().0,
        format!("writer {}", won[0]).as_bytes()
    );
}

async fn ranges_are_exact(store: &dyn ObjectStore) {
    let name = key("ranges");
    store.put_new(&name, text("0123456789")).await.unwrap();
    for (range, expected) in [(0..10, "0123456789"), (3..7, "3456"), (9..10, "9"), (4..4, "")] {
        assert_eq!(
            store.get_range(&name, range.clone()).await.unwrap(),
            text(expected),
            "{range:?}"
        );
    }
    for beyond in [5..11, 10..20, 40..50] {
        let error = store.get_range(&name, beyond.clone()).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::OutOfRange { size: 10, .. }),
            "{beyond:?}: {error:?}"
        );
    }
}

async fn listings_are_ordered_and_paged(store: &dyn ObjectStore) {
    assert!(names(store, "", None, 10).await.is_empty());
    assert!(names(store, "nowhere/", None, 10).await.is_empty());
    // '-' and '.' sort before '/', and digits and letters after it. A walk that sorts folders by name only
    // would get this wrong.
    let expected = ["a-b", "a.c/x", "a/b/c", "a/b/d", "a/c", "a0", "aB", "ab/c", "b"];
    for name in expected.iter().rev() {
        store.put_new(&key(name), text("xy")).await.unwrap();
    }
    assert_eq!(names(store, "", None, 100).await, expected);
    assert_eq!(names(store, "a/", None, 100).await, ["a/b/c", "a/b/d", "a/c"]);
    assert_eq!(names(store, "a/b", None, 100).await, ["a/b/c", "a/b/d"]);
    assert_eq!(names(store, "ab/c", None, 100).await, ["ab/c"]);
    assert_eq!(names(store, "a/", Some("a/b/c"), 100).await, ["a/b/d", "a/c"]);
    assert_eq!(names(store, "a/", Some("a/b/cc"), 100).await, ["a/b/d", "a/c"]);
    assert!(names(store, "a/", Some("b"), 100).await.is_empty());
    assert_eq!(store.list("b", None, 1).await.unwrap()[0].size, 2);
    for nowhere in ["/", "../", "./a", "a/../", "/etc/"] {
        assert!(names(store, nowhere, None, 100).await.is_empty(), "{nowhere}");
        assert!(store.list_folders(nowhere).await.unwrap().is_empty(), "{nowhere}");
    }
    for size in [1, 2, 4, 9] {
        let (mut seen, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = names(store, "", after.as_deref(), size).await;
            assert!(page.len() <= size);
            let last = page.len() < size;
            after = page.last().cloned().or(after);
            seen.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(seen, expected, "pages of {size}");
    }
}

async fn folders_are_common_prefixes(store: &dyn ObjectStore) {
    assert!(store.list_folders("").await.unwrap().is_empty());
    assert!(store.list_folders("none/").await.unwrap().is_empty());
    for name in [
        "shop/points/2/m",
        "shop/points/1/c/p",
        "shop/points/file",
        "zoo/x",
    ] {
        store.put_new(&key(name), text("x")).await.unwrap();
    }
    for (after, limit, expected) in [
        (None, 1, &["shop"][..]),
        (Some("shop"), 5, &["zoo"]),
        (Some("zoo"), 5, &[]),
        (Some("a"), 5, &["shop", "zoo"]),
        (None, 0, &[]),
    ] {
        let found = store.list_folders_after("", after, limit).await.unwrap();
        assert_eq!(found, expected, "after {after:?}, {limit}");
    }
    assert_eq!(store.list_folders("").await.unwrap(), ["shop", "zoo"]);
    assert_eq!(store.list_folders("shop/points/").await.unwrap(), ["1", "2"]);
    store.delete(&key("shop/points/1/c/p")).await.unwrap();
    assert_eq!(store.list_folders("shop/points/").await.unwrap(), ["2"]);
}

async fn deleting_is_idempotent(store: &dyn ObjectStore) {
    let name = key("shop/gone");
    store.delete(&name).await.unwrap();
    store.put_new(&name, text("x")).await.unwrap();
    store.delete(&name).await.unwrap();
    store.delete(&name).await.unwrap();
    assert_gone(store.get(&name).await, "shop/gone");
    assert!(names(store, "", None, 10).await.is_empty());
    store.put_new(&name, text("again")).await.unwrap();
    assert_eq!(store.get(&name).await.unwrap().0, text("again"));
}

async fn uploads_are_invisible_until_finished(store: &dyn ObjectStore) {
    let name = key("shop/points/1/p.pack");
    let mut upload = store.upload(&name).await.unwrap();
    upload.write(text("one ")).await.unwrap();
    upload.write(Bytes::new()).await.unwrap();
    upload.write(text("two")).await.unwrap();
    assert_gone(store.get(&name).await, "p.pack");
    assert!(names(store, "", None, 10).await.is_empty());
    assert!(store.list_folders("shop/points/").await.unwrap().is_empty());
    let etag = upload.finish().await.unwrap();
    assert_eq!(store.get(&name).await.unwrap(), (text("one two"), etag));
    let nothing = key("shop/empty.pack");
    store.upload(&nothing).await.unwrap().finish().await.unwrap();
    assert_eq!(store.head(&nothing).await.unwrap().size, 0);
}

async fn announced_digests_are_checked(store: &dyn ObjectStore) {
    // Also of an upload in parts.
    for (name, content) in [("small", vec![7; 100]), ("large", vec![7; 9 << 20])] {
        let content = Bytes::from(content);
        let digest = Sha256::of(&content);
        let (right, wrong) = (key(name), key(&format!("{name}-wrong")));
        let mut upload = store.upload_verified(&right, digest).await.unwrap();
        upload.write(content.clone()).await.unwrap();
        let etag = upload.finish().await.unwrap();
        let info = store.head(&right).await.unwrap();
        assert_eq!((info.size, &info.etag), (content.len() as u64, &etag));
        assert!(info.sha256.is_none_or(|found| found == digest), "{info:?}");
        let mut upload = store.upload_verified(&wrong, digest).await.unwrap();
        upload.write(content.slice(1..)).await.unwrap();
        let error = upload.finish().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_gone(store.head(&wrong).await, "-wrong");
        assert_eq!(names(store, name, None, 10).await, [name]);
        // What was written otherwise has no digest that somebody believes.
        store.put_new(&wrong, content).await.unwrap();
        assert_eq!(store.head(&wrong).await.unwrap().sha256, None);
        store.delete(&right).await.unwrap();
        store.delete(&wrong).await.unwrap();
    }
}

async fn uploads_do_not_overwrite(store: &dyn ObjectStore) {
    let name = key("taken");
    let mut early = store.upload(&name).await.unwrap();
    early.write(text("upload")).await.unwrap();
    store.put_new(&name, text("put")).await.unwrap();
    assert_conflict(early.finish().await, "taken");
    match store.upload(&name).await {
        Ok(mut late) => {
            late.write(text("late")).await.unwrap();
            assert_conflict(late.finish().await, "taken");
        }
        Err(error) => assert_conflict::<()>(Err(error), "taken"),
    }
    assert_eq!(store.get(&name).await.unwrap().0, text("put"));
    assert_eq!(names(store, "", None, 10).await, ["taken"]);
}

async fn one_of_many_uploads_wins(store: &dyn ObjectStore) {
    let name = key("race/upload");
    let attempts = join_all((0..8).map(|n| {
        let name = &name;
        async move {
            let mut upload = store.upload(name).await?;
            upload.write(Bytes::from(format!("writer {n}"))).await?;
            upload.finish().await
        }
    }))
    .await;
    let won: Vec<usize> = (0..8).filter(|n| attempts[*n].is_ok()).collect();
    assert_eq!(won.len(), 1, "winners: {won:?}");
    assert_eq!(
        store.get(&name).await.unwrap().0,
        format!("writer {}", won[0]).as_bytes()
    );
}

async fn abandoned_uploads_leave_nothing(store: &dyn ObjectStore) {
    let name = key("shop/abandoned");
    let mut aborted = store.upload(&name).await.unwrap();
    aborted.write(text("x")).await.unwrap();
    aborted.abort().await.unwrap();
    let mut dropped = store.upload(&name).await.unwrap();
    dropped.write(text("y")).await.unwrap();
    drop(dropped);
    assert_gone(store.get(&name).await, "shop/abandoned");
    assert!(names(store, "", None, 10).await.is_empty());
    store.put_new(&name, text("z")).await.unwrap();
}

async fn large_uploads_keep_every_byte(store: &dyn ObjectStore) {
    // Larger than one part of a multipart upload (5 MiB on S3), in pieces that do not divide it evenly.
    let mut expected = BytesMut::new();
    let name = key("large");
    let mut upload = store.upload(&name).await.unwrap();
    for n in 0..30_u32 {
        let piece = Bytes::from(vec![u8::try_from(n).unwrap(); 400_003]);
        expected.extend_from_slice(&piece);
        upload.write(piece).await.unwrap();
    }
    upload.finish().await.unwrap();
    assert!(store.get(&name).await.unwrap().0 == expected, "the bytes differ");
    let across = store.get_range(&name, 400_000..400_006).await.unwrap();
    assert_eq!(across, Bytes::from_static(&[0, 0, 0, 1, 1, 1]));
}
