//! EFS file systems with their access points and mount targets.

use std::collections::BTreeSet;

use aws_sdk_efs::Client;
use aws_sdk_efs::types;
use aws_sdk_efs::types::{LifeCycleState, Status};
use futures::FutureExt as _;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::description::storage::{
    AccessPoint, CreationInfo, FileSystem, FileSystemLifecycle, MountTarget, PosixUser,
    ReplicationDestination, RootDirectory,
};
use lifeboat_infrastructure::description::{Hidden, PolicyDocument, Tags};

use crate::actions;
use crate::parallel::each;
use crate::place::Place;

/// The error code for a file system without a policy, or without a backup policy.
const NO_POLICY: &str = "PolicyNotFound";
/// The error code for a file system that is not replicated.
const NO_REPLICATION: &str = "ReplicationNotFound";

/// Reads file systems.
pub(crate) struct Efs<'a> {
    client: Client,
    reads: &'a Reads,
    place: &'a Place,
}

impl<'a> Efs<'a> {
    pub(crate) fn new(context: &AwsContext, reads: &'a Reads, place: &'a Place) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            reads,
            place,
        }
    }

    /// Reads file systems, and those of access points, sorted by id.
    pub(crate) async fn file_systems(
        &self,
        ids: &BTreeSet<String>,
        access_points: &BTreeSet<String>,
    ) -> Result<Vec<FileSystem>, AwsError> {
        let mut found = each(ids.iter().cloned(), |id| self.file_system(id).boxed()).await?;
        let known: BTreeSet<&str> = found
            .iter()
            .flat_map(|system: &FileSystem| &system.access_points)
            .map(|point| point.access_point_id.as_str())
            .collect();
        let unknown = access_points.iter().filter(|id| !known.contains(id.as_str()));
        let of_unknown = each(unknown.cloned(), |id| self.file_system_of(id).boxed()).await?;
        let further: BTreeSet<String> = of_unknown.into_iter().filter(|id| !ids.contains(id)).collect();
        found.extend(each(further, |id| self.file_system(id).boxed()).await?);
        found.sort_by(|a, b| a.file_system_id.cmp(&b.file_system_id));
        Ok(found)
    }

    /// Returns the file system of an access point.
    async fn file_system_of(&self, access_point: String) -> Result<Option<String>, AwsError> {
        let on = self
            .place
            .arn("elasticfilesystem", &format!("access-point/{access_point}"));
        let request = (self.client.describe_access_points()).access_point_id(access_point);
        let action = actions::DESCRIBE_ACCESS_POINTS;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let point = answer.as_ref().and_then(|answer| answer.access_points().first());
        Ok(point.and_then(|point| point.file_system_id()).map(str::to_owned))
    }

    async fn file_system(&self, id: String) -> Result<Option<FileSystem>, AwsError> {
        let on = self.place.arn("elasticfilesystem", &format!("file-system/{id}"));
        let request = self.client.describe_file_systems().file_system_id(&id);
        let action = actions::DESCRIBE_FILE_SYSTEMS;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let answered = self.reads.answer(action, &on);
        let Some(from) = answered.needed(answer.file_systems().first()) else {
            return Ok(None);
        };
        let mut system = file_system(from, answered);
        system.policy = self.policy(&id, &on).await?;
        let request = (self.client.describe_lifecycle_configuration()).file_system_id(&id);
        let action = actions::DESCRIBE_LIFECYCLE_CONFIGURATION;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let policies = answer.iter().flat_map(|answer| answer.lifecycle_policies());
        system.lifecycle_policies = policies.map(lifecycle).collect();
        let rules = |policy: &FileSystemLifecycle| {
            let ia = policy.transition_to_ia.clone();
            let archive = policy.transition_to_archive.clone();
            (ia, archive, policy.transition_to_primary_storage_class.clone())
        };
        system.lifecycle_policies.sort_by_key(rules);
        let request = self.client.describe_backup_policy().file_system_id(&id);
        let action = actions::DESCRIBE_BACKUP_POLICY;
        let answer = (self.reads)
            .call_unless(action, &on, &[NO_POLICY], request.send())
            .await?;
        let status = answer.as_ref().and_then(|answer| answer.backup_policy());
        system.backup = status.map(|policy| matches!(policy.status(), Status::Enabled | Status::Enabling));
        system.replication_destinations = self.replication_destinations(&id, &on).await?;
        system.access_points = self.access_points(&id, &on).await?;
        system.mount_targets = self.mount_targets(&id, &on).await?;
        Ok(Some(system))
    }

    async fn policy(&self, id: &str, on: &str) -> Result<Option<PolicyDocument>, AwsError> {
        let request = self.client.describe_file_system_policy().file_system_id(id);
        let action = actions::DESCRIBE_FILE_SYSTEM_POLICY;
        let answer = (self.reads)
            .call_unless(action, on, &[NO_POLICY], request.send())
            .await?;
        let answered = self.reads.answer(action, on);
        let text = answer.as_ref().and_then(|answer| answer.policy());
        Ok(text.and_then(|text| answered.policy(text)).map(Hidden))
    }

    async fn replication_destinations(
        &self,
        id: &str,
        on: &str,
    ) -> Result<Vec<ReplicationDestination>, AwsError> {
        let request = (self.client.describe_replication_configurations()).file_system_id(id);
        let action = actions::DESCRIBE_REPLICATION_CONFIGURATIONS;
        let answer = (self.reads)
            .call_unless(action, on, &[NO_REPLICATION], request.send())
            .await?;
        let answered = self.reads.answer(action, on);
        let replications = answer.iter().flat_map(|answer| answer.replications());
        // The answer may also be the replication whose destination the file system is.
        let own = replications.filter(|replication| replication.source_file_system_id() == id);
        let destinations = own.flat_map(types::ReplicationConfigurationDescription::destinations);
        let mut found: Vec<ReplicationDestination> = destinations
            .map(|one| self.replication_destination(one, answered))
            .collect();
        found.sort_by(|a, b| (&a.region, &a.file_system_id).cmp(&(&b.region, &b.file_system_id)));
        Ok(found)
    }

    fn replication_destination(
        &self,
        from: &types::Destination,
        answer: Answer<'_>,
    ) -> ReplicationDestination {
        let owner = from.owner_id();
        ReplicationDestination {
            file_system_id: from.file_system_id().to_owned(),
            region: from.region().to_owned(),
            owner_id: owner
                .filter(|owner| *owner != self.place.account.as_str())
                .map(str::to_owned),
            status: answer.spelled(from.status().as_str()),
        }
    }

    async fn access_points(&self, id: &str, on: &str) -> Result<Vec<AccessPoint>, AwsError> {
        let request = self.client.describe_access_points().file_system_id(id);
        let pages = request.into_paginator().items().send().try_collect();
        let action = actions::DESCRIBE_ACCESS_POINTS;
        let answer = self.reads.call(action, on, pages).await?;
        let points = answer
            .iter()
            .flatten()
            .filter(|point| point.life_cycle_state().is_none_or(is_there));
        let mut found: Vec<AccessPoint> = points.filter_map(access_point).collect();
        found.sort_by(|a, b| a.access_point_id.cmp(&b.access_point_id));
        Ok(found)
    }

    async fn mount_targets(&self, id: &str, on: &str) -> Result<Vec<MountTarget>, AwsError> {
        let request = self.client.describe_mount_targets().file_system_id(id);
        let pages = request.into_paginator().items().send().try_collect();
        let action = actions::DESCRIBE_MOUNT_TARGETS;
        let answer = self.reads.call(action, on, pages).await?;
        let mut found = Vec::new();
        for target in answer.into_iter().flatten() {
            if !is_there(target.life_cycle_state()) {
                continue;
            }
            let request = (self.client.describe_mount_target_security_groups())
                .mount_target_id(target.mount_target_id());
            let action = actions::DESCRIBE_MOUNT_TARGET_SECURITY_GROUPS;
            let groups = (self.reads)
                .call(action, target.mount_target_id(), request.send())
                .await?;
            let mut groups: Vec<String> = groups
                .map(|groups| groups.security_groups().to_vec())
                .unwrap_or_default();
            groups.sort();
            found.push(MountTarget {
                mount_target_id: Some(target.mount_target_id().to_owned()),
                subnet_id: target.subnet_id().to_owned(),
                security_groups: groups,
            });
        }
        found.sort_by(|a, b| (&a.subnet_id, &a.mount_target_id).cmp(&(&b.subnet_id, &b.mount_target_id)));
        Ok(found)
    }
}

