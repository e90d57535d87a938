//! A VPC with everything that belongs to it.

use std::collections::BTreeSet;

use lifeboat_aws::reads::{NOT_FOUND, Reads};
use lifeboat_aws_ec2::{Ec2, Network};
use lifeboat_infrastructure::description::network;
use lifeboat_local::conformance::Conformance;

use crate::fixture::{client, context};
use crate::make::{Made, internet_gateway, make, subnet, vpc};

pub(crate) async fn a_network_is_read_back(aws: &Conformance) {
    let context = context(aws, "111111111111");
    let client = client(&context);
    let made = make(&client).await;
    // Another VPC, of which nothing may be described.
    let other = vpc(&client, "10.9.0.0/16").await;
    subnet(&client, &other, "10.9.0.0/20", "eu-west-1a").await;
    internet_gateway(&client, &other).await;

    let ec2 = Ec2::new(&context);
    let reads = Reads::new();
    let subnets = BTreeSet::from([made.subnets[0].clone()]);
    let network = ec2.network(&reads, &BTreeSet::new(), &subnets).await.unwrap();
    assert_eq!(reads.refused(), []);
    check(aws, &network, &made);

    let vpcs = BTreeSet::from([made.vpc.clone()]);
    let again = ec2.network(&reads, &vpcs, &subnets).await.unwrap();
    assert_eq!(again, network);
}

