//! The AWS resources that the clusters stand on, described in the recovery point.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use lifeboat_capture::infrastructure::DescribeResources;
use lifeboat_delegate::Delegate;
use lifeboat_delegate::work::SidePorts;
use lifeboat_format::manifest::{Completeness, InfrastructureRecord};
use lifeboat_infrastructure::description::Missing;
use lifeboat_infrastructure::{Descriptions, Mentions};
use lifeboat_jobs::folder::view;
use lifeboat_jobs::worker::Deadline;
use lifeboat_jobs::{Assignment, CaptureDone, Done, Outcome, SealWork, Trust, Work};
use lifeboat_model::{EnvironmentId, RecoveryPointId};
use lifeboat_recovery_point::Silent;
use lifeboat_store::ports::Clock;

use crate::fixture::{Fixture, PRIMARY, at, later};
use crate::outcome;

pub(crate) const OBJECTS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: cart
  namespace: shop
  annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111111111111:role/cart"}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: carts}
spec:
  accessModes: [ReadWriteMany]
  capacity: {storage: 1Gi}
  csi: {driver: efs.csi.aws.com, volumeHandle: fs-0123456789abcdef0}
"#;

/// What AWS answers.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Described,
    Refused,
    Never,
}

/// AWS resources of which only the answers are known.
pub(crate) struct Scripted {
    environment: EnvironmentId,
    answer: Answer,
    asked: Mutex<Vec<(BTreeSet<String>, Mentions)>>,
}

impl Scripted {
    pub(crate) fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self {
            environment: EnvironmentId::parse(PRIMARY).unwrap(),
            answer,
            asked: Mutex::new(Vec::new()),
        })
    }
}

#[async_trait]
impl DescribeResources for Scripted {
    fn environment(&self) -> &EnvironmentId {
        &self.environment
    }

    async fn describe(
        &self,
        clusters: BTreeSet<String>,
        mentions: Mentions,
    ) -> Result<Descriptions, Missing> {
        self.asked.lock().unwrap().push((clusters, mentions));
        let missing = |code: &str| Missing {
            resource: "arn:aws:iam::111111111111:role/cart".to_owned(),
            call: "iam:GetRole".to_owned(),
            code: code.to_owned(),
        };
        let EnvironmentId { account, region } = self.environment.clone();
        match self.answer {
            Answer::Described => {
                let mut found = Descriptions::new(account, region);
                found.missing.push(missing("NoSuchEntity"));
                let system = serde_json::json!({"fileSystemId": "fs-0123456789abcdef0", "replicationDestinations": [
                    {"fileSystemId": "fs-0fedcba9876543210", "region": "eu-central-1", "ownerId": "222222222222"}]});
                found.file_systems = vec![serde_json::from_value(system).unwrap()];
                Ok(found)
            }
            Answer::Refused => Err(missing("Throttling")),
            Answer::Never => std::future::pending().await,
        }
    }
}

/// A clock that stands still, so that an epoch always has the same time left.
struct Standing(Timestamp);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Returns the delegate of the primary side, with these AWS resources.
pub(crate) fn describing(fixture: &Fixture, answering: &Arc<Scripted>) -> Delegate {
    let mut delegate = fixture.primary();
    if let SidePorts::Primary { resources, .. } = &mut delegate.side {
        *resources = Some(Arc::clone(answering) as _);
    }
    delegate
}

pub(crate) fn point(number: u32) -> RecoveryPointId {
    RecoveryPointId::parse(format!("20261121T10000{number}Z-aaaaaa")).unwrap()
}

pub(crate) fn capture(fixture: &Fixture, number: u32, seal: bool) -> Assignment {
    let name = format!("20261121T10000{number}Z-aaaaaa-capture");
    let mut assignment = fixture.capture(&name, fixture.recipient.to_pem());
    let Work::Capture(work) = &mut assignment.work else {
        unreachable!("the fixture made a capture");
    };
    (work.point, work.seal) = (point(number), seal);
    assignment
}

