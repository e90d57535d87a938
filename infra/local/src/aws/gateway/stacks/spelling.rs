//! Correction: properties of templates reach fakecloud as it reads them.
//!
//! fakecloud keeps some properties of `AWS::EKS::*` as the template spells them, and returns them so from the API of EKS,
//! which spells them otherwise; some it reads only where the API has them. CloudFormation's spelling is that of the
//! template reference (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EKS.html>):
//! - tags are a list of keys and values, except those of node groups; fakecloud reads a map;
//! - the name of an identity provider configuration stands beside `Oidc`; fakecloud reads it inside;
//! - labels of Fargate selectors and required claims are lists of keys and values; the API has maps;
//! - names begin with a capital letter.
//!
//! `AvailabilityZoneId` of subnets: see [`networks`](super::networks).

use serde_json::{Map, Value, json};

use super::networks;
use crate::aws::gateway::wire::{form, parameters};

/// The properties whose structure is kept as it is written, by the type of the resource.
const STRUCTURES: &[(&str, &[&str])] = &[
    (
        "AWS::EKS::Cluster",
        &[
            "ComputeConfig",
            "ControlPlaneScalingConfig",
            "RemoteNetworkConfig",
            "StorageConfig",
            "ZonalShiftConfig",
        ],
    ),
    (
        "AWS::EKS::Nodegroup",
        &["LaunchTemplate", "NodeRepairConfig", "RemoteAccess", "Taints"],
    ),
];

/// The types of log of a control plane, in the order in which `DescribeCluster` returns them.
const LOGS: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/// Returns a request whose template, in JSON, fakecloud reads as CloudFormation would; nothing if there is nothing to
/// correct.
pub(crate) fn as_fakecloud_reads(region: &str, request: &str) -> Option<String> {
    let mut pairs: Vec<(String, String)> = parameters(request).collect();
    let (_, body) = pairs.iter_mut().find(|(key, _)| key == "TemplateBody")?;
    if !body.contains("AvailabilityZoneId") && !body.contains("AWS::EKS::") {
        return None;
    }
    let mut template: Value = serde_json::from_str(body).ok()?;
    for (_, resource) in template["Resources"].as_object_mut()? {
        networks::name_zones(region, resource);
        correct(resource);
    }
    *body = template.to_string();
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    Some(form(&pairs))
}

fn correct(resource: &mut Value) {
    let kind = resource["Type"].as_str().unwrap_or_default().to_owned();
    if !kind.starts_with("AWS::EKS::") {
        return;
    }
    let properties = &mut resource["Properties"];
    if let Some(tags) = properties.get_mut("Tags") {
        as_map(tags);
    }
    let structures = STRUCTURES.iter().find(|(of, _)| *of == kind);
    for name in structures.map_or(&[][..], |(_, names)| names) {
        if let Some(value) = properties.get_mut(*name) {
            *value = of_api(value);
        }
    }
    match kind.as_str() {
        "AWS::EKS::Cluster" if !properties["Logging"].is_null() => {
            properties["Logging"] = logging(&properties["Logging"]);
        }
        "AWS::EKS::FargateProfile" => {
            for selector in properties["Selectors"].as_array_mut().into_iter().flatten() {
                if let Some(labels) = selector.get_mut("Labels") {
                    as_map(labels);
                }
            }
        }
        "AWS::EKS::IdentityProviderConfig" => {
            let name = properties["IdentityProviderConfigName"].clone();
            let oidc = &mut properties["Oidc"];
            oidc["IdentityProviderConfigName"] = name;
            if let Some(claims) = oidc.get_mut("RequiredClaims") {
                as_map(claims);
            }
        }
        _ => {}
    }
}

/// Turns a list of keys and values into a map. A map stays.
fn as_map(value: &mut Value) {
    let Some(list) = value.as_array() else { return };
    let pairs = list
        .iter()
        .filter_map(|pair| Some((pair["Key"].as_str()?.to_owned(), pair["Value"].clone())));
    *value = Value::Object(pairs.collect());
}

