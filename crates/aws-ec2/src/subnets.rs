//! Subnets.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{self, SubnetCidrBlockStateCode};
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::{NOT_FOUND, Reads};
use lifeboat_infrastructure::description::network::Subnet;

use crate::convert::{owned, tags};
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Reads the subnets of VPCs.
    pub(crate) async fn subnets(&self, reads: &Reads, vpcs: &[String]) -> Result<Vec<Subnet>, AwsError> {
        let (_, answer) = self.subnets_with(reads, "vpc-id", vpcs).await?;
        let mut found: Vec<Subnet> = Vec::new();
        for one in &answer {
            let answer = reads.answer(actions::SUBNETS, one.subnet_id().unwrap_or_default());
            found.extend(answer.needed(subnet(one)));
        }
        found.sort_by(|a, b| a.subnet_id.cmp(&b.subnet_id));
        Ok(found)
    }

    /// Returns the number of free IPv4 addresses of each subnet of a VPC.
    ///
    /// # Errors
    /// [`AwsError`] if EC2 throttles or does not answer. What it refuses is noted in `reads`.
    pub async fn free_addresses(&self, reads: &Reads, vpc: &str) -> Result<BTreeMap<String, u32>, AwsError> {
        let (_, answer) = self.subnets_with(reads, "vpc-id", &[vpc.to_owned()]).await?;
        let free = answer.iter().filter_map(|subnet| {
            let free = u32::try_from(subnet.available_ip_address_count()?).ok()?;
            Some((subnet.subnet_id()?.to_owned(), free))
        });
        Ok(free.collect())
    }

    /// Returns the VPCs of subnets. A subnet that does not exist is noted.
    pub(crate) async fn vpcs_of(
        &self,
        reads: &Reads,
        subnets: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, AwsError> {
        let wanted: Vec<String> = subnets.iter().cloned().collect();
        let (is_allowed, answer) = self.subnets_with(reads, "subnet-id", &wanted).await?;
        let found: BTreeSet<&str> = answer.iter().filter_map(types::Subnet::subnet_id).collect();
        if is_allowed {
            for id in wanted.iter().filter(|id| !found.contains(id.as_str())) {
                reads.refuse(actions::SUBNETS, id, NOT_FOUND);
            }
        }
        let vpcs = answer.iter().filter_map(types::Subnet::vpc_id);
        Ok(vpcs.map(str::to_owned).collect())
    }

    /// Returns whether EC2 has answered, and the subnets.
    async fn subnets_with(
        &self,
        reads: &Reads,
        name: &str,
        values: &[String],
    ) -> Result<(bool, Vec<types::Subnet>), AwsError> {
        let mut found = Vec::new();
        for values in values.chunks(FILTER_VALUES) {
            let request = self.client.describe_subnets().filters(filter(name, values));
            let pages = request.into_paginator().items().send().try_collect();
            match reads.call(actions::SUBNETS, "AWS::EC2::Subnet", pages).await? {
                Some(answer) => found.extend(answer),
                None => return Ok((false, Vec::new())),
            }
        }
        Ok((true, found))
    }
}

fn subnet(from: &types::Subnet) -> Option<Subnet> {
    let mut ranges = from.ipv6_cidr_block_association_set().iter().filter(|range| {
        let state = range.ipv6_cidr_block_state().and_then(|state| state.state());
        state.is_none_or(|state| {
            matches!(
                state,
                SubnetCidrBlockStateCode::Associated | SubnetCidrBlockStateCode::Associating
            )
        })
    });
    // A subnet that has IPv6 addresses only has an empty IPv4 range.
    let cidr_block = from.cidr_block().filter(|range| !range.is_empty());
    Some(Subnet {
        subnet_id: from.subnet_id()?.to_owned(),
        vpc_id: from.vpc_id()?.to_owned(),
        cidr_block: owned(cidr_block),
        ipv6_cidr_block: ranges.find_map(|range| owned(range.ipv6_cidr_block())),
        availability_zone: from.availability_zone()?.to_owned(),
        availability_zone_id: from.availability_zone_id()?.to_owned(),
        map_public_ip_on_launch: from.map_public_ip_on_launch(),
        assign_ipv6_address_on_creation: from.assign_ipv6_address_on_creation(),
        enable_dns64: from.enable_dns64(),
        ipv6_native: from.ipv6_native(),
        outpost_arn: owned(from.outpost_arn()),
        tags: tags(from.tags()),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ec2::types::{SubnetCidrBlockState, SubnetIpv6CidrBlockAssociation, Tag};

    use super::*;

    #[test]
    fn a_subnet_keeps_its_current_ipv6_range() {
        let range = |cidr: &str, code: SubnetCidrBlockStateCode| {
            SubnetIpv6CidrBlockAssociation::builder()
                .ipv6_cidr_block(cidr)
                .ipv6_cidr_block_state(SubnetCidrBlockState::builder().state(code).build())
                .build()
        };
        let from = types::Subnet::builder()
            .subnet_id("subnet-1")
            .vpc_id("vpc-1")
            .cidr_block("")
            .availability_zone("eu-west-1a")
            .availability_zone_id("euw1-az1")
            .ipv6_native(true)
            .ipv6_cidr_block_association_set(range(
                "2001:db8:1::/64",
                SubnetCidrBlockStateCode::Disassociated,
            ))
            .ipv6_cidr_block_association_set(range("2001:db8:2::/64", SubnetCidrBlockStateCode::Associated))
            .tags(Tag::builder().key("Name").value("private-a").build());
        let subnet = subnet(&from.clone().build()).unwrap();
        assert_eq!(subnet.ipv6_cidr_block.as_deref(), Some("2001:db8:2::/64"));
        assert_eq!((subnet.cidr_block, subnet.ipv6_native), (None, Some(true)));
        assert_eq!(subnet.tags["Name"], "private-a");
        assert!(super::subnet(&from.set_availability_zone_id(None).build()).is_none());
    }
}
