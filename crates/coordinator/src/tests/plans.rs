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
    let epoch = Epoch::FIRST;
    PartDone { rejected, epoch }
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
