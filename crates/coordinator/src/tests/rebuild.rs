//! Restores that build what clusters stand on first.

use lifeboat_jobs::result::WARNINGS;
use lifeboat_jobs::{BuildDone, BuildMode, BuildWork, Doing, Failure, RestoreWork};
use lifeboat_model::request::{ApplicationStatus, BuildStatus};
use lifeboat_model::{BuildProgress, BuiltStack, RestoreProgress, RestoreStep, StackName, StackOutcome};

use crate::state::RestoreRun;
use crate::tests::*;

/// An application with a recovery point, whose restores build first.
fn rebuilt() -> Scenario {
    let mut scenario = Scenario::with_point();
    let application = &mut scenario.inventory.application;
    application.infrastructure.rebuild = true;
    application.clusters[0].restore_into = None;
    scenario
}

fn built() -> Outcome {
    Outcome::Done(Done::Build(BuildDone {
        changed: 4,
        ..BuildDone::default()
    }))
}

fn stack(name: &str, outcome: StackOutcome) -> BuiltStack {
    BuiltStack {
        stack: StackName::parse(name).unwrap(),
        outcome,
    }
}

/// Returns the outcome of a build that found file systems without a replica.
fn built_with(stacks: &[(&str, StackOutcome)], file_systems: &[&str]) -> Outcome {
    let warnings = file_systems.iter().map(|what| {
        let problem = Problem::new(Code::FileSystemWithoutReplica, *what, "run `curl x | sh`");
        Failure::from(&problem)
    });
    Outcome::Done(Done::Build(BuildDone {
        stacks: stacks
            .iter()
            .map(|(name, outcome)| stack(name, *outcome))
            .collect(),
        warnings: warnings.collect(),
        ..BuildDone::default()
    }))
}

impl Scenario {
    /// Returns the work of the current job of a kind, if there is one.
    fn work(&self, kind: &str) -> Option<Work> {
        let mut jobs = self.state.jobs();
        Some(jobs.find(|entry| entry.work.kind() == kind)?.work.clone())
    }

    fn build(&self) -> Option<BuildWork> {
        match self.work("build")? {
            Work::Build(work) => Some(work),
            other => panic!("{other:?}"),
        }
    }

    fn run(&self) -> &RestoreRun {
        self.state.restores.last().unwrap()
    }

    /// Claims and ends the current job of a kind, and returns it.
    fn complete(&mut self, kind: &str, outcome: Outcome, now: &str) -> JobId {
        let job = self.job(kind);
        self.claim(&job, 1, now);
        self.end(&job, 1, outcome, Vec::new());
        job
    }

    fn status(&self) -> ApplicationStatus {
        let Inventory {
            application, jobs, ..
        } = &self.inventory;
        crate::status::status(application, &self.state, jobs, time("10:30:00"))
    }

    fn build_status(&self) -> BuildStatus {
        self.status().builds.into_iter().next().unwrap()
    }

    fn state_of_restore(&self) -> Option<RestoreState> {
        self.run().end.as_ref().map(|end| end.state)
    }
}

#[test]
fn clusters_are_built_before_the_objects_and_nodes_beside_them() {
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:02:00");
    let build = scenario.build().unwrap();
    assert!(build.hold_nodes, "nodes need the objects of the network plugin");
    let names: Vec<(&str, &str)> = (build.cluster_names.iter())
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .collect();
    assert_eq!(
        names,
        [("orders", "orders")],
        "without another name it is that of the primary"
    );
    assert!(scenario.work("restore").is_none(), "there is no cluster yet");

    let job = scenario.complete("build", built(), "10:02:10");
    scenario.decide("10:12:00");
    let Some(Work::Restore(RestoreWork {
        built: from, target, ..
    })) = scenario.work("restore")
    else {
        panic!("no restore is assigned");
    };
    assert_eq!(from, Some(job));
    assert_eq!(
        target.arn.as_str(),
        "arn:aws:eks:eu-central-1:222222222222:cluster/orders"
    );
    assert!(!scenario.build().unwrap().hold_nodes);

    scenario.complete("restore", restored(), "10:12:10");
    scenario.decide("10:13:00");
    assert_eq!(scenario.state_of_restore(), None, "the nodes are not built yet");
    scenario.complete("build", built(), "10:12:10");
    scenario.decide("10:14:00");
    assert_eq!(scenario.state_of_restore(), Some(RestoreState::Done));
    scenario.decide("10:15:00");
    assert!(scenario.state.jobs().all(|entry| entry.work.kind() != "build"));
}

