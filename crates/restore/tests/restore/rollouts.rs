//! A StatefulSet whose partition holds a rollout: each Pod starts with the revision that it ran in the source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, Request};
use kube::client::Body;
use lifeboat_apiserver::Api;
use lifeboat_apiserver::testing::Moment;
use lifeboat_local::Cluster;
use lifeboat_plan::{ExistingPolicy, RestoreOptions, Step};
use lifeboat_restore::LeaseHolder;
use lifeboat_system::retry::RetryPolicy;
use serde_json::{Value, json};
use tower::{BoxError, service_fn};

use crate::support::{Captured, apply, connect, fixture, items, live, name, restored, run, turn, until};

fn stateful_set(namespace: &str, revision: u32, partition: u32) -> String {
    let labels = match revision {
        1 => "{app: queue, only-first: here}",
        _ => "{app: queue}",
    };
    format!(
        "
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: queue, namespace: {namespace}}}
spec:
  serviceName: queue
  replicas: 3
  podManagementPolicy: Parallel
  updateStrategy: {{type: RollingUpdate, rollingUpdate: {{partition: {partition}}}}}
  selector: {{matchLabels: {{app: queue}}}}
  template:
    metadata: {{labels: {labels}}}
    spec: {{containers: [{{name: queue, image: 'queue:{revision}'}}]}}
"
    )
}

/// Returns the images of the Pods by their names.
fn images(pods: &Value) -> Vec<(String, String)> {
    let pods = items(pods);
    let mut images: Vec<_> = pods
        .iter()
        .map(|pod| {
            (
                name(pod),
                pod["spec"]["containers"][0]["image"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            )
        })
        .collect();
    images.sort();
    images
}

fn held() -> Vec<(String, String)> {
    [
        ("queue-0", "queue:1"),
        ("queue-1", "queue:1"),
        ("queue-2", "queue:2"),
    ]
    .map(|(name, image)| (name.to_owned(), image.to_owned()))
    .into()
}

fn pods(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

fn set(namespace: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/statefulsets/queue")
}

/// Creates a StatefulSet whose third Pod runs the second revision, and captures it.
async fn captured(source: &Cluster, namespace: &str) -> Captured {
    apply(
        source,
        &format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}"),
    );
    apply(source, &stateful_set(namespace, 1, 0));
    until(source, &pods(namespace), "three Pods", |pods| {
        items(pods).len() == 3
    })
    .await;
    apply(source, &stateful_set(namespace, 2, 2));
    until(source, &pods(namespace), "held", |pods| images(pods) == held()).await;
    until(source, &set(namespace), "known to be held", |set| {
        set["status"]["currentRevision"] != set["status"]["updateRevision"]
    })
    .await;
    Captured::from(source, |kind, of, name| {
        (of == namespace && kind != "events") || name == namespace
    })
    .await
}

async fn is_held(namespace: &str) -> Value {
    let found = live(&pods(namespace)).await;
    assert_eq!(images(&found), held());
    let set = live(&set(namespace)).await;
    assert_eq!(set["spec"]["replicas"], 3);
    assert_eq!(
        set["spec"]["template"]["metadata"]["labels"],
        json!({"app": "queue"})
    );
    found
}

#[tokio::test]
async fn a_rollout_that_is_held_is_held_in_the_target() {
    let fixture = fixture();
    let captured = captured(&fixture.source, "held").await;
    let done = restored(&captured, &RestoreOptions::default()).await;
    let planned = done
        .plan
        .objects
        .iter()
        .find(|object| object.target.r#type.as_str() == "statefulsets.apps");
    assert!(planned.is_some_and(|planned| planned.after.contains(&Step::SetTemplate)));
    let first = is_held("held").await;
    // No Pod was replaced: each began with its revision.
    let events = live("/api/v1/namespaces/held/events").await;
    let is_deletion = |event: &Value| event["reason"] == "SuccessfulDelete";
    assert!(!items(&events).iter().any(is_deletion), "{events}");

    // What is recreated is held too; what is kept or updated keeps its Pods.
    for (existing, keeps) in [
        (ExistingPolicy::Keep, true),
        (ExistingPolicy::Update, true),
        (ExistingPolicy::Recreate, false),
    ] {
        let options = RestoreOptions {
            existing,
            ..RestoreOptions::default()
        };
        restored(&captured, &options).await;
        let again = is_held("held").await;
        let uids = |pods: &Value| -> Vec<Value> {
            items(pods)
                .iter()
                .map(|pod| pod["metadata"]["uid"].clone())
                .collect()
        };
        assert_eq!(uids(&again) == uids(&first), keeps, "{existing:?}");
    }
}

/// Returns a connection that ends at the request that sets the template.
fn dying(api: &Api, moment: Moment) -> Api {
    let (client, is_dead) = (api.client().clone(), Arc::new(AtomicBool::new(false)));
    let transport = service_fn(move |request: Request<Body>| {
        let path = request.uri().path();
        let is_last = request.method() == Method::PATCH && path.ends_with("/statefulsets/queue");
        let (client, is_dead) = (client.clone(), Arc::clone(&is_dead));
        async move {
            let dead = || BoxError::from("the process was killed");
            if is_dead.load(Ordering::SeqCst) || (is_last && moment == Moment::Before) {
                is_dead.store(true, Ordering::SeqCst);
                return Err(dead());
            }
            let response = client.send(request).await?;
            if is_last {
                is_dead.store(true, Ordering::SeqCst);
                return Err(dead());
            }
            Ok(response)
        }
    });
    Api::from_service(transport, api.server()).with_retry(RetryPolicy::ONCE)
}

#[tokio::test]
async fn a_restore_that_is_killed_while_a_rollout_is_continued_goes_on() {
    let fixture = fixture();
    let api = connect(&fixture.target).await;
    for (namespace, moment) in [("held-before", Moment::Before), ("held-after", Moment::After)] {
        let captured = captured(&fixture.source, namespace).await;
        let options = RestoreOptions::default();
        {
            let _turn = turn().await;
            let killed = LeaseHolder {
                // Larger than any process ID on Linux (`/proc/sys/kernel/pid_max` is at most 2^22).
                pid: 1 << 23,
                ..LeaseHolder::this_process()
            };
            let died = run(&dying(&api, moment), &captured, &options, killed).await;
            assert!(died.is_err(), "the request is part of the run");
            let wanted = if moment == Moment::Before { 0 } else { 3 };
            assert_eq!(
                live(&set(namespace)).await["spec"]["replicas"],
                wanted,
                "{moment:?}"
            );
        }
        restored(&captured, &options).await;
        is_held(namespace).await;
    }
}
