//! Node groups, Fargate profiles and add-ons of EKS.

use lifeboat_model::Code;
use serde_json::{Map, Value, json};

use super::{CLUSTER, launch_template};
use crate::builder::Builder;
use crate::checks;
use crate::description::cluster::Cluster;
use crate::description::nodes::{Addon, AmiType, FargateProfile, Nodegroup};
use crate::facts::RecoveryFacts;
use crate::names::logical_ids;
use crate::stack::json;
use crate::template::{Resource, attribute, pascal_keys, reference};

pub(super) fn build(builder: &mut Builder<'_, '_>, cluster: &Cluster, version: &str) {
    let names = cluster
        .nodegroups
        .iter()
        .map(|group| (group.nodegroup_name.as_str(), group.nodegroup_name.as_str()));
    let ids = logical_ids("Nodegroup", names);
    for group in &cluster.nodegroups {
        checks::nodes(
            builder,
            cluster,
            &group.nodegroup_name,
            &group.subnets,
            &group.node_role,
        );
        let resource = nodegroup(builder, cluster, group, version);
        if let (Some(resource), Some(logical)) = (resource, ids.get(group.nodegroup_name.as_str())) {
            builder.add(logical, resource);
        }
    }
    let names = cluster.fargate_profiles.iter().map(|profile| {
        (
            profile.fargate_profile_name.as_str(),
            profile.fargate_profile_name.as_str(),
        )
    });
    let ids = logical_ids("FargateProfile", names);
    // EKS makes one profile of a cluster at a time.
    let mut before: Option<String> = None;
    for profile in &cluster.fargate_profiles {
        checks::pods(builder, cluster, profile);
        let (Some(resource), Some(logical)) = (
            fargate_profile(builder, profile),
            ids.get(profile.fargate_profile_name.as_str()),
        ) else {
            continue;
        };
        let resource = before
            .iter()
            .fold(resource, |resource, before| resource.after(before));
        builder.add(logical, resource);
        before = Some(logical.clone());
    }
    if builder.context.facts.managed_addons {
        let names = cluster
            .addons
            .iter()
            .map(|addon| (addon.addon_name.as_str(), addon.addon_name.as_str()));
        let ids = logical_ids("Addon", names);
        for addon in &cluster.addons {
            let resource = self::addon(builder, cluster, addon);
            if let Some(logical) = ids.get(addon.addon_name.as_str()) {
                builder.add(logical, resource);
            }
        }
    }
}

fn nodegroup(
    builder: &mut Builder<'_, '_>,
    cluster: &Cluster,
    group: &Nodegroup,
    version: &str,
) -> Option<Resource> {
    let name = group.nodegroup_name.as_str();
    let Some(role) = builder.role(name, &group.node_role) else {
        let what = format!("its role {} has no counterpart", group.node_role);
        builder.findings.error(Code::DescriptionMissing, name, what);
        return None;
    };
    let subnets = builder.all(name, &group.subnets);
    let template = launch_template::of(builder, cluster, group);
    let has_image = template.as_ref().is_some_and(|template| template.has_image);
    // EKS accepts no other version than that of the cluster for a new node group
    // (CreateNodegroup, parameter `version`).
    let is_primary = builder.context.is_primary;
    let version = group.version.as_deref().filter(|_| is_primary).unwrap_or(version);
    let is_same = group.version.as_deref().is_none_or(|own| own == version);
    if !is_same {
        let what = format!(
            "its nodes get the version {version} of the cluster, which is the only one for a new node group"
        );
        builder.findings.warning(Code::PropertyNotKept, name, what);
    }
    let release = group.release_version.as_deref().filter(|_| is_same && !has_image);
    let ami_type = group.ami_type.filter(|ami_type| *ami_type != AmiType::Custom);
    let update = pascal_keys(json(&group.update_config));
    let mut resource = Resource::new("AWS::EKS::Nodegroup")
        .with("ClusterName", reference(CLUSTER))
        .with("NodegroupName", json!(name))
        .with("NodeRole", role)
        .with("Subnets", subnets)
        .with("CapacityType", json(&group.capacity_type))
        .with("InstanceTypes", json!(group.instance_types))
        .with("ScalingConfig", pascal_keys(json(&group.scaling_config)))
        .with("UpdateConfig", update)
        .with("NodeRepairConfig", pascal_keys(json(&group.node_repair_config)))
        .with("WarmPoolConfig", pascal_keys(json(&group.warm_pool_config)))
        .with("Labels", json!(group.labels))
        .with("Taints", pascal_keys(json(&group.taints)))
        .with("Tags", builder.tag_map(&group.tags));
    if !has_image {
        resource = resource
            .with("AmiType", json(&ami_type))
            .with("Version", json!(version))
            .with("ReleaseVersion", json!(release));
    }
    match template {
        Some(template) => {
            let version = attribute(&template.logical, "LatestVersionNumber");
            let launch = json!({"Id": reference(&template.logical), "Version": version});
            resource = resource.with("LaunchTemplate", launch);
        }
        None => {
            resource = resource
                .with("DiskSize", json(&group.disk_size))
                .with("RemoteAccess", remote_access(builder, group));
        }
    }
    Some(resource)
}

