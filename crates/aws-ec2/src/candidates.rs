//! Networks that exist in the recovery environment, as candidates for the counterparts of the primary's.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types;
use lifeboat_aws::AwsError;
use lifeboat_infrastructure::{Candidate, CandidateKind};

use crate::convert::{owned, tags};
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Returns the VPCs of the account and Region, those that others share with it included; with `ids` only these.
    ///
    /// # Errors
    /// [`AwsError`] if EC2 refuses the call or does not answer: a VPC that is not seen would be built.
    pub async fn vpc_candidates(&self, ids: Option<&BTreeSet<String>>) -> Result<Vec<Candidate>, AwsError> {
        let mut found = Vec::new();
        for chunk in chunks(ids) {
            let request = self
                .client
                .describe_vpcs()
                .set_filters(chunk.map(|ids| vec![filter("vpc-id", &ids)]));
            let pages = request.into_paginator().items().send().try_collect().await;
            found.extend(pages.map_err(|e| AwsError::new(actions::VPCS.name(), "AWS::EC2::VPC", e))?);
        }
        Ok(found.iter().filter_map(vpc).collect())
    }

    /// Returns the subnets of VPCs, and those with these ids.
    ///
    /// # Errors
    /// [`AwsError`] if EC2 refuses a call or does not answer.
    pub async fn subnet_candidates(
        &self,
        vpcs: &BTreeSet<String>,
        ids: &BTreeSet<String>,
    ) -> Result<Vec<Candidate>, AwsError> {
        let mut found = BTreeMap::new();
        for (name, values) in [("vpc-id", vpcs), ("subnet-id", ids)] {
            for values in chunks(Some(values)).into_iter().flatten() {
                let request = self.client.describe_subnets().filters(filter(name, &values));
                let pages = request.into_paginator().items().send().try_collect().await;
                let pages =
                    pages.map_err(|e| AwsError::new(actions::SUBNETS.name(), "AWS::EC2::Subnet", e))?;
                let named = pages
                    .into_iter()
                    .filter_map(|one| Some((one.subnet_id()?.to_owned(), one)));
                found.extend(named);
            }
        }
        let vpcs = found
            .values()
            .filter_map(|one: &types::Subnet| owned(one.vpc_id()));
        let tables = self.tables(&vpcs.collect()).await?;
        Ok(found.values().filter_map(|one| subnet(one, &tables)).collect())
    }

    /// Returns the security groups of VPCs, and those with these ids.
    ///
    /// # Errors
    /// [`AwsError`] if EC2 refuses a call or does not answer.
    pub async fn security_group_candidates(
        &self,
        vpcs: &BTreeSet<String>,
        ids: &BTreeSet<String>,
    ) -> Result<Vec<Candidate>, AwsError> {
        let mut found = BTreeSet::new();
        for (name, values) in [("vpc-id", vpcs), ("group-id", ids)] {
            for values in chunks(Some(values)).into_iter().flatten() {
                let request = self
                    .client
                    .describe_security_groups()
                    .filters(filter(name, &values));
                let pages = request.into_paginator().items().send().try_collect().await;
                let pages = pages.map_err(|e| {
                    AwsError::new(actions::SECURITY_GROUPS.name(), "AWS::EC2::SecurityGroup", e)
                })?;
                found.extend(pages.iter().filter_map(group));
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Returns which of these names are those of SSH key pairs of the account and Region.
    ///
    /// # Errors
    /// [`AwsError`] if EC2 refuses the call or does not answer.
    pub async fn key_pairs(&self, names: &BTreeSet<String>) -> Result<BTreeSet<String>, AwsError> {
        let mut found = BTreeSet::new();
        for values in chunks(Some(names)).into_iter().flatten() {
            let request = self
                .client
                .describe_key_pairs()
                .filters(filter("key-name", &values));
            let answer = request.send().await;
            let answer = answer.map_err(|e| AwsError::new(actions::KEY_PAIRS, "AWS::EC2::KeyPair", e))?;
            let pairs = answer.key_pairs().iter();
            // A filter has wildcards, and a name may have `*` in it.
            let named = pairs.filter_map(|pair| owned(pair.key_name()));
            found.extend(named.filter(|name| names.contains(name)));
        }
        Ok(found)
    }

    async fn tables(&self, vpcs: &BTreeSet<String>) -> Result<Vec<types::RouteTable>, AwsError> {
        let mut found = Vec::new();
        for values in chunks(Some(vpcs)).into_iter().flatten() {
            let request = self
                .client
                .describe_route_tables()
                .filters(filter("vpc-id", &values));
            let pages = request.into_paginator().items().send().try_collect().await;
            found.extend(
                pages.map_err(|e| AwsError::new(actions::ROUTE_TABLES.name(), "AWS::EC2::RouteTable", e))?,
            );
        }
        Ok(found)
    }
}

/// Returns values as filters take them; `None` once, for everything, without a list.
fn chunks(values: Option<&BTreeSet<String>>) -> Vec<Option<Vec<String>>> {
    let Some(values) = values else { return vec![None] };
    let values: Vec<String> = values.iter().cloned().collect();
    values
        .chunks(FILTER_VALUES)
        .map(|chunk| Some(chunk.to_vec()))
        .collect()
}

fn vpc(from: &types::Vpc) -> Option<Candidate> {
    let tags = tags(from.tags());
    Some(Candidate {
        name: tags.get("Name").cloned(),
        cidr: owned(from.cidr_block()),
        tags,
        ..Candidate::new(CandidateKind::Vpc, from.vpc_id()?)
    })
}

fn subnet(from: &types::Subnet, tables: &[types::RouteTable]) -> Option<Candidate> {
    let tags = tags(from.tags());
    let id = from.subnet_id()?;
    let vpc = from.vpc_id()?;
    Some(Candidate {
        name: tags.get("Name").cloned(),
        cidr: owned(from.cidr_block().filter(|range| !range.is_empty())),
        zone_id: owned(from.availability_zone_id()),
        public: Some(is_public(id, vpc, tables)),
        parent: Some(vpc.to_owned()),
        tags,
        ..Candidate::new(CandidateKind::Subnet, id)
    })
}

/// Whether the route table of a subnet, its own or the main one of its VPC, leads to an internet gateway.
fn is_public(subnet: &str, vpc: &str, tables: &[types::RouteTable]) -> bool {
    let has = |table: &&types::RouteTable, is_it: &dyn Fn(&types::RouteTableAssociation) -> bool| {
        table.vpc_id() == Some(vpc) && table.associations().iter().any(is_it)
    };
    let own = tables
        .iter()
        .find(|table| has(table, &|one| one.subnet_id() == Some(subnet)));
    let main = || {
        tables
            .iter()
            .find(|table| has(table, &|one| one.main() == Some(true)))
    };
    own.or_else(main).is_some_and(|table| {
        let mut gateways = table.routes().iter().filter_map(types::Route::gateway_id);
        gateways.any(|gateway| gateway.starts_with("igw-"))
    })
}

fn group(from: &types::SecurityGroup) -> Option<Candidate> {
    Some(Candidate {
        name: owned(from.group_name()),
        parent: owned(from.vpc_id()),
        tags: tags(from.tags()),
        ..Candidate::new(CandidateKind::SecurityGroup, from.group_id()?)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ec2::types::{Route, RouteTable, RouteTableAssociation, Subnet};

    use super::*;

    fn table(association: RouteTableAssociation, gateway: &str) -> RouteTable {
        RouteTable::builder()
            .vpc_id("vpc-1")
            .associations(association)
            .routes(Route::builder().gateway_id("local").build())
            .routes(Route::builder().gateway_id(gateway).build())
            .build()
    }

    #[test]
    fn a_subnet_is_public_by_its_own_table_else_by_the_main_one() {
        let of = |subnet: &str| RouteTableAssociation::builder().subnet_id(subnet).build();
        let main = RouteTableAssociation::builder().main(true).build();
        let tables = [
            table(main.clone(), "igw-1"),
            table(of("subnet-1"), "vgw-1"),
            table(of("subnet-2"), "igw-1"),
        ];
        let is_public = |id: &str, vpc: &str| {
            let from = Subnet::builder().subnet_id(id).vpc_id(vpc).cidr_block("").build();
            let one = subnet(&from, &tables).unwrap();
            assert_eq!((one.cidr, one.parent.as_deref()), (None, Some(vpc)));
            one.public
        };
        assert_eq!(is_public("subnet-1", "vpc-1"), Some(false));
        assert_eq!(is_public("subnet-2", "vpc-1"), Some(true));
        assert_eq!(is_public("subnet-3", "vpc-1"), Some(true));
        assert_eq!(is_public("subnet-4", "vpc-2"), Some(false));
    }

    #[test]
    fn filters_take_no_more_values_than_ec2_allows() {
        let ids: BTreeSet<String> = (0..450).map(|number| format!("vpc-{number:04}")).collect();
        let sizes: Vec<usize> = chunks(Some(&ids)).iter().flatten().map(Vec::len).collect();
        assert_eq!(sizes, [200, 200, 50]);
        assert_eq!(chunks(None), [None]);
        assert!(chunks(Some(&BTreeSet::new())).is_empty());
    }
}
