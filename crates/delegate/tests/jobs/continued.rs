//! A capture over several invocations, or in several jobs, makes the same recovery point as a single
//! invocation.

use std::sync::Arc;

use jiff::SignedDuration;
use lifeboat_delegate::Delegate;
use lifeboat_format::manifest::TypeOutcome;
use lifeboat_jobs::folder::view;
use lifeboat_jobs::read::read;
use lifeboat_jobs::signed::sign;
use lifeboat_jobs::worker::Deadline;
use lifeboat_jobs::{
    Assignment, CaptureWork, Checkpoint, Done, JobFile, Outcome, Progress, SealWork, Trust, Work,
};
use lifeboat_local::Cluster;
use lifeboat_model::{Epoch, JobId, RecoveryPointId, TypeName};
use lifeboat_recovery_point::cursor::Types;
use lifeboat_store::ports::{Clock as _, ObjectStore};

use crate::fixture::{Fixture, PRIMARY, Stalling, Stepping, cancel_of, target};
use crate::outcome;

/// Returns types with several pages of seven objects, among them custom ones, and text that is not ASCII.
fn objects() -> String {
    let mut text = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gadgets.shop.example }
spec:
  group: shop.example
  scope: Namespaced
  names: { kind: Gadget, listKind: GadgetList, plural: gadgets, singular: gadget }
  versions:
    - { name: v2, served: true, storage: false, schema: &any { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } } }
    - { name: v1, served: true, storage: true, schema: *any }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
"#
    .to_owned();
    for number in 0..40 {
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: settings-{number:02}, namespace: shop }}\ndata: {{ text: \"Grüße {number}\" }}\n"
        ));
    }
    for number in 0..15 {
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: secret-{number:02}, namespace: shop }}\nstringData: {{ word: \"canary-{number}\" }}\n"
        ));
    }
    text
}

fn gadgets() -> String {
    (0..23)
        .map(|number| {
            format!(
                "---\napiVersion: shop.example/v1\nkind: Gadget\nmetadata: {{ name: g-{number:02}, namespace: shop }}\nspec: {{ big: 9007199254740993, number: {number} }}\n"
            )
        })
        .collect()
}

fn fill(cluster: &Cluster) {
    cluster.apply(&objects()).unwrap();
    let established = [
        "wait",
        "--for=condition=Established",
        "crd/gadgets.shop.example",
        "--timeout=30s",
    ];
    cluster.kubectl_output(&established).unwrap();
    cluster.apply(&gadgets()).unwrap();
}

