//! Roles, policies and instance profiles, by their names.

use std::collections::BTreeSet;

use aws_sdk_iam::Client;
use futures::FutureExt as _;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::{Candidate, CandidateKind, Descriptions, RecoveryFacts, counterpart};
use lifeboat_model::SharedStack;

use super::{mapped_of, unless};
use crate::actions;
use crate::iam::tags;
use crate::parallel::each;
use crate::place::Place;

/// The error code of IAM for what does not exist.
const ABSENT: &str = "NoSuchEntity";

pub(super) async fn look_up(
    context: &AwsContext,
    descriptions: &Descriptions,
    facts: &mut RecoveryFacts,
    place: &Place,
) -> Result<(), AwsError> {
    let client = &Client::new(context.sdk_config());
    let adopts = facts.adopt_existing.contains(&SharedStack::Identity);
    let named = |kind: CandidateKind| {
        let all = counterpart::names(descriptions, facts, kind);
        all.into_iter().filter(move |_| adopts)
    };
    // The name in an ARN is behind its path.
    let mapped = |kind: CandidateKind| {
        let arns = mapped_of(facts, kind, place).into_iter();
        arns.filter_map(|arn| arn.rsplit('/').next().map(str::to_owned))
    };
    let names = |kind| -> BTreeSet<String> {
        let names = named(kind).flat_map(|(_, names)| names);
        names.chain(mapped(kind)).collect()
    };
    let roles = names(CandidateKind::Role);
    let profiles = names(CandidateKind::InstanceProfile);
    let policies = named(CandidateKind::Policy).flat_map(|(from, names)| {
        let path = descriptions.policies.iter().find(|policy| policy.arn == from);
        let path = path.map_or("/", |policy| policy.path.as_str());
        let arns = names
            .into_iter()
            .map(move |name| place.iam(&format!("policy{path}{name}")));
        arns.collect::<Vec<_>>()
    });
    let mut policies: BTreeSet<String> = policies.collect();
    policies.extend(mapped_of(facts, CandidateKind::Policy, place));
    let found = each(roles, |name| role(client, place, name).boxed()).await?;
    facts.candidates.extend(found);
    let found = each(policies, |arn| policy(client, arn).boxed()).await?;
    facts.candidates.extend(found);
    let found = each(profiles, |name| instance_profile(client, place, name).boxed()).await?;
    facts.candidates.extend(found);
    Ok(())
}

async fn role(client: &Client, place: &Place, name: String) -> Result<Option<Candidate>, AwsError> {
    let answer = client.get_role().role_name(&name).send().await;
    let on = place.iam(&format!("role/{name}"));
    let answer = answer.map_err(|e| AwsError::new(actions::GET_ROLE.name(), on, e));
    let answer = unless(ABSENT, answer)?;
    let role = answer.and_then(|answer| answer.role);
    Ok(role.map(|role| Candidate {
        name: Some(role.role_name().to_owned()),
        tags: tags(role.tags()),
        ..Candidate::new(CandidateKind::Role, role.arn())
    }))
}

async fn policy(client: &Client, arn: String) -> Result<Option<Candidate>, AwsError> {
    let answer = client.get_policy().policy_arn(&arn).send().await;
    let answer = answer.map_err(|e| AwsError::new(actions::GET_POLICY.name(), &arn, e));
    let answer = unless(ABSENT, answer)?;
    let policy = answer.and_then(|answer| answer.policy);
    Ok(policy.map(|policy| Candidate {
        name: policy.policy_name().map(str::to_owned),
        tags: tags(policy.tags()),
        ..Candidate::new(CandidateKind::Policy, arn)
    }))
}

async fn instance_profile(
    client: &Client,
    place: &Place,
    name: String,
) -> Result<Option<Candidate>, AwsError> {
    let answer = client
        .get_instance_profile()
        .instance_profile_name(&name)
        .send()
        .await;
    let on = place.iam(&format!("instance-profile/{name}"));
    let answer = answer.map_err(|e| AwsError::new(actions::GET_INSTANCE_PROFILE.name(), on, e));
    let answer = unless(ABSENT, answer)?;
    let profile = answer.and_then(|answer| answer.instance_profile);
    Ok(profile.map(|profile| Candidate {
        name: Some(profile.instance_profile_name().to_owned()),
        tags: tags(profile.tags()),
        ..Candidate::new(CandidateKind::InstanceProfile, profile.arn())
    }))
}
