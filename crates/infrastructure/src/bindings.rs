//! Which identifier of the primary becomes what: an adopted resource, a name that is known beforehand, or an output of
//! a stack.

use std::collections::BTreeMap;

use lifeboat_model::{Arn, Code};
use lifeboat_translate::IdentityMap;
use lifeboat_translate::identity::{AccountAndRegion, Kind};
use serde_json::{Value, json};

use crate::context::LogicalIds;
use crate::counterpart::matching::Matches;
use crate::description::security_group::SecurityGroup;
use crate::description::storage::{FileSystem, Key, KeyManager, ReplicationDestination};
use crate::description::{Descriptions, Tags};
use crate::facts::RecoveryFacts;
use crate::finding::Findings;
use crate::names::{self, LONGEST_POLICY_NAME, LONGEST_ROLE_NAME, logical_ids};
use crate::selectors;
use crate::stack::Stack;
use crate::template::{attribute, reference};
use crate::zones;

/// What takes the place of an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// This one.
    Known(String),
    /// The value of an output.
    Output {
        /// The stack.
        stack: Stack,
        /// The name of the output.
        output: String,
    },
}

/// An identifier of the primary with its counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) kind: Kind,
    pub(crate) from: String,
    pub(crate) target: Target,
}

impl Binding {
    /// Returns the issuer of a cluster, if the facts tell it.
    pub(crate) fn issuer_in(&self, facts: &RecoveryFacts) -> Option<String> {
        let Target::Output {
            stack: Stack::Cluster(cluster),
            ..
        } = &self.target
        else {
            return None;
        };
        let issuer = facts.issuers.get(cluster).filter(|_| self.kind == Kind::Issuer)?;
        Some(issuer.trim_start_matches("https://").to_owned())
    }
}

/// A resource that a stack builds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Made {
    pub(crate) stack: Stack,
    /// The logical id.
    pub(crate) logical: String,
    /// The identifier, in the template of its stack.
    pub(crate) value: Value,
    /// The name of the output that holds the identifier.
    pub(crate) output: String,
    /// The type of a parameter that takes the output.
    pub(crate) parameter: &'static str,
}

/// The counterparts of all identifiers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bindings<'a> {
    descriptions: &'a Descriptions,
    facts: &'a RecoveryFacts,
    /// Adopted resources by their identifier in the primary, mapped or found.
    pub(crate) adopted: BTreeMap<&'a str, &'a str>,
    /// What is built, by its identifier in the primary: ids of EC2 and EFS, ARNs of IAM, ids of keys.
    pub(crate) made: BTreeMap<&'a str, Made>,
    /// The zones of the recovery Region by those of the primary.
    pub(crate) zones: zones::Zones<'a>,
    /// Adopted resources that the user has not mapped.
    pub(crate) matches: Matches<'a>,
    list: Vec<Binding>,
}

/// Returns the name of a resource: its tag `Name`, or its id.
pub(crate) fn name_of<'a>(tags: &'a Tags, id: &'a str) -> &'a str {
    tags.get("Name")
        .filter(|name| !name.is_empty())
        .map_or(id, |name| name)
}

/// Whether AWS or a controller in the cluster makes a security group, so that no stack does.
pub(crate) fn is_made_by_others(group: &SecurityGroup) -> bool {
    let of_cluster = |key: &String| {
        key.starts_with("aws:eks:") || key == "elbv2.k8s.aws/cluster" || key == "eks:nodegroup-name"
    };
    group.tags.keys().any(of_cluster) || group.group_name.starts_with("eks-remoteAccess-")
}

/// Whether a key is replicated: AWS replicates multi-Region keys within an account
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>).
pub(crate) fn is_replica(key: &Key, descriptions: &Descriptions, facts: &RecoveryFacts) -> bool {
    key.multi_region == Some(true)
        && descriptions.account == facts.account
        && descriptions.region != facts.region
}

/// A type of resources: the kind of their ids, the stack and how a template refers to one.
struct Type {
    kind: Kind,
    stack: Stack,
    parameter: &'static str,
    value: fn(&str) -> Value,
}

const ID: fn(&str) -> Value = reference;

