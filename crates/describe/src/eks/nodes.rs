//! Node groups, Fargate profiles and add-ons.

use aws_sdk_eks::types;
use lifeboat_aws::reads::Answer;
use lifeboat_infrastructure::description::Hidden;
use lifeboat_infrastructure::description::nodes::{
    Addon, AddonNamespace, FargateProfile, FargateSelector, LaunchTemplateSpecification, NodeRepairConfig,
    NodeRepairOverride, Nodegroup, RemoteAccess, ScalingConfig, Taint, UpdateConfig, WarmPoolConfig,
};

use super::convert::{in_order, number, owned, sorted};

/// Converts a node group. `None` if it has no name or role.
pub(super) fn nodegroup(from: &types::Nodegroup, answer: Answer<'_>) -> Option<Nodegroup> {
    let mut taints: Vec<Taint> = from
        .taints()
        .iter()
        .filter_map(|one| taint(one, answer))
        .collect();
    taints.sort_by(|a, b| (&a.key, a.effect, &a.value).cmp(&(&b.key, b.effect, &b.value)));
    Some(Nodegroup {
        nodegroup_name: from.nodegroup_name()?.to_owned(),
        nodegroup_arn: owned(from.nodegroup_arn()),
        version: owned(from.version()),
        release_version: owned(from.release_version()),
        capacity_type: from
            .capacity_type()
            .and_then(|kind| answer.spelled(kind.as_str())),
        scaling_config: from.scaling_config().map(|config| ScalingConfig {
            min_size: number(config.min_size()),
            max_size: number(config.max_size()),
            desired_size: number(config.desired_size()),
        }),
        // In the order of priority.
        instance_types: from.instance_types().to_vec(),
        subnets: in_order(from.subnets()),
        remote_access: from.remote_access().map(|access| RemoteAccess {
            ec2_ssh_key: owned(access.ec2_ssh_key()),
            source_security_groups: in_order(access.source_security_groups()),
        }),
        ami_type: from.ami_type().and_then(|kind| answer.spelled(kind.as_str())),
        node_role: from.node_role()?.to_owned(),
        labels: sorted(from.labels()),
        taints,
        disk_size: number(from.disk_size()),
        update_config: from.update_config().map(|config| UpdateConfig {
            max_unavailable: number(config.max_unavailable()),
            max_unavailable_percentage: number(config.max_unavailable_percentage()),
            update_strategy: config
                .update_strategy()
                .and_then(|strategy| answer.spelled(strategy.as_str())),
        }),
        node_repair_config: from.node_repair_config().map(|config| repair(config, answer)),
        launch_template: from
            .launch_template()
            .map(|template| LaunchTemplateSpecification {
                id: owned(template.id()),
                name: owned(template.name()),
                version: owned(template.version()),
            }),
        warm_pool_config: from.warm_pool_config().map(|config| WarmPoolConfig {
            enabled: config.enabled(),
            min_size: number(config.min_size()),
            max_group_prepared_capacity: config.max_group_prepared_capacity(),
            pool_state: config
                .pool_state()
                .and_then(|state| answer.spelled(state.as_str())),
            reuse_on_scale_in: config.reuse_on_scale_in(),
        }),
        tags: sorted(from.tags()),
    })
}

fn taint(from: &types::Taint, answer: Answer<'_>) -> Option<Taint> {
    Some(Taint {
        key: from.key()?.to_owned(),
        value: owned(from.value()),
        effect: answer.spelled(from.effect()?.as_str())?,
    })
}

fn repair(from: &types::NodeRepairConfig, answer: Answer<'_>) -> NodeRepairConfig {
    let overrides = from.node_repair_config_overrides().iter();
    NodeRepairConfig {
        enabled: from.enabled(),
        max_unhealthy_node_threshold_count: number(from.max_unhealthy_node_threshold_count()),
        max_unhealthy_node_threshold_percentage: number(from.max_unhealthy_node_threshold_percentage()),
        max_parallel_nodes_repaired_count: number(from.max_parallel_nodes_repaired_count()),
        max_parallel_nodes_repaired_percentage: number(from.max_parallel_nodes_repaired_percentage()),
        node_repair_config_overrides: overrides
            .map(|one| NodeRepairOverride {
                node_monitoring_condition: owned(one.node_monitoring_condition()),
                node_unhealthy_reason: owned(one.node_unhealthy_reason()),
                min_repair_wait_time_mins: number(one.min_repair_wait_time_mins()),
                repair_action: one
                    .repair_action()
                    .and_then(|action| answer.spelled(action.as_str())),
            })
            .collect(),
    }
}

/// Converts a Fargate profile. `None` if it has no name or role.
pub(super) fn fargate_profile(from: &types::FargateProfile) -> Option<FargateProfile> {
    let selectors = from.selectors().iter().map(|selector| FargateSelector {
        namespace: owned(selector.namespace()),
        labels: sorted(selector.labels()),
    });
    let mut selectors: Vec<FargateSelector> = selectors.collect();
    selectors.sort_by(|a, b| (&a.namespace, &a.labels).cmp(&(&b.namespace, &b.labels)));
    Some(FargateProfile {
        fargate_profile_name: from.fargate_profile_name()?.to_owned(),
        fargate_profile_arn: owned(from.fargate_profile_arn()),
        pod_execution_role_arn: from.pod_execution_role_arn()?.to_owned(),
        subnets: in_order(from.subnets()),
        selectors,
        tags: sorted(from.tags()),
    })
}

/// Converts an add-on. `None` if it has no name.
pub(super) fn addon(from: &types::Addon) -> Option<Addon> {
    Some(Addon {
        addon_name: from.addon_name()?.to_owned(),
        addon_arn: owned(from.addon_arn()),
        addon_version: owned(from.addon_version()),
        service_account_role_arn: owned(from.service_account_role_arn()),
        configuration_values: owned(from.configuration_values()).map(Hidden),
        pod_identity_associations: in_order(from.pod_identity_associations()),
        namespace_config: from.namespace_config().map(|config| AddonNamespace {
            namespace: owned(config.namespace()),
        }),
        tags: sorted(from.tags()),
    })
}

#[cfg(test)]
mod tests;
