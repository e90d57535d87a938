//! The signers that recovery points name, for a reader that has a fingerprint or nothing.

use std::sync::Arc;

use lifeboat_model::ObjectKey;
use lifeboat_recovery_point::seal;
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ObjectStore, Signer};
use serde_json::Value;

use crate::sample::*;

async fn signed_by(store: &Arc<dyn ObjectStore>, id: &str, signer: &dyn Signer) {
    let packs = capture(store, id, "eu").await.unwrap();
    seal(store.as_ref(), signer, predicate(id, &[("eu", &packs)]))
        .await
        .unwrap();
}

fn manifest(id: &str) -> ObjectKey {
    ObjectKey::parse(format!("shop/points/{id}/manifest.json")).unwrap()
}

/// Changes the fields beside the signature, which nothing protects.
async fn rewrite(store: &Arc<dyn ObjectStore>, id: &str, change: impl FnOnce(&mut Value)) {
    let (bytes, tag) = store.get(&manifest(id)).await.unwrap();
    let mut envelope: Value = serde_json::from_slice(&bytes).unwrap();
    change(&mut envelope["signatures"][0]);
    let bytes = serde_json::to_vec(&envelope).unwrap();
    store.replace(&manifest(id), &tag, bytes.into()).await.unwrap();
}

#[test]
fn a_fingerprint_finds_its_key_in_the_points_and_no_other() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        let (ours, theirs) = (signer(), other_signer());
        let vault = vault(&store);
        assert!(vault.verifying_key(&ours.fingerprint()).await.unwrap().is_none());
        signed_by(&store, OLDER, &ours).await;
        // Newer points are planted: one of another signer, one with the key of that signer under our fingerprint.
        signed_by(&store, NEWER, &theirs).await;
        signed_by(&store, NEXT, &theirs).await;
        rewrite(&store, NEXT, |signature| {
            signature["keyid"] = ours.fingerprint().as_str().into();
        })
        .await;
        let found = vault.verifying_key(&ours.fingerprint()).await.unwrap().unwrap();
        assert_eq!(found.to_pem(), ours.verifying_key().to_pem());
        let latest = vault.resolve("latest", &found).await.unwrap();
        assert_eq!(latest.point.as_str(), OLDER);
        assert_eq!(latest.passed_over.len(), 2);

        // A point of before holds no key: its fingerprint alone is not enough.
        rewrite(&store, OLDER, |signature| {
            signature.as_object_mut().unwrap().remove("publicKey");
        })
        .await;
        assert!(vault.verifying_key(&ours.fingerprint()).await.unwrap().is_none());
        vault.open(&point(OLDER), &verifying()).await.unwrap();
    });
}

#[test]
fn the_newest_point_that_names_a_signer_tells_whom_to_look_for() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        let vault = vault(&store);
        assert_eq!(vault.claimed_signers().await.unwrap(), None);
        signed_by(&store, OLDER, &signer()).await;
        store
            .put_new(&manifest(NEWER), "no envelope".into())
            .await
            .unwrap();
        capture(&store, NEXT, "eu").await.unwrap();
        let claimed = vault.claimed_signers().await.unwrap().unwrap();
        assert_eq!(claimed.point.as_str(), OLDER);
        assert_eq!(claimed.signers, [signer().fingerprint()]);
    });
}
