//! EBS volumes.

use std::collections::BTreeSet;

use aws_sdk_ec2::types;
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::{Answer, NOT_FOUND, Reads};
use lifeboat_infrastructure::description::data::Volume;

use crate::convert::{number, owned, tags};
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Reads volumes by their ids, sorted by id. One that does not exist is noted.
    ///
    /// # Errors
    /// [`AwsError`] if EC2 throttles or does not answer. What it refuses is noted in `reads`.
    pub async fn volumes(&self, reads: &Reads, volumes: &BTreeSet<String>) -> Result<Vec<Volume>, AwsError> {
        let wanted: Vec<String> = volumes.iter().cloned().collect();
        let mut found: Vec<Volume> = Vec::new();
        for ids in wanted.chunks(FILTER_VALUES) {
            let request = self.client.describe_volumes().filters(filter("volume-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let answer: Option<Vec<types::Volume>> =
                reads.call(actions::VOLUMES, "AWS::EC2::Volume", pages).await?;
            let Some(answer) = answer else { continue };
            for one in &answer {
                let answer = reads.answer(actions::VOLUMES, one.volume_id().unwrap_or_default());
                found.extend(answer.needed(volume(one, answer)));
            }
            let named: BTreeSet<&str> = answer.iter().filter_map(types::Volume::volume_id).collect();
            for id in ids.iter().filter(|id| !named.contains(id.as_str())) {
                reads.refuse(actions::VOLUMES, id, NOT_FOUND);
            }
        }
        found.sort_by(|a, b| a.volume_id.cmp(&b.volume_id));
        Ok(found)
    }
}

fn volume(from: &types::Volume, answer: Answer<'_>) -> Option<Volume> {
    Some(Volume {
        volume_id: from.volume_id()?.to_owned(),
        size: number(from.size()),
        volume_type: from.volume_type().and_then(|one| answer.spelled(one.as_str())),
        iops: number(from.iops()),
        throughput: number(from.throughput()),
        availability_zone: owned(from.availability_zone()),
        encrypted: from.encrypted(),
        kms_key_id: owned(from.kms_key_id()),
        snapshot_id: owned(from.snapshot_id()).filter(|id| !id.is_empty()),
        multi_attach_enabled: from.multi_attach_enabled(),
        tags: tags(from.tags()),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ec2::types::VolumeType;
    use lifeboat_aws::reads::spelled;
    use lifeboat_infrastructure::description::data;

    use super::*;

    #[test]
    fn a_volume_tells_its_size_type_zone_and_key() {
        let from = types::Volume::builder()
            .volume_id("vol-0123456789abcdef0")
            .size(20)
            .volume_type(VolumeType::Gp3)
            .availability_zone("eu-west-1a")
            .encrypted(true)
            .kms_key_id("arn:aws:kms:eu-west-1:111111111111:key/1234abcd")
            .snapshot_id("")
            .build();
        let reads = Reads::new();
        let volume = volume(&from, reads.answer(actions::VOLUMES, "vol-0123456789abcdef0")).unwrap();
        assert_eq!(
            (volume.size, volume.volume_type),
            (Some(20), Some(data::VolumeType::Gp3))
        );
        assert_eq!(volume.snapshot_id, None);
        assert!(volume.kms_key_id.is_some() && reads.refused().is_empty());
    }

    #[test]
    fn every_type_of_the_sdk_is_described() {
        for value in VolumeType::values() {
            assert!(spelled::<data::VolumeType>(value).is_some(), "{value}");
        }
    }
}
