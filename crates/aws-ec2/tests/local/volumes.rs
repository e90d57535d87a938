//! EBS volumes.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{ResourceType, VolumeType};
use lifeboat_aws::reads::{NOT_FOUND, Reads};
use lifeboat_aws_ec2::Ec2;
use lifeboat_infrastructure::description::data;
use lifeboat_local::conformance::Conformance;

use crate::fixture::{client, context, named};

pub(crate) async fn volumes_are_read_back(aws: &Conformance) {
    let context = context(aws, "555555555555");
    let answer = (client(&context).create_volume())
        .availability_zone("eu-west-1a")
        .size(20)
        .volume_type(VolumeType::Gp3)
        .iops(4000)
        .throughput(250)
        .encrypted(true)
        .tag_specifications(named(ResourceType::Volume, "carts"))
        .send()
        .await
        .unwrap();
    let id = answer.volume_id().unwrap().to_owned();
    let missing = "vol-0123456789abcdef0".to_owned();
    let reads = Reads::new();
    let wanted = BTreeSet::from([id.clone(), missing.clone()]);
    let found = Ec2::new(&context).volumes(&reads, &wanted).await.unwrap();
    let [volume] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(volume.volume_id, id);
    assert_eq!(
        (volume.size, volume.volume_type, volume.encrypted),
        (Some(20), Some(data::VolumeType::Gp3), Some(true))
    );
    assert_eq!(volume.availability_zone.as_deref(), Some("eu-west-1a"));
    assert_eq!(volume.tags["Name"], "carts");
    assert_eq!(volume.snapshot_id, None);
    aws.same("ec2:DescribeVolumes", "iops", volume.iops, Some(4000));
    aws.same("ec2:DescribeVolumes", "throughput", volume.throughput, Some(250));
    // Without a key of the user, it is the key of the account for EBS.
    let has_key = volume
        .kms_key_id
        .as_deref()
        .is_some_and(|key| key.starts_with("arn:aws:kms:"));
    aws.same("ec2:DescribeVolumes", "kmsKeyId", has_key, true);
    let refused: Vec<_> = reads
        .refused()
        .into_iter()
        .map(|one| (one.resource, one.code))
        .collect();
    assert_eq!(refused, [(missing, NOT_FOUND.to_owned())]);
}
