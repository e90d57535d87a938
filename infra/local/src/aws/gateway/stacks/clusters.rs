//! Correction: a stack waits for the control planes of its EKS clusters, and its outputs have their certificate
//! authorities and issuers.
//!
//! fakecloud records the clusters of a stack as ACTIVE at once. CloudFormation waits until the control plane answers (10 to
//! 15 minutes). The endpoint in the outputs stays the name that fakecloud made up: identifiers of EKS have no port, as
//! the control planes on this machine do. `DescribeCluster` has the address that answers.

use http::Request;
use serde_json::{Value, json};

use super::{Observed, StackRecord, Stacks, named, spelling};
use crate::aws::gateway::Gateway;
use crate::aws::gateway::clusters::Progress;
use crate::aws::gateway::eks;
use crate::aws::gateway::identity::Identity;
use crate::aws::gateway::operation::Scope;
use crate::aws::gateway::upstream::UpstreamError;
use crate::aws::gateway::wire::{element, encode, parameter};

/// An EKS cluster in a template.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct StackCluster {
    /// The logical id of the cluster.
    pub(super) resource: String,
    /// The name of the cluster.
    pub(super) name: String,
    /// What an API request would say.
    pub(super) request: Value,
    /// Whether fakecloud has it.
    pub(super) exists: bool,
    /// The certificate authority that fakecloud made up.
    pub(super) authority: Option<String>,
}

/// A call of the API of EKS that completes a resource of a template: fakecloud ignores some properties.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FollowUp {
    /// The path of the call, a POST.
    pub(super) path: String,
    /// Its body.
    pub(super) request: Value,
}

impl Stacks {
    /// Records who creates or changes a stack: EKS lets the creator of a cluster in.
    pub(crate) fn note_caller(&self, region: &str, form: &str, caller: &Identity) {
        let action = parameter(form, "Action").unwrap_or_default();
        if matches!(
            action.as_str(),
            "CreateStack" | "UpdateStack" | "ExecuteChangeSet"
        ) {
            let mut recorded = self.lock();
            if let Some(stack) = recorded.get_mut(&(region.to_owned(), named(form, "StackName"))) {
                stack.caller = Some(caller.clone());
            }
        }
    }

    /// Starts the control planes of the clusters of a stack that is asked for, once fakecloud has them, and gives them
    /// their nodes, once fakecloud has completed the stack. `answer` is its response.
    pub(crate) async fn start_clusters(
        gateway: &Gateway,
        scope: &Scope,
        account: &str,
        form: &str,
        answer: &str,
    ) -> Result<(), UpstreamError> {
        let key = (scope.region.clone(), named(form, "StackName"));
        let (caller, clusters, has_nodes) = {
            let recorded = gateway.stacks.lock();
            let Some(stack) = recorded.get(&key).filter(|stack| stack.caller.is_some()) else {
                return Ok(());
            };
            (stack.caller.clone(), stack.clusters.clone(), stack.has_nodes)
        };
        for (at, cluster) in clusters.iter().enumerate() {
            if cluster.exists {
                continue;
            }
            let path = format!("/clusters/{}", encode(&cluster.name));
            let answer = gateway
                .upstream
                .ask_as_administrator(account, "eks", &scope.region, Request::get(path), "")
                .await?;
            if !answer.is_success() {
                continue;
            }
            let document = answer.json();
            let text = |value: &Value| value.as_str().map(str::to_owned);
            if let Some(stack) = gateway.stacks.lock().get_mut(&key)
                && let Some(known) = stack.clusters.get_mut(at)
            {
                known.exists = true;
                known.authority = text(&document["cluster"]["certificateAuthority"]["data"]);
            }
            eks::create_of_stack(
                gateway,
                scope,
                account,
                caller.as_ref(),
                &cluster.request,
                &document,
            )
            .await?;
        }
        Self::complete(gateway, scope, account, &key).await?;
        if !has_nodes && answer.contains("_COMPLETE</StackStatus>") {
            for cluster in &clusters {
                if let Some(known) = gateway.clusters.get(account, &cluster.name) {
                    eks::nodes::follow(gateway, &known).await?;
                }
            }
            if let Some(stack) = gateway.stacks.lock().get_mut(&key) {
                stack.has_nodes = true;
            }
        }
        Ok(())
    }

