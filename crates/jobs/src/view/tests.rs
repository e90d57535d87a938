#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use bytes::Bytes;
use lifeboat_format::{Envelope, VerifyingKey};
use lifeboat_model::{Arn, Code, EnvironmentId};
use lifeboat_store::memory::MemoryStore;
use lifeboat_store::ports::ObjectStore as _;

use crate::read::{Document, LARGE, SMALL};
use crate::signed::{Authenticated as _, SignedFile, Trust};
use crate::view::*;
use crate::{CheckWork, Done, FORMAT, Outcome, Progress, Work};

const JOB: &str = "shop/20261121T112233Z-7f3a9c-check";

fn job() -> JobId {
    JobId::parse(JOB).unwrap()
}

fn epoch(number: u32) -> Epoch {
    Epoch::new(number).unwrap()
}

fn time(minute: i8) -> Timestamp {
    format!("2026-11-21T11:{minute:02}:00Z").parse().unwrap()
}

fn environment() -> EnvironmentId {
    EnvironmentId::parse("111111111111-eu-west-1").unwrap()
}

fn assignment(number: u32) -> (ObjectKey, Bytes) {
    let document = Assignment {
        format: FORMAT,
        job: job(),
        application: job().application(),
        epoch: epoch(number),
        issued_at: time(0),
        environment: environment(),
        work: Work::Check(CheckWork {
            clusters: Vec::new(),
            cluster_tags: BTreeMap::new(),
            recovery_key: None,
        }),
    };
    let payload = document.to_bytes();
    let key = include_str!("../../../recovery-point/tests/fixtures/point-v1/keys/signing.pub.pem");
    let signer = VerifyingKey::from_pem(key).unwrap();
    // The coordinator believes the content, and not the signature.
    let envelope = Envelope::of_type(Assignment::PAYLOAD_TYPE, &payload, &signer, b"");
    (
        JobFile::Assignment(epoch(number)).key(&job()),
        serde_json::to_vec(&SignedFile::from(envelope)).unwrap().into(),
    )
}

fn claim(number: u32) -> (ObjectKey, Bytes) {
    let document = Claim {
        format: FORMAT,
        job: job(),
        epoch: epoch(number),
        invocation: format!("i-{number}"),
        claimed_at: time(1),
        deadline: time(16),
        recipient: None,
    };
    (
        JobFile::Claim(epoch(number)).key(&job()),
        document.to_bytes().into(),
    )
}

fn checkpoint(number: u32) -> (ObjectKey, Bytes) {
    let document = Checkpoint {
        format: FORMAT,
        job: job(),
        epoch: epoch(number),
        at: time(2),
        progress: Progress::Nothing {},
    };
    (
        JobFile::Checkpoint(epoch(number)).key(&job()),
        document.to_bytes().into(),
    )
}

fn result_of(number: u32, environment: &str) -> (ObjectKey, Bytes) {
    let document = JobResult {
        format: FORMAT,
        job: job(),
        epoch: epoch(number),
        at: time(3),
        outcome: Outcome::Done(Done::Check {
            key: None,
            found: Vec::new(),
            missing: Vec::new(),
        }),
        access: Vec::new(),
        environment: EnvironmentId::parse(environment).unwrap(),
        delegate: Arn::parse("arn:aws:lambda:eu-west-1:111111111111:function:lifeboat-shop-primary").unwrap(),
    };
    (JobFile::Result.key(&job()), document.to_bytes().into())
}

fn result(number: u32) -> (ObjectKey, Bytes) {
    result_of(number, "111111111111-eu-west-1")
}

fn view(files: Vec<(ObjectKey, Bytes)>) -> JobView {
    futures::executor::block_on(async {
        let store = MemoryStore::new();
        for (key, bytes) in files {
            store.put_new(&key, bytes).await.unwrap();
        }
        crate::folder::view(&store, &job(), Trust::Content, None)
            .await
            .unwrap()
    })
}

/// Returns the status of the job as a short text.
fn word(files: Vec<(ObjectKey, Bytes)>, now: Timestamp, seen: Option<Timestamp>) -> String {
    match view(files).status(now, seen) {
        JobStatus::Unassigned => "unassigned".to_owned(),
        JobStatus::Unclaimed { epoch } => format!("unclaimed {}", epoch.get()),
        JobStatus::Running(claim) => format!("running {}", claim.epoch.get()),
        JobStatus::Due { epoch, checkpoint } => format!("due {} {checkpoint}", epoch.get()),
        JobStatus::Exhausted => "exhausted".to_owned(),
        JobStatus::Ended(result) => format!("ended {}", result.epoch.get()),
        JobStatus::Lost => "lost".to_owned(),
    }
}

