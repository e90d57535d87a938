//! Private delegates that the public one deploys and removes, with scripted stacks.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lifeboat_delegate::Delegate;
use lifeboat_delegate::private_delegates::PrivateDelegates;
use lifeboat_jobs::folder::view;
use lifeboat_jobs::worker::Deadline;
use lifeboat_jobs::{
    Assignment, ClusterEndpoint, ClusterTarget, Done, Outcome, PrivateDelegateChange, PrivateDelegateDone,
    PrivateDelegateWork, PrivateEndpoint, Trust, Work,
};
use lifeboat_model::{ClusterName, Code, Problem, StackOutcome};

use crate::built::code_of;
use crate::fixture::{Fixture, PRIMARY, at, later, target};
use crate::outcome;

/// What CloudFormation does.
#[derive(Default)]
struct Scripted {
    /// Whether it never ends.
    hangs: bool,
    fails: Option<Code>,
    /// Whether the registration may not be deleted.
    keeps: bool,
    calls: Mutex<Vec<String>>,
}

impl Scripted {
    async fn change(&self, call: String) -> Result<(), Problem> {
        self.calls.lock().unwrap().push(call);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.fails
            .map_or(Ok(()), |code| Err(Problem::of(code, "refused")))
    }
}

#[async_trait]
impl PrivateDelegates for Scripted {
    async fn deploy(
        &self,
        target: &ClusterTarget,
        endpoint: &PrivateEndpoint,
    ) -> Result<StackOutcome, Problem> {
        let call = format!("deploy {} into {}", target.name, endpoint.subnets.join(","));
        self.change(call).await.map(|()| StackOutcome::Created)
    }

    async fn remove(&self, cluster: &ClusterName) -> Result<(), Problem> {
        self.change(format!("remove {cluster}")).await
    }

    async fn forget(&self, cluster: &ClusterName) -> Result<(), Problem> {
        self.calls.lock().unwrap().push(format!("forget {cluster}"));
        match self.keeps {
            true => Err(Problem::of(Code::AwsDenied, "no")),
            false => Ok(()),
        }
    }
}

fn delegate(fixture: &Fixture, scripted: &Arc<Scripted>) -> Delegate {
    let mut delegate = fixture.primary();
    delegate.private_delegates = Some(Arc::clone(scripted) as _);
    delegate
}

fn deploy() -> PrivateDelegateChange {
    PrivateDelegateChange::Deploy(Box::new(PrivateEndpoint {
        endpoint: ClusterEndpoint {
            url: "https://A.gr7.eu-west-1.eks.amazonaws.com".to_owned(),
            ca: "-----BEGIN CERTIFICATE-----".to_owned(),
            access_entries: true,
        },
        vpc: "vpc-0123456789abcdef0".to_owned(),
        subnets: vec!["subnet-0123456789abcdef0".to_owned()],
        security_group: "sg-0123456789abcdef0".to_owned(),
    }))
}

fn job(fixture: &Fixture, change: PrivateDelegateChange, until: Timestamp) -> Assignment {
    let work = PrivateDelegateWork {
        cluster: target("orders", PRIMARY, "orders-prod"),
        change,
        until,
    };
    fixture.assignment("20261121T101000Z-dddddd-private", Work::PrivateDelegate(work))
}

/// Runs an epoch of a job whose invocation ends after so many seconds of work.
async fn epoch(fixture: &Fixture, delegate: &Delegate, job: &Assignment, number: u32, seconds: i64) {
    fixture.assign(&fixture.primary_scratch, job, number).await;
    let deadline = delegate.clock.now() + SignedDuration::from_secs(45 + seconds);
    let invocation = format!("invocation-{number}");
    delegate
        .run(&invocation, Deadline::new(deadline), None)
        .await
        .unwrap();
}

