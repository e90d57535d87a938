//! Roles with their policies, instance profiles and OIDC providers.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::types;
use futures::FutureExt as _;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::description::iam::{
    InstanceProfile, ManagedPolicy, OidcProvider, Role, permission_set,
};
use lifeboat_infrastructure::description::{Hidden, PolicyDocument, Tags};
use lifeboat_infrastructure::{Candidate, CandidateKind};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::parallel::each;
use crate::place::Place;
use crate::{actions, unbuilt};

/// The error code of IAM for what does not exist.
const ABSENT: &str = "NoSuchEntity";

/// Reads resources of IAM.
pub(crate) struct Iam<'a> {
    client: Client,
    reads: &'a Reads,
    place: &'a Place,
}

/// A role with the names of its instance profiles.
pub(crate) struct RoleOf {
    pub(crate) role: Role,
    pub(crate) instance_profiles: Vec<String>,
}

impl<'a> Iam<'a> {
    pub(crate) fn new(context: &AwsContext, reads: &'a Reads, place: &'a Place) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            reads,
            place,
        }
    }

    /// Reads roles by their names, sorted by ARN.
    pub(crate) async fn roles(&self, names: BTreeSet<String>) -> Result<Vec<RoleOf>, AwsError> {
        let mut found = each(names, |name| self.role(name).boxed()).await?;
        found.sort_by(|a, b| a.role.arn.cmp(&b.role.arn));
        Ok(found)
    }

    async fn role(&self, name: String) -> Result<Option<RoleOf>, AwsError> {
        let on = self.place.iam(&format!("role/{name}"));
        let request = self.client.get_role().role_name(&name).send();
        let answer = self.reads.call(actions::GET_ROLE, &on, request).await?;
        let answered = self.reads.answer(actions::GET_ROLE, &on);
        let read = answer
            .as_ref()
            .and_then(|answer| answer.role())
            .and_then(|from| role(from, answered));
        let Some(mut role) = read else { return Ok(None) };
        role.inline_policies = self.inline_policies(&name, &on).await?;
        role.attached_policies = self.attached_policies(&name, &on).await?;
        let request = (self.client.list_instance_profiles_for_role()).role_name(&name);
        let pages = request.into_paginator().items().send().try_collect();
        let action = actions::LIST_INSTANCE_PROFILES_FOR_ROLE;
        let profiles = self.reads.call(action, &on, pages).await?;
        let profiles = profiles.into_iter().flatten();
        Ok(Some(RoleOf {
            role,
            instance_profiles: profiles.map(|profile| profile.instance_profile_name).collect(),
        }))
    }

    async fn inline_policies(
        &self,
        role: &str,
        on: &str,
    ) -> Result<BTreeMap<String, PolicyDocument>, AwsError> {
        let request = self.client.list_role_policies().role_name(role);
        let pages = request.into_paginator().items().send().try_collect();
        let names = self.reads.call(actions::LIST_ROLE_POLICIES, on, pages).await?;
        let mut found = BTreeMap::new();
        for name in names.into_iter().flatten() {
            let request = (self.client.get_role_policy()).role_name(role).policy_name(&name);
            let action = actions::GET_ROLE_POLICY;
            let answer = self.reads.call(action, on, request.send()).await?;
            let answered = self.reads.answer(action, on);
            if let Some(document) = answer.and_then(|answer| policy(answer.policy_document(), answered)) {
                found.insert(name, Hidden(document));
            }
        }
        Ok(found)
    }

    async fn attached_policies(&self, role: &str, on: &str) -> Result<Vec<String>, AwsError> {
        let request = self.client.list_attached_role_policies().role_name(role);
        let pages = request.into_paginator().items().send().try_collect();
        let action = actions::LIST_ATTACHED_ROLE_POLICIES;
        let attached = self.reads.call(action, on, pages).await?;
        let attached = attached.into_iter().flatten();
        let mut arns: Vec<String> = attached.filter_map(|policy| policy.policy_arn).collect();
        arns.sort();
        Ok(arns)
    }

    /// Reads customer managed policies in their default versions, sorted by ARN. Others are left out: those of AWS are
    /// the same in every account.
    pub(crate) async fn policies(&self, arns: BTreeSet<String>) -> Result<Vec<ManagedPolicy>, AwsError> {
        let is_own = |arn: &String| {
            let resource = self.place.iam_resource(arn);
            resource.is_some_and(|resource| resource.starts_with("policy/"))
        };
        let arns = arns.into_iter().filter(is_own);
        let mut found = each(arns, |arn| self.managed_policy(arn).boxed()).await?;
        found.sort_by(|a, b| a.arn.cmp(&b.arn));
        Ok(found)
    }

    async fn managed_policy(&self, arn: String) -> Result<Option<ManagedPolicy>, AwsError> {
        let request = self.client.get_policy().policy_arn(&arn).send();
        let answer = self.reads.call(actions::GET_POLICY, &arn, request).await?;
        let Some(answer) = answer else { return Ok(None) };
        let named = answer.policy();
        let current = named.and_then(|policy| Some((policy, policy.default_version_id()?)));
        let Some((from, version)) = self.reads.answer(actions::GET_POLICY, &arn).needed(current) else {
            return Ok(None);
        };
        let request = (self.client.get_policy_version())
            .policy_arn(&arn)
            .version_id(version);
        let action = actions::GET_POLICY_VERSION;
        let answer = self.reads.call(action, &arn, request.send()).await?;
        let answered = self.reads.answer(action, &arn);
        let document = answer.as_ref().and_then(|answer| answer.policy_version());
        let document = document
            .and_then(types::PolicyVersion::document)
            .and_then(|text| policy(text, answered));
        Ok(document.and_then(|document| managed_policy(from, &arn, document)))
    }

    /// Reads instance profiles, sorted by ARN.
    pub(crate) async fn instance_profiles(
        &self,
        names: BTreeSet<String>,
    ) -> Result<Vec<InstanceProfile>, AwsError> {
        let mut found = each(names, |name| self.instance_profile(name).boxed()).await?;
        found.sort_by(|a, b| a.arn.cmp(&b.arn));
        Ok(found)
    }

    async fn instance_profile(&self, name: String) -> Result<Option<InstanceProfile>, AwsError> {
        let on = self.place.iam(&format!("instance-profile/{name}"));
        let request = (self.client.get_instance_profile()).instance_profile_name(name);
        let action = actions::GET_INSTANCE_PROFILE;
        let answer = self.reads.call(action, &on, request.send()).await?;
        Ok(answer
            .as_ref()
            .and_then(|answer| answer.instance_profile())
            .map(instance_profile))
    }

    /// Reads OIDC providers, sorted by ARN. One that does not exist is not noted: a cluster without IRSA has none, and a
    /// trust policy may name one that was deleted.
    pub(crate) async fn oidc_providers(&self, arns: BTreeSet<String>) -> Result<Vec<OidcProvider>, AwsError> {
        each(arns, |arn| self.oidc_provider(arn).boxed()).await
    }

    async fn oidc_provider(&self, arn: String) -> Result<Option<OidcProvider>, AwsError> {
        let request = (self.client.get_open_id_connect_provider()).open_id_connect_provider_arn(&arn);
        let action = actions::GET_OPEN_ID_CONNECT_PROVIDER;
        let answer = (self.reads)
            .call_unless(action, &arn, &[ABSENT], request.send())
            .await?;
        let Some(answer) = answer else { return Ok(None) };
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort();
            list
        };
        let url = arn.split_once(":oidc-provider/").map_or("", |(_, issuer)| issuer);
        Ok(Some(OidcProvider {
            url: answer.url().unwrap_or(url).to_owned(),
            client_id_list: sorted(answer.client_id_list()),
            thumbprint_list: sorted(answer.thumbprint_list()),
            tags: tags(answer.tags()),
            arn,
        }))
    }
}

