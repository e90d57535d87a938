//! Correction: EKS clusters have real control planes.
//!
//! fakecloud only stores the records of EKS clusters: it runs no API servers, does not record
//! creators, and keeps clusters without their Region. Its responses are completed here. The objects
//! that EKS creates in each cluster are in [`objects`], the nodes of node groups and Fargate
//! profiles in [`nodes`].

mod access;
pub(crate) mod nodes;
pub(crate) mod objects;
pub(crate) mod protection;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::Gateway;
use super::clusters::{LocalCluster, NewCluster, Progress};
use super::identity::Identity;
use super::operation::{Scope, eks_operation};
use super::upstream::{Answer, UpstreamError};
use super::wire::{Body, json_error};
use crate::cluster::Cluster;

/// Handles a call to EKS that IAM allows.
pub(crate) async fn handle(
    gateway: &Gateway,
    scope: &Scope,
    caller: &Identity,
    parts: Parts,
    body: bytes::Bytes,
) -> Result<Response<Body>, UpstreamError> {
    let account = caller.account().to_owned();
    let operation = eks_operation(&parts);
    let known = operation
        .cluster
        .as_deref()
        .and_then(|name| gateway.clusters.get(&account, name));
    if let Some(cluster) = known.as_ref().filter(|cluster| cluster.region != scope.region) {
        return Ok(no_cluster(&cluster.name));
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if let Some(refused) = access::refuse(gateway, scope, &account, &operation, &request).await? {
        return Ok(refused);
    }
    if let Some(refused) = protection::refuse(gateway, scope, &account, &operation).await? {
        return Ok(refused);
    }
    let answer = gateway.upstream.ask(parts, body).await?;
    if !answer.is_success() {
        // The stack of the cluster was deleted: that request did not pass the gateway.
        if operation.name == "DescribeCluster"
            && answer.parts.status == StatusCode::NOT_FOUND
            && let Some(name) = &operation.cluster
        {
            gateway.clusters.remove(&account, name);
        }
        return Ok(answer.into_response());
    }
    let mut document = answer.json();
    match operation.name {
        "CreateCluster" => {
            let cluster = create(gateway, scope, &account, Some(caller), &request, &document);
            access::admit_creator(gateway, &cluster).await?;
            complete(&mut document["cluster"], &cluster);
        }
        "DescribeCluster" => {
            let arn = document["cluster"]["arn"].as_str().unwrap_or_default();
            if super::super::arn::Arn::parse(arn).is_none_or(|arn| arn.region != scope.region) {
                return Ok(no_cluster(operation.cluster.as_deref().unwrap_or_default()));
            }
            // CloudFormation creates clusters inside fakecloud; the gateway first sees them here.
            let cluster = match known {
                Some(cluster) => cluster,
                None => create(gateway, scope, &account, None, &Value::Null, &document),
            };
            complete(&mut document["cluster"], &cluster);
        }
        "DeleteCluster" => {
            if let Some(name) = &operation.cluster {
                gateway.clusters.remove(&account, name);
            }
            document["cluster"]["status"] = "DELETING".into();
        }
        "ListClusters" => {
            if let Some(names) = document["clusters"].as_array_mut() {
                names.retain(|name| {
                    let known = name
                        .as_str()
                        .and_then(|name| gateway.clusters.get(&account, name));
                    known.is_none_or(|cluster| cluster.region == scope.region)
                });
            }
        }
        "UpdateClusterConfig" => {
            if let Some(cluster) = known {
                access::admit_creator(gateway, &cluster).await?;
                nodes::follow(gateway, &cluster).await?;
            }
        }
        "CreateNodegroup"
        | "UpdateNodegroupConfig"
        | "DeleteNodegroup"
        | "CreateFargateProfile"
        | "DeleteFargateProfile" => {
            if let Some(cluster) = known {
                nodes::follow(gateway, &cluster).await?;
            }
            return Ok(answer.into_response());
        }
        "DescribeNodegroup" | "DescribeFargateProfile" => {
            let settled = known.as_ref().map_or(Ok(true), |cluster| cluster.is_settled());
            let of = match operation.name {
                "DescribeNodegroup" => "nodegroup",
                _ => "fargateProfile",
            };
            let described = &mut document[of];
            without_disk_of_template(described);
            match settled {
                Ok(false) if described["status"] == "ACTIVE" => described["status"] = "CREATING".into(),
                Err(message) => {
                    described["status"] = "CREATE_FAILED".into();
                    described["health"] = json!({ "issues": [
                        { "code": "InternalFailure", "message": message, "resourceIds": [] },
                    ] });
                }
                Ok(_) => {}
            }
        }
        _ => return Ok(answer.into_response()),
    }
    Ok(Answer::with_json(answer, &document))
}

/// Removes the size of the disk of a node group with a launch template, which is that of the template
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html>).
fn without_disk_of_template(nodegroup: &mut Value) {
    let has_template = nodegroup
        .get("launchTemplate")
        .is_some_and(|template| !template.is_null());
    if let Some(fields) = nodegroup.as_object_mut().filter(|_| has_template) {
        fields.remove("diskSize");
    }
}

