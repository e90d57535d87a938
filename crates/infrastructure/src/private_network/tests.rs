#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use lifeboat_model::{Code, Problem};

use super::*;

/// A VPC in which a private delegate works.
pub(super) struct Given {
    pub(super) vpc: Value,
    pub(super) table: Value,
    pub(super) acl: Value,
    pub(super) group: Value,
    pub(super) endpoints: Value,
    subnets: Value,
    free: BTreeMap<String, u32>,
    other_group: Option<Value>,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            vpc: json!({"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/16", "enableDnsSupport": true}),
            table: json!({"routeTableId": "rtb-1", "vpcId": "vpc-1", "main": true, "subnetIds": ["subnet-1"],
                "routes": []}),
            acl: json!({"networkAclId": "acl-1", "vpcId": "vpc-1", "isDefault": true,
                "subnetIds": ["subnet-1", "subnet-2"], "entries": [
                    entry(100, true, "allow"), entry(100, false, "allow"),
                    entry(32767, true, "deny"), entry(32767, false, "deny")]}),
            group: json!({"groupId": "sg-1", "groupName": "eks", "description": "", "vpcId": "vpc-1",
                "rules": [{"isEgress": true, "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"}, members(false)]}),
            endpoints: json!([gateway(&["rtb-1"])]),
            subnets: json!([subnet("subnet-1", "eu-west-1a"), subnet("subnet-2", "eu-west-1b")]),
            free: BTreeMap::from([("subnet-1".to_owned(), 200), ("subnet-2".to_owned(), 200)]),
            other_group: None,
        }
    }
}

fn entry(number: u32, egress: bool, action: &str) -> Value {
    json!({"ruleNumber": number, "egress": egress, "protocol": "-1", "ruleAction": action, "cidrBlock": "0.0.0.0/0"})
}

/// A rule of the cluster security group for its own members.
fn members(egress: bool) -> Value {
    json!({"isEgress": egress, "ipProtocol": "-1", "referencedGroupInfo": {"groupId": "sg-1"}})
}

pub(super) fn gateway(tables: &[&str]) -> Value {
    json!({"vpcEndpointId": "vpce-1", "vpcId": "vpc-1", "vpcEndpointType": "Gateway",
        "serviceName": "com.amazonaws.eu-west-1.s3", "routeTableIds": tables})
}

pub(super) fn interface(private_dns: bool) -> Value {
    json!({"vpcEndpointId": "vpce-2", "vpcId": "vpc-1", "vpcEndpointType": "Interface",
        "serviceName": "com.amazonaws.eu-west-1.s3", "privateDnsEnabled": private_dns})
}

fn subnet(id: &str, zone: &str) -> Value {
    let range = format!("10.0.{}.0/24", id.trim_start_matches("subnet-"));
    json!({"subnetId": id, "vpcId": "vpc-1", "availabilityZone": zone, "availabilityZoneId": "euw1-az1",
        "cidrBlock": range})
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

impl Given {
    pub(super) fn view(&self) -> NetworkView {
        let (vpc, table, acl) = (read(&self.vpc), [read(&self.table)], [read(&self.acl)]);
        let groups = [&self.group].into_iter().chain(&self.other_group);
        let groups: Vec<SecurityGroup> = groups.map(read).collect();
        let (endpoints, subnets): (Vec<VpcEndpoint>, Vec<Subnet>) =
            (read(&self.endpoints), read(&self.subnets));
        PrivateNetwork {
            environment: &EnvironmentId::parse("111111111111-eu-west-1").unwrap(),
            role: Some("arn:aws:iam::111111111111:role/LifeboatPrimaryK8sDel-shop-eu-west-1"),
            vpc: &vpc,
            free_addresses: &self.free,
            subnets: &["subnet-1".to_owned(), "subnet-2".to_owned()],
            group: "sg-1",
            all_subnets: &subnets,
            route_tables: &table,
            network_acls: &acl,
            security_groups: &groups,
            vpc_endpoints: &endpoints,
        }
        .view()
    }

    fn obstacles(&self) -> Vec<Problem> {
        let environment = EnvironmentId::parse("111111111111-eu-west-1").unwrap();
        let causes = self.view().causes;
        causes.iter().map(|cause| cause.problem(&environment)).collect()
    }
}

#[test]
fn a_network_with_a_way_to_s3_has_no_obstacle() {
    assert_eq!(Given::default().obstacles(), []);
    let interface_only = Given {
        endpoints: json!([interface(true)]),
        ..Given::default()
    };
    assert_eq!(interface_only.obstacles(), []);
    for target in ["natGatewayId", "transitGatewayId", "networkInterfaceId"] {
        let mut without_endpoint = Given {
            endpoints: json!([]),
            ..Given::default()
        };
        without_endpoint.table["routes"] = json!([{"destinationCidrBlock": "0.0.0.0/0", target: "x-1"}]);
        assert_eq!(without_endpoint.obstacles(), [], "{target}");
    }
}

#[test]
fn the_group_of_an_interface_endpoint_must_admit_the_function() {
    let mut given = Given {
        endpoints: json!([interface(true)]),
        ..Given::default()
    };
    given.endpoints[0]["groupIds"] = json!(["sg-1"]);
    given.endpoints[0]["subnetIds"] = json!(["subnet-1"]);
    assert_eq!(given.obstacles(), []);
    // Only the own members are admitted to the API server here, and nobody to the endpoint with another group.
    given.endpoints[0]["groupIds"] = json!(["sg-2"]);
    given.other_group = Some(
        json!({"groupId": "sg-2", "groupName": "endpoint", "description": "", "vpcId": "vpc-1",
        "rules": [{"isEgress": false, "ipProtocol": "tcp", "fromPort": 443, "toPort": 443,
            "cidrIpv4": "192.168.0.0/16"}]}),
    );
    let found = given.obstacles();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0]
            .guidance
            .contains("--group-id sg-2 --protocol tcp --port 443 --source-group sg-1")
    );
    for admits in [
        json!({"isEgress": false, "ipProtocol": "-1", "referencedGroupInfo": {"groupId": "sg-1"}}),
        json!({"isEgress": false, "ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": "10.0.0.0/16"}),
    ] {
        given.other_group.as_mut().unwrap()["rules"] = json!([admits]);
        assert_eq!(given.obstacles(), []);
    }
    // What leaves the function must reach the endpoint, not the public addresses of S3.
    given.group["rules"][0]["cidrIpv4"] = "10.0.0.0/8".into();
    assert_eq!(given.obstacles(), []);
}