/// The path of the roles of IAM Identity Center. Below it is the Region of its identity source, if that is not us-east-1
/// (<https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html>).
const IDENTITY_CENTER: &str = "/aws-reserved/sso.amazonaws.com/";

/// Returns the roles of IAM Identity Center of an account as candidates, sorted by permission set.
///
/// # Errors
/// [`AwsError`] if IAM refuses the call or does not answer.
pub(crate) async fn candidates(context: &AwsContext) -> Result<Vec<Candidate>, AwsError> {
    let client = Client::new(context.sdk_config());
    let request = client.list_roles().path_prefix(IDENTITY_CENTER);
    let pages = request.into_paginator().items().send().try_collect();
    let action = unbuilt::LIST_ROLES.name();
    let roles: Vec<types::Role> =
        (pages.await).map_err(|error| AwsError::new(action, "AWS::IAM::Role", error))?;
    let named = roles.iter().filter_map(|role| {
        Some(Candidate {
            name: Some(permission_set(role.role_name())?.to_owned()),
            ..Candidate::new(CandidateKind::PermissionSetRole, role.arn())
        })
    });
    let mut found: Vec<Candidate> = named.collect();
    found.sort();
    Ok(found)
}

/// Parses a policy, which IAM encodes as in a URL (RFC 3986).
fn policy(text: &str, answer: Answer<'_>) -> Option<Value> {
    answer.policy(&percent_decode_str(text).decode_utf8_lossy())
}

