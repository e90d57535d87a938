//! Random descriptions, determined by a seed.

use fastrand::Rng;
use lifeboat_infrastructure::Descriptions;
use serde_json::{Value, json};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-west-1";

fn id(prefix: &str, number: usize) -> String {
    format!("{prefix}-0{:016x}", number + 0xa000)
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn pick<'a, T: ?Sized>(rng: &mut Rng, from: &[&'a T]) -> &'a T {
    from[rng.usize(..from.len())]
}

fn some(rng: &mut Rng, from: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = from.iter().filter(|_| rng.bool()).cloned().collect();
    if kept.is_empty() {
        kept.extend(from.first().cloned());
    }
    kept
}

fn tags(rng: &mut Rng, name: &str) -> Value {
    match rng.u8(..4) {
        0 => json!({}),
        1 => json!({"Name": name}),
        2 => {
            json!({"Name": name, "aws:cloudformation:stack-name": "x", "kubernetes.io/cluster/c0": "shared"})
        }
        _ => json!({"Name": "same", "cost": format!("{ACCOUNT} in {REGION}")}),
    }
}

/// Returns the descriptions of an application that a seed determines.
pub(crate) fn descriptions(seed: u64) -> Descriptions {
    let rng = &mut Rng::with_seed(seed);
    let mut document = json!({"format": Descriptions::FORMAT, "account": ACCOUNT, "region": REGION});
    network(rng, &mut document);
    storage(rng, &mut document);
    identity(rng, &mut document);
    clusters(rng, &mut document);
    document["launchTemplates"] = json!([launch_template()]);
    document["missing"] = json!([{"resource": "AWS::EC2::DHCPOptions", "call": "ec2:DescribeDhcpOptions",
        "code": "UnauthorizedOperation"}]);
    serde_json::from_value(document).expect("the generator makes documents of version 1")
}

