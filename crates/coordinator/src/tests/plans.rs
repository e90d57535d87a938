//! Plans of restores.

use lifeboat_jobs::{BuildDone, BuildMode, PartDone, PlanDone, PlanWork};
use lifeboat_model::request::{Answer, PlanRequest, PlanState, PlanStatus};

use crate::tests::*;

fn request(token: &str) -> PlanRequest {
    PlanRequest {
        application: ApplicationName::parse("shop").unwrap(),
        point: "latest".to_owned(),
        cluster: None,
        into: None,
        options: serde_json::Map::new(),
        token: Some(RequestToken::parse(token).unwrap()),
    }
}

fn plan(token: &str) -> Request {
    Request::Plan(request(token))
}

fn part(rejected: bool) -> PartDone {
    PartDone {
        rejected,
        epoch: Epoch::FIRST,
        hash: Some(Sha256::of(&[u8::from(rejected)])),
    }
}

fn planned(infrastructure: Option<bool>, rejected: bool) -> Outcome {
    Outcome::Done(Done::Plan(PlanDone {
        infrastructure: infrastructure.map(part),
        clusters: BTreeMap::from([(ClusterName::parse("orders").unwrap(), part(rejected))]),
    }))
}

impl Scenario {
    fn plan_work(&self) -> Option<PlanWork> {
        let mut jobs = self.state.jobs();
        match &jobs.find(|entry| entry.work.kind() == "plan")?.work {
            Work::Plan(work) => Some(work.clone()),
            other => panic!("{other:?}"),
        }
    }

    fn plan_status(&self) -> PlanStatus {
        let Inventory {
            application, jobs, ..
        } = &self.inventory;
        let status = status::status(application, &self.state, jobs, time("10:30:00"));
        status.plans.into_iter().next().unwrap()
    }

    /// Makes a plan, and returns its hash.
    fn planned(&mut self, request: PlanRequest, outcome: Outcome, now: &str) -> String {
        self.inventory.requests = vec![Request::Plan(request)];
        self.decide(now);
        self.end_plan(outcome, now);
        self.plan_status().hash.unwrap()
    }

    /// Asks for a restore that expects a plan. Returns the problem for which it is refused.
    fn expect(&mut self, request: RestoreRequest, now: &str) -> Option<Problem> {
        self.inventory.requests = vec![Request::Restore(request)];
        match self.decide(now).answers.remove(0) {
            Answer::Accepted(_) => None,
            Answer::Refused(mut problems) => problems.pop(),
            other => panic!("{other:?}"),
        }
    }

    /// Claims and ends the plan, and decides.
    fn end_plan(&mut self, outcome: Outcome, now: &str) {
        let job = self.job("plan");
        self.claim(&job, 1, now);
        self.end(&job, 1, outcome, Vec::new());
        self.decide(now);
    }
}

#[test]
fn a_plan_is_made_once_and_says_where_its_parts_are() {
    let mut scenario = Scenario::with_point();
    scenario.inventory.requests = vec![plan("p-1"), plan("p-1")];
    let decision = scenario.decide("10:02:00");
    let [Answer::Accepted(first), Answer::Accepted(second)] = decision.answers.as_slice() else {
        panic!("{:?}", decision.answers);
    };
    assert!(!first.repeated && second.repeated);
    let work = scenario.plan_work().unwrap();
    assert_eq!(Some(&work.point), first.point.as_ref());
    assert_eq!(
        work.clusters[0].arn.as_str(),
        "arn:aws:eks:eu-central-1:222222222222:cluster/orders-dr"
    );
    assert_eq!(work.build, None, "the application is not rebuilt");
    assert_eq!(scenario.plan_status().state, PlanState::Running);
    let job = scenario.job("plan");
    scenario.end_plan(planned(None, false), "10:03:00");
    let status = scenario.plan_status();
    assert_eq!(status.state, PlanState::Done);
    assert_eq!(status.infrastructure, None);
    assert_eq!(
        status.clusters[0].part.report,
        format!("s3://lifeboat-scratch-222222222222-eu-central-1/reports/{job}/0001-cluster-orders.json")
    );
    assert_eq!(status.clusters[0].into.as_str(), "orders-dr");
    assert!(scenario.state.restores.is_empty() && scenario.state.builds.is_empty());
    assert!(scenario.state.issues.is_empty(), "{:?}", scenario.state.issues);
}

