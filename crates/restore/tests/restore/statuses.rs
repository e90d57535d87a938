//! Statuses that are written back.

use lifeboat_plan::report::ChangedBy;
use lifeboat_restore::execute::LeaseHolder;
use serde_json::{Value, json};

use crate::support::{Captured, apply, connect, fixture, live, restored, run, turn, until};

const TRANSFERS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: transfers.bank.example.com}
spec:
  group: bank.example.com
  scope: Namespaced
  names: {plural: transfers, singular: transfer, kind: Transfer, listKind: TransferList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status:
            type: object
            properties:
              phase: {type: string}
              lastError: {type: string, nullable: true}
              progress: {type: object, properties: {done: {type: integer}, finishedAt: {type: string, nullable: true}}}
              conditions: {type: array, items: {type: object, properties: {type: {type: string}, lastProbeTime: {type: string, nullable: true}}}}
";

const PATH: &str = "/apis/bank.example.com/v1/namespaces/payments/transfers/t-1001";

#[tokio::test]
async fn a_status_keeps_its_nulls_and_a_null_that_is_gone_is_found() {
    let fixture = fixture();
    apply(&fixture.source, TRANSFERS);
    let established = |object: &Value| {
        let conditions = object["status"]["conditions"].as_array();
        conditions.is_some_and(|all| {
            all.iter()
                .any(|one| one["type"] == "Established" && one["status"] == "True")
        })
    };
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/transfers.bank.example.com";
    until(&fixture.source, definition, "established", established).await;
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: payments}
---
apiVersion: bank.example.com/v1
kind: Transfer
metadata: {name: t-1001, namespace: payments}
spec: {amount: 12}
",
    );
    let status = json!({"phase": "Sent", "lastError": null, "progress": {"done": 3, "finishedAt": null},
        "conditions": [{"type": "Booked", "lastProbeTime": null}]});
    let patch = json!([{"op": "add", "path": "/status", "value": status}]).to_string();
    let set = [
        "-n",
        "payments",
        "patch",
        "transfer",
        "t-1001",
        "--subresource=status",
        "--type=json",
        "-p",
        &patch,
    ];
    fixture
        .source
        .kubectl_output(&set)
        .expect("the status can be written");
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "payments" && kind == "transfers.bank.example.com")
            || (kind == "namespaces" && name == "payments")
            || name == "transfers.bank.example.com"
    })
    .await;
    let options = serde_json::from_value(json!({"rules": {"restoreStatus": [{"types": ["transfers"]}]}}));
    let options = options.expect("the options are valid");
    restored(&captured, &options).await;
    assert_eq!(live(PATH).await["status"], status);

    // Merge patches remove nulls.
    let lost = r#"{"status":{"progress":{"done":3,"finishedAt":null}}}"#;
    let lose = [
        "-n",
        "payments",
        "patch",
        "transfer",
        "t-1001",
        "--subresource=status",
        "--type=merge",
        "-p",
        lost,
    ];
    fixture
        .target
        .kubectl_output(&lose)
        .expect("the status can be written");
    assert_eq!(live(PATH).await["status"]["progress"], json!({"done": 3}));
    let _turn = turn().await;
    let api = connect(&fixture.target).await;
    let kept = run(&api, &captured, &options, LeaseHolder::this_process())
        .await
        .expect("a restore");
    let found: Vec<&str> = (kept.report.changed.iter())
        .filter(|change| change.by == ChangedBy::Existing)
        .map(|change| change.path.as_str())
        .collect();
    assert!(found.contains(&"/status/progress/finishedAt"), "{found:?}");
}