fn network(rng: &mut Rng, document: &mut Value) {
    let vpcs = 1 + rng.usize(..2);
    let (mut all, mut subnets, mut tables, mut gateways, mut nats, mut endpoints) = (
        Vec::new(),
        Vec::new(),
        Vec::new(),
        Vec::new(),
        Vec::new(),
        Vec::new(),
    );
    for vpc in 0..vpcs {
        let vpc_id = id("vpc", vpc);
        let ipv6 = if rng.bool() {
            json!([{"ipv6CidrBlock": "2001:db8:0:1200::/56", "ipSource": "amazon"}])
        } else {
            json!([])
        };
        let has_ipv6 = ipv6 != json!([]);
        all.push(
            json!({"vpcId": vpc_id, "cidrBlock": format!("10.{vpc}.0.0/16"), "ipv6CidrBlocks": ipv6,
            "cidrBlocks": if rng.bool() { json!(["100.64.0.0/16"]) } else { json!([]) },
            "enableDnsSupport": true, "enableDnsHostnames": true, "tags": tags(rng, "main")}),
        );
        let gateway = id("igw", vpc);
        gateways.push(json!({"internetGatewayId": gateway, "vpcId": vpc_id, "tags": tags(rng, "gate")}));
        let mut own = Vec::new();
        for number in 0..2 + rng.usize(..4) {
            let zone = number % 3;
            let subnet = id("subnet", vpc * 100 + number);
            let mut one = json!({"subnetId": subnet, "vpcId": vpc_id, "cidrBlock": format!("10.{vpc}.{number}.0/24"),
                "availabilityZone": format!("{REGION}{}", ["a", "b", "c"][zone]),
                "availabilityZoneId": format!("euw1-az{}", zone + 1),
                "mapPublicIpOnLaunch": rng.bool(), "tags": tags(rng, "net")});
            if has_ipv6 {
                one["ipv6CidrBlock"] = json!(format!("2001:db8:0:12{number:02x}::/64"));
                one["assignIpv6AddressOnCreation"] = json!(rng.bool());
            }
            subnets.push(one);
            own.push(subnet);
        }
        let nat = id("nat", vpc);
        nats.push(
            json!({"natGatewayId": nat, "vpcId": vpc_id, "subnetId": own[0], "connectivityType": "public",
            "tags": tags(rng, "nat")}),
        );
        let main = id("rtb", vpc * 10);
        let mut routes = vec![json!({"destinationCidrBlock": "0.0.0.0/0", "natGatewayId": nat})];
        if rng.bool() {
            routes.push(json!({"destinationCidrBlock": "192.168.0.0/16", "transitGatewayId": id("tgw", 1)}));
        }
        tables.push(
            json!({"routeTableId": main, "vpcId": vpc_id, "main": true, "routes": routes,
            "tags": tags(rng, "private")}),
        );
        tables.push(
            json!({"routeTableId": id("rtb", vpc * 10 + 1), "vpcId": vpc_id, "main": false,
            "subnetIds": [own[0]], "routes": [{"destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway}],
            "tags": tags(rng, "public")}),
        );
        if rng.bool() {
            endpoints.push(json!({"vpcEndpointId": id("vpce", vpc * 10), "vpcId": vpc_id,
                "vpcEndpointType": "Gateway", "serviceName": "com.amazonaws.eu-west-1.s3", "routeTableIds": [main]}));
            for (number, service) in ["ecr.api", "ecr.dkr", "sts", "ec2"].iter().enumerate() {
                endpoints.push(
                    json!({"vpcEndpointId": id("vpce", vpc * 10 + 1 + number), "vpcId": vpc_id,
                    "vpcEndpointType": "Interface", "serviceName": format!("com.amazonaws.eu-west-1.{service}"),
                    "subnetIds": some(rng, &own), "groupIds": [id("sg", vpc * 100)], "privateDnsEnabled": true}),
                );
            }
        }
    }
    document["vpcs"] = json!(all);
    document["securityGroups"] = groups(rng, vpcs);
    document["networkAcls"] = json!([{"networkAclId": id("acl", 0), "vpcId": id("vpc", 0), "isDefault": false,
        "subnetIds": [subnets[0]["subnetId"]], "tags": tags(rng, "acl"), "entries": [
            {"ruleNumber": 100, "egress": false, "protocol": "6", "ruleAction": "allow", "cidrBlock": "0.0.0.0/0",
             "portRange": {"from": 443, "to": 443}},
            {"ruleNumber": 100, "egress": true, "protocol": "-1", "ruleAction": "allow", "cidrBlock": "0.0.0.0/0"},
            {"ruleNumber": 32767, "egress": true, "protocol": "-1", "ruleAction": "deny", "cidrBlock": "0.0.0.0/0"}]}]);
    for (name, list) in [
        ("subnets", subnets),
        ("routeTables", tables),
        ("internetGateways", gateways),
        ("natGateways", nats),
        ("vpcEndpoints", endpoints),
    ] {
        document[name] = json!(list);
    }
}

fn groups(rng: &mut Rng, vpcs: usize) -> Value {
    let mut groups = Vec::new();
    for vpc in 0..vpcs {
        let count = 2 + rng.usize(..3);
        for number in 0..count {
            let other = id("sg", vpc * 100 + rng.usize(..count));
            let mut rules = vec![
                json!({"isEgress": false, "ipProtocol": "tcp", "fromPort": 80 + number,
                "toPort": 80 + number, "referencedGroupInfo": {"groupId": other}}),
            ];
            if rng.bool() {
                rules.push(json!({"isEgress": true, "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"}));
                rules.push(
                    json!({"isEgress": true, "ipProtocol": "tcp", "fromPort": 443, "toPort": 443,
                    "prefixListId": id("pl", 1)}),
                );
            }
            if rng.bool() {
                rules.push(
                    json!({"isEgress": false, "ipProtocol": "tcp", "fromPort": 2049, "toPort": 2049,
                    "referencedGroupInfo": {"groupId": id("sg", 900 + vpc)}}),
                );
            }
            groups.push(
                json!({"groupId": id("sg", vpc * 100 + number), "groupName": format!("group-{vpc}-{number}"),
                "description": "a group", "vpcId": id("vpc", vpc), "rules": rules, "tags": tags(rng, "group")}),
            );
        }
    }
    json!(groups)
}

fn key(number: usize) -> String {
    format!("{number:08x}-12ab-34cd-56ef-1234567890ab")
}

fn key_arn(number: usize) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{}", key(number))
}

fn storage(rng: &mut Rng, document: &mut Value) {
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    document["keys"] = json!([{"keyId": key(0), "arn": key_arn(0), "keyManager": "CUSTOMER", "aliases": ["alias/k0"],
        "policy": {"Version": "2012-10-17", "Statement": [{"Sid": "iam", "Effect": "Allow", "Principal": {"AWS": root},
            "Action": "kms:*", "Resource": "*"}]}}]);
    let mut repositories = Vec::new();
    for number in 0..rng.usize(..4) {
        let name = format!("team/app-{number}");
        let encryption = if rng.bool() {
            json!({"encryptionType": "AES256"})
        } else {
            json!({"encryptionType": "KMS", "kmsKey": key_arn(0)})
        };
        repositories.push(json!({"repositoryName": name,
            "repositoryArn": format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"),
            "imageTagMutability": pick(rng, &["MUTABLE", "IMMUTABLE"]), "encryptionConfiguration": encryption,
            "tags": tags(rng, "repository")}));
    }
    document["repositories"] = json!(repositories);
    if rng.bool() {
        let points: Vec<Value> = (0..rng.usize(..3))
            .map(|number| {
                json!({"accessPointId": id("fsap", number), "posixUser": {"uid": number, "gid": number},
                    "rootDirectory": {"path": format!("/p{number}")}, "tags": tags(rng, "point")})
            })
            .collect();
        let mode = pick(rng, &["bursting", "elastic", "provisioned"]);
        let mut system = json!({"fileSystemId": id("fs", 0), "throughputMode": mode, "encrypted": true,
            "accessPoints": points, "tags": tags(rng, "media"),
            "mountTargets": [{"subnetId": id("subnet", 0), "securityGroups": [id("sg", 0)]},
                             {"subnetId": id("subnet", 1), "securityGroups": [id("sg", 0)]}]});
        if mode == "provisioned" {
            system["provisionedThroughputInMibps"] = json!(8.0);
        }
        if rng.bool() {
            system["kmsKeyId"] = json!(key_arn(0));
        }
        document["fileSystems"] = json!([system]);
    }
}

fn issuer(cluster: usize) -> String {
    format!("oidc.eks.{REGION}.amazonaws.com/id/{cluster:032X}")
}

fn trust(service: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service},
        "Action": "sts:AssumeRole"}]})
}