impl<'a> Bindings<'a> {
    pub(crate) fn new(
        descriptions: &'a Descriptions,
        facts: &'a RecoveryFacts,
        findings: &mut Findings,
    ) -> Self {
        let mut adopted = adopted(descriptions, facts, findings);
        for (from, to) in replicas(descriptions, facts) {
            adopted.entry(from).or_insert(to);
        }
        let matches = Matches::new(descriptions, facts, &adopted);
        adopted.extend(matches.found.iter().map(|found| (found.from, found.to)));
        let zones = zones::Zones::new(descriptions, facts, &matches.zones, findings);
        let mut bindings = Self {
            descriptions,
            facts,
            adopted,
            made: BTreeMap::new(),
            zones,
            matches,
            list: Vec::new(),
        };
        bindings.network();
        bindings.identity();
        bindings.storage();
        bindings.clusters();
        bindings.rest();
        bindings
    }

    /// Returns the identity map with a text for each counterpart.
    pub(crate) fn map(&self, to: impl Fn(&Binding) -> String) -> IdentityMap {
        let environment = |account: &_, region: &_| AccountAndRegion {
            account: Clone::clone(account),
            region: Clone::clone(region),
        };
        let mut map = IdentityMap::new(
            environment(&self.descriptions.account, &self.descriptions.region),
            environment(&self.facts.account, &self.facts.region),
        );
        for binding in &self.list {
            map = map.with(binding.kind, &binding.from, to(binding));
        }
        map.identities.sort();
        map.identities.dedup();
        map
    }

    /// Returns every identifier with its counterpart.
    pub(crate) fn all(&self) -> &[Binding] {
        &self.list
    }

    fn bind(&mut self, kind: Kind, from: &str, target: Target) {
        self.list.push(Binding {
            kind,
            from: from.to_owned(),
            target,
        });
    }

    fn known(&mut self, kind: Kind, from: &str, to: impl Into<String>) {
        self.bind(kind, from, Target::Known(to.into()));
    }

    /// Adds the resources of a type: each is adopted or built.
    fn add(&mut self, of: &Type, ids: LogicalIds<'a>) {
        for (id, logical) in ids {
            if let Some(to) = self.adopted.get(id) {
                self.known(of.kind, id, *to);
                continue;
            }
            let made = Made {
                stack: of.stack.clone(),
                value: (of.value)(&logical),
                output: logical.clone(),
                parameter: of.parameter,
                logical,
            };
            self.add_made(of.kind, id, made);
        }
    }

    fn add_made(&mut self, kind: Kind, id: &'a str, made: Made) {
        let target = Target::Output {
            stack: made.stack.clone(),
            output: made.output.clone(),
        };
        self.bind(kind, id, target);
        self.made.insert(id, made);
    }

    fn network(&mut self) {
        let all = self.descriptions;
        let of = |kind, parameter, value| Type {
            kind,
            stack: Stack::Network,
            parameter,
            value,
        };
        let vpcs = all
            .vpcs
            .iter()
            .map(|vpc| (vpc.vpc_id.as_str(), name_of(&vpc.tags, &vpc.vpc_id)));
        self.add(&of(Kind::Vpc, "AWS::EC2::VPC::Id", ID), logical_ids("Vpc", vpcs));
        let subnets = all.subnets.iter().map(|subnet| {
            (
                subnet.subnet_id.as_str(),
                name_of(&subnet.tags, &subnet.subnet_id),
            )
        });
        self.add(
            &of(Kind::Subnet, "AWS::EC2::Subnet::Id", ID),
            logical_ids("Subnet", subnets),
        );
        // Tables of an adopted VPC are its owner's.
        let tables = all
            .route_tables
            .iter()
            .filter(|table| !self.adopted.contains_key(table.vpc_id.as_str()));
        let tables = tables.map(|table| {
            (
                table.route_table_id.as_str(),
                name_of(&table.tags, &table.route_table_id),
            )
        });
        let tables = logical_ids("RouteTable", tables);
        self.add(&of(Kind::RouteTable, "String", ID), tables);
        let groups = all
            .security_groups
            .iter()
            .filter(|group| !is_made_by_others(group) && group.group_name != "default");
        let groups = groups.map(|group| (group.group_id.as_str(), group.group_name.as_str()));
        let group_id: fn(&str) -> Value = |logical| attribute(logical, "GroupId");
        let parameter = "AWS::EC2::SecurityGroup::Id";
        self.add(
            &of(Kind::SecurityGroup, parameter, group_id),
            logical_ids("SecurityGroup", groups),
        );
        let defaults: Vec<&SecurityGroup> = all
            .security_groups
            .iter()
            .filter(|group| group.group_name == "default")
            .collect();
        for group in defaults {
            let id = group.group_id.as_str();
            if let Some(to) = self.adopted.get(id) {
                self.known(Kind::SecurityGroup, id, *to);
            } else if let Some(vpc) = self.made.get(group.vpc_id.as_str()).cloned() {
                let made = Made {
                    stack: Stack::Network,
                    value: attribute(&vpc.logical, "DefaultSecurityGroup"),
                    output: format!("{}DefaultSecurityGroup", vpc.logical),
                    parameter,
                    logical: vpc.logical,
                };
                self.add_made(Kind::SecurityGroup, id, made);
            }
        }
        let endpoints = all
            .vpc_endpoints
            .iter()
            .filter(|endpoint| endpoint.requester_managed != Some(true));
        let endpoints: Vec<&str> = endpoints
            .map(|endpoint| endpoint.vpc_endpoint_id.as_str())
            .collect();
        for id in endpoints {
            if let Some(to) = self.adopted.get(id) {
                self.known(Kind::VpcEndpoint, id, *to);
            }
        }
    }

