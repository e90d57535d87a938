use std::sync::Arc;

use bytes::Bytes;
use lifeboat_format::manifest::{Completeness, MissingRecord};
use lifeboat_model::{ApplicationName, Code, Diagnostic as _, ObjectKey};
use lifeboat_recovery_point::{PointRepository, PointState, SealError, SignedSummary, seal};
use lifeboat_store::memory::{MemoryLock, MemoryStore};
use lifeboat_store::ports::ObjectStore;

use crate::sample::*;

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

async fn partial(store: &Arc<dyn ObjectStore>, id: &str) {
    let packs = capture(store, id, "eu").await.unwrap();
    let mut predicate = predicate(id, &[("eu", &packs)]);
    predicate.completeness = Completeness::Partial;
    predicate.clusters[0].missing.push(MissingRecord {
        r#type: None,
        group: Some("metrics.k8s.io/v1beta1".to_owned()),
        verb: "discover".to_owned(),
        answer: "503".to_owned(),
        remediation: "repair the API service".to_owned(),
    });
    seal(store.as_ref(), &signer(), predicate).await.unwrap();
}

#[test]
fn points_are_listed_oldest_first_with_what_was_signed() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        let vault = vault(&store);
        assert!(vault.points(&verifying()).await.unwrap().is_empty());
        let none = vault.resolve("latest", &verifying()).await.unwrap_err();
        assert_eq!(none.code(), Code::PointNotFound);
        partial(&store, NEWER).await;
        backup(&store, OLDER).await.unwrap();
        capture(&store, NEXT, "eu").await.unwrap();
        let points = vault.points(&verifying()).await.unwrap();
        let ids: Vec<_> = points.iter().map(|p| p.point.as_str()).collect();
        assert_eq!(ids, [OLDER, NEWER], "an unfinished point is none");
        let PointState::Signed(SignedSummary {
            completeness,
            clusters,
            objects,
            ..
        }) = &points[1].state
        else {
            panic!("{points:?}")
        };
        assert_eq!(*completeness, Completeness::Partial);
        assert_eq!(
            (*objects, clusters[0].objects, clusters[0].missing),
            (2 * OBJECTS as u64, 2 * OBJECTS as u64, 1)
        );
    });
}

#[test]
fn the_latest_point_is_the_newest_or_the_newest_complete() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        backup(&store, OLDER).await.unwrap();
        partial(&store, NEWER).await;
        capture(&store, NEXT, "eu").await.unwrap();
        let (vault, trusted) = (vault(&store), verifying());
        for (wanted, found) in [
            ("latest", NEWER),
            ("latest-complete", OLDER),
            (OLDER, OLDER),
            ("20261121T10", OLDER),
        ] {
            let resolved = vault.resolve(wanted, &trusted).await.unwrap();
            assert_eq!(
                (resolved.point.as_str(), resolved.passed_over),
                (found, Vec::new()),
                "{wanted}"
            );
        }
        let error = vault.resolve("20261121", &trusted).await.unwrap_err();
        assert_eq!(error.code(), Code::PointNotFound);
        assert!(
            error.to_string().ends_with(&format!("matches {OLDER}, {NEWER}")),
            "{error}"
        );
        for wanted in ["", NEXT, "nonsense", "../x"] {
            let error = vault.resolve(wanted, &trusted).await.unwrap_err();
            assert_eq!(error.code(), Code::PointNotFound, "{wanted}");
        }
        let nowhere = PointRepository::new(Arc::clone(&store), ApplicationName::parse("zoo").unwrap());
        let error = nowhere.resolve("latest", &trusted).await.unwrap_err();
        assert_eq!(error.code(), Code::PointNotFound);
    });
}

