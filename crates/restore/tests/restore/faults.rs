//! An API server that constantly throttles, fails and drops connections.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{Request, Response};
use kube::client::Body;
use lifeboat_apiserver::Api;
use lifeboat_plan::RestoreOptions;
use lifeboat_restore::LeaseHolder;
use serde_json::Value;
use tower::{BoxError, service_fn};

use crate::support::{Captured, apply, connect, fixture, items, live, run, turn};

/// Returns a connection that forwards requests, except for those that fail.
fn flaky(api: &Api) -> Api {
    let (client, count) = (api.client().clone(), AtomicU64::new(0));
    let service = service_fn(move |request: Request<Body>| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let client = client.clone();
        async move {
            match number % 12 {
                3 => Ok(failure(429)),
                6 => Ok(failure(500)),
                8 => Err(reset()),
                10 => {
                    let _lost = client.send(request).await?;
                    Err(reset())
                }
                _ => Ok(client.send(request).await?),
            }
        }
    });
    Api::from_service(service, api.server())
}

fn failure(status: u16) -> Response<Body> {
    let body = format!(r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","code":{status}}}"#);
    let answer = Response::builder().status(status).header("Retry-After", "0");
    answer
        .body(Body::from(body.into_bytes()))
        .expect("the parts are valid")
}

fn reset() -> BoxError {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "reset by the test").into()
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
    let flaky = flaky(&api);
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