#[test]
fn a_rebuilt_application_is_planned_with_what_a_restore_builds() {
    let mut scenario = Scenario::with_point();
    let application = &mut scenario.inventory.application;
    application.infrastructure.rebuild = true;
    application.infrastructure.adopt = BTreeMap::from([("vpc-1".to_owned(), "vpc-2".to_owned())]);
    scenario.inventory.requests = vec![plan("p-1")];
    scenario.decide("10:02:00");
    let build = scenario.plan_work().unwrap().build.unwrap();
    assert_eq!(build.mode, BuildMode::Active);
    assert!(!build.hold_nodes, "the nodes are planned too");
    assert_eq!(build.adopt["vpc-1"], "vpc-2");
    assert_eq!(build.cluster_names.values().next().unwrap().as_str(), "orders-dr");
    scenario.end_plan(planned(Some(true), false), "10:03:00");
    let status = scenario.plan_status();
    assert_eq!(status.state, PlanState::Rejected);
    let infrastructure = status.infrastructure.unwrap();
    assert!(infrastructure.rejected && infrastructure.report.ends_with("/0001-infrastructure.json"));
    assert!(!status.clusters[0].part.rejected);
}

#[test]
fn a_result_without_the_parts_that_were_asked_for_is_refused() {
    for outcome in [
        planned(Some(false), false),
        Outcome::Done(Done::Plan(PlanDone::default())),
        restored(),
    ] {
        let mut scenario = Scenario::with_point();
        scenario.inventory.requests = vec![plan("p-1")];
        scenario.decide("10:02:00");
        scenario.end_plan(outcome, "10:03:00");
        let status = scenario.plan_status();
        assert_eq!(status.state, PlanState::Failed);
        assert_eq!(status.problems[0].code, Code::JobDocumentRefused);
        assert!(status.clusters.is_empty());
    }
}

#[test]
fn a_plan_waits_for_the_stacks_and_the_stacks_in_standby_wait_for_it() {
    let mut scenario = Scenario::with_point();
    let application = &mut scenario.inventory.application;
    application.infrastructure.rebuild = true;
    scenario.inventory.requests = vec![Scenario::restore("t-1"), plan("p-1"), plan("p-2")];
    scenario.decide("10:02:00");
    assert!(scenario.plan_work().is_none(), "a build changes the stacks");
    assert_eq!(scenario.plan_status().state, PlanState::Waiting);
    scenario.inventory.requests = vec![Request::Cancel(CancelRequest {
        application: ApplicationName::parse("shop").unwrap(),
        restore: Some(RequestToken::parse("t-1").unwrap()),
        token: None,
    })];
    for now in ["10:03:00", "10:05:30", "10:06:00"] {
        scenario.decide(now);
    }
    let plans = |scenario: &Scenario| {
        let jobs = scenario.state.jobs();
        jobs.filter(|entry| entry.work.kind() == "plan").count()
    };
    assert_eq!(plans(&scenario), 1, "one after the other");
    scenario.inventory.application.infrastructure.standby = true;
    scenario.decide("10:07:00");
    assert!(scenario.state.standby.job.is_none());
    scenario.end_plan(planned(Some(false), false), "10:08:00");
    assert!(scenario.state.standby.job.is_some());
    assert_eq!(scenario.plan_status().state, PlanState::Waiting);
    let job = scenario.job("build");
    scenario.claim(&job, 1, "10:08:10");
    let built = BuildDone {
        changed: 0,
        unchanged: 3,
        ..BuildDone::default()
    };
    scenario.end(&job, 1, Outcome::Done(Done::Build(built)), Vec::new());
    scenario.decide("10:09:00");
    assert_eq!(scenario.plan_status().state, PlanState::Running);
}

#[test]
fn a_plan_that_fails_is_tried_again_and_then_says_why() {
    let mut scenario = Scenario::with_point();
    scenario.inventory.requests = vec![plan("p-1")];
    for now in ["10:02:00", "10:05:00", "10:10:00"] {
        scenario.decide(now);
        assert_eq!(scenario.plan_status().state, PlanState::Running);
        scenario.end_plan(failed(true), now);
    }
    let status = scenario.plan_status();
    assert_eq!((status.state, status.problems.len()), (PlanState::Failed, 1));

    // What no further try heals fails at once.
    scenario.inventory.requests = vec![plan("p-2")];
    scenario.decide("10:11:00");
    scenario.end_plan(failed(false), "10:12:00");
    assert_eq!(scenario.plan_status().state, PlanState::Failed);
}

