//! The authenticator and the authorizer of EKS. The API servers of the local clusters call them as
//! webhooks, as in EKS.

mod mapping;
mod policy;
mod token;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::credentials::unix_seconds;
use super::gateway::clusters::LocalCluster;
use super::gateway::upstream::{Upstream, UpstreamError};
use super::gateway::wire::{element, encode};
use mapping::{Caller, Mapped, Mode, by_config_map, by_entry};
use token::{CLUSTER_HEADER, LIFETIME, Token};

/// The reason why a review was not answered positively. The API server logs it, so it never contains the token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewError {
    /// The token was refused before it was sent to STS.
    #[error(transparent)]
    Malformed(#[from] token::MalformedToken),
    /// STS refused the token.
    #[error("sts getCallerIdentity failed: error from AWS (expected 200, got {0})")]
    Sts(u16),
    /// STS accepted the caller, but the cluster has no mapping for it.
    #[error("ARN is not mapped")]
    NotMapped,
    /// A request to fakecloud or to the cluster failed.
    #[error("failed to send a request to the local AWS")]
    Upstream(#[from] UpstreamError),
}

/// Tokens that STS has accepted. AWS STS accepts a token for fifteen minutes; fakecloud accepts it
/// only for `X-Amz-Expires`, which clients set to one minute.
#[derive(Default)]
pub(crate) struct Authenticator {
    accepted: Mutex<BTreeMap<(String, String), (u64, Caller)>>,
}

impl Authenticator {
    /// Answers a TokenReview.
    pub(crate) async fn token_review(
        &self,
        upstream: &Upstream,
        cluster: &Arc<LocalCluster>,
        gateway: &str,
        review: &Value,
    ) -> Value {
        let token = review["spec"]["token"].as_str().unwrap_or_default();
        let status = match self.authenticate(upstream, cluster, gateway, token).await {
            Ok((caller, mapped)) => json!({
                "authenticated": true,
                "user": {
                    "username": mapped.username,
                    "uid": format!("aws-iam-authenticator:{}:{}", caller.account(), caller.user_id),
                    "groups": mapped.groups,
                    "extra": {
                        "accessKeyId": [caller.access_key_id],
                        "arn": [caller.arn],
                        "canonicalArn": [caller.canonical_arn()],
                        "principalId": [caller.user_id.split(':').next()],
                        "sessionName": [super::arn::session_name(&caller.arn)],
                    },
                },
            }),
            Err(error) => json!({ "authenticated": false, "error": error.to_string() }),
        };
        json!({
            "apiVersion": review["apiVersion"],
            "kind": "TokenReview",
            "status": status,
        })
    }

    async fn authenticate(
        &self,
        upstream: &Upstream,
        cluster: &Arc<LocalCluster>,
        gateway: &str,
        text: &str,
    ) -> Result<(Caller, Mapped), ReviewError> {
        let token = Token::parse(text, gateway, unix_seconds())?;
        let caller = self.ask_sts(upstream, &cluster.name, text, &token).await?;
        let mapped = map(upstream, cluster, &caller)
            .await?
            .ok_or(ReviewError::NotMapped)?;
        Ok((caller, mapped))
    }

    /// Sends a token to STS with the name of this cluster in the signed header, so that a token for
    /// another cluster does not verify.
    async fn ask_sts(
        &self,
        upstream: &Upstream,
        cluster: &str,
        text: &str,
        token: &Token,
    ) -> Result<Caller, ReviewError> {
        let key = (cluster.to_owned(), text.to_owned());
        if let Some((_, caller)) = self.lock().get(&key) {
            return Ok(caller.clone());
        }
        let request = Request::get(&token.path_and_query)
            .header(http::header::HOST, &token.host)
            .header(CLUSTER_HEADER, cluster)
            // The signed hash; see the gateway's correction of STS.
            .header("x-amz-content-sha256", super::gateway::sts::OF_NOTHING)
            .body(())
            .map_err(UpstreamError::Request)?;
        let (parts, ()) = request.into_parts();
        let answer = upstream.ask(parts, Bytes::new()).await?;
        let answer = super::gateway::sts::identify(upstream, &token.region, answer).await?;
        if !answer.is_success() {
            return Err(ReviewError::Sts(answer.parts.status.as_u16()));
        }
        let body = answer.text();
        let text_of = |name: &str| element(&body, name).unwrap_or_default().to_owned();
        let caller = Caller {
            arn: text_of("Arn"),
            user_id: text_of("UserId"),
            access_key_id: token.access_key_id.clone(),
        };
        let now = unix_seconds();
        let mut accepted = self.lock();
        accepted.retain(|_, (signed_at, _)| now <= *signed_at + LIFETIME);
        accepted.insert(key, (token.signed_at, caller.clone()));
        Ok(caller)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), (u64, Caller)>> {
        self.accepted.lock().expect("no holder of this lock panics")
    }
}

/// Maps a caller to a user of the cluster. If both sources contain the caller, the access entry takes precedence.
async fn map(
    upstream: &Upstream,
    cluster: &Arc<LocalCluster>,
    caller: &Caller,
) -> Result<Option<Mapped>, UpstreamError> {
    let described = ask_eks(upstream, cluster, &format!("/clusters/{}", encode(&cluster.name))).await?;
    let mode = Mode::parse(described["cluster"]["accessConfig"]["authenticationMode"].as_str());
    if mode.reads_entries()
        && let Some(canonical) = caller.canonical_arn()
        && let Some(principal) = find_entry(upstream, cluster, &canonical).await?
    {
        let path = entry_path(cluster, &principal);
        let entry = ask_eks(upstream, cluster, &path).await?;
        return Ok(Some(by_entry(&entry["accessEntry"], caller)));
    }
    if !mode.reads_config_map() {
        return Ok(None);
    }
    if mode == Mode::ConfigMap && cluster.creator_is_admin(caller.canonical_arn().as_deref()) {
        // Without access entries the permissions of the creator are not visible anywhere.
        return Ok(Some(Mapped {
            username: "kubernetes-admin".into(),
            groups: vec!["system:masters".into()],
        }));
    }
    let data = cluster.aws_auth().await;
    Ok(by_config_map(&data, caller))
}

/// Answers a SubjectAccessReview: allowed if an access policy of the caller's entry allows it,
/// otherwise no opinion, so that RBAC decides.
pub(crate) async fn access_review(upstream: &Upstream, cluster: &Arc<LocalCluster>, review: &Value) -> Value {
    let canonical = review["spec"]["extra"]["canonicalArn"][0].as_str();
    let allowed = match canonical {
        Some(canonical) => is_allowed(upstream, cluster, canonical, review)
            .await
            .unwrap_or(false),
        None => false,
    };
    json!({
        "apiVersion": review["apiVersion"],
        "kind": "SubjectAccessReview",
        "status": { "allowed": allowed },
    })
}

async fn is_allowed(
    upstream: &Upstream,
    cluster: &Arc<LocalCluster>,
    canonical: &str,
    review: &Value,
) -> Result<bool, UpstreamError> {
    let Some(principal) = find_entry(upstream, cluster, canonical).await? else {
        return Ok(false);
    };
    let path = format!("{}/access-policies", entry_path(cluster, &principal));
    let policies = ask_eks(upstream, cluster, &path).await?;
    Ok(policies["associatedAccessPolicies"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|association| policy::allows(association, review)))
}

/// Returns the principal of a caller's access entry. An entry has the role's ARN with the path, a
/// session without it, and role names are unique in an account.
async fn find_entry(
    upstream: &Upstream,
    cluster: &LocalCluster,
    canonical: &str,
) -> Result<Option<String>, UpstreamError> {
    let path = format!("/clusters/{}/access-entries", encode(&cluster.name));
    let list = ask_eks(upstream, cluster, &path).await?;
    let wanted = super::arn::without_path(canonical);
    Ok(list["accessEntries"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|principal| super::arn::without_path(principal) == wanted)
        .map(str::to_owned))
}

fn entry_path(cluster: &LocalCluster, principal: &str) -> String {
    format!(
        "/clusters/{}/access-entries/{}",
        encode(&cluster.name),
        encode(principal)
    )
}

async fn ask_eks(upstream: &Upstream, cluster: &LocalCluster, path: &str) -> Result<Value, UpstreamError> {
    let answer = upstream
        .ask_as_administrator(
            &cluster.account,
            "eks",
            &cluster.region,
            Request::get(path),
            Bytes::new(),
        )
        .await?;
    Ok(answer.json())
}