#[test]
fn a_point_that_cannot_be_believed_is_listed_and_not_passed_over_in_silence() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    wait(async {
        backup(&store, OLDER).await.unwrap();
        backup(&store, NEWER).await.unwrap();
        let manifest = key(&format!("shop/points/{NEWER}/manifest.json"));
        memory.overwrite(&manifest, Bytes::from_static(b"{}"));
        let vault = vault(&store);
        let points = vault.points(&verifying()).await.unwrap();
        assert_eq!(points.len(), 2);
        let PointState::Refused { problem } = &points[1].state else {
            panic!("{points:?}")
        };
        assert_eq!(problem.code, Code::ManifestMalformed);
        for latest in ["latest", "latest-complete"] {
            let resolved = vault.resolve(latest, &verifying()).await.unwrap();
            assert_eq!(resolved.point.as_str(), OLDER);
            let (passed_over, problem) = &resolved.passed_over[0];
            assert_eq!(
                (passed_over.as_str(), problem.code),
                (NEWER, Code::ManifestMalformed)
            );
        }
        // If no recovery point can be trusted, opening the newest returns the reason.
        let other = lifeboat_store::ports::Signer::verifying_key(&other_signer()).clone();
        let resolved = vault.resolve("latest", &other).await.unwrap();
        assert_eq!(resolved.point.as_str(), NEWER);
        vault.open(&point(NEWER), &verifying()).await.unwrap_err();
        let stranger = vault
            .points(lifeboat_store::ports::Signer::verifying_key(&other_signer()))
            .await
            .unwrap();
        for summary in stranger {
            assert!(matches!(summary.state, PointState::Refused { .. }), "{summary:?}");
        }
    });
}

#[test]
fn only_unfinished_points_are_rubbish() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    wait(async {
        backup(&store, OLDER).await.unwrap();
        for other in ["shop/points/README.txt", "shop/points/mine/file", "zoo/points/x"] {
            store.put_new(&key(other), Bytes::new()).await.unwrap();
        }
        let before = memory.contents();
        capture(&store, NEWER, "eu").await.unwrap();
        let zoo = MemoryLock::new(ApplicationName::parse("zoo").unwrap());
        let error = vault(&store).prune_incomplete(&zoo).await.unwrap_err();
        assert_eq!(error.code(), Code::Bug);
        let removed = vault(&store)
            .prune_incomplete(&MemoryLock::new(shop()))
            .await
            .unwrap();
        assert_eq!((removed.points, removed.files), (vec![point(NEWER)], 4));
        assert!(memory.contents() == before);
    });
}

#[test]
fn a_point_is_sealed_once_and_only_with_its_files() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    wait(async {
        let packs = capture(&store, NEWER, "eu").await.unwrap();
        store
            .delete(&key(&format!("shop/points/{NEWER}/eu/i-0001.pack")))
            .await
            .unwrap();
        let error = seal(store.as_ref(), &signer(), predicate(NEWER, &[("eu", &packs)]))
            .await
            .unwrap_err();
        assert!(matches!(error, SealError::FileMissing { .. }), "{error:?}");
        assert_eq!(error.code(), Code::PackMissing);
        assert!(error.to_string().contains("eu/i-0001.pack"), "{error}");

        backup(&store, OLDER).await.unwrap();
        let again = backup(&store, OLDER).await.unwrap_err();
        assert_eq!(again.code(), Code::StoreConflict);

        let mut lie = predicate(NEXT, &[("eu", &capture(&store, NEXT, "eu").await.unwrap())]);
        lie.completeness = Completeness::Partial;
        let error = seal(store.as_ref(), &signer(), lie).await.unwrap_err();
        assert!(matches!(error, SealError::Structure { .. }), "{error:?}");
        assert_eq!(vault(&store).ids().await.unwrap(), [point(OLDER)]);
    });
}

#[test]
fn the_next_point_sorts_behind_what_is_there() {
    struct Morning;

    impl lifeboat_store::ports::Clock for Morning {
        fn now(&self) -> jiff::Timestamp {
            "2026-11-21T08:00:00Z".parse().unwrap()
        }
    }

    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        let next = || async {
            vault(&store)
                .next_id(&Morning, &Counting::default())
                .await
                .unwrap()
        };
        assert_eq!(next().await.as_str(), "20261121T080000Z-000102");
        backup(&store, OLDER).await.unwrap();
        assert_eq!(next().await.as_str(), "20261121T100001Z-000102");
        capture(&store, NEWER, "eu").await.unwrap();
        assert_eq!(next().await.as_str(), "20261121T110001Z-000102");
    });
}