    fn identity(&mut self) {
        let (all, facts) = (self.descriptions, self.facts);
        let renamed = |name: &str, longest| names::in_recovery(all, facts, name, longest);
        let roles = logical_ids(
            "Role",
            all.roles
                .iter()
                .map(|role| (role.arn.as_str(), role.role_name.as_str())),
        );
        for role in &all.roles {
            if let Some(to) = self.adopted.get(role.arn.as_str()).copied() {
                self.known(Kind::Arn, &role.arn, to);
                let name = to.rsplit('/').next().unwrap_or(to);
                self.known(Kind::Role, &role.role_name, name);
                continue;
            }
            if role.is_reserved() {
                // IAM is global: in one account the role is the same.
                if role.permission_set().is_some() && all.account == facts.account {
                    self.known(Kind::Arn, &role.arn, &role.arn);
                    self.known(Kind::Role, &role.role_name, &role.role_name);
                }
                continue;
            }
            self.known(
                Kind::Role,
                &role.role_name,
                renamed(&role.role_name, LONGEST_ROLE_NAME),
            );
            self.make_identity(&role.arn, &roles, |logical| attribute(logical, "Arn"));
        }
        let policies = all
            .policies
            .iter()
            .map(|policy| (policy.arn.as_str(), policy.policy_name.as_str()));
        let policies = logical_ids("Policy", policies);
        for policy in &all.policies {
            if let Some(to) = self.adopted.get(policy.arn.as_str()).copied() {
                self.known(Kind::Arn, &policy.arn, to);
                continue;
            }
            let name = renamed(&policy.policy_name, LONGEST_POLICY_NAME);
            self.known(
                Kind::Arn,
                &policy.arn,
                self.identity_arn("policy", &policy.path, &name),
            );
            self.make_identity(&policy.arn, &policies, reference);
        }
        let profiles = all
            .instance_profiles
            .iter()
            .map(|profile| (profile.arn.as_str(), profile.instance_profile_name.as_str()));
        let profiles = logical_ids("InstanceProfile", profiles);
        for profile in &all.instance_profiles {
            let name = &profile.instance_profile_name;
            if let Some(to) = self.adopted.get(profile.arn.as_str()).copied() {
                self.known(Kind::Arn, &profile.arn, to);
                let to = to.rsplit('/').next().unwrap_or(to);
                self.known(Kind::InstanceProfile, name, to);
                continue;
            }
            let to = renamed(name, LONGEST_POLICY_NAME);
            self.known(
                Kind::Arn,
                &profile.arn,
                self.identity_arn("instance-profile", &profile.path, &to),
            );
            self.known(Kind::InstanceProfile, name, to);
            self.make_identity(&profile.arn, &profiles, |logical| attribute(logical, "Arn"));
        }
    }

    /// Returns the ARN of a policy or an instance profile in the recovery account.
    fn identity_arn(&self, r#type: &str, path: &str, name: &str) -> String {
        let (partition, account) = (self.facts.region.partition(), &self.facts.account);
        let path = names::path_in_recovery(self.facts, path);
        format!("arn:{partition}:iam::{account}:{type}{path}{name}")
    }

    /// Adds a resource of IAM, whose ARN is known by its name.
    fn make_identity(&mut self, arn: &'a str, ids: &LogicalIds<'a>, value: fn(&str) -> Value) {
        if let Some(logical) = ids.get(arn) {
            let made = Made {
                stack: Stack::Identity,
                value: value(logical),
                output: logical.clone(),
                parameter: "String",
                logical: logical.clone(),
            };
            self.made.insert(arn, made);
        }
    }

