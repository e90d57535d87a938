//! EKS clusters with what belongs to each.

use aws_sdk_eks::Client;
use aws_sdk_eks::types::{AddonStatus, FargateProfileStatus, NodegroupStatus};
use futures::FutureExt as _;
use lifeboat_aws::reads::Reads;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::description::cluster::{AuthenticationMode, Cluster};
use lifeboat_infrastructure::description::nodes::{Addon, FargateProfile, Nodegroup};

use crate::actions;
use crate::parallel::each;
use crate::place::Place;

mod access;
mod cluster;
mod convert;
mod nodes;

/// Reads EKS clusters.
pub(crate) struct Eks<'a> {
    client: Client,
    reads: &'a Reads,
    place: &'a Place,
}

impl<'a> Eks<'a> {
    pub(crate) fn new(context: &AwsContext, reads: &'a Reads, place: &'a Place) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            reads,
            place,
        }
    }

    /// Reads a cluster with what belongs to it.
    pub(crate) async fn cluster(&self, name: &str) -> Result<Option<Cluster>, AwsError> {
        let arn = self.place.arn("eks", &format!("cluster/{name}"));
        let request = self.client.describe_cluster().name(name);
        let answer = (self.reads)
            .call(actions::DESCRIBE_CLUSTER, &arn, request.send())
            .await?;
        let Some(answer) = answer else { return Ok(None) };
        let answered = self.reads.answer(actions::DESCRIBE_CLUSTER, &arn);
        let read = answer
            .cluster()
            .and_then(|cluster| cluster::cluster(cluster, answered));
        let Some(mut cluster) = answered.needed(read) else {
            return Ok(None);
        };
        cluster.nodegroups = self.nodegroups(name, &arn).await?;
        cluster.fargate_profiles = self.fargate_profiles(name, &arn).await?;
        cluster.addons = self.addons(name, &arn).await?;
        // Without access entries their list is refused (InvalidRequestException).
        let mode = cluster
            .access_config
            .as_ref()
            .and_then(|config| config.authentication_mode);
        if mode != Some(AuthenticationMode::ConfigMap) {
            cluster.access_entries = self.access_entries(name, &arn).await?;
        }
        cluster.pod_identity_associations = self.pod_identity_associations(name, &arn).await?;
        cluster.identity_provider_configs = self.identity_provider_configs(name, &arn).await?;
        Ok(Some(cluster))
    }

    async fn nodegroups(&self, cluster: &str, arn: &str) -> Result<Vec<Nodegroup>, AwsError> {
        let request = self.client.list_nodegroups().cluster_name(cluster);
        let pages = request.into_paginator().items().send().try_collect();
        let names = self.reads.call(actions::LIST_NODEGROUPS, arn, pages).await?;
        let mut found = each(names.into_iter().flatten(), |name| {
            self.nodegroup(cluster, name).boxed()
        })
        .await?;
        found.sort_by(|a, b| a.nodegroup_name.cmp(&b.nodegroup_name));
        Ok(found)
    }

    async fn nodegroup(&self, cluster: &str, name: String) -> Result<Option<Nodegroup>, AwsError> {
        let on = self.place.arn("eks", &format!("nodegroup/{cluster}/{name}"));
        let request = (self.client.describe_nodegroup())
            .cluster_name(cluster)
            .nodegroup_name(name);
        let action = actions::DESCRIBE_NODEGROUP;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let group = answer.nodegroup();
        let is_leaving = group.is_some_and(|group| matches!(group.status(), Some(NodegroupStatus::Deleting)));
        if is_leaving {
            return Ok(None);
        }
        let answered = self.reads.answer(action, &on);
        let read = group.and_then(|group| nodes::nodegroup(group, answered));
        Ok(answered.needed(read))
    }

    async fn fargate_profiles(&self, cluster: &str, arn: &str) -> Result<Vec<FargateProfile>, AwsError> {
        let request = self.client.list_fargate_profiles().cluster_name(cluster);
        let pages = request.into_paginator().items().send().try_collect();
        let action = actions::LIST_FARGATE_PROFILES;
        let names = self.reads.call(action, arn, pages).await?;
        let mut found = each(names.into_iter().flatten(), |name| {
            self.fargate_profile(cluster, name).boxed()
        })
        .await?;
        found.sort_by(|a, b| a.fargate_profile_name.cmp(&b.fargate_profile_name));
        Ok(found)
    }

    async fn fargate_profile(&self, cluster: &str, name: String) -> Result<Option<FargateProfile>, AwsError> {
        let on = self.place.arn("eks", &format!("fargateprofile/{cluster}/{name}"));
        let request = (self.client.describe_fargate_profile())
            .cluster_name(cluster)
            .fargate_profile_name(name);
        let action = actions::DESCRIBE_FARGATE_PROFILE;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let profile = answer.fargate_profile();
        let is_leaving =
            profile.is_some_and(|profile| matches!(profile.status(), Some(FargateProfileStatus::Deleting)));
        if is_leaving {
            return Ok(None);
        }
        let read = profile.and_then(nodes::fargate_profile);
        Ok(self.reads.answer(action, &on).needed(read))
    }

    async fn addons(&self, cluster: &str, arn: &str) -> Result<Vec<Addon>, AwsError> {
        let request = self.client.list_addons().cluster_name(cluster);
        let pages = request.into_paginator().items().send().try_collect();
        let names = self.reads.call(actions::LIST_ADDONS, arn, pages).await?;
        let mut found = each(names.into_iter().flatten(), |name| {
            self.addon(cluster, name).boxed()
        })
        .await?;
        found.sort_by(|a, b| a.addon_name.cmp(&b.addon_name));
        Ok(found)
    }

    async fn addon(&self, cluster: &str, name: String) -> Result<Option<Addon>, AwsError> {
        let on = self.place.arn("eks", &format!("addon/{cluster}/{name}"));
        let request = (self.client.describe_addon())
            .cluster_name(cluster)
            .addon_name(name);
        let action = actions::DESCRIBE_ADDON;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let addon = answer.addon();
        if addon.is_some_and(|addon| matches!(addon.status(), Some(AddonStatus::Deleting))) {
            return Ok(None);
        }
        let read = addon.and_then(nodes::addon);
        Ok(self.reads.answer(action, &on).needed(read))
    }
}
