//! Route tables.

use aws_sdk_ec2::types;
use lifeboat_aws::AwsError;
use lifeboat_aws::reads::{Answer, Reads};
use lifeboat_infrastructure::description::network::{Route, RouteTable};

use crate::convert::{owned, tags};
use crate::{Ec2, FILTER_VALUES, actions, filter};

impl Ec2 {
    /// Reads the route tables of VPCs.
    pub(crate) async fn route_tables(
        &self,
        reads: &Reads,
        vpcs: &[String],
    ) -> Result<Vec<RouteTable>, AwsError> {
        let mut found: Vec<RouteTable> = Vec::new();
        for ids in vpcs.chunks(FILTER_VALUES) {
            let request = self.client.describe_route_tables().filters(filter("vpc-id", ids));
            let pages = request.into_paginator().items().send().try_collect();
            let answer = reads
                .call(actions::ROUTE_TABLES, "AWS::EC2::RouteTable", pages)
                .await?;
            for one in answer.iter().flatten() {
                let on = one.route_table_id().unwrap_or_default();
                found.extend(table(one, reads.answer(actions::ROUTE_TABLES, on)));
            }
        }
        found.sort_by(|a, b| a.route_table_id.cmp(&b.route_table_id));
        Ok(found)
    }
}

fn table(from: &types::RouteTable, answer: Answer<'_>) -> Option<RouteTable> {
    let associations = from.associations();
    let subnets = associations.iter().filter_map(|one| owned(one.subnet_id()));
    let mut subnet_ids: Vec<String> = subnets.collect();
    subnet_ids.sort();
    let routes = from.routes().iter().filter(|route| !is_local(route));
    let mut routes: Vec<Route> = routes.map(|one| route(one, answer)).collect();
    let destination = |route: &Route| {
        (
            route.destination_cidr_block.clone(),
            route.destination_ipv6_cidr_block.clone(),
            route.destination_prefix_list_id.clone(),
        )
    };
    routes.sort_by_key(destination);
    Some(RouteTable {
        route_table_id: from.route_table_id()?.to_owned(),
        vpc_id: from.vpc_id()?.to_owned(),
        main: associations.iter().any(|one| one.main() == Some(true)),
        subnet_ids,
        routes,
        tags: tags(from.tags()),
    })
}

/// The route of the VPC itself, which every table has.
fn is_local(route: &types::Route) -> bool {
    route.gateway_id() == Some("local")
}

fn route(from: &types::Route, answer: Answer<'_>) -> Route {
    // A gateway endpoint is a gateway with the id of an endpoint; so is a Gateway Load Balancer endpoint, whose routes
    // are for address ranges.
    let gateway = from.gateway_id();
    let is_load_balancer =
        gateway.is_some_and(|id| id.starts_with("vpce-")) && from.destination_prefix_list_id().is_none();
    Route {
        destination_cidr_block: owned(from.destination_cidr_block()),
        destination_ipv6_cidr_block: owned(from.destination_ipv6_cidr_block()),
        destination_prefix_list_id: owned(from.destination_prefix_list_id()),
        gateway_id: owned(gateway.filter(|_| !is_load_balancer)),
        nat_gateway_id: owned(from.nat_gateway_id()),
        egress_only_internet_gateway_id: owned(from.egress_only_internet_gateway_id()),
        transit_gateway_id: owned(from.transit_gateway_id()),
        vpc_peering_connection_id: owned(from.vpc_peering_connection_id()),
        network_interface_id: owned(from.network_interface_id()),
        instance_id: owned(from.instance_id()),
        carrier_gateway_id: owned(from.carrier_gateway_id()),
        local_gateway_id: owned(from.local_gateway_id()),
        core_network_arn: owned(from.core_network_arn()),
        vpc_endpoint_id: owned(gateway.filter(|_| is_load_balancer)),
        origin: from.origin().and_then(|origin| answer.spelled(origin.as_str())),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use aws_sdk_ec2::types::{RouteTableAssociation, builders::RouteBuilder};
    use lifeboat_infrastructure::description::network::RouteOrigin;

    use super::*;

    #[test]
    fn routes_are_sorted_by_destination_without_that_of_the_vpc() {
        let route = |cidr: &str| types::Route::builder().destination_cidr_block(cidr);
        let made = |route: RouteBuilder| route.origin(types::RouteOrigin::CreateRoute).build();
        let endpoint = types::Route::builder()
            .destination_prefix_list_id("pl-1")
            .gateway_id("vpce-1");
        let associated = |subnet: &str| RouteTableAssociation::builder().subnet_id(subnet).build();
        let from = types::RouteTable::builder()
            .route_table_id("rtb-1")
            .vpc_id("vpc-1")
            .routes(made(route("10.0.0.0/16").gateway_id("local")))
            .routes(made(route("192.0.2.0/24").gateway_id("vpce-2")))
            .routes(made(route("0.0.0.0/0").nat_gateway_id("nat-1")))
            .routes(made(endpoint))
            .associations(associated("subnet-2"))
            .associations(associated("subnet-1"))
            .build();
        let reads = Reads::new();
        let table = table(&from, reads.answer(actions::ROUTE_TABLES, "rtb-1")).unwrap();
        assert_eq!(table.subnet_ids, ["subnet-1", "subnet-2"]);
        assert!(!table.main);
        let [gateway, default, balancer] = table.routes.as_slice() else {
            panic!("{:?}", table.routes);
        };
        assert_eq!(gateway.gateway_id.as_deref(), Some("vpce-1"));
        assert_eq!(default.nat_gateway_id.as_deref(), Some("nat-1"));
        assert_eq!(balancer.vpc_endpoint_id.as_deref(), Some("vpce-2"));
        assert_eq!(balancer.gateway_id, None);
        assert_eq!(balancer.origin, Some(RouteOrigin::CreateRoute));
    }
}
