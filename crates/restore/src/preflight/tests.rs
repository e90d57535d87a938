#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use lifeboat_apiserver::testing::{FakeServer, Recorded, Reply};
use lifeboat_plan::{Locator, PlanBuilder, Redactor, RestoreOptions, ServedType, SourceType, VersionServed};
use lifeboat_system::retry::RetryPolicy;

use super::*;
use crate::execute::MemorySource;

/// Checks a plan of one Namespace against an API server that permits nothing and answers `/readyz` with this.
async fn checked(readyz: Reply) -> Result<Vec<Problem>, RestoreError> {
    let resource = ResourceType {
        group: String::new(),
        version: "v1".into(),
        resource: "namespaces".into(),
        kind: "Namespace".into(),
        namespaced: false,
    };
    let types = [SourceType {
        resource: resource.clone(),
        singular: "namespace".into(),
        short_names: Vec::new(),
        verbs: vec!["create".into()],
        served_versions: vec!["v1".into()],
        custom: false,
    }];
    let redactor = Redactor::new(&[7; 32]);
    let mut draft = PlanBuilder::new(RestoreOptions::default(), &types, "point", "shop", redactor);
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "u"}});
    let raw = serde_json::to_vec(&namespace).unwrap();
    let locator = Locator {
        frame: 0,
        position: 0,
    };
    draft.add(&types[0], locator, &raw).unwrap();
    let facts = TargetFacts {
        types: vec![ServedType {
            group: String::new(),
            resource: resource.resource,
            versions: vec![VersionServed {
                version: "v1".into(),
                kind: resource.kind,
                namespaced: false,
                verbs: vec!["create".into()],
            }],
        }],
        ..TargetFacts::default()
    };
    let plan = draft.plan(&facts).unwrap();
    let server = FakeServer::start(move |request: &Recorded, _| match request.path.as_str() {
        "/readyz" => readyz.clone(),
        _ => Reply::json(
            201,
            &json!({"kind": "SelfSubjectAccessReview", "status": {"allowed": false}}),
        ),
    })
    .await
    .unwrap();
    preflight(
        &server.api().with_retry(RetryPolicy::ONCE),
        &plan,
        &facts,
        &MemorySource::new([raw]),
    )
    .await
}

#[tokio::test]
async fn whoever_may_not_read_the_health_is_still_told_of_missing_permissions() {
    for (status, reason) in [(403, "Forbidden"), (401, "Unauthorized"), (404, "NotFound")] {
        let problems = checked(Reply::failure(status, reason, "no")).await.unwrap();
        let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert!(
            messages
                .iter()
                .any(|m| m.contains("permission to create namespaces")),
            "{status}: {messages:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_not_asked_further() {
    let problems = checked(Reply::bytes(500, "text/plain", "etcd failed")).await;
    let codes: Vec<Code> = problems.unwrap().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::ClusterUnreachable]);
}
