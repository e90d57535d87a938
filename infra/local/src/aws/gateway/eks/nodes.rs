//! Correction: node groups and Fargate profiles have nodes, and EKS lets these into the cluster.
//!
//! fakecloud records a node group as an Auto Scaling group without instances. The nodes here are those of kwok, which run
//! Pods without a kubelet. They have the labels of EKS
//! (<https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html>), the zones of the subnets, and the
//! labels and taints of the node group; there are as many as its desired size says, spread over its subnets. On Fargate
//! each Pod has a node; here a profile has one in each of its subnets.
//!
//! EKS lets the roles of both into the cluster by an entry in the ConfigMap `aws-auth`, by an access entry, or by both,
//! depending on the authentication mode
//! (<https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html>).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::access;
use crate::aws::gateway::Gateway;
use crate::aws::gateway::clusters::LocalCluster;
use crate::aws::gateway::upstream::UpstreamError;
use crate::aws::gateway::wire::{element, encode, form};
use crate::cluster::{Cluster, StartError};
use crate::process::Process;

const NODES: &str = "/api/v1/nodes";
const CONFIG_MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";

/// kwok needs a second or two for a node; a machine that compiles needs longer.
const READY_WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// What the node groups and Fargate profiles of a cluster want of its control plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    /// The nodes, by name.
    nodes: BTreeMap<String, Value>,
    /// The entries of `aws-auth`.
    admitted: Vec<Value>,
}

/// What a control plane has of it.
#[derive(Default)]
pub(crate) struct Applied {
    wanted: Wanted,
    failed: Option<String>,
    kwok: Option<Process>,
}

impl Applied {
    /// Returns whether the control plane has what is wanted, or why it does not get it.
    pub(crate) fn holds(&self, wanted: &Wanted) -> Result<bool, String> {
        match &self.failed {
            _ if self.wanted != *wanted => Ok(false),
            Some(failed) => Err(failed.clone()),
            None => Ok(true),
        }
    }

    /// Gives the control plane what is wanted.
    pub(crate) fn apply(&mut self, cluster: &Cluster, wanted: Wanted) {
        if self.wanted == wanted && self.failed.is_none() {
            return;
        }
        self.failed = self.change(cluster, &wanted).err();
        self.wanted = wanted;
    }

    fn change(&mut self, cluster: &Cluster, wanted: &Wanted) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let client = cluster.client();
        admit(cluster, &wanted.admitted).map_err(text)?;
        if self.kwok.is_none() && cluster.options().nodes == 0 && !wanted.nodes.is_empty() {
            let started = cluster.start_kwok();
            self.kwok = Some(started.map_err(|error: StartError| error.to_string())?);
        }
        for (name, node) in &self.wanted.nodes {
            if wanted.nodes.get(name) != Some(node) {
                client.delete(&format!("{NODES}/{name}")).map_err(text)?;
            }
        }
        for node in wanted.nodes.values() {
            let collection = format!("{NODES}?fieldManager=kubelet");
            client.create(&collection, node).map_err(text)?;
        }
        let began = Instant::now();
        for name in wanted.nodes.keys() {
            loop {
                let answer = client.get(&format!("{NODES}/{name}"), "application/json");
                let node = answer.and_then(|answer| answer.json()).map_err(text)?;
                if crate::cluster::is_ready(&node) {
                    break;
                }
                if began.elapsed() > READY_WITHIN {
                    return Err(format!("the node {name} did not become ready"));
                }
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }
}

/// Adds entries to `aws-auth`, as EKS does; others stay.
fn admit(cluster: &Cluster, entries: &[Value]) -> Result<(), std::io::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let client = cluster.client();
    let path = format!("{CONFIG_MAPS}/aws-auth");
    let answer = client.get(&path, "application/json")?;
    let exists = answer.status == 200;
    let mut map = if exists {
        answer.json()?
    } else {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "aws-auth", "namespace": "kube-system" },
        })
    };
    let roles = map["data"]["mapRoles"].as_str().unwrap_or_default().to_owned();
    let Ok(mut roles) = serde_yaml_ng::from_str::<Option<Vec<Value>>>(&roles).map(Option::unwrap_or_default)
    else {
        // EKS does not repair what a user broke.
        return Ok(());
    };
    let before = roles.len();
    for entry in entries {
        if !roles.iter().any(|role| role["rolearn"] == entry["rolearn"]) {
            roles.push(entry.clone());
        }
    }
    if roles.len() == before {
        return Ok(());
    }
    let text = serde_yaml_ng::to_string(&roles).map_err(std::io::Error::other)?;
    map["data"]["mapRoles"] = text.into();
    match exists {
        true => client.replace(&format!("{path}?fieldManager=eks"), &map),
        false => client.create(&format!("{CONFIG_MAPS}?fieldManager=eks"), &map),
    }
}