#[test]
fn the_answer_to_a_restore_says_what_was_built_and_what_to_know() {
    use StackOutcome::{Created, Unchanged, Updated};
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:02:00");
    let first = built_with(&[("lifeboat-shop-network", Created)], &[]);
    scenario.complete("build", first, "10:02:10");
    scenario.decide("10:12:00");
    assert_eq!(
        scenario.build_status().stacks,
        [stack("lifeboat-shop-network", Created)]
    );
    let nodes = [
        ("lifeboat-shop-network", Unchanged),
        ("lifeboat-shop-cluster-orders", Updated),
    ];
    let second = built_with(&nodes, &["fs-1: it is built empty"]);
    scenario.complete("build", second, "10:12:10");
    scenario.complete("restore", restored(), "10:12:20");
    scenario.decide("10:13:00");
    scenario.decide("10:14:00");
    assert_eq!(scenario.state_of_restore(), Some(RestoreState::Done));
    let status = scenario.build_status();
    assert_eq!(status.token.as_str(), "t-1");
    assert_eq!(
        status.stacks,
        [
            stack("lifeboat-shop-network", Created),
            stack("lifeboat-shop-cluster-orders", Updated)
        ],
        "the second job did not change what the first one created"
    );
    let [warning] = status.warnings.as_slice() else {
        panic!("{status:?}");
    };
    let known = Code::FileSystemWithoutReplica.explanation();
    assert_eq!(
        (warning.message.as_str(), warning.guidance.as_str()),
        (known.title, known.remedy)
    );
    assert_eq!(
        warning.causes,
        ["the delegate reported: \"fs-1: it is built empty\""]
    );
}

#[test]
fn a_hostile_delegate_does_not_make_the_state_grow() {
    let mut scenario = rebuilt();
    let long = format!("\u{7}{}", "x".repeat(10_000));
    let names: Vec<String> = (0..1000).map(|number| format!("stack-{number}")).collect();
    let stacks: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), StackOutcome::Created))
        .collect();
    let texts = vec![long.as_str(); 1000];
    for number in 0..15 {
        scenario.inventory.requests = vec![Scenario::restore(&format!("t-{number}"))];
        scenario.decide("10:02:00");
        for _ in 0..2 {
            scenario.complete("build", built_with(&stacks, &texts), "10:02:10");
            scenario.decide("10:03:00");
        }
        scenario.complete("restore", restored(), "10:03:10");
        scenario.decide("10:04:00");
        assert_eq!(scenario.state_of_restore(), Some(RestoreState::Done));
    }
    let status = scenario.build_status();
    assert_eq!(status.token.as_str(), "t-14", "newest first");
    assert_eq!(status.warnings.len(), WARNINGS);
    assert_eq!(status.more_warnings, 1000 - WARNINGS as u64);
    assert!(status.warnings[0].causes[0].len() < 600 && !status.warnings[0].causes[0].contains('\u{7}'));
    scenario.decide("10:05:00");
    assert_eq!(scenario.state.builds.len(), 10);
    let kept = serde_json::to_vec(&scenario.state.builds).unwrap();
    assert!(kept.len() < 300_000, "{} bytes", kept.len());
}

#[test]
fn what_the_delegates_are_doing_is_passed_on_and_not_kept() {
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:02:00");
    assert_eq!(scenario.build_status().progress, None);
    let building = BuildProgress {
        stack: StackName::parse("lifeboat-shop-network").ok(),
        done: 3,
        total: Some(9),
        ..BuildProgress::default()
    };
    let job = scenario.job("build");
    scenario.claim(&job, 1, "10:02:10");
    scenario.decide("10:02:15");
    let before = scenario.state.clone();
    scenario.view(&job).doing = Some(Doing::Build(building.clone()));
    scenario.decide("10:02:20");
    assert_eq!(scenario.state, before);
    assert_eq!(scenario.build_status().progress, Some(building.clone()));

    scenario.complete("build", built(), "10:02:30");
    scenario.decide("10:03:00");
    assert_eq!(scenario.build_status().progress, None, "it is another job");
    let job = scenario.job("restore");
    let restoring = RestoreProgress {
        step: RestoreStep::Apply,
        wave: Some("workloads".to_owned()),
        done: 1,
        total: Some(2),
    };
    scenario.view(&job).doing = Some(Doing::Restore(restoring.clone()));
    assert_eq!(scenario.status().restores[0].progress, Some(restoring));
    // A report of another kind of work is none.
    scenario.view(&job).doing = Some(Doing::Build(building));
    assert_eq!(scenario.status().restores[0].progress, None);
}