    /// Completes the resources of a stack that exist with what fakecloud ignores in templates.
    async fn complete(
        gateway: &Gateway,
        scope: &Scope,
        account: &str,
        key: &(String, String),
    ) -> Result<(), UpstreamError> {
        let follow_ups = {
            let recorded = gateway.stacks.lock();
            recorded
                .get(key)
                .map(|stack| stack.follow_ups.clone())
                .unwrap_or_default()
        };
        for follow_up in follow_ups {
            let answer = gateway
                .upstream
                .ask_as_administrator(
                    account,
                    "eks",
                    &scope.region,
                    Request::post(&follow_up.path),
                    follow_up.request.to_string(),
                )
                .await?;
            if answer.is_success()
                && let Some(stack) = gateway.stacks.lock().get_mut(key)
            {
                stack.follow_ups.retain(|known| *known != follow_up);
            }
        }
        Ok(())
    }

    /// Returns a stack of a response with the certificate authorities of the control planes.
    pub(super) fn with_authorities(&self, observed: &Observed<'_>, member: &str) -> String {
        let name = element(member, "StackName").unwrap_or_default().to_owned();
        let recorded = self.lock();
        let clusters = recorded
            .get(&(observed.region.to_owned(), name))
            .map(|stack| &*stack.clusters);
        // fakecloud leaves the Region out of the issuer in the attributes of a stack, and not in `DescribeCluster`.
        let issuer = format!("oidc.eks.{}.amazonaws.com/id/", observed.region);
        let mut corrected = member.replace("oidc.eks.amazonaws.com/id/", &issuer);
        for cluster in clusters.unwrap_or_default() {
            let Some(Progress::Active(running)) =
                (observed.clusters.get(observed.account, &cluster.name)).map(|known| known.progress())
            else {
                continue;
            };
            if let Some(made_up) = cluster.authority.as_deref().filter(|text| !text.is_empty()) {
                corrected = corrected.replace(made_up, &eks::authority(&running));
            }
        }
        corrected
    }
}

/// Returns whether a cluster of a stack has no control plane or no nodes yet, or why it has none.
pub(super) fn awaited(observed: &Observed<'_>, stack: &StackRecord) -> Result<bool, String> {
    let mut waits = !stack.clusters.is_empty() && !stack.has_nodes;
    for cluster in &stack.clusters {
        let Some(known) = observed.clusters.get(observed.account, &cluster.name) else {
            waits = true;
            continue;
        };
        match known.progress() {
            Progress::Active(_) => waits |= !known.is_settled()?,
            Progress::Failed(why) => return Err(why),
            Progress::Creating => waits = true,
        }
    }
    Ok(waits)
}

/// Returns the clusters of a template with what is known of them from a former one.
pub(super) fn merged(clusters: Vec<StackCluster>, former: Option<&[StackCluster]>) -> Vec<StackCluster> {
    let known = |cluster: &StackCluster| {
        let mut former = former.unwrap_or_default().iter();
        former.find(|known| known.name == cluster.name).cloned()
    };
    clusters
        .into_iter()
        .map(|cluster| {
            let former = known(&cluster).unwrap_or_default();
            StackCluster {
                exists: former.exists,
                authority: former.authority,
                ..cluster
            }
        })
        .collect()
}

/// Returns a cluster of a template as a request of the API would have it.
pub(super) fn request(properties: &Value) -> Value {
    let network = &properties["KubernetesNetworkConfig"];
    let access = &properties["AccessConfig"];
    let mut tags = json!({});
    for tag in properties["Tags"].as_array().into_iter().flatten() {
        if let (Some(key), Some(value)) = (tag["Key"].as_str(), tag["Value"].as_str()) {
            tags[key] = value.into();
        }
    }
    json!({
        "accessConfig": {
            "bootstrapClusterCreatorAdminPermissions": access["BootstrapClusterCreatorAdminPermissions"],
        },
        "bootstrapSelfManagedAddons": properties["BootstrapSelfManagedAddons"],
        "kubernetesNetworkConfig": { "serviceIpv4Cidr": network["ServiceIpv4Cidr"] },
        "tags": tags,
    })
}

/// Returns the call that completes a cluster of a template; nothing if fakecloud ignores none of its properties.
pub(super) fn completion(name: &str, properties: &Value) -> Option<FollowUp> {
    let mut request = json!({});
    if !properties["Logging"].is_null() {
        request["logging"] = spelling::logging(&properties["Logging"]);
    }
    let balancing = &properties["KubernetesNetworkConfig"]["ElasticLoadBalancing"];
    if !balancing.is_null() {
        request["kubernetesNetworkConfig"] = json!({ "elasticLoadBalancing": spelling::of_api(balancing) });
    }
    let is_empty = request.as_object().is_some_and(serde_json::Map::is_empty);
    (!is_empty).then(|| FollowUp {
        path: format!("/clusters/{}/update-config", encode(name)),
        request,
    })
}