/// Reads the node groups and Fargate profiles of a cluster, and gives it their nodes in the background.
pub(crate) async fn follow(gateway: &Gateway, cluster: &Arc<LocalCluster>) -> Result<(), UpstreamError> {
    let mode = access::mode(gateway, &cluster.account, &cluster.region, &cluster.name).await?;
    let Some(mode) = mode else { return Ok(()) };
    let of_cluster = format!("/clusters/{}", encode(&cluster.name));
    let read = async |path: String| -> Result<Value, UpstreamError> {
        let answer = gateway
            .upstream
            .ask_as_administrator(&cluster.account, "eks", &cluster.region, Request::get(path), "")
            .await?;
        Ok(answer.json())
    };
    let mut found = Vec::new();
    for (kind, list, one) in [
        ("node-groups", "nodegroups", "nodegroup"),
        ("fargate-profiles", "fargateProfileNames", "fargateProfile"),
    ] {
        let names = read(format!("{of_cluster}/{kind}")).await?;
        for name in names[list].as_array().into_iter().flatten() {
            let name = encode(name.as_str().unwrap_or_default());
            let described = read(format!("{of_cluster}/{kind}/{name}")).await?;
            found.push((kind, described[one].clone()));
        }
    }
    let found: Vec<(&str, Value)> = found
        .into_iter()
        .filter(|(_, one)| one["status"] != "DELETING" && !one.is_null())
        .collect();
    let zones = zones(gateway, cluster, &found).await?;
    let mut wanted = Wanted::default();
    for (kind, one) in &found {
        let role = match *kind {
            "node-groups" => {
                wanted.nodes.extend(nodes_of_group(&cluster.region, one, &zones));
                &one["nodeRole"]
            }
            _ => {
                wanted
                    .nodes
                    .extend(nodes_of_profile(&cluster.region, one, &zones));
                &one["podExecutionRoleArn"]
            }
        };
        if mode != "API" {
            wanted.admitted.push(entry_of_map(kind, role));
        }
        if mode != "CONFIG_MAP" {
            admit_by_entry(gateway, cluster, kind, role).await?;
        }
    }
    cluster.want(wanted);
    Ok(())
}

/// Returns the entry of `aws-auth` for the role of nodes (`auth-configmap.html`) or of Pods on Fargate
/// (`fargate-pod-configuration.html`).
fn entry_of_map(kind: &str, role: &Value) -> Value {
    let (username, more) = match kind {
        "node-groups" => ("system:node:{{EC2PrivateDNSName}}", None),
        _ => ("system:node:{{SessionName}}", Some("system:node-proxier")),
    };
    let groups = ["system:bootstrappers", "system:nodes"].into_iter().chain(more);
    json!({
        "groups": groups.collect::<Vec<_>>(),
        "rolearn": role,
        "username": username,
    })
}

/// Creates the access entry of nodes, unless it exists.
async fn admit_by_entry(
    gateway: &Gateway,
    cluster: &LocalCluster,
    kind: &str,
    role: &Value,
) -> Result<(), UpstreamError> {
    let kind = match kind {
        "node-groups" => "EC2_LINUX",
        _ => "FARGATE_LINUX",
    };
    let entry = json!({ "principalArn": role, "type": kind });
    let path = format!("/clusters/{}/access-entries", encode(&cluster.name));
    let answer = gateway
        .upstream
        .ask_as_administrator(
            &cluster.account,
            "eks",
            &cluster.region,
            Request::post(path),
            entry.to_string(),
        )
        .await?;
    match answer.parts.status {
        StatusCode::CONFLICT => Ok(()),
        _ if answer.is_success() => Ok(()),
        status => Err(UpstreamError::Refused {
            status,
            body: answer.text(),
        }),
    }
}

