//! Restores into clusters whose AWS resources were built from the recovery point.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lifeboat_delegate::Delegate;
use lifeboat_delegate::infrastructure::BuildStacks;
use lifeboat_delegate::work::SidePorts;
use lifeboat_deploy::recovery::{BuildWatch, Built, RecoveryPlan};
use lifeboat_format::Sha256;
use lifeboat_infrastructure::cost::cost;
use lifeboat_infrastructure::{Descriptions, Finding, Prices, RecoveryFacts, Severity};
use lifeboat_jobs::worker::Deadline;
use lifeboat_jobs::{Assignment, BuildMode, BuildWork, Done, Outcome, Work};
use lifeboat_model::{BuiltStack, ClusterName, Code, JobId, Problem, SharedStack, StackName, StackOutcome};
use lifeboat_translate::IdentityMap;
use serde_json::{Value, json};

use crate::described::{Answer, OBJECTS, Scripted, capture, describing, point};
use crate::fixture::{Fixture, later};
use crate::outcome;

/// CloudFormation of which only the answer is known.
pub(crate) struct ScriptedStacks {
    answer: Result<IdentityMap, Problem>,
    asked: Mutex<Vec<(Descriptions, RecoveryFacts)>>,
    failed_over: Mutex<Vec<String>>,
}

impl ScriptedStacks {
    pub(crate) fn new(answer: Result<IdentityMap, Problem>) -> Arc<Self> {
        Arc::new(Self {
            answer,
            asked: Mutex::default(),
            failed_over: Mutex::default(),
        })
    }

    /// Returns how often something was built.
    pub(crate) fn builds(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Returns the hash of what would be built.
    pub(crate) fn hash(&self) -> Sha256 {
        Sha256::of(b"templates")
    }
}

#[async_trait]
impl BuildStacks for ScriptedStacks {
    async fn build(
        &self,
        descriptions: &Descriptions,
        facts: RecoveryFacts,
        mode: BuildMode,
        expected_plan: Option<Sha256>,
        _: &BuildWatch,
    ) -> Result<Option<Built>, Problem> {
        if expected_plan.is_some_and(|expected| expected != self.hash()) {
            return Err(Problem::of(Code::PlanChanged, "another plan is expected"));
        }
        self.asked.lock().unwrap().push((descriptions.clone(), facts));
        if mode == BuildMode::Standby {
            return Ok(None);
        }
        Ok(Some(Built {
            stacks: vec![
                stack("lifeboat-shop-network", StackOutcome::Created),
                stack("lifeboat-shop-identity", StackOutcome::Unchanged),
            ],
            identities: self.answer.clone()?,
            symbols: symbols(),
            findings: (0..25).flat_map(findings).collect(),
        }))
    }

    async fn fail_over(&self, sources: Vec<String>) -> Result<(), Problem> {
        self.failed_over.lock().unwrap().extend(sources);
        Ok(())
    }