fn is_there(state: &LifeCycleState) -> bool {
    !matches!(state, LifeCycleState::Deleting | LifeCycleState::Deleted)
}

pub(crate) fn tags(from: &[types::Tag]) -> Tags {
    let pairs = from
        .iter()
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
    pairs.collect()
}

/// Returns an id of a user or group, which is a number of 32 bits.
fn unix_id(id: i64) -> Option<u32> {
    u32::try_from(id).ok()
}

fn file_system(from: &types::FileSystemDescription, answer: Answer<'_>) -> FileSystem {
    FileSystem {
        file_system_id: from.file_system_id().to_owned(),
        file_system_arn: from.file_system_arn().map(str::to_owned),
        performance_mode: answer.spelled(from.performance_mode().as_str()),
        throughput_mode: from
            .throughput_mode()
            .and_then(|mode| answer.spelled(mode.as_str())),
        provisioned_throughput_in_mibps: from.provisioned_throughput_in_mibps(),
        encrypted: from.encrypted(),
        kms_key_id: from.kms_key_id().map(str::to_owned),
        availability_zone_name: from.availability_zone_name().map(str::to_owned),
        policy: None,
        lifecycle_policies: Vec::new(),
        backup: None,
        replication_destinations: Vec::new(),
        access_points: Vec::new(),
        mount_targets: Vec::new(),
        tags: tags(from.tags()),
    }
}

fn lifecycle(from: &types::LifecyclePolicy) -> FileSystemLifecycle {
    FileSystemLifecycle {
        transition_to_ia: from.transition_to_ia().map(|rule| rule.as_str().to_owned()),
        transition_to_archive: from.transition_to_archive().map(|rule| rule.as_str().to_owned()),
        transition_to_primary_storage_class: from
            .transition_to_primary_storage_class()
            .map(|rule| rule.as_str().to_owned()),
    }
}

pub(crate) fn access_point(from: &types::AccessPointDescription) -> Option<AccessPoint> {
    let user = from.posix_user().and_then(|user| {
        let further = user.secondary_gids().iter();
        Some(PosixUser {
            uid: unix_id(user.uid())?,
            gid: unix_id(user.gid())?,
            secondary_gids: further.filter_map(|id| unix_id(*id)).collect(),
        })
    });
    let root = from.root_directory().map(|root| RootDirectory {
        path: root.path().map(str::to_owned),
        creation_info: root.creation_info().and_then(|info| {
            Some(CreationInfo {
                owner_uid: unix_id(info.owner_uid())?,
                owner_gid: unix_id(info.owner_gid())?,
                permissions: info.permissions().to_owned(),
            })
        }),
    });
    Some(AccessPoint {
        access_point_id: from.access_point_id()?.to_owned(),
        posix_user: user,
        root_directory: root,
        tags: tags(from.tags()),
    })
}

#[cfg(test)]
mod tests;
