//! Clusters found by tag.

use crate::clusters::target_of;
use crate::tests::*;

/// An application whose clusters are found by tag.
fn by_tag() -> Scenario {
    let mut scenario = Scenario::new(r#"{"name":"orders"}"#);
    let application = &mut scenario.inventory.application;
    application.clusters.clear();
    application
        .cluster_tags
        .insert("team".to_owned(), "shop".to_owned());
    application.restore_into =
        Some(lifeboat_model::application::TargetPattern::parse("{cluster}-dr").unwrap());
    scenario
}

fn found(names: &[&str]) -> Outcome {
    let primary = EnvironmentId::parse("111111111111-eu-west-1").unwrap();
    let found = names.iter().map(|name| {
        let arn = Arn::cluster(&primary, name).unwrap();
        ClusterTarget::new(ClusterName::parse(*name).unwrap(), arn)
    });
    Outcome::Done(Done::Check {
        key: None,
        found: found.collect(),
        missing: Vec::new(),
    })
}

impl Scenario {
    /// Returns the clusters of the current jobs of this kind.
    fn clusters(&self, kind: &str) -> Vec<String> {
        let jobs = self.state.jobs().filter(|entry| entry.work.kind() == kind);
        let clusters = jobs.flat_map(|entry| entry.work.clusters());
        clusters
            .map(|cluster| cluster.arn.resource().to_owned())
            .collect()
    }

    fn search(&mut self, outcome: Outcome, now: &str) {
        let mut jobs = self.state.checks.iter();
        let run = jobs.find(|run| run.side == Side::Primary).unwrap();
        let job = run.job.job.clone();
        self.claim(&job, 1, now);
        self.end(&job, 1, outcome, Vec::new());
    }
}

#[test]
fn clusters_are_looked_for_by_tag_before_each_backup() {
    let mut scenario = by_tag();
    scenario.decide("10:00:30");
    assert!(scenario.state.backup.is_none(), "nobody knows yet what there is");
    scenario.search(found(&["orders", "payments"]), "10:00:40");
    scenario.decide("10:01:00");
    assert_eq!(
        scenario.clusters("capture"),
        ["cluster/orders", "cluster/payments"]
    );
    assert_eq!(
        scenario.clusters("check"),
        ["cluster/orders-dr", "cluster/payments-dr"],
        "what they are restored into is checked"
    );
    for name in ["orders", "payments"] {
        let cluster = ClusterName::parse(name).unwrap();
        let target = target_of(&scenario.inventory.application, &cluster).unwrap();
        assert_eq!(target.as_str(), format!("{name}-dr"));
    }
    // Another cluster is tagged before the next scheduled time.
    let point = scenario.point();
    scenario.state.backup = None;
    scenario.inventory.captures.remove(&point);
    scenario.decide("11:01:00");
    assert!(scenario.state.backup.is_none());
    scenario.search(found(&["orders", "payments", "stock"]), "11:01:10");
    scenario.decide("11:01:20");
    assert_eq!(scenario.clusters("capture").len(), 3);
}

#[test]
fn a_search_that_is_denied_is_an_issue_and_loses_no_cluster() {
    let mut scenario = by_tag();
    scenario.decide("10:00:30");
    scenario.search(found(&["orders"]), "10:00:40");
    scenario.decide("10:01:00");
    scenario.state.backup = None;
    scenario.decide("11:01:00");
    let denied = Done::Check {
        key: None,
        found: Vec::new(),
        missing: vec![AccessFinding::ListDenied {
            said: "denied".to_owned().into(),
        }],
    };
    scenario.search(Outcome::Done(denied), "11:01:10");
    scenario.decide("11:01:20");
    assert_eq!(scenario.clusters("capture"), ["cluster/orders"]);
    let mut issues = scenario.state.issues.values();
    let issue = issues.find(|issue| issue.code == Code::NoTaggedCluster).unwrap();
    let command = issue.command.as_deref().unwrap();
    assert!(
        command.starts_with("aws iam put-role-policy --role-name LifeboatPrimaryK8sDel-"),
        "{command}"
    );
    // The search is repeated without a request, and the issue closes.
    scenario.state.backup = None;
    scenario.decide("11:07:00");
    scenario.search(found(&["orders"]), "11:07:10");
    scenario.decide("11:07:20");
    assert!(
        scenario
            .state
            .issues
            .values()
            .all(|issue| issue.code != Code::NoTaggedCluster)
    );
}

#[test]
fn tags_that_no_cluster_has_are_an_issue() {
    let mut scenario = by_tag();
    scenario.decide("10:00:30");
    scenario.search(found(&[]), "10:00:40");
    scenario.decide("10:01:00");
    assert!(scenario.state.backup.is_none());
    let mut issues = scenario.state.issues.values();
    let issue = issues.find(|issue| issue.code == Code::NoTaggedCluster).unwrap();
    assert!(issue.message.contains("team=shop"), "{}", issue.message);
}
