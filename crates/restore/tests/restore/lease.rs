//! One restore at a time per target, and an interrupted one is continued.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat_apiserver::Api;
use lifeboat_model::{Code, Diagnostic as _};
use lifeboat_restore::execute::{LeaseError, LeaseHolder, LeaseRequest};
use lifeboat_restore::lease::Lease;
use serde_json::Value;

use crate::support::{RealClock, connect, fixture, turn};

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/lifeboat-restore";

async fn acquire(api: &Api, holder: LeaseHolder, inputs: &str) -> Result<Lease, LeaseError> {
    let request = LeaseRequest {
        holder,
        ended: None,
        inputs: inputs.into(),
        clock: Arc::new(RealClock),
    };
    Lease::acquire(api, request).await
}

fn dead() -> LeaseHolder {
    LeaseHolder {
        pid: 1 << 23,
        ..LeaseHolder::this_process()
    }
}

fn elsewhere() -> LeaseHolder {
    LeaseHolder {
        host: "elsewhere".into(),
        ..LeaseHolder::this_process()
    }
}

#[tokio::test]
async fn a_living_holder_is_left_alone_and_a_dead_one_is_replaced_at_once() {
    let _turn = turn().await;
    let api = connect(&fixture().target).await;
    let first = acquire(&api, LeaseHolder::this_process(), "a")
        .await
        .expect("nobody holds it");
    assert!(!first.run().resumed);
    // Process 1 of this host always runs; its start time is in its stat file.
    let stat = std::fs::read_to_string("/proc/1/stat").expect("process 1 lives");
    let (_, after) = stat.rsplit_once(')').expect("a name stands in parentheses");
    let start = after
        .split_whitespace()
        .nth(19)
        .and_then(|field| field.parse().ok());
    let other = LeaseHolder {
        pid: 1,
        start: start.expect("a start is a number"),
        ..LeaseHolder::this_process()
    };
    let busy = acquire(&api, other, "a").await.err().expect("it is taken");
    assert!(matches!(busy, LeaseError::Busy { .. }), "{busy}");
    assert_eq!(busy.problem().code, Code::TargetBusy);
    first.release().await.expect("it is ours");

    let started = {
        let died = acquire(&api, dead(), "a").await.expect("nobody holds it");
        died.run().started.clone()
        // Dropped without release, as in a crash.
    };
    let began = Instant::now();
    let next = acquire(&api, LeaseHolder::this_process(), "a")
        .await
        .expect("the holder is dead");
    assert!(began.elapsed() < Duration::from_secs(5), "nobody is waited for");
    assert!(next.run().resumed);
    assert_eq!(next.run().started, started, "the run goes on");
    next.release().await.expect("it is ours");
    assert!(
        api.get_json::<Value>(PATH).await.is_err(),
        "nothing is left behind"
    );
}

#[tokio::test]
async fn another_restore_than_the_interrupted_one_begins_anew() {
    let _turn = turn().await;
    let api = connect(&fixture().target).await;
    drop(acquire(&api, dead(), "one").await.expect("nobody holds it"));
    let before: Value = api.get_json(PATH).await.expect("it stays");
    let next = acquire(&api, LeaseHolder::this_process(), "two")
        .await
        .expect("the holder is dead");
    assert!(!next.run().resumed);
    let after: Value = api.get_json(PATH).await.expect("it is held");
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    next.release().await.expect("it is ours");
}

#[tokio::test]
async fn a_holder_on_another_host_is_waited_for_as_long_as_it_promised() {
    let _turn = turn().await;
    let api = connect(&fixture().target).await;
    let silent = acquire(&api, elsewhere(), "a").await.expect("nobody holds it");
    drop(silent);
    let patch = r#"{"spec":{"leaseDurationSeconds":2}}"#;
    let shorter = [
        "-n",
        "kube-system",
        "patch",
        "lease",
        "lifeboat-restore",
        "--type=merge",
        "-p",
        patch,
    ];
    fixture()
        .target
        .kubectl_output(&shorter)
        .expect("the lease can be changed");
    let began = Instant::now();
    let next = acquire(&api, LeaseHolder::this_process(), "a")
        .await
        .expect("the holder is silent");
    assert!(began.elapsed() >= Duration::from_secs(2));
    next.release().await.expect("it is ours");

    // This Lease is renewed by a running task of this process.
    let living = acquire(&api, elsewhere(), "a").await.expect("nobody holds it");
    let busy = acquire(&api, LeaseHolder::this_process(), "a")
        .await
        .err()
        .expect("it is renewed");
    assert!(matches!(busy, LeaseError::Busy { .. }), "{busy}");
    assert!(!living.is_lost());
    living.release().await.expect("it is ours");
}

#[tokio::test]
async fn whoever_lost_the_lease_knows_it() {
    let _turn = turn().await;
    let api = connect(&fixture().target).await;
    let lease = acquire(&api, LeaseHolder::this_process(), "a")
        .await
        .expect("nobody holds it");
    let patch = r#"{"spec":{"holderIdentity":"thief/1/1"}}"#;
    let steal = [
        "-n",
        "kube-system",
        "patch",
        "lease",
        "lifeboat-restore",
        "--type=merge",
        "-p",
        patch,
    ];
    fixture()
        .target
        .kubectl_output(&steal)
        .expect("the lease can be stolen");
    for _ in 0..80 {
        if lease.is_lost() {
            break;
        }
        lifeboat_system::sleep(Duration::from_millis(100)).await;
    }
    assert!(lease.is_lost());
    fixture()
        .target
        .kubectl_output(&["-n", "kube-system", "delete", "lease", "lifeboat-restore"])
        .expect("the lease can be deleted");
}