fn check(aws: &Conformance, network: &Network, made: &Made) {
    let [vpc] = network.vpcs.as_slice() else {
        panic!("{:?}", network.vpcs);
    };
    assert_eq!((&vpc.vpc_id, vpc.cidr_block.as_str()), (&made.vpc, "10.0.0.0/16"));
    assert_eq!(vpc.cidr_blocks, ["100.64.0.0/16"]);
    assert_eq!(
        (vpc.enable_dns_support, vpc.enable_dns_hostnames),
        (Some(true), Some(true))
    );
    assert_eq!(vpc.tags["Name"], "shop");

    assert_eq!(network.subnets.len(), 2);
    let subnet = network
        .subnets
        .iter()
        .find(|one| one.subnet_id == made.subnets[0]);
    let subnet = subnet.unwrap();
    assert_eq!(subnet.cidr_block.as_deref(), Some("10.0.0.0/20"));
    assert_eq!(subnet.availability_zone, "eu-west-1a");
    assert!(subnet.availability_zone_id.starts_with("euw1-az"), "{subnet:?}");
    assert_eq!(subnet.tags["Name"], "eu-west-1a");

    let table = network
        .route_tables
        .iter()
        .find(|one| one.route_table_id == made.table);
    let table = table.unwrap();
    assert_eq!(table.subnet_ids, [made.subnets[0].clone()]);
    let default = table
        .routes
        .iter()
        .find(|route| route.nat_gateway_id.is_some())
        .unwrap();
    assert_eq!(default.destination_cidr_block.as_deref(), Some("0.0.0.0/0"));
    assert_eq!(default.nat_gateway_id.as_ref(), Some(&made.nat));
    assert!(network.route_tables.iter().any(|table| table.main));
    assert!(network.route_tables.iter().all(|table| table.vpc_id == made.vpc));

    let [gateway] = network.internet_gateways.as_slice() else {
        panic!("{:?}", network.internet_gateways);
    };
    assert_eq!(gateway.internet_gateway_id, made.gateway);
    assert_eq!(network.egress_only_internet_gateways.len(), 1);
    let [nat] = network.nat_gateways.as_slice() else {
        panic!("{:?}", network.nat_gateways);
    };
    assert_eq!(nat.subnet_id.as_ref(), Some(&made.subnets[1]));

    let acl = network
        .network_acls
        .iter()
        .find(|one| one.network_acl_id == made.acl);
    let entry = acl.unwrap().entries.iter().find(|entry| entry.rule_number == 100);
    let entry = entry.unwrap();
    assert_eq!(entry.port_range, Some(network::PortRange { from: 443, to: 443 }));
    assert_eq!(entry.rule_action, network::RuleAction::Allow);
    assert!(network.network_acls.iter().any(|acl| acl.is_default));

    let group = network
        .security_groups
        .iter()
        .find(|one| one.group_id == made.group);
    let group = group.unwrap();
    let web = group
        .rules
        .iter()
        .find(|rule| rule.from_port == Some(443))
        .unwrap();
    assert_eq!(
        (web.cidr_ipv4.as_deref(), web.description.as_deref()),
        (Some("203.0.113.0/24"), Some("office"))
    );
    let own = group
        .rules
        .iter()
        .find_map(|rule| rule.referenced_group_info.as_ref())
        .unwrap();
    assert_eq!(own.group_id, made.group);
    // The account is named only if it is another.
    aws.same(
        "ec2:DescribeSecurityGroupRules",
        "groupOwnerId",
        own.user_id.as_deref(),
        None,
    );
    assert!(
        group
            .rules
            .iter()
            .any(|rule| rule.is_egress && rule.ip_protocol == "-1")
    );
    assert!(
        network
            .security_groups
            .iter()
            .any(|group| group.group_name == "default")
    );

    let kinds: Vec<network::VpcEndpointType> = network
        .vpc_endpoints
        .iter()
        .map(|endpoint| endpoint.vpc_endpoint_type)
        .collect();
    assert_eq!(kinds.len(), 2);
    for endpoint in &network.vpc_endpoints {
        match endpoint.vpc_endpoint_type {
            network::VpcEndpointType::Gateway => {
                assert_eq!(endpoint.route_table_ids, std::slice::from_ref(&made.table));
                let policy = endpoint
                    .policy_document
                    .as_ref()
                    .map(|policy| policy.0.to_string());
                assert_eq!(policy.as_deref(), Some(r#"{"Statement":[]}"#));
                gateway_endpoint(aws, network, table, &endpoint.vpc_endpoint_id);
            }
            _ => {
                assert_eq!(endpoint.subnet_ids, [made.subnets[0].clone()]);
                assert_eq!(endpoint.group_ids, std::slice::from_ref(&made.group));
            }
        }
    }
}

/// A gateway endpoint has a route in its tables, to a prefix list of AWS.
fn gateway_endpoint(aws: &Conformance, network: &Network, table: &network::RouteTable, endpoint: &str) {
    let to_endpoint = |route: &&network::Route| route.gateway_id.as_deref() == Some(endpoint);
    let route = table.routes.iter().find(to_endpoint);
    let list = route.and_then(|route| route.destination_prefix_list_id.clone());
    let is_there = list.is_some();
    aws.same(
        "ec2:CreateVpcEndpoint",
        "the route of a gateway endpoint",
        is_there,
        true,
    );
    let lists: Vec<(&str, Option<&str>)> = network
        .prefix_lists
        .iter()
        .map(|list| (list.prefix_list_name.as_str(), list.owner_id.as_deref()))
        .collect();
    let expected: &[_] = if is_there {
        &[("com.amazonaws.eu-west-1.s3", Some("AWS"))]
    } else {
        &[]
    };
    assert_eq!(lists, expected);
}

pub(crate) async fn what_does_not_exist_is_noted(aws: &Conformance) {
    let context = context(aws, "222222222222");
    let reads = Reads::new();
    let vpcs = BTreeSet::from(["vpc-0123456789abcdef0".to_owned()]);
    let subnets = BTreeSet::from(["subnet-0123456789abcdef0".to_owned()]);
    let network = Ec2::new(&context).network(&reads, &vpcs, &subnets).await.unwrap();
    assert_eq!(network, Network::default());
    let missing: Vec<(String, String)> = reads
        .refused()
        .into_iter()
        .map(|refusal| (refusal.resource, refusal.code))
        .collect();
    assert_eq!(
        missing,
        [
            ("subnet-0123456789abcdef0".to_owned(), NOT_FOUND.to_owned()),
            ("vpc-0123456789abcdef0".to_owned(), NOT_FOUND.to_owned()),
        ]
    );
}

pub(crate) async fn the_zones_of_the_region_are_read(aws: &Conformance) {
    let zones = Ec2::new(&context(aws, "333333333333")).zones().await.unwrap();
    assert!(zones.len() >= 2, "{zones:?}");
    assert!(zones.is_sorted());
    assert!(zones.iter().all(|zone| zone.name.starts_with("eu-west-1")));
    assert!(zones.iter().all(|zone| zone.id.starts_with("euw1-az")));
}
