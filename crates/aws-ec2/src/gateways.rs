//! Internet, egress-only internet and NAT gateways.

use aws_sdk_ec2::types::{self, NatGatewayState};
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_infrastructure::description::network::{EgressOnlyInternetGateway, InternetGateway, NatGateway};

use crate::convert::{owned, tags};
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Reads the internet gateways that are attached to VPCs.
    pub(crate) async fn internet_gateways(
        &self,
        reads: &Reads,
        vpcs: &[String],
    ) -> Result<Vec<InternetGateway>, AwsError> {
        let mut found: Vec<InternetGateway> = Vec::new();
        for ids in vpcs.chunks(FILTER_VALUES) {
            let request =
                (self.client.describe_internet_gateways()).filters(filter("attachment.vpc-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let answer = reads
                .call(actions::INTERNET_GATEWAYS, "AWS::EC2::InternetGateway", pages)
                .await?;
            found.extend(
                answer
                    .iter()
                    .flatten()
                    .filter_map(|one| internet_gateway(one, vpcs)),
            );
        }
        found.sort_by(|a, b| a.internet_gateway_id.cmp(&b.internet_gateway_id));
        Ok(found)
    }

    /// Reads the egress-only internet gateways that are attached to VPCs. The call has no filter for the VPC.
    pub(crate) async fn egress_only_internet_gateways(
        &self,
        reads: &Reads,
        vpcs: &[String],
    ) -> Result<Vec<EgressOnlyInternetGateway>, AwsError> {
        let request = self.client.describe_egress_only_internet_gateways();
        let pages = request.into_paginator().items().send().try_collect();
        let (action, of) = (
            actions::EGRESS_ONLY_INTERNET_GATEWAYS,
            "AWS::EC2::EgressOnlyInternetGateway",
        );
        let answer = reads.call(action, of, pages).await?;
        let mut found: Vec<EgressOnlyInternetGateway> = answer
            .iter()
            .flatten()
            .filter_map(|one| egress_only(one, vpcs))
            .collect();
        found.sort_by(|a, b| {
            a.egress_only_internet_gateway_id
                .cmp(&b.egress_only_internet_gateway_id)
        });
        Ok(found)
    }

    /// Reads the NAT gateways of VPCs, without those that are deleted or could not be created.
    pub(crate) async fn nat_gateways(
        &self,
        reads: &Reads,
        vpcs: &[String],
    ) -> Result<Vec<NatGateway>, AwsError> {
        let mut found: Vec<NatGateway> = Vec::new();
        for ids in vpcs.chunks(FILTER_VALUES) {
            let request = self.client.describe_nat_gateways().filter(filter("vpc-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let answer = reads
                .call(actions::NAT_GATEWAYS, "AWS::EC2::NatGateway", pages)
                .await?;
            for one in answer.iter().flatten() {
                let on = one.nat_gateway_id().unwrap_or_default();
                found.extend(nat_gateway(one, reads.answer(actions::NAT_GATEWAYS, on)));
            }
        }
        // The local AWS does not know the filter.
        found.retain(|gateway| vpcs.contains(&gateway.vpc_id));
        found.sort_by(|a, b| a.nat_gateway_id.cmp(&b.nat_gateway_id));
        Ok(found)
    }
}

/// Returns the VPC of an attachment, if it is one of these.
fn attached<'a>(attachments: &'a [types::InternetGatewayAttachment], vpcs: &[String]) -> Option<&'a str> {
    let mut attached = attachments.iter().filter_map(|attachment| attachment.vpc_id());
    attached.find(|id| vpcs.iter().any(|vpc| vpc == id))
}

fn internet_gateway(from: &types::InternetGateway, vpcs: &[String]) -> Option<InternetGateway> {
    Some(InternetGateway {
        internet_gateway_id: from.internet_gateway_id()?.to_owned(),
        vpc_id: attached(from.attachments(), vpcs)?.to_owned(),
        tags: tags(from.tags()),
    })
}

fn egress_only(
    from: &types::EgressOnlyInternetGateway,
    vpcs: &[String],
) -> Option<EgressOnlyInternetGateway> {
    Some(EgressOnlyInternetGateway {
        egress_only_internet_gateway_id: from.egress_only_internet_gateway_id()?.to_owned(),
        vpc_id: attached(from.attachments(), vpcs)?.to_owned(),
        tags: tags(from.tags()),
    })
}

fn nat_gateway(from: &types::NatGateway, answer: Answer<'_>) -> Option<NatGateway> {
    let is_there = from
        .state()
        .is_none_or(|state| matches!(state, NatGatewayState::Available | NatGatewayState::Pending));
    if !is_there {
        return None;
    }
    Some(NatGateway {
        nat_gateway_id: from.nat_gateway_id()?.to_owned(),
        vpc_id: from.vpc_id()?.to_owned(),
        subnet_id: owned(from.subnet_id()),
        connectivity_type: from
            .connectivity_type()
            .and_then(|kind| answer.spelled(kind.as_str())),
        availability_mode: from
            .availability_mode()
            .and_then(|mode| answer.spelled(mode.as_str())),
        tags: tags(from.tags()),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ec2::types::{ConnectivityType, InternetGatewayAttachment};
    use lifeboat_infrastructure::description::network;

    use super::*;

    #[test]
    fn gateways_of_other_vpcs_and_deleted_ones_are_left_out() {
        let attachment = |vpc: &str| InternetGatewayAttachment::builder().vpc_id(vpc).build();
        let gateway = |vpc: &str| {
            types::EgressOnlyInternetGateway::builder()
                .egress_only_internet_gateway_id("eigw-1")
                .attachments(attachment(vpc))
                .build()
        };
        let vpcs = ["vpc-1".to_owned()];
        assert_eq!(egress_only(&gateway("vpc-1"), &vpcs).unwrap().vpc_id, "vpc-1");
        assert!(egress_only(&gateway("vpc-2"), &vpcs).is_none());

        let reads = Reads::new();
        let answer = reads.answer(actions::NAT_GATEWAYS, "nat-1");
        let from = types::NatGateway::builder()
            .nat_gateway_id("nat-1")
            .vpc_id("vpc-1")
            .subnet_id("subnet-1")
            .connectivity_type(ConnectivityType::Private)
            .state(NatGatewayState::Available);
        let kept = nat_gateway(&from.clone().build(), answer).unwrap();
        assert_eq!(kept.connectivity_type, Some(network::ConnectivityType::Private));
        for gone in [
            NatGatewayState::Deleted,
            NatGatewayState::Deleting,
            NatGatewayState::Failed,
        ] {
            assert!(nat_gateway(&from.clone().state(gone).build(), answer).is_none());
        }
    }
}
