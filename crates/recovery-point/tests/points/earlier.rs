//! A recovery point that references packs of an earlier one instead of storing them again.

use std::sync::Arc;

use lifeboat_model::{Code, Diagnostic as _, ObjectKey};
use lifeboat_recovery_point::{PointError, Silent, seal};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::ObjectStore;

use crate::sample::*;

/// The newer recovery point contains only its manifest; all packs are in the older one.
async fn unchanged(store: &Arc<dyn ObjectStore>) {
    let older = backup(store, OLDER).await.unwrap().predicate;
    let mut newer = older.clone();
    newer.point = point(NEWER);
    for pack in &mut newer.clusters[0].packs {
        pack.point = Some(older.point.clone());
    }
    seal(store.as_ref(), &signer(), newer).await.unwrap();
}

async fn read(store: &Arc<dyn ObjectStore>) -> Result<u64, PointError> {
    let opened = vault(store).open(&point(NEWER), &verifying()).await?;
    opened.verify_digests(&Silent).await?;
    let readable = opened.decrypt(&unwrapper()).await?;
    Ok(readable.verify_contents(&Silent).await?.objects)
}

#[test]
fn packs_of_an_earlier_point_are_read_from_there() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        unchanged(&store).await;
        assert_eq!(read(&store).await.unwrap(), 2 * OBJECTS as u64);
        let own = store
            .list(&format!("shop/points/{NEWER}/"), None, 10)
            .await
            .unwrap();
        assert_eq!(own.len(), 1);
    });
}

#[test]
fn a_pack_that_an_earlier_point_lost_is_named_with_that_point() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let lost = ObjectKey::parse(format!("shop/points/{OLDER}/eu/p-0001.pack")).unwrap();
    wait(async {
        unchanged(&store).await;
        let whole = store.get(&lost).await.unwrap().0;
        let mut changed = whole.to_vec();
        changed[30] ^= 1;
        memory.overwrite(&lost, changed.into());
        let error = read(&store).await.unwrap_err();
        assert_eq!(error.code(), Code::DigestMismatch);
        assert!(error.problem().to_string().contains(OLDER), "{}", error.problem());
        store.delete(&lost).await.unwrap();
        let error = read(&store).await.unwrap_err();
        assert_eq!(error.code(), Code::PackMissing);
        assert!(
            error
                .to_string()
                .contains(&format!("eu/p-0001.pack of the recovery point {OLDER}")),
            "{error}"
        );
    });
}
