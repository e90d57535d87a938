//! What exists in the recovery environment and may take the place of a resource of the primary.
//!
//! Only what can be a counterpart is looked up: the VPCs of the Region and what belongs to those that are adopted; roles,
//! policies, instance profiles, repositories and keys by their names; file systems, and replicas of those of the primary;
//! SSH key pairs of nodes. What the user has mapped is looked up
//! as well, so that a mapping to something that does not exist is found before anything is built.

use std::collections::BTreeSet;

use lifeboat_aws::reads::Reads;
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_aws_ec2::Ec2;
use lifeboat_infrastructure::{CandidateKind, Descriptions, RecoveryFacts, adoptions, replicas};
use lifeboat_model::SharedStack;

use crate::ecr::Ecr;
use crate::place::Place;
use crate::unbuilt;

mod identity;
mod storage;

/// Looks up the candidates for the stacks that adopt ([`RecoveryFacts::adopt_existing`]) and what the user has mapped, in
/// the account and Region of the context. Sets [`RecoveryFacts::candidates`], [`RecoveryFacts::existing`],
/// [`RecoveryFacts::images`] and [`RecoveryFacts::key_pairs`].
///
/// Nothing but what no stack builds ([`unbuilt`]), images, SSH key pairs and replicas of file systems is looked up if no
/// stack adopts and nothing is mapped.
///
/// # Errors
/// [`AwsError`] if a service refuses a call or does not answer: what is not seen would be built a second time.
pub async fn candidates(
    context: &AwsContext,
    descriptions: &Descriptions,
    facts: &mut RecoveryFacts,
) -> Result<(), AwsError> {
    // What no stack builds has no other way to its counterpart.
    facts
        .candidates
        .extend(unbuilt::candidates(context, descriptions).await?);
    let place = Place {
        account: facts.account.clone(),
        region: facts.region.clone(),
    };
    // An image that may not be looked up counts as missing.
    let reads = Reads::new();
    let ecr = Ecr::new(context, &reads, &place);
    facts.images = Some(ecr.existing(&descriptions.images).await?);
    key_pairs(context, descriptions, facts).await?;
    let is_replicated = replicas(descriptions, facts).next().is_some();
    if facts.adopt_existing.is_empty() && facts.adopted.is_empty() && !is_replicated {
        return Ok(());
    }
    network(context, descriptions, facts).await?;
    identity::look_up(context, descriptions, facts, &place).await?;
    storage::look_up(context, descriptions, facts, &place).await?;
    facts.candidates.sort();
    facts.candidates.dedup();
    facts.existing = Some(existing(descriptions, facts, &place));
    Ok(())
}

/// Looks up the SSH key pairs of nodes. EC2 would refuse the nodes, long after everything else was built.
async fn key_pairs(
    context: &AwsContext,
    descriptions: &Descriptions,
    facts: &mut RecoveryFacts,
) -> Result<(), AwsError> {
    let own = descriptions.key_pairs();
    let mapped = facts.adopted.iter().filter(|one| own.contains(one.from.as_str()));
    let mapped: BTreeSet<String> = mapped.map(|one| one.to.clone()).collect();
    let names = own.into_iter().map(str::to_owned).chain(mapped).collect();
    facts.key_pairs = Some(Ec2::new(context).key_pairs(&names).await?);
    Ok(())
}

async fn network(
    context: &AwsContext,
    descriptions: &Descriptions,
    facts: &mut RecoveryFacts,
) -> Result<(), AwsError> {
    let ec2 = Ec2::new(context);
    let adopts = facts.adopt_existing.contains(&SharedStack::Network);
    let mapped = mapped(facts, "vpc-");
    let found = ec2.vpc_candidates((!adopts).then_some(&mapped)).await?;
    facts.candidates.extend(found);
    // The rest is looked up for the VPCs that are adopted alone: an account may have thousands of groups.
    let adopted = counterparts(descriptions, facts, SharedStack::Network, "vpc-");
    let subnets = self::mapped(facts, "subnet-");
    let found = ec2.subnet_candidates(&adopted, &subnets).await?;
    facts.candidates.extend(found);
    let groups = self::mapped(facts, "sg-");
    let vpcs = if adopts { adopted } else { BTreeSet::new() };
    let found = ec2.security_group_candidates(&vpcs, &groups).await?;
    facts.candidates.extend(found);
    Ok(())
}