/// Returns a structure of a template as the API spells it. Intrinsic functions stay.
pub(super) fn of_api(value: &Value) -> Value {
    let is_function = |name: &str| name == "Ref" || name.starts_with("Fn::");
    match value {
        Value::Object(fields) if fields.keys().any(|name| is_function(name)) => value.clone(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let mut letters = name.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                let name: String = first.into_iter().chain(letters).collect();
                (name, of_api(value))
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(of_api).collect(),
        _ => value.clone(),
    }
}

/// Returns the logging of a control plane as `DescribeCluster` returns it: what is not enabled is listed, too.
pub(super) fn logging(of_template: &Value) -> Value {
    let enabled = of_template["ClusterLogging"]["EnabledTypes"].as_array();
    let enabled: Vec<&str> = enabled
        .into_iter()
        .flatten()
        .filter_map(|log| log["Type"].as_str())
        .collect();
    let (on, off): (Vec<&str>, Vec<&str>) = LOGS.into_iter().partition(|log| enabled.contains(log));
    let setups = [(on, true), (off, false)].into_iter();
    let setups = setups.filter(|(types, _)| !types.is_empty());
    let setups: Vec<Value> = setups
        .map(|(types, enabled)| json!({ "types": types, "enabled": enabled }))
        .collect();
    json!({ "clusterLogging": setups })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn corrected(template: &Value) -> Option<Value> {
        let request = form(&[
            ("Action", "CreateChangeSet"),
            ("TemplateBody", &template.to_string()),
        ]);
        let request = as_fakecloud_reads("eu-central-1", &request)?;
        let (_, body) = parameters(&request).find(|(key, _)| key == "TemplateBody")?;
        Some(serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn zones_are_named_in_templates_alone() {
        let template = json!({"Resources": {"A": {"Type": "AWS::EC2::Subnet",
            "Properties": {"AvailabilityZoneId": "euc1-az2"}}}});
        let zone = &corrected(&template).unwrap()["Resources"]["A"]["Properties"]["AvailabilityZone"];
        assert_eq!(zone, "eu-central-1b");
        let request = form(&[("Action", "DescribeStacks")]);
        assert_eq!(as_fakecloud_reads("eu-central-1", &request), None);
    }

    #[test]
    fn properties_of_eks_are_spelled_as_the_api_spells_them() {
        let tags = json!([{"Key": "team", "Value": "shop"}]);
        let template = json!({"Resources": {
            "Cluster": {"Type": "AWS::EKS::Cluster", "Properties": {"Tags": tags,
                "Logging": {"ClusterLogging": {"EnabledTypes": [{"Type": "audit"}]}},
                "ComputeConfig": {"Enabled": true, "NodeRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}}},
            "Nodes": {"Type": "AWS::EKS::Nodegroup", "Properties": {"Tags": {"team": "shop"},
                "Taints": [{"Key": "a", "Value": "b", "Effect": "NO_SCHEDULE"}], "Labels": {"Pool": "x"}}},
            "Pods": {"Type": "AWS::EKS::FargateProfile", "Properties": {
                "Selectors": [{"Namespace": "batch", "Labels": [{"Key": "compute", "Value": "fargate"}]}]}},
            "Login": {"Type": "AWS::EKS::IdentityProviderConfig", "Properties": {
                "IdentityProviderConfigName": "login", "Oidc": {"RequiredClaims": [{"Key": "a", "Value": "b"}]}}},
        }});
        let corrected = corrected(&template).unwrap();
        let property = |path: &str| corrected.pointer(&format!("/Resources/{path}")).unwrap().clone();
        for (path, expected) in [
            ("Cluster/Properties/Tags", json!({"team": "shop"})),
            (
                "Cluster/Properties/ComputeConfig",
                json!({"enabled": true, "nodeRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}),
            ),
            (
                "Cluster/Properties/Logging/clusterLogging/0",
                json!({"types": ["audit"], "enabled": true}),
            ),
            ("Nodes/Properties/Tags", json!({"team": "shop"})),
            ("Nodes/Properties/Labels", json!({"Pool": "x"})),
            (
                "Nodes/Properties/Taints/0",
                json!({"key": "a", "value": "b", "effect": "NO_SCHEDULE"}),
            ),
            (
                "Pods/Properties/Selectors/0/Labels",
                json!({"compute": "fargate"}),
            ),
            (
                "Login/Properties/Oidc",
                json!({"IdentityProviderConfigName": "login", "RequiredClaims": {"a": "b"}}),
            ),
        ] {
            assert_eq!(property(path), expected, "{path}");
        }
    }
}
