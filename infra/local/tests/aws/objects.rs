//! What a fresh cluster of EKS holds, and the nodes of its node groups and Fargate profiles.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lifeboat_local::{Cluster, LocalAws};
use serde_json::{Value, json};

use super::client::Client;
use crate::{PRIMARY, await_cluster, eventually, start};

/// A network, a cluster without self-managed add-ons, and what gives it nodes, as a stack.
const STACK: &str = r#"{"Resources": {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    "A": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/20",
        "AvailabilityZone": "eu-west-1a"}},
    "B": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.16.0/20",
        "AvailabilityZone": "eu-west-1b"}},
    "Cluster": {"Type": "AWS::EKS::Cluster", "Properties": {"Name": "stack", "Version": "1.33",
        "RoleArn": "arn:aws:iam::111111111111:role/cluster", "BootstrapSelfManagedAddons": false,
        "AccessConfig": {"AuthenticationMode": "API", "BootstrapClusterCreatorAdminPermissions": true},
        "ResourcesVpcConfig": {"SubnetIds": [{"Ref": "A"}, {"Ref": "B"}]},
        "Logging": {"ClusterLogging": {"EnabledTypes": [{"Type": "audit"}]}},
        "ComputeConfig": {"Enabled": false}, "Tags": [{"Key": "team", "Value": "shop"}]}},
    "Nodes": {"Type": "AWS::EKS::Nodegroup", "Properties": {"ClusterName": {"Ref": "Cluster"},
        "NodegroupName": "general", "NodeRole": "arn:aws:iam::111111111111:role/nodes",
        "Subnets": [{"Ref": "A"}, {"Ref": "B"}], "InstanceTypes": ["m7g.large"], "AmiType": "AL2023_ARM_64_STANDARD",
        "CapacityType": "SPOT", "ScalingConfig": {"MinSize": 1, "MaxSize": 4, "DesiredSize": 3},
        "Labels": {"pool": "general"}, "Taints": [{"Key": "dedicated", "Value": "shop", "Effect": "NO_SCHEDULE"}]}},
    "Pods": {"Type": "AWS::EKS::FargateProfile", "Properties": {"ClusterName": {"Ref": "Cluster"},
        "FargateProfileName": "batch", "PodExecutionRoleArn": "arn:aws:iam::111111111111:role/pods",
        "Subnets": [{"Ref": "A"}],
        "Selectors": [{"Namespace": "batch", "Labels": [{"Key": "compute", "Value": "fargate"}]}]}}}}"#;