async fn run(scripted: Scripted, change: PrivateDelegateChange) -> (Outcome, Vec<String>) {
    let (fixture, scripted) = (Fixture::without_clusters(), Arc::new(scripted));
    let job = job(&fixture, change, later());
    epoch(&fixture, &delegate(&fixture, &scripted), &job, 1, 60).await;
    let outcome = outcome(fixture.primary_scratch.as_ref(), &job.job).await;
    let calls = scripted.calls.lock().unwrap().clone();
    (outcome, calls)
}

fn done(outcome: Outcome) -> PrivateDelegateDone {
    match outcome {
        Outcome::Done(Done::PrivateDelegate(done)) => done,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_delegate_is_deployed_and_removed() {
    let (outcome, calls) = run(Scripted::default(), deploy()).await;
    assert_eq!(done(outcome).outcome, StackOutcome::Created);
    assert_eq!(calls, ["deploy orders into subnet-0123456789abcdef0"]);

    let (outcome, calls) = run(Scripted::default(), PrivateDelegateChange::Remove {}).await;
    let removed = done(outcome);
    assert_eq!(
        (removed.outcome, removed.registration),
        (StackOutcome::Deleted, None)
    );
    assert_eq!(calls, ["remove orders-prod", "forget orders-prod"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_may_not_be_deleted_is_told() {
    let scripted = Scripted {
        keeps: true,
        ..Scripted::default()
    };
    let (outcome, _) = run(scripted, PrivateDelegateChange::Remove {}).await;
    assert_eq!(done(outcome).registration.unwrap().code, Code::AwsDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cloudformation_refuses_is_the_failure_of_the_job() {
    for (code, retry) in [(Code::StackForeign, false), (Code::StackFailed, true)] {
        let scripted = || Scripted {
            fails: Some(code),
            ..Scripted::default()
        };
        let (deployed, _) = run(scripted(), deploy()).await;
        assert_eq!(code_of(&deployed), (code, retry));
        let (removed, calls) = run(scripted(), PrivateDelegateChange::Remove {}).await;
        assert_eq!(code_of(&removed), (code, retry));
        assert_eq!(calls.len(), 1, "the registration of what is still there stays");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_permissions_nothing_is_deployed() {
    let fixture = Fixture::without_clusters();
    let job = job(&fixture, deploy(), later());
    epoch(&fixture, &fixture.primary(), &job, 1, 60).await;
    let outcome = outcome(fixture.primary_scratch.as_ref(), &job.job).await;
    assert_eq!(code_of(&outcome), (Code::AwsDenied, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_eks_cannot_have_described_is_refused() {
    let PrivateDelegateChange::Deploy(mut endpoint) = deploy() else {
        unreachable!("it deploys")
    };
    endpoint.subnets = vec!["subnet-1; reboot".to_owned()];
    let (outcome, calls) = run(Scripted::default(), PrivateDelegateChange::Deploy(endpoint)).await;
    assert_eq!(code_of(&outcome), (Code::JobDocumentRefused, false));
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_waited_for_in_epochs_and_ends_in_time() {
    let fixture = Fixture::without_clusters();
    let hanging = Arc::new(Scripted {
        hangs: true,
        ..Scripted::default()
    });
    let waiting = job(&fixture, PrivateDelegateChange::Remove {}, later());
    epoch(&fixture, &delegate(&fixture, &hanging), &waiting, 1, 1).await;
    let store = fixture.primary_scratch.as_ref();
    let found = view(store, &waiting.job, Trust::Content, None).await.unwrap();
    assert!(
        found.result.is_none() && found.checkpoints.len() == 1,
        "{found:?}"
    );
    let ending = Arc::new(Scripted::default());
    epoch(&fixture, &delegate(&fixture, &ending), &waiting, 2, 60).await;
    assert_eq!(
        done(outcome(store, &waiting.job).await).outcome,
        StackOutcome::Deleted
    );

    let fixture = fixture.anew();
    let late = job(&fixture, PrivateDelegateChange::Remove {}, at(0));
    epoch(&fixture, &delegate(&fixture, &hanging), &late, 1, 1).await;
    let ended = outcome(fixture.primary_scratch.as_ref(), &late.job).await;
    assert_eq!(code_of(&ended), (Code::StackUnfinished, true));
}
