//! Prefix lists, of AWS and of users.

use std::collections::BTreeSet;

use aws_sdk_ec2::types;
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::{NOT_FOUND, Reads};
use lifeboat_infrastructure::description::network::PrefixList;

use crate::convert::owned;
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Reads prefix lists.
    pub(crate) async fn prefix_lists(
        &self,
        reads: &Reads,
        lists: &BTreeSet<String>,
    ) -> Result<Vec<PrefixList>, AwsError> {
        let lists: Vec<String> = lists.iter().cloned().collect();
        let mut found: Vec<PrefixList> = Vec::new();
        for ids in lists.chunks(FILTER_VALUES) {
            let request =
                (self.client.describe_managed_prefix_lists()).filters(filter("prefix-list-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let answer = reads
                .call(actions::MANAGED_PREFIX_LISTS, "AWS::EC2::PrefixList", pages)
                .await?;
            let Some(answer) = answer else { continue };
            let described: Vec<PrefixList> = answer.iter().filter_map(prefix_list).collect();
            let named: BTreeSet<&str> = described
                .iter()
                .map(|list| list.prefix_list_id.as_str())
                .collect();
            for id in ids.iter().filter(|id| !named.contains(id.as_str())) {
                reads.refuse(actions::MANAGED_PREFIX_LISTS, id, NOT_FOUND);
            }
            found.extend(described);
        }
        found.sort_by(|a, b| a.prefix_list_id.cmp(&b.prefix_list_id));
        Ok(found)
    }
}

fn prefix_list(from: &types::ManagedPrefixList) -> Option<PrefixList> {
    Some(PrefixList {
        prefix_list_id: from.prefix_list_id()?.to_owned(),
        prefix_list_name: from.prefix_list_name()?.to_owned(),
        owner_id: owned(from.owner_id()),
    })
}
