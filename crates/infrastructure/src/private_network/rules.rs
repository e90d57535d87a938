//! Security groups and network ACLs.

use lifeboat_model::network::{NetworkCause, NetworkTarget};

use super::range::Range;
use super::{HTTPS, PrivateNetwork};
use crate::description::network::{NetworkAcl, NetworkAclEntry, RuleAction, VpcEndpoint};
use crate::description::security_group::{SecurityGroup, SecurityGroupRule};

/// The first port of the range from which a connection of Linux may come (Amazon VPC User Guide, "Ephemeral ports"): Lambda
/// uses 1024 to 65535.
const EPHEMERAL: u16 = 1024;

/// The number of the protocol TCP in an entry of a network ACL (IANA, "Protocol Numbers").
const TCP: &str = "6";

/// The number of the last entry of a network ACL, which cannot be changed and denies everything (Amazon VPC User Guide,
/// "Default network ACL").
const LAST: u32 = 32767;

impl PrivateNetwork<'_> {
    /// Finds that no rule of the security group lets HTTPS out to S3.
    pub(super) fn held_by_group(&self) -> Option<NetworkCause> {
        let group = self.group(self.group)?;
        let endpoints: Vec<&VpcEndpoint> = self.named_endpoints().collect();
        let to: Vec<Range> = self.ranges_of(endpoints.iter().flat_map(|endpoint| &endpoint.subnet_ids));
        let is_member = |id: &str| {
            let mut groups = endpoints.iter().flat_map(|endpoint| &endpoint.group_ids);
            groups.any(|group| group == id)
        };
        let reaches = |rule: &SecurityGroupRule| match (&rule.referenced_group_info, range(rule)) {
            (Some(other), _) => is_member(&other.group_id),
            // A prefix list may be that of S3.
            (None, None) => rule.prefix_list_id.is_some(),
            (None, Some(range)) if endpoints.is_empty() => !range.is_private(),
            (None, Some(range)) => to.is_empty() || to.iter().any(|to| range.contains(to)),
        };
        let mut rules = group.rules.iter();
        let lets_out = rules.any(|rule| rule.is_egress && is_https(rule) && reaches(rule));
        (!lets_out).then(|| NetworkCause::GroupHoldsBack {
            group: self.group.to_owned(),
            target: NetworkTarget::S3,
        })
    }

    /// Finds that members of the cluster security group, which function and API server are, do not reach each other.
    pub(super) fn held_by_cluster_group(&self) -> Vec<NetworkCause> {
        let Some(group) = self.group(self.group) else {
            return Vec::new();
        };
        let own = self.ranges_of(self.subnets);
        let lets = |egress: bool| {
            let reaches = |rule: &&SecurityGroupRule| match (&rule.referenced_group_info, range(rule)) {
                (Some(other), _) => other.group_id == self.group,
                (None, None) => rule.prefix_list_id.is_some(),
                (None, Some(range)) => own.is_empty() || own.iter().any(|own| range.contains(own)),
            };
            let rules = group.rules.iter();
            rules
                .filter(|rule| rule.is_egress == egress && is_https(rule))
                .any(|rule| reaches(&rule))
        };
        let mut found = Vec::new();
        if !lets(true) {
            found.push(NetworkCause::GroupHoldsBack {
                group: self.group.to_owned(),
                target: NetworkTarget::ApiServer,
            });
        }
        if !lets(false) {
            found.push(NetworkCause::ClusterHoldsBack {
                group: self.group.to_owned(),
            });
        }
        found
    }

    /// Finds interface endpoints none of whose security groups admits the function.
    pub(super) fn held_by_endpoint_groups(&self) -> Vec<NetworkCause> {
        let own = self.ranges_of(self.subnets);
        let admits = |rule: &SecurityGroupRule| {
            let is_from = match (&rule.referenced_group_info, range(rule)) {
                (Some(other), _) => other.group_id == self.group,
                (None, None) => rule.prefix_list_id.is_some(),
                (None, Some(range)) => own.iter().any(|own| range.contains(own)),
            };
            !rule.is_egress && is_https(rule) && is_from
        };
        let held = self.named_endpoints().filter_map(|endpoint| {
            let groups: Vec<&SecurityGroup> = endpoint
                .group_ids
                .iter()
                .filter_map(|id| self.group(id))
                .collect();
            let first = groups.first()?;
            let admitted = own.is_empty() || groups.iter().any(|group| group.rules.iter().any(admits));
            (!admitted).then(|| NetworkCause::EndpointHoldsBack {
                endpoint: endpoint.vpc_endpoint_id.clone(),
                group: first.group_id.clone(),
                from: self.group.to_owned(),
            })
        });
        held.collect()
    }

    /// Finds network ACLs that let HTTPS not out, or its answers not in.
    pub(super) fn held_by_acls(&self) -> Vec<NetworkCause> {
        let endpoints = self.named_endpoints().flat_map(|endpoint| &endpoint.subnet_ids);
        let mut to_s3 = self.ranges_of(endpoints);
        if to_s3.is_empty() {
            // The addresses of S3 are not known: the rules for all addresses decide.
            to_s3.extend(Range::parse("0.0.0.0/0"));
        }
        let own = self.ranges_of(self.subnets);
        let of = |acl: &&NetworkAcl| acl.subnet_ids.iter().any(|id| self.subnets.contains(id));
        let mut found = Vec::new();
        for acl in self.network_acls.iter().filter(of) {
            for (target, peers) in [(NetworkTarget::S3, &to_s3), (NetworkTarget::ApiServer, &own)] {
                // The API server has an interface in one of the subnets, and answers from there.
                let held = [(true, HTTPS), (false, EPHEMERAL)]
                    .into_iter()
                    .find_map(|(egress, port)| {
                        let deciding = peers.iter().map(|peer| deciding(acl, egress, port, peer));
                        let denying: Option<Vec<u32>> = deciding.collect();
                        Some((egress, denying?.into_iter().min()?))
                    });
                let Some((egress, denying)) = held else {
                    continue;
                };
                let cause = NetworkCause::AclHoldsBack {
                    acl: acl.network_acl_id.clone(),
                    egress,
                    rule: free_rule(acl, egress, denying),
                    target,
                };
                found.push(cause);
            }
        }
        found
    }

    fn group(&self, id: &str) -> Option<&SecurityGroup> {
        self.security_groups.iter().find(|group| group.group_id == id)
    }
}

