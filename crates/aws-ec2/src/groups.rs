//! Security groups and their rules.

use std::collections::BTreeMap;

use aws_sdk_ec2::types;
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::Reads;
use lifeboat_infrastructure::description::security_group::{
    ReferencedGroup, SecurityGroup, SecurityGroupRule,
};

use crate::convert::{owned, tags};
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Reads the security groups of VPCs with their rules.
    pub(crate) async fn security_groups(
        &self,
        reads: &Reads,
        vpcs: &[String],
    ) -> Result<Vec<SecurityGroup>, AwsError> {
        let mut found: Vec<SecurityGroup> = Vec::new();
        for ids in vpcs.chunks(FILTER_VALUES) {
            let request = self
                .client
                .describe_security_groups()
                .filters(filter("vpc-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let answer = reads
                .call(actions::SECURITY_GROUPS, "AWS::EC2::SecurityGroup", pages)
                .await?;
            found.extend(answer.iter().flatten().filter_map(group));
        }
        found.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        let ids: Vec<String> = found.iter().map(|group| group.group_id.clone()).collect();
        let mut rules = self.rules(reads, &ids).await?;
        for group in &mut found {
            group.rules = rules.remove(&group.group_id).unwrap_or_default();
        }
        Ok(found)
    }

    /// Reads the rules of groups, by group.
    async fn rules(
        &self,
        reads: &Reads,
        groups: &[String],
    ) -> Result<BTreeMap<String, Vec<SecurityGroupRule>>, AwsError> {
        let mut found: BTreeMap<String, Vec<SecurityGroupRule>> = BTreeMap::new();
        for ids in groups.chunks(FILTER_VALUES) {
            let request = (self.client.describe_security_group_rules()).filters(filter("group-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let answer = reads
                .call(actions::SECURITY_GROUP_RULES, "AWS::EC2::SecurityGroup", pages)
                .await?;
            for one in answer.iter().flatten() {
                if let Some((group, rule)) = one.group_id().zip(rule(one)) {
                    found.entry(group.to_owned()).or_default().push(rule);
                }
            }
        }
        for rules in found.values_mut() {
            rules.sort_by_cached_key(order);
        }
        Ok(found)
    }
}

/// The order of rules. Their ids are not described: they change when a rule is removed and added again.
fn order(rule: &SecurityGroupRule) -> impl Ord + use<> {
    let group = rule
        .referenced_group_info
        .as_ref()
        .map(|group| (group.user_id.clone(), group.group_id.clone()));
    (
        (rule.is_egress, rule.ip_protocol.clone()),
        (rule.from_port, rule.to_port),
        (rule.cidr_ipv4.clone(), rule.cidr_ipv6.clone()),
        (rule.prefix_list_id.clone(), group, rule.description.clone()),
    )
}

fn group(from: &types::SecurityGroup) -> Option<SecurityGroup> {
    Some(SecurityGroup {
        group_id: from.group_id()?.to_owned(),
        group_name: from.group_name()?.to_owned(),
        description: from.description().unwrap_or_default().to_owned(),
        vpc_id: from.vpc_id()?.to_owned(),
        rules: Vec::new(),
        tags: tags(from.tags()),
    })
}

fn rule(from: &types::SecurityGroupRule) -> Option<SecurityGroupRule> {
    let referenced = from.referenced_group_info();
    let owner = from.group_owner_id();
    Some(SecurityGroupRule {
        is_egress: from.is_egress() == Some(true),
        ip_protocol: from.ip_protocol()?.to_owned(),
        from_port: port(from.from_port(), from.ip_protocol()),
        to_port: port(from.to_port(), from.ip_protocol()),
        cidr_ipv4: owned(from.cidr_ipv4()),
        cidr_ipv6: owned(from.cidr_ipv6()),
        prefix_list_id: owned(from.prefix_list_id()),
        referenced_group_info: referenced.and_then(|group| {
            Some(ReferencedGroup {
                group_id: group.group_id()?.to_owned(),
                user_id: owned(group.user_id().filter(|user| Some(*user) != owner)),
                vpc_peering_connection_id: owned(group.vpc_peering_connection_id()),
            })
        }),
        description: owned(from.description()),
    })
}

/// Returns a port. A rule for all protocols has none, though the call returns -1.
fn port(port: Option<i32>, protocol: Option<&str>) -> Option<i32> {
    port.filter(|_| protocol != Some("-1"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ec2::types::ReferencedSecurityGroup;

    use super::*;

    #[test]
    fn a_rule_names_the_account_of_a_group_only_if_it_is_another() {
        let referenced = |user: &str| {
            ReferencedSecurityGroup::builder()
                .group_id("sg-2")
                .user_id(user)
                .build()
        };
        let from = types::SecurityGroupRule::builder()
            .group_id("sg-1")
            .group_owner_id("111111111111")
            .is_egress(false)
            .ip_protocol("tcp")
            .from_port(443)
            .to_port(443);
        let own = from
            .clone()
            .referenced_group_info(referenced("111111111111"))
            .build();
        let own = rule(&own).unwrap();
        assert_eq!(own.referenced_group_info.clone().unwrap().user_id, None);
        assert_eq!((own.from_port, own.to_port), (Some(443), Some(443)));
        let other = from.referenced_group_info(referenced("222222222222")).build();
        let other = rule(&other).unwrap();
        assert_eq!(
            other.referenced_group_info.as_ref().unwrap().user_id.as_deref(),
            Some("222222222222")
        );
        assert!(order(&own) < order(&other));
        let all = types::SecurityGroupRule::builder()
            .ip_protocol("-1")
            .from_port(-1)
            .to_port(-1)
            .is_egress(true)
            .build();
        let all = rule(&all).unwrap();
        assert_eq!((all.from_port, all.to_port, all.is_egress), (None, None, true));
        assert!(order(&own) < order(&all));
    }
}
