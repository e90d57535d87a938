//! Access entries with their policies, Pod Identity associations, identity providers.

use aws_sdk_eks::types;
use futures::FutureExt as _;
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::Answer;
use lifeboat_infrastructure::description::Hidden;
use lifeboat_infrastructure::description::access::{
    AccessEntry, AccessScope, AssociatedAccessPolicy, IdentityProviderConfig, PodIdentityAssociation,
};

use super::Eks;
use super::convert::{in_order, owned, sorted};
use crate::actions;
use crate::parallel::each;
use crate::place::Place;

impl Eks<'_> {
    pub(super) async fn access_entries(
        &self,
        cluster: &str,
        arn: &str,
    ) -> Result<Vec<AccessEntry>, AwsError> {
        let request = self.client.list_access_entries().cluster_name(cluster);
        let pages = request.into_paginator().items().send().try_collect();
        let action = actions::LIST_ACCESS_ENTRIES;
        let principals = self.reads.call(action, arn, pages).await?;
        // The stacks of the recovery side let its own delegate in.
        let principals = principals.into_iter().flatten();
        let principals = principals.filter(|principal| !Place::is_own_role(principal));
        let mut found = each(principals, |principal| {
            self.access_entry(cluster, principal).boxed()
        })
        .await?;
        found.sort_by(|a, b| a.principal_arn.cmp(&b.principal_arn));
        Ok(found)
    }

    async fn access_entry(&self, cluster: &str, principal: String) -> Result<Option<AccessEntry>, AwsError> {
        let on = self
            .place
            .arn("eks", &format!("access-entry/{cluster}/{principal}"));
        let request = (self.client.describe_access_entry())
            .cluster_name(cluster)
            .principal_arn(&principal);
        let action = actions::DESCRIBE_ACCESS_ENTRY;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let answered = self.reads.answer(action, &on);
        let read = answer
            .access_entry()
            .and_then(|entry| access_entry(entry, answered));
        let Some(mut entry) = answered.needed(read) else {
            return Ok(None);
        };
        let request = (self.client.list_associated_access_policies())
            .cluster_name(cluster)
            .principal_arn(&principal);
        let pages = request.into_paginator().items().send().try_collect();
        let action = actions::LIST_ASSOCIATED_ACCESS_POLICIES;
        let answer = self.reads.call(action, &on, pages).await?;
        let answered = self.reads.answer(action, &on);
        let policies = answer.iter().flatten();
        entry.access_policies = policies.filter_map(|one| policy(one, answered)).collect();
        entry
            .access_policies
            .sort_by(|a, b| a.policy_arn.cmp(&b.policy_arn));
        Ok(Some(entry))
    }

    pub(super) async fn pod_identity_associations(
        &self,
        cluster: &str,
        arn: &str,
    ) -> Result<Vec<PodIdentityAssociation>, AwsError> {
        let request = (self.client.list_pod_identity_associations()).cluster_name(cluster);
        let pages = request.into_paginator().items().send().try_collect();
        let action = actions::LIST_POD_IDENTITY_ASSOCIATIONS;
        let summaries = self.reads.call(action, arn, pages).await?;
        let summaries = summaries.into_iter().flatten();
        let mut found = each(summaries.filter_map(|summary| summary.association_id), |id| {
            self.pod_identity_association(cluster, id).boxed()
        })
        .await?;
        found.sort_by(|a, b| {
            (&a.namespace, &a.service_account, &a.association_id).cmp(&(
                &b.namespace,
                &b.service_account,
                &b.association_id,
            ))
        });
        Ok(found)
    }

    async fn pod_identity_association(
        &self,
        cluster: &str,
        id: String,
    ) -> Result<Option<PodIdentityAssociation>, AwsError> {
        let on = self
            .place
            .arn("eks", &format!("podidentityassociation/{cluster}/{id}"));
        let request = (self.client.describe_pod_identity_association())
            .cluster_name(cluster)
            .association_id(id);
        let action = actions::DESCRIBE_POD_IDENTITY_ASSOCIATION;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let read = answer.association().and_then(association);
        Ok(self.reads.answer(action, &on).needed(read))
    }

    pub(super) async fn identity_provider_configs(
        &self,
        cluster: &str,
        arn: &str,
    ) -> Result<Vec<IdentityProviderConfig>, AwsError> {
        let request = (self.client.list_identity_provider_configs()).cluster_name(cluster);
        let pages = request.into_paginator().items().send().try_collect();
        let action = actions::LIST_IDENTITY_PROVIDER_CONFIGS;
        let configs = self.reads.call(action, arn, pages).await?;
        let mut found = each(configs.into_iter().flatten(), |config| {
            self.identity_provider_config(cluster, config).boxed()
        })
        .await?;
        found.sort_by(|a, b| {
            a.identity_provider_config_name
                .cmp(&b.identity_provider_config_name)
        });
        Ok(found)
    }

    async fn identity_provider_config(
        &self,
        cluster: &str,
        config: types::IdentityProviderConfig,
    ) -> Result<Option<IdentityProviderConfig>, AwsError> {
        let name = format!(
            "identityproviderconfig/{cluster}/{}/{}",
            config.r#type(),
            config.name()
        );
        let on = self.place.arn("eks", &name);
        let request = (self.client.describe_identity_provider_config())
            .cluster_name(cluster)
            .identity_provider_config(config);
        let action = actions::DESCRIBE_IDENTITY_PROVIDER_CONFIG;
        let answer = self.reads.call(action, &on, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let read = answer
            .identity_provider_config()
            .and_then(|config| config.oidc())
            .and_then(oidc);
        Ok(self.reads.answer(action, &on).needed(read))
    }
}

