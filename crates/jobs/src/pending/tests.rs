#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use futures::executor::block_on;
use lifeboat_model::{DelegateId, Epoch};
use lifeboat_store::metered::MeteredStore;
use lifeboat_store::ports::Signer as _;

use super::*;
use crate::read::SMALL;
use crate::testing::{assign, environment, plant, signer, take};

const SINCE: &str = "20261120T000000Z";
const JOB: &str = "shop/20261121T112233Z-7f3a9c-check";

/// Searches once; returns the pending jobs and the numbers of requests and bytes.
fn search(store: &MeteredStore, rotation: &Rotation, named: Option<&JobId>) -> (PendingJobs, (u64, u64)) {
    let keys = [signer().verifying_key().clone()];
    let search = Search {
        store,
        delegate: &DelegateId::parse("shop").unwrap(),
        environment: &environment(),
        keys: &keys,
        rotation,
        named,
    };
    take(store);
    let pending = block_on(search.run(SINCE)).unwrap();
    (pending, take(store))
}

fn jobs(pending: &PendingJobs) -> Vec<&str> {
    pending
        .open
        .iter()
        .map(|job| job.assignment.job.as_str())
        .collect()
}

/// Somebody writes thousands of assignments that sort before the real one.
#[test]
fn forged_jobs_cannot_starve_a_real_one() {
    let store = MeteredStore::default();
    let junk = vec![b' '; 64];
    for number in 0..3000 {
        plant(
            &store,
            &format!("jobs/shop/20261121T000000Z-{number:06}-check/assignment.json"),
            junk.clone(),
        );
    }
    assign(&store, JOB, Epoch::FIRST);
    let rotation = Rotation::default();
    let mut searches = 0;
    loop {
        searches += 1;
        let (pending, (requests, _)) = search(&store, &rotation, None);
        assert!(requests <= (LOOKS + 5) as u64, "{requests} requests");
        assert!(pending.refused.len() <= TOLD && pending.refusals <= LOOKS);
        if !pending.open.is_empty() {
            assert_eq!(jobs(&pending), [JOB]);
            break;
        }
        assert!(searches < 20, "it is never found");
    }
    assert!(searches > 1, "one search has a limit");
    // After the end it begins at the front again.
    let (pending, _) = search(&store, &rotation, None);
    assert!(pending.open.is_empty() && pending.refusals == LOOKS);
}

#[test]
fn the_job_of_an_event_is_found_at_once() {
    let store = MeteredStore::default();
    for number in 0..3000 {
        let name = format!("20261121T000000Z-{number:06}-check");
        plant(
            &store,
            &format!("jobs/shop/{name}/assignment.json"),
            vec![b' '; 64],
        );
    }
    assign(&store, JOB, Epoch::FIRST);
    let job = JobId::parse(JOB).unwrap();
    let (pending, _) = search(&store, &Rotation::default(), Some(&job));
    assert_eq!(jobs(&pending), [JOB]);
    for other in [
        "cart/20261121T112233Z-7f3a9c-check",
        "shop.orders/20261121T112233Z-7f3a9c-check",
        "shop/20251121T112233Z-7f3a9c-check",
    ] {
        let job = JobId::parse(other).unwrap();
        assign(&store, other, Epoch::FIRST);
        let (pending, _) = search(&store, &Rotation::default(), Some(&job));
        assert!(pending.open.is_empty(), "{other} is of another delegate, or over");
    }
}

#[test]
fn folders_that_are_no_jobs_cost_nothing() {
    let store = MeteredStore::default();
    assign(&store, JOB, Epoch::FIRST);
    for number in 0..5000 {
        plant(&store, &format!("jobs/shop/x{number:06}/assignment.json"), "{}");
    }
    let (pending, (requests, _)) = search(&store, &Rotation::default(), None);
    assert_eq!(jobs(&pending), [JOB]);
    assert!(requests <= 3, "{requests} requests");
}

#[test]
fn a_folder_of_many_keys_does_not_hide_the_next_one() {
    let store = MeteredStore::default();
    for number in 0..4000 {
        plant(
            &store,
            &format!("jobs/shop/20261121T000000Z-junk/a{number:06}"),
            "{}",
        );
    }
    assign(&store, JOB, Epoch::FIRST);
    let (pending, (requests, _)) = search(&store, &Rotation::default(), None);
    assert_eq!(jobs(&pending), [JOB]);
    assert!(requests < 400, "{requests} requests");
}

#[test]
fn large_forgeries_are_not_read() {
    let store = MeteredStore::default();
    for number in 0..100 {
        let name = format!("20261121T000000Z-{number:06}-check");
        plant(
            &store,
            &format!("jobs/shop/{name}/assignment.json"),
            vec![b' '; 2 * SMALL],
        );
    }
    let (pending, (_, bytes)) = search(&store, &Rotation::default(), None);
    assert_eq!((pending.refusals, bytes), (100, 0));
}

/// Clocks differ: the coordinator gives a job up only after every delegate did.
#[test]
fn a_job_is_given_up_after_no_delegate_reads_it() {
    let job = JobId::parse(JOB).unwrap();
    let is_read = |now: &str| job.name() >= since(now.parse().unwrap()).as_str();
    let is_unread = |now: &str| is_unread(&job, now.parse().unwrap());
    assert!(is_read("2026-11-23T11:22:33Z"));
    assert!(!is_read("2026-11-23T11:22:34Z"));
    assert!(!is_unread("2026-11-23T12:22:33Z"));
    assert!(is_unread("2026-11-23T12:22:34Z"));
}
