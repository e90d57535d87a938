//! Route tables. Subnets that use the main table of their VPC are associated with a table of the same routes: the main
//! table of a new VPC cannot be replaced by a stack.

use std::collections::BTreeSet;

use lifeboat_model::Code;
use serde_json::json;

use super::{Gateways, is_in_own};
use crate::builder::Builder;
use crate::description::network::{Route, RouteOrigin, RouteTable};
use crate::names;
use crate::template::{Resource, reference};

pub(super) fn build(builder: &mut Builder<'_, '_>, gateways: &Gateways) {
    let all = builder.context.descriptions;
    let associated: BTreeSet<&str> = all
        .route_tables
        .iter()
        .flat_map(|table| table.subnet_ids.iter().map(String::as_str))
        .collect();
    for table in &all.route_tables {
        if !is_in_own(builder, &table.vpc_id) || builder.own(&table.route_table_id).is_none() {
            continue;
        }
        let Some(vpc) = builder.id(&table.vpc_id) else {
            continue;
        };
        let resource = Resource::new("AWS::EC2::RouteTable")
            .with("VpcId", vpc)
            .with("Tags", builder.tag_list(&table.tags));
        let Some(made) = builder.make(&table.route_table_id, resource) else {
            continue;
        };
        let logical = made.logical.clone();
        for route in &table.routes {
            self::route(builder, table, &logical, route, gateways);
        }
        let main = all.subnets.iter().filter(|subnet| {
            table.main && subnet.vpc_id == table.vpc_id && !associated.contains(subnet.subnet_id.as_str())
        });
        let subnets = table
            .subnet_ids
            .iter()
            .chain(main.map(|subnet| &subnet.subnet_id));
        for subnet in subnets {
            let Some(subnet) = builder.own(subnet).map(|made| made.logical.clone()) else {
                continue;
            };
            let association = Resource::new("AWS::EC2::SubnetRouteTableAssociation")
                .with("RouteTableId", reference(&logical))
                .with("SubnetId", reference(&subnet));
            builder.add(format!("{subnet}RouteTable"), association);
        }
    }
}

fn route(
    builder: &mut Builder<'_, '_>,
    table: &RouteTable,
    logical: &str,
    route: &Route,
    gateways: &Gateways,
) {
    let is_own = |id: &Option<String>| {
        id.as_deref()
            .is_some_and(|id| id == "local" || id.starts_with("vpce-"))
    };
    // Those of the VPC, of gateway endpoints and those that a virtual private gateway announces come by themselves.
    if is_own(&route.gateway_id)
        || matches!(
            route.origin,
            Some(
                RouteOrigin::CreateRouteTable
                    | RouteOrigin::EnableVgwRoutePropagation
                    | RouteOrigin::Advertisement
            )
        )
    {
        return;
    }
    let targets = [
        &route.gateway_id,
        &route.nat_gateway_id,
        &route.egress_only_internet_gateway_id,
        &route.transit_gateway_id,
        &route.vpc_peering_connection_id,
        &route.network_interface_id,
        &route.instance_id,
        &route.carrier_gateway_id,
        &route.local_gateway_id,
        &route.core_network_arn,
        &route.vpc_endpoint_id,
    ];
    let Some(target) = targets.into_iter().flatten().next() else {
        return;
    };
    let destinations = [
        ("DestinationCidrBlock", &route.destination_cidr_block),
        ("DestinationIpv6CidrBlock", &route.destination_ipv6_cidr_block),
        ("DestinationPrefixListId", &route.destination_prefix_list_id),
    ];
    let Some((property, destination)) = destinations
        .into_iter()
        .find_map(|(property, destination)| Some((property, destination.as_deref()?)))
    else {
        return;
    };
    let known = builder.context.descriptions.nat_gateways.iter();
    if !builder.is_active() && known.clone().any(|nat| nat.nat_gateway_id == *target) {
        return;
    }
    let Some((to, value, after)) = gateways.get(target) else {
        let what = format!("its route to {destination} leads to {target}, which has no counterpart");
        return builder
            .findings
            .warning(Code::CounterpartUnknown, &table.route_table_id, what);
    };
    let mapped = builder.context.bindings.adopted.get(destination).copied();
    if property == "DestinationPrefixListId" && mapped.is_none() {
        let what = format!("its route to the prefix list {destination} is left out: the list is not mapped");
        return builder
            .findings
            .warning(Code::CounterpartUnknown, &table.route_table_id, what);
    }
    let mut resource = Resource::new("AWS::EC2::Route")
        .with("RouteTableId", reference(logical))
        .with(property, json!(mapped.unwrap_or(destination)))
        .with(to, value.clone());
    if let Some(after) = after {
        resource = resource.after(after);
    }
    let name = match destination {
        "0.0.0.0/0" => "Default".to_owned(),
        "::/0" => "DefaultIpv6".to_owned(),
        other => format!("x{}", names::digest(other)),
    };
    builder.add(format!("{logical}Route{name}"), resource);
}
