//! Data keys belong to an application and a cluster, and may have several recipients.

use std::sync::Arc;

use lifeboat_filesystem::keys::{generate, load_recipient};
use lifeboat_filesystem::{FolderStore, PemUnwrapper};
use lifeboat_format::manifest::{Envelope, FORMAT_VERSION, Statement, pae, payload};
use lifeboat_format::{PackVersion, Sha256};
use lifeboat_model::{ApplicationName, Code, Diagnostic as _, ObjectKey};
use lifeboat_recovery_point::{PointError, PointRepository, PointWriter, SealError, Silent, seal};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::{ObjectStore, Signer};

use crate::sample::*;

fn key(text: String) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

/// Signs and stores a statement as whoever holds the signing key of an application could.
async fn sign(store: &dyn ObjectStore, application: &ApplicationName, statement: &Statement) {
    let payload = payload(statement);
    let signature = signer().sign(&pae(&payload)).await.unwrap();
    let envelope = Envelope::new(&payload, signer().verifying_key(), &signature);
    let point = &statement.predicate.point;
    let name = key(format!("{application}/points/{point}/manifest.json"));
    store.put_new(&name, envelope.to_bytes().into()).await.unwrap();
}

async fn read(store: &Arc<dyn ObjectStore>, application: &ApplicationName) -> Result<u64, PointError> {
    let repository = PointRepository::new(Arc::clone(store), application.clone());
    let opened = repository.open(&point(NEWER), &verifying()).await?;
    opened.verify_digests(&Silent).await?;
    let readable = opened.decrypt(&unwrapper()).await?;
    Ok(readable.verify_contents(&Silent).await?.objects)
}

/// Whoever signs for one application can name the wrapped data key of another one, whose point they can read but not
/// decrypt, and place its packs beside it. The recovery key unwraps it; the packs do not open.
#[test]
fn a_data_key_planted_into_the_point_of_another_application_opens_nothing() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let payments = ApplicationName::parse("payments").unwrap();
    wait(async {
        let packs = capture(&store, NEWER, "eu").await.unwrap();
        let stolen = predicate(NEWER, &[("eu", &packs)]);
        sign(store.as_ref(), &shop(), &Statement::new(stolen.clone())).await;
        assert_eq!(read(&store, &shop()).await.unwrap(), 2 * OBJECTS as u64);

        for pack in &packs.packs {
            let from = key(format!("shop/points/{NEWER}/{}", pack.name));
            let (bytes, _) = store.get(&from).await.unwrap();
            let to = key(format!("payments/points/{NEWER}/{}", pack.name));
            store.put_new(&to, bytes).await.unwrap();
        }
        let mut planted = stolen;
        planted.application = payments.clone();
        // Under its own name the key is refused by the manifest alone.
        let honest = check(&planted);
        assert!(honest.contains("is not one of the application"), "{honest}");
        planted.keys[0].application = Some(payments.clone());
        sign(store.as_ref(), &payments, &Statement::new(planted)).await;
        let error = read(&store, &payments).await.unwrap_err();
        assert_eq!(error.code(), Code::PackCorrupt, "{}", error.problem());
        assert!(
            error.problem().to_string().contains("does not authenticate"),
            "{}",
            error.problem()
        );
    });
}

fn check(predicate: &lifeboat_format::manifest::Predicate) -> String {
    lifeboat_format::manifest::check_structure(&Statement::new(predicate.clone())).unwrap_err()
}

#[test]
fn a_point_for_two_recovery_keys_is_opened_by_either_and_by_no_third() {
    let folder = tempfile::tempdir().unwrap();
    let made = ["one", "other", "third"].map(|name| generate(&folder.path().join(name)).unwrap());
    let [one, other, third] = &made;
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    wait(async {
        let recipients = [one, other].map(|keys| load_recipient(&keys.recovery_public).unwrap());
        let mut writer = PointWriter::create(
            Arc::clone(&store),
            &shop(),
            &point(NEWER),
            &cluster("eu"),
            &recipients,
            &Counting::default(),
        )
        .unwrap();
        for batch in batches(NEWER) {
            writer.append(batch).await.unwrap();
        }
        let packs = writer.finish().await.unwrap();
        let predicate = predicate(NEWER, &[("eu", &packs)]);
        seal(store.as_ref(), &signer(), predicate).await.unwrap();

        let opened = vault(&store).open(&point(NEWER), &verifying()).await.unwrap();
        for keys in [one, other] {
            let unwrapper = PemUnwrapper::load(&keys.recovery_key).unwrap();
            let readable = opened.decrypt(&unwrapper).await.unwrap();
            let report = readable.verify_contents(&Silent).await.unwrap();
            assert_eq!(report.objects, 2 * OBJECTS as u64);
        }
        let stranger = PemUnwrapper::load(&third.recovery_key).unwrap();
        let error = opened.decrypt(&stranger).await.unwrap_err();
        assert_eq!(error.code(), Code::RecoveryKeyMismatch);
        let said = error.problem().to_string();
        for keys in &made {
            assert!(said.contains(keys.recovery.as_str()), "{said}");
        }
    });
}

/// A newer point may name unchanged packs of a point that an older version wrote.
#[test]
fn a_point_of_this_version_names_packs_of_version_1_of_an_earlier_point() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let earlier = FolderStore::open(fixture_of(2).join("store")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let earlier: Arc<dyn ObjectStore> = Arc::new(earlier);
        let before = vault(&earlier).open(&point(NEWER), &verifying()).await.unwrap();
        let mut predicate = before.statement().predicate.clone();
        for pack in before.files() {
            let name = key(format!("shop/points/{NEWER}/{}", pack.name));
            let (bytes, _) = earlier.get(&name).await.unwrap();
            assert_eq!(Sha256::of(&bytes), pack.sha256);
            store.put_new(&name, bytes).await.unwrap();
        }
        predicate.format_version = FORMAT_VERSION;
        predicate.point = point(NEXT);
        for (record, name) in predicate.keys.iter_mut().zip(["eu", "us"]) {
            record.application = Some(shop());
            record.cluster = Some(cluster(name));
        }
        for pack in predicate
            .clusters
            .iter_mut()
            .flat_map(|cluster| &mut cluster.packs)
        {
            pack.point = Some(point(NEWER));
            pack.version = Some(PackVersion::V1);
        }
        // An own pack must be of the version that binds.
        let mut own = predicate.clone();
        own.clusters[0].packs[0].point = None;
        assert!(check(&own).contains("is not of this version"));
        seal(store.as_ref(), &signer(), predicate).await.unwrap();
        let opened = vault(&store).open(&point(NEXT), &verifying()).await.unwrap();
        let readable = opened.decrypt(&unwrapper()).await.unwrap();
        let report = readable.verify_contents(&Silent).await.unwrap();
        assert_eq!(report.objects, 4 * OBJECTS as u64);
    });
}

#[test]
fn a_point_beyond_the_limits_is_not_sealed() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    wait(async {
        let packs = capture(&store, NEWER, "eu").await.unwrap();
        let before = memory.contents();
        let mut predicate = predicate(NEWER, &[("eu", &packs)]);
        predicate.clusters[0].objects = u64::MAX;
        let error = seal(store.as_ref(), &signer(), predicate).await.unwrap_err();
        assert!(matches!(error, SealError::OverLimit { .. }), "{error}");
        assert_eq!(error.code(), Code::OverLimit);
        assert_eq!(memory.contents(), before);
    });
}
