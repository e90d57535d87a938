//! VPCs and their attributes.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{self, VpcAttributeName, VpcCidrBlockStateCode};
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::{Answer, NOT_FOUND, Reads};
use lifeboat_infrastructure::description::network::{Ipv6CidrBlock, Vpc};

use crate::convert::tags;
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Reads VPCs.
    pub(crate) async fn vpcs(&self, reads: &Reads, vpcs: &[String]) -> Result<Vec<Vpc>, AwsError> {
        let mut found: Vec<Vpc> = Vec::new();
        for ids in vpcs.chunks(FILTER_VALUES) {
            let request = self.client.describe_vpcs().filters(filter("vpc-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let Some(answer) = reads.call(actions::VPCS, "AWS::EC2::VPC", pages).await? else {
                continue;
            };
            for one in &answer {
                let on = one.vpc_id().unwrap_or_default();
                found.extend(vpc(one, reads.answer(actions::VPCS, on)));
            }
            let named: BTreeSet<&str> = answer.iter().filter_map(types::Vpc::vpc_id).collect();
            for id in ids.iter().filter(|id| !named.contains(id.as_str())) {
                reads.refuse(actions::VPCS, id, NOT_FOUND);
            }
        }
        for vpc in &mut found {
            let id = vpc.vpc_id.as_str();
            vpc.enable_dns_support = self
                .attribute(reads, id, VpcAttributeName::EnableDnsSupport)
                .await?;
            vpc.enable_dns_hostnames = self
                .attribute(reads, id, VpcAttributeName::EnableDnsHostnames)
                .await?;
        }
        found.sort_by(|a, b| a.vpc_id.cmp(&b.vpc_id));
        Ok(found)
    }

    async fn attribute(
        &self,
        reads: &Reads,
        vpc: &str,
        name: VpcAttributeName,
    ) -> Result<Option<bool>, AwsError> {
        let request = (self.client.describe_vpc_attribute())
            .vpc_id(vpc)
            .attribute(name.clone());
        let answer = reads.call(actions::VPC_ATTRIBUTE, vpc, request.send()).await?;
        Ok(answer.and_then(|answer| {
            let value = match name {
                VpcAttributeName::EnableDnsSupport => answer.enable_dns_support(),
                _ => answer.enable_dns_hostnames(),
            };
            value.and_then(types::AttributeBooleanValue::value)
        }))
    }
}

/// A range that is associated or about to be; a failed or removed one stays in the answer for a while.
fn is_associated(state: Option<&VpcCidrBlockStateCode>) -> bool {
    state.is_none_or(|state| {
        matches!(
            state,
            VpcCidrBlockStateCode::Associated | VpcCidrBlockStateCode::Associating
        )
    })
}

fn vpc(from: &types::Vpc, answer: Answer<'_>) -> Option<Vpc> {
    let first = from.cidr_block()?;
    let ranges = from.cidr_block_association_set().iter();
    let ranges =
        ranges.filter(|range| is_associated(range.cidr_block_state().and_then(|state| state.state())));
    let mut cidr_blocks: Vec<String> = ranges
        .filter_map(|range| range.cidr_block())
        .filter(|range| *range != first)
        .map(str::to_owned)
        .collect();
    cidr_blocks.sort();
    let ranges = from.ipv6_cidr_block_association_set().iter();
    let ranges =
        ranges.filter(|range| is_associated(range.ipv6_cidr_block_state().and_then(|state| state.state())));
    let mut ipv6_cidr_blocks: Vec<Ipv6CidrBlock> = ranges
        .filter_map(|range| {
            Some(Ipv6CidrBlock {
                ipv6_cidr_block: range.ipv6_cidr_block()?.to_owned(),
                ip_source: range
                    .ip_source()
                    .and_then(|source| answer.spelled(source.as_str())),
            })
        })
        .collect();
    ipv6_cidr_blocks.sort_by(|a, b| a.ipv6_cidr_block.cmp(&b.ipv6_cidr_block));
    Some(Vpc {
        vpc_id: from.vpc_id()?.to_owned(),
        cidr_block: first.to_owned(),
        cidr_blocks,
        ipv6_cidr_blocks,
        instance_tenancy: from
            .instance_tenancy()
            .and_then(|tenancy| answer.spelled(tenancy.as_str())),
        enable_dns_support: None,
        enable_dns_hostnames: None,
        tags: tags(from.tags()),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ec2::types::{
        IpSource, Tenancy, VpcCidrBlockAssociation, VpcCidrBlockState, VpcIpv6CidrBlockAssociation,
    };
    use lifeboat_infrastructure::description::network;

    use super::*;

    #[test]
    fn ranges_that_are_no_longer_associated_are_left_out() {
        let state = |code: VpcCidrBlockStateCode| VpcCidrBlockState::builder().state(code).build();
        let range = |cidr: &str, code: VpcCidrBlockStateCode| {
            VpcCidrBlockAssociation::builder()
                .cidr_block(cidr)
                .cidr_block_state(state(code))
                .build()
        };
        let ipv6 = VpcIpv6CidrBlockAssociation::builder()
            .ipv6_cidr_block("2001:db8:1234:1a00::/56")
            .ipv6_cidr_block_state(state(VpcCidrBlockStateCode::Associated))
            .ip_source(IpSource::Amazon);
        let from = types::Vpc::builder()
            .vpc_id("vpc-1")
            .cidr_block("10.0.0.0/16")
            .cidr_block_association_set(range("10.0.0.0/16", VpcCidrBlockStateCode::Associated))
            .cidr_block_association_set(range("10.2.0.0/16", VpcCidrBlockStateCode::Associating))
            .cidr_block_association_set(range("10.1.0.0/16", VpcCidrBlockStateCode::Associated))
            .cidr_block_association_set(range("10.9.0.0/16", VpcCidrBlockStateCode::Disassociated))
            .ipv6_cidr_block_association_set(ipv6.build())
            .instance_tenancy(Tenancy::Default)
            .build();
        let reads = Reads::new();
        let vpc = vpc(&from, reads.answer(actions::VPCS, "vpc-1")).unwrap();
        assert_eq!(vpc.cidr_blocks, ["10.1.0.0/16", "10.2.0.0/16"]);
        assert_eq!(vpc.ipv6_cidr_blocks[0].ip_source, Some(network::IpSource::Amazon));
        assert_eq!(vpc.instance_tenancy, Some(network::Tenancy::Default));
        assert!(reads.refused().is_empty());
    }
}
