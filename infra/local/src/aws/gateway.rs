//! The gateway: the endpoint of the local AWS for all clients. It forwards requests to fakecloud
//! and corrects what fakecloud does differently from AWS. Each correction is in a file of its own.

pub(crate) mod audit;
mod bucket_policy;
pub(crate) mod clusters;
pub(crate) mod custom_resource;
mod denials;
mod eks;
mod endpoint_policy;
pub(crate) mod endpoints;
pub(crate) mod enforce;
pub(crate) mod identity;
mod kms;
mod lambda;
pub(crate) mod operation;
mod ownership;
mod s3_actions;
pub(crate) mod stacks;
pub(crate) mod sts;
pub(crate) mod upstream;
pub(crate) mod wire;
pub(crate) mod xml;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::authenticator::{Authenticator, access_review};
use audit::{Audit, AuditEntry, Decision};
use clusters::Clusters;
use custom_resource::CustomResources;
use endpoint_policy::EndpointPolicies;
use identity::{Identities, Identity};
use operation::{Need, Scope, needs};
use stacks::{Observed, Stacks};
use upstream::{Upstream, UpstreamError};
use wire::{Body, json_answer, json_error};

/// The path prefix of the webhooks for the API servers and of the response URLs of custom resources.
const OWN_PATHS: &str = "/_lifeboat/";
/// The path prefix of fakecloud's control endpoints. They can make any caller an administrator, so
/// the gateway does not forward them.
const FAKECLOUD_PATHS: &str = "/_fakecloud/";

/// The state of the gateway.
pub(crate) struct Gateway {
    pub(crate) upstream: Upstream,
    pub(crate) identities: Identities,
    pub(crate) audit: Audit,
    pub(crate) clusters: Clusters,
    pub(crate) custom_resources: CustomResources,
    pub(crate) stacks: Stacks,
    authenticator: Authenticator,
    endpoint_policies: EndpointPolicies,
    /// The Regions that answer no request.
    unreachable: Mutex<BTreeSet<String>>,
    /// The requests of functions in a VPC to what nothing leads to.
    without_route: Mutex<Vec<String>>,
    address: SocketAddr,
}

impl Gateway {
    pub(crate) fn new(upstream: Upstream, clusters: Clusters, address: SocketAddr) -> Self {
        Self {
            upstream,
            identities: Identities::default(),
            audit: Audit::default(),
            clusters,
            custom_resources: CustomResources::default(),
            stacks: Stacks::default(),
            authenticator: Authenticator::default(),
            endpoint_policies: EndpointPolicies::default(),
            unreachable: Mutex::default(),
            without_route: Mutex::default(),
            address,
        }
    }

    /// Answers no request that is signed for a Region any more, as if its network were gone.
    pub(crate) fn cut_off(&self, region: &str) {
        let mut unreachable = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        unreachable.insert(region.to_owned());
    }

    fn is_cut_off(&self, region: &str) -> bool {
        let unreachable = self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        unreachable.contains(region)
    }

    pub(crate) fn without_route(&self) -> Vec<String> {
        let requests = self.without_route.lock().unwrap_or_else(PoisonError::into_inner);
        requests.clone()
    }

