//! Clusters that only a delegate in their VPC reaches.

use lifeboat_jobs::{ClusterEndpoint, PrivateEndpoint};
use lifeboat_model::Severity;
use lifeboat_model::network::NetworkCause;

use super::*;

pub(super) fn endpoint(id: &str) -> PrivateEndpoint {
    PrivateEndpoint {
        endpoint: ClusterEndpoint {
            url: format!("https://{id}.gr7.eu-west-1.eks.amazonaws.com"),
            ca: "-----BEGIN CERTIFICATE-----".to_owned(),
            access_entries: true,
        },
        vpc: "vpc-0123456789abcdef0".to_owned(),
        subnets: vec!["subnet-0123456789abcdef0".to_owned()],
        security_group: "sg-0123456789abcdef0".to_owned(),
    }
}

pub(super) fn report(findings: Vec<AccessFinding>, private: Option<PrivateEndpoint>) -> AccessReport {
    AccessReport {
        cluster: ClusterName::parse("orders").unwrap(),
        arn: Arn::parse("arn:aws:eks:eu-west-1:111111111111:cluster/orders").unwrap(),
        role: Arn::parse("arn:aws:iam::111111111111:role/LifeboatPrimary").unwrap(),
        checked_at: time("10:00:40"),
        findings,
        private: private.map(Box::new),
    }
}

pub(super) fn private_report(endpoint: PrivateEndpoint) -> AccessReport {
    report(vec![AccessFinding::PrivateEndpoint {}], Some(endpoint))
}

pub(super) fn checked() -> Outcome {
    Outcome::Done(Done::Check {
        key: None,
        found: Vec::new(),
        missing: Vec::new(),
    })
}

fn captured() -> Outcome {
    Outcome::Done(Done::Capture(CaptureDone {
        sealed: None,
        clusters: Vec::new(),
        counted: None,
    }))
}

/// Registers the private delegate of a cluster.
pub(super) fn register(registered: &mut Registered, cluster: &str) {
    let cluster = ClusterName::parse(cluster).unwrap();
    let private = DelegateRegistration {
        cluster: Some(cluster.clone()),
        ..registered.delegate.clone().unwrap()
    };
    registered.private.insert(cluster, private);
}

/// A scenario in which the public delegate has found that the cluster `orders` has no public endpoint.
pub(super) fn found(clusters: &str) -> Scenario {
    found_in(Scenario::new(clusters))
}

pub(super) fn found_in(mut scenario: Scenario) -> Scenario {
    scenario.decide("10:00:30");
    let capture = scenario.job("capture");
    assert_eq!(capture.delegate().as_str(), "shop");
    scenario.claim(&capture, 1, "10:00:40");
    scenario.end(&capture, 1, failed(false), vec![private_report(endpoint("A"))]);
    scenario.decide("10:01:00");
    scenario
}

pub(super) fn checks_of(scenario: &Scenario, delegate: &str) -> Vec<JobId> {
    let runs = scenario
        .state
        .checks
        .iter()
        .filter(|run| run.side == Side::Primary);
    let jobs = runs.map(|run| run.job.job.clone());
    jobs.filter(|job| job.delegate().as_str() == delegate).collect()
}

