//! What is checked before a cluster is built, because EKS would tell it late or never.

use std::collections::BTreeSet;

use lifeboat_model::Code;

use crate::bindings;
use crate::builder::Builder;
use crate::description::cluster::Cluster;
use crate::description::iam::Role;
use crate::description::network::{RouteTable, VpcEndpointType};
use crate::description::nodes::FargateProfile;
use crate::policy;

/// The services that nodes without a way to the internet need endpoints of
/// (<https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html>).
const NEEDED: [&str; 5] = ["ec2", "ecr.api", "ecr.dkr", "s3", "sts"];

/// Checks the roles of a cluster.
pub(crate) fn cluster(builder: &mut Builder<'_, '_>, cluster: &Cluster) {
    if cluster.role_arn.contains(":role/aws-service-role/") {
        let what = "its role is a service-linked role, which EKS does not accept as the role of a cluster";
        builder.findings.error(Code::RoleIncomplete, &cluster.name, what);
    }
    has_policy(builder, &cluster.role_arn, &["AmazonEKSClusterPolicy"]);
    for config in &cluster.encryption_config {
        let key = config
            .provider
            .as_ref()
            .and_then(|provider| provider.key_arn.as_deref());
        if let Some(key) = key {
            may_use(builder, &cluster.role_arn, key);
        }
    }
}

/// Returns the security groups that can be chosen for a cluster. Those that AWS makes for a cluster or its load balancers
/// do not exist before it.
pub(crate) fn choosable(builder: &mut Builder<'_, '_>, of: &str, groups: &[String]) -> Vec<String> {
    let all = builder.context.descriptions;
    let is_of_aws = |id: &String| {
        let own = all.clusters.iter();
        let mut own =
            own.filter_map(|cluster| cluster.resources_vpc_config.cluster_security_group_id.as_ref());
        let mut described = all.security_groups.iter();
        let is_adopted = builder.context.bindings.adopted.contains_key(id.as_str());
        !is_adopted
            && (own.any(|group| group == id)
                || described.any(|group| group.group_id == *id && bindings::is_made_by_others(group)))
    };
    let (made, chosen): (Vec<String>, Vec<String>) = groups.iter().cloned().partition(is_of_aws);
    for group in made {
        let what =
            format!("{group} is left out of its security groups: AWS makes it, and nobody can choose it");
        builder.findings.warning(Code::PropertyNotKept, of, what);
    }
    chosen
}

/// Checks that nodes can join: their role and their way to the services that they need.
pub(crate) fn nodes(
    builder: &mut Builder<'_, '_>,
    cluster: &Cluster,
    of: &str,
    subnets: &[String],
    role: &str,
) {
    has_policy(
        builder,
        role,
        &["AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy"],
    );
    let pull = [
        "AmazonEC2ContainerRegistryReadOnly",
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEC2ContainerRegistryPowerUser",
    ];
    has_policy(builder, role, &pull);
    reach(builder, cluster, of, subnets);
}

/// Checks that Pods on Fargate can start.
pub(crate) fn pods(builder: &mut Builder<'_, '_>, cluster: &Cluster, profile: &FargateProfile) {
    has_policy(
        builder,
        &profile.pod_execution_role_arn,
        &["AmazonEKSFargatePodExecutionRolePolicy"],
    );
    reach(builder, cluster, &profile.fargate_profile_name, &profile.subnets);
}

fn role_of<'a>(builder: &Builder<'_, 'a>, arn: &str) -> Option<&'a Role> {
    builder
        .context
        .descriptions
        .roles
        .iter()
        .find(|role| role.arn == arn)
}

/// Finds a role that has neither one of these policies of AWS nor one of its own that could take their place.
fn has_policy(builder: &mut Builder<'_, '_>, arn: &str, names: &[&str]) {
    let Some(role) = role_of(builder, arn) else { return };
    let is_of_aws = |policy: &String| policy.contains(":iam::aws:policy/");
    let has_own = !role.inline_policies.is_empty() || !role.attached_policies.iter().all(is_of_aws);
    let has_one = role
        .attached_policies
        .iter()
        .any(|policy| names.iter().any(|name| policy.ends_with(&format!("/{name}"))));
    if !has_one && !has_own {
        let what = format!(
            "the policy {} is not attached, and no policy of your own takes its place",
            names.join(" or ")
        );
        builder.findings.warning(Code::RoleIncomplete, arn, what);
    }
}

