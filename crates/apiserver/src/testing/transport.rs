//! A transport that fails from the n-th request on, like a killed process, and one that stops responding,
//! like a server that is too slow for the remaining time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, Request};
use kube::client::Body;
use tower::{BoxError, service_fn};

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

/// Returns an [`Api`] like `api` whose request at `at` fails, and all later ones too. It makes one attempt per
/// request, because a killed process does not retry.
#[must_use]
pub fn failing_at(api: &Api, at: FailAt) -> (Api, RequestCounter) {
    let (client, counter) = (api.client().clone(), RequestCounter::default());
    let counted = counter.clone();
    let transport = service_fn(move |request: Request<Body>| {
        let counts = !at.only_writes || !matches!(*request.method(), Method::GET | Method::HEAD);
        let number = if counts {
            counted.0.fetch_add(1, Ordering::SeqCst)
        } else {
            counted.get()
        };
        let fatal = counts && number == at.request;
        let over = number > at.request;
        let client = client.clone();
        async move {
            if over || (fatal && at.moment == Moment::Before) {
                return Err(dead());
            }
            let response = client.send(request).await?;
            if fatal { Err(dead()) } else { Ok(response) }
        }
    });
    let failing = Api::from_service(transport, api.server()).with_retry(RetryPolicy::ONCE);
    (failing, counter)
}

/// Returns an [`Api`] like `api` that stops responding after this many writes.
#[must_use]
pub fn stalling_after(api: &Api, writes: u64) -> Api {
    let (client, left) = (api.client().clone(), Arc::new(AtomicU64::new(writes)));
    let transport = service_fn(move |request: Request<Body>| {
        let trial = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("dryRun="));
        let writes = !trial && !matches!(*request.method(), Method::GET | Method::HEAD);
        let (client, left) = (client.clone(), Arc::clone(&left));
        async move {
            let take = |left: u64| left.checked_sub(1);
            if writes
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                    .is_err()
            {
                std::future::pending::<()>().await;
            }
            client.send(request).await
        }
    });
    Api::from_service(transport, api.server())
}

fn dead() -> BoxError {
    std::io::Error::new(
        std::io::ErrorKind::ConnectionReset,
        "the test ended this connection",
    )
    .into()
}
