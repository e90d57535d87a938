//! Correction: a stack waits for the control planes of its EKS clusters, and its outputs have their certificate
//! authorities and issuers.
//!
//! fakecloud records the clusters of a stack as ACTIVE at once. CloudFormation waits until the control plane answers (10 to
//! 15 minutes). The endpoint in the outputs stays the name that fakecloud made up: identifiers of EKS have no port, as
//! the control planes on this machine do. `DescribeCluster` has the address that answers.

use http::Request;
use serde_json::{Value, json};

use super::{Observed, Stacks, named};
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
    /// The name of the cluster.
    pub(super) name: String,
    /// What an API request would say.
    pub(super) request: Value,
    /// Whether fakecloud has it.
    pub(super) exists: bool,
    /// The certificate authority that fakecloud made up.
    pub(super) authority: Option<String>,
}

/// An access policy of an access entry. fakecloud ignores them in templates.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EntryPolicy {
    /// The name of the cluster.
    pub(super) cluster: String,
    /// The ARN of the entry's principal.
    pub(super) principal: String,
    /// The body of `AssociateAccessPolicy`.
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

    /// Starts the control planes of the clusters of a stack that is asked for, once fakecloud has them.
    pub(crate) async fn start_clusters(
        gateway: &Gateway,
        scope: &Scope,
        account: &str,
        form: &str,
    ) -> Result<(), UpstreamError> {
        let key = (scope.region.clone(), named(form, "StackName"));
        let (caller, clusters) = {
            let recorded = gateway.stacks.lock();
            let Some(stack) = recorded.get(&key).filter(|stack| stack.caller.is_some()) else {
                return Ok(());
            };
            (stack.caller.clone(), stack.clusters.clone())
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
        Self::associate_policies(gateway, scope, account, &key).await
    }

    /// Associates the access policies of the access entries of a stack, once the entries exist.
    async fn associate_policies(
        gateway: &Gateway,
        scope: &Scope,
        account: &str,
        key: &(String, String),
    ) -> Result<(), UpstreamError> {
        let policies = {
            let recorded = gateway.stacks.lock();
            recorded
                .get(key)
                .map(|stack| stack.policies.clone())
                .unwrap_or_default()
        };
        for policy in policies {
            let path = format!(
                "/clusters/{}/access-entries/{}/access-policies",
                encode(&policy.cluster),
                encode(&policy.principal)
            );
            let answer = gateway
                .upstream
                .ask_as_administrator(
                    account,
                    "eks",
                    &scope.region,
                    Request::post(path),
                    policy.request.to_string(),
                )
                .await?;
            if answer.is_success()
                && let Some(stack) = gateway.stacks.lock().get_mut(key)
            {
                stack.policies.retain(|known| *known != policy);
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

/// Returns whether a cluster of a stack has no control plane yet, or why it has none.
pub(super) fn awaited(observed: &Observed<'_>, clusters: &[StackCluster]) -> Result<bool, String> {
    let mut waits = false;
    for cluster in clusters {
        let known = observed.clusters.get(observed.account, &cluster.name);
        match known.map(|known| known.progress()) {
            Some(Progress::Active(_)) => {}
            Some(Progress::Failed(why)) => return Err(why),
            Some(Progress::Creating) | None => waits = true,
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
pub(super) fn request(properties: &Value, nodes: u64) -> Value {
    let network = &properties["KubernetesNetworkConfig"];
    let access = &properties["AccessConfig"];
    let mut tags = json!({});
    for tag in properties["Tags"].as_array().into_iter().flatten() {
        if let (Some(key), Some(value)) = (tag["Key"].as_str(), tag["Value"].as_str()) {
            tags[key] = value.into();
        }
    }
    if nodes > 0 {
        tags[crate::aws::gateway::clusters::NODES_TAG] = nodes.to_string().into();
    }
    json!({
        "accessConfig": {
            "bootstrapClusterCreatorAdminPermissions": access["BootstrapClusterCreatorAdminPermissions"],
        },
        "kubernetesNetworkConfig": { "serviceIpv4Cidr": network["ServiceIpv4Cidr"] },
        "tags": tags,
    })
}
