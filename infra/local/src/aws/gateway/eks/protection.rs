//! The deletion protection of clusters, which fakecloud records and does not enforce.

use http::{Request, Response, StatusCode};

use crate::aws::gateway::Gateway;
use crate::aws::gateway::clusters::Progress;
use crate::aws::gateway::operation::{EksOperation, Scope};
use crate::aws::gateway::upstream::UpstreamError;
use crate::aws::gateway::wire::{Body, encode, json_error};

/// The name of the error
/// (<https://docs.aws.amazon.com/eks/latest/userguide/deletion-protection.html>).
pub(crate) const ERROR: &str = "InvalidRequestException";

/// Returns why EKS does not delete a cluster; `None` if it does. Only an active cluster is protected.
pub(crate) async fn refusal(
    gateway: &Gateway,
    account: &str,
    region: &str,
    cluster: &str,
) -> Result<Option<String>, UpstreamError> {
    let path = format!("/clusters/{}", encode(cluster));
    let answer = gateway
        .upstream
        .ask_as_administrator(account, "eks", region, Request::get(path), "")
        .await?;
    let known = gateway.clusters.get(account, cluster);
    let is_active = known.is_some_and(|known| matches!(known.progress(), Progress::Active(_)));
    let is_protected = answer.is_success() && answer.json()["cluster"]["deletionProtection"] == true;
    Ok((is_active && is_protected)
        .then(|| format!("Cannot delete the cluster {cluster} because it has deletion protection enabled.")))
}

/// Returns the error of EKS for a request to delete a protected cluster.
pub(super) async fn refuse(
    gateway: &Gateway,
    scope: &Scope,
    account: &str,
    operation: &EksOperation,
) -> Result<Option<Response<Body>>, UpstreamError> {
    let cluster = operation.cluster.as_deref();
    let Some(cluster) = cluster.filter(|_| operation.name == "DeleteCluster") else {
        return Ok(None);
    };
    let refusal = refusal(gateway, account, &scope.region, cluster).await?;
    Ok(refusal.map(|message| json_error(StatusCode::BAD_REQUEST, ERROR, &message)))
}
