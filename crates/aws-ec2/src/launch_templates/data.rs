//! What instances of a launch template are made of.

use aws_sdk_ec2::types;
use lifeboat_aws::reads::{Answer, fields};
use lifeboat_infrastructure::description::Hidden;
use lifeboat_infrastructure::description::launch_template::{
    BlockDeviceMapping, EbsBlockDevice, LaunchTemplateData, MetadataOptions, NetworkInterface,
    TagSpecification,
};
use serde_json::{Value, json};

use crate::convert::{number, owned, tags};

mod requirements;

/// Converts the data of a version.
pub(super) fn data(from: &types::ResponseLaunchTemplateData, answer: Answer<'_>) -> LaunchTemplateData {
    let volumes = from.block_device_mappings().iter();
    let interfaces = from.network_interfaces().iter();
    let licenses = from.license_specifications().iter();
    LaunchTemplateData {
        image_id: owned(from.image_id()),
        instance_type: from.instance_type().map(|kind| kind.as_str().to_owned()),
        key_name: owned(from.key_name()),
        user_data: owned(from.user_data()).map(Hidden),
        ebs_optimized: from.ebs_optimized(),
        iam_instance_profile: from
            .iam_instance_profile()
            .and_then(|profile| fields([("arn", text(profile.arn())), ("name", text(profile.name()))])),
        security_group_ids: from.security_group_ids().to_vec(),
        block_device_mappings: volumes.map(|one| volume(one, answer)).collect(),
        network_interfaces: interfaces.map(interface).collect(),
        tag_specifications: from
            .tag_specifications()
            .iter()
            .filter_map(tag_specification)
            .collect(),
        metadata_options: from
            .metadata_options()
            .map(|options| metadata_options(options, answer)),
        monitoring: from
            .monitoring()
            .and_then(|monitoring| fields([("enabled", monitoring.enabled().map(Value::from))])),
        placement: from.placement().and_then(placement),
        credit_specification: from
            .credit_specification()
            .and_then(|credits| fields([("cpuCredits", text(credits.cpu_credits()))])),
        cpu_options: from.cpu_options().and_then(|options| {
            fields([
                ("coreCount", options.core_count().map(Value::from)),
                ("threadsPerCore", options.threads_per_core().map(Value::from)),
                (
                    "amdSevSnp",
                    text(options.amd_sev_snp().map(|value| value.as_str())),
                ),
                (
                    "nestedVirtualization",
                    text(options.nested_virtualization().map(|value| value.as_str())),
                ),
            ])
        }),
        capacity_reservation_specification: from.capacity_reservation_specification().and_then(reservation),
        license_specifications: licenses
            .filter_map(|license| {
                fields([(
                    "licenseConfigurationArn",
                    text(license.license_configuration_arn()),
                )])
            })
            .collect(),
        enclave_options: from
            .enclave_options()
            .and_then(|options| fields([("enabled", options.enabled().map(Value::from))])),
        hibernation_options: from
            .hibernation_options()
            .and_then(|options| fields([("configured", options.configured().map(Value::from))])),
        maintenance_options: from.maintenance_options().and_then(|options| {
            let recovery = options.auto_recovery().map(|value| value.as_str());
            fields([("autoRecovery", text(recovery))])
        }),
        private_dns_name_options: from.private_dns_name_options().and_then(|options| {
            let (a, aaaa) = (
                options.enable_resource_name_dns_a_record(),
                options.enable_resource_name_dns_aaaa_record(),
            );
            fields([
                (
                    "hostnameType",
                    text(options.hostname_type().map(|kind| kind.as_str())),
                ),
                ("enableResourceNameDnsARecord", a.map(Value::from)),
                ("enableResourceNameDnsAAAARecord", aaaa.map(Value::from)),
            ])
        }),
        instance_market_options: from.instance_market_options().and_then(market),
        instance_requirements: from.instance_requirements().and_then(requirements::requirements),
        instance_initiated_shutdown_behavior: from
            .instance_initiated_shutdown_behavior()
            .map(|behavior| behavior.as_str().to_owned()),
        disable_api_termination: from.disable_api_termination(),
        disable_api_stop: from.disable_api_stop(),
    }
}

fn text(text: Option<&str>) -> Option<Value> {
    text.map(Value::from)
}

