//! Network ACLs.

use aws_sdk_ec2::types;
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_infrastructure::description::network::{IcmpTypeCode, NetworkAcl, NetworkAclEntry, PortRange};

use crate::convert::{number, owned, tags};
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Reads the network ACLs of VPCs.
    pub(crate) async fn network_acls(
        &self,
        reads: &Reads,
        vpcs: &[String],
    ) -> Result<Vec<NetworkAcl>, AwsError> {
        let mut found: Vec<NetworkAcl> = Vec::new();
        for ids in vpcs.chunks(FILTER_VALUES) {
            let request = self.client.describe_network_acls().filters(filter("vpc-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let answer = reads
                .call(actions::NETWORK_ACLS, "AWS::EC2::NetworkAcl", pages)
                .await?;
            for one in answer.iter().flatten() {
                let on = one.network_acl_id().unwrap_or_default();
                found.extend(acl(one, reads.answer(actions::NETWORK_ACLS, on)));
            }
        }
        found.sort_by(|a, b| a.network_acl_id.cmp(&b.network_acl_id));
        Ok(found)
    }
}

fn acl(from: &types::NetworkAcl, answer: Answer<'_>) -> Option<NetworkAcl> {
    let subnets = from.associations().iter();
    let mut subnet_ids: Vec<String> = subnets.filter_map(|one| owned(one.subnet_id())).collect();
    subnet_ids.sort();
    let entries = from.entries().iter();
    let mut entries: Vec<NetworkAclEntry> = entries.filter_map(|one| entry(one, answer)).collect();
    // The last entry exists for IPv4 and for IPv6 with the same number.
    entries.sort_by(|a, b| {
        let of = |entry: &NetworkAclEntry| (entry.egress, entry.rule_number, entry.cidr_block.clone());
        of(a).cmp(&of(b))
    });
    Some(NetworkAcl {
        network_acl_id: from.network_acl_id()?.to_owned(),
        vpc_id: from.vpc_id()?.to_owned(),
        is_default: from.is_default() == Some(true),
        subnet_ids,
        entries,
        tags: tags(from.tags()),
    })
}

fn entry(from: &types::NetworkAclEntry, answer: Answer<'_>) -> Option<NetworkAclEntry> {
    let ports = from.port_range();
    let messages = from.icmp_type_code();
    Some(NetworkAclEntry {
        rule_number: number(from.rule_number())?,
        egress: from.egress() == Some(true),
        protocol: from.protocol()?.to_owned(),
        rule_action: answer.spelled(from.rule_action()?.as_str())?,
        cidr_block: owned(from.cidr_block()),
        ipv6_cidr_block: owned(from.ipv6_cidr_block()),
        port_range: ports.and_then(|ports| {
            Some(PortRange {
                from: u16::try_from(ports.from()?).ok()?,
                to: u16::try_from(ports.to()?).ok()?,
            })
        }),
        icmp_type_code: messages.and_then(|messages| {
            Some(IcmpTypeCode {
                r#type: messages.r#type()?,
                code: messages.code()?,
            })
        }),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ec2::types::RuleAction;
    use lifeboat_infrastructure::description::network;

    use super::*;

    #[test]
    fn entries_are_sorted_by_direction_and_number() {
        let entry = |number: i32, egress: bool| {
            types::NetworkAclEntry::builder()
                .rule_number(number)
                .egress(egress)
                .protocol("6")
                .rule_action(RuleAction::Deny)
                .cidr_block("10.0.0.0/16")
        };
        let ports = types::PortRange::builder().from(443).to(65_535).build();
        let messages = types::IcmpTypeCode::builder().r#type(-1).code(-1).build();
        let from = types::NetworkAcl::builder()
            .network_acl_id("acl-1")
            .vpc_id("vpc-1")
            .is_default(true)
            .entries(entry(100, true).build())
            .entries(entry(32_767, false).icmp_type_code(messages).build())
            .entries(entry(100, false).port_range(ports).build())
            .build();
        let reads = Reads::new();
        let acl = acl(&from, reads.answer(actions::NETWORK_ACLS, "acl-1")).unwrap();
        let order: Vec<(bool, u32)> = acl
            .entries
            .iter()
            .map(|entry| (entry.egress, entry.rule_number))
            .collect();
        assert_eq!(order, [(false, 100), (false, 32_767), (true, 100)]);
        let first = &acl.entries[0];
        assert_eq!(
            first.port_range,
            Some(PortRange {
                from: 443,
                to: 65_535
            })
        );
        assert_eq!(first.rule_action, network::RuleAction::Deny);
        assert_eq!(
            acl.entries[1].icmp_type_code,
            Some(IcmpTypeCode { r#type: -1, code: -1 })
        );
        assert!(acl.is_default);
    }
}