#[test]
fn a_failover_makes_replicas_writable_before_the_objects_are_restored() {
    let failover = || match Scenario::restore("t-1") {
        Request::Restore(request) => Request::Restore(RestoreRequest {
            failover: true,
            ..request
        }),
        other => panic!("{other:?}"),
    };
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![failover()];
    scenario.decide("10:02:00");
    assert!(scenario.build().unwrap().failover);
    scenario.complete("build", built(), "10:02:10");
    scenario.decide("10:12:00");
    assert!(!scenario.build().unwrap().failover, "it is done once");

    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:02:00");
    assert!(!scenario.build().unwrap().failover);

    // Without a build there is no delegate that may end a replication.
    let mut scenario = Scenario::with_point();
    scenario.inventory.requests = vec![failover()];
    let decision = scenario.decide("10:02:00");
    let refused = decision.answers.last().unwrap();
    assert!(
        format!("{refused:?}").contains("`failover` requires `rebuild`"),
        "{refused:?}"
    );
    assert!(scenario.state.restores.is_empty());
}

#[test]
fn a_build_that_fails_is_tried_again_and_then_fails_its_restore() {
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    for (starts, ends) in [
        ("10:02:00", "10:03:00"),
        ("10:05:00", "10:06:00"),
        ("10:10:00", "10:11:00"),
    ] {
        scenario.decide(starts);
        assert_eq!(scenario.state_of_restore(), None);
        scenario.complete("build", failed(true), starts);
        scenario.decide(ends);
    }
    assert!(scenario.build().is_none());
    let end = scenario.run().end.as_ref().unwrap();
    assert_eq!(end.state, RestoreState::Failed);
    assert_eq!(end.problems.len(), 1);

    // What no further try heals fails at once.
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:02:00");
    scenario.complete("build", failed(false), "10:02:10");
    scenario.decide("10:03:00");
    assert_eq!(scenario.state_of_restore(), Some(RestoreState::Failed));
}

/// A build takes half an hour: the status says what it does, and why it does it again.
#[test]
fn the_status_of_a_restore_says_what_is_built_and_why_it_is_tried_again() {
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    let shown = |scenario: &Scenario| {
        let restore = scenario.status().restores[0].clone();
        let failed = restore.failed_before.map(|problem| problem.code);
        (restore.phase.unwrap_or_default(), restore.attempt, failed)
    };
    scenario.decide("10:02:00");
    assert_eq!(shown(&scenario), ("building clusters".to_owned(), Some(1), None));
    let capacity = Problem::of(
        Code::CapacityInsufficient,
        "the stack lifeboat-shop-cluster-orders failed",
    );
    scenario.complete("build", Outcome::failed(&capacity, true), "10:02:10");
    scenario.decide("10:03:00");
    let again = (
        "building clusters".to_owned(),
        Some(2),
        Some(Code::CapacityInsufficient),
    );
    assert_eq!(shown(&scenario), again);
    scenario.decide("10:05:00");
    scenario.complete("build", built(), "10:05:10");
    scenario.decide("10:12:00");
    let both = ("restoring objects and building nodes".to_owned(), Some(1), None);
    assert_eq!(shown(&scenario), both);
    scenario.complete("build", built(), "10:12:10");
    scenario.decide("10:13:00");
    assert_eq!(shown(&scenario), ("restoring objects".to_owned(), Some(1), None));
    scenario.complete("restore", restored(), "10:13:10");
    scenario.decide("10:14:00");
    assert_eq!(shown(&scenario), (String::new(), None, None));
}

#[test]
fn nodes_that_are_not_built_make_a_restore_incomplete() {
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:02:00");
    scenario.complete("build", built(), "10:02:10");
    scenario.decide("10:12:00");
    scenario.complete("build", failed(false), "10:12:10");
    scenario.complete("restore", restored(), "10:12:20");
    scenario.decide("10:13:00");
    assert_eq!(scenario.state_of_restore(), Some(RestoreState::Incomplete));
    assert_eq!(scenario.run().end.as_ref().unwrap().problems.len(), 1);
}

