//! Private delegates: jobs of their own, and no use of KMS.

use std::sync::Arc;

use async_trait::async_trait;
use lifeboat_apiserver::Api;
use lifeboat_delegate::work::{EpochKeys, SidePorts};
use lifeboat_delegate::{Clusters, Delegate, Unreachable};
use lifeboat_describe::NetworkLook;
use lifeboat_jobs::network::observations;
use lifeboat_jobs::{
    AccessFinding, CaptureWork, ClusterEndpoint, ClusterTarget, DataKeysWork, PrivateEndpoint, SealWork,
    data_keys_job,
};
use lifeboat_model::{ClusterName, DelegateId};

use super::fixture::PRIMARY;
use super::*;

/// The private delegate of the cluster on the primary side, which cannot sign.
fn backing_up(fixture: &Fixture) -> Delegate {
    let mut delegate = fixture.primary();
    delegate.id = DelegateId::private(&fixture.application, &ClusterName::parse("orders").unwrap());
    if let SidePorts::Primary { signer, .. } = &mut delegate.side {
        *signer = None;
    }
    delegate
}

/// The private delegate of the cluster on the recovery side, which cannot decrypt.
fn restoring(fixture: &Fixture) -> Delegate {
    let mut delegate = fixture.recovery();
    delegate.id = DelegateId::private(&fixture.application, &ClusterName::parse("orders-dr").unwrap());
    if let SidePorts::Recovery { vault, place, .. } = &delegate.side {
        delegate.side = SidePorts::PrivateRecovery {
            keys: EpochKeys::default(),
            vault: Arc::clone(vault),
            place: place.clone(),
        };
    }
    delegate
}

/// Returns the assignment as a job of a private delegate.
fn of_private(mut assignment: Assignment, delegate: &Delegate) -> Assignment {
    assignment.job = JobId::new(&delegate.id, assignment.job.name()).unwrap();
    assignment
}

async fn run(delegate: &Delegate) -> InvocationSummary {
    delegate
        .run("invocation", Deadline::new(later()), None)
        .await
        .unwrap()
}