/// Starts the control plane of a cluster of a stack; `request` is what an API request would say.
pub(crate) async fn create_of_stack(
    gateway: &Gateway,
    scope: &Scope,
    account: &str,
    creator: Option<&Identity>,
    request: &Value,
    document: &Value,
) -> Result<(), UpstreamError> {
    let mut document = document.clone();
    if let Some(tags) = request["tags"].as_object() {
        for (key, value) in tags {
            document["cluster"]["tags"][key] = value.clone();
        }
    }
    let cluster = create(gateway, scope, account, creator, request, &document);
    access::admit_creator(gateway, &cluster).await
}

/// Returns the certificate authority of a control plane as EKS shows it.
pub(crate) fn authority(running: &Cluster) -> String {
    STANDARD.encode(running.ca_pem())
}

/// Starts the control plane of a cluster that fakecloud has recorded.
fn create(
    gateway: &Gateway,
    scope: &Scope,
    account: &str,
    creator: Option<&Identity>,
    request: &Value,
    document: &Value,
) -> Arc<LocalCluster> {
    let cluster = &document["cluster"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    gateway.clusters.start(NewCluster {
        account: account.to_owned(),
        region: scope.region.clone(),
        name: text(&cluster["name"]),
        issuer: text(&cluster["identity"]["oidc"]["issuer"]),
        creator: creator.map(Identity::policy_source),
        // As in EKS, a missing value means true.
        bootstrap: request["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] != Value::Bool(false),
        addons: request["bootstrapSelfManagedAddons"] != Value::Bool(false),
        vpc: text(&cluster["resourcesVpcConfig"]["vpcId"]),
        tags: cluster["tags"].clone(),
        service_cidr: request["kubernetesNetworkConfig"]["serviceIpv4Cidr"]
            .as_str()
            .map(str::to_owned),
    })
}

/// Writes the state of the control plane into the description of a cluster.
fn complete(description: &mut Value, cluster: &LocalCluster) {
    description["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] = cluster.bootstrap.into();
    match cluster.progress() {
        Progress::Active(running) => {
            description["status"] = "ACTIVE".into();
            description["endpoint"] = running.server().into();
            description["certificateAuthority"] = json!({ "data": authority(&running) });
        }
        progress => {
            // Neither value is known before EKS has created the control plane.
            if let Some(fields) = description.as_object_mut() {
                fields.remove("endpoint");
                fields.remove("certificateAuthority");
            }
            description["status"] = "CREATING".into();
            if let Progress::Failed(message) = progress {
                description["status"] = "FAILED".into();
                description["health"] = json!({ "issues": [
                    { "code": "InternalFailure", "message": message, "resourceIds": [] },
                ] });
            }
        }
    }
}

fn no_cluster(name: &str) -> Response<Body> {
    json_error(
        StatusCode::NOT_FOUND,
        "ResourceNotFoundException",
        &format!("No cluster found for name: {name}."),
    )
}