/// Returns whether the sealed point is complete, its record of the infrastructure and its descriptions.
async fn sealed(
    fixture: &Fixture,
    number: u32,
) -> (Completeness, InfrastructureRecord, Option<Descriptions>) {
    let readable = fixture.readable(&point(number)).await;
    readable.verify_contents(&Silent).await.unwrap();
    let predicate = readable.point().statement().predicate.clone();
    let document = readable.descriptions(&Silent).await.unwrap();
    let found = document.map(|document| Descriptions::parse(&document).unwrap());
    (predicate.completeness, predicate.infrastructure.unwrap(), found)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_describes_what_its_clusters_stand_on() {
    let fixture = Fixture::start();
    fixture.source().apply(OBJECTS).unwrap();

    let answering = Scripted::new(Answer::Described);
    let job = capture(&fixture, 1, true);
    fixture.assign(&fixture.primary_scratch, &job, 1).await;
    let deadline = Deadline::new(later());
    describing(&fixture, &answering)
        .run("1", deadline, None)
        .await
        .unwrap();
    let (completeness, record, found) = sealed(&fixture, 1).await;
    assert_eq!(completeness, Completeness::Complete);
    assert_eq!(
        (record.missing.len(), record.absent.len()),
        (0, 1),
        "a role that does not exist is no part that is missing"
    );
    assert_eq!(found.unwrap().missing.len(), 1);
    let asked = answering.asked.lock().unwrap().pop().unwrap();
    assert_eq!(asked.0, BTreeSet::from(["orders".to_owned()]));
    assert!(asked.1.role_arns.contains("arn:aws:iam::111111111111:role/cart"));
    assert!(asked.1.file_systems.contains("fs-0123456789abcdef0"));

    // The parts of a point are captured by jobs that do not seal it.
    let part = capture(&fixture, 2, false);
    fixture.assign(&fixture.primary_scratch, &part, 1).await;
    describing(&fixture, &answering)
        .run("2", deadline, None)
        .await
        .unwrap();
    let captured = outcome(fixture.primary_scratch.as_ref(), &part.job).await;
    let Outcome::Done(Done::Capture(CaptureDone { sealed: None, .. })) = captured else {
        panic!("{captured:?}");
    };
    assert!(
        answering.asked.lock().unwrap().is_empty(),
        "a part describes nothing"
    );
    let seal = |number: u32| {
        let work = Work::Seal(SealWork {
            point: point(2),
            parts: vec![part.job.clone()],
        });
        fixture.assignment(&format!("20261121T10000{number}Z-aaaaaa-seal"), work)
    };
    fixture.assign(&fixture.primary_scratch, &seal(3), 1).await;
    let refusing = Scripted::new(Answer::Refused);
    describing(&fixture, &refusing)
        .run("3", deadline, None)
        .await
        .unwrap();
    let (completeness, record, found) = sealed(&fixture, 2).await;
    assert_eq!(completeness, Completeness::Partial);
    assert_eq!(record.missing[0].code, "Throttling");
    assert_eq!((record.pack, found), (None, None));
    let asked = refusing.asked.lock().unwrap().pop().unwrap();
    assert_eq!(asked.0, BTreeSet::from(["orders".to_owned()]));
    assert!(asked.1.role_arns.contains("arn:aws:iam::111111111111:role/cart"));
}

/// An AWS that does not answer costs at most one epoch: then the objects are sealed without descriptions.
#[tokio::test(flavor = "multi_thread")]
async fn an_aws_that_does_not_answer_delays_a_point_and_does_not_prevent_it() {
    let fixture = Fixture::start();
    let job = capture(&fixture, 1, true);
    let silent = Scripted::new(Answer::Never);
    let mut epochs = 0;
    while view(fixture.primary_scratch.as_ref(), &job.job, Trust::Content, None)
        .await
        .unwrap()
        .result
        .is_none()
    {
        epochs += 1;
        assert!(epochs < 10, "the job never ends");
        fixture.assign(&fixture.primary_scratch, &job, epochs).await;
        let mut delegate = describing(&fixture, &silent);
        delegate.clock = Arc::new(Standing(at(30)));
        // A few seconds before the delegate stops.
        let deadline = Deadline::new(at(30) + SignedDuration::from_secs(49));
        delegate.run("invocation", deadline, None).await.unwrap();
    }
    let (completeness, record, found) = sealed(&fixture, 1).await;
    assert_eq!((completeness, found), (Completeness::Partial, None));
    assert_eq!(record.missing[0].code, "TimedOut");
}
