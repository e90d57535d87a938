//! Default objects that every API server makes, with what an administrator added to them.

use lifeboat_plan::{Action, RestoreOptions, RuleId};
use serde_json::{Value, json};

use crate::support::{Captured, apply, fixture, live, proven_again, restored};

const BINDING: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:public-info-viewer";
const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:public-info-viewer";

fn group(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": name})
}

async fn captured_defaults(name: &'static str) -> Captured {
    Captured::from(&fixture().source, move |kind, _, found| {
        kind.ends_with(".rbac.authorization.k8s.io") && found == name
    })
    .await
}

#[tokio::test]
async fn what_was_added_to_default_roles_and_bindings_survives() {
    let fixture = fixture();
    let mut captured = captured_defaults("system:public-info-viewer").await;
    let added = json!({"nonResourceURLs": ["/metrics/slis"], "verbs": ["get"]});
    // In the captured bytes, because all tests share the source.
    captured.edit("ClusterRoleBinding", "system:public-info-viewer", |object| {
        object["metadata"]["annotations"]["example.com/approved-by"] = json!("change 4711");
        if let Some(subjects) = object["subjects"].as_array_mut() {
            subjects.push(group("oncall-admins"));
        }
    });
    captured.edit("ClusterRole", "system:public-info-viewer", |object| {
        if let Some(rules) = object["rules"].as_array_mut() {
            rules.push(added.clone());
        }
    });
    let before = live(BINDING).await;
    let done = restored(&captured, &RestoreOptions::default()).await;
    assert!(
        done.plan
            .objects
            .iter()
            .all(|object| object.action == Action::Merge)
    );
    assert_eq!(done.plan.rules[&RuleId::DefaultRbacAdded].objects, 2);
    let binding = live(BINDING).await;
    let subjects = binding["subjects"].as_array().cloned().unwrap_or_default();
    assert!(subjects.contains(&group("oncall-admins")) && subjects.contains(&group("system:authenticated")));
    assert_eq!(
        binding["metadata"]["annotations"]["example.com/approved-by"],
        "change 4711"
    );
    assert_eq!(binding["metadata"]["uid"], before["metadata"]["uid"]);
    let rules = live(ROLE).await["rules"].as_array().cloned().unwrap_or_default();
    assert!(rules.contains(&added) && rules.len() > 1, "{rules:?}");

    // Another restore finds nothing to add.
    let again = restored(&captured, &RestoreOptions::default()).await;
    assert_eq!(again.plan.not_restored.len(), 2, "{:?}", again.plan.not_restored);

    fixture
        .target
        .kubectl_output(&[
            "patch",
            "clusterrolebinding",
            "system:public-info-viewer",
            "--type=merge",
            "-p",
            &json!({"subjects": before["subjects"]}).to_string(),
        ])
        .unwrap_or_else(|error| panic!("{error}"));
    let report = proven_again(&captured, &done).await;
    assert!(!report.matches_plan(), "the group is missing");
}

#[tokio::test]
async fn a_default_role_without_additions_is_not_written() {
    let captured = captured_defaults("system:basic-user").await;
    let before = live("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:basic-user").await;
    let done = restored(&captured, &RestoreOptions::default()).await;
    assert_eq!(done.plan.objects.len(), 0);
    assert!(
        done.plan
            .not_restored
            .iter()
            .all(|left| left.rule == RuleId::BootstrapRbac)
    );
    let after = live("/apis/rbac.authorization.k8s.io/v1/clusterroles/system:basic-user").await;
    assert_eq!(before["metadata"], after["metadata"]);
}

#[tokio::test]
async fn a_default_account_gets_the_pull_secrets_and_annotations_that_were_added() {
    let fixture = fixture();
    let namespace = "rbac-account";
    apply(
        &fixture.source,
        &format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: default, namespace: {namespace}, annotations: {{eks.amazonaws.com/role-arn: role}}}}
imagePullSecrets: [{{name: registry}}]
"
        ),
    );
    let captured = Captured::from(&fixture.source, |kind, of, name| {
        (of == namespace && kind == "serviceaccounts" && name == "default") || name == namespace
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let account = live(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/default")).await;
    assert_eq!(account["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(
        account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"],
        "role"
    );
}

#[tokio::test]
async fn a_flow_schema_that_its_administrator_took_over_is_restored_over_that_of_the_target() {
    let mut captured = Captured::from(&fixture().source, |kind, _, name| {
        kind.starts_with("flowschemas") && name == "service-accounts"
    })
    .await;
    captured.edit("FlowSchema", "service-accounts", |object| {
        object["metadata"]["annotations"]["apf.kubernetes.io/autoupdate-spec"] = json!("false");
        object["spec"]["matchingPrecedence"] = json!(8999);
    });
    let done = restored(&captured, &RestoreOptions::default()).await;
    assert_eq!(done.plan.objects[0].action, Action::CreateOrUpdate);
    let schema = live("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/service-accounts").await;
    assert_eq!(schema["spec"]["matchingPrecedence"], 8999);
}