fn remote_access(builder: &mut Builder<'_, '_>, group: &Nodegroup) -> Value {
    let Some(access) = &group.remote_access else {
        return Value::Null;
    };
    let mut out = Map::new();
    let Some(key) = &access.ec2_ssh_key else {
        return Value::Null;
    };
    // Security groups alone let nobody in by SSH, and EKS refuses them.
    let Some(key) = key_pair(builder, &group.nodegroup_name, key) else {
        return Value::Null;
    };
    out.insert("Ec2SshKey".to_owned(), json!(key));
    let groups = builder.all(&group.nodegroup_name, &access.source_security_groups);
    if !groups.is_empty() {
        out.insert("SourceSecurityGroups".to_owned(), groups.into());
    }
    Value::Object(out)
}

/// Returns the name of an SSH key pair; `None` if there is none in the recovery Region. Its material cannot be read, so that
/// nobody but the user can make it.
pub(super) fn key_pair(builder: &mut Builder<'_, '_>, of: &str, key: &str) -> Option<String> {
    let context = builder.context;
    if context.is_primary {
        return Some(key.to_owned());
    }
    if let Some(to) = context.bindings.adopted.get(key) {
        return Some((*to).to_owned());
    }
    let region = &context.facts.region;
    match &context.facts.key_pairs {
        Some(there) if there.contains(key) => Some(key.to_owned()),
        Some(_) => {
            let shown = key.escape_default();
            let what = format!(
                "the SSH key pair {shown} does not exist in {region}: the nodes are built without it"
            );
            let remedy = import(key, context.facts);
            builder
                .findings
                .warning_with(Code::KeyPairMissing, of, what, remedy);
            None
        }
        None => {
            let what = format!("the SSH key pair {key} must exist in the recovery Region");
            builder.findings.warning(Code::CounterpartUnknown, of, what);
            Some(key.to_owned())
        }
    }
}

/// Returns how a key pair of a name is made. The name comes from the primary account, and is a part of the command only if it
/// is a plain word.
fn import(key: &str, facts: &RecoveryFacts) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte);
    if key.starts_with('-') || !key.bytes().all(is_plain) {
        return Code::KeyPairMissing.explanation().remedy.to_owned();
    }
    format!(
        "run `aws ec2 import-key-pair --key-name {key} --public-key-material fileb://{key}.pub --region {}` in the account {} \
         and plan again, or map the name to that of a key pair that exists there with `adopt`",
        facts.region, facts.account
    )
}

fn fargate_profile(builder: &mut Builder<'_, '_>, profile: &FargateProfile) -> Option<Resource> {
    let name = profile.fargate_profile_name.as_str();
    let Some(role) = builder.role(name, &profile.pod_execution_role_arn) else {
        let what = format!("its role {} has no counterpart", profile.pod_execution_role_arn);
        builder.findings.error(Code::DescriptionMissing, name, what);
        return None;
    };
    let selectors = profile.selectors.iter().filter_map(|selector| {
        let labels = selector
            .labels
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}));
        let labels: Vec<Value> = labels.collect();
        let mut out = json!({"Namespace": selector.namespace.as_ref()?});
        if !labels.is_empty() {
            out["Labels"] = labels.into();
        }
        Some(out)
    });
    let selectors: Vec<Value> = selectors.collect();
    let subnets = builder.all(name, &profile.subnets);
    let resource = Resource::new("AWS::EKS::FargateProfile")
        .with("ClusterName", reference(CLUSTER))
        .with("FargateProfileName", json!(name))
        .with("PodExecutionRoleArn", role)
        .with("Subnets", subnets)
        .with("Selectors", selectors)
        .with("Tags", builder.tag_list(&profile.tags));
    Some(resource)
}

fn addon(builder: &mut Builder<'_, '_>, cluster: &Cluster, addon: &Addon) -> Resource {
    let name = addon.addon_name.as_str();
    let role = addon.service_account_role_arn.as_deref();
    let role = role.and_then(|role| builder.role(name, role));
    let values = addon
        .configuration_values
        .as_ref()
        .map(|values| builder.context.text(&values.0));
    let values = values.map(|values| builder.expressed(Value::String(values), true));
    let mut pods = Vec::new();
    for association in &cluster.pod_identity_associations {
        if association.owner_arn.is_none() || association.owner_arn != addon.addon_arn {
            continue;
        }
        if let Some(role) = builder.role(name, &association.role_arn) {
            pods.push(json!({"ServiceAccount": association.service_account, "RoleArn": role}));
        }
    }
    let namespace = addon
        .namespace_config
        .as_ref()
        .and_then(|config| config.namespace.as_ref());
    Resource::new("AWS::EKS::Addon")
        .with("ClusterName", reference(CLUSTER))
        .with("AddonName", json!(name))
        .with("AddonVersion", json(&addon.addon_version))
        .with("ServiceAccountRoleArn", role)
        .with("PodIdentityAssociations", pods)
        .with("ConfigurationValues", values)
        .with(
            "NamespaceConfig",
            namespace.map_or(Value::Null, |name| json!({"Namespace": name})),
        )
        .with("ResolveConflicts", "OVERWRITE")
        .with("Tags", builder.tag_list(&addon.tags))
}
