//! Makes a VPC with everything that belongs to it.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, IpPermission, IpRange, PortRange, ResourceType, RuleAction, UserIdGroupPair,
    VpcEndpointType,
};

use crate::fixture::named;

/// The ids of what was made.
pub(crate) struct Made {
    pub(crate) vpc: String,
    pub(crate) subnets: [String; 2],
    pub(crate) group: String,
    pub(crate) table: String,
    pub(crate) gateway: String,
    pub(crate) nat: String,
    pub(crate) acl: String,
}

pub(crate) async fn vpc(client: &Client, range: &str) -> String {
    let answer = (client.create_vpc())
        .cidr_block(range)
        .tag_specifications(named(ResourceType::Vpc, "shop"))
        .send()
        .await
        .unwrap();
    answer.vpc().unwrap().vpc_id().unwrap().to_owned()
}

pub(crate) async fn subnet(client: &Client, vpc: &str, range: &str, zone: &str) -> String {
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

pub(crate) async fn group(client: &Client, vpc: &str) -> String {
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

pub(crate) async fn internet_gateway(client: &Client, vpc: &str) -> String {
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

pub(crate) async fn make(client: &Client) -> Made {
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
