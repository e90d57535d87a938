//! Forged assignments: they are rejected and recorded, and the next job is still done.

use lifeboat_delegate::Delegate;
use lifeboat_format::manifest::{Completeness, FORMAT_VERSION, Predicate, Tool};
use lifeboat_jobs::signed::{Authenticated as _, sign};
use lifeboat_jobs::worker::{Deadline, InvocationSummary};
use lifeboat_jobs::{Assignment, Cancel, CheckWork, Document as _, JobFile, Outcome, RestoreWork, Work};
use lifeboat_model::{AccountId, ApplicationName, Code, EnvironmentId, JobId, ObjectKey, Region};
use lifeboat_recovery_point::seal;
use lifeboat_store::ports::{ObjectStore, Signer as _};
use serde_json::{Value, json};

use crate::fixture::{Fixture, at, cancel_of, enveloped, later, point};
use crate::outcome;

/// Writes a forged assignment followed by a valid one, and runs one tick of the delegate.
async fn tick(
    fixture: &Fixture,
    store: &std::sync::Arc<dyn ObjectStore>,
    delegate: &Delegate,
    (key, bytes): (String, Vec<u8>),
) -> InvocationSummary {
    let key = ObjectKey::parse(key).unwrap();
    store.put_new(&key, bytes.into()).await.unwrap();
    let good = good(fixture, delegate);
    fixture.assign(store, &good, 1).await;
    let summary = delegate.run("tick", Deadline::new(later()), None).await.unwrap();
    let ended = outcome(store.as_ref(), &good.job).await;
    assert!(
        matches!(ended, Outcome::Done(_)),
        "the next job is done: {ended:?}"
    );
    summary
}

fn good(fixture: &Fixture, delegate: &Delegate) -> Assignment {
    let work = Work::Check(CheckWork {
        clusters: Vec::new(),
        cluster_tags: Default::default(),
        recovery_key: None,
    });
    let mut good = fixture.assignment("20261121T100500Z-0000ff-check", work);
    good.environment = delegate.environment.clone();
    good
}

const FORGED: &str = "20261121T100000Z-aaaaaa-forged";

fn place(assignment: &Assignment) -> String {
    format!("jobs/{}/assignment.json", assignment.job)
}

fn json(assignment: &Assignment) -> Value {
    serde_json::to_value(assignment).unwrap()
}

/// Assignments that are not claimed, although the coordinator's key has signed them; without its signature none is,
/// whatever it contains.
#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_not_what_they_should_be_are_not_claimed() {
    let sample = Fixture::without_clusters();
    let capture = sample.capture(FORGED, sample.recipient.to_pem());
    let mut of_another_application = capture.clone();
    of_another_application.application = ApplicationName::parse("other").unwrap();
    let mut elsewhere = capture.clone();
    elsewhere.environment = EnvironmentId::parse("333333333333-eu-west-1").unwrap();
    let mut one_more_field = json(&capture);
    one_more_field["sudo"] = true.into();
    let mut one_more_field_of_work = json(&capture);
    one_more_field_of_work["work"]["capture"]["alsoTo"] = "s3://mine".into();
    let mut other_work = json(&capture);
    other_work["work"] = json!({"run": {"command": "curl"}});
    let mut newer = json(&capture);
    newer["format"] = 3.into();
    let mut wrong_job = json(&capture);
    wrong_job["job"] = "shop/20261121T100000Z-bbbbbb-forged".into();
    let mut wrong_epoch = json(&capture);
    wrong_epoch["epoch"] = 2.into();
    let mut oversized = json(&capture);
    oversized["work"]["capture"]["recipient"] = "A".repeat(600 << 10).into();
    let mut older = json(&capture);
    older["format"] = 1.into();
    let mut deep = json(&capture).to_string();
    deep.truncate(deep.len() - 1);
    deep.push_str(",\"work\":");
    deep.push_str(&"[".repeat(100_000));
    let forgeries: Vec<(&str, Vec<u8>)> = vec![
        (
            "another application",
            json(&of_another_application).to_string().into(),
        ),
        ("another environment", json(&elsewhere).to_string().into()),
        ("an unknown field", one_more_field.to_string().into()),
        (
            "an unknown field of the work",
            one_more_field_of_work.to_string().into(),
        ),
        ("unknown work", other_work.to_string().into()),
        ("an older format", older.to_string().into()),
        ("a newer format", newer.to_string().into()),
        ("another job", wrong_job.to_string().into()),
        ("another epoch", wrong_epoch.to_string().into()),
        ("oversized", oversized.to_string().into()),
        ("nested without end", deep.into()),
        ("no JSON", b"\xff\xfe{}".to_vec()),
    ];
    for (what, bytes) in forgeries {
        for signed in [sample.signed(&bytes).await, bytes] {
            is_not_claimed(&sample, what, &place(&capture), signed).await;
        }
    }
}