/// Assigns the job that wraps the data keys, as the coordinator does when it sees the claim, and runs the public delegate.
async fn wrap_data_keys(fixture: &Fixture, restore: &Assignment) {
    let Work::Restore(work) = &restore.work else {
        panic!("{restore:?}")
    };
    loop {
        let view = view(
            fixture.recovery_scratch.as_ref(),
            &restore.job,
            Trust::Content,
            None,
        )
        .await;
        if let Some(claim) = view.unwrap().owner() {
            let job = data_keys_job(&restore.job, claim.epoch);
            let mut assignment = fixture.restore("unused");
            assignment.job = job.clone();
            assignment.work = Work::DataKeys(DataKeysWork {
                point: work.point.clone(),
                vault: work.vault.clone(),
                signer: work.signer.clone(),
                recipient: claim.recipient.clone().unwrap(),
            });
            fixture.assign(&fixture.recovery_scratch, &assignment, 1).await;
            let summary = run(&fixture.recovery()).await;
            assert_eq!((summary.claimed, summary.ended), (1, 1));
            return;
        }
        lifeboat_system::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// A cluster with a private endpoint, whose private delegate is deployed and does not reach S3.
struct CutOff;

#[async_trait]
impl Clusters for CutOff {
    async fn connect(&self, _: &ClusterTarget) -> Result<Api, Unreachable> {
        Err(Unreachable {
            private: Some(Box::new(private_endpoint())),
            ..Unreachable::unavailable(AccessFinding::PrivateEndpoint {})
        })
    }

    async fn network(&self, _: &ClusterTarget, private: &PrivateEndpoint) -> NetworkLook {
        assert_eq!(*private, private_endpoint());
        let answer = json!({"s3": {"host": "s3.eu-west-1.amazonaws.com", "port": 443, "addresses": ["52.218.0.1"],
            "failure": {"timedOut": {}}}});
        NetworkLook {
            inside: observations(answer.to_string().as_bytes()),
            ..NetworkLook::default()
        }
    }
}

fn private_endpoint() -> PrivateEndpoint {
    PrivateEndpoint {
        endpoint: ClusterEndpoint {
            url: "https://ABC.gr7.eu-west-1.eks.amazonaws.com".to_owned(),
            ca: "-----BEGIN CERTIFICATE-----".to_owned(),
            access_entries: true,
        },
        vpc: "vpc-0123456789abcdef0".to_owned(),
        subnets: vec!["subnet-0123456789abcdef0".to_owned()],
        security_group: "sg-0123456789abcdef0".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_reports_why_a_private_delegate_does_not_register() {
    let fixture = Fixture::without_clusters();
    let mut delegate = fixture.primary();
    delegate.clusters = Arc::new(CutOff);
    let job = fixture.assignment(
        "20261121T100000Z-aaaaaa-check",
        Work::Check(CheckWork {
            clusters: vec![fixture::target("orders", PRIMARY, "orders")],
            cluster_tags: Default::default(),
            recovery_key: None,
        }),
    );
    fixture.assign(&fixture.primary_scratch, &job, 1).await;
    assert_eq!(run(&delegate).await.ended, 1);
    let view = view(fixture.primary_scratch.as_ref(), &job.job, Trust::Content, None)
        .await
        .unwrap();
    let [report] = &view.result.as_ref().unwrap().access[..] else {
        panic!("{view:?}")
    };
    assert!(report.private.is_some());
    let codes: Vec<_> = report.findings.iter().map(AccessFinding::code).collect();
    assert_eq!(
        codes,
        [Code::PrivateNetworkSilent],
        "it need not be deployed again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_cluster_is_captured_sealed_and_restored() {
    let fixture = Fixture::start();
    fixture.source().apply(OBJECTS).unwrap();
    let (public, private) = (fixture.primary(), backing_up(&fixture));
    let mut capture = fixture.capture("20261121T100000Z-aaaaaa-capture", fixture.recipient.to_pem());
    if let Work::Capture(CaptureWork { seal, .. }) = &mut capture.work {
        *seal = false;
    }
    let capture = of_private(capture, &private);
    fixture.assign(&fixture.primary_scratch, &capture, 1).await;
    assert_eq!(
        run(&public).await,
        InvocationSummary::default(),
        "it is not its job"
    );
    let summary = run(&private).await;
    assert_eq!((summary.claimed, summary.ended), (1, 1));

    let work = Work::Seal(SealWork {
        point: point(),
        parts: vec![capture.job.clone()],
    });
    let seal = fixture.assignment("20261121T100000Z-aaaaaa-seal", work);
    fixture.assign(&fixture.primary_scratch, &seal, 1).await;
    run(&public).await;
    let Outcome::Done(Done::Seal(sealed)) = outcome(fixture.primary_scratch.as_ref(), &seal.job).await else {
        panic!("the recovery point is not sealed");
    };
    assert!(sealed.objects > 50, "{} objects", sealed.objects);

    fixture.move_to_vault().await;
    let private = restoring(&fixture);
    let restore = of_private(fixture.restore("20261121T101000Z-bbbbbb-restore"), &private);
    fixture.assign(&fixture.recovery_scratch, &restore, 1).await;
    let (summary, ()) = tokio::join!(run(&private), wrap_data_keys(&fixture, &restore));
    assert_eq!((summary.claimed, summary.ended), (1, 1));
    let outcome = outcome(fixture.recovery_scratch.as_ref(), &restore.job).await;
    let Outcome::Done(Done::Restore(done)) = outcome else {
        panic!("the restore is not done: {outcome:?}");
    };
    assert!(done.matches_plan, "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_kms_is_refused_by_a_private_delegate() {
    let fixture = Fixture::without_clusters();
    let private = backing_up(&fixture);
    let sealing = fixture.capture("20261121T100000Z-aaaaaa-capture", fixture.recipient.to_pem());
    let sealing = of_private(sealing, &private);
    fixture.assign(&fixture.primary_scratch, &sealing, 1).await;
    run(&private).await;
    let Outcome::Failed { failures, .. } = outcome(fixture.primary_scratch.as_ref(), &sealing.job).await
    else {
        panic!("it was done");
    };
    assert_eq!(failures[0].code, Code::JobDocumentRefused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_ends_as_the_job_for_its_data_keys_does() {
    let fixture = Fixture::without_clusters();
    let private = restoring(&fixture);
    // The vault has no such recovery point.
    let restore = of_private(fixture.restore("20261121T101000Z-bbbbbb-restore"), &private);
    fixture.assign(&fixture.recovery_scratch, &restore, 1).await;
    let (summary, ()) = tokio::join!(run(&private), wrap_data_keys(&fixture, &restore));
    assert_eq!((summary.claimed, summary.ended), (1, 1));
    let Outcome::Failed { failures, .. } = outcome(fixture.recovery_scratch.as_ref(), &restore.job).await
    else {
        panic!("it was done");
    };
    assert_eq!(failures[0].code, Code::PointNotFound);
}

/// A delegate in a VPC connects with the endpoint of its job alone, and to its own cluster alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_delegate_connects_to_its_own_cluster_only() {
    use lifeboat_aws::AwsContext;
    use lifeboat_delegate::clusters::{Caller, PrivateCluster};
    use lifeboat_jobs::{AccessFinding, ClusterEndpoint};
    use lifeboat_model::EnvironmentId;

    let context: AwsContext =
        lifeboat_aws::testing::context("http://127.0.0.1:1", "eu-west-1", "key", "secret");
    let environment = EnvironmentId::parse(fixture::PRIMARY).unwrap();
    let caller = Caller {
        context,
        clock: Arc::new(lifeboat_system::SystemClock),
        ids: Arc::new(lifeboat_system::SystemRandomness),
    };
    let cluster = PrivateCluster::new(caller, environment, ClusterName::parse("orders").unwrap());
    let own = fixture::target("orders", fixture::PRIMARY, "orders");
    let mut wrong = own.clone();
    wrong.endpoint = Some(ClusterEndpoint {
        url: "http://127.0.0.1:1".to_owned(),
        ca: String::new(),
        access_entries: true,
    });
    for (target, expected) in [
        (
            fixture::target("web", fixture::PRIMARY, "web"),
            AccessFinding::OtherEnvironment {},
        ),
        (
            fixture::target("orders", fixture::RECOVERY, "orders"),
            AccessFinding::OtherEnvironment {},
        ),
        (own, AccessFinding::NoEndpoint {}),
        (wrong, AccessFinding::NoEndpoint {}),
    ] {
        let unreachable = cluster.connect(&target).await.err().unwrap();
        assert_eq!(unreachable.findings, [expected]);
    }
}
