#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::json;

use super::*;

fn cluster() -> ClusterPlan {
    serde_json::from_value(json!({
        "format": "lifeboat.dev/cluster-plan/v1", "point": "20261121T114800Z-7f3a9c", "cluster": "orders",
        "into": "orders-dr", "comparedWith": "emptyCluster", "hash": "0a".repeat(32), "rejected": true,
        "first": [{"code": "LB-0506", "message": "fs-0aaaaaaaaaaaaaaa1 names the primary", "guidance": "map it"}],
        "warnings": [], "changes": [], "unselected": 0, "missing": [], "notes": [],
        "objects": [{"wave": "namespaces", "type": "namespaces", "action": "create", "count": 1,
            "objects": [{"type": "namespaces", "name": "shop"}]}],
        "translations": [{"rule": "translate-id", "reason": "The identity map lists the counterpart of the id.",
            "count": 1, "changes": [{"object": {"type": "configmaps", "namespace": "shop", "name": "a"},
                "path": "/data/a", "from": "subnet-1", "to": "${network.SubnetPrivateA}"}]}],
        "notRestored": [{"rule": "node", "reason": "A Node registers itself when its machine joins the cluster.",
            "count": 1, "objects": [{"object": {"type": "nodes", "name": "ip-10-0-0-1"}}]}],
    }))
    .unwrap()
}

fn infrastructure() -> RecoveryPlan {
    serde_json::from_value(json!({
        "hash": "0c".repeat(32),
        "stacks": [
            {"stack": "network", "name": "lifeboat-shop-network", "exists": true,
                "changes": [{"resource": "SubnetA", "type": "AWS::EC2::Subnet", "action": "Modify",
                    "replacement": "True", "properties": ["CidrBlock"]}],
                "findings": [{"severity": "warning", "resource": "eu-west-1c", "code": "LB-1204",
                    "what": "it has no counterpart", "remedy": "map the zone"}],
                "adopted": [{"from": "subnet-2", "to": "subnet-3", "rule": "tags"}],
                "differences": [{"resource": "SubnetA", "type": "AWS::EC2::Subnet", "differences": [
                    {"path": "/OutpostArn", "primary": "op-1", "reason": "notKept"},
                    {"path": "/VpcId", "primary": "vpc-1", "recovery": "vpc-2", "reason": "translated"}]}]},
            {"stack": "cluster-orders", "name": "lifeboat-shop-cluster-orders", "exists": false,
                "changes": [{"resource": "Cluster", "type": "AWS::EKS::Cluster", "action": "Add", "properties": []}],
                "findings": []},
        ],
        "adopted": [{"from": "vpc-1", "to": "vpc-2"}],
        "identities": {"format": "lifeboat.dev/identities/v1",
            "primary": {"account": "111111111111", "region": "eu-west-1"},
            "recovery": {"account": "222222222222", "region": "eu-central-1"},
            "identities": [{"kind": "subnet", "from": "subnet-1", "to": "${network.SubnetPrivateA}"}]},
        "cost": {
            "active": {"usdPerHour": "0.1", "usdPerMonth": "73", "stacks": [{"stack": "cluster-orders",
                "usdPerHour": "0.1", "usdPerMonth": "73", "charges": []}],
                "notPriced": [{"resource": "traffic", "what": "data transfer"}]},
            "standby": {"usdPerHour": "0", "usdPerMonth": "0", "stacks": []},
            "sources": [{"url": "https://aws.amazon.com/eks/pricing/"}]},
    }))
    .unwrap()
}

fn status() -> PlanStatus {
    serde_json::from_value(json!({
        "token": "t-1", "point": "20261121T114800Z-7f3a9c", "requestedAt": "2026-11-21T12:00:00Z", "state": "rejected",
        "hash": "0b".repeat(32),
    }))
    .unwrap()
}

fn asked() -> PlanRequest {
    serde_json::from_value(json!({"application": "shop"})).unwrap()
}

fn document(infrastructure: Option<RecoveryPlan>) -> RecoveryPlanDocument {
    let of = serde_json::from_value(json!({
        "application": "shop", "primary": "111111111111-eu-west-1", "recovery": "222222222222-eu-central-1",
        "clusters": ["orders"], "schedule": "every 1h", "restores": [], "issues": [],
    }));
    let parts = Parts {
        infrastructure,
        clusters: vec![cluster()],
    };
    RecoveryPlanDocument::new(&status(), &of.unwrap(), parts, &asked())
}

#[test]
fn a_plan_shows_resources_and_objects() {
    let document = document(Some(infrastructure()));
    insta::assert_snapshot!("table", document.table());
    insta::assert_snapshot!("markdown", document.markdown());
    let again: RecoveryPlanDocument =
        serde_json::from_value(serde_json::to_value(&document).unwrap()).unwrap();
    assert_eq!(again, document);
}

#[test]
fn a_plan_without_resources_says_so() {
    let document = document(None);
    for text in [document.table(), document.markdown()] {
        assert!(text.contains("restores of the application build none"), "{text}");
    }
    assert!(
        serde_json::to_value(&document)
            .unwrap()
            .get("infrastructure")
            .is_none()
    );
}

#[test]
fn the_restore_by_a_plan_names_what_was_asked_for() {
    let hash = "0b".repeat(32);
    let mut asked = asked();
    assert_eq!(
        document(None).restore.unwrap(),
        format!("lifeboat restore shop@20261121T114800Z-7f3a9c --expect-plan {hash}")
    );
    asked.cluster = ClusterName::parse("orders").ok();
    asked.into = ClusterName::parse("other").ok();
    asked.options.insert("existing".to_owned(), json!("update"));
    let restore = command(&status(), &asked, &hash);
    assert!(
        restore.contains("--cluster orders --into other [the options of this plan] --expect-plan 0b0b"),
        "{restore}"
    );
}

#[test]
fn a_plan_that_was_not_made_says_why() {
    let status: PlanStatus = serde_json::from_value(json!({
        "token": "t-1", "point": "20261121T114800Z-7f3a9c", "requestedAt": "2026-11-21T12:00:00Z", "state": "failed",
        "problems": [{"code": "LB-1003", "message": "AWS denies it", "guidance": "allow it", "causes": ["no"]}],
    }))
    .unwrap();
    let failure = failed(&status);
    assert_eq!(failure.problem().code, Code::PlanFailed);
    assert_eq!(failure.problem().causes, ["LB-1003: AWS denies it", "no"]);
    assert_eq!(failure.problem().guidance, "allow it");
}
