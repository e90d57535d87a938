#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use futures::executor::block_on;
use jiff::Timestamp;
use lifeboat_format::VerifyingKey;
use lifeboat_store::metered::MeteredStore;
use lifeboat_store::ports::Signer as _;

use super::*;
use crate::FORMAT;
use crate::checkpoint::Progress;
use crate::read::{LARGE, SMALL};
use crate::testing::{assign, plant, signer, take};

const JOB: &str = "shop/20261121T112233Z-7f3a9c-check";

fn keys() -> [VerifyingKey; 1] {
    [signer().verifying_key().clone()]
}

fn view_of(store: &MeteredStore, trust: Trust<'_>, newest: Option<Epoch>) -> JobView {
    block_on(view(store, &JobId::parse(JOB).unwrap(), trust, newest)).unwrap()
}

fn claim(epoch: Epoch) -> Vec<u8> {
    let claim = Claim {
        format: FORMAT,
        job: JobId::parse(JOB).unwrap(),
        epoch,
        invocation: "i".to_owned(),
        claimed_at: Timestamp::UNIX_EPOCH,
        deadline: Timestamp::UNIX_EPOCH,
        recipient: None,
    };
    claim.to_bytes()
}

#[test]
fn a_folder_full_of_junk_hides_none_of_its_documents() {
    let store = MeteredStore::default();
    for number in 0..2 * MAX_KEYS {
        plant(
            &store,
            &format!("jobs/{JOB}/assignment-0002.json.{number:04}"),
            "{}",
        );
        plant(&store, &format!("jobs/{JOB}/a{number:04}"), "{}");
    }
    assign(&store, JOB, Epoch::FIRST);
    plant(
        &store,
        &format!("jobs/{JOB}/claim-0001.json"),
        claim(Epoch::FIRST),
    );
    let keys = keys();
    for (trust, newest, most) in [
        (Trust::Keys(&keys), None, 300),
        (Trust::Content, Some(Epoch::FIRST), 10),
    ] {
        take(&store);
        let view = view_of(&store, trust, newest);
        assert_eq!(view.owner().map(|owner| owner.epoch), Some(Epoch::FIRST));
        let (requests, _) = take(&store);
        assert!(requests <= most, "{requests} requests");
    }
}

/// 300 checkpoints of 2 MiB are more than the memory of the coordinator.
#[test]
fn of_many_large_checkpoints_only_the_newest_needed_are_read() {
    let store = MeteredStore::default();
    let junk = Bytes::from(vec![b' '; LARGE]);
    for epoch in 1..=300 {
        plant(
            &store,
            &format!("jobs/{JOB}/checkpoint-{epoch:04}.json"),
            junk.clone(),
        );
    }
    assign(&store, JOB, Epoch::FIRST);
    plant(
        &store,
        &format!("jobs/{JOB}/claim-0001.json"),
        claim(Epoch::FIRST),
    );
    view_of(&store, Trust::Content, Some(Epoch::FIRST));
    let (_, bytes) = take(&store);
    assert!(bytes < LARGE as u64 + 10_000, "{bytes} bytes were read");
}

#[test]
fn what_is_too_large_is_refused_without_a_read() {
    let store = MeteredStore::default();
    let (assignment, result) = ("assignment.json", "result.json");
    plant(&store, &format!("jobs/{JOB}/{assignment}"), vec![b' '; 2 * SMALL]);
    plant(&store, &format!("jobs/{JOB}/{result}"), vec![b' '; LARGE + 1]);
    let view = view_of(&store, Trust::Keys(&keys()), None);
    assert_eq!(view.refused.len(), 2, "{:?}", view.refused);
    assert_eq!(take(&store), (1, 0), "the listing says it");
}

#[test]
fn epochs_that_were_not_assigned_are_not_read() {
    let store = MeteredStore::default();
    assign(&store, JOB, Epoch::FIRST);
    for number in 2..=96 {
        let epoch = Epoch::new(number).unwrap();
        plant(
            &store,
            &format!("jobs/{JOB}/assignment-{epoch}.json"),
            vec![b' '; SMALL],
        );
        plant(&store, &format!("jobs/{JOB}/claim-{epoch}.json"), claim(epoch));
    }
    let view = view_of(&store, Trust::Content, Some(Epoch::FIRST));
    assert_eq!((view.epoch(), view.owner()), (Some(Epoch::FIRST), None));
    assert_eq!(view.refused.len(), 1, "{:?}", view.refused);
    let (requests, bytes) = take(&store);
    assert!(
        requests <= 3 && bytes < 10_000,
        "{requests} requests, {bytes} bytes"
    );
}

/// A checkpoint from which nobody continues is not a reason to read those before it.
#[test]
fn the_newest_valid_checkpoint_is_the_one_to_continue_from() {
    let store = MeteredStore::default();
    for epoch in (1..=4).filter_map(Epoch::new) {
        assign(&store, JOB, epoch);
        let checkpoint = Checkpoint {
            format: FORMAT,
            job: JobId::parse(JOB).unwrap(),
            epoch,
            at: Timestamp::UNIX_EPOCH,
            progress: Progress::Nothing {},
        };
        let key = JobFile::Checkpoint(epoch).key(&checkpoint.job);
        let is_damaged = epoch.get() == 3;
        let bytes = if is_damaged {
            b"{".to_vec()
        } else {
            checkpoint.to_bytes()
        };
        plant(&store, key.as_str(), bytes);
    }
    let job = JobId::parse(JOB).unwrap();
    let folder = Folder {
        store: &store,
        job: &job,
        trust: Trust::Content,
        newest: None,
    };
    let files = block_on(folder.files()).unwrap();
    let mut view = JobView::empty(job.clone());
    let found = block_on(folder.checkpoint_before(&files, Epoch::new(4).unwrap(), &mut view)).unwrap();
    assert_eq!(found.map(|checkpoint| checkpoint.epoch.get()), Some(2));
    assert_eq!(view.refused.len(), 1, "the damaged one is told");
}