fn access_entry(from: &types::AccessEntry, answer: Answer<'_>) -> Option<AccessEntry> {
    Some(AccessEntry {
        principal_arn: from.principal_arn()?.to_owned(),
        kubernetes_groups: in_order(from.kubernetes_groups()),
        username: owned(from.username()),
        r#type: answer.spelled(from.r#type()?)?,
        access_policies: Vec::new(),
        tags: sorted(from.tags()),
    })
}

fn policy(from: &types::AssociatedAccessPolicy, answer: Answer<'_>) -> Option<AssociatedAccessPolicy> {
    let scope = from.access_scope()?;
    Some(AssociatedAccessPolicy {
        policy_arn: from.policy_arn()?.to_owned(),
        access_scope: AccessScope {
            r#type: answer.spelled(scope.r#type()?.as_str())?,
            namespaces: in_order(scope.namespaces()),
        },
    })
}

fn association(from: &types::PodIdentityAssociation) -> Option<PodIdentityAssociation> {
    Some(PodIdentityAssociation {
        association_arn: owned(from.association_arn()),
        association_id: owned(from.association_id()),
        namespace: from.namespace()?.to_owned(),
        service_account: from.service_account()?.to_owned(),
        role_arn: from.role_arn()?.to_owned(),
        owner_arn: owned(from.owner_arn()),
        disable_session_tags: from.disable_session_tags(),
        target_role_arn: owned(from.target_role_arn()),
        policy: owned(from.policy()).map(Hidden),
        tags: sorted(from.tags()),
    })
}

fn oidc(from: &types::OidcIdentityProviderConfig) -> Option<IdentityProviderConfig> {
    Some(IdentityProviderConfig {
        identity_provider_config_name: from.identity_provider_config_name()?.to_owned(),
        issuer_url: from.issuer_url()?.to_owned(),
        client_id: from.client_id()?.to_owned(),
        username_claim: owned(from.username_claim()),
        username_prefix: owned(from.username_prefix()),
        groups_claim: owned(from.groups_claim()),
        groups_prefix: owned(from.groups_prefix()),
        required_claims: sorted(from.required_claims()),
        tags: sorted(from.tags()),
    })
}

#[cfg(test)]
mod tests;
