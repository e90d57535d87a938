#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use aws_sdk_ec2::types::{
    InstanceRequirements, LaunchTemplateBlockDeviceMapping, LaunchTemplateCpuOptions,
    LaunchTemplateEbsBlockDevice, LaunchTemplateHttpTokensState,
    LaunchTemplateIamInstanceProfileSpecification, LaunchTemplateInstanceMetadataOptions,
    LaunchTemplateInstanceNetworkInterfaceSpecification, LaunchTemplatePlacement,
    LaunchTemplateTagSpecification, LaunchTemplatesMonitoring, MemoryMiB, ResourceType,
    ResponseLaunchTemplateData, Tag, VCpuCountRange, VolumeType,
};
use lifeboat_aws::reads::{Reads, UNKNOWN_VALUE};
use lifeboat_infrastructure::description::launch_template::{self, HttpTokens};

use super::*;
use crate::actions;

#[test]
fn the_data_of_a_version_keeps_each_field() {
    let ebs = LaunchTemplateEbsBlockDevice::builder()
        .encrypted(true)
        .volume_size(50)
        .volume_type(VolumeType::Gp3)
        .kms_key_id("alias/nodes");
    let volume = LaunchTemplateBlockDeviceMapping::builder()
        .device_name("/dev/xvda")
        .ebs(ebs.build());
    let interface = LaunchTemplateInstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .groups("sg-1")
        .associate_public_ip_address(false);
    let tags = LaunchTemplateTagSpecification::builder()
        .resource_type(ResourceType::Instance)
        .tags(Tag::builder().key("team").value("shop").build());
    let metadata = LaunchTemplateInstanceMetadataOptions::builder()
        .http_tokens(LaunchTemplateHttpTokensState::Required)
        .http_put_response_hop_limit(2);
    let requirements = InstanceRequirements::builder()
        .v_cpu_count(VCpuCountRange::builder().min(2).max(8).build())
        .memory_mib(MemoryMiB::builder().min(4096).build());
    let from = ResponseLaunchTemplateData::builder()
        .image_id("ami-1")
        .user_data("aHVudGVyMg==")
        .block_device_mappings(volume.build())
        .network_interfaces(interface.build())
        .tag_specifications(tags.build())
        .metadata_options(metadata.build())
        .monitoring(LaunchTemplatesMonitoring::builder().enabled(true).build())
        .placement(LaunchTemplatePlacement::builder().group_name("spread").build())
        .cpu_options(
            LaunchTemplateCpuOptions::builder()
                .core_count(2)
                .threads_per_core(1)
                .build(),
        )
        .iam_instance_profile(
            LaunchTemplateIamInstanceProfileSpecification::builder()
                .name("nodes")
                .build(),
        )
        .instance_requirements(requirements.build())
        .disable_api_stop(false)
        .build();
    let reads = Reads::new();
    let data = data(&from, reads.answer(actions::LAUNCH_TEMPLATE_VERSIONS, "lt-1"));
    let ebs = data.block_device_mappings[0].ebs.as_ref().unwrap();
    assert_eq!(ebs.volume_type, Some(launch_template::VolumeType::Gp3));
    assert_eq!(
        (ebs.volume_size, ebs.kms_key_id.as_deref()),
        (Some(50), Some("alias/nodes"))
    );
    assert_eq!(data.network_interfaces[0].groups, ["sg-1"]);
    assert_eq!(data.tag_specifications[0].resource_type, "instance");
    assert_eq!(data.tag_specifications[0].tags["team"], "shop");
    assert_eq!(
        data.metadata_options.as_ref().unwrap().http_tokens,
        Some(HttpTokens::Required)
    );
    assert_eq!(data.monitoring, Some(json!({"enabled": true})));
    assert_eq!(data.placement, Some(json!({"groupName": "spread"})));
    assert_eq!(
        data.cpu_options,
        Some(json!({"coreCount": 2, "threadsPerCore": 1}))
    );
    assert_eq!(data.iam_instance_profile, Some(json!({"name": "nodes"})));
    assert_eq!(
        data.instance_requirements,
        Some(json!({"vCpuCount": {"min": 2, "max": 8}, "memoryMiB": {"min": 4096}}))
    );
    assert_eq!(data.disable_api_stop, Some(false));
    assert!(data.credit_specification.is_none() && reads.refused().is_empty());
    assert!(!format!("{data:?}").contains("aHVudGVyMg"));
}

#[test]
fn a_type_of_volume_that_is_not_known_is_noted() {
    let ebs = LaunchTemplateEbsBlockDevice::builder().volume_type(VolumeType::from("gp9"));
    let volume = LaunchTemplateBlockDeviceMapping::builder()
        .ebs(ebs.build())
        .build();
    let from = ResponseLaunchTemplateData::builder()
        .block_device_mappings(volume)
        .build();
    let reads = Reads::new();
    let data = data(&from, reads.answer(actions::LAUNCH_TEMPLATE_VERSIONS, "lt-1"));
    assert_eq!(
        data.block_device_mappings[0].ebs.as_ref().unwrap().volume_type,
        None
    );
    let refused = reads.refused();
    assert_eq!(
        (refused[0].resource.as_str(), refused[0].code.as_str()),
        ("lt-1", UNKNOWN_VALUE)
    );
}
