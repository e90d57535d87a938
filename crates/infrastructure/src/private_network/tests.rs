#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

/// A VPC in which a private delegate works.
struct Given {
    vpc: Value,
    table: Value,
    acl: Value,
    group: Value,
    endpoints: Value,
    subnets: Value,
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
                "rules": [{"isEgress": true, "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"}]}),
            endpoints: json!([gateway(&["rtb-1"])]),
            subnets: json!([subnet("subnet-1", "eu-west-1a"), subnet("subnet-2", "eu-west-1b")]),
        }
    }
}

fn entry(number: u32, egress: bool, action: &str) -> Value {
    json!({"ruleNumber": number, "egress": egress, "protocol": "-1", "ruleAction": action, "cidrBlock": "0.0.0.0/0"})
}

fn gateway(tables: &[&str]) -> Value {
    json!({"vpcEndpointId": "vpce-1", "vpcId": "vpc-1", "vpcEndpointType": "Gateway",
        "serviceName": "com.amazonaws.eu-west-1.s3", "routeTableIds": tables})
}

fn interface(private_dns: bool) -> Value {
    json!({"vpcEndpointId": "vpce-2", "vpcId": "vpc-1", "vpcEndpointType": "Interface",
        "serviceName": "com.amazonaws.eu-west-1.s3", "privateDnsEnabled": private_dns})
}

fn subnet(id: &str, zone: &str) -> Value {
    json!({"subnetId": id, "vpcId": "vpc-1", "availabilityZone": zone, "availabilityZoneId": "euw1-az1"})
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

impl Given {
    fn obstacles(&self) -> Vec<Problem> {
        let (vpc, table, acl, group) = (
            read(&self.vpc),
            [read(&self.table)],
            [read(&self.acl)],
            [read(&self.group)],
        );
        let (endpoints, subnets): (Vec<VpcEndpoint>, Vec<Subnet>) =
            (read(&self.endpoints), read(&self.subnets));
        PrivateNetwork {
            environment: &EnvironmentId::parse("111111111111-eu-west-1").unwrap(),
            vpc: &vpc,
            subnets: &["subnet-1".to_owned(), "subnet-2".to_owned()],
            group: "sg-1",
            all_subnets: &subnets,
            route_tables: &table,
            network_acls: &acl,
            security_groups: &group,
            vpc_endpoints: &endpoints,
        }
        .obstacles()
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
            "does not allow s3:GetObject and s3:PutObject on the bucket lifeboat-scratch-111111111111-eu-west-1",
            "--policy-document",
        ),
        (
            "a group that lets nothing out but to itself",
            changed(&|given| {
                given.group["rules"] = json!([{"isEgress": true, "ipProtocol": "-1",
                    "referencedGroupInfo": {"groupId": "sg-1"}}]);
            }),
            Code::PrivateNetworkRules,
            "no rule of the security group sg-1 allows HTTPS",
            "authorize-security-group-egress",
        ),
        (
            "a group that lets only another port out",
            changed(&|given| {
                given.group["rules"] = json!([{"isEgress": true, "ipProtocol": "tcp", "fromPort": 53,
                    "toPort": 53, "cidrIpv4": "0.0.0.0/0"}]);
            }),
            Code::PrivateNetworkRules,
            "no rule of the security group sg-1 allows HTTPS",
            "--port 443",
        ),
        (
            "an ACL that denies what leaves",
            changed(&|given| given.acl["entries"][0] = entry(100, true, "deny")),
            Code::PrivateNetworkRules,
            "the network ACL acl-1 does not let HTTPS out of the subnets",
            "--egress",
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
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert_eq!(found[0].code, code, "{what}");
        assert!(found[0].message.contains(said), "{what}: {}", found[0].message);
        assert!(
            found[0].guidance.contains(command),
            "{what}: {}",
            found[0].guidance
        );
    }
}
