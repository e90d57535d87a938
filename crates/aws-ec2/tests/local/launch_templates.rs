//! Launch templates in several versions.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateTagSpecificationRequest, RequestLaunchTemplateData, ResourceType, Tag, VolumeType,
};
use lifeboat_aws::reads::{NOT_FOUND, Reads};
use lifeboat_aws_ec2::{Ec2, LaunchTemplateVersion};
use lifeboat_infrastructure::description::launch_template;
use lifeboat_local::conformance::Conformance;

use crate::fixture::{client, context, named};

fn data(user_data: &str) -> RequestLaunchTemplateData {
    let ebs = LaunchTemplateEbsBlockDeviceRequest::builder()
        .encrypted(true)
        .volume_size(50)
        .volume_type(VolumeType::Gp3);
    let volume = LaunchTemplateBlockDeviceMappingRequest::builder()
        .device_name("/dev/xvda")
        .ebs(ebs.build());
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_tokens(LaunchTemplateHttpTokensState::Required)
        .http_put_response_hop_limit(2);
    let tags = LaunchTemplateTagSpecificationRequest::builder()
        .resource_type(ResourceType::Instance)
        .tags(Tag::builder().key("team").value("shop").build());
    RequestLaunchTemplateData::builder()
        .image_id("ami-0123456789abcdef0")
        .instance_type(InstanceType::M6iLarge)
        .user_data(user_data)
        .security_group_ids("sg-0123456789abcdef0")
        .block_device_mappings(volume.build())
        .metadata_options(metadata.build())
        .tag_specifications(tags.build())
        .build()
}

pub(crate) async fn the_versions_in_use_are_read_back(aws: &Conformance) {
    let context = context(aws, "444444444444");
    let client = client(&context);
    let answer = (client.create_launch_template())
        .launch_template_name("nodes")
        .launch_template_data(data("Zmlyc3Q="))
        .tag_specifications(named(ResourceType::LaunchTemplate, "nodes"))
        .send()
        .await
        .unwrap();
    let id = answer.launch_template().unwrap().launch_template_id();
    let id = id.unwrap().to_owned();
    for user_data in ["c2Vjb25k", "dGhpcmQ="] {
        (client.create_launch_template_version())
            .launch_template_id(&id)
            .launch_template_data(data(user_data))
            .send()
            .await
            .unwrap();
    }
    let version = |version: &str| LaunchTemplateVersion {
        id: id.clone(),
        version: version.to_owned(),
    };
    let missing = LaunchTemplateVersion {
        id: "lt-0123456789abcdef0".to_owned(),
        version: "1".to_owned(),
    };
    // The other versions of its template are described all the same.
    let deleted = version("7");
    let wanted = BTreeSet::from([version("3"), version("1"), version("$Latest"), deleted, missing]);
    let reads = Reads::new();
    let found = Ec2::new(&context)
        .launch_templates(&reads, &wanted)
        .await
        .unwrap();
    let numbers: Vec<u64> = found.iter().map(|one| one.version_number).collect();
    assert_eq!(numbers, [1, 3]);
    let last = &found[1];
    assert_eq!(
        (last.launch_template_name.as_str(), last.tags["Name"].as_str()),
        ("nodes", "nodes")
    );
    let data = &last.launch_template_data;
    assert_eq!(data.user_data.as_ref().unwrap().0, "dGhpcmQ=");
    assert_eq!(data.instance_type.as_deref(), Some("m6i.large"));
    assert_eq!(data.security_group_ids, ["sg-0123456789abcdef0"]);
    let ebs = data.block_device_mappings[0].ebs.as_ref().unwrap();
    assert_eq!(ebs.volume_type, Some(launch_template::VolumeType::Gp3));
    assert_eq!(data.tag_specifications[0].tags["team"], "shop");
    // The tags of the template itself are not among those of what it launches.
    aws.same(
        "ec2:DescribeLaunchTemplateVersions",
        "tagSpecificationSet of the first version",
        found[0].launch_template_data.tag_specifications.len(),
        1,
    );
    assert_eq!(data.tag_specifications.len(), 1);

    let refused = reads.refused();
    assert_eq!(refused.len(), 2, "{refused:?}");
    let code_of = |id: &str| {
        let found = refused.iter().find(|one| one.resource == id);
        found.map(|one| one.code.as_str()).unwrap()
    };
    for (code, property, on_aws) in [
        (
            code_of("lt-0123456789abcdef0"),
            "the error for a template that does not exist",
            "InvalidLaunchTemplateId.NotFound",
        ),
        (
            code_of(&id),
            "the error for a version that does not exist",
            "InvalidLaunchTemplateId.VersionNotFound",
        ),
    ] {
        let as_on_aws = aws.same("ec2:DescribeLaunchTemplateVersions", property, code, on_aws);
        assert!(as_on_aws || code == NOT_FOUND, "{refused:?}");
    }
}