#[test]
fn what_the_bucket_holds_decides_who_owns_a_job() {
    for (files, now, expected) in [
        (vec![], 2, "unassigned"),
        (vec![claim(1)], 2, "unassigned"),
        (vec![assignment(1)], 59, "unclaimed 1"),
        (vec![assignment(1), claim(1)], 2, "running 1"),
        (vec![assignment(1), claim(1)], 17, "running 1"),
        (vec![assignment(1), claim(1)], 18, "due 2 false"),
        (vec![assignment(1), claim(1), checkpoint(1)], 2, "due 2 true"),
        (
            vec![assignment(1), claim(1), checkpoint(1), assignment(2)],
            2,
            "unclaimed 2",
        ),
        (
            vec![assignment(1), claim(1), assignment(2), claim(2)],
            2,
            "running 2",
        ),
        (vec![assignment(1), claim(1), result(1)], 2, "ended 1"),
        // A claim of an epoch that is not assigned has no effect.
        (vec![assignment(1), claim(1), claim(9), result(1)], 2, "ended 1"),
        // The lower epoch is fenced, whether it wrote before or after the higher one was claimed.
        (
            vec![assignment(1), claim(1), assignment(2), claim(2), result(1)],
            2,
            "lost",
        ),
        // Epoch 2 is assigned but not claimed: epoch 1 still owns the job and may end it.
        (
            vec![assignment(1), claim(1), assignment(2), result(1)],
            2,
            "ended 1",
        ),
        (vec![assignment(96), claim(96), checkpoint(96)], 2, "exhausted"),
    ] {
        let names: Vec<String> = files.iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(word(files, time(now), None), expected, "{names:?} at {now}");
    }
}

#[test]
fn a_delegate_with_a_wrong_clock_cannot_hold_a_job_for_ever() {
    let (key, bytes) = claim(1);
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let far = text.replace("2026-11-21T11:16:00Z", "2999-01-01T00:00:00Z");
    let files = vec![assignment(1), (key, far.into())];
    assert_eq!(word(files.clone(), time(17), Some(time(1))), "running 1");
    assert_eq!(word(files, time(18), Some(time(1))), "due 2 false");
}

#[test]
fn results_of_others_are_refused_and_recorded() {
    let foreign = view(vec![
        assignment(1),
        claim(1),
        result_of(1, "333333333333-eu-west-1"),
    ]);
    assert_eq!(foreign.validity(), ResultValidity::Invalid);
    insta::assert_snapshot!(foreign.refused[0].problem.to_string());
    let unclaimed = view(vec![assignment(1), result(1)]);
    assert_eq!(unclaimed.validity(), ResultValidity::Invalid);
    assert_eq!(unclaimed.status(time(2), None), JobStatus::Lost);
}

#[test]
fn documents_that_cannot_be_believed_have_no_effect() {
    let (key, good) = claim(1);
    let text = String::from_utf8(good.to_vec()).unwrap();
    let other_job = text.replace("7f3a9c", "000000");
    let large = format!("{text}{}", " ".repeat(SMALL));
    for (bytes, says) in [
        ("", "EOF"),
        ("{}", "missing field `format`"),
        ("[1]", "read"),
        (
            &text.replace("\"format\":2", "\"format\":3"),
            "format 3 is not supported",
        ),
        (
            &text.replace("\"format\":2", "\"format\":1"),
            "format 1 is not supported",
        ),
        (
            &text.replace("\"epoch\":1", "\"epoch\":2"),
            "claim-0002.json, not for",
        ),
        (
            &text.replace("\"epoch\":1", "\"epoch\":1,\"admin\":true"),
            "unknown field `admin`",
        ),
        (&other_job, "000000-check/claim-0001.json, not for"),
        (&large, "exceeds the limit of 262144"),
        (&text[..text.len() - 1], "EOF"),
    ] {
        let view = view(vec![assignment(1), (key.clone(), bytes.to_owned().into())]);
        assert_eq!(
            view.status(time(2), None),
            JobStatus::Unclaimed { epoch: epoch(1) }
        );
        assert_eq!(view.refused.len(), 1, "{bytes}");
        let problem = &view.refused[0].problem;
        assert_eq!(problem.code, Code::JobDocumentRefused);
        assert!(problem.message.contains(says), "{}", problem.message);
    }
    const { assert!(LARGE > SMALL) };
}

#[test]
fn documents_survive_being_written_and_read() {
    let files = vec![assignment(1), claim(1), checkpoint(1)];
    let view = view(files.clone());
    let assigned: Vec<u8> = view.assignments[&epoch(1)].to_bytes();
    let signed: Assignment = crate::signed::read_signed(&files[0].0, &files[0].1, Trust::Content).unwrap();
    assert_eq!(assigned, signed.to_bytes());
    assert_eq!(view.claims[&epoch(1)].to_bytes(), files[1].1);
    assert_eq!(view.checkpoints[&epoch(1)].to_bytes(), files[2].1);
}