#[test]
fn a_plan_is_cancelled_by_its_token_and_its_point_is_kept_until_then() {
    let mut scenario = Scenario::with_point();
    scenario.inventory.requests = vec![plan("p-1")];
    scenario.decide("10:02:00");
    let point = scenario.state.plans[0].point.clone();
    let mut facts = scenario.state.points.iter();
    let (known, _) = facts.next().unwrap();
    assert_eq!(*known, point);
    let job = scenario.job("plan");
    scenario.claim(&job, 1, "10:02:05");
    scenario.inventory.requests = vec![Request::Cancel(CancelRequest {
        application: ApplicationName::parse("shop").unwrap(),
        restore: Some(RequestToken::parse("p-1").unwrap()),
        token: None,
    })];
    scenario.decide("10:02:10");
    scenario.decide("10:02:20");
    assert!(scenario.view(&job).cancel.is_some());
    scenario.end(&job, 1, Outcome::Cancelled {}, Vec::new());
    scenario.decide("10:02:30");
    assert_eq!(scenario.plan_status().state, PlanState::Cancelled);
}

#[test]
fn plans_of_what_does_not_exist_are_refused() {
    let mut scenario = Scenario::with_point();
    let good = request("p-1");
    scenario.inventory.requests = vec![
        Request::Plan(PlanRequest {
            point: "2025".to_owned(),
            ..good.clone()
        }),
        Request::Plan(PlanRequest {
            cluster: Some(ClusterName::parse("nope").unwrap()),
            ..good.clone()
        }),
        Request::Plan(PlanRequest {
            into: Some(ClusterName::parse("elsewhere").unwrap()),
            ..good
        }),
    ];
    let before = scenario.state.clone();
    let decision = scenario.decide("10:10:00");
    assert!(
        decision
            .answers
            .iter()
            .all(|answer| matches!(answer, Answer::Refused(_)))
    );
    assert_eq!(scenario.state, before);
}