pub(crate) fn tags(from: &[types::Tag]) -> Tags {
    let pairs = from
        .iter()
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
    pairs.collect()
}

fn role(from: &types::Role, answer: Answer<'_>) -> Option<Role> {
    let boundary = from.permissions_boundary();
    let trust = policy(from.assume_role_policy_document().unwrap_or_default(), answer)?;
    Some(Role {
        role_name: from.role_name().to_owned(),
        path: from.path().to_owned(),
        arn: from.arn().to_owned(),
        description: from.description().map(str::to_owned),
        assume_role_policy_document: Hidden(trust),
        max_session_duration: from
            .max_session_duration()
            .and_then(|seconds| u32::try_from(seconds).ok()),
        permissions_boundary: boundary
            .and_then(|boundary| boundary.permissions_boundary_arn())
            .map(str::to_owned),
        attached_policies: Vec::new(),
        inline_policies: BTreeMap::new(),
        tags: tags(from.tags()),
    })
}

fn managed_policy(from: &types::Policy, arn: &str, document: Value) -> Option<ManagedPolicy> {
    Some(ManagedPolicy {
        policy_name: from.policy_name()?.to_owned(),
        path: from.path().unwrap_or("/").to_owned(),
        arn: arn.to_owned(),
        description: from.description().map(str::to_owned),
        document: Hidden(document),
        tags: tags(from.tags()),
    })
}

fn instance_profile(from: &types::InstanceProfile) -> InstanceProfile {
    let roles = from.roles().iter().map(|role| role.role_name().to_owned());
    InstanceProfile {
        instance_profile_name: from.instance_profile_name().to_owned(),
        path: from.path().to_owned(),
        arn: from.arn().to_owned(),
        roles: roles.collect(),
        tags: tags(from.tags()),
    }
}

/// Returns the OIDC providers that a trust policy names.
pub(crate) fn federated(trust: &Value) -> BTreeSet<String> {
    let statements = match &trust["Statement"] {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut found = BTreeSet::new();
    for statement in statements {
        let named = match &statement["Principal"]["Federated"] {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let named = named.iter().filter_map(Value::as_str);
        let providers = named.filter(|arn| arn.contains(":oidc-provider/"));
        found.extend(providers.map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests;