/// Returns the current resourceVersion. Captures that are compared are made at the same one.
fn version(cluster: &Cluster) -> String {
    let list = cluster
        .kubectl_output(&["get", "--raw", "/api/v1/namespaces?limit=1"])
        .unwrap();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    list["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

fn point(number: u32) -> RecoveryPointId {
    RecoveryPointId::parse(format!("20261121T1000{number:02}Z-aaaaaa")).unwrap()
}

/// Returns a capture of everything at a resourceVersion, as the job of the recovery point with this number.
fn capture(fixture: &Fixture, number: u32, version: &str) -> Assignment {
    let mut job = fixture.capture(
        &format!("{}-capture-orders-00", point(number)),
        fixture.recipient.to_pem(),
    );
    let Work::Capture(CaptureWork { point: of, types, .. }) = &mut job.work else {
        unreachable!("it is made so above");
    };
    *of = point(number);
    *types = Types::Except {
        types: Vec::new(),
        resource_version: version.to_owned(),
    };
    job
}

/// Returns a delegate whose clock advances by a step with each reading, and that reads small pages.
fn delegate(fixture: &Fixture, clock: &Arc<Stepping>) -> Delegate {
    let mut delegate = fixture.primary();
    delegate.page_size = 7;
    delegate.clock = Arc::clone(clock) as _;
    delegate
}

/// Runs one invocation of 15 minutes.
async fn invoke(delegate: &Delegate, clock: &Stepping, name: &str) {
    let deadline = Deadline::new(clock.now() + SignedDuration::from_mins(15));
    delegate.run(name, deadline, None).await.unwrap();
}

/// Works on a job, epoch by epoch, from `first` to its end. Returns the last epoch.
async fn work_off(fixture: &Fixture, job: &Assignment, step: SignedDuration, first: u32) -> u32 {
    for epoch in first..40 {
        fixture.assign(&fixture.primary_scratch, job, epoch).await;
        let clock = Stepping::new(step);
        invoke(&delegate(fixture, &clock), &clock, &format!("invocation-{epoch}")).await;
        let seen = view(fixture.primary_scratch.as_ref(), &job.job, Trust::Content, None)
            .await
            .unwrap();
        assert!(seen.refused.is_empty(), "{:?}", seen.refused);
        if seen.result.is_some() {
            return epoch;
        }
        let left = &seen.checkpoints[seen.checkpoints.keys().next_back().unwrap()];
        assert_eq!(left.epoch.get(), epoch, "it ends at a checkpoint");
    }
    panic!("it never ends");
}

/// The clock's step with which one invocation is enough; with `SLOW` the capture takes many.
const FAST: SignedDuration = SignedDuration::from_millis(1);
const SLOW: SignedDuration = SignedDuration::from_secs(45);

async fn assert_sealed(fixture: &Fixture, job: &JobId) {
    let outcome = outcome(fixture.primary_scratch.as_ref(), job).await;
    let Outcome::Done(Done::Capture(done)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(done.sealed.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_in_many_invocations_is_the_capture_in_one() {
    let fixture = Fixture::start();
    fill(fixture.source());
    let version = version(fixture.source());

    let one = capture(&fixture, 1, &version);
    assert_eq!(work_off(&fixture, &one, FAST, 1).await, 1);
    assert_sealed(&fixture, &one.job).await;
    let in_one = fixture.contents(&point(1)).await;
    assert_eq!(in_one.keys, 1);

    let many = capture(&fixture, 2, &version);
    let epochs = work_off(&fixture, &many, SLOW, 1).await;
    assert!(epochs >= 5, "{epochs} epochs");
    assert_sealed(&fixture, &many.job).await;
    let in_many = fixture.contents(&point(2)).await;
    assert!(
        in_many.keys > 3,
        "each epoch that wrote has its own key: {}",
        in_many.keys
    );
    let mut in_the_middle = false;
    for epoch in (1..epochs).filter_map(Epoch::new) {
        let key = JobFile::Checkpoint(epoch).key(&many.job);
        let (bytes, _) = fixture.primary_scratch.get(&key).await.unwrap();
        let checkpoint: Checkpoint = read(&key, &bytes).unwrap();
        in_the_middle |= match &checkpoint.progress {
            Progress::Capture(progress) => progress.open.as_ref().is_some_and(|open| {
                let token = |t: &lifeboat_recovery_point::cursor::TypeCheckpoint| {
                    t.position.as_ref()?.continue_token.clone()
                };
                open.listing.open.iter().any(|t| token(t).is_some())
            }),
            _ => false,
        };
    }
    assert!(in_the_middle, "some list was stopped between two of its pages");

    // An invocation dies after it has written packs; the next one continues from the checkpoint.
    let died = capture(&fixture, 3, &version);
    for epoch in 1..=2 {
        fixture.assign(&fixture.primary_scratch, &died, epoch).await;
        let clock = Stepping::new(SLOW);
        invoke(&delegate(&fixture, &clock), &clock, "lives").await;
    }
    fixture.assign(&fixture.primary_scratch, &died, 3).await;
    let clock = Stepping::killing(SignedDuration::from_secs(5), 30);
    let dying = delegate(&fixture, &clock);
    tokio::select! {
        biased;
        () = clock.killed.notified() => {}
        () = invoke(&dying, &clock, "dies") => panic!("it was to die"),
    }
    let seen = view(fixture.primary_scratch.as_ref(), &died.job, Trust::Content, None)
        .await
        .unwrap();
    let third = Epoch::new(3).unwrap();
    assert!(seen.claims.contains_key(&third) && !seen.checkpoints.contains_key(&third));
    work_off(&fixture, &died, SLOW, 4).await;
    assert_sealed(&fixture, &died.job).await;
    let after_death = fixture.contents(&point(3)).await;

    let in_one = in_one.without_packing();
    assert_eq!(in_many.without_packing(), in_one);
    assert_eq!(after_death.without_packing(), in_one);
    let listed = |name: &str| {
        let record = in_one.records[0].types.iter().find(|t| t.name().as_str() == name);
        match &record.unwrap().outcome {
            TypeOutcome::Listed {
                objects,
                pinned: true,
                ..
            } => *objects,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((listed("gadgets.shop.example"), listed("secrets")), (23, 15));

    parts_make_the_same_point(&fixture, &version, in_one).await;
}

/// Three jobs by type, two of them over several epochs, and one that seals.
async fn parts_make_the_same_point(fixture: &Fixture, version: &str, in_one: crate::fixture::Contents) {
    let named = |names: &[&str]| names.iter().map(|name| TypeName::from(*name)).collect::<Vec<_>>();
    let (first, second) = (
        named(&["configmaps", "gadgets.shop.example"]),
        named(&["secrets", "clusterroles.rbac.authorization.k8s.io"]),
    );
    let of = |types: Vec<TypeName>| Types::Only {
        types,
        resource_version: version.to_owned(),
    };
    let rest = Types::Except {
        types: [first.clone(), second.clone()].concat(),
        resource_version: version.to_owned(),
    };
    let mut jobs = Vec::new();
    for (number, types) in (1..).zip([of(first), of(second), rest]) {
        let mut job = capture(fixture, 4, version);
        job.job = JobId::parse(format!("shop/{}-capture-orders-{number:02}", point(4))).unwrap();
        let Work::Capture(CaptureWork {
            types: own,
            seal,
            part,
            ..
        }) = &mut job.work
        else {
            unreachable!("it is made so above");
        };
        (*own, *seal, *part) = (types, false, number);
        jobs.push(job);
    }
    let epochs = [
        work_off(fixture, &jobs[0], SignedDuration::from_secs(75), 1).await,
        work_off(fixture, &jobs[1], FAST, 1).await,
        work_off(fixture, &jobs[2], SLOW, 1).await,
    ];
    assert!(epochs[0] > 1 && epochs[1] == 1 && epochs[2] > 1, "{epochs:?}");
    let seal = fixture.assignment(
        &format!("{}-seal", point(4)),
        Work::Seal(SealWork {
            point: point(4),
            parts: jobs.iter().map(|job| job.job.clone()).collect(),
        }),
    );
    work_off(fixture, &seal, FAST, 1).await;
    let outcome = outcome(fixture.primary_scratch.as_ref(), &seal.job).await;
    assert!(matches!(outcome, Outcome::Done(Done::Seal(_))), "{outcome:?}");
    let in_parts = fixture.contents(&point(4)).await.without_packing();
    assert_eq!(in_parts, in_one);
}

/// Two clusters of an application: the keys of their captures must not be confused.
#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_of_an_application_are_sealed_into_one_point() {
    let fixture = Fixture::start();
    fixture
        .source()
        .apply("{apiVersion: v1, kind: Namespace, metadata: {name: one}}")
        .unwrap();
    fixture
        .target()
        .apply("{apiVersion: v1, kind: Namespace, metadata: {name: two}}")
        .unwrap();
    let mut jobs = Vec::new();
    for (name, cluster) in [("orders", "orders"), ("payments", "orders-dr")] {
        let mut job = fixture.capture(
            &format!("{}-capture-{name}-00", crate::fixture::point()),
            fixture.recipient.to_pem(),
        );
        let Work::Capture(CaptureWork { clusters, seal, .. }) = &mut job.work else {
            unreachable!("it is made so above");
        };
        (*clusters, *seal) = (vec![target(name, PRIMARY, cluster)], false);
        fixture.assign(&fixture.primary_scratch, &job, 1).await;
        jobs.push(job.job);
    }
    let seal = fixture.assignment(
        &format!("{}-seal", crate::fixture::point()),
        Work::Seal(SealWork {
            point: crate::fixture::point(),
            parts: jobs,
        }),
    );
    let deadline = || Deadline::new(crate::fixture::later());
    fixture.primary().run("captures", deadline(), None).await.unwrap();
    fixture.assign(&fixture.primary_scratch, &seal, 1).await;
    fixture.primary().run("seals", deadline(), None).await.unwrap();
    let outcome = outcome(fixture.primary_scratch.as_ref(), &seal.job).await;
    assert!(matches!(outcome, Outcome::Done(Done::Seal(_))), "{outcome:?}");
    let contents = fixture.contents(&crate::fixture::point()).await;
    assert_eq!((contents.records.len(), contents.keys), (2, 2));
    for (cluster, namespace) in [("orders", "\"one\""), ("payments", "\"two\"")] {
        let namespaces = &contents.lines[&(cluster.to_owned(), "namespaces".to_owned())];
        assert!(
            namespaces.iter().any(|line| line.contains(namespace)),
            "{cluster}"
        );
    }
}

/// The first capture of a cluster counts first, and captures at once if one job is enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_cluster_that_is_counted_is_captured_by_the_same_job() {
    let fixture = Fixture::start();
    let mut job = fixture.capture(
        "20261121T100000Z-aaaaaa-capture-orders-00",
        fixture.recipient.to_pem(),
    );
    let Work::Capture(CaptureWork { split, .. }) = &mut job.work else {
        unreachable!("it is made so above");
    };
    *split = true;
    fixture.assign(&fixture.primary_scratch, &job, 1).await;
    let deadline = Deadline::new(crate::fixture::later());
    fixture.primary().run("invocation", deadline, None).await.unwrap();
    assert_sealed(&fixture, &job.job).await;
    let key = JobFile::Checkpoint(Epoch::FIRST).key(&job.job);
    assert!(fixture.primary_scratch.get(&key).await.is_err());
}

/// Returns the objects that a restore created in the namespace, without fields that differ by cluster.
fn restored(cluster: &Cluster) -> Vec<serde_json::Value> {
    let types = "configmaps,secrets,gadgets.shop.example,serviceaccounts";
    let list = cluster
        .kubectl_output(&["get", types, "-n", "shop", "-o", "json", "--show-managed-fields"])
        .unwrap();
    let mut list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let mut items = std::mem::take(list["items"].as_array_mut().unwrap());
    for item in &mut items {
        let metadata = item["metadata"].as_object_mut().unwrap();
        metadata.retain(|name, _| !matches!(name.as_str(), "uid" | "resourceVersion" | "creationTimestamp"));
        for entry in metadata["managedFields"].as_array_mut().unwrap() {
            entry.as_object_mut().unwrap().remove("time");
        }
    }
    items
}

/// Returns a fixture with a recovery point of the source in the vault.
async fn fixture_with_a_point() -> Fixture {
    let fixture = Fixture::start();
    fill(fixture.source());
    let capture = fixture.capture("20261121T100000Z-aaaaaa-capture", fixture.recipient.to_pem());
    fixture.assign(&fixture.primary_scratch, &capture, 1).await;
    let deadline = Deadline::new(crate::fixture::later());
    fixture.primary().run("captures", deadline, None).await.unwrap();
    fixture.move_to_vault().await;
    fixture
}

/// A restore whose server stops responding after a number of writes in each invocation produces the same
/// cluster as a single invocation.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_in_many_invocations_makes_the_cluster_that_one_makes() {
    const WRITES: u64 = 38;
    let fixture = fixture_with_a_point().await;

    let other = Cluster::start(lifeboat_local::ClusterOptions::named("other")).unwrap();
    let many = fixture.restore("20261121T101000Z-bbbbbb-restore-many");
    let mut epochs = 0;
    let ended = loop {
        epochs += 1;
        assert!(epochs < 40, "it never ends");
        fixture.assign(&fixture.recovery_scratch, &many, epochs).await;
        let mut delegate = fixture.recovery();
        delegate.clusters = Arc::new(Stalling {
            kubeconfig: other.kubeconfig().to_path_buf(),
            writes: WRITES,
        });
        // The margin, plus a few seconds until the server stops responding.
        let deadline = delegate.clock.now() + SignedDuration::from_secs(45 + 4);
        let name = format!("invocation-{epochs}");
        delegate.run(&name, Deadline::new(deadline), None).await.unwrap();
        let seen = view(fixture.recovery_scratch.as_ref(), &many.job, Trust::Content, None)
            .await
            .unwrap();
        if let Some(result) = seen.result {
            break result.outcome;
        }
    };
    let Outcome::Done(Done::Restore(done)) = &ended else {
        panic!("{ended:?}");
    };
    assert!(done.matches_plan, "{done:?}");
    assert!(epochs >= 3, "{epochs} epochs");
    every_checkpoint_is_worth_something(&fixture, &many.job).await;

    let one = fixture.restore("20261121T101500Z-cccccc-restore-one");
    fixture.assign(&fixture.recovery_scratch, &one, 1).await;
    let deadline = Deadline::new(crate::fixture::later());
    fixture.recovery().run("restores", deadline, None).await.unwrap();
    let ended = outcome(fixture.recovery_scratch.as_ref(), &one.job).await;
    let Outcome::Done(Done::Restore(done)) = &ended else {
        panic!("{ended:?}");
    };
    assert!(done.matches_plan, "{done:?}");
    let (in_many, in_one) = (restored(&other), restored(fixture.target()));
    assert!(in_one.len() > 70, "{} objects", in_one.len());
    assert_eq!(in_many, in_one);
}

/// Every epoch verified nothing again and completed more objects of the same plan.
async fn every_checkpoint_is_worth_something(fixture: &Fixture, job: &JobId) {
    let (mut plans, mut complete) = (std::collections::BTreeSet::new(), Vec::new());
    let mut epoch = Epoch::FIRST;
    while let Ok((bytes, _)) = fixture
        .recovery_scratch
        .get(&JobFile::Checkpoint(epoch).key(job))
        .await
    {
        epoch = epoch.next();
        let checkpoint: Checkpoint = serde_json::from_slice(&bytes).unwrap();
        let Progress::Restore(restored) = &checkpoint.progress else {
            panic!("{checkpoint:?}");
        };
        assert!(restored.verified_files > 0, "{restored:?}");
        let ranges = restored.complete.clone().unwrap_or_default();
        plans.insert(ranges.plan);
        let number: u32 = ranges.ranges.iter().map(|(first, last)| last - first + 1).sum();
        complete.push(number);
    }
    assert_eq!(plans.len(), 1, "the plan of each epoch is the same");
    assert!(complete.windows(2).all(|pair| pair[0] < pair[1]), "{complete:?}");
}

/// The cancellation of a stuck restore does not wait for the end of its invocation.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_cancelled_on_its_way_stops_there() {
    let fixture = fixture_with_a_point().await;

    let job = fixture.restore("20261121T101000Z-bbbbbb-restore");
    fixture.assign(&fixture.recovery_scratch, &job, 1).await;
    let mut delegate = fixture.recovery();
    delegate.clusters = Arc::new(Stalling {
        kubeconfig: fixture.target().kubeconfig().to_path_buf(),
        writes: 5,
    });
    let store = Arc::clone(&fixture.recovery_scratch);
    let cancel = sign(&cancel_of(&job), &fixture.coordinator).await.unwrap();
    let cancels = tokio::spawn(cancel_once_claimed(store, job.job.clone(), cancel));
    let deadline = Deadline::new(crate::fixture::later());
    delegate.run("restores", deadline, None).await.unwrap();
    cancels.await.unwrap();
    let ended = outcome(fixture.recovery_scratch.as_ref(), &job.job).await;
    assert_eq!(ended, Outcome::Cancelled {});
}

async fn cancel_once_claimed(store: Arc<dyn ObjectStore>, job: JobId, cancel: Vec<u8>) {
    while view(store.as_ref(), &job, Trust::Content, None)
        .await
        .unwrap()
        .claims
        .is_empty()
    {
        lifeboat_system::sleep(std::time::Duration::from_millis(50)).await;
    }
    let key = JobFile::Cancel.key(&job);
    store.put_new(&key, cancel.into()).await.unwrap();
}