/// Checks that the delegate neither claims a job nor does anything for it, and that it does the next one.
async fn is_not_claimed(sample: &Fixture, what: &str, key: &str, bytes: Vec<u8>) {
    let fixture = sample.anew();
    let (store, delegate) = (&fixture.primary_scratch, fixture.primary());
    let summary = tick(&fixture, store, &delegate, (key.to_owned(), bytes)).await;
    assert_eq!((summary.claimed, summary.refused), (1, 1), "{what}: {summary:?}");
    let (folder, _) = key.rsplit_once('/').unwrap();
    let beside = store.list(&format!("{folder}/"), None, 10).await.unwrap();
    assert_eq!(beside.len(), 1, "{what}: nothing but the forgery lies there");
    let captured = store.list("captures/", None, 1).await.unwrap();
    assert!(captured.is_empty(), "{what}: {captured:?}");
}

/// Who can write into the bucket, and has read an assignment of the coordinator, cannot use it again: the signature is
/// over the job, its application, its environment and its epoch, and over the kind of the document.
#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_that_the_coordinator_has_not_signed_for_its_place_is_refused() {
    let sample = Fixture::without_clusters();
    let capture = sample.capture(FORGED, sample.recipient.to_pem());
    let good = sign(&capture, &sample.coordinator).await.unwrap();
    let payload = capture.to_bytes();
    let by_another_key = sign(&capture, &sample.other_signer()).await.unwrap();
    let another_kind = enveloped(Cancel::PAYLOAD_TYPE, &payload, &sample.coordinator).await;
    let mut unsigned: Value = serde_json::from_slice(&good).unwrap();
    unsigned["signatures"] = json!([]);
    let mut of_another = capture.clone();
    of_another.application = ApplicationName::parse("other").unwrap();
    of_another.job = JobId::parse(format!("other/{FORGED}")).unwrap();
    let of_another = sign(&of_another, &sample.coordinator).await.unwrap();
    let mut elsewhere = capture.clone();
    elsewhere.environment = EnvironmentId::parse("333333333333-eu-west-1").unwrap();
    let elsewhere = sign(&elsewhere, &sample.coordinator).await.unwrap();
    let other_job = "jobs/shop/20261121T100000Z-bbbbbb-forged/assignment.json";
    let other_epoch = format!("jobs/{}/assignment-0002.json", capture.job);
    for (what, key, bytes) in [
        ("another key", place(&capture), by_another_key),
        (
            "the key of another kind of document",
            place(&capture),
            another_kind,
        ),
        ("no key", place(&capture), unsigned.to_string().into()),
        (
            "the coordinator, for another application",
            place(&capture),
            of_another,
        ),
        (
            "the coordinator, for another environment",
            place(&capture),
            elsewhere,
        ),
        (
            "the coordinator, for another job",
            other_job.to_owned(),
            good.clone(),
        ),
        ("the coordinator, for another epoch", other_epoch, good),
    ] {
        is_not_claimed(&sample, what, &key, bytes).await;
    }
}

/// Documents of a later epoch and a cancellation stop a delegate only if the coordinator has signed them.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_coordinator_fences_or_cancels() {
    let fixture = Fixture::without_clusters();
    let store = &fixture.primary_scratch;
    let delegate = fixture.primary();
    let job = good(&fixture, &delegate);
    fixture.assign(store, &job, 1).await;
    let forged = enveloped(
        Cancel::PAYLOAD_TYPE,
        &cancel_of(&job).to_bytes(),
        &fixture.other_signer(),
    )
    .await;
    let mut second = job.clone();
    second.epoch = second.epoch.next();
    for (file, bytes) in [
        (JobFile::Cancel, forged),
        (JobFile::Assignment(second.epoch), second.to_bytes()),
        (JobFile::Claim(second.epoch), b"{}".to_vec()),
    ] {
        store.put_new(&file.key(&job.job), bytes.into()).await.unwrap();
    }
    let summary = delegate.run("tick", Deadline::new(later()), None).await.unwrap();
    assert_eq!((summary.claimed, summary.ended), (1, 1), "{summary:?}");
    let ended = outcome(store.as_ref(), &job.job).await;
    assert!(matches!(ended, Outcome::Done(_)), "{ended:?}");
}

