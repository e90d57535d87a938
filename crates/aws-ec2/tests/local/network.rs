//! A VPC with everything that belongs to it.

use std::collections::BTreeSet;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, IpPermission, IpRange, PortRange, ResourceType, RuleAction, UserIdGroupPair,
    VpcEndpointType,
};
use lifeboat_aws::reads::{NOT_FOUND, Reads};
use lifeboat_aws_ec2::{Ec2, Network};
use lifeboat_infrastructure::description::network;

use crate::fixture::{client, context, named, run};

/// The ids of what was made.
struct Made {
    vpc: String,
    subnets: [String; 2],
    group: String,
    table: String,
    gateway: String,
    nat: String,
    acl: String,
}

async fn vpc(client: &Client, range: &str) -> String {
    let answer = (client.create_vpc())
        .cidr_block(range)
        .tag_specifications(named(ResourceType::Vpc, "shop"))
        .send()
        .await
        .unwrap();
    answer.vpc().unwrap().vpc_id().unwrap().to_owned()
}

async fn subnet(client: &Client, vpc: &str, range: &str, zone: &str) -> String {
    let answer = (client.create_subnet())
        .vpc_id(vpc)
        .cidr_block(range)
        .availability_zone(zone)
        .tag_specifications(named(ResourceType::Subnet, zone))
        .send()
        .await
        .unwrap();
    answer.subnet().unwrap().subnet_id().unwrap().to_owned()
}

async fn group(client: &Client, vpc: &str) -> String {
    let answer = (client.create_security_group())
        .vpc_id(vpc)
        .group_name("nodes")
        .description("of nodes")
        .send()
        .await
        .unwrap();
    let id = answer.group_id().unwrap().to_owned();
    let web = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(443)
        .to_port(443)
        .ip_ranges(
            IpRange::builder()
                .cidr_ip("203.0.113.0/24")
                .description("office")
                .build(),
        )
        .build();
    let nodes = IpPermission::builder()
        .ip_protocol("-1")
        .user_id_group_pairs(UserIdGroupPair::builder().group_id(&id).build())
        .build();
    (client.authorize_security_group_ingress())
        .group_id(&id)
        .ip_permissions(web)
        .ip_permissions(nodes)
        .send()
        .await
        .unwrap();
    id
}

async fn table(client: &Client, vpc: &str, subnet: &str, nat: &str) -> String {
    let answer = client.create_route_table().vpc_id(vpc).send().await.unwrap();
    let id = answer.route_table().unwrap().route_table_id().unwrap().to_owned();
    (client.create_route())
        .route_table_id(&id)
        .destination_cidr_block("0.0.0.0/0")
        .nat_gateway_id(nat)
        .send()
        .await
        .unwrap();
    (client.associate_route_table())
        .route_table_id(&id)
        .subnet_id(subnet)
        .send()
        .await
        .unwrap();
    id
}

async fn internet_gateway(client: &Client, vpc: &str) -> String {
    let answer = client.create_internet_gateway().send().await.unwrap();
    let id = answer.internet_gateway().unwrap();
    let id = id.internet_gateway_id().unwrap().to_owned();
    (client.attach_internet_gateway())
        .internet_gateway_id(&id)
        .vpc_id(vpc)
        .send()
        .await
        .unwrap();
    id
}

async fn nat_gateway(client: &Client, subnet: &str) -> String {
    let address = client.allocate_address().send().await.unwrap();
    let answer = (client.create_nat_gateway())
        .subnet_id(subnet)
        .allocation_id(address.allocation_id().unwrap())
        .send()
        .await
        .unwrap();
    let nat = answer.nat_gateway().unwrap();
    nat.nat_gateway_id().unwrap().to_owned()
}

async fn acl(client: &Client, vpc: &str) -> String {
    let answer = client.create_network_acl().vpc_id(vpc).send().await.unwrap();
    let id = answer.network_acl().unwrap();
    let id = id.network_acl_id().unwrap().to_owned();
    (client.create_network_acl_entry())
        .network_acl_id(&id)
        .rule_number(100)
        .protocol("6")
        .rule_action(RuleAction::Allow)
        .egress(false)
        .cidr_block("10.0.0.0/16")
        .port_range(PortRange::builder().from(443).to(443).build())
        .send()
        .await
        .unwrap();
    id
}

async fn make(client: &Client) -> Made {
    let vpc = vpc(client, "10.0.0.0/16").await;
    (client.associate_vpc_cidr_block())
        .vpc_id(&vpc)
        .cidr_block("100.64.0.0/16")
        .send()
        .await
        .unwrap();
    (client.modify_vpc_attribute())
        .vpc_id(&vpc)
        .enable_dns_hostnames(AttributeBooleanValue::builder().value(true).build())
        .send()
        .await
        .unwrap();
    let subnets = [
        subnet(client, &vpc, "10.0.0.0/20", "eu-west-1a").await,
        subnet(client, &vpc, "10.0.16.0/20", "eu-west-1b").await,
    ];
    let gateway = internet_gateway(client, &vpc).await;
    (client.create_egress_only_internet_gateway())
        .vpc_id(&vpc)
        .send()
        .await
        .unwrap();
    let nat = nat_gateway(client, &subnets[1]).await;
    let table = table(client, &vpc, &subnets[0], &nat).await;
    let group = group(client, &vpc).await;
    let acl = acl(client, &vpc).await;
    (client.create_vpc_endpoint())
        .vpc_id(&vpc)
        .service_name("com.amazonaws.eu-west-1.s3")
        .vpc_endpoint_type(VpcEndpointType::Gateway)
        .route_table_ids(&table)
        .policy_document(r#"{"Statement": []}"#)
        .send()
        .await
        .unwrap();
    (client.create_vpc_endpoint())
        .vpc_id(&vpc)
        .service_name("com.amazonaws.eu-west-1.sts")
        .vpc_endpoint_type(VpcEndpointType::Interface)
        .subnet_ids(&subnets[0])
        .security_group_ids(&group)
        .private_dns_enabled(true)
        .send()
        .await
        .unwrap();
    Made {
        vpc,
        subnets,
        group,
        table,
        gateway,
        nat,
        acl,
    }
}

#[test]
fn a_network_is_read_back() {
    run(Box::pin(async {
        let context = context("111111111111");
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
        check(&network, &made);

        let vpcs = BTreeSet::from([made.vpc.clone()]);
        let again = ec2.network(&reads, &vpcs, &subnets).await.unwrap();
        assert_eq!(again, network);
    }));
}

fn check(network: &Network, made: &Made) {
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
    assert_eq!((&own.group_id, &own.user_id), (&made.group, &None));
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
                // The local AWS keeps no policy of an endpoint; its conversion is a unit test of the crate.
            }
            _ => {
                assert_eq!(endpoint.subnet_ids, [made.subnets[0].clone()]);
                assert_eq!(endpoint.group_ids, std::slice::from_ref(&made.group));
            }
        }
    }
}

#[test]
fn what_does_not_exist_is_noted() {
    run(Box::pin(async {
        let context = context("222222222222");
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
    }));
}

#[test]
fn the_zones_of_the_region_are_read() {
    run(Box::pin(async {
        let zones = Ec2::new(&context("333333333333")).zones().await.unwrap();
        assert!(zones.len() >= 2, "{zones:?}");
        assert!(zones.is_sorted());
        assert!(zones.iter().all(|zone| zone.name.starts_with("eu-west-1")));
        assert!(zones.iter().all(|zone| zone.id.starts_with("euw1-az")));
    }));
}
