#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::cell::Cell;
use std::task::Poll;

use futures::executor::block_on;
use lifeboat_model::{BuildProgress, Epoch as Number};
use lifeboat_store::memory::MemoryStore;

use super::*;
use crate::folder::{Folder, view};
use crate::testing::{assignment, signer};
use lifeboat_store::ports::Signer as _;

const JOB: &str = "shop/20261121T112233Z-7f3a9c-build";

struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn building(done: u64) -> Doing {
    Doing::Build(BuildProgress {
        done,
        ..BuildProgress::default()
    })
}

/// Runs work that is asked `polls` times, and tells what `doing` says of the number of the poll.
fn run(store: &MemoryStore, polls: u64, doing: impl Fn(u64) -> Doing) -> Result<(), Stop> {
    let now = Timestamp::UNIX_EPOCH;
    let assignment = assignment(JOB, Number::FIRST);
    let claim = Claim {
        format: FORMAT,
        job: assignment.job.clone(),
        epoch: Number::FIRST,
        invocation: "i".to_owned(),
        claimed_at: now,
        deadline: now,
        recipient: None,
    };
    let keys = [signer().verifying_key().clone()];
    let epoch = Epoch {
        assignment: &assignment,
        claim: &claim,
        checkpoint: None,
        deadline: Deadline::new(now + SignedDuration::from_mins(15)),
        coordinators: &keys,
        store,
        clock: &At(now),
    };
    let polled = Cell::new(0);
    let work = pin!(std::future::poll_fn(|_| {
        polled.set(polled.get() + 1);
        match polled.get() > polls {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }));
    let sleep = |_| std::future::ready(());
    block_on(epoch.while_told(work, sleep, || Some(doing(polled.get()))))
}

/// Reads the report as the coordinator does.
fn told(store: &MemoryStore) -> Option<Doing> {
    let job = JobId::parse(JOB).unwrap();
    let folder = Folder {
        store,
        job: &job,
        trust: Trust::Content,
        newest: None,
    };
    let files = block_on(folder.files()).unwrap();
    let mut view = block_on(view(store, &job, Trust::Content, None)).unwrap();
    // The owner of the job.
    let assignment = assignment(JOB, Number::FIRST);
    view.claims.insert(
        Number::FIRST,
        Claim {
            format: FORMAT,
            job: job.clone(),
            epoch: Number::FIRST,
            invocation: "i".to_owned(),
            claimed_at: Timestamp::UNIX_EPOCH,
            deadline: Timestamp::UNIX_EPOCH,
            recipient: None,
        },
    );
    view.assignments.insert(Number::FIRST, assignment);
    block_on(folder.progress(&files, &view)).unwrap()
}

fn tag(store: &MemoryStore) -> ETag {
    let key = JobFile::Progress(Number::FIRST).key(&JobId::parse(JOB).unwrap());
    block_on(store.head(&key)).unwrap().etag
}

#[test]
fn what_is_done_is_told_while_it_is_done_and_only_when_it_changes() {
    let store = MemoryStore::new();
    assert_eq!(run(&store, 0, building), Ok(()));
    assert_eq!(told(&store), None, "it ended before anything was to tell");
    assert_eq!(run(&store, 4, |_| building(1)), Ok(()));
    assert_eq!(told(&store), Some(building(1)));
    assert_eq!(tag(&store), ETag::new("m-1"), "it is written once");

    let store = MemoryStore::new();
    assert_eq!(run(&store, 4, building), Ok(()));
    assert_eq!(told(&store), Some(building(4)));
    assert_eq!(tag(&store), ETag::new("m-4"));
}

#[test]
fn what_somebody_else_has_written_is_neither_replaced_nor_read() {
    let store = MemoryStore::new();
    let key = JobFile::Progress(Number::FIRST).key(&JobId::parse(JOB).unwrap());
    store.overwrite(&key, b"{".to_vec().into());
    let before = tag(&store);
    assert_eq!(run(&store, 4, building), Ok(()));
    assert_eq!(tag(&store), before);
    assert_eq!(told(&store), None);
    store.overwrite(&key, vec![b' '; crate::read::SMALL + 1].into());
    assert_eq!(told(&store), None);
}
