//! VPC endpoints. Gateway endpoints cost nothing; interface endpoints cost by the hour, so that only an active stack has
//! them.

use lifeboat_model::Code;
use serde_json::Value;

use super::is_in_own;
use crate::builder::Builder;
use crate::description::network::{VpcEndpoint, VpcEndpointType};
use crate::names::logical_ids;
use crate::stack::json;
use crate::template::Resource;

pub(super) fn build(builder: &mut Builder<'_, '_>) {
    let all = builder.context.descriptions;
    let own = all
        .vpc_endpoints
        .iter()
        .filter(|endpoint| endpoint.requester_managed != Some(true));
    let own: Vec<&VpcEndpoint> = own.collect();
    let region = format!(".{}.", all.region);
    let names: Vec<(&str, String)> = own
        .iter()
        .map(|endpoint| {
            // The name of the service without the Region, so that logical ids do not name the primary.
            let service = endpoint.service_name.replace(&region, ".");
            (endpoint.vpc_endpoint_id.as_str(), service)
        })
        .collect();
    let ids = logical_ids("Endpoint", names.iter().map(|(id, name)| (*id, name.as_str())));
    for endpoint in own {
        let id = endpoint.vpc_endpoint_id.as_str();
        let is_gateway = endpoint.vpc_endpoint_type == VpcEndpointType::Gateway;
        let is_built = is_in_own(builder, &endpoint.vpc_id)
            && !builder.context.bindings.adopted.contains_key(id)
            && (is_gateway || builder.is_active());
        let Some(logical) = ids.get(id).filter(|_| is_built) else {
            continue;
        };
        if let Some(resource) = self::endpoint(builder, endpoint) {
            builder.add(logical, resource);
        }
    }
}

fn endpoint(builder: &mut Builder<'_, '_>, endpoint: &VpcEndpoint) -> Option<Resource> {
    let id = endpoint.vpc_endpoint_id.as_str();
    let (old, new) = (
        &builder.context.descriptions.region,
        &builder.context.facts.region,
    );
    let is_of_aws = endpoint.service_name.contains("com.amazonaws.")
        && !endpoint.service_name.contains(".vpce-svc-")
        && !endpoint.service_name.contains(".vpce.");
    let is_known = matches!(
        endpoint.vpc_endpoint_type,
        VpcEndpointType::Gateway | VpcEndpointType::Interface
    );
    if !is_of_aws || !is_known {
        let what = format!(
            "the endpoint for {} is left out: a service of others has another name in each Region",
            endpoint.service_name
        );
        builder.findings.warning(Code::CounterpartUnknown, id, what);
        return None;
    }
    let service = endpoint
        .service_name
        .replace(&format!(".{old}"), &format!(".{new}"));
    let vpc = builder.needed(id, &endpoint.vpc_id)?;
    let policy = endpoint
        .policy_document
        .as_ref()
        .and_then(|policy| builder.policy(id, policy));
    let mut resource = Resource::new("AWS::EC2::VPCEndpoint")
        .with("VpcId", vpc)
        .with("ServiceName", service)
        .with("VpcEndpointType", json(&endpoint.vpc_endpoint_type))
        .with("Tags", builder.tag_list(&endpoint.tags));
    if let Some(policy) = policy {
        resource = resource.with("PolicyDocument", policy);
    }
    if endpoint.vpc_endpoint_type == VpcEndpointType::Gateway {
        let tables = builder.all(id, &endpoint.route_table_ids);
        return Some(resource.with("RouteTableIds", tables));
    }
    let subnets = one_per_zone(builder, endpoint);
    let groups = builder.all(id, &endpoint.group_ids);
    Some(
        resource
            .with("SubnetIds", subnets)
            .with("SecurityGroupIds", groups)
            .with("PrivateDnsEnabled", json(&endpoint.private_dns_enabled))
            .with("IpAddressType", json(&endpoint.ip_address_type)),
    )
}

/// Returns the subnets of an interface endpoint, which has one in each zone: where two zones of the primary became one,
/// the first.
fn one_per_zone(builder: &mut Builder<'_, '_>, endpoint: &VpcEndpoint) -> Vec<Value> {
    let mut zones = std::collections::BTreeSet::new();
    let mut subnets = Vec::new();
    for id in &endpoint.subnet_ids {
        let zone = builder.context.zone_of(id);
        if zone.is_some_and(|zone| !zones.insert(zone.name.clone())) {
            continue;
        }
        subnets.extend(builder.needed(&endpoint.vpc_endpoint_id, id));
    }
    subnets
}