/// Finds a cluster role that may not use the key of the cluster, by its own policies or by that of the key.
fn may_use(builder: &mut Builder<'_, '_>, arn: &str, key: &str) {
    let all = builder.context.descriptions;
    let Some(role) = role_of(builder, arn) else { return };
    let managed = all
        .policies
        .iter()
        .filter(|policy| role.attached_policies.contains(&policy.arn));
    let documents: Vec<_> = role
        .inline_policies
        .values()
        .chain(managed.map(|policy| &policy.document))
        .map(|document| &document.0)
        .collect();
    let of_key = all
        .keys
        .iter()
        .find(|one| one.arn == key)
        .and_then(|one| one.policy.as_ref());
    let by_key = |action: &str| {
        let statements = of_key
            .map(|policy| policy::statements(&policy.0))
            .unwrap_or_default();
        statements.into_iter().any(|statement| {
            let principals = policy::texts(
                statement
                    .get("Principal")
                    .and_then(|principal| principal.get("AWS")),
            );
            let one = serde_json::json!({ "Statement": statement });
            principals.contains(&arn) && policy::allows(&one, action, key)
        })
    };
    // AmazonEKSClusterPolicy lets a cluster describe keys.
    let describes = role
        .attached_policies
        .iter()
        .any(|policy| policy.ends_with("/AmazonEKSClusterPolicy"));
    let lacks = ["kms:DescribeKey", "kms:CreateGrant"]
        .into_iter()
        .filter(|action| {
            let by_role = documents
                .iter()
                .any(|document| policy::allows(document, action, key));
            let by_aws = *action == "kms:DescribeKey" && describes;
            !(by_role || by_aws || by_key(action))
        });
    let lacks: Vec<&str> = lacks.collect();
    if !lacks.is_empty() {
        let what = format!("it lacks {} on {key}", lacks.join(" and "));
        builder.findings.error(Code::KeyNotUsable, arn, what);
    }
}

/// Returns the route table of a subnet.
fn table_of<'a>(builder: &Builder<'_, 'a>, subnet: &str, vpc: &str) -> Option<&'a RouteTable> {
    let tables = || builder.context.descriptions.route_tables.iter();
    let own = tables().find(|table| table.subnet_ids.iter().any(|id| id == subnet));
    own.or_else(|| tables().find(|table| table.main && table.vpc_id == vpc))
}

/// Finds subnets of nodes that lead to neither the internet nor the endpoints that nodes need.
fn reach(builder: &mut Builder<'_, '_>, cluster: &Cluster, of: &str, subnets: &[String]) {
    let all = builder.context.descriptions;
    let adopted = &builder.context.bindings.adopted;
    let mut cut_off: BTreeSet<(String, String)> = BTreeSet::new();
    for id in subnets {
        let Some(subnet) = all.subnets.iter().find(|subnet| subnet.subnet_id == *id) else {
            continue;
        };
        if adopted.contains_key(id.as_str()) {
            continue;
        }
        let table = table_of(builder, id, &subnet.vpc_id);
        let leads_out = |table: &RouteTable| {
            table.routes.iter().any(|route| {
                let is_default = route.destination_cidr_block.as_deref() == Some("0.0.0.0/0")
                    || route.destination_ipv6_cidr_block.as_deref() == Some("::/0");
                let other = [
                    &route.transit_gateway_id,
                    &route.vpc_peering_connection_id,
                    &route.network_interface_id,
                ];
                let is_kept = route.nat_gateway_id.is_some()
                    || route.egress_only_internet_gateway_id.is_some()
                    || route
                        .gateway_id
                        .as_deref()
                        .is_some_and(|gateway| gateway.starts_with("igw-"))
                    || other
                        .into_iter()
                        .flatten()
                        .any(|id| adopted.contains_key(id.as_str()));
                is_default && is_kept
            })
        };
        if table.is_some_and(leads_out) {
            continue;
        }
        let mut missing: Vec<&str> = NEEDED
            .into_iter()
            .filter(|service| {
                !all.vpc_endpoints.iter().any(|endpoint| {
                    let reaches = match endpoint.vpc_endpoint_type {
                        VpcEndpointType::Gateway => table
                            .is_some_and(|table| endpoint.route_table_ids.contains(&table.route_table_id)),
                        _ => true,
                    };
                    endpoint.vpc_id == subnet.vpc_id
                        && reaches
                        && endpoint.service_name.ends_with(&format!(".{service}"))
                })
            })
            .collect();
        if !cluster.resources_vpc_config.endpoint_private_access {
            missing.insert(0, "the private endpoint of the API server");
        }
        if !missing.is_empty() {
            cut_off.insert((id.clone(), missing.join(", ")));
        }
    }
    for (subnet, missing) in cut_off {
        let what = format!("{subnet} has no way to the internet, and its VPC has no endpoint for: {missing}");
        builder.findings.warning(Code::NodesCutOff, of, what);
    }
}
