//! An API server that constantly throttles, fails and drops connections.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use http::{Request, Response};
use kube::client::Body;
use lifeboat_apiserver::Api;
use lifeboat_plan::RestoreOptions;
use lifeboat_restore::LeaseHolder;
use serde_json::Value;
use tower::BoxError;

use crate::support::{Captured, apply, connect, fixture, items, live, run, turn};

/// Forwards requests, except for those that fail.
#[derive(Clone)]
struct Flaky {
    client: kube::Client,
    count: Arc<AtomicU64>,
}

impl tower::Service<Request<Body>> for Flaky {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let client = self.client.clone();
        let answer = |status: u16| {
            let body = format!(r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","code":{status}}}"#);
            let answer = Response::builder().status(status).header("Retry-After", "0");
            Ok(answer
                .body(Body::from(body.into_bytes()))
                .expect("the parts are valid"))
        };
        let reset = || std::io::Error::new(std::io::ErrorKind::ConnectionReset, "reset by the test").into();
        Box::pin(async move {
            match number % 12 {
                3 => answer(429),
                6 => answer(500),
                8 => Err(reset()),
                10 => {
                    let _lost = client.send(request).await?;
                    Err(reset())
                }
                _ => Ok(client.send(request).await?),
            }
        })
    }
}

#[tokio::test]
async fn throttling_errors_and_lost_answers_neither_lose_nor_double_anything() {
    let fixture = fixture();
    let mut manifests = String::from("{apiVersion: v1, kind: Namespace, metadata: {name: faults}}");
    for number in 0..40 {
        manifests += &format!(
            "\n---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{number}, namespace: faults}}, data: {{number: '{number}'}}}}"
        );
    }
    apply(&fixture.source, &manifests);
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "faults" && kind == "configmaps" && name != "kube-root-ca.crt") || name == "faults"
    })
    .await;
    let _turn = turn().await;
    let api = connect(&fixture.target).await;
    let flaky = Flaky {
        client: api.client().clone(),
        count: Arc::default(),
    };
    let flaky = Api::from_service(flaky, api.server());
    let done = run(
        &flaky,
        &captured,
        &RestoreOptions::default(),
        LeaseHolder::this_process(),
    )
    .await
    .unwrap_or_else(|error| panic!("{error:?}"));
    assert!(done.outcome.is_complete(), "{:?}", done.outcome.results);
    assert!(done.report.matches_plan(), "{:?}", done.report);
    let maps = live("/api/v1/namespaces/faults/configmaps").await;
    let mut numbers: Vec<Value> = (items(&maps).iter())
        .filter(|map| map["metadata"]["name"] != "kube-root-ca.crt")
        .map(|map| map["data"]["number"].clone())
        .collect();
    numbers.sort_by_key(|n| n.as_str().and_then(|n| n.parse::<u32>().ok()));
    assert_eq!(
        numbers,
        (0..40).map(|n| Value::from(n.to_string())).collect::<Vec<_>>()
    );
}