fn range(rule: &SecurityGroupRule) -> Option<Range> {
    Range::parse(rule.cidr_ipv4.as_deref()?)
}

/// Whether a rule is about HTTPS.
fn is_https(rule: &SecurityGroupRule) -> bool {
    let is_tcp = matches!(rule.ip_protocol.as_str(), "tcp" | "6");
    let port = i32::from(HTTPS);
    let in_range = rule.from_port.is_none_or(|from| from <= port) && rule.to_port.is_none_or(|to| to >= port);
    rule.ip_protocol == "-1" || is_tcp && in_range
}

/// Returns the number of the entry by which a network ACL denies TCP on a port to or from a range; `None` if it does not. The
/// entry with the lowest number decides (Amazon VPC User Guide, "Network ACL rules"). Entries for a part of the range do not
/// decide for the whole.
fn deciding(acl: &NetworkAcl, egress: bool, port: u16, peer: &Range) -> Option<u32> {
    let concerns = |entry: &&NetworkAclEntry| {
        let is_tcp = entry.protocol == "-1" || entry.protocol == TCP;
        let in_range =
            (entry.port_range.as_ref()).is_none_or(|ports| (ports.from..=ports.to).contains(&port));
        let range = entry.cidr_block.as_deref().and_then(Range::parse);
        entry.egress == egress && is_tcp && in_range && range.is_some_and(|range| range.contains(peer))
    };
    let entries = acl.entries.iter().filter(concerns);
    match entries.min_by_key(|entry| entry.rule_number) {
        Some(entry) if entry.rule_action == RuleAction::Allow => None,
        Some(entry) => Some(entry.rule_number),
        None => Some(LAST),
    }
}

/// Returns the highest free number before that of an entry.
fn free_rule(acl: &NetworkAcl, egress: bool, before: u32) -> Option<u16> {
    let is_free = |number: &u32| {
        let mut entries = acl.entries.iter();
        !entries.any(|entry| entry.egress == egress && entry.rule_number == *number)
    };
    // Not one of the last numbers, so that there is room for further entries.
    let highest = before.min(1000);
    let number = (1..highest).rev().find(is_free)?;
    u16::try_from(number).ok()
}