/// Returns the objects of a kind, by `namespace/name`.
fn objects(cluster: &Cluster, kind: &str) -> Vec<Value> {
    let text = cluster.kubectl_output(&[
        "get",
        kind,
        "--all-namespaces",
        "--output=json",
        "--show-managed-fields",
    ]);
    let list: Value = serde_json::from_str(&text.unwrap()).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn names(cluster: &Cluster, kind: &str) -> BTreeSet<String> {
    let objects = objects(cluster, kind).into_iter();
    objects
        .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

fn one(cluster: &Cluster, kind: &str, name: &str) -> Value {
    let mut objects = objects(cluster, kind).into_iter();
    objects
        .find(|object| object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// Returns the entries of `aws-auth`, by ARN; nothing if it does not exist.
fn admitted(cluster: &Cluster) -> Option<Vec<String>> {
    let map = objects(cluster, "configmaps").into_iter();
    let mut map = map.filter(|map| map["metadata"]["name"] == "aws-auth");
    let roles = map.next()?["data"]["mapRoles"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let arns = roles.lines().filter_map(|line| line.split_once("rolearn: "));
    Some(arns.map(|(_, arn)| arn.to_owned()).collect())
}

#[test]
fn a_fresh_cluster_holds_the_objects_of_eks_in_each_mode() {
    let (aws, admin) = start();
    let modes = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"];
    for (mode, addons) in modes
        .into_iter()
        .zip(["", "--no-bootstrap-self-managed-addons", ""])
    {
        let name = mode.to_lowercase().replace('_', "-");
        admin.ok(&format!(
            "eks create-cluster --name {name} --role-arn arn:aws:iam::{PRIMARY}:role/eks {addons} \
             --resources-vpc-config subnetIds=subnet-1,subnet-2 --access-config authenticationMode={mode}"
        ));
    }
    let mut authorities = BTreeSet::new();
    for mode in modes {
        let name = mode.to_lowercase().replace('_', "-");
        await_cluster(&admin, &name);
        let cluster = aws.cluster(PRIMARY, &name).unwrap();
        of_eks(&cluster);
        let webhook = one(&cluster, "mutatingwebhookconfigurations", "pod-identity-webhook");
        let authority = webhook["webhooks"][0]["clientConfig"]["caBundle"]
            .as_str()
            .unwrap();
        let described = admin.ok(&format!("eks describe-cluster --name {name}"));
        assert_eq!(authority, described["cluster"]["certificateAuthority"]["data"]);
        authorities.insert(authority.to_owned());
        let with_addons = mode != "API_AND_CONFIG_MAP";
        for (kind, object) in [
            ("daemonsets", "aws-node"),
            ("daemonsets", "kube-proxy"),
            ("deployments", "coredns"),
            ("services", "kube-dns"),
            ("configmaps", "kube-proxy-config"),
            ("clusterroles", "aws-node"),
        ] {
            assert_eq!(
                names(&cluster, kind).contains(object),
                with_addons,
                "{mode} {object}"
            );
        }
        // No node group, no Fargate profile.
        assert_eq!(admitted(&cluster), None, "{mode}");
        by_api(&aws, &admin, mode, &name);
    }
    assert_eq!(authorities.len(), 3, "each cluster has an authority of its own");
}

/// Checks the objects that every cluster has, and that they are those of EKS.
fn of_eks(cluster: &Cluster) {
    for (kind, name) in [
        ("clusterroles", "eks:addon-manager"),
        ("clusterrolebindings", "eks:node-manager"),
        ("clusterroles", "vpc-resource-controller-role"),
        ("clusterrolebindings", "vpc-resource-controller-rolebinding"),
        ("roles", "eks:authenticator"),
        ("rolebindings", "eks:authenticator"),
        ("mutatingwebhookconfigurations", "pod-identity-webhook"),
        ("mutatingwebhookconfigurations", "vpc-resource-mutating-webhook"),
        (
            "validatingwebhookconfigurations",
            "vpc-resource-validating-webhook",
        ),
        ("flowschemas", "eks-exempt"),
        ("prioritylevelconfigurations", "eks-monitoring"),
    ] {
        let object = one(cluster, kind, name);
        let mut managers = object["metadata"]["managedFields"].as_array().unwrap().iter();
        assert!(managers.any(|entry| entry["manager"] == "eks"), "{object}");
        for webhook in object["webhooks"].as_array().into_iter().flatten() {
            assert_eq!(webhook["failurePolicy"], "Ignore", "{name}");
        }
    }
    // The webhooks that nobody answers are ignored.
    cluster
        .apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}")
        .unwrap();
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: one, namespace: default}, \
               spec: {containers: [{name: a, image: a}]}}";
    cluster.apply(pod).unwrap();
}

/// Creates a node group and a Fargate profile by the API: EKS lets their roles in as the mode says.
fn by_api(aws: &LocalAws, admin: &Client, mode: &str, name: &str) {
    admin.ok(&format!(
        "eks create-nodegroup --cluster-name {name} --nodegroup-name one --node-role arn:aws:iam::{PRIMARY}:role/nodes \
         --subnets subnet-1 --scaling-config minSize=1,maxSize=2,desiredSize=1"
    ));
    let status = || {
        let command = format!("eks describe-nodegroup --cluster-name {name} --nodegroup-name one");
        admin.ok(&command)["nodegroup"]["status"].clone()
    };
    let began = Instant::now();
    while status() != "ACTIVE" {
        assert!(began.elapsed() < Duration::from_secs(120), "{}", status());
    }
    let cluster = aws.cluster(PRIMARY, name).unwrap();
    assert_eq!(names(&cluster, "nodes").len(), 1, "{mode}");
    let arn = format!("arn:aws:iam::{PRIMARY}:role/nodes");
    let expected = (mode != "API").then(|| vec![arn.clone()]);
    assert_eq!(admitted(&cluster), expected, "{mode}");
    if mode != "CONFIG_MAP" {
        let entry = admin.ok(&format!(
            "eks describe-access-entry --cluster-name {name} --principal-arn {arn}"
        ));
        assert_eq!(entry["accessEntry"]["type"], "EC2_LINUX", "{mode}");
    }
    if mode == "CONFIG_MAP" {
        // What a user adds stays.
        let own = "- rolearn: arn:aws:iam::111111111111:role/operators";
        let roles = one(&cluster, "configmaps", "aws-auth")["data"]["mapRoles"]
            .as_str()
            .unwrap()
            .to_owned();
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "aws-auth", "namespace": "kube-system"}, "data": {"mapRoles": format!("{roles}{own}\n")}});
        cluster
            .kubectl_with_input(&["replace", "-f", "-"], &map.to_string())
            .unwrap();
        admin.ok_with(
            &format!(
                "eks create-fargate-profile --cluster-name {name} --fargate-profile-name pods --subnets subnet-1 \
                 --pod-execution-role-arn arn:aws:iam::{PRIMARY}:role/pods --selectors"
            ),
            &["namespace=batch"],
        );
        let role = |role: &str| format!("arn:aws:iam::{PRIMARY}:role/{role}");
        let all = Some(vec![role("nodes"), role("operators"), role("pods")]);
        eventually(&all, || admitted(&cluster));
    }
}

