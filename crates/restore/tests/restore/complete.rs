//! What an earlier process has completed is not done again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http::{Method, Request};
use kube::client::Body;
use lifeboat_apiserver::Api;
use lifeboat_plan::RestoreOptions;
use lifeboat_restore::LeaseHolder;
use lifeboat_restore::execute::{CompleteObjects, LeaseRequest, RestoreSettings, restore};
use lifeboat_restore::lease::Lease;
use lifeboat_restore::survey::survey;
use lifeboat_restore::{RestoreOutcome, RestoreProgress};
use serde_json::json;
use tower::service_fn;

use crate::support::{Captured, RealClock, apply, connect, fixture, turn};

/// Returns a connection that counts the writes, except those of the Lease.
fn counting(api: &Api) -> (Api, Arc<AtomicU64>) {
    let (client, writes) = (api.client().clone(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&writes);
    let service = service_fn(move |request: Request<Body>| {
        if request.method() != Method::GET && !request.uri().path().contains("/leases/") {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        let client = client.clone();
        async move { client.send(request).await }
    });
    (Api::from_service(service, api.server()), writes)
}

#[derive(Default)]
struct Recorder(Mutex<CompleteObjects>);

impl RestoreProgress for Recorder {
    fn complete(&self, at: usize) {
        self.0.lock().expect("no test panics here").insert(at);
    }
}

impl Recorder {
    fn ranges(&self) -> Vec<(u32, u32)> {
        self.0.lock().expect("no test panics here").ranges()
    }
}

#[tokio::test]
async fn objects_that_are_complete_are_not_written_again_and_those_that_are_gone_are() {
    let fixture = fixture();
    let mut manifests = String::from("{apiVersion: v1, kind: Namespace, metadata: {name: complete}}");
    for number in 0..5 {
        manifests += &format!(
            "\n---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{number}, namespace: complete}}, data: {{a: '1', b: '2'}}}}"
        );
    }
    apply(&fixture.source, &manifests);
    let mut captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "complete" && kind == "configmaps" && name != "kube-root-ca.crt") || name == "complete"
    })
    .await;
    // Several owners need a second write for each object.
    for number in 0..5 {
        captured.edit("ConfigMap", &format!("c{number}"), |object| {
            let entry = |manager: &str, field: &str| {
                json!({"manager": manager, "operation": "Update", "apiVersion": "v1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {field: {}}}})
            };
            object["metadata"]["managedFields"] = json!([entry("one", "f:a"), entry("two", "f:b")]);
        });
    }
    let _turn = turn().await;
    let api = connect(&fixture.target).await;
    let (counting, writes) = counting(&api);
    let lease = LeaseRequest {
        holder: LeaseHolder::this_process(),
        ended: None,
        inputs: "complete".into(),
        clock: Arc::new(RealClock),
    };
    let lease = Lease::acquire(&api, lease).await.expect("nobody holds it");
    let discovery = api.discover().await.expect("discovery works");
    let source = captured.source();
    let (mut complete, mut hash) = (CompleteObjects::default(), None);
    let mut written = Vec::new();
    for round in 0..4 {
        let draft = captured.draft(&RestoreOptions::default());
        let facts = survey(&api, &discovery, draft.wanted(), Some(lease.run())).await;
        let facts = facts.expect("a survey");
        let plan = draft.plan(&facts).expect("a plan");
        let first: &mut Option<String> = &mut hash;
        assert_eq!(
            *first.get_or_insert(plan.hash()),
            plan.hash(),
            "the plan of each epoch is the same"
        );
        let settings = RestoreSettings {
            // The second round has no record, as after a crash.
            complete: if round == 1 {
                CompleteObjects::default()
            } else {
                complete.clone()
            },
            ..RestoreSettings::default()
        };
        let recorder = Recorder::default();
        writes.store(0, Ordering::SeqCst);
        let outcome: RestoreOutcome =
            restore(&counting, &plan, &facts, &source, &lease, &settings, &recorder)
                .await
                .expect("the target answers");
        assert!(outcome.is_complete(), "{:?}", outcome.results);
        written.push(writes.load(Ordering::SeqCst));
        assert_eq!(recorder.ranges(), [(0, 5)], "round {round}");
        complete = CompleteObjects::from_ranges(&recorder.ranges(), plan.objects.len());
        if round == 2 {
            let gone = ["delete", "configmap", "c3", "-n", "complete"];
            fixture.target.kubectl_output(&gone).expect("it can be deleted");
        }
    }
    lease.release().await.expect("it is ours");
    // A namespace without owners and five ConfigMaps, in two writes each; the second writes again; nothing; one
    // ConfigMap.
    assert_eq!((written[0], written[2], written[3]), (12, 0, 2), "{written:?}");
    assert!(written[1] >= 5, "{written:?}");
}