/// Returns the request for a restore that expects a plan.
fn expecting(token: &str, hash: &str) -> RestoreRequest {
    match Scenario::restore(token) {
        Request::Restore(request) => RestoreRequest {
            expect_plan: Some(hash.to_owned()),
            ..request
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_hash_of_a_plan_is_that_of_its_parts_targets_and_point() {
    let parts = |infrastructure, rejected| match planned(infrastructure, rejected) {
        Outcome::Done(Done::Plan(done)) => done,
        other => panic!("{other:?}"),
    };
    let target = |arn: &str| {
        let arn = Arn::parse(format!("arn:aws:eks:eu-central-1:222222222222:cluster/{arn}")).unwrap();
        [ClusterTarget::new(ClusterName::parse("orders").unwrap(), arn)]
    };
    let point = RecoveryPointId::parse("20261121T100000Z-aaaaaa").unwrap();
    let hash = parts(Some(false), false).hash(&point, &target("a"));
    assert!(hash.is_some());
    let mut later = parts(Some(false), false);
    later.infrastructure.as_mut().unwrap().epoch = Epoch::FIRST.next();
    later.clusters.values_mut().for_each(|part| part.rejected = true);
    assert_eq!(
        later.hash(&point, &target("a")),
        hash,
        "what the target refuses is no part of it"
    );
    let other_point = RecoveryPointId::parse("20261121T100000Z-bbbbbb").unwrap();
    for other in [
        parts(Some(true), false).hash(&point, &target("a")),
        parts(Some(false), true).hash(&point, &target("a")),
        parts(None, false).hash(&point, &target("a")),
        parts(Some(false), false).hash(&other_point, &target("a")),
        parts(Some(false), false).hash(&point, &target("b")),
    ] {
        assert!(other.is_some());
        assert_ne!(other, hash);
    }
    let mut unplanned = parts(Some(false), false);
    unplanned.clusters.values_mut().for_each(|part| part.hash = None);
    assert_eq!(unplanned.hash(&point, &target("a")), None);
}

#[test]
fn a_restore_that_expects_a_plan_gives_each_job_its_part() {
    let mut scenario = Scenario::with_point();
    scenario.inventory.application.infrastructure.rebuild = true;
    let hash = scenario.planned(request("p-1"), planned(Some(false), true), "10:02:00");
    assert_eq!(scenario.expect(expecting("t-1", &hash), "10:03:00"), None);
    let Some(Work::Build(build)) = scenario.state.jobs().map(|entry| entry.work.clone()).next() else {
        panic!("nothing is built");
    };
    assert_eq!(build.expected_plan, part(false).hash);
    let job = scenario.job("build");
    scenario.claim(&job, 1, "10:03:10");
    scenario.end(
        &job,
        1,
        Outcome::Done(Done::Build(BuildDone::default())),
        Vec::new(),
    );
    scenario.decide("10:04:00");
    let mut works = scenario.state.jobs().map(|entry| entry.work.clone());
    let restore = works.find_map(|work| match work {
        Work::Restore(restore) => Some(restore),
        _ => None,
    });
    assert_eq!(restore.unwrap().expected_plan, part(true).hash);
    drop(works);
    let nodes = scenario.state.jobs().find_map(|entry| match &entry.work {
        Work::Build(build) => Some(build.expected_plan),
        _ => None,
    });
    assert_eq!(
        nodes.unwrap(),
        part(false).hash,
        "the nodes are a part of the plan too"
    );

    // Without a plan, any is carried out.
    let mut scenario = Scenario::with_point();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:02:00");
    let Some(Work::Restore(restore)) = scenario.state.jobs().map(|entry| entry.work.clone()).next() else {
        panic!("nothing is restored");
    };
    assert_eq!(restore.expected_plan, None);
}

#[test]
fn a_restore_that_differs_from_the_expected_plan_is_refused_and_starts_nothing() {
    let mut scenario = Scenario::with_point();
    let hash = scenario.planned(request("p-1"), planned(None, false), "10:02:00");
    let before = scenario.state.clone();
    let is_unchanged = |scenario: &Scenario| {
        assert!(scenario.state.restores.is_empty() && scenario.state.builds.is_empty());
        assert_eq!(scenario.state.requests, before.requests);
    };

    // Another hash; both are named.
    let unknown = "0a".repeat(32);
    let refused = scenario.expect(expecting("t-1", &unknown), "10:03:00").unwrap();
    assert_eq!(refused.code, Code::PlanUnknown);
    assert!(
        refused.message.contains(&unknown) && refused.causes[0].contains(&hash),
        "{refused}"
    );
    let refused = scenario.expect(expecting("t-1", "0a"), "10:03:00").unwrap();
    assert_eq!(refused.code, Code::RequestRefused);
    is_unchanged(&scenario);

    // Other options, and another target.
    let mut other = expecting("t-1", &hash);
    other.options.insert("existing".to_owned(), "update".into());
    let refused = scenario.expect(other, "10:03:00").unwrap();
    assert_eq!(refused.code, Code::PlanChanged);
    assert!(refused.causes[0].contains("other options"), "{refused}");
    let mut other = expecting("t-1", &hash);
    other.cluster = ClusterName::parse("orders").ok();
    other.into = ClusterName::parse("elsewhere").ok();
    let refused = scenario.expect(other, "10:03:00").unwrap();
    assert!(refused.causes[0].contains("other clusters"), "{refused}");
    is_unchanged(&scenario);

    // Another rule of the application, of which there is a newer plan: its hash is named too.
    scenario
        .inventory
        .application
        .rules
        .insert("existing".to_owned(), "keep".into());
    let newer = scenario.planned(request("p-2"), planned(None, true), "10:04:00");
    let refused = scenario.expect(expecting("t-1", &hash), "10:05:00").unwrap();
    assert_eq!(refused.code, Code::PlanChanged);
    assert!(refused.causes[1].contains(&newer), "{refused}");
    assert_eq!(scenario.expect(expecting("t-1", &newer), "10:06:00"), None);

    // An application that is rebuilt has another plan.
    let mut scenario = Scenario::with_point();
    let hash = scenario.planned(request("p-1"), planned(None, false), "10:02:00");
    scenario.inventory.application.infrastructure.rebuild = true;
    let refused = scenario.expect(expecting("t-1", &hash), "10:03:00").unwrap();
    assert_eq!(refused.code, Code::PlanChanged);
}