#[test]
fn the_nodes_of_a_stack_are_those_that_its_template_says() {
    let (aws, admin) = start();
    admin.ok_with(
        "cloudformation create-stack --stack-name stack --template-body",
        &[STACK],
    );
    let began = Instant::now();
    loop {
        let stack = admin.ok("cloudformation describe-stacks --stack-name stack")["Stacks"][0].clone();
        match stack["StackStatus"].as_str().unwrap() {
            "CREATE_COMPLETE" => break,
            "CREATE_IN_PROGRESS" => assert!(began.elapsed() < Duration::from_secs(180), "{stack}"),
            _ => panic!("{stack}"),
        }
    }
    let cluster = aws.cluster(PRIMARY, "stack").unwrap();
    assert!(!names(&cluster, "daemonsets").contains("aws-node"));
    assert_eq!(admitted(&cluster), None, "the mode is API");
    let nodes = objects(&cluster, "nodes");
    let of = |label: &str, value: &str| -> Vec<&Value> {
        let nodes = nodes.iter();
        nodes
            .filter(|node| node["metadata"]["labels"][label] == value)
            .collect()
    };
    let group = of("eks.amazonaws.com/nodegroup", "general");
    assert_eq!((nodes.len(), group.len()), (4, 3));
    let zones: Vec<usize> = ["eu-west-1a", "eu-west-1b"]
        .map(|zone| of("topology.kubernetes.io/zone", zone).len())
        .to_vec();
    assert_eq!(zones, [3, 1], "with the node of the Fargate profile");
    for (label, value) in [
        ("eks.amazonaws.com/capacityType", "SPOT"),
        ("kubernetes.io/arch", "arm64"),
        ("node.kubernetes.io/instance-type", "m7g.large"),
        ("topology.kubernetes.io/region", "eu-west-1"),
        ("pool", "general"),
    ] {
        assert_eq!(group[0]["metadata"]["labels"][label], value, "{label}");
    }
    // The node controller, which does not run here, would remove the taint of a node that is not ready.
    let taint = json!({"key": "dedicated", "value": "shop", "effect": "NoSchedule"});
    let taints = group[0]["spec"]["taints"].as_array().unwrap();
    assert!(taints.contains(&taint), "{taints:?}");
    assert_eq!(of("eks.amazonaws.com/compute-type", "fargate").len(), 1);

    let described = admin.ok("eks describe-cluster --name stack");
    let logging = &described["cluster"]["logging"]["clusterLogging"];
    assert_eq!(logging[0], json!({"types": ["audit"], "enabled": true}));
    assert_eq!(described["cluster"]["tags"]["team"], "shop");
    assert_eq!(described["cluster"]["computeConfig"]["enabled"], false);
    let group = admin.ok("eks describe-nodegroup --cluster-name stack --nodegroup-name general");
    assert_eq!(group["nodegroup"]["taints"][0]["effect"], "NO_SCHEDULE");

    // A deleted stack takes its control plane with it.
    admin.done("cloudformation delete-stack --stack-name stack");
    eventually(&true, || aws.cluster(PRIMARY, "stack").is_none());
}
