use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use lifeboat_model::{Code, Diagnostic as _, ObjectRef, TypeName};
use lifeboat_recovery_point::{PointError, Progress, ReadablePoint, RecoveryPoint, Silent, Work, seal};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::ObjectStore;

use crate::sample::*;

/// A recovery point with two clusters, each with its own data key.
async fn two_clusters(store: &Arc<dyn ObjectStore>) -> RecoveryPoint {
    let (eu, us) = (
        capture(store, NEWER, "eu").await.unwrap(),
        capture(store, NEWER, "us").await.unwrap(),
    );
    let predicate = predicate(NEWER, &[("us", &us), ("eu", &eu)]);
    seal(store.as_ref(), &signer(), predicate).await.unwrap();
    vault(store).open(&point(NEWER), &verifying()).await.unwrap()
}

async fn readable() -> ReadablePoint {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    two_clusters(&store).await.decrypt(&unwrapper()).await.unwrap()
}

#[test]
fn every_object_comes_back_as_it_was() {
    wait(async {
        let point = readable().await;
        for name in ["eu", "us"] {
            let index = point.index(&cluster(name)).await.unwrap();
            assert_eq!(index.objects(), 2 * OBJECTS as u64);
            let batches: Vec<_> = point.objects(index.into_numbered()).try_collect().await.unwrap();
            let mut seen = Vec::new();
            for batch in &batches {
                for (position, entry, json) in batch.iter() {
                    assert_eq!(batch.object(position).unwrap(), json);
                    assert_eq!(entry.namespace, "shop");
                    seen.push((
                        batch.type_name().to_string(),
                        String::from_utf8(json.to_vec()).unwrap(),
                    ));
                }
            }
            let mut expected = Vec::new();
            for (kind, resource) in [("ConfigMap", "configmaps"), ("Secret", "secrets")] {
                for number in 0..OBJECTS {
                    let object = object(&kind.to_lowercase(), number, NEWER);
                    let json = object.replacen('{', &format!(r#"{{"apiVersion":"v1","kind":"{kind}","#), 1);
                    expected.push((resource.to_owned(), json));
                }
            }
            assert_eq!(seen, expected);
        }
    });
}

#[test]
fn one_object_is_found_and_read_alone() {
    wait(async {
        let point = readable().await;
        let index = point.index(&cluster("eu")).await.unwrap();
        let secrets = TypeName::from("secrets");
        let wanted = ObjectRef::new(secrets.clone(), Some("shop"), "secret-7");
        let located = index.find(&wanted).unwrap();
        assert_eq!((located.frame, located.position), (3, 2));
        assert_eq!(
            (located.entry.namespace.as_str(), located.entry.name.as_str()),
            ("shop", "secret-7")
        );
        let batch = point.batch(&index, located.frame).await.unwrap();
        let json = batch.object(located.position).unwrap();
        assert!(json.starts_with(br#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"secret-7""#));
        assert!(batch.object(5).is_none());
        for elsewhere in [Some("zoo"), None] {
            assert!(
                index
                    .find(&ObjectRef::new(secrets.clone(), elsewhere, "secret-7"))
                    .is_none()
            );
        }
        assert_eq!(index.frames_of(&secrets).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(index.types()[&secrets], OBJECTS as u64);
        let beyond = point.batch(&index, 4).await.unwrap_err();
        assert_eq!(beyond.code(), Code::PackCorrupt);
    });
}

#[test]
fn an_unknown_cluster_is_told_from_those_that_there_are() {
    wait(async {
        let error = readable().await.index(&cluster("asia")).await.unwrap_err();
        assert_eq!(error.code(), Code::UnknownSelector);
        assert!(error.to_string().ends_with("which contains eu, us"), "{error}");
    });
}

/// Counts the reported progress and checks the order of calls.
#[derive(Default)]
struct Noted {
    total: AtomicU64,
    done: AtomicU64,
    calls: Mutex<Vec<String>>,
}

impl Progress for Noted {
    fn begin(&self, work: Work, bytes: u64) {
        self.calls.lock().unwrap().push(format!("{work:?} begins"));
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }
    fn file(&self, name: &str) {
        self.calls.lock().unwrap().push(name.to_owned());
    }
    fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }
    fn end(&self, work: Work) {
        self.calls.lock().unwrap().push(format!("{work:?} ends"));
    }
}

#[test]
fn progress_tells_every_byte_once() {
    wait(async {
        let point = readable().await;
        let digests = Noted::default();
        point.point().verify_digests(&digests).await.unwrap();
        let contents = Noted::default();
        let report = point.verify_contents(&contents).await.unwrap();
        assert_eq!(
            (report.packs, report.frames, report.objects),
            (4, 8, 4 * OBJECTS as u64)
        );
        for (noted, work) in [(digests, "VerifyDigests"), (contents, "VerifyContents")] {
            let total = noted.total.into_inner();
            assert_eq!(total, noted.done.into_inner());
            assert_eq!(total, point.point().bytes());
            let calls = noted.calls.into_inner().unwrap();
            assert_eq!(calls.len(), 2 + 8, "{calls:?}");
            assert_eq!(calls[0], format!("{work} begins"));
            assert_eq!(calls[9], format!("{work} ends"));
        }
    });
}

#[test]
fn another_recovery_key_does_not_unlock() {
    struct Other;

    #[async_trait::async_trait]
    impl lifeboat_store::ports::KeyUnwrapper for Other {
        fn fingerprint(&self) -> lifeboat_format::Fingerprint {
            lifeboat_format::Fingerprint::of_spki(b"another key")
        }
        async fn unwrap_key(
            &self,
            wrapped: &lifeboat_format::WrappedKey,
        ) -> Result<lifeboat_format::DataKey, lifeboat_store::ports::KeyError> {
            Err(lifeboat_store::ports::KeyError::WrongKey {
                wanted: vec![wrapped.recipient.clone()],
                held: self.fingerprint(),
            })
        }
    }

    wait(async {
        let error = readable().await.point().decrypt(&Other).await.unwrap_err();
        assert!(matches!(error, PointError::Key { .. }), "{error:?}");
        assert_eq!(error.code(), Code::RecoveryKeyMismatch);
        let problem = error.problem().to_string();
        assert!(problem.contains(recipient().fingerprint().as_str()), "{problem}");
    });
}

/// Futures that an adapter spawns must be `Send`.
#[test]
fn the_work_may_move_between_threads() {
    fn sendable<T: Send>(work: T) -> T {
        work
    }
    wait(async {
        let point = readable().await;
        let name = cluster("eu");
        let index = sendable(point.index(&name)).await.unwrap();
        sendable(point.batch(&index, 0)).await.unwrap();
        sendable(point.objects(index.into_numbered().take(2)))
            .try_collect::<Vec<_>>()
            .await
            .unwrap();
        sendable(point.verify_contents(&Silent)).await.unwrap();
        sendable(point.point().verify_digests(&Silent)).await.unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
        let mut writer = writer(&store, NEWER, "eu").unwrap();
        for batch in batches(NEWER) {
            sendable(writer.append(batch)).await.unwrap();
        }
        let packs = sendable(writer.finish()).await.unwrap();
        let signer = signer();
        sendable(seal(store.as_ref(), &signer, predicate(NEWER, &[("eu", &packs)])))
            .await
            .unwrap();
    });
}
