//! The S3 store must pass the conformance tests of every store, and tests of its own.

use bytes::Bytes;
use lifeboat_model::{Code, Diagnostic as _, ErrorKind, ObjectKey};
use lifeboat_store::conformance;
use lifeboat_store::ports::{ETag, ObjectStore, StoreError};

use crate::fault_proxy::FaultProxy;
use crate::fixture::{account, bucket, context, context_at, context_of, run, s3, store, store_at};

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Runs the conformance tests, each with a bucket or a prefix of its own.
fn conforms(with_prefix: bool) {
    run(async {
        // The suite's factory is not an async function, so the buckets are created before.
        let mut locations = Vec::new();
        let shared = bucket().await;
        for number in 0..20 {
            locations.push(if with_prefix {
                shared.below(&key(&format!("folder/check-{number}")))
            } else {
                bucket().await
            });
        }
        let locations = std::cell::RefCell::new(locations);
        conformance::all(&|| Box::new(store(locations.borrow_mut().pop().unwrap()))).await;
    });
}

#[test]
fn a_bucket_conforms() {
    conforms(false);
}

#[test]
fn a_prefix_of_a_bucket_conforms() {
    conforms(true);
}

#[test]
fn a_store_below_a_prefix_sees_nothing_else_of_the_bucket() {
    run(async {
        let whole = bucket().await;
        let below = store(whole.below(&key("captures")));
        let whole = store(whole);
        for name in ["captures-of-others/a", "capture", "captures/a/b", "d/a"] {
            whole.put_new(&key(name), bytes(name)).await.unwrap();
        }
        let listed = below.list("", None, 10).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].key.as_str(), "a/b");
        assert_eq!(below.list_folders("").await.unwrap(), ["a"]);
        assert_eq!(below.get(&key("a/b")).await.unwrap().0, bytes("captures/a/b"));
        let after = below.list("", Some("a"), 10).await.unwrap();
        assert_eq!(after.len(), 1);
    });
}

#[test]
fn listings_go_on_behind_a_page_of_s3_and_pass_over_what_is_no_key() {
    run(async {
        let location = bucket().await;
        let store = store(location.clone());
        for foreign in [".hidden", "a//b", "n/ü+ %2F", "n/\u{1}", "n/"] {
            let put = s3().put_object().bucket(&location.bucket).key(foreign);
            put.send().await.unwrap();
        }
        let names: Vec<ObjectKey> = (0..1005).map(|n| key(&format!("n/{n:04}/x"))).collect();
        for chunk in names.chunks(64) {
            let puts = chunk.iter().map(|name| store.put_new(name, Bytes::new()));
            futures::future::try_join_all(puts).await.unwrap();
        }
        for limit in [5000, 1005, 1004, 1] {
            let listed = store.list("", None, limit).await.unwrap();
            let expected = &names[..limit.min(names.len())];
            assert!(
                listed.iter().map(|l| &l.key).eq(expected),
                "{limit}: {}",
                listed.len()
            );
        }
        assert!(store.list("", None, 0).await.unwrap().is_empty());
        let folders = store.list_folders("n/").await.unwrap();
        assert_eq!(
            (folders.len(), folders[0].as_str(), folders[1004].as_str()),
            (1005, "0000", "1004")
        );
        assert_eq!(store.list_folders("").await.unwrap(), ["a", "n"]);
    });
}