    /// Returns the address of the gateway.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves requests until the runtime ends.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let _ = stream.set_nodelay(true);
            let gateway = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let gateway = gateway.clone();
                    async move { Ok::<_, Infallible>(gateway.answer(request).await) }
                });
                // If a connection breaks, the client opens another one.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match self.try_answer(request).await {
            Ok(response) => response,
            Err(error) => {
                let mut message = error.to_string();
                let mut cause = std::error::Error::source(&error);
                while let Some(inner) = cause {
                    message = format!("{message}: {inner}");
                    cause = inner.source();
                }
                eprintln!("the gateway of the local AWS failed: {message}");
                json_error(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", &message)
            }
        }
    }

    async fn try_answer(&self, request: Request<Incoming>) -> Result<Response<Body>, UpstreamError> {
        let (mut parts, body) = request.into_parts();
        if parts.uri.path().starts_with(OWN_PATHS) {
            let body = read(body).await?;
            if let Some(id) = parts.uri.path().strip_prefix(custom_resource::PATH) {
                return Ok(if self.custom_resources.take(id, &body) {
                    json_answer(StatusCode::OK, &serde_json::Value::Null)
                } else {
                    json_error(StatusCode::NOT_FOUND, "NotFound", "nobody waits for this")
                });
            }
            return Ok(self.review(parts.uri.path(), &body).await);
        }
        if parts.uri.path().starts_with(FAKECLOUD_PATHS) {
            return Ok(json_error(
                StatusCode::NOT_FOUND,
                "NotFound",
                "the path does not exist",
            ));
        }
        let Some(scope) = Scope::of(&parts) else {
            // Anonymous: a bucket's policy may allow it.
            bucket_policy::came_by_tls(&mut parts.headers);
            let body = body.map_err(Into::into).boxed();
            return self.upstream.forward(parts, body).await;
        };
        if self.is_cut_off(&scope.region) {
            // Until the client closes the connection.
            return std::future::pending().await;
        }
        let caller = self.identities.of(&self.upstream, &scope.access_key_id).await;
        if scope.service == "s3" {
            // Objects are large, so the body is streamed and not held in memory.
            return self.pass_s3(&scope, caller.as_ref(), parts, body).await;
        }
        let body = read(body).await?;
        let account = caller.as_ref().map_or("", Identity::account);
        let needs = needs(&scope, account, &parts, &body);
        let action = needs.first().map(|need| need.action.clone()).unwrap_or_default();
        let response = self
            .call(&scope, caller.as_ref(), &needs, &action, parts, body)
            .await?;
        self.record(&scope, caller.as_ref(), needs, decision(&response));
        Ok(response)
    }

    /// Handles a call to any service but S3.
    async fn call(
        &self,
        scope: &Scope,
        caller: Option<&Identity>,
        needs: &[Need],
        action: &str,
        mut parts: Parts,
        body: Bytes,
    ) -> Result<Response<Body>, UpstreamError> {
        if enforce::is_open(&scope.service) {
            let is_rest = matches!(scope.service.as_str(), "eks" | "elasticfilesystem");
            let is_query = !parts.headers.contains_key("x-amz-target") && !is_rest;
            let Some(caller) = caller else {
                return Ok(marked(enforce::unknown_keys(scope, is_query)));
            };
            for need in needs {
                if !enforce::allows(&self.upstream, caller, &scope.region, need).await? {
                    return Ok(marked(enforce::denied(scope, caller, need, is_query)));
                }
            }
            if scope.service == "eks" {
                return eks::handle(self, scope, caller, parts, body).await;
            }
        }
        bucket_policy::came_by_tls(&mut parts.headers);
        sts::correct(scope, &mut parts);
        let is_decrypt = parts
            .headers
            .get("x-amz-target")
            .is_some_and(|target| target == kms::TARGET);
        let account = caller.map_or("", Identity::account);
        let mut answer = match scope.service.as_str() {
            "cloudformation" => {
                self.ask_cloudformation(scope, caller, action, parts, &body)
                    .await?
            }
            _ => self.upstream.ask(parts, body.clone()).await?,
        };
        if is_decrypt {
            answer = kms::correct(&self.upstream, account, &scope.region, &body, answer).await?;
        }
        let observed = Observed {
            account,
            region: &scope.region,
            resources: &self.custom_resources,
            clusters: &self.clusters,
        };
        if let Some(corrected) = self.stacks.correct(&observed, action, &answer.text()) {
            answer.body = corrected.into();
        }
        if answer.is_success()
            && let Some(corrected) =
                self.endpoint_policies
                    .correct(action, &String::from_utf8_lossy(&body), &answer.text())
        {
            answer.body = corrected.into();
        }
        if scope.service == "lambda" {
            lambda::correct(&mut answer.parts.headers);
        }
        if action == "sts:GetCallerIdentity" {
            answer = sts::identify(&self.upstream, &scope.region, answer).await?;
        }
        if matches!(scope.service.as_str(), "sts" | "iam") && answer.is_success() {
            self.identities.learn_from(action, caller, &answer.text());
        }
        let denied = is_denial(&answer);
        let response = answer.into_response();
        Ok(if denied { marked(response) } else { response })
    }

    /// Handles a call to CloudFormation: see [`stacks`].
    async fn ask_cloudformation(
        &self,
        scope: &Scope,
        caller: Option<&Identity>,
        action: &str,
        parts: Parts,
        body: &Bytes,
    ) -> Result<upstream::Answer, UpstreamError> {
        let (account, region) = (caller.map_or("", Identity::account), &scope.region);
        let given = String::from_utf8_lossy(body);
        let by_address = stacks::with_template(&self.upstream, account, region, &given).await?;
        let form = by_address.as_deref().unwrap_or(&given);
        if let Some(answer) = Stacks::protect(self, account, region, action, form).await? {
            return Ok(answer);
        }
        self.stacks.note(account, region, form);
        self.stacks.execute(region, form);
        if let Some(caller) = caller {
            self.stacks.note_caller(region, form, caller);
        }
        let deleted = (action == "cloudformation:DeleteStack").then(|| stacks::named(form, "StackName"));
        if deleted.is_some() {
            let stack = wire::parameter(form, "StackName").unwrap_or_default();
            self.custom_resources.end(region, &stack);
        }
        let mut answer = match stacks::spelling::as_fakecloud_reads(region, form).or(by_address.clone()) {
            // The signature covers the template, so that the request is sent again as the administrator.
            Some(form) => {
                (self.upstream)
                    .query_as_administrator(account, "cloudformation", region, form)
                    .await?
            }
            None => self.upstream.ask(parts, body.clone()).await?,
        };
        let text = answer.text();
        (self.stacks)
            .lock_buckets(&self.upstream, region, form, &text)
            .await?;
        match deleted.filter(|_| answer.is_success()) {
            Some(name) => self.stacks.forget(account, region, &name, &self.clusters),
            None => Stacks::start_clusters(self, scope, account, form, &text).await?,
        }
        if let Some(corrected) = self.stacks.as_sent(region, form, &text) {
            answer.body = corrected.into();
        }
        if let Some(corrected) = Stacks::default_groups(&self.upstream, account, region, &text).await? {
            answer.body = corrected.into();
        }
        Ok(answer)
    }

    async fn pass_s3(
        &self,
        scope: &Scope,
        caller: Option<&Identity>,
        mut parts: Parts,
        body: Incoming,
    ) -> Result<Response<Body>, UpstreamError> {
        let needs = needs(scope, "", &parts, &[]);
        bucket_policy::came_by_tls(&mut parts.headers);
        if let Some((bucket, mut policy)) = bucket_policy::read(&self.upstream, &scope.region, &parts).await?
        {
            if let Some(caller) = caller
                && let Some(need) = needs.first()
                && denials::denying(&policy, caller, &needs, &parts).is_some()
            {
                let why = "with an explicit deny in a resource-based policy";
                let response = denials::refusal(Some(caller), need, why);
                self.record(scope, Some(caller), needs, Decision::Denied);
                return Ok(response);
            }
            bucket_policy::admit_sessions(&self.upstream, &scope.region, caller, (&bucket, &mut policy))
                .await?;
        }
        if let Some(role) = s3_actions::role_to_correct(caller, &parts) {
            s3_actions::mend_role(&self.upstream, role).await?;
        }
        let asks_ownership = ownership::is_asked(&parts);
        let mut response = self
            .upstream
            .forward(parts, body.map_err(Into::into).boxed())
            .await?;
        if asks_ownership {
            response = ownership::correct(response).await?;
        }
        // A refused HEAD has no body, so the status decides.
        let decision = if response.status() == StatusCode::FORBIDDEN {
            Decision::Denied
        } else {
            Decision::Allowed
        };
        self.record(scope, caller, needs, decision);
        Ok(response)
    }

    fn record(&self, scope: &Scope, caller: Option<&Identity>, needs: Vec<Need>, decision: Decision) {
        let principal = caller.map_or("unknown", |caller| caller.arn.as_str());
        self.audit.record(needs.into_iter().map(|need| AuditEntry {
            principal: principal.to_owned(),
            action: need.action,
            resource: need.resource,
            region: scope.region.clone(),
            decision,
        }));
    }

    /// Serves the webhooks of the API servers: `/_lifeboat/eks/<account>/<cluster>/<token or access>`.
    async fn review(&self, path: &str, body: &[u8]) -> Response<Body> {
        let nothing = || json_error(StatusCode::NOT_FOUND, "NotFound", "the cluster does not exist");
        let segments: Vec<&str> = path.split('/').skip(2).collect();
        let ["eks", account, name, which] = segments.as_slice() else {
            return nothing();
        };
        let Some(cluster) = self.clusters.get(account, name) else {
            return nothing();
        };
        let Ok(review) = serde_json::from_slice(body) else {
            return json_error(StatusCode::BAD_REQUEST, "BadRequest", "not a review");
        };
        let answer = match *which {
            "token" => {
                let gateway = self.address.to_string();
                self.authenticator
                    .token_review(&self.upstream, &cluster, &gateway, &review)
                    .await
            }
            "access" => access_review(&self.upstream, &cluster, &review).await,
            _ => return nothing(),
        };
        json_answer(StatusCode::OK, &answer)
    }
}

/// Marks a response as refused by IAM or the signature check, so that the audit recognizes it
/// whatever HTTP status the protocol uses.
#[derive(Clone, Copy)]
struct Refused;

fn marked(mut response: Response<Body>) -> Response<Body> {
    response.extensions_mut().insert(Refused);
    response
}

fn decision(response: &Response<Body>) -> Decision {
    match response.extensions().get::<Refused>() {
        Some(Refused) => Decision::Denied,
        None => Decision::Allowed,
    }
}

fn is_denial(answer: &upstream::Answer) -> bool {
    let text = || answer.text();
    match answer.parts.status {
        StatusCode::FORBIDDEN => true,
        StatusCode::BAD_REQUEST => text().contains("AccessDenied"),
        _ => false,
    }
}

async fn read(body: Incoming) -> Result<Bytes, UpstreamError> {
    let collected = body
        .collect()
        .await
        .map_err(|error| UpstreamError::Send(error.into()))?;
    Ok(collected.to_bytes())
}