/// Returns names and ids of the zones of subnets, by the ids of the subnets that exist.
async fn zones(
    gateway: &Gateway,
    cluster: &LocalCluster,
    found: &[(&str, Value)],
) -> Result<BTreeMap<String, (String, String)>, UpstreamError> {
    let mut subnets: Vec<&str> = found
        .iter()
        .flat_map(|(_, one)| one["subnets"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    subnets.sort_unstable();
    subnets.dedup();
    if subnets.is_empty() {
        return Ok(BTreeMap::new());
    }
    let numbered: Vec<String> = (1..=subnets.len())
        .map(|number| format!("Filter.1.Value.{number}"))
        .collect();
    let mut pairs = vec![
        ("Action", "DescribeSubnets"),
        ("Version", "2016-11-15"),
        ("Filter.1.Name", "subnet-id"),
    ];
    pairs.extend(numbered.iter().map(String::as_str).zip(subnets));
    let answer = gateway
        .upstream
        .query_as_administrator(&cluster.account, "ec2", &cluster.region, form(&pairs))
        .await?;
    let text = answer.text();
    let found = text.split("<subnetId>").skip(1).filter_map(|part| {
        let (id, rest) = part.split_once("</subnetId>")?;
        let text = |name| element(rest, name).map(str::to_owned);
        Some((
            id.to_owned(),
            (text("availabilityZone")?, text("availabilityZoneId")?),
        ))
    });
    Ok(found.collect())
}

/// Returns a name and the number behind it, which are the same for the same parts. EC2 names instances by id if the
/// subnet says so ("Amazon EC2 instance hostnames").
fn identifier(parts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("0{:016x}", hasher.finish())
}

fn nodes_of_group(
    region: &str,
    group: &Value,
    zones: &BTreeMap<String, (String, String)>,
) -> Vec<(String, Value)> {
    let text = |name: &str| group[name].as_str().unwrap_or_default();
    let first_type = group["instanceTypes"][0].as_str().unwrap_or("t3.medium");
    let (ami, name) = (text("amiType"), text("nodegroupName"));
    let image = identifier(&[ami, text("releaseVersion")]);
    let mut labels = json!({
        "eks.amazonaws.com/nodegroup": name,
        "eks.amazonaws.com/capacityType": text("capacityType"),
        "eks.amazonaws.com/nodegroup-image": format!("ami-{image}"),
        "kubernetes.io/arch": if ami.contains("ARM_64") { "arm64" } else { "amd64" },
        "kubernetes.io/os": if ami.starts_with("WINDOWS") { "windows" } else { "linux" },
        "node.kubernetes.io/instance-type": first_type,
        "beta.kubernetes.io/instance-type": first_type,
    });
    let template = &group["launchTemplate"];
    for (label, field) in [
        ("eks.amazonaws.com/sourceLaunchTemplateId", "id"),
        ("eks.amazonaws.com/sourceLaunchTemplateVersion", "version"),
    ] {
        if let Some(value) = template[field].as_str() {
            labels[label] = value.into();
        }
    }
    for (label, value) in group["labels"].as_object().into_iter().flatten() {
        labels[label] = value.clone();
    }
    let taints: Vec<Value> = group["taints"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|taint| {
            let effect = match taint["effect"].as_str().unwrap_or_default() {
                "NO_EXECUTE" => "NoExecute",
                "PREFER_NO_SCHEDULE" => "PreferNoSchedule",
                _ => "NoSchedule",
            };
            json!({ "key": taint["key"], "value": taint["value"], "effect": effect })
        })
        .collect();
    let subnets = subnets(group);
    let size = group["scalingConfig"]["desiredSize"].as_u64().unwrap_or(0);
    let numbered = (0..size).zip(subnets.iter().cycle());
    numbered
        .map(|(number, subnet)| {
            let id = identifier(&[text("nodegroupArn"), &number.to_string()]);
            let host = format!("i-{id}.{region}.compute.internal");
            node(
                (host, format!("i-{id}")),
                region,
                zones.get(*subnet),
                &labels,
                &taints,
            )
        })
        .collect()
}

fn nodes_of_profile(
    region: &str,
    profile: &Value,
    zones: &BTreeMap<String, (String, String)>,
) -> Vec<(String, Value)> {
    let labels = json!({
        "eks.amazonaws.com/compute-type": "fargate",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
    });
    let taint =
        json!({ "key": "eks.amazonaws.com/compute-type", "value": "fargate", "effect": "NoSchedule" });
    let arn = profile["fargateProfileArn"].as_str().unwrap_or_default();
    subnets(profile)
        .into_iter()
        .map(|subnet| {
            let id = identifier(&[arn, subnet]);
            let host = format!("fargate-{id}.{region}.compute.internal");
            node(
                (host.clone(), host),
                region,
                zones.get(subnet),
                &labels,
                std::slice::from_ref(&taint),
            )
        })
        .collect()
}

fn subnets(of: &Value) -> Vec<&str> {
    let subnets = of["subnets"].as_array().into_iter().flatten();
    subnets.filter_map(Value::as_str).collect()
}

/// Returns a node with its name. A subnet that does not exist counts as one of the first zone.
fn node(
    (host, instance): (String, String),
    region: &str,
    zone: Option<&(String, String)>,
    labels: &Value,
    taints: &[Value],
) -> (String, Value) {
    let name = zone.map_or_else(|| format!("{region}a"), |(name, _)| name.clone());
    let mut labels = labels.clone();
    labels["kubernetes.io/hostname"] = host.as_str().into();
    labels["beta.kubernetes.io/arch"] = labels["kubernetes.io/arch"].clone();
    labels["beta.kubernetes.io/os"] = labels["kubernetes.io/os"].clone();
    for (prefix, value) in [("region", region), ("zone", name.as_str())] {
        labels[format!("topology.kubernetes.io/{prefix}")] = value.into();
        labels[format!("failure-domain.beta.kubernetes.io/{prefix}")] = value.into();
    }
    if let Some((_, id)) = zone {
        labels["topology.k8s.aws/zone-id"] = id.as_str().into();
    }
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": host, "labels": labels },
        "spec": { "providerID": format!("aws:///{name}/{instance}"), "taints": taints },
    });
    (host, node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_group_has_nodes_in_the_zones_of_its_subnets() {
        let group = json!({
            "nodegroupName": "general",
            "nodegroupArn": "arn:aws:eks:eu-central-1:222222222222:nodegroup/orders/general/1",
            "capacityType": "SPOT",
            "amiType": "AL2023_ARM_64_STANDARD",
            "releaseVersion": "1.33.5-20261101",
            "instanceTypes": ["m7g.large", "m6g.large"],
            "labels": { "pool": "general" },
            "taints": [{ "key": "dedicated", "value": "shop", "effect": "NO_EXECUTE" }],
            "launchTemplate": { "id": "lt-1", "version": "3" },
            "scalingConfig": { "minSize": 1, "desiredSize": 3 },
            "subnets": ["subnet-a", "subnet-b"],
        });
        let zone = |letter: &str| (format!("eu-central-1{letter}"), format!("euc1-{letter}"));
        let zones = BTreeMap::from([
            ("subnet-a".to_owned(), zone("a")),
            ("subnet-b".to_owned(), zone("b")),
        ]);
        let nodes = nodes_of_group("eu-central-1", &group, &zones);
        let label = |node: &Value, name: &str| node["metadata"]["labels"][name].clone();
        let zones: Vec<Value> = nodes
            .iter()
            .map(|(_, node)| label(node, "topology.kubernetes.io/zone"))
            .collect();
        assert_eq!(zones, ["eu-central-1a", "eu-central-1b", "eu-central-1a"]);
        let (_, first) = &nodes[0];
        for (name, expected) in [
            ("eks.amazonaws.com/nodegroup", "general"),
            ("eks.amazonaws.com/capacityType", "SPOT"),
            ("eks.amazonaws.com/sourceLaunchTemplateId", "lt-1"),
            ("eks.amazonaws.com/sourceLaunchTemplateVersion", "3"),
            ("kubernetes.io/arch", "arm64"),
            ("node.kubernetes.io/instance-type", "m7g.large"),
            ("pool", "general"),
            ("topology.kubernetes.io/region", "eu-central-1"),
            ("topology.k8s.aws/zone-id", "euc1-a"),
        ] {
            assert_eq!(label(first, name), expected, "{name}");
        }
        assert_eq!(
            first["spec"]["taints"],
            json!([{ "key": "dedicated", "value": "shop", "effect": "NoExecute" }])
        );
        let names: std::collections::BTreeSet<&String> = nodes.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 3);
    }
}