    fn storage(&mut self) {
        let all = self.descriptions;
        let of = |kind| Type {
            kind,
            stack: Stack::Storage,
            parameter: "String",
            value: ID,
        };
        let keys = all
            .keys
            .iter()
            .filter(|key| key.key_manager == KeyManager::Customer);
        let keys: Vec<_> = keys.collect();
        let named = keys.iter().map(|key| {
            let alias = key
                .aliases
                .first()
                .map(|alias| alias.trim_start_matches("alias/"));
            (key.key_id.as_str(), alias.unwrap_or(&key.key_id))
        });
        let ids = logical_ids("Key", named);
        for key in keys {
            let to = self
                .adopted
                .get(key.arn.as_str())
                .or(self.adopted.get(key.key_id.as_str()));
            if let Some(to) = to.copied() {
                let id = to.rsplit('/').next().unwrap_or(to);
                self.known(Kind::Key, &key.key_id, id);
                continue;
            }
            // The replica of a multi-Region key has the id of its primary key.
            if is_replica(key, self.descriptions, self.facts) {
                self.known(Kind::Key, &key.key_id, &key.key_id);
                self.make_key(&key.key_id, &ids);
                continue;
            }
            let one = ids.iter().filter(|(id, _)| **id == key.key_id);
            let one = one.map(|(id, logical)| (*id, logical.clone())).collect();
            self.add(&of(Kind::Key), one);
        }
        let systems = all.file_systems.iter().map(|system| {
            (
                system.file_system_id.as_str(),
                name_of(&system.tags, &system.file_system_id),
            )
        });
        self.add(&of(Kind::FileSystem), logical_ids("FileSystem", systems));
        let points = all.file_systems.iter().flat_map(|system| &system.access_points);
        let points = points.map(|point| {
            (
                point.access_point_id.as_str(),
                name_of(&point.tags, &point.access_point_id),
            )
        });
        self.add(&of(Kind::AccessPoint), logical_ids("AccessPoint", points));
    }

    fn make_key(&mut self, id: &'a str, ids: &LogicalIds<'a>) {
        if let Some(logical) = ids.get(id) {
            let made = Made {
                stack: Stack::Storage,
                value: reference(logical),
                output: logical.clone(),
                parameter: "String",
                logical: logical.clone(),
            };
            self.made.insert(id, made);
        }
    }

    fn clusters(&mut self) {
        for cluster in &self.descriptions.clusters {
            let name = self
                .facts
                .cluster_names
                .get(&cluster.name)
                .unwrap_or(&cluster.name);
            self.known(Kind::Cluster, &cluster.name, name);
            let stack = Stack::Cluster(cluster.name.clone());
            let made = |output: &str, value: Value, parameter| Made {
                stack: stack.clone(),
                logical: "Cluster".to_owned(),
                value,
                output: output.to_owned(),
                parameter,
            };
            if let Some(group) = &cluster.resources_vpc_config.cluster_security_group_id {
                if let Some(to) = self.adopted.get(group.as_str()) {
                    self.known(Kind::SecurityGroup, group, *to);
                } else {
                    let value = attribute("Cluster", "ClusterSecurityGroupId");
                    let made = made("ClusterSecurityGroup", value, "AWS::EC2::SecurityGroup::Id");
                    self.add_made(Kind::SecurityGroup, group, made);
                }
            }
            let identity = cluster
                .identity
                .as_ref()
                .and_then(|identity| identity.oidc.as_ref());
            let issuer = identity.and_then(|oidc| oidc.issuer.as_deref());
            let urls = [
                (
                    Kind::Host,
                    cluster.endpoint.as_deref(),
                    "EndpointHost",
                    "Endpoint",
                ),
                (Kind::Issuer, issuer, "Issuer", "OpenIdConnectIssuerUrl"),
            ];
            for (kind, url, output, name) in urls {
                // The endpoints of EKS have no port; one that has is of another implementation, and is no host name.
                let text = url.map(|url| url.trim_start_matches("https://"));
                if let Some(text) = text.filter(|text| !text.contains(':')) {
                    self.add_made(kind, text, made(output, without_scheme(name), "String"));
                }
            }
        }
    }

    /// Adds zones, and adopted identifiers of what no stack builds.
    fn rest(&mut self) {
        for (kind, from, to) in self.zones.pairs() {
            self.known(kind, from, to);
        }
        let is_bound = |list: &[Binding], from: &str| {
            list.iter()
                .any(|binding| binding.from == from || from.rsplit('/').next() == Some(binding.from.as_str()))
        };
        let rest: Vec<(&str, &str)> = self
            .adopted
            .iter()
            .map(|(from, to)| (*from, *to))
            .filter(|(from, _)| !is_bound(&self.list, from))
            .collect();
        for (from, to) in rest {
            // The name of a bucket has no form of its own.
            let is_bucket = self.descriptions.buckets.iter().any(|bucket| bucket.name == from);
            if let Some(kind) = kind_of(from).or(is_bucket.then_some(Kind::Bucket)) {
                self.known(kind, from, to);
            }
        }
        for (kind, from, to) in selectors::names(self.descriptions, self.facts, &self.adopted) {
            self.known(kind, &from, to);
        }
    }
}

