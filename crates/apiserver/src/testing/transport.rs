//! A transport that fails from the n-th request on, like a killed process, and one that stops responding,
//! like a server that is too slow for the remaining time.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use kube::client::Body;
use tower::BoxError;

use crate::api::Api;
use lifeboat_system::retry::RetryPolicy;

/// Whether the failing request reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is never sent.
    Before,
    /// It takes effect, but the response is lost.
    After,
}

/// The request at which the transport fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailAt {
    /// The number of the request; the first one is 0.
    pub request: u64,
    /// Whether the request takes effect.
    pub moment: Moment,
    /// Whether only requests that change something are counted. Others pass until the transport has failed.
    pub only_writes: bool,
}

/// Counts the requests so far.
#[derive(Debug, Clone, Default)]
pub struct RequestCounter(Arc<AtomicU64>);

impl RequestCounter {
    /// Returns the number of requests.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A service that forwards requests until one fails; all later ones fail too.
#[derive(Clone)]
pub struct FailingTransport {
    client: kube::Client,
    at: FailAt,
    counter: RequestCounter,
}

impl FailingTransport {
    /// Returns an [`Api`] like `api` that fails at `at`. It makes one attempt per request, because a killed
    /// process does not retry.
    #[must_use]
    pub fn around(api: &Api, at: FailAt) -> (Api, RequestCounter) {
        let counter = RequestCounter::default();
        let transport = Self {
            client: api.client().clone(),
            at,
            counter: counter.clone(),
        };
        let failing = Api::from_service(transport, api.server()).with_retry(RetryPolicy::ONCE);
        (failing, counter)
    }
}

/// A service that forwards a number of requests that change something, and then stops responding.
#[derive(Clone)]
pub struct StallingTransport {
    client: kube::Client,
    left: Arc<AtomicU64>,
}

impl StallingTransport {
    /// Returns an [`Api`] like `api` that stops responding after this many writes.
    #[must_use]
    pub fn around(api: &Api, writes: u64) -> Api {
        let transport = Self {
            client: api.client().clone(),
            left: Arc::new(AtomicU64::new(writes)),
        };
        Api::from_service(transport, api.server())
    }
}

impl tower::Service<Request<Body>> for StallingTransport {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let trial = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("dryRun="));
        let writes = !trial && !matches!(*request.method(), Method::GET | Method::HEAD);
        let (client, left) = (self.client.clone(), Arc::clone(&self.left));
        Box::pin(async move {
            let take = |left: u64| left.checked_sub(1);
            if writes
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                    .is_err()
            {
                std::future::pending::<()>().await;
            }
            Ok(client.send(request).await?)
        })
    }
}

fn dead() -> BoxError {
    std::io::Error::new(
        std::io::ErrorKind::ConnectionReset,
        "the test ended this connection",
    )
    .into()
}

impl tower::Service<Request<Body>> for FailingTransport {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let counts = !self.at.only_writes || !matches!(*request.method(), Method::GET | Method::HEAD);
        let number = if counts {
            self.counter.0.fetch_add(1, Ordering::SeqCst)
        } else {
            self.counter.get()
        };
        let fatal = counts && number == self.at.request;
        let (client, at) = (self.client.clone(), self.at);
        let over = number > at.request;
        Box::pin(async move {
            if over || (fatal && at.moment == Moment::Before) {
                return Err(dead());
            }
            let response = client.send(request).await?;
            if fatal { Err(dead()) } else { Ok(response) }
        })
    }
}
