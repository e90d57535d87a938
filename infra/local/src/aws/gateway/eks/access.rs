//! The rules of EKS for access entries and authentication modes that fakecloud does not enforce.

use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::aws::gateway::Gateway;
use crate::aws::gateway::clusters::LocalCluster;
use crate::aws::gateway::operation::{EksOperation, Scope};
use crate::aws::gateway::upstream::UpstreamError;
use crate::aws::gateway::wire::{Body, encode, json_error};

const CLUSTER_ADMIN: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";

/// Operations that need an authentication mode with access entries.
const NEED_ENTRIES: &[&str] = &[
    "CreateAccessEntry",
    "ListAccessEntries",
    "DescribeAccessEntry",
    "UpdateAccessEntry",
    "DeleteAccessEntry",
    "AssociateAccessPolicy",
    "DisassociateAccessPolicy",
    "ListAssociatedAccessPolicies",
];

/// Prefixes of group names that are reserved by EKS.
const RESERVED_GROUPS: &[&str] = &["system:", "eks:", "aws:", "amazon:", "iam:"];

/// Returns the error of EKS for a request that fakecloud would accept.
pub(super) async fn refuse(
    gateway: &Gateway,
    scope: &Scope,
    account: &str,
    operation: &EksOperation,
    request: &Value,
) -> Result<Option<Response<Body>>, UpstreamError> {
    let Some(cluster) = &operation.cluster else {
        return Ok(None);
    };
    let changes_mode = request["accessConfig"]["authenticationMode"].as_str();
    let needs_entries = NEED_ENTRIES.contains(&operation.name);
    let updates_mode = operation.name == "UpdateClusterConfig" && changes_mode.is_some();
    if !needs_entries && !updates_mode {
        return Ok(None);
    }
    let Some(mode) = mode(gateway, account, &scope.region, cluster).await? else {
        return Ok(None);
    };
    if let Some(wanted) = changes_mode.filter(|_| !needs_entries) {
        return Ok(refused_change(&mode, wanted));
    }
    if mode == "CONFIG_MAP" {
        return Ok(Some(invalid(
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
        )));
    }
    let reserved = request["kubernetesGroups"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|group| RESERVED_GROUPS.iter().any(|reserved| group.starts_with(reserved)));
    Ok(reserved.map(|group| {
        invalid(
            "InvalidParameterException",
            &format!(
                "The kubernetes group name {group} is invalid, it cannot start with {RESERVED_GROUPS:?}"
            ),
        )
    }))
}

/// Checks a change of the authentication mode. It is possible only toward API, one step at a time.
fn refused_change(mode: &str, wanted: &str) -> Option<Response<Body>> {
    let rank = |mode: &str| match mode {
        "CONFIG_MAP" => 0,
        "API_AND_CONFIG_MAP" => 1,
        _ => 2,
    };
    let message = match rank(wanted) {
        wanted_rank if wanted_rank < rank(mode) => {
            format!("Unsupported authentication mode update from {mode} to {wanted}")
        }
        // EKS requires the step between, in which both sources apply.
        2 if rank(mode) == 0 => format!("Unsupported authentication mode update from {mode} to {wanted}"),
        _ => return None,
    };
    Some(invalid("InvalidParameterException", &message))
}

/// Creates the access entry that EKS creates for the creator, once the mode has access entries.
pub(super) async fn admit_creator(gateway: &Gateway, cluster: &LocalCluster) -> Result<(), UpstreamError> {
    let Some(creator) = cluster.creator.as_ref().filter(|_| cluster.bootstrap) else {
        return Ok(());
    };
    let mode = mode(gateway, &cluster.account, &cluster.region, &cluster.name).await?;
    if mode.as_deref().is_none_or(|mode| mode == "CONFIG_MAP") {
        return Ok(());
    }
    let entries = format!("/clusters/{}/access-entries", encode(&cluster.name));
    let policies = format!("{entries}/{}/access-policies", encode(creator));
    let entry = json!({ "principalArn": creator, "type": "STANDARD" });
    let policy = json!({ "policyArn": CLUSTER_ADMIN, "accessScope": { "type": "cluster" } });
    for (path, body) in [(entries, entry), (policies, policy)] {
        let answer = gateway
            .upstream
            .ask_as_administrator(
                &cluster.account,
                "eks",
                &cluster.region,
                Request::post(path),
                body.to_string(),
            )
            .await?;
        // An existing entry is sufficient, and it keeps its policies.
        if answer.parts.status == StatusCode::CONFLICT {
            return Ok(());
        }
        if !answer.is_success() {
            return Err(UpstreamError::Refused {
                status: answer.parts.status,
                body: answer.text(),
            });
        }
    }
    Ok(())
}

/// Returns the authentication mode of a cluster; nothing if the cluster does not exist.
pub(super) async fn mode(
    gateway: &Gateway,
    account: &str,
    region: &str,
    cluster: &str,
) -> Result<Option<String>, UpstreamError> {
    let request = Request::get(format!("/clusters/{}", encode(cluster)));
    let answer = gateway
        .upstream
        .ask_as_administrator(account, "eks", region, request, "")
        .await?;
    let mode = answer.json()["cluster"]["accessConfig"]["authenticationMode"]
        .as_str()
        .map(str::to_owned);
    Ok(mode)
}

fn invalid(code: &str, message: &str) -> Response<Body> {
    json_error(StatusCode::BAD_REQUEST, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_only_moves_towards_the_api() {
        for (from, to, refused) in [
            ("CONFIG_MAP", "API_AND_CONFIG_MAP", false),
            ("API_AND_CONFIG_MAP", "API", false),
            ("API", "API", false),
            ("CONFIG_MAP", "API", true),
            ("API", "API_AND_CONFIG_MAP", true),
            ("API_AND_CONFIG_MAP", "CONFIG_MAP", true),
        ] {
            assert_eq!(refused_change(from, to).is_some(), refused, "{from} to {to}");
        }
    }
}
