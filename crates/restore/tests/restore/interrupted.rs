//! A restore that is interrupted says what it has done, gives the target back, and is continued by the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lifeboat_apiserver::Api;
use lifeboat_plan::RestoreOptions;
use lifeboat_restore::RestoreProgress;
use lifeboat_restore::execute::{LeaseHolder, LeaseRequest, RestoreSettings, Unwatched, restore};
use lifeboat_restore::lease::Lease;
use lifeboat_restore::outcome::ObjectResult;
use lifeboat_restore::survey::survey;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::{Captured, RealClock, apply, connect, fixture, turn};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/lifeboat-restore";
const RECORD: &str = "/api/v1/namespaces/kube-system/configmaps/lifeboat-restore";

async fn acquire(api: &Api, inputs: &str) -> Lease {
    let request = LeaseRequest {
        holder: LeaseHolder::this_process(),
        ended: None,
        inputs: inputs.into(),
        clock: Arc::new(RealClock),
    };
    Lease::acquire(api, request).await.expect("nobody holds it")
}

/// Interrupts the restore after a number of objects.
struct After {
    objects: AtomicUsize,
    interrupt: CancellationToken,
}

impl RestoreProgress for After {
    fn object(&self, _failed: bool) {
        if self.objects.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.interrupt.cancel();
        }
    }
}

async fn exists(api: &Api, path: &str) -> bool {
    api.get_json::<Value>(path).await.is_ok()
}

#[tokio::test]
async fn an_interrupted_restore_leaves_no_lease_and_is_continued() {
    let fixture = fixture();
    let mut manifests = String::from("{apiVersion: v1, kind: Namespace, metadata: {name: interrupted}}");
    for number in 0..30 {
        manifests += &format!(
            "\n---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{number}, namespace: interrupted}}}}"
        );
    }
    apply(&fixture.source, &manifests);
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "interrupted" && kind == "configmaps" && name != "kube-root-ca.crt")
            || (kind == "namespaces" && name == "interrupted")
    })
    .await;
    let _turn = turn().await;
    let api = connect(&fixture.target).await;
    let discovery = api.discover().await.expect("discovery works");
    let draft = captured.draft(&RestoreOptions::default());
    let source = captured.source();

    let lease = acquire(&api, "interrupted").await;
    let started = lease.run().started.clone();
    let facts = survey(&api, &discovery, draft.wanted(), Some(lease.run()))
        .await
        .expect("a survey");
    let plan = draft.plan(&facts).expect("a plan");
    let draft = captured.draft(&RestoreOptions::default());
    let settings = RestoreSettings {
        concurrency: 2,
        ..RestoreSettings::default()
    };
    let progress = After {
        objects: AtomicUsize::new(10),
        interrupt: settings.interrupt.clone(),
    };
    let outcome = restore(&api, &plan, &facts, &source, &lease, &settings, &progress)
        .await
        .expect("the target answers");
    assert!(outcome.interrupted && !outcome.is_complete());
    let count = |wanted: &ObjectResult| outcome.results.iter().filter(|result| *result == wanted).count();
    let (restored, left) = (count(&ObjectResult::Restored), count(&ObjectResult::NotAttempted));
    assert!(
        (10..=12).contains(&restored) && restored + left == 31,
        "{restored} and {left}"
    );
    lease.interrupt().await.expect("the target takes it back");
    assert!(!exists(&api, LEASE).await && exists(&api, RECORD).await);

    let lease = acquire(&api, "interrupted").await;
    assert!(lease.run().resumed && lease.run().started == started);
    assert!(!exists(&api, RECORD).await, "the Lease has taken its place");
    let facts = survey(&api, &discovery, draft.wanted(), Some(lease.run()))
        .await
        .expect("a survey");
    let again = draft.plan(&facts).expect("a plan");
    assert_eq!(again.hash(), plan.hash(), "the run goes on with the same plan");
    let settings = RestoreSettings::default();
    let outcome = restore(&api, &again, &facts, &source, &lease, &settings, &Unwatched)
        .await
        .expect("the target answers");
    assert!(
        outcome.is_complete() && !outcome.interrupted,
        "{:?}",
        outcome.results
    );
    lease.release().await.expect("it is ours");
    assert!(!exists(&api, LEASE).await && !exists(&api, RECORD).await);
}

#[tokio::test]
async fn another_restore_does_not_continue_an_interrupted_one() {
    let _turn = turn().await;
    let api = connect(&fixture().target).await;
    acquire(&api, "one")
        .await
        .interrupt()
        .await
        .expect("the target takes it back");
    let lease = acquire(&api, "two").await;
    assert!(!lease.run().resumed);
    assert!(!exists(&api, RECORD).await, "nothing is left behind");
    lease.release().await.expect("it is ours");
}