/// Returns the URL that is an attribute of the cluster, without its scheme.
fn without_scheme(name: &str) -> Value {
    json!({ "Fn::Select": [1, { "Fn::Split": ["https://", attribute("Cluster", name)] }] })
}

/// Returns the kind of an identifier by its form.
fn kind_of(text: &str) -> Option<Kind> {
    let by_prefix = [
        ("vpc-", Kind::Vpc),
        ("subnet-", Kind::Subnet),
        ("sg-", Kind::SecurityGroup),
        ("rtb-", Kind::RouteTable),
        ("pl-", Kind::PrefixList),
        ("eipalloc-", Kind::ElasticIp),
        ("eni-", Kind::NetworkInterface),
        ("vpce-", Kind::VpcEndpoint),
        ("vol-", Kind::Volume),
        ("snap-", Kind::Snapshot),
        ("ami-", Kind::MachineImage),
        ("lt-", Kind::LaunchTemplate),
        ("fs-", Kind::FileSystem),
        ("fsap-", Kind::AccessPoint),
        ("tgw-", Kind::TransitGateway),
        ("pcx-", Kind::Id),
        ("vgw-", Kind::Id),
    ];
    if Arn::parse(text).is_ok() {
        return Some(Kind::Arn);
    }
    let known = by_prefix.iter().find(|(prefix, _)| text.starts_with(prefix));
    known.map(|(_, kind)| *kind)
}

/// Returns the replica of a file system in the recovery environment. EFS has one replica of a file system at most
/// (<https://docs.aws.amazon.com/efs/latest/ug/efs-replication.html>).
pub(crate) fn replica<'a>(
    system: &'a FileSystem,
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
) -> Option<&'a ReplicationDestination> {
    system.replication_destinations.iter().find(|to| {
        let owner = to.owner_id.as_deref().unwrap_or(descriptions.account.as_str());
        owner == facts.account.as_str() && to.region == facts.region.as_str()
    })
}

/// Returns the file systems of the primary environment that EFS replicates to the recovery environment, with their
/// replicas. A file system that the user has mapped to another one is left out: its replica is not used.
pub fn replicas<'a>(
    descriptions: &'a Descriptions,
    facts: &'a RecoveryFacts,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    descriptions.file_systems.iter().filter_map(|system| {
        let (id, to) = (
            system.file_system_id.as_str(),
            replica(system, descriptions, facts)?.file_system_id.as_str(),
        );
        let is_mapped_elsewhere = facts.adopted.iter().any(|one| one.from == id && one.to != to);
        (!is_mapped_elsewhere).then_some((id, to))
    })
}

/// Returns the adopted resources, and finds what is wrong with them.
fn adopted<'a>(
    descriptions: &Descriptions,
    facts: &'a RecoveryFacts,
    findings: &mut Findings,
) -> BTreeMap<&'a str, &'a str> {
    let mut adopted: BTreeMap<&str, &str> = BTreeMap::new();
    let mut by_new: BTreeMap<&str, &str> = BTreeMap::new();
    let text = crate::stack::json(descriptions).to_string();
    for adoption in &facts.adopted {
        let (from, to) = (adoption.from.as_str(), adoption.to.as_str());
        let other = adopted.insert(from, to).filter(|other| *other != to);
        if let Some(other) = other {
            let what = format!("it has two candidates: {other} and {to}");
            findings.error(Code::AdoptionAmbiguous, from, what);
        }
        let first = by_new.insert(to, from).filter(|first| *first != from);
        if let Some(first) = first {
            let what = format!("{first} and {from} are both mapped to {to}");
            findings.error(Code::MappingInvalid, from, what);
        }
        if !text.contains(&format!("\"{from}\"")) {
            let what = "the mapping names a resource that the recovery point does not describe: it is misspelled, or newer than the recovery point";
            findings.error(Code::MappingInvalid, from, what);
        }
        if facts
            .existing
            .as_ref()
            .is_some_and(|existing| !existing.contains(to))
        {
            let what = format!("it is mapped to {to}, which does not exist in the recovery environment");
            findings.error(Code::MappingInvalid, from, what);
        }
    }
    adopted
}
