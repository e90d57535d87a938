//! The resources of the primary that may have a counterpart, with what it is found by.

use std::collections::BTreeSet;

use super::{Access, CandidateKind};
use crate::bindings::is_made_by_others;
use crate::description::network::{RouteTable, Subnet};
use crate::description::storage::KeyManager;
use crate::description::{Descriptions, Tags};
use crate::facts::RecoveryFacts;
use crate::names::{self, LONGEST_POLICY_NAME, LONGEST_ROLE_NAME};

/// A resource of the primary that may have a counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sought<'a> {
    pub(crate) kind: CandidateKind,
    /// The identifier by which a mapping names it.
    pub(crate) from: &'a str,
    /// The names that a counterpart may have; a key has one for each alias.
    pub(crate) names: BTreeSet<String>,
    pub(crate) tags: &'a Tags,
    pub(crate) cidr: Option<&'a str>,
    /// The name of the Availability Zone of a subnet.
    pub(crate) zone: Option<&'a str>,
    /// Whether a subnet has a route to an internet gateway.
    pub(crate) is_public: bool,
    /// The VPC or file system that it belongs to, in the primary.
    pub(crate) parent: Option<&'a str>,
    pub(crate) domains: BTreeSet<&'a str>,
    pub(crate) access: Option<Access>,
}

impl<'a> Sought<'a> {
    fn new(kind: CandidateKind, from: &'a str, tags: &'a Tags) -> Self {
        Self {
            kind,
            from,
            names: BTreeSet::new(),
            tags,
            cidr: None,
            zone: None,
            is_public: false,
            parent: None,
            domains: BTreeSet::new(),
            access: None,
        }
    }

    fn named(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names = names.into_iter().map(Into::into);
        self.names = names.filter(|name| !name.is_empty()).collect();
        self
    }

    fn within(mut self, parent: &'a str) -> Self {
        self.parent = Some(parent);
        self
    }
}

/// Returns the resources of the primary that may have a counterpart, in the order of their types. What others make, EKS
/// or AWS, has none.
pub(crate) fn sought<'a>(descriptions: &'a Descriptions, facts: &RecoveryFacts) -> Vec<Sought<'a>> {
    let mut all = Vec::new();
    network(descriptions, &mut all);
    identity(descriptions, facts, &mut all);
    storage(descriptions, &mut all);
    unbuilt(descriptions, facts, &mut all);
    all.sort_by_key(|one| one.kind);
    all
}

fn network<'a>(all: &'a Descriptions, out: &mut Vec<Sought<'a>>) {
    out.extend(all.vpcs.iter().map(|vpc| Sought {
        cidr: Some(&vpc.cidr_block),
        ..Sought::new(CandidateKind::Vpc, &vpc.vpc_id, &vpc.tags).named(vpc.tags.get("Name"))
    }));
    out.extend(all.subnets.iter().map(|subnet| {
        let one = Sought::new(CandidateKind::Subnet, &subnet.subnet_id, &subnet.tags);
        Sought {
            cidr: subnet.cidr_block.as_deref(),
            zone: Some(&subnet.availability_zone),
            is_public: is_public(all, subnet),
            ..one.named(subnet.tags.get("Name")).within(&subnet.vpc_id)
        }
    }));
    let groups = all.security_groups.iter();
    out.extend(groups.filter(|group| !is_made_by_others(group)).map(|group| {
        let one = Sought::new(CandidateKind::SecurityGroup, &group.group_id, &group.tags);
        one.named([&group.group_name]).within(&group.vpc_id)
    }));
}

/// Whether the route table of a subnet, its own or that of the VPC, leads to an internet gateway.
fn is_public(all: &Descriptions, subnet: &Subnet) -> bool {
    let mut tables = all.route_tables.iter();
    let own = tables.find(|table| table.subnet_ids.contains(&subnet.subnet_id));
    let is_main = |table: &&RouteTable| table.main && table.vpc_id == subnet.vpc_id;
    let table = own.or_else(|| all.route_tables.iter().find(is_main));
    table.is_some_and(|table| {
        table.routes.iter().any(|route| {
            let gateway = route.gateway_id.as_deref();
            gateway.is_some_and(|gateway| gateway.starts_with("igw-"))
        })
    })
}

