//! Networks of the recovery environment, as candidates for counterparts.

use std::collections::BTreeSet;

use lifeboat_aws_ec2::Ec2;
use lifeboat_infrastructure::{Candidate, CandidateKind};
use lifeboat_local::conformance::Conformance;

use crate::fixture::{client, context};
use crate::make::{group, internet_gateway, make, subnet, vpc};

pub(crate) async fn candidates_are_found(aws: &Conformance) {
    let context = context(aws, "666666666666");
    let client = client(&context);
    let made = make(&client).await;
    let other = vpc(&client, "10.9.0.0/16").await;
    let public = subnet(&client, &other, "10.9.0.0/20", "eu-west-1b").await;
    let gateway = internet_gateway(&client, &other).await;
    let table = main_table(&client, &other).await;
    (client.create_route())
        .route_table_id(table)
        .destination_cidr_block("0.0.0.0/0")
        .gateway_id(gateway)
        .send()
        .await
        .unwrap();
    let other_group = group(&client, &other).await;

    let ec2 = Ec2::new(&context);
    let all = ec2.vpc_candidates(None).await.unwrap();
    let one = all.iter().find(|one| one.id == made.vpc).unwrap();
    assert_eq!(
        (one.kind, one.name.as_deref(), one.cidr.as_deref()),
        (CandidateKind::Vpc, Some("shop"), Some("10.0.0.0/16"))
    );
    // Every account has a default VPC in each Region.
    let is_default = |one: &&Candidate| one.cidr.as_deref() == Some("172.31.0.0/16");
    aws.same(
        "ec2:DescribeVpcs",
        "the default VPC",
        all.iter().any(|one| is_default(&one)),
        true,
    );
    let wanted = BTreeSet::from([other.clone(), "vpc-0123456789abcdef0".to_owned()]);
    let found = ec2.vpc_candidates(Some(&wanted)).await.unwrap();
    assert_eq!(ids(&found), [other.as_str()]);

    let missing = "subnet-0123456789abcdef0".to_owned();
    let wanted = BTreeSet::from([public.clone(), missing]);
    let found = ec2
        .subnet_candidates(&BTreeSet::from([made.vpc.clone()]), &wanted)
        .await
        .unwrap();
    let mut expected = vec![
        // Its own table has a route to a NAT gateway.
        (made.subnets[0].as_str(), "10.0.0.0/20", made.vpc.as_str(), false),
        // The main table of its VPC has no route out.
        (made.subnets[1].as_str(), "10.0.16.0/20", made.vpc.as_str(), false),
        (public.as_str(), "10.9.0.0/20", other.as_str(), true),
    ];
    expected.sort_unstable();
    let described: Vec<_> = found
        .iter()
        .map(|one| {
            let (cidr, parent) = (one.cidr.as_deref().unwrap(), one.parent.as_deref().unwrap());
            (one.id.as_str(), cidr, parent, one.public.unwrap())
        })
        .collect();
    assert_eq!(described, expected);
    assert!(
        found
            .iter()
            .all(|one| one.zone_id.as_deref().unwrap().starts_with("euw1-az")),
        "{found:?}"
    );

    let wanted = BTreeSet::from([other_group.clone(), "sg-0123456789abcdef0".to_owned()]);
    let found = ec2
        .security_group_candidates(&BTreeSet::from([made.vpc.clone()]), &wanted)
        .await
        .unwrap();
    let mut described: Vec<_> = found
        .iter()
        .map(|one| (one.parent.as_deref().unwrap(), one.name.as_deref().unwrap()))
        .collect();
    described.sort_unstable();
    let mut expected = [
        (made.vpc.as_str(), "default"),
        (made.vpc.as_str(), "nodes"),
        (other.as_str(), "nodes"),
    ];
    expected.sort_unstable();
    assert_eq!(described, expected);
    assert!(ids(&found).contains(&made.group.as_str()) && ids(&found).contains(&other_group.as_str()));
}

fn ids(found: &[Candidate]) -> Vec<&str> {
    found.iter().map(|one| one.id.as_str()).collect()
}

/// Returns the main route table of a VPC.
async fn main_table(client: &aws_sdk_ec2::Client, vpc: &str) -> String {
    let filter = aws_sdk_ec2::types::Filter::builder()
        .name("vpc-id")
        .values(vpc)
        .build();
    let answer = client
        .describe_route_tables()
        .filters(filter)
        .send()
        .await
        .unwrap();
    let table = answer.route_tables().first().unwrap();
    table.route_table_id().unwrap().to_owned()
}