fn identity(rng: &mut Rng, document: &mut Value) {
    let of_aws = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
    let use_key = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Action": ["kms:DescribeKey", "kms:CreateGrant"], "Resource": [key_arn(0)]}]});
    let mut roles = vec![
        json!({"roleName": "control", "path": "/", "arn": role("control"), "tags": tags(rng, "role"),
            "assumeRolePolicyDocument": trust("eks.amazonaws.com"), "inlinePolicies": {"key": use_key},
            "attachedPolicies": [of_aws("AmazonEKSClusterPolicy")]}),
        json!({"roleName": "nodes", "path": "/", "arn": role("nodes"),
            "assumeRolePolicyDocument": trust("ec2.amazonaws.com"),
            "attachedPolicies": [of_aws("AmazonEKSWorkerNodePolicy"), of_aws("AmazonEC2ContainerRegistryPullOnly")]}),
        json!({"roleName": "pods", "path": "/", "arn": role("pods"),
            "assumeRolePolicyDocument": trust("eks-fargate-pods.amazonaws.com"),
            "attachedPolicies": [of_aws("AmazonEKSFargatePodExecutionRolePolicy")]}),
    ];
    let mut policies = Vec::new();
    for number in 0..rng.usize(..5) {
        let name = format!("{}{number}", "app".repeat(1 + rng.usize(..20)));
        let name = &name[name.len().saturating_sub(60)..];
        let host = issuer(0);
        let principal = match rng.u8(..3) {
            0 => {
                json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
                    "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}")},
                    "Condition": {"StringEquals": {format!("{host}:sub"): "system:serviceaccount:a:b"}}})
            }
            1 => {
                json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": [role("nodes"), role("ci")]}})
            }
            _ => {
                json!({"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
                    "Principal": {"Service": "pods.eks.amazonaws.com"}})
            }
        };
        let arn = format!("arn:aws:iam::{ACCOUNT}:policy/p{number}");
        roles.push(
            json!({"roleName": name, "path": "/", "arn": role(name), "attachedPolicies": [arn],
            "assumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [principal]}}),
        );
        policies.push(
            json!({"policyName": format!("p{number}"), "path": "/", "arn": arn, "document": {
            "Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:ReceiveMessage"],
                 "Resource": [format!("arn:aws:sqs:{REGION}:{ACCOUNT}:q{number}")]},
                {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"],
                 "Resource": [format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:s{number}-AbCdEf")]}]}}),
        );
    }
    document["roles"] = json!(roles);
    document["policies"] = json!(policies);
    document["oidcProviders"] = json!([{"arn": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{}", issuer(0)),
        "url": issuer(0), "clientIdList": ["sts.amazonaws.com"]}]);
    document["instanceProfiles"] = json!([{"instanceProfileName": "nodes", "path": "/",
        "arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/nodes"), "roles": ["nodes"]}]);
}

fn clusters(rng: &mut Rng, document: &mut Value) {
    let of_vpc = |vpc: usize| -> Vec<String> {
        let subnets = document["subnets"].as_array().into_iter().flatten();
        let own = subnets.filter(|subnet| subnet["vpcId"] == id("vpc", vpc));
        own.filter_map(|subnet| subnet["subnetId"].as_str().map(str::to_owned))
            .collect()
    };
    let subnets = [of_vpc(0), of_vpc(1)];
    let vpcs = document["vpcs"].as_array().map_or(1, Vec::len);
    let mut clusters = Vec::new();
    let count = 1 + rng.usize(..vpcs);
    for (number, own) in subnets.iter().enumerate().take(count) {
        let groups: Vec<Value> = (0..rng.usize(..4))
            .map(|group| nodegroup(rng, own, group))
            .collect();
        let profiles: Vec<Value> = (0..rng.usize(..3))
            .map(|profile| {
                json!({"fargateProfileName": format!("f{profile}"), "podExecutionRoleArn": role("pods"),
                    "subnets": some(rng, own), "selectors": [{"namespace": "batch"}]})
            })
            .collect();
        let name = format!("c{number}");
        let mut cluster = json!({"name": name, "arn": format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{name}"),
            "version": pick(rng, &["1.32", "1.33"]), "roleArn": role("control"),
            "endpoint": format!("https://{number:032X}.gr7.{REGION}.eks.amazonaws.com"),
            "resourcesVpcConfig": {"subnetIds": own, "securityGroupIds": [id("sg", number * 100)],
                "clusterSecurityGroupId": id("sg", 900 + number), "endpointPublicAccess": rng.bool(),
                "endpointPrivateAccess": true},
            "identity": {"oidc": {"issuer": format!("https://{}", issuer(number))}},
            "accessConfig": {"authenticationMode": pick(rng, &["API", "API_AND_CONFIG_MAP", "CONFIG_MAP"])},
            "nodegroups": groups, "fargateProfiles": profiles, "tags": tags(rng, "cluster"),
            "accessEntries": [{"principalArn": role("nodes"), "type": "STANDARD", "kubernetesGroups": ["viewers"]},
                              {"principalArn": role("ci"), "type": "STANDARD"}],
            "podIdentityAssociations": [{"namespace": "a", "serviceAccount": "b", "roleArn": role("nodes")}]});
        if rng.bool() {
            cluster["encryptionConfig"] =
                json!([{"resources": ["secrets"], "provider": {"keyArn": key_arn(0)}}]);
        }
        clusters.push(cluster);
    }
    document["clusters"] = json!(clusters);
}

/// Returns a launch template whose user data names the first cluster: `echo ENDPOINT`.
fn launch_template() -> Value {
    let data = "ZWNobyBodHRwczovLzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwLmdyNy5ldS13ZXN0LTEuZWtzLmFtYXpvbmF3cy5jb20K";
    json!({"launchTemplateId": id("lt", 0), "launchTemplateName": "nodes", "versionNumber": 1,
        "launchTemplateData": {"userData": data, "metadataOptions": {"httpTokens": "required"},
            "securityGroupIds": [id("sg", 900)], "keyName": "operators",
            "blockDeviceMappings": [{"deviceName": "/dev/xvda",
                "ebs": {"encrypted": true, "kmsKeyId": key_arn(0), "volumeSize": 20, "volumeType": "gp3"}}]}})
}

fn nodegroup(rng: &mut Rng, subnets: &[String], number: usize) -> Value {
    let max = 1 + rng.u32(..10);
    let mut group = json!({"nodegroupName": format!("n{number}"), "capacityType": pick(rng, &["ON_DEMAND", "SPOT"]),
        "scalingConfig": {"minSize": 0, "maxSize": max, "desiredSize": rng.u32(..=max)},
        "instanceTypes": ["m6i.large"], "subnets": some(rng, subnets), "nodeRole": role("nodes"),
        "amiType": pick(rng, &["AL2023_x86_64_STANDARD", "BOTTLEROCKET_x86_64"]), "diskSize": 20 + rng.u32(..100),
        "labels": {"pool": format!("p{number}")}, "updateConfig": {"maxUnavailablePercentage": 50}});
    // Only the first cluster's nodes have the launch template, which names its security group.
    if rng.bool() && subnets.iter().any(|subnet| *subnet == id("subnet", 0)) {
        group["launchTemplate"] = json!({"id": id("lt", 0), "name": "nodes", "version": "1"});
        group["diskSize"] = Value::Null;
    }
    group
}
