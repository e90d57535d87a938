//! What answers in the network of a function in a VPC: S3, other servers, and nothing.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};

use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;

use super::audit::Decision;
use super::operation::{Scope, needs};
use super::stacks::Attachment;
use super::wire::{Body, answer};
use super::{FAKECLOUD_PATHS, Gateway, OWN_PATHS};

/// What answers at an address of the network of a function.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// S3 in a Region, through a VPC endpoint of this id or through a NAT gateway.
    S3 {
        /// The Region.
        region: String,
        /// The endpoint.
        endpoint: Option<String>,
    },
    /// A server that is not of AWS.
    Other,
    /// All other services of AWS, to which nothing leads.
    Nothing,
}

impl Gateway {
    /// Serves a place until the runtime ends.
    pub(crate) async fn serve_place(self: Arc<Self>, listener: UnixListener, place: Place) {
        while let Ok((stream, _)) = listener.accept().await {
            let (gateway, place) = (self.clone(), place.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let (gateway, place) = (gateway.clone(), place.clone());
                    async move { Ok::<_, Infallible>(gateway.answer_at(&place, request).await) }
                });
                // If a connection breaks, the client opens another one.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    async fn answer_at(&self, place: &Place, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let scope = Scope::of(&parts);
        match place {
            Place::Other => {
                return answer(
                    StatusCode::NOT_FOUND,
                    "text/html",
                    "<h1>Not Found</h1>".to_owned(),
                );
            }
            Place::S3 { region, endpoint } if is_for_s3(scope.as_ref(), &parts) => {
                // An endpoint leads to the buckets of its own Region.
                let is_here = scope.as_ref().is_none_or(|scope| scope.region == *region);
                match endpoint {
                    Some(_) if !is_here => {}
                    Some(endpoint) => {
                        if let Some(refused) = self.refuse_at(endpoint, scope.as_ref(), &parts).await {
                            return refused;
                        }
                        return self.answer(Request::from_parts(parts, body)).await;
                    }
                    None => return self.answer(Request::from_parts(parts, body)).await,
                }
            }
            Place::S3 { .. } | Place::Nothing => {}
        }
        let service = scope.map_or("unsigned".to_owned(), |scope| scope.service);
        let line = format!("{service} {} {}", parts.method, parts.uri.path());
        self.without_route
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
        // Until the client closes the connection.
        std::future::pending().await
    }

    /// Returns the answer to a request that the policy of an endpoint does not let pass.
    async fn refuse_at(
        &self,
        endpoint: &str,
        scope: Option<&Scope>,
        parts: &Parts,
    ) -> Option<Response<Body>> {
        let scope = scope?;
        let caller = self.identities.of(&self.upstream, &scope.access_key_id).await;
        let needs = needs(scope, "", parts, &[]);
        let refused = self
            .endpoint_policies
            .refuse(endpoint, caller.as_ref(), &needs, parts)?;
        self.record(scope, caller.as_ref(), needs, Decision::Denied);
        Some(refused)
    }

    /// Returns what a function is attached to, by its template or by Lambda; nothing if it is not attached to a VPC.
    pub(crate) async fn attachment(&self, account: &str, region: &str, function: &str) -> Option<Attachment> {
        if let Some(attachment) = self.stacks.attachment(region, function) {
            return Some(attachment);
        }
        let request = Request::get(format!("/2015-03-31/functions/{function}/configuration"));
        let asked = self
            .upstream
            .ask_as_administrator(account, "lambda", region, request, "");
        let answer = asked
            .await
            .ok()
            .filter(super::upstream::Answer::is_success)?
            .json();
        let texts = |list: &str| -> Vec<String> {
            let items = answer["VpcConfig"][list].as_array().into_iter().flatten();
            items
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect()
        };
        let attachment = Attachment {
            subnets: texts("SubnetIds"),
            groups: texts("SecurityGroupIds"),
        };
        (!attachment.subnets.is_empty()).then_some(attachment)
    }
}

/// Returns whether a request is one to S3. An anonymous one is, but not one for a path of this gateway itself.
fn is_for_s3(scope: Option<&Scope>, parts: &Parts) -> bool {
    let path = parts.uri.path();
    match scope {
        Some(scope) => scope.service == "s3",
        None => !path.starts_with(OWN_PATHS) && !path.starts_with(FAKECLOUD_PATHS),
    }
}