#[test]
fn a_private_cluster_is_captured_by_its_own_delegate_and_sealed_by_the_public_one() {
    let mut scenario = found(r#"{"name":"orders"}"#);
    let issue = scenario
        .state
        .issues
        .values()
        .find(|issue| issue.code == Code::EndpointPrivate);
    let command = issue.unwrap().command.as_deref().unwrap();
    assert_eq!(
        command,
        "lifeboat deploy private-delegate shop --cluster orders --region eu-west-1"
    );
    assert!(
        checks_of(&scenario, "shop.orders").is_empty(),
        "nobody would do it"
    );

    register(&mut scenario.inventory.primary, "orders");
    scenario.decide("10:02:00");
    let [check] = &checks_of(&scenario, "shop.orders")[..] else {
        panic!("{:?}", scenario.state.checks)
    };
    let assignment = scenario.inventory.jobs[check].assignment().unwrap();
    let target = &assignment.work.clusters()[0];
    assert_eq!(target.endpoint, Some(endpoint("A").endpoint));
    let check = check.clone();
    scenario.claim(&check, 1, "10:02:05");
    scenario.end(&check, 1, checked(), vec![report(Vec::new(), None)]);
    scenario.decide("10:02:10");
    assert!(
        scenario
            .state
            .issues
            .values()
            .all(|issue| issue.code != Code::EndpointPrivate)
    );

    let capture = scenario.job("capture");
    assert_eq!(
        capture.delegate().as_str(),
        "shop.orders",
        "what was fixed is tried at once"
    );
    let assignment = scenario.inventory.jobs[&capture].assignment().unwrap();
    match &assignment.work {
        Work::Capture(CaptureWork { seal, clusters, .. }) => {
            assert!(!seal, "it has no signing key");
            assert_eq!(clusters[0].endpoint, Some(endpoint("A").endpoint));
        }
        other => panic!("{other:?}"),
    }
    scenario.claim(&capture, 1, "10:02:20");
    scenario.end(&capture, 1, captured(), vec![report(Vec::new(), None)]);
    scenario.decide("10:03:00");
    assert_eq!(scenario.job("seal").delegate().as_str(), "shop");
    scenario.seal("10:03:10");
    scenario.decide("10:03:20");
    scenario.vault("10:03:30");
    scenario.decide("10:03:31");
    assert_eq!(scenario.state.points.len(), 1);
    let mut issues = scenario.state.issues.values();
    // Nobody does the check of the recovery side here.
    assert!(
        issues.all(|issue| issue.code == Code::DelegateNotResponding),
        "{:?}",
        scenario.state.issues
    );
}

#[test]
fn a_cluster_that_gets_a_public_endpoint_is_captured_by_the_public_delegate_again() {
    let mut scenario = found(r#"{"name":"orders"}"#);
    register(&mut scenario.inventory.primary, "orders");
    scenario.decide("10:02:00");
    assert_eq!(scenario.state.private.len(), 1);
    // An hour later EKS is asked again: the endpoint has moved.
    scenario.decide("11:02:00");
    let [check] = &checks_of(&scenario, "shop")[..] else {
        panic!("{:?}", scenario.state.checks)
    };
    let check = check.clone();
    scenario.claim(&check, 1, "11:02:05");
    scenario.end(&check, 1, checked(), vec![private_report(endpoint("B"))]);
    scenario.decide("11:02:10");
    let held = scenario.state.private.values().next().unwrap();
    assert_eq!((&held.endpoint, held.seen_at), (&endpoint("B"), time("11:02:10")));

    // What does not tell whether it has one changes nothing.
    scenario.decide("12:02:20");
    let unknown = AccessFinding::DescribeDenied {
        said: Default::default(),
    };
    let check = checks_of(&scenario, "shop")[0].clone();
    scenario.claim(&check, 1, "12:02:25");
    scenario.end(&check, 1, checked(), vec![report(vec![unknown], None)]);
    scenario.decide("12:02:30");
    assert_eq!(scenario.state.private.len(), 1);

    scenario.decide("12:08:40");
    let check = checks_of(&scenario, "shop")[0].clone();
    scenario.claim(&check, 1, "12:08:45");
    scenario.end(&check, 1, checked(), vec![report(Vec::new(), None)]);
    scenario.decide("12:08:50");
    assert!(scenario.state.private.is_empty());
}

#[test]
fn an_endpoint_that_eks_cannot_have_said_is_not_used() {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    scenario.decide("10:00:30");
    let capture = scenario.job("capture");
    scenario.claim(&capture, 1, "10:00:40");
    let mut wrong = endpoint("A");
    wrong.subnets = vec!["subnet-1; reboot".to_owned()];
    scenario.end(&capture, 1, failed(false), vec![private_report(wrong)]);
    scenario.decide("10:01:00");
    assert!(scenario.state.private.is_empty());
    assert!(
        scenario
            .state
            .access
            .values()
            .all(|report| report.private.is_none())
    );
}

#[test]
fn each_cluster_of_a_backup_is_captured_by_its_own_delegate() {
    let mut scenario = found(r#"{"name":"orders"},{"name":"web"}"#);
    register(&mut scenario.inventory.primary, "orders");
    scenario.inventory.requests = vec![Request::Backup(BackupRequest {
        application: ApplicationName::parse("shop").unwrap(),
        token: Some(RequestToken::parse("t-1").unwrap()),
    })];
    for now in ["10:06:00", "10:09:00"] {
        scenario.decide(now);
    }
    let captures = scenario.state.backup.as_ref().unwrap().captures.iter();
    let delegates: Vec<String> = captures.map(|entry| entry.job.delegate().to_string()).collect();
    assert_eq!(delegates, ["shop.orders", "shop"]);
}

pub(super) fn no_route() -> NetworkCause {
    NetworkCause::NoRoute {
        vpc: "vpc-0123456789abcdef0".to_owned(),
        subnets: vec!["subnet-0123456789abcdef0".to_owned()],
        route_tables: vec!["rtb-0123456789abcdef0".to_owned()],
        endpoint: None,
        ipv6_only: false,
    }
}

fn one_zone() -> NetworkCause {
    NetworkCause::OneZone {
        zone: "eu-west-1a".to_owned(),
    }
}

/// The codes of the open issues about the cluster, with their severities.
fn codes(scenario: &Scenario) -> Vec<(Code, Severity)> {
    let issues = scenario.state.issues.values();
    let about = issues.filter(|issue| issue.cluster.is_some());
    about.map(|issue| (issue.code, issue.severity)).collect()
}

/// Ends the open check of the public delegate with these findings.
fn end_public_check(scenario: &mut Scenario, at: &str, findings: Vec<AccessFinding>) {
    let [check] = &checks_of(scenario, "shop")[..] else {
        panic!("{at}: {:?}", scenario.state.checks)
    };
    let check = check.clone();
    scenario.claim(&check, 1, at);
    let reports = vec![report(findings, Some(endpoint("A")))];
    scenario.end(&check, 1, checked(), reports);
    scenario.decide(at);
}

#[test]
fn what_the_network_lacks_is_an_issue_until_the_next_check_finds_nothing() {
    let mut scenario = found(r#"{"name":"orders"}"#);
    scenario.decide("10:06:10");
    let private = AccessFinding::PrivateEndpoint {};
    let lacks = |causes: Vec<NetworkCause>| causes.into_iter().map(AccessFinding::Network);
    let mut findings = vec![private.clone()];
    findings.extend(lacks(vec![no_route(), one_zone()]));
    end_public_check(&mut scenario, "10:06:20", findings);
    assert_eq!(
        codes(&scenario),
        [
            (Code::EndpointPrivate, Severity::Error),
            (Code::PrivateNetworkRoute, Severity::Error),
            (Code::PrivateNetworkZones, Severity::Warning)
        ]
    );
    let mut issues = scenario.state.issues.values();
    let issue = issues
        .find(|issue| issue.code == Code::PrivateNetworkRoute)
        .unwrap();
    assert_eq!(
        issue.id.as_str(),
        "LB-0830:111111111111-eu-west-1/orders/vpc-0123456789abcdef0"
    );
    assert_eq!(
        issue.command.as_deref(),
        Some(
            "aws ec2 create-vpc-endpoint --region eu-west-1 --vpc-id vpc-0123456789abcdef0 --vpc-endpoint-type Gateway --service-name com.amazonaws.eu-west-1.s3 --route-table-ids rtb-0123456789abcdef0"
        )
    );

    // A delegate that is deployed, and only cut off, is not to be deployed again.
    scenario.decide("10:11:30");
    end_public_check(&mut scenario, "10:11:40", lacks(vec![no_route()]).collect());
    assert_eq!(codes(&scenario), [(Code::PrivateNetworkRoute, Severity::Error)]);
    scenario.decide("10:14:00");
    assert!(
        checks_of(&scenario, "shop").is_empty(),
        "{:?}",
        scenario.state.checks
    );

    scenario.decide("10:16:50");
    end_public_check(&mut scenario, "10:17:00", vec![private]);
    assert_eq!(codes(&scenario), [(Code::EndpointPrivate, Severity::Error)]);
    register(&mut scenario.inventory.primary, "orders");
    scenario.decide("10:18:00");
    assert_eq!(checks_of(&scenario, "shop.orders").len(), 1);
}

#[test]
fn the_network_is_checked_when_a_private_delegate_claims_nothing() {
    let mut scenario = found(r#"{"name":"orders"}"#);
    register(&mut scenario.inventory.primary, "orders");
    scenario.decide("10:02:00");
    let check = checks_of(&scenario, "shop.orders")[0].clone();
    scenario.claim(&check, 1, "10:02:05");
    scenario.end(&check, 1, checked(), vec![report(Vec::new(), None)]);
    scenario.decide("10:02:10");
    assert_eq!(scenario.job("capture").delegate().as_str(), "shop.orders");
    // Nobody claims the capture; the public delegate looks at the network beside it.
    scenario.decide("10:04:00");
    assert!(checks_of(&scenario, "shop").is_empty());
    scenario.decide("10:07:30");
    end_public_check(
        &mut scenario,
        "10:07:40",
        vec![AccessFinding::Network(no_route())],
    );
    assert!(codes(&scenario).contains(&(Code::PrivateNetworkRoute, Severity::Error)));
    scenario.decide("10:12:50");
    end_public_check(&mut scenario, "10:13:00", vec![AccessFinding::PrivateEndpoint {}]);
    assert!(
        codes(&scenario).is_empty(),
        "the delegate is registered: {:?}",
        codes(&scenario)
    );
}

#[test]
fn a_delegate_that_registers_has_reached_s3_and_its_network_is_checked_at_once() {
    let mut scenario = found(r#"{"name":"orders"}"#);
    scenario.decide("10:06:10");
    end_public_check(
        &mut scenario,
        "10:06:20",
        vec![AccessFinding::Network(no_route())],
    );
    register(&mut scenario.inventory.primary, "orders");
    for registered in scenario.inventory.primary.private.values_mut() {
        registered.registered_at = time("10:07:10");
    }
    scenario.decide("10:07:20");
    end_public_check(&mut scenario, "10:07:30", vec![AccessFinding::PrivateEndpoint {}]);
    assert!(codes(&scenario).is_empty(), "{:?}", codes(&scenario));
    scenario.decide("10:07:40");
    assert!(
        checks_of(&scenario, "shop").is_empty(),
        "{:?}",
        scenario.state.checks
    );
}

#[test]
fn a_cause_that_aws_cannot_have_said_is_not_shown() {
    let mut scenario = found(r#"{"name":"orders"}"#);
    scenario.decide("10:06:10");
    let wrong = NetworkCause::NoResolver {
        vpc: "vpc-1; reboot".to_owned(),
    };
    end_public_check(&mut scenario, "10:06:20", vec![AccessFinding::Network(wrong)]);
    assert_eq!(codes(&scenario), [(Code::EndpointPrivate, Severity::Error)]);
}

/// A scenario with a recovery point, and a restore whose target has no public endpoint.
fn restoring() -> (Scenario, AccessReport) {
    restoring_in(Scenario::with_point())
}

pub(super) fn restoring_in(mut scenario: Scenario) -> (Scenario, AccessReport) {
    scenario.inventory.requests = vec![Scenario::restore("t-1")];
    scenario.decide("10:10:00");
    let restore = scenario.job("restore");
    assert_eq!(restore.delegate().as_str(), "shop");
    let mut report = private_report(endpoint("DR"));
    report.arn = Arn::parse("arn:aws:eks:eu-central-1:222222222222:cluster/orders-dr").unwrap();
    scenario.claim(&restore, 1, "10:10:05");
    let refused = Outcome::Failed {
        failures: report.findings.iter().map(AccessFinding::failure).collect(),
        retry: false,
    };
    scenario.end(&restore, 1, refused, vec![report.clone()]);
    scenario.decide("10:10:10");
    (scenario, report)
}

#[test]
fn a_restore_into_a_private_cluster_waits_for_its_delegate_and_gets_the_data_keys_from_the_public_one() {
    let (mut scenario, mut report) = restoring();
    let run = scenario.state.restores.last().unwrap();
    assert!(run.end.is_none() && run.job.is_none(), "{run:?}");
    scenario.decide("10:20:00");
    let issue = scenario
        .state
        .issues
        .values()
        .find(|issue| issue.code == Code::EndpointPrivate);
    assert_eq!(
        issue.unwrap().command.as_deref(),
        Some(
            "lifeboat deploy private-delegate shop --cluster orders-dr --region eu-central-1 --side recovery"
        )
    );

    register(&mut scenario.inventory.recovery, "orders-dr");
    scenario.decide("10:21:00");
    let restore = scenario.job("restore");
    assert_eq!(restore.delegate().as_str(), "shop.orders-dr");
    let mut checks = scenario.state.checks.iter().map(|run| run.job.job.clone());
    let check = checks.find(|job| job.delegate() == restore.delegate()).unwrap();
    scenario.claim(&check, 1, "10:21:01");
    report.findings.clear();
    report.private = None;
    scenario.end(&check, 1, checked(), vec![report]);
    scenario.decide("10:21:02");
    let mut issues = scenario.state.issues.values();
    assert!(issues.all(|issue| issue.code != Code::EndpointPrivate));
    let assignment = scenario.inventory.jobs[&restore].assignment().unwrap();
    assert_eq!(
        assignment.work.clusters()[0].endpoint,
        Some(endpoint("DR").endpoint)
    );

    for epoch in [1, 2] {
        let recipient = format!("the key of epoch {epoch}");
        scenario.claim(&restore, epoch, "10:21:05");
        let claims = &mut scenario.view(&restore).claims;
        claims.get_mut(&Epoch::new(epoch).unwrap()).unwrap().recipient = Some(recipient.clone());
        scenario.decide("10:21:10");
        let job = scenario.job("data-keys");
        assert_eq!(job.delegate().as_str(), "shop");
        assert!(job.name().ends_with(&format!("-keys-000{epoch}")), "{job}");
        match &scenario.inventory.jobs[&job].assignment().unwrap().work {
            Work::DataKeys(work) => assert_eq!(work.recipient, recipient),
            other => panic!("{other:?}"),
        }
        if epoch == 1 {
            scenario.checkpoint(&restore, 1, "10:22:00");
            scenario.decide("10:22:05");
        }
    }
    scenario.end(&restore, 2, restored(), Vec::new());
    scenario.decide("10:23:00");
    let run = scenario.state.restores.last().unwrap();
    assert_eq!(run.end.as_ref().unwrap().state, RestoreState::Done);
}

#[test]
fn a_restore_that_waits_for_a_private_delegate_can_be_cancelled() {
    let (mut scenario, _) = restoring();
    scenario.inventory.requests = vec![Request::Cancel(CancelRequest {
        application: ApplicationName::parse("shop").unwrap(),
        restore: Some(RequestToken::parse("t-1").unwrap()),
        token: None,
    })];
    scenario.decide("10:11:00");
    scenario.decide("10:12:00");
    let run = scenario.state.restores.last().unwrap();
    assert_eq!(run.end.as_ref().unwrap().state, RestoreState::Cancelled);
}