fn identity<'a>(all: &'a Descriptions, facts: &RecoveryFacts, out: &mut Vec<Sought<'a>>) {
    let named = |name: &str, longest| [names::in_recovery(all, facts, name, longest)];
    let roles = all.roles.iter().filter(|role| !role.is_reserved());
    out.extend(roles.map(|role| {
        let one = Sought::new(CandidateKind::Role, &role.arn, &role.tags);
        one.named(named(&role.role_name, LONGEST_ROLE_NAME))
    }));
    out.extend(all.policies.iter().map(|policy| {
        let one = Sought::new(CandidateKind::Policy, &policy.arn, &policy.tags);
        one.named(named(&policy.policy_name, LONGEST_POLICY_NAME))
    }));
    out.extend(all.instance_profiles.iter().map(|profile| {
        let one = Sought::new(CandidateKind::InstanceProfile, &profile.arn, &profile.tags);
        one.named(named(&profile.instance_profile_name, LONGEST_POLICY_NAME))
    }));
}

fn storage<'a>(all: &'a Descriptions, out: &mut Vec<Sought<'a>>) {
    let keys = all
        .keys
        .iter()
        .filter(|key| key.key_manager == KeyManager::Customer);
    out.extend(keys.map(|key| {
        let aliases = key
            .aliases
            .iter()
            .filter(|alias| !alias.starts_with("alias/aws/"));
        Sought::new(CandidateKind::Key, &key.arn, &key.tags).named(aliases)
    }));
    out.extend(all.repositories.iter().map(|repository| {
        let arn = repository.repository_arn.as_str();
        Sought::new(CandidateKind::Repository, arn, &repository.tags).named([&repository.repository_name])
    }));
    for system in &all.file_systems {
        let id = system.file_system_id.as_str();
        out.push(Sought::new(CandidateKind::FileSystem, id, &system.tags).named(system.tags.get("Name")));
        out.extend(system.access_points.iter().map(|point| {
            let one = Sought::new(CandidateKind::AccessPoint, &point.access_point_id, &point.tags);
            Sought {
                access: Some(Access::of(point)),
                ..one.within(id)
            }
        }));
    }
}

/// What is found by its name alone has no tags here.
static NO_TAGS: Tags = Tags::new();

/// Adds what no stack builds. Volumes and secrets have a counterpart by a mapping only.
fn unbuilt<'a>(all: &'a Descriptions, facts: &RecoveryFacts, out: &mut Vec<Sought<'a>>) {
    out.extend(all.certificates.iter().map(|certificate| {
        let names = certificate.domain_name.iter();
        let names = names.chain(&certificate.subject_alternative_names);
        Sought {
            domains: names.map(String::as_str).collect(),
            ..Sought::new(
                CandidateKind::Certificate,
                &certificate.certificate_arn,
                &certificate.tags,
            )
        }
    }));
    let groups = all
        .target_groups
        .iter()
        .filter(|group| !group.is_made_by_controller());
    out.extend(groups.map(|group| {
        let one = Sought::new(CandidateKind::TargetGroup, &group.target_group_arn, &group.tags);
        one.named([&group.target_group_name])
    }));
    out.extend(all.buckets.iter().map(|bucket| {
        // The names of buckets are unique in a partition, and often made so by the account and the Region.
        let there = bucket.name.replace(all.account.as_str(), facts.account.as_str());
        let there = there.replace(all.region.as_str(), facts.region.as_str());
        Sought::new(CandidateKind::Bucket, &bucket.name, &NO_TAGS).named([there])
    }));
    let acls = all.web_acls.iter();
    out.extend(acls.map(|acl| Sought::new(CandidateKind::WebAcl, &acl.arn, &NO_TAGS).named([&acl.name])));
    // In one account the role is the same.
    let roles = all.roles.iter().filter(|_| all.account != facts.account);
    out.extend(roles.filter_map(|role| {
        let one = Sought::new(CandidateKind::PermissionSetRole, &role.arn, &NO_TAGS);
        Some(one.named([role.permission_set()?]))
    }));
}