/// During a change of the coordinator's key both keys count.
#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_of_either_key_of_the_coordinator_counts() {
    let fixture = Fixture::without_clusters();
    let mut delegate = fixture.primary();
    let new = fixture.other_signer();
    delegate.coordinators.push(new.verifying_key().clone());
    let mut job = good(&fixture, &delegate);
    fixture.assign(&fixture.primary_scratch, &job, 1).await;
    job.job = JobId::parse("shop/20261121T100600Z-0000ff-check").unwrap();
    let key = ObjectKey::parse(place(&job)).unwrap();
    let bytes = sign(&job, &new).await.unwrap();
    fixture.primary_scratch.put_new(&key, bytes.into()).await.unwrap();
    let summary = delegate.run("tick", Deadline::new(later()), None).await.unwrap();
    assert_eq!((summary.ended, summary.refused), (2, 0), "{summary:?}");
}

/// The delegate ignores jobs of another application in the same bucket, regardless of their environment.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_another_application_are_left_alone() {
    let fixture = Fixture::without_clusters();
    let capture = fixture.capture(FORGED, fixture.recipient.to_pem());
    let key = format!("jobs/other/{FORGED}/assignment.json");
    let summary = tick(
        &fixture,
        &fixture.primary_scratch,
        &fixture.primary(),
        (key, json(&capture).to_string().into()),
    )
    .await;
    assert_eq!((summary.claimed, summary.refused), (1, 0), "{summary:?}");
}

async fn refused(fixture: &Fixture, forged: &Assignment) -> Code {
    let bytes = fixture.signed(&forged.to_bytes()).await;
    let (store, delegate) = (&fixture.recovery_scratch, fixture.recovery());
    let summary = tick(fixture, store, &delegate, (place(forged), bytes)).await;
    assert_eq!((summary.claimed, summary.ended), (2, 2), "{summary:?}");
    let Outcome::Failed { failures, retry } = outcome(store.as_ref(), &forged.job).await else {
        panic!("it was done");
    };
    assert!(!retry, "nothing changes by itself: {failures:?}");
    failures[0].code
}

/// The delegate rejects a vault that it was not deployed with: its content is not trusted.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_out_of_another_bucket_is_refused() {
    for field in ["bucket", "owner", "region", "prefix"] {
        let fixture = Fixture::without_clusters();
        let mut restore = fixture.restore(FORGED);
        let Work::Restore(RestoreWork { vault, .. }) = &mut restore.work else {
            unreachable!("it is made so above");
        };
        match field {
            "bucket" => vault.bucket = "somebody-elses".to_owned(),
            "owner" => vault.owner = AccountId::parse("333333333333").unwrap(),
            "region" => vault.region = Region::parse("us-east-1").unwrap(),
            _ => vault.prefix = "mine/".to_owned(),
        }
        assert_eq!(
            refused(&fixture, &restore).await,
            Code::JobDocumentRefused,
            "{field}"
        );
    }
}

/// A recovery point in the vault that is signed with another key, under a new ID.
#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_another_key_has_signed_is_refused() {
    let fixture = Fixture::without_clusters();
    let predicate = Predicate {
        infrastructure: None,
        format_version: FORMAT_VERSION,
        application: fixture.application.clone(),
        point: point(),
        created_at: at(0),
        tool: Tool {
            name: "lifeboat".to_owned(),
            version: "0.1.0".to_owned(),
        },
        completeness: Completeness::Complete,
        keys: Vec::new(),
        clusters: vec![record()],
    };
    seal(fixture.vault.as_ref(), &fixture.other_signer(), predicate)
        .await
        .unwrap();
    let restore = fixture.restore(FORGED);
    assert_eq!(refused(&fixture, &restore).await, Code::SignatureInvalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_pins_no_key_is_refused() {
    let fixture = Fixture::without_clusters();
    let mut restore = fixture.restore(FORGED);
    let Work::Restore(RestoreWork { signer, .. }) = &mut restore.work else {
        unreachable!("it is made so above");
    };
    *signer = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n".to_owned();
    assert_eq!(refused(&fixture, &restore).await, Code::JobDocumentRefused);
}

fn record() -> lifeboat_format::manifest::ClusterRecord {
    serde_json::from_value(json!({
        "name": "orders",
        "server": {"kubeSystemUid": null, "version": "v1.36.3", "platform": "linux/arm64"},
        "resourceVersion": null,
        "startedAt": at(0).to_string(),
        "finishedAt": at(1).to_string(),
        "filters": {},
        "objects": 0,
        "bytes": 0,
        "types": [],
        "missing": [],
        "packs": [],
        "dependencies": {},
    }))
    .unwrap()
}