    async fn plan(&self, descriptions: &Descriptions, facts: RecoveryFacts) -> Result<RecoveryPlan, Problem> {
        Ok(RecoveryPlan {
            hash: Some(self.hash()),
            cost: cost(descriptions, &facts, &Prices::built_in()),
            stacks: Vec::new(),
            adopted: facts.adopted,
            identities: self.answer.clone()?,
        })
    }
}

fn stack(name: &str, outcome: StackOutcome) -> BuiltStack {
    BuiltStack {
        stack: StackName::parse(name).unwrap(),
        outcome,
    }
}

/// Returns a warning, which two stacks have, and a note.
fn findings(number: u32) -> [Finding; 3] {
    let warning = Finding {
        severity: Severity::Warning,
        resource: format!("fs-{number:02}"),
        code: Code::FileSystemWithoutReplica,
        what: "it is built empty".to_owned(),
        remedy: "map it".to_owned(),
    };
    let note = Finding {
        severity: Severity::Note,
        ..warning.clone()
    };
    [warning.clone(), warning, note]
}

pub(crate) fn delegate(fixture: &Fixture, building: Option<&Arc<ScriptedStacks>>) -> Delegate {
    let mut delegate = fixture.recovery();
    if let SidePorts::Recovery { stacks, .. } = &mut delegate.side {
        *stacks = building.map(|stacks| Arc::clone(stacks) as _);
    }
    delegate
}

pub(crate) fn build(fixture: &Fixture, number: u32, of: u32) -> Assignment {
    let Work::Restore(restore) = fixture.restore("20261121T101000Z-bbbbbb-restore").work else {
        unreachable!("the fixture made a restore");
    };
    let work = Work::Build(BuildWork {
        point: point(of),
        vault: restore.vault,
        signer: restore.signer,
        mode: BuildMode::Active,
        cluster_names: BTreeMap::from([(
            ClusterName::parse("orders").unwrap(),
            ClusterName::parse("orders-dr").unwrap(),
        )]),
        hold_nodes: true,
        failover: false,
        managed_addons: false,
        irsa_to_pod_identity: true,
        allow_nearest_version: true,
        adopt: BTreeMap::from([("vpc-1".to_owned(), "vpc-2".to_owned())]),
        adopt_existing: BTreeSet::from([SharedStack::Network]),
        adopt_tags: BTreeSet::from(["app".to_owned()]),
        expected_plan: None,
    });
    fixture.assignment(&format!("20261121T10100{number}Z-bbbbbb-build"), work)
}

pub(crate) fn restore(fixture: &Fixture, number: u32, of: u32, built: &JobId) -> Assignment {
    let mut assignment = fixture.restore(&format!("20261121T10200{number}Z-cccccc-restore"));
    let Work::Restore(work) = &mut assignment.work else {
        unreachable!("the fixture made a restore");
    };
    (work.point, work.built) = (point(of), Some(built.clone()));
    // What the application declares is used as well.
    work.options.insert("identities".to_owned(), declared());
    assignment
}

/// What the application declares.
pub(crate) fn declared() -> Value {
    json!({
        "format": IdentityMap::FORMAT,
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"},
        "identities": [
            {"kind": "file-system", "from": "fs-0123456789abcdef0", "to": "fs-00000000000000000"},
            {"kind": "host", "from": "db.eu-west-1.example", "to": "db.eu-central-1.example"},
        ],
    })
}

pub(crate) fn identities() -> IdentityMap {
    let map = json!({
        "format": IdentityMap::FORMAT,
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"},
        "identities": [{"kind": "file-system", "from": "fs-0123456789abcdef0", "to": "fs-0fedcba9876543210"}],
    });
    serde_json::from_value(map).unwrap()
}

/// The same before anything is built.
pub(crate) fn symbols() -> IdentityMap {
    let mut symbols = identities();
    symbols.identities[0].to = "${storage.FileSystemCarts}".to_owned();
    symbols
}

pub(crate) async fn captured(fixture: &Fixture, number: u32, describe: bool) {
    let job = capture(fixture, number, true);
    fixture.assign(&fixture.primary_scratch, &job, 1).await;
    let primary = match describe {
        true => describing(fixture, &Scripted::new(Answer::Described)),
        false => fixture.primary(),
    };
    primary
        .run("capture", Deadline::new(later()), None)
        .await
        .unwrap();
}

/// Runs a job of the recovery side, and returns its outcome.
pub(crate) async fn run(fixture: &Fixture, delegate: &Delegate, job: &Assignment) -> Outcome {
    fixture.assign(&fixture.recovery_scratch, job, 1).await;
    delegate.run("job", Deadline::new(later()), None).await.unwrap();
    outcome(fixture.recovery_scratch.as_ref(), &job.job).await
}

pub(crate) fn code_of(outcome: &Outcome) -> (Code, bool) {
    match outcome {
        Outcome::Failed { failures, retry } => (failures[0].code, *retry),
        other => panic!("it was done: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_translated_by_what_was_built() {
    let fixture = Fixture::start();
    fixture.source().apply(OBJECTS).unwrap();
    captured(&fixture, 1, true).await;
    captured(&fixture, 2, false).await;
    fixture.move_to_vault().await;

    let building = ScriptedStacks::new(Ok(identities()));
    let recovery = delegate(&fixture, Some(&building));
    let job = build(&fixture, 1, 1);
    let Outcome::Done(Done::Build(done)) = run(&fixture, &recovery, &job).await else {
        panic!("nothing was built");
    };
    assert_eq!((done.changed, done.unchanged), (1, 1));
    assert_eq!(
        done.stacks[0],
        stack("lifeboat-shop-network", StackOutcome::Created)
    );
    assert_eq!((done.warnings.len(), done.more_warnings), (20, 5));
    let warning = done.warnings[0].problem();
    assert_eq!(warning.code, Code::FileSystemWithoutReplica);
    assert_eq!(
        warning.causes,
        ["the delegate reported: \"fs-00: it is built empty\""]
    );
    let (descriptions, facts) = building.asked.lock().unwrap().pop().unwrap();
    assert_eq!(descriptions.account.as_str(), "111111111111");
    assert_eq!(facts.account.as_str(), "222222222222");
    assert!(facts.hold_nodes && !facts.managed_addons);
    assert!(facts.irsa_to_pod_identity && facts.allow_nearest_version);
    assert_eq!(facts.cluster_names["orders"], "orders-dr");
    assert_eq!(facts.adopted[0].to, "vpc-2");
    assert!(facts.adopt_existing.contains(&SharedStack::Network) && facts.adopt_tags.contains("app"));
    let role = facts.delegate_role.unwrap();
    assert!(role.contains("LifeboatRecoveryK8sDel-shop"), "{role}");

    let restored = restore(&fixture, 1, 1, &job.job);
    let Outcome::Done(Done::Restore(done)) = run(&fixture, &recovery, &restored).await else {
        panic!("the restore is not done");
    };
    assert!(done.matches_plan, "{done:?}");
    let handle = [
        "get",
        "persistentvolume",
        "carts",
        "-o",
        "jsonpath={.spec.csi.volumeHandle}",
    ];
    assert_eq!(
        fixture.target().kubectl_output(&handle).unwrap().trim(),
        "fs-0fedcba9876543210",
        "what was built takes precedence over what the application declares"
    );

    // The replication of file systems ends with a failover alone, and only once everything is built.
    assert_eq!(*building.failed_over.lock().unwrap(), Vec::<String>::new());
    let mut failover = build(&fixture, 7, 1);
    if let Work::Build(work) = &mut failover.work {
        work.failover = true;
    }
    let failing = ScriptedStacks::new(Err(Problem::of(Code::NodesCutOff, "it was refused")));
    run(&fixture, &delegate(&fixture, Some(&failing)), &failover).await;
    assert_eq!(*failing.failed_over.lock().unwrap(), Vec::<String>::new());
    let mut failover = build(&fixture, 8, 1);
    if let Work::Build(work) = &mut failover.work {
        work.failover = true;
    }
    run(&fixture, &recovery, &failover).await;
    assert_eq!(*building.failed_over.lock().unwrap(), ["fs-0123456789abcdef0"]);

    // A file system that is mapped to another one than its replica keeps its replication.
    building.failed_over.lock().unwrap().clear();
    let mut mapped = build(&fixture, 9, 1);
    if let Work::Build(work) = &mut mapped.work {
        work.failover = true;
        let (from, to) = ("fs-0123456789abcdef0", "fs-0bbbbbbbbbbbbbbbb");
        work.adopt.insert(from.to_owned(), to.to_owned());
    }
    run(&fixture, &recovery, &mapped).await;
    assert_eq!(*building.failed_over.lock().unwrap(), Vec::<String>::new());

    // In standby, stacks that are in use are not changed.
    let mut standby = build(&fixture, 6, 1);
    if let Work::Build(work) = &mut standby.work {
        work.mode = BuildMode::Standby;
    }
    let Outcome::Done(Done::Build(done)) = run(&fixture, &recovery, &standby).await else {
        panic!("the refresh is not done");
    };
    assert_eq!((done.changed, done.unchanged, done.identities.len()), (0, 0, 0));

    // A restore whose build has no result does not begin.
    let unknown = JobId::parse("shop/20261121T101059Z-bbbbbb-build").unwrap();
    let failed = run(&fixture, &recovery, &restore(&fixture, 2, 1, &unknown)).await;
    assert_eq!(code_of(&failed), (Code::JobDocumentRefused, false));

    // What cannot be built, and why.
    let failed = run(&fixture, &recovery, &build(&fixture, 2, 2)).await;
    assert_eq!(code_of(&failed), (Code::NoDescriptions, false));
    let failed = run(&fixture, &delegate(&fixture, None), &build(&fixture, 3, 1)).await;
    assert_eq!(code_of(&failed), (Code::AwsDenied, false));
    for (number, code, retry) in [(4, Code::StackFailed, true), (5, Code::NodesCutOff, false)] {
        let failing = ScriptedStacks::new(Err(Problem::of(code, "it was refused")));
        let failed = run(
            &fixture,
            &delegate(&fixture, Some(&failing)),
            &build(&fixture, number, 1),
        )
        .await;
        assert_eq!(code_of(&failed), (code, retry));
    }
}
