#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use aws_sdk_eks::types::{
    AmiTypes, CapacityTypes, FargateProfileSelector, LaunchTemplateSpecification as Template,
    NodeRepairConfigOverrides, NodegroupUpdateStrategies, RepairAction, TaintEffect, WarmPoolState,
};
use lifeboat_aws::reads::{Reads, UNKNOWN_VALUE};
use lifeboat_infrastructure::description::nodes;

use super::*;
use crate::actions;
use crate::testing::assert_spelled;

#[test]
fn a_node_group_keeps_the_order_of_its_instance_types() {
    let taint = |key: &str| {
        types::Taint::builder()
            .key(key)
            .effect(TaintEffect::PreferNoSchedule)
            .build()
    };
    let overrides = NodeRepairConfigOverrides::builder()
        .node_monitoring_condition("AcceleratedHardwareReady")
        .min_repair_wait_time_mins(10)
        .repair_action(RepairAction::Reboot);
    let repair = types::NodeRepairConfig::builder()
        .enabled(true)
        .node_repair_config_overrides(overrides.build());
    let from = types::Nodegroup::builder()
        .nodegroup_name("general")
        .node_role("arn:aws:iam::111111111111:role/nodes")
        .instance_types("m6i.large")
        .instance_types("m5.large")
        .subnets("subnet-2")
        .subnets("subnet-1")
        .taints(taint("b"))
        .taints(taint("a"))
        .disk_size(-1)
        .ami_type(AmiTypes::Al2023X8664Standard)
        .launch_template(Template::builder().id("lt-1").version("3").build())
        .node_repair_config(repair.build());
    let reads = Reads::new();
    let answer = reads.answer(actions::DESCRIBE_NODEGROUP, "general");
    let group = nodegroup(&from.clone().build(), answer).unwrap();
    assert_eq!(group.instance_types, ["m6i.large", "m5.large"]);
    assert_eq!(group.subnets, ["subnet-1", "subnet-2"]);
    let keys: Vec<&str> = group.taints.iter().map(|taint| taint.key.as_str()).collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(
        (group.disk_size, group.ami_type),
        (None, Some(nodes::AmiType::Al2023X86))
    );
    let overridden = &group.node_repair_config.unwrap().node_repair_config_overrides[0];
    assert_eq!(overridden.repair_action, Some(nodes::RepairAction::Reboot));
    assert!(reads.refused().is_empty());

    let new = from.ami_type(AmiTypes::from("AL2033_x86_64"));
    assert_eq!(nodegroup(&new.build(), answer).unwrap().ami_type, None);
    assert_eq!(reads.refused()[0].code, UNKNOWN_VALUE);
}

#[test]
fn selectors_of_a_fargate_profile_are_sorted() {
    let selector = |namespace: &str| {
        FargateProfileSelector::builder()
            .namespace(namespace)
            .labels("compute", "fargate")
            .build()
    };
    let from = types::FargateProfile::builder()
        .fargate_profile_name("batch")
        .pod_execution_role_arn("arn:aws:iam::111111111111:role/fargate")
        .selectors(selector("shop"))
        .selectors(selector("batch"));
    let profile = fargate_profile(&from.build()).unwrap();
    assert_eq!(profile.selectors[0].namespace.as_deref(), Some("batch"));
    assert_eq!(profile.selectors[1].labels["compute"], "fargate");
}

#[test]
fn the_configuration_of_an_add_on_is_hidden() {
    let from = types::Addon::builder()
        .addon_name("vpc-cni")
        .configuration_values("hunter2")
        .build();
    let addon = addon(&from).unwrap();
    assert!(!format!("{addon:?}").contains("hunter2"));
    assert_eq!(addon.configuration_values.unwrap().0, "hunter2");
}

/// Every value that this version of the SDK knows can be described.
#[test]
fn every_value_of_the_sdk_has_its_place() {
    assert_spelled::<nodes::AmiType>(AmiTypes::values());
    assert_spelled::<nodes::CapacityType>(CapacityTypes::values());
    assert_spelled::<nodes::TaintEffect>(TaintEffect::values());
    assert_spelled::<nodes::UpdateStrategy>(NodegroupUpdateStrategies::values());
    assert_spelled::<nodes::RepairAction>(RepairAction::values());
    assert_spelled::<nodes::WarmPoolState>(WarmPoolState::values());
}