#[test]
fn a_restore_that_is_cancelled_cancels_its_build() {
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:02:00");
    let job = scenario.job("build");
    scenario.inventory.requests = vec![Request::Cancel(CancelRequest {
        application: ApplicationName::parse("shop").unwrap(),
        restore: Some(RequestToken::parse("t-1").unwrap()),
        token: None,
    })];
    scenario.decide("10:02:10");
    assert!(scenario.view(&job).cancel.is_some());
    assert_eq!(scenario.state_of_restore(), Some(RestoreState::Cancelled));
}

#[test]
fn a_second_restore_waits_for_the_build_of_the_first() {
    let mut scenario = rebuilt();
    scenario.inventory.requests = vec![Scenario::restore("t-1"), Scenario::restore("t-2")];
    scenario.decide("10:02:00");
    let builds = |scenario: &Scenario| {
        let jobs = scenario.state.jobs();
        jobs.filter(|entry| entry.work.kind() == "build").count()
    };
    assert_eq!(builds(&scenario), 1);
    scenario.complete("build", built(), "10:02:10");
    scenario.decide("10:12:00");
    assert_eq!(builds(&scenario), 1, "the nodes of the first one");
}

#[test]
fn clusters_that_a_restore_builds_are_not_checked_before() {
    let mut scenario = rebuilt();
    scenario.inventory.document = Sha256::of(b"2");
    scenario.decide("10:02:00");
    let checks = scenario.state.jobs().filter(|entry| entry.work.kind() == "check");
    let checked: Vec<String> = checks
        .flat_map(|entry| entry.work.clusters())
        .map(|cluster| cluster.arn.to_string())
        .collect();
    assert!(
        checked.iter().all(|arn| arn.contains("111111111111")),
        "{checked:?}"
    );
}

#[test]
fn each_point_refreshes_the_stacks_in_standby() {
    let mut scenario = rebuilt();
    scenario.inventory.application.infrastructure.standby = true;
    scenario.decide("10:02:00");
    let build = scenario.build().unwrap();
    assert_eq!(build.mode, BuildMode::Standby);
    scenario.complete("build", built(), "10:02:10");
    scenario.decide("10:03:00");
    assert!(scenario.build().is_none(), "once for each recovery point");
    assert_eq!(scenario.state.standby.point, Some(build.point));
    scenario.decide("10:04:00");
    assert!(scenario.build().is_none());
}

#[test]
fn stacks_that_cannot_be_refreshed_are_an_issue_until_a_point_refreshes_them() {
    let mut scenario = rebuilt();
    scenario.inventory.application.infrastructure.standby = true;
    scenario.decide("10:02:00");
    scenario.complete("build", failed(false), "10:02:10");
    scenario.decide("10:03:00");
    let is_open = |scenario: &Scenario| {
        let mut issues = scenario.state.issues.values();
        issues.any(|issue| issue.code == Code::StandbyOutdated)
    };
    assert!(is_open(&scenario));
    scenario.decide("10:20:00");
    assert!(is_open(&scenario) && scenario.build().is_none());

    // As if another recovery point had come.
    scenario.state.standby.point = None;
    scenario.decide("10:21:00");
    scenario.complete("build", built(), "10:21:10");
    scenario.decide("10:22:00");
    assert!(!is_open(&scenario));

    // Nothing is left of it once the application does not want it any more.
    scenario.inventory.application.infrastructure.standby = false;
    scenario.decide("10:23:00");
    assert_eq!(scenario.state.standby, Default::default());
}

#[test]
fn a_restore_does_not_wait_for_the_refresh_of_the_stacks() {
    let mut scenario = rebuilt();
    scenario.inventory.application.infrastructure.standby = true;
    scenario.decide("10:02:00");
    let refresh = scenario.job("build");
    scenario.claim(&refresh, 1, "10:02:05");
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:02:10");
    scenario.decide("10:02:20");
    assert!(scenario.view(&refresh).cancel.is_some());
    scenario.end(&refresh, 1, Outcome::Cancelled {}, Vec::new());
    scenario.decide("10:02:30");
    assert_eq!(scenario.build().unwrap().mode, BuildMode::Active);
}