fn volume(from: &types::LaunchTemplateBlockDeviceMapping, answer: Answer<'_>) -> BlockDeviceMapping {
    BlockDeviceMapping {
        device_name: owned(from.device_name()),
        virtual_name: owned(from.virtual_name()),
        no_device: owned(from.no_device()),
        ebs: from.ebs().map(|ebs| EbsBlockDevice {
            encrypted: ebs.encrypted(),
            delete_on_termination: ebs.delete_on_termination(),
            iops: number(ebs.iops()),
            kms_key_id: owned(ebs.kms_key_id()),
            snapshot_id: owned(ebs.snapshot_id()),
            volume_size: number(ebs.volume_size()),
            volume_type: ebs.volume_type().and_then(|kind| answer.spelled(kind.as_str())),
            throughput: number(ebs.throughput()),
            volume_initialization_rate: number(ebs.volume_initialization_rate()),
        }),
    }
}

fn interface(from: &types::LaunchTemplateInstanceNetworkInterfaceSpecification) -> NetworkInterface {
    NetworkInterface {
        device_index: number(from.device_index()),
        network_card_index: number(from.network_card_index()),
        description: owned(from.description()),
        groups: from.groups().to_vec(),
        associate_public_ip_address: from.associate_public_ip_address(),
        delete_on_termination: from.delete_on_termination(),
        interface_type: owned(from.interface_type()),
        ipv4_prefix_count: number(from.ipv4_prefix_count()),
        ipv6_prefix_count: number(from.ipv6_prefix_count()),
        ipv6_address_count: number(from.ipv6_address_count()),
        secondary_private_ip_address_count: number(from.secondary_private_ip_address_count()),
    }
}

fn tag_specification(from: &types::LaunchTemplateTagSpecification) -> Option<TagSpecification> {
    Some(TagSpecification {
        resource_type: from.resource_type()?.as_str().to_owned(),
        tags: tags(from.tags()),
    })
}

fn metadata_options(
    from: &types::LaunchTemplateInstanceMetadataOptions,
    answer: Answer<'_>,
) -> MetadataOptions {
    MetadataOptions {
        http_tokens: from
            .http_tokens()
            .and_then(|value| answer.spelled(value.as_str())),
        http_put_response_hop_limit: number(from.http_put_response_hop_limit()),
        http_endpoint: from
            .http_endpoint()
            .and_then(|value| answer.spelled(value.as_str())),
        http_protocol_ipv6: from
            .http_protocol_ipv6()
            .and_then(|value| answer.spelled(value.as_str())),
        instance_metadata_tags: from
            .instance_metadata_tags()
            .and_then(|value| answer.spelled(value.as_str())),
    }
}

fn placement(from: &types::LaunchTemplatePlacement) -> Option<Value> {
    fields([
        ("availabilityZone", text(from.availability_zone())),
        ("affinity", text(from.affinity())),
        ("groupName", text(from.group_name())),
        ("groupId", text(from.group_id())),
        ("hostId", text(from.host_id())),
        ("tenancy", text(from.tenancy().map(|tenancy| tenancy.as_str()))),
        ("spreadDomain", text(from.spread_domain())),
        ("hostResourceGroupArn", text(from.host_resource_group_arn())),
        ("partitionNumber", from.partition_number().map(Value::from)),
    ])
}

fn reservation(from: &types::LaunchTemplateCapacityReservationSpecificationResponse) -> Option<Value> {
    let preference = from.capacity_reservation_preference();
    let target = from.capacity_reservation_target().and_then(|target| {
        fields([
            ("capacityReservationId", text(target.capacity_reservation_id())),
            (
                "capacityReservationResourceGroupArn",
                text(target.capacity_reservation_resource_group_arn()),
            ),
        ])
    });
    fields([
        (
            "capacityReservationPreference",
            text(preference.map(|preference| preference.as_str())),
        ),
        ("capacityReservationTarget", target),
    ])
}

fn market(from: &types::LaunchTemplateInstanceMarketOptions) -> Option<Value> {
    let spot = from.spot_options().and_then(|options| {
        let interruption = options.instance_interruption_behavior();
        fields([
            ("maxPrice", text(options.max_price())),
            (
                "spotInstanceType",
                text(options.spot_instance_type().map(|kind| kind.as_str())),
            ),
            (
                "blockDurationMinutes",
                options.block_duration_minutes().map(|minutes| json!(minutes)),
            ),
            (
                "instanceInterruptionBehavior",
                text(interruption.map(|behavior| behavior.as_str())),
            ),
        ])
    });
    fields([
        ("marketType", text(from.market_type().map(|kind| kind.as_str()))),
        ("spotOptions", spot),
    ])
}

#[cfg(test)]
mod tests;
