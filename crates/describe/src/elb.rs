//! Target groups of Elastic Load Balancing.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types;
use futures::FutureExt as _;
use lifeboat_aws::reads::{Answer, Reads, number, owned};
use lifeboat_aws::{AwsContext, AwsError};
use lifeboat_infrastructure::description::Tags;
use lifeboat_infrastructure::description::load_balancing::{HealthCheck, TargetGroup};
use lifeboat_infrastructure::{Candidate, CandidateKind};

use crate::parallel::each;
use crate::place::Place;
use crate::{actions, unbuilt};

/// What a refusal of a list names.
const TYPE: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

/// DescribeTags takes 20 resources
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>).
const RESOURCES: usize = 20;

/// Reads target groups.
pub(crate) struct Elb<'a> {
    client: Client,
    reads: &'a Reads,
    place: &'a Place,
}

impl<'a> Elb<'a> {
    pub(crate) fn new(context: &AwsContext, reads: &'a Reads, place: &'a Place) -> Self {
        Self {
            client: Client::new(context.sdk_config()),
            reads,
            place,
        }
    }

    /// Reads target groups of this account and Region by ARN, sorted by ARN. Others are left out.
    pub(crate) async fn target_groups(&self, arns: &BTreeSet<String>) -> Result<Vec<TargetGroup>, AwsError> {
        let own = arns
            .iter()
            .filter(|arn| self.place.has("elasticloadbalancing", arn));
        each(own.cloned(), |arn| self.target_group(arn).boxed()).await
    }

    /// Reads a target group. One at a time: a call for several fails if one does not exist.
    async fn target_group(&self, arn: String) -> Result<Option<TargetGroup>, AwsError> {
        let request = self.client.describe_target_groups().target_group_arns(&arn);
        let action = actions::DESCRIBE_TARGET_GROUPS;
        let answer = self.reads.call(action, &arn, request.send()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let answered = self.reads.answer(action, &arn);
        let read = answer.target_groups().first();
        let read = read.and_then(|from| target_group(from, answered));
        let Some(mut group) = answered.needed(read) else {
            return Ok(None);
        };
        let request = self.client.describe_tags().resource_arns(&arn);
        let action = actions::DESCRIBE_BALANCER_TAGS;
        let answer = self.reads.call(action, &arn, request.send()).await?;
        let described = answer.iter().flat_map(|answer| answer.tag_descriptions());
        group.tags = described.flat_map(|one| tags(one.tags())).collect();
        Ok(Some(group))
    }
}

/// Returns the target groups of an account and Region as candidates, sorted by ARN, without those of a controller.
///
/// # Errors
/// [`AwsError`] if Elastic Load Balancing refuses a call or does not answer.
pub(crate) async fn candidates(context: &AwsContext) -> Result<Vec<Candidate>, AwsError> {
    let client = Client::new(context.sdk_config());
    let pages = (client.describe_target_groups().into_paginator())
        .items()
        .send()
        .try_collect();
    let action = unbuilt::DESCRIBE_TARGET_GROUPS.name();
    let groups: Vec<types::TargetGroup> = pages.await.map_err(|error| AwsError::new(action, TYPE, error))?;
    let mut found: Vec<Candidate> = groups.iter().filter_map(candidate).collect();
    found.sort();
    for some in found.chunks_mut(RESOURCES) {
        let arns = some.iter().map(|one| one.id.clone()).collect();
        let action = unbuilt::DESCRIBE_BALANCER_TAGS.name();
        let answer = client.describe_tags().set_resource_arns(Some(arns)).send().await;
        let answer = answer.map_err(|error| AwsError::new(action, TYPE, error))?;
        for described in answer.tag_descriptions() {
            let one = some
                .iter_mut()
                .find(|one| described.resource_arn() == Some(&one.id));
            if let Some(one) = one {
                one.tags = tags(described.tags());
            }
        }
    }
    found.retain(|one| !one.tags.contains_key(TargetGroup::TAG_OF_CONTROLLER));
    Ok(found)
}

fn candidate(from: &types::TargetGroup) -> Option<Candidate> {
    let mut found = Candidate::new(CandidateKind::TargetGroup, from.target_group_arn()?);
    found.name = owned(from.target_group_name());
    found.parent = owned(from.vpc_id());
    Some(found)
}

fn tags(from: &[types::Tag]) -> Tags {
    let pairs = from
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())));
    pairs.collect()
}

fn target_group(from: &types::TargetGroup, answer: Answer<'_>) -> Option<TargetGroup> {
    let matcher = from.matcher();
    let codes = matcher.and_then(|matcher| matcher.http_code().or_else(|| matcher.grpc_code()));
    Some(TargetGroup {
        target_group_arn: from.target_group_arn()?.to_owned(),
        target_group_name: from.target_group_name()?.to_owned(),
        protocol: from.protocol().and_then(|one| answer.spelled(one.as_str())),
        protocol_version: owned(from.protocol_version()),
        port: number(from.port()),
        vpc_id: owned(from.vpc_id()),
        target_type: from.target_type().and_then(|one| answer.spelled(one.as_str())),
        ip_address_type: from.ip_address_type().map(|one| one.as_str().to_owned()),
        health_check: Some(HealthCheck {
            enabled: from.health_check_enabled(),
            protocol: (from.health_check_protocol()).and_then(|one| answer.spelled(one.as_str())),
            port: owned(from.health_check_port()),
            path: owned(from.health_check_path()),
            interval_seconds: number(from.health_check_interval_seconds()),
            timeout_seconds: number(from.health_check_timeout_seconds()),
            healthy_threshold_count: number(from.healthy_threshold_count()),
            unhealthy_threshold_count: number(from.unhealthy_threshold_count()),
            matcher: owned(codes),
        }),
        tags: Tags::new(),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{ProtocolEnum, TargetTypeEnum};
    use lifeboat_infrastructure::description::load_balancing as described;

    use crate::testing::assert_spelled;

    #[test]
    fn every_value_of_the_sdk_is_described() {
        assert_spelled::<described::Protocol>(ProtocolEnum::values());
        assert_spelled::<described::TargetType>(TargetTypeEnum::values());
    }
}
