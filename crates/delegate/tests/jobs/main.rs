//! A delegate of each side, with in-memory buckets and real API servers: assignments in, results out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lifeboat_jobs::folder::view;
use lifeboat_jobs::worker::{Deadline, InvocationSummary};
use lifeboat_jobs::{Assignment, CheckWork, Done, JobFile, Outcome, Trust, Work};
use lifeboat_model::{Code, Epoch, JobId};
use lifeboat_recovery_point::layout::{manifest_key, point_prefix};
use lifeboat_store::ports::ObjectStore;
use serde_json::json;

mod built;
mod continued;
mod deployed;
mod described;
mod expected;
mod fixture;
mod forged;
mod planned;
mod private;

use fixture::{Fixture, at, later, point};

const OBJECTS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {greeting: "Grüße"}
---
apiVersion: v1
kind: Secret
metadata: {name: password, namespace: shop}
stringData: {password: canary-7f3a9c}
"#;

/// Returns the outcome of a job.
async fn outcome(store: &dyn ObjectStore, job: &JobId) -> Outcome {
    view(store, job, Trust::Content, None)
        .await
        .unwrap()
        .result
        .unwrap()
        .outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_goes_through_both_delegates_and_the_vault() {
    let fixture = Fixture::start();
    fixture.source().apply(OBJECTS).unwrap();
    let primary = fixture.primary();
    let capture = fixture.capture("20261121T100000Z-aaaaaa-capture", fixture.recipient.to_pem());
    fixture.assign(&fixture.primary_scratch, &capture, 1).await;

    let summary = primary
        .run("invocation-1", Deadline::new(later()), None)
        .await
        .unwrap();
    assert_eq!((summary.claimed, summary.ended), (1, 1));
    let Outcome::Done(Done::Capture(done)) = outcome(fixture.primary_scratch.as_ref(), &capture.job).await
    else {
        panic!("the capture is not done");
    };
    let sealed = done.sealed.unwrap();
    assert!(sealed.objects > 50, "{} objects", sealed.objects);
    // A repeated event, or a tick, finds no work.
    let again = primary
        .run("invocation-2", Deadline::new(later()), None)
        .await
        .unwrap();
    assert_eq!(again, InvocationSummary::default());

    fixture.move_to_vault().await;
    let restore = fixture.restore("20261121T101000Z-bbbbbb-restore");
    fixture.assign(&fixture.recovery_scratch, &restore, 1).await;
    let summary = fixture
        .recovery()
        .run("invocation-3", Deadline::new(later()), None)
        .await
        .unwrap();
    assert_eq!((summary.claimed, summary.ended), (1, 1));
    let Outcome::Done(Done::Restore(done)) = outcome(fixture.recovery_scratch.as_ref(), &restore.job).await
    else {
        panic!("the restore is not done");
    };
    assert!(done.matches_plan, "{done:?}");
    let data = [
        "get",
        "configmap",
        "settings",
        "-n",
        "shop",
        "-o",
        "jsonpath={.data.greeting}",
    ];
    assert_eq!(fixture.target().kubectl_output(&data).unwrap().trim(), "Grüße");

    // The value of a Secret, which no delegate may write unencrypted.
    for store in [
        &fixture.primary_scratch,
        &fixture.recovery_scratch,
        &fixture.vault,
    ] {
        for listed in store.list("", None, 1000).await.unwrap() {
            let (bytes, _) = store.get(&listed.key).await.unwrap();
            let needle = b"canary-7f3a9c".as_slice();
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{} holds the canary", listed.key);
        }
    }
}

/// Nothing is encrypted for a key from an assignment.
#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_cannot_redirect_the_backup_to_another_key() {
    let fixture = Fixture::without_clusters();
    let other = fixture.other_recipient();
    let job = fixture.capture("20261121T100000Z-aaaaaa-capture", other.to_pem());
    fixture.assign(&fixture.primary_scratch, &job, 1).await;
    fixture
        .primary()
        .run("invocation", Deadline::new(later()), None)
        .await
        .unwrap();
    let Outcome::Failed { failures, retry } = outcome(fixture.primary_scratch.as_ref(), &job.job).await
    else {
        panic!("it was done");
    };
    assert_eq!((failures[0].code, retry), (Code::RecoveryKeyChanged, false));
    let written = fixture.primary_scratch.list("captures/", None, 10).await.unwrap();
    assert!(written.is_empty(), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_of_the_other_side_is_refused_and_recorded() {
    let fixture = Fixture::without_clusters();
    let restore = fixture.restore("20261121T101000Z-bbbbbb-restore");
    fixture.assign(&fixture.primary_scratch, &restore, 1).await;
    // It names the recovery environment, so that the primary's delegate ignores it.
    let summary = fixture
        .primary()
        .run("invocation", Deadline::new(later()), None)
        .await
        .unwrap();
    assert_eq!(summary.claimed, 0);
    let mut forged = restore;
    forged.environment = fixture.primary().environment;
    forged.job = JobId::parse("shop/20261121T102000Z-cccccc-restore").unwrap();
    fixture.assign(&fixture.primary_scratch, &forged, 1).await;
    fixture
        .primary()
        .run("invocation", Deadline::new(later()), None)
        .await
        .unwrap();
    let Outcome::Failed { failures, .. } = outcome(fixture.primary_scratch.as_ref(), &forged.job).await
    else {
        panic!("it was done");
    };
    assert_eq!(failures[0].code, Code::JobDocumentRefused);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_foreign_documents_stop_nothing_else() {
    let fixture = Fixture::without_clusters();
    let put = async |key: &str, bytes: Vec<u8>| {
        let key = lifeboat_model::ObjectKey::parse(key).unwrap();
        fixture.primary_scratch.put_new(&key, bytes.into()).await.unwrap();
    };
    put(
        "jobs/shop/20261121T090000Z-0000aa-check/assignment.json",
        b"{".to_vec(),
    )
    .await;
    put(
        "jobs/shop/20261121T090001Z-0000ab-check/assignment.json",
        vec![b' '; 3 << 20],
    )
    .await;
    let good = fixture.assignment(
        "20261121T100000Z-aaaaaa-check",
        Work::Check(CheckWork {
            clusters: Vec::new(),
            cluster_tags: Default::default(),
            recovery_key: None,
        }),
    );
    fixture.assign(&fixture.primary_scratch, &good, 1).await;
    let summary = fixture
        .primary()
        .run("invocation", Deadline::new(later()), None)
        .await
        .unwrap();
    assert_eq!((summary.claimed, summary.ended, summary.refused), (1, 1, 2));
}

/// A check on the recovery side uses the key as a restore does.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_that_the_recovery_key_unwraps_and_that_another_does_not() {
    let fixture = Fixture::without_clusters();
    let other = fixture.other_recipient();
    for (number, key, is_usable) in [(1, fixture.recipient.to_pem(), true), (2, other.to_pem(), false)] {
        let job = fixture.assignment(
            &format!("20261121T10000{number}Z-aaaaaa-check"),
            Work::Check(CheckWork {
                clusters: Vec::new(),
                cluster_tags: Default::default(),
                recovery_key: Some(key),
            }),
        );
        let job = Assignment {
            environment: fixture.recovery().environment,
            ..job
        };
        fixture.assign(&fixture.recovery_scratch, &job, 1).await;
        let deadline = Deadline::new(later());
        fixture
            .recovery()
            .run("invocation", deadline, None)
            .await
            .unwrap();
        let found = outcome(fixture.recovery_scratch.as_ref(), &job.job).await;
        let Outcome::Done(Done::Check { key, .. }) = found else {
            panic!("{found:?}")
        };
        assert_eq!(key.is_none(), is_usable, "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_ends_before_it_begins() {
    let fixture = Fixture::without_clusters();
    let job = fixture.capture("20261121T100000Z-aaaaaa-capture", fixture.recipient.to_pem());
    fixture.assign(&fixture.primary_scratch, &job, 1).await;
    fixture.cancel(&fixture.primary_scratch, &job).await;
    fixture
        .primary()
        .run("invocation", Deadline::new(later()), None)
        .await
        .unwrap();
    assert_eq!(
        outcome(fixture.primary_scratch.as_ref(), &job.job).await,
        Outcome::Cancelled {}
    );
}

/// A delegate that died after its claim left packs; the next epoch neither fails because of them nor uses
/// them.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_epoch_left_is_in_nobodys_way() {
    let fixture = Fixture::start();
    fixture.source().apply(OBJECTS).unwrap();
    let job = fixture.capture("20261121T100000Z-aaaaaa-capture", fixture.recipient.to_pem());
    fixture.assign(&fixture.primary_scratch, &job, 1).await;
    let claim = json!({"format": 2, "job": job.job, "epoch": 1, "invocation": "dead", "claimedAt": at(0), "deadline": at(1)});
    let key = JobFile::Claim(Epoch::FIRST).key(&job.job);
    fixture
        .primary_scratch
        .put_new(&key, claim.to_string().into())
        .await
        .unwrap();
    let left = format!(
        "captures/{}orders/p-00-01-0000.pack",
        point_prefix(&fixture.application, &point())
    );
    let left = lifeboat_model::ObjectKey::parse(left).unwrap();
    fixture
        .primary_scratch
        .put_new(&left, "half a pack".into())
        .await
        .unwrap();

    let summary = fixture
        .primary()
        .run("invocation", Deadline::new(later()), None)
        .await
        .unwrap();
    assert_eq!(summary.claimed, 0, "the first epoch is somebody else's");
    fixture.assign(&fixture.primary_scratch, &job, 2).await;
    let summary = fixture
        .primary()
        .run("invocation", Deadline::new(later()), None)
        .await
        .unwrap();
    assert_eq!((summary.claimed, summary.ended), (1, 1));
    let Outcome::Done(Done::Capture(done)) = outcome(fixture.primary_scratch.as_ref(), &job.job).await else {
        panic!("the capture is not done");
    };
    assert!(done.sealed.is_some());
    let manifest = manifest_key(&fixture.application, &point());
    let manifest = lifeboat_model::ObjectKey::parse(format!("captures/{manifest}")).unwrap();
    let (bytes, _) = fixture.primary_scratch.get(&manifest).await.unwrap();
    let envelope: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert!(envelope["payload"].is_string());
}