#[test]
fn members_of_the_cluster_group_must_reach_each_other() {
    let mut given = Given::default();
    given.group["rules"] = json!([{"isEgress": true, "ipProtocol": "tcp", "fromPort": 443, "toPort": 443,
        "cidrIpv4": "52.218.0.0/17"}, members(false)]);
    let [cause] = &given.view().causes[..] else {
        panic!("{:?}", given.obstacles())
    };
    assert_eq!(cause.target(), Some(NetworkTarget::ApiServer));
    assert!(
        given.obstacles()[0]
            .guidance
            .contains("UserIdGroupPairs=[{GroupId=sg-1}]")
    );
}

#[test]
fn each_obstacle_is_named_with_the_command_that_removes_it() {
    let changed = |change: &dyn Fn(&mut Given)| {
        let mut given = Given::default();
        change(&mut given);
        given
    };
    for (what, given, code, said, command) in [
        (
            "no endpoint and an internet gateway, which is no way out for a function",
            changed(&|given| {
                given.endpoints = json!([]);
                given.table["routes"] = json!([{"destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}]);
            }),
            Code::PrivateNetworkRoute,
            "no route leads from subnet-1, subnet-2 to Amazon S3",
            "aws ec2 create-vpc-endpoint --region eu-west-1 --vpc-id vpc-1 --vpc-endpoint-type Gateway --service-name com.amazonaws.eu-west-1.s3 --route-table-ids rtb-1",
        ),
        (
            "an endpoint that another route table uses",
            changed(&|given| given.endpoints = json!([gateway(&["rtb-9"])])),
            Code::PrivateNetworkRoute,
            "no route",
            "aws ec2 modify-vpc-endpoint --region eu-west-1 --vpc-endpoint-id vpce-1 --add-route-table-ids rtb-1",
        ),
        (
            "no resolver",
            changed(&|given| given.vpc["enableDnsSupport"] = false.into()),
            Code::PrivateNetworkNames,
            "no DNS resolver",
            "--enable-dns-support",
        ),
        (
            "private DNS names that are off",
            changed(&|given| given.endpoints = json!([interface(false)])),
            Code::PrivateNetworkNames,
            "s3.eu-west-1.amazonaws.com does not lead to the endpoint vpce-2",
            "--private-dns-enabled",
        ),
        (
            "an endpoint whose policy is for another bucket",
            changed(&|given| {
                given.endpoints[0]["policyDocument"] = json!({"Statement": [{"Effect": "Allow",
                    "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"}]});
            }),
            Code::PrivateNetworkPolicy,
            "the policy of the endpoint vpce-1 does not allow the function to use the bucket lifeboat-scratch-111111111111-eu-west-1",
            "--policy-document",
        ),
        (
            "a group that lets nothing out but to itself",
            changed(&|given| {
                given.group["rules"] = json!([members(true), members(false)]);
            }),
            Code::PrivateNetworkRules,
            "no rule of the security group sg-1 allows HTTPS",
            "authorize-security-group-egress",
        ),
        (
            "a group that lets only another port out",
            changed(&|given| {
                given.group["rules"] = json!([{"isEgress": true, "ipProtocol": "tcp", "fromPort": 53,
                    "toPort": 53, "cidrIpv4": "0.0.0.0/0"}, members(true), members(false)]);
            }),
            Code::PrivateNetworkRules,
            "no rule of the security group sg-1 allows HTTPS",
            "--port 443",
        ),
        (
            "a group that lets only private addresses be reached",
            changed(&|given| given.group["rules"][0]["cidrIpv4"] = "10.0.0.0/8".into()),
            Code::PrivateNetworkRules,
            "no rule of the security group sg-1 allows HTTPS to Amazon S3",
            "--cidr 0.0.0.0/0",
        ),
        (
            "a group that does not admit its members",
            changed(&|given| {
                given.group["rules"][1] = json!({"isEgress": false, "ipProtocol": "tcp", "fromPort": 443,
                "toPort": 443, "cidrIpv4": "192.168.0.0/16"})
            }),
            Code::PrivateApiServerRules,
            "the cluster security group sg-1 does not admit HTTPS from its members",
            "aws ec2 authorize-security-group-ingress --region eu-west-1 --group-id sg-1 --protocol tcp --port 443 --source-group sg-1",
        ),
        (
            "an ACL that denies the addresses of the subnets",
            changed(&|given| {
                given.acl["entries"][0]["ruleNumber"] = 200.into();
                given.acl["entries"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"ruleNumber": 100, "egress": true,
                    "protocol": "6", "ruleAction": "deny", "cidrBlock": "10.0.0.0/16",
                    "portRange": {"from": 0, "to": 65535}}));
            }),
            Code::PrivateNetworkRules,
            "does not let HTTPS out of the subnets, which a request to the API server needs",
            "--egress --rule-number 99 ",
        ),
        (
            "an endpoint policy with a condition on the organization",
            changed(&|given| {
                given.endpoints[0]["policyDocument"] = json!({"Statement": [{"Effect": "Allow", "Principal": "*",
                    "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}]});
            }),
            Code::PrivateNetworkPolicy,
            "depends on aws:PrincipalOrgID, which is not known here",
            "describe-vpc-endpoints",
        ),
        (
            "a VPC without host names",
            changed(&|given| given.vpc["enableDnsHostnames"] = false.into()),
            Code::PrivateApiServerName,
            "the VPC vpc-1 has no private host names",
            "--enable-dns-hostnames",
        ),
        (
            "a way out for IPv6 only",
            changed(&|given| {
                given.endpoints = json!([]);
                given.table["routes"] = json!([{"destinationIpv6CidrBlock": "::/0",
                    "egressOnlyInternetGatewayId": "eigw-1"}]);
            }),
            Code::PrivateNetworkRoute,
            "by IPv4; a route for IPv6 leads out",
            "create-vpc-endpoint",
        ),
        (
            "a subnet without IPv4 addresses",
            changed(&|given| given.subnets[1]["ipv6Native"] = true.into()),
            Code::PrivateNetworkFamily,
            "cannot be attached to subnet-2",
            "subnetIds",
        ),
        (
            "a subnet that is full",
            changed(&|given| given.free.extend([("subnet-2".to_owned(), 1)])),
            Code::PrivateNetworkAddresses,
            "subnet-2 (1)",
            "larger subnets",
        ),
        (
            "an ACL that denies HTTPS everywhere",
            changed(&|given| {
                given.acl["entries"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"ruleNumber": 1, "egress": true,
                    "protocol": "6", "ruleAction": "deny", "cidrBlock": "0.0.0.0/0",
                    "portRange": {"from": 443, "to": 443}}));
            }),
            Code::PrivateNetworkRules,
            "the network ACL acl-1 does not let HTTPS out of the subnets",
            "--rule-number NUMBER",
        ),
        (
            "an ACL that lets no answers in",
            changed(&|given| {
                given.acl["entries"][1] = json!({"ruleNumber": 100, "egress": false, "protocol": "6",
                "ruleAction": "allow", "cidrBlock": "0.0.0.0/0", "portRange": {"from": 443, "to": 443}})
            }),
            Code::PrivateNetworkRules,
            "the answers of HTTPS into",
            "--ingress",
        ),
        (
            "one zone of two",
            changed(&|given| {
                given.subnets = json!([
                    subnet("subnet-1", "eu-west-1a"),
                    subnet("subnet-2", "eu-west-1a"),
                    subnet("subnet-3", "eu-west-1b")
                ]);
            }),
            Code::PrivateNetworkZones,
            "all subnets of the function are in eu-west-1a",
            "update-cluster-config",
        ),
    ] {
        let found = given.obstacles();
        // A network ACL holds back requests to S3 and to the API server alike.
        let about: BTreeSet<String> = given
            .view()
            .causes
            .iter()
            .map(|cause| format!("{} {}", cause.code(), cause.about()))
            .collect();
        assert_eq!(about.len(), 1, "{what}: {found:?}");
        assert_eq!(found[0].code, code, "{what}");
        assert!(found[0].message.contains(said), "{what}: {}", found[0].message);
        assert!(
            found[0].guidance.contains(command),
            "{what}: {}",
            found[0].guidance
        );
    }
}