/// Returns the counterparts that the user has chosen and whose ids begin with `prefix`.
fn mapped(facts: &RecoveryFacts, prefix: &str) -> BTreeSet<String> {
    let all = facts.adopted.iter().map(|adoption| adoption.to.clone());
    all.filter(|to| to.starts_with(prefix)).collect()
}

/// Returns the counterparts, mapped or found among the candidates so far, whose ids begin with `prefix`.
fn counterparts(
    descriptions: &Descriptions,
    facts: &RecoveryFacts,
    stack: SharedStack,
    prefix: &str,
) -> BTreeSet<String> {
    let all = adoptions(descriptions, facts)
        .remove(&Some(stack))
        .unwrap_or_default();
    let all = all.into_iter().map(|adoption| adoption.to);
    all.filter(|to| to.starts_with(prefix)).collect()
}

/// Returns which counterparts that the user has chosen exist; those that are not looked up are taken to.
fn existing(descriptions: &Descriptions, facts: &RecoveryFacts, place: &Place) -> BTreeSet<String> {
    let is_zone = |from: &str| {
        descriptions
            .subnets
            .iter()
            .any(|subnet| subnet.availability_zone == from)
    };
    let key_pairs = descriptions.key_pairs();
    let is_found = |to: &str| facts.candidates.iter().any(|one| one.id == to);
    let all = facts.adopted.iter().filter(|adoption| {
        let to = adoption.to.as_str();
        if is_zone(&adoption.from) {
            return facts.zones.iter().any(|zone| zone.name == to);
        }
        if key_pairs.contains(adoption.from.as_str()) {
            return (facts.key_pairs.as_ref()).is_some_and(|there| there.contains(to));
        }
        kind_of(to, place).is_none() || is_found(to)
    });
    all.map(|adoption| adoption.to.clone()).collect()
}

/// Returns the type of an identifier that is looked up; `None` for others.
fn kind_of(id: &str, place: &Place) -> Option<CandidateKind> {
    let by_prefix = [
        ("vpc-", CandidateKind::Vpc),
        ("subnet-", CandidateKind::Subnet),
        ("sg-", CandidateKind::SecurityGroup),
        ("fs-", CandidateKind::FileSystem),
        ("fsap-", CandidateKind::AccessPoint),
    ];
    if let Some((_, kind)) = by_prefix.iter().find(|(prefix, _)| id.starts_with(prefix)) {
        return Some(*kind);
    }
    let resource = place
        .iam_resource(id)
        .and_then(|resource| resource.split_once('/'));
    match resource.map(|(kind, _)| kind) {
        Some("role") => return Some(CandidateKind::Role),
        Some("policy") => return Some(CandidateKind::Policy),
        Some("instance-profile") => return Some(CandidateKind::InstanceProfile),
        _ => {}
    }
    if id.starts_with(&place.arn("kms", "key/")) {
        return Some(CandidateKind::Key);
    }
    id.starts_with(&place.arn("ecr", "repository/"))
        .then_some(CandidateKind::Repository)
}

/// Returns the counterparts of a type that the user has chosen.
fn mapped_of(facts: &RecoveryFacts, kind: CandidateKind, place: &Place) -> BTreeSet<String> {
    let all = facts.adopted.iter().map(|adoption| adoption.to.clone());
    all.filter(|to| kind_of(to, place) == Some(kind)).collect()
}

/// Returns an answer; `None` if it has one of the codes by which the service says that there is no such thing.
fn unless<T>(absent: &str, answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some(absent) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
