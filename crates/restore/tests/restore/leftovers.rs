//! What names the primary in the target after a restore.

use lifeboat_plan::{RestoreOptions, Verdict};
use serde_json::json;

use crate::support::{Captured, apply, fixture, proven_again, restored};

const SOURCE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: left}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cart, namespace: left}
data: {region: eu-west-1}
";

/// What was in the target before: of a type of the plan, and of one that the plan does not have.
const BEFORE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: left-before}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: before, namespace: left-before}
data: {queue: 'arn:aws:sqs:eu-west-1:111111111111:orders'}
---
apiVersion: v1
kind: Secret
metadata: {name: before, namespace: left-before}
stringData: {account: 'canary-111111111111'}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: left-before}
value: 1
description: For Pods in eu-west-1a.
";

#[tokio::test]
async fn the_whole_target_is_searched_for_identifiers_of_the_primary() {
    let fixture = fixture();
    apply(&fixture.source, SOURCE);
    apply(&fixture.target, BEFORE);
    let captured = Captured::from(&fixture.source, |r#type, namespace, name| {
        (r#type == "namespaces" && name == "left") || (r#type == "configmaps" && namespace == "left")
    })
    .await;
    let options: RestoreOptions = serde_json::from_value(json!({"noLeftovers": true, "identities": {
        "format": "lifeboat.dev/identities/v1",
        "primary": {"account": "111111111111", "region": "eu-west-1"},
        "recovery": {"account": "222222222222", "region": "eu-central-1"}}}))
    .expect("the options are well formed");
    let done = restored(&captured, &options).await;
    assert_eq!(done.report.summary.leftovers, 0, "{:?}", done.report.leftovers);
    let found: Vec<(String, bool, &str)> = done
        .report
        .leftovers
        .iter()
        .map(|one| (one.object.to_string(), one.restored, one.path.as_str()))
        .collect();
    for (object, path) in [
        ("configmaps left-before/before", "/data/queue"),
        ("priorityclasses.scheduling.k8s.io left-before", "/description"),
        ("secrets left-before/before", "/data/account"),
    ] {
        assert!(
            found.contains(&(object.to_owned(), false, path)),
            "{object}: {found:?}"
        );
    }
    let text = serde_json::to_string(&done.report).expect("a report is JSON");
    assert!(!text.contains("canary"), "a value of a Secret is in the report");

    // A controller writes the Region of the primary into a restored object.
    let annotate = [
        "annotate",
        "configmap/cart",
        "--namespace=left",
        "--field-manager=injector",
        "example.com/served-from=eu-west-1",
    ];
    fixture
        .target
        .kubectl_output(&annotate)
        .expect("the object is annotated");
    let report = proven_again(&captured, &done).await;
    assert_eq!(report.verdict, Verdict::NamesPrimary, "{}", report.text());
    assert_eq!(report.summary.leftovers, 1);
    let left = report.leftovers.iter().find(|one| one.restored);
    assert_eq!(
        left.map(|one| (one.object.to_string(), one.token.as_str())),
        Some(("configmaps left/cart".to_owned(), "eu-west-1"))
    );
}
