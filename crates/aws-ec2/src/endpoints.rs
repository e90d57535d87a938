//! VPC endpoints.

use aws_sdk_ec2::types::{self, State};
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_infrastructure::description::Hidden;
use lifeboat_infrastructure::description::network::VpcEndpoint;

use crate::convert::{owned, tags};
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Reads the endpoints of VPCs, without those that are deleted or were never accepted.
    pub(crate) async fn vpc_endpoints(
        &self,
        reads: &Reads,
        vpcs: &[String],
    ) -> Result<Vec<VpcEndpoint>, AwsError> {
        let mut found: Vec<VpcEndpoint> = Vec::new();
        for ids in vpcs.chunks(FILTER_VALUES) {
            let request = self
                .client
                .describe_vpc_endpoints()
                .filters(filter("vpc-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let answer = reads
                .call(actions::VPC_ENDPOINTS, "AWS::EC2::VPCEndpoint", pages)
                .await?;
            for one in answer.iter().flatten() {
                let on = one.vpc_endpoint_id().unwrap_or_default();
                found.extend(endpoint(one, reads.answer(actions::VPC_ENDPOINTS, on)));
            }
        }
        // The local AWS does not know the filter.
        found.retain(|endpoint| vpcs.contains(&endpoint.vpc_id));
        found.sort_by(|a, b| a.vpc_endpoint_id.cmp(&b.vpc_endpoint_id));
        Ok(found)
    }
}

fn endpoint(from: &types::VpcEndpoint, answer: Answer<'_>) -> Option<VpcEndpoint> {
    let is_gone = from.state().is_some_and(|state| {
        matches!(
            state,
            State::Deleted | State::Deleting | State::Expired | State::Failed | State::Rejected
        )
    });
    if is_gone {
        return None;
    }
    let sorted = |ids: &[String]| {
        let mut ids = ids.to_vec();
        ids.sort();
        ids
    };
    let groups = from.groups().iter().filter_map(|group| owned(group.group_id()));
    let policy = from.policy_document().and_then(|text| answer.policy(text));
    Some(VpcEndpoint {
        vpc_endpoint_id: from.vpc_endpoint_id()?.to_owned(),
        vpc_id: from.vpc_id()?.to_owned(),
        vpc_endpoint_type: answer.spelled(from.vpc_endpoint_type()?.as_str())?,
        // Endpoints of resources and service networks have no name of a service.
        service_name: from.service_name().unwrap_or_default().to_owned(),
        policy_document: policy.map(Hidden),
        route_table_ids: sorted(from.route_table_ids()),
        subnet_ids: sorted(from.subnet_ids()),
        group_ids: sorted(&groups.collect::<Vec<String>>()),
        private_dns_enabled: from.private_dns_enabled(),
        ip_address_type: from
            .ip_address_type()
            .and_then(|kind| answer.spelled(kind.as_str())),
        requester_managed: from.requester_managed(),
        tags: tags(from.tags()),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ec2::types::{IpAddressType, SecurityGroupIdentifier, VpcEndpointType};
    use lifeboat_aws::reads::UNKNOWN_VALUE;
    use lifeboat_infrastructure::description::network;

    use super::*;

    #[test]
    fn endpoints_that_are_gone_or_of_an_unknown_type_are_left_out() {
        let group = |id: &str| SecurityGroupIdentifier::builder().group_id(id).build();
        let from = types::VpcEndpoint::builder()
            .vpc_endpoint_id("vpce-1")
            .vpc_id("vpc-1")
            .vpc_endpoint_type(VpcEndpointType::Interface)
            .service_name("com.amazonaws.eu-west-1.ecr.api")
            .policy_document(r#"{"Statement": []}"#)
            .subnet_ids("subnet-2")
            .subnet_ids("subnet-1")
            .groups(group("sg-2"))
            .groups(group("sg-1"))
            .ip_address_type(IpAddressType::Dualstack)
            .state(State::Available);
        let reads = Reads::new();
        let answer = reads.answer(actions::VPC_ENDPOINTS, "vpce-1");
        let kept = endpoint(&from.clone().build(), answer).unwrap();
        assert_eq!(kept.subnet_ids, ["subnet-1", "subnet-2"]);
        assert_eq!(kept.group_ids, ["sg-1", "sg-2"]);
        assert_eq!(
            kept.ip_address_type,
            Some(network::EndpointAddressType::Dualstack)
        );
        assert!(kept.policy_document.is_some() && reads.refused().is_empty());
        assert!(endpoint(&from.clone().state(State::Rejected).build(), answer).is_none());
        let new = from.vpc_endpoint_type(VpcEndpointType::from("Teleport")).build();
        assert!(endpoint(&new, answer).is_none());
        assert_eq!(reads.refused()[0].code, UNKNOWN_VALUE);
    }
}