/// Asserts that a store refuses every operation.
async fn assert_all_refused(store: &dyn ObjectStore, bucket: &str) {
    let name = key("shop/x");
    let tag = ETag::new("\"x\"");
    for (action, error) in [
        (
            "s3:PutObject",
            store.put_new(&name, bytes("x")).await.unwrap_err(),
        ),
        ("s3:GetObject", store.get(&name).await.unwrap_err()),
        ("s3:GetObject", store.head(&name).await.unwrap_err()),
        ("s3:GetObject", store.get_range(&name, 0..1).await.unwrap_err()),
        ("s3:ListBucket", store.list("shop/x", None, 1).await.unwrap_err()),
        ("s3:ListBucket", store.list_folders("shop/x/").await.unwrap_err()),
        ("s3:DeleteObject", store.delete(&name).await.unwrap_err()),
        (
            "s3:PutObject",
            store.replace(&name, &tag, bytes("y")).await.unwrap_err(),
        ),
        ("s3:PutObject", large(store, &name).await.unwrap_err()),
    ] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{action}: {error:?}");
        assert_eq!(error.code(), Code::StoreDenied, "{action}: {error:?}");
        let shown = error.problem().to_string();
        for part in [action, bucket, "shop/x"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}

#[test]
fn who_may_not_is_told_which_action_on_which_bucket() {
    run(async {
        let location = bucket().await;
        let stranger = store_at(&context_of("222222222222"), location.clone());
        assert_all_refused(&stranger, &location.bucket).await;
    });
}

/// Names of buckets are global: S3 refuses a request if another account owns the bucket, but only if the request names
/// the expected owner. This test checks the requests, not the answers.
#[test]
fn every_request_names_the_owner_of_the_bucket() {
    run(async {
        let road = FaultProxy::open().await;
        let location = bucket().await;
        let owned = store_at(&context_at(road.endpoint()), location);
        let (name, other) = (key("shop/x"), key("shop/y"));
        let tag = owned.put_new(&name, bytes("x")).await.unwrap();
        owned.replace(&name, &tag, bytes("y")).await.unwrap();
        owned.put_new(&name, bytes("z")).await.unwrap_err();
        owned.get(&name).await.unwrap();
        owned.get_range(&name, 0..1).await.unwrap();
        owned.head(&name).await.unwrap();
        owned.list("", None, 10).await.unwrap();
        owned.list_folders("").await.unwrap();
        large(&owned, &other).await.unwrap();
        let mut upload = owned.upload(&key("shop/z")).await.unwrap();
        upload.write(Bytes::from(vec![7; 9 << 20])).await.unwrap();
        upload.abort().await.unwrap();
        owned.delete(&name).await.unwrap();
        let heads = road.requests();
        assert!(heads.len() >= 16, "{heads:#?}");
        for head in heads {
            let wanted = format!("x-amz-expected-bucket-owner: {}", account());
            assert!(head.to_lowercase().contains(&wanted), "{head}");
        }
    });
}

/// Uploads an object of two parts.
async fn large(store: &dyn ObjectStore, name: &ObjectKey) -> Result<ETag, StoreError> {
    let mut upload = store.upload(name).await?;
    for _ in 0..9 {
        upload.write(Bytes::from(vec![7; 1 << 20])).await?;
    }
    upload.finish().await
}

#[test]
fn a_bucket_that_does_not_exist_is_called_so() {
    run(async {
        let mut location = bucket().await;
        location.bucket = "lifeboat-test-none".to_owned();
        let store = store(location);
        // The local AWS answers NoSuchKey where S3 answers NoSuchBucket when an object is read, so reads are not
        // tested.
        for error in [
            store.put_new(&key("x"), bytes("x")).await.unwrap_err(),
            store.list("", None, 1).await.unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::StoreNotFound, "{error:?}");
            assert!(error.to_string().contains("lifeboat-test-none"), "{error}");
        }
    });
}

#[test]
fn a_store_that_does_not_answer_is_worth_another_try() {
    run(async {
        // No server listens on this port.
        let gone = context_at("http://127.0.0.1:9");
        let config = (gone.sdk_config().clone().into_builder())
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .build();
        let client = aws_sdk_s3::Client::new(&config);
        assert!(client.list_buckets().send().await.is_err());
        let location = bucket().await;
        let error = store_at(&gone, location).get(&key("x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Retry, "{error:?}");
    });
}

/// While an upload is in progress nothing must be visible, and at its end no parts must remain.
#[test]
fn uploads_of_many_parts_leave_no_parts_behind() {
    run(async {
        let location = bucket().await;
        let store = store(location.clone());
        let pending = || async {
            let answer = s3()
                .list_multipart_uploads()
                .bucket(&location.bucket)
                .send()
                .await;
            answer.unwrap().uploads().len()
        };
        let name = key("shop/p.pack");
        let mut upload = store.upload(&name).await.unwrap();
        upload.write(Bytes::from(vec![1; 20 << 20])).await.unwrap();
        assert_eq!(pending().await, 1);
        upload.abort().await.unwrap();
        assert_eq!(pending().await, 0);

        large(&store, &name).await.unwrap();
        assert_eq!(store.head(&name).await.unwrap().size, 9 << 20);
        let error = large(&store, &name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
        assert_eq!(pending().await, 0);
        let tail = store.get_range(&name, (9 << 20) - 2..9 << 20).await.unwrap();
        assert_eq!(tail, Bytes::from_static(&[7, 7]));
    });
}

#[test]
fn what_is_too_large_to_be_a_document_is_not_read() {
    run(async {
        let store = store_at(&context(), bucket().await);
        let name = key("jobs/result.json");
        let mut upload = store.upload(&name).await.unwrap();
        for _ in 0..65 {
            upload.write(Bytes::from(vec![b' '; 1 << 20])).await.unwrap();
        }
        upload.finish().await.unwrap();
        let error = store.get(&name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        assert!(error.problem().to_string().contains("larger than"), "{error:?}");
    });
}
