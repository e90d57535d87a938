//! Private delegates that the public one deploys.

use lifeboat_jobs::{PrivateDelegateChange, PrivateDelegateDone, PrivateDelegateWork};
use lifeboat_model::{Issue, StackOutcome};

use super::private::{
    checked, checks_of, endpoint, found, found_in, no_route, private_report, register, report, restoring_in,
};
use super::*;

const ORDERS: &str = "arn:aws:eks:eu-west-1:111111111111:cluster/orders";

/// Lets the public delegates of both sides deploy private ones.
fn automatic(mut scenario: Scenario) -> Scenario {
    for registered in [&mut scenario.inventory.primary, &mut scenario.inventory.recovery] {
        registered.delegate.as_mut().unwrap().deploys_private_delegates = true;
    }
    scenario
}

/// A scenario with a cluster without a public endpoint, whose private delegate is being deployed.
fn deploying() -> Scenario {
    found_in(automatic(Scenario::new(r#"{"name":"orders"}"#)))
}

fn work(scenario: &Scenario) -> PrivateDelegateWork {
    let job = scenario.job("private-delegate");
    assert_eq!(job.delegate().as_str(), "shop", "the public delegate does it");
    match &scenario.inventory.jobs[&job].assignment().unwrap().work {
        Work::PrivateDelegate(work) => work.clone(),
        other => panic!("{other:?}"),
    }
}

fn is_idle(scenario: &Scenario) -> bool {
    scenario
        .state
        .jobs()
        .all(|entry| entry.work.kind() != "private-delegate")
}

fn changed(outcome: StackOutcome) -> Outcome {
    Outcome::Done(Done::PrivateDelegate(PrivateDelegateDone {
        outcome,
        registration: None,
    }))
}

/// Ends the job, and decides.
fn ends(scenario: &mut Scenario, outcome: Outcome, now: &str) {
    let job = scenario.job("private-delegate");
    scenario.claim(&job, 1, now);
    scenario.end(&job, 1, outcome, Vec::new());
    scenario.decide(now);
}

fn issue(scenario: &Scenario, code: Code) -> Option<&Issue> {
    scenario.state.issues.values().find(|issue| issue.code == code)
}

/// A scenario whose private delegate is deployed and registered.
fn deployed() -> Scenario {
    let mut scenario = deploying();
    ends(&mut scenario, changed(StackOutcome::Created), "10:04:00");
    register(&mut scenario.inventory.primary, "orders");
    scenario.decide("10:05:00");
    scenario
}

/// Tells what EKS says of the cluster, once it is asked again.
fn looks_again(scenario: &mut Scenario, now: &str, report: AccessReport) {
    scenario.decide(now);
    let check = checks_of(scenario, "shop")[0].clone();
    scenario.claim(&check, 1, now);
    scenario.end(&check, 1, checked(), vec![report]);
    scenario.decide(now);
}

#[test]
fn a_private_cluster_gets_its_delegate_without_a_command() {
    let mut scenario = deploying();
    let work = work(&scenario);
    assert_eq!(work.cluster.arn.as_str(), ORDERS);
    assert_eq!(work.until, time("11:01:00"));
    assert_eq!(
        work.change,
        PrivateDelegateChange::Deploy(Box::new(endpoint("A")))
    );
    assert!(
        issue(&scenario, Code::EndpointPrivate).is_none(),
        "nobody has to do anything"
    );
    let job = scenario.job("private-delegate");
    scenario.decide("10:02:00");
    assert_eq!(scenario.job("private-delegate"), job, "one at a time");

    ends(&mut scenario, changed(StackOutcome::Created), "10:04:00");
    assert!(is_idle(&scenario));
    scenario.decide("10:13:00");
    assert!(issue(&scenario, Code::EndpointPrivate).is_none() && is_idle(&scenario));
    register(&mut scenario.inventory.primary, "orders");
    scenario.decide("10:13:30");
    assert_eq!(checks_of(&scenario, "shop.orders").len(), 1);
    scenario.decide("10:40:00");
    assert!(is_idle(&scenario), "nothing has changed");
}

#[test]
fn what_a_deployed_delegate_reaches_is_looked_at_at_once_and_it_is_not_deployed_again_for_its_network() {
    let mut scenario = deploying();
    ends(&mut scenario, changed(StackOutcome::Created), "10:04:00");
    let [check] = &checks_of(&scenario, "shop")[..] else {
        panic!("{:?}", scenario.state.checks)
    };
    let check = check.clone();
    let cut_off = report(vec![AccessFinding::Network(no_route())], Some(endpoint("A")));
    scenario.claim(&check, 1, "10:04:10");
    scenario.end(&check, 1, checked(), vec![cut_off]);
    scenario.decide("10:04:20");
    let lacking = issue(&scenario, Code::PrivateNetworkRoute).unwrap();
    assert!(
        lacking
            .command
            .as_deref()
            .unwrap()
            .starts_with("aws ec2 create-vpc-endpoint")
    );
    scenario.decide("10:30:00");
    assert!(is_idle(&scenario), "its code has not changed");
}

#[test]
fn without_permission_the_issue_has_the_command() {
    let mut scenario = found(r#"{"name":"orders"}"#);
    assert!(is_idle(&scenario) && scenario.state.deployments.is_empty());
    let command = issue(&scenario, Code::EndpointPrivate).unwrap().command.clone();
    assert!(
        command
            .unwrap()
            .starts_with("lifeboat deploy private-delegate shop")
    );

    // It was granted before, and the job goes on.
    let mut granted = deploying();
    granted
        .inventory
        .primary
        .delegate
        .as_mut()
        .unwrap()
        .deploys_private_delegates = false;
    granted.decide("10:02:00");
    assert!(!is_idle(&granted));
    ends(&mut granted, failed(false), "10:03:00");
    granted.decide("10:04:00");
    assert!(granted.state.deployments.is_empty());
    assert!(issue(&granted, Code::EndpointPrivate).unwrap().command.is_some());
    scenario.decide("10:30:00");
    assert!(is_idle(&scenario));
}

#[test]
fn a_deployment_that_fails_is_an_issue_with_its_cause_and_is_tried_again() {
    let mut scenario = deploying();
    ends(&mut scenario, failed(false), "10:02:00");
    let found = issue(&scenario, Code::EndpointPrivate).unwrap();
    assert!(found.command.is_some());
    assert!(found.message.contains(": LB-"), "{found:?}");
    scenario.decide("10:06:00");
    assert!(is_idle(&scenario));
    scenario.decide("10:07:00");
    assert!(!is_idle(&scenario), "after five minutes");
    let found = issue(&scenario, Code::EndpointPrivate).unwrap();
    assert_eq!(found.command, None, "it may yet succeed");
    ends(&mut scenario, failed(true), "10:08:00");
    scenario.decide("10:17:00");
    assert!(is_idle(&scenario));
    scenario.decide("10:18:00");
    assert!(!is_idle(&scenario), "after ten minutes");
    ends(&mut scenario, failed(true), "10:19:00");
    // The stack of the application was deployed again, perhaps with what was missing.
    scenario
        .inventory
        .primary
        .delegate
        .as_mut()
        .unwrap()
        .registered_at = time("10:19:30");
    scenario.decide("10:20:00");
    assert!(!is_idle(&scenario));
    ends(&mut scenario, changed(StackOutcome::Created), "10:21:00");
    assert!(issue(&scenario, Code::EndpointPrivate).is_none());
}

#[test]
fn a_private_delegate_that_does_not_register_is_an_issue_and_is_deployed_again() {
    let mut scenario = deploying();
    ends(&mut scenario, changed(StackOutcome::Created), "10:04:00");
    scenario.decide("10:14:00");
    let found = issue(&scenario, Code::EndpointPrivate).unwrap();
    assert!(found.message.contains("has not registered"), "{found:?}");
    assert!(!is_idle(&scenario));
    ends(&mut scenario, changed(StackOutcome::Unchanged), "10:15:00");
    scenario.decide("10:26:00");
    let found = issue(&scenario, Code::EndpointPrivate).unwrap();
    assert!(found.command.is_some() && is_idle(&scenario), "the delay grows");
    scenario.decide("10:35:00");
    assert!(!is_idle(&scenario));
}

#[test]
fn a_new_version_and_another_network_are_deployed() {
    let mut scenario = deployed();
    let public = scenario.inventory.primary.delegate.as_mut().unwrap();
    (public.version, public.registered_at) = ("0.2.0".to_owned(), time("10:06:00"));
    scenario.decide("10:07:00");
    assert!(matches!(work(&scenario).change, PrivateDelegateChange::Deploy(_)));
    ends(&mut scenario, failed(false), "10:08:00");
    let found = issue(&scenario, Code::PrivateDelegateFailed).unwrap();
    assert!(
        found.command.is_some() && found.message.contains(": LB-"),
        "{found:?}"
    );
    scenario.decide("10:13:00");
    ends(&mut scenario, changed(StackOutcome::Updated), "10:14:00");
    let private = scenario.inventory.primary.private.values_mut().next().unwrap();
    private.version = "0.2.0".to_owned();
    scenario.decide("10:15:00");
    assert!(is_idle(&scenario) && issue(&scenario, Code::PrivateDelegateFailed).is_none());

    let mut moved = endpoint("A");
    moved.subnets.push("subnet-00000000000000001".to_owned());
    looks_again(&mut scenario, "11:15:00", private_report(moved.clone()));
    assert_eq!(
        work(&scenario).change,
        PrivateDelegateChange::Deploy(Box::new(moved))
    );
}

#[test]
fn a_cluster_that_leaves_takes_its_delegate_along_once_its_jobs_have_ended() {
    let mut scenario = deployed();
    let capture = || |entry: &&crate::state::JobEntry| entry.job.delegate().as_str() == "shop.orders";
    assert!(scenario.state.jobs().any(|entry| capture()(&entry)));
    scenario.inventory.application.clusters.clear();
    scenario.decide("10:06:00");
    assert!(is_idle(&scenario), "its check has not ended");
    let open: Vec<JobId> = scenario
        .state
        .jobs()
        .filter(capture())
        .map(|entry| entry.job.clone())
        .collect();
    for job in open {
        scenario.claim(&job, 1, "10:06:10");
        scenario.end(&job, 1, checked(), Vec::new());
    }
    scenario.decide("10:07:00");
    assert_eq!(work(&scenario).change, PrivateDelegateChange::Remove {});
    ends(&mut scenario, failed(true), "10:08:00");
    let found = issue(&scenario, Code::PrivateDelegateRemains).unwrap();
    let command = found.command.as_deref().unwrap();
    assert!(
        command.starts_with(
            "aws cloudformation delete-stack --stack-name lifeboat-private-delegate-shop-orders-"
        ),
        "{command}"
    );
    scenario.decide("10:13:00");
    let kept = Outcome::Done(Done::PrivateDelegate(PrivateDelegateDone {
        outcome: StackOutcome::Deleted,
        registration: Some(lifeboat_jobs::Failure::from(&Problem::of(Code::AwsDenied, "no"))),
    }));
    ends(&mut scenario, kept, "10:14:00");
    assert!(
        issue(&scenario, Code::PrivateDelegateRemains).is_some(),
        "its registration is left"
    );
    scenario.decide("10:24:00");
    ends(&mut scenario, changed(StackOutcome::Deleted), "10:25:00");
    assert!(scenario.state.deployments.is_empty());
    assert!(issue(&scenario, Code::PrivateDelegateRemains).is_none());
}

#[test]
fn a_cluster_with_a_public_endpoint_needs_no_private_delegate() {
    let mut scenario = deployed();
    looks_again(&mut scenario, "11:06:00", report(Vec::new(), None));
    assert!(scenario.state.private.is_empty());
    let open: Vec<JobId> = scenario.state.jobs().map(|entry| entry.job.clone()).collect();
    for job in open
        .into_iter()
        .filter(|job| job.delegate().as_str() == "shop.orders")
    {
        scenario.claim(&job, 1, "11:07:00");
        scenario.end(&job, 1, failed(false), Vec::new());
    }
    scenario.decide("11:08:00");
    assert_eq!(work(&scenario).change, PrivateDelegateChange::Remove {});
}

#[test]
fn a_cluster_that_was_made_anew_gets_a_new_stack() {
    let mut scenario = deployed();
    looks_again(&mut scenario, "11:06:00", private_report(endpoint("B")));
    assert_eq!(work(&scenario).change, PrivateDelegateChange::Remove {});
    ends(&mut scenario, changed(StackOutcome::Deleted), "11:30:00");
    assert_eq!(
        work(&scenario).change,
        PrivateDelegateChange::Deploy(Box::new(endpoint("B")))
    );
}

#[test]
fn a_restore_into_a_private_cluster_goes_on_by_itself() {
    let (mut scenario, _) = restoring_in(automatic(Scenario::with_point()));
    assert!(issue(&scenario, Code::EndpointPrivate).is_none());
    let asked = work(&scenario);
    assert!(
        asked
            .cluster
            .arn
            .as_str()
            .ends_with("222222222222:cluster/orders-dr")
    );
    ends(&mut scenario, changed(StackOutcome::Created), "10:13:00");
    register(&mut scenario.inventory.recovery, "orders-dr");
    scenario.decide("10:14:00");
    assert_eq!(scenario.job("restore").delegate().as_str(), "shop.orders-dr");
}
