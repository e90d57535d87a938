#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde_json::json;

use super::*;

fn cluster() -> Cluster {
    serde_json::from_value(json!({
        "name": "orders", "arn": "arn:aws:eks:eu-west-1:111111111111:cluster/orders", "version": "1.33",
        "roleArn": "role/cluster",
        "resourcesVpcConfig": {"subnetIds": ["subnet-1"], "endpointPublicAccess": true, "endpointPrivateAccess": true},
        "identity": {"oidc": {"issuer": "https://oidc.eks.eu-west-1.amazonaws.com/id/A"}},
        "computeConfig": {"nodeRoleArn": "role/auto"},
        "nodegroups": [
            {"nodegroupName": "a", "nodeRole": "role/nodes", "subnets": ["subnet-2"], "launchTemplate": {"id": "lt-1"}},
            {"nodegroupName": "b", "nodeRole": "role/nodes", "launchTemplate": {"id": "lt-1", "version": "3"}}],
        "fargateProfiles": [{"fargateProfileName": "f", "podExecutionRoleArn": "role/fargate", "subnets": ["subnet-3"]}],
        "addons": [{"addonName": "vpc-cni", "serviceAccountRoleArn": "role/cni"}],
        "accessEntries": [{"principalArn": "role/operators", "type": "STANDARD"}],
        "podIdentityAssociations": [
            {"namespace": "shop", "serviceAccount": "mail", "roleArn": "role/mail", "targetRoleArn": "role/target"}],
    }))
    .unwrap()
}

#[test]
fn every_role_of_a_cluster_is_found() {
    let cluster = cluster();
    let found: BTreeSet<&str> = roles(&cluster).into_iter().collect();
    let expected = [
        "role/auto",
        "role/cluster",
        "role/cni",
        "role/fargate",
        "role/mail",
        "role/nodes",
        "role/operators",
        "role/target",
    ];
    assert_eq!(found, BTreeSet::from(expected));
    assert_eq!(issuer(&cluster), Some("oidc.eks.eu-west-1.amazonaws.com/id/A"));
}

#[test]
fn subnets_and_versions_of_launch_templates_are_found() {
    let clusters = [cluster()];
    let found: Vec<String> = subnets(&clusters).into_iter().collect();
    assert_eq!(found, ["subnet-1", "subnet-2", "subnet-3"]);
    let versions = launch_templates(&clusters);
    let versions: Vec<&str> = versions.iter().map(|one| one.version.as_str()).collect();
    assert_eq!(versions, [DEFAULT_VERSION, "3"]);
}
