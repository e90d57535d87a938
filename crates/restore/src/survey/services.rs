//! The IP and port ranges that a cluster assigns to Services, and the assigned ones.

use http::Method;
use lifeboat_model::ObjectRef;
use lifeboat_plan::ServiceAllocation;
use serde_json::{Value, json};

use super::SurveyError;
use super::listing::collect;
use crate::wire::{self, JSON, text};
use lifeboat_apiserver::api::Api;
use lifeboat_apiserver::discovery::Discovery;

/// Returns the ranges of cluster IPs, primary family first; empty if the server does not report them.
pub(super) async fn service_ranges(
    api: &Api,
    discovery: &Discovery,
    at: &str,
) -> Result<Vec<String>, SurveyError> {
    if let Some(served) = discovery.find(&"servicecidrs.networking.k8s.io".into()) {
        let path = served.resource.collection_path();
        let mut ranges: Vec<(bool, String)> = collect(
            api,
            &path,
            Some(at),
            |ranges: &mut Vec<(bool, String)>, item, _| {
                let Ok(range) = serde_json::from_slice::<Value>(item) else {
                    return;
                };
                // A range that is being deleted assigns no more addresses.
                if range.pointer("/metadata/deletionTimestamp").is_some() {
                    return;
                }
                let first = text(&range, "/metadata/name") != "kubernetes";
                for cidr in strings(&range, "/spec/cidrs") {
                    ranges.push((first, cidr));
                }
            },
        )
        .await
        .map_err(|cause| SurveyError::List {
            path: path.clone(),
            cause,
        })?;
        ranges.sort_by_key(|(other, _)| *other);
        if !ranges.is_empty() {
            return Ok(ranges.into_iter().map(|(_, cidr)| cidr).collect());
        }
    }
    let refusal = refused_address(api).await?;
    Ok(after(&refusal, "The range of valid IPs is ")
        .map(|text| {
            text.chars()
                .take_while(|c| !c.is_whitespace() && *c != ',')
                .collect::<String>()
        })
        .filter(|range| range.contains('/'))
        .into_iter()
        .collect())
}

/// Requests, as a dry run, a Service with an address of a documentation range (RFC 5737), which no cluster
/// uses, and returns the error message: it names the valid range. (A dry run would accept any node port.)
async fn refused_address(api: &Api) -> Result<String, SurveyError> {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "generateName": "lifeboat-probe-", "namespace": "default" },
        "spec": { "clusterIP": "192.0.2.1", "ports": [{ "port": 1 }] },
    });
    let path = "/api/v1/namespaces/default/services?dryRun=All";
    match wire::send_again(api, Method::POST, path, JSON, &service).await {
        Ok(_) => Ok(String::new()),
        // If permission to create Services is missing, the preflight reports it when the plan contains any.
        Err(error) => match error.refusal() {
            Some(refusal) => Ok(refusal.message.clone()),
            None => Err(SurveyError::Api(error)),
        },
    }
}

fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.find(words).map(|at| &text[at + words.len()..])
}

/// Returns the addresses and ports that a Service uses.
pub(super) fn allocation(service: &Value) -> ServiceAllocation {
    let mut cluster_ips = strings(service, "/spec/clusterIPs");
    if cluster_ips.is_empty() {
        cluster_ips.extend(
            service
                .pointer("/spec/clusterIP")
                .and_then(Value::as_str)
                .map(str::to_owned),
        );
    }
    cluster_ips.retain(|ip| !ip.is_empty() && ip != "None");
    let port = |value: &Value| value.as_u64().and_then(|port| u16::try_from(port).ok());
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let node_ports = ports
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("nodePort").and_then(port))
        .chain(service.pointer("/spec/healthCheckNodePort").and_then(port))
        .filter(|port| *port != 0)
        .collect();
    ServiceAllocation {
        service: ObjectRef::new(
            "services".into(),
            Some(text(service, "/metadata/namespace")),
            text(service, "/metadata/name"),
        ),
        cluster_ips,
        node_ports,
    }
}

fn strings(value: &Value, pointer: &str) -> Vec<String> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_holds_its_addresses_and_all_its_ports() {
        let held = allocation(&json!({
            "metadata": {"namespace": "shop", "name": "web"},
            "spec": {
                "clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9", "fd00::9"],
                "healthCheckNodePort": 30100,
                "ports": [{"port": 80, "nodePort": 30080}, {"port": 81}]
            }
        }));
        assert_eq!(held.cluster_ips, ["10.0.0.9", "fd00::9"]);
        assert_eq!(held.node_ports, [30080, 30100]);
        let headless = allocation(&json!({"metadata": {"name": "x"}, "spec": {"clusterIP": "None"}}));
        assert!(headless.cluster_ips.is_empty());
    }
}
