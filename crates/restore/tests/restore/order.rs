//! Objects that must be restored first or last, and objects that cannot be restored.

use lifeboat_apiserver::{Api, ConnectOptions, KubeconfigSource};
use lifeboat_plan::{RestoreOptions, RuleId};
use lifeboat_restore::preflight::preflight;
use lifeboat_restore::survey::survey;
use serde_json::json;

use crate::support::{Captured, apply, attempted, connect, fixture, live, restored};

#[tokio::test]
async fn a_webhook_that_refuses_everything_comes_last_and_stops_nothing() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: guarded, labels: {guarded: 'yes'}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: inside, namespace: guarded}
data: {a: b}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: guard.example}
webhooks:
- name: guard.guard.example
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  namespaceSelector: {matchLabels: {guarded: 'yes'}}
  rules: [{apiGroups: [''], apiVersions: ['*'], operations: [CREATE], resources: [configmaps]}]
  clientConfig: {service: {name: nobody, namespace: guarded, path: /}}
",
    );
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "guarded" && kind == "configmaps" && name == "inside")
            || name == "guarded"
            || name == "guard.example"
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let inside = live("/api/v1/namespaces/guarded/configmaps/inside").await;
    assert_eq!(inside["data"], json!({"a": "b"}));
    let hook =
        live("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/guard.example").await;
    assert_eq!(hook["webhooks"][0]["failurePolicy"], "Fail");
}

#[tokio::test]
async fn what_a_webhook_of_the_target_refuses_is_reported_in_its_words() {
    let fixture = fixture();
    apply(
        &fixture.target,
        "
apiVersion: v1
kind: Namespace
metadata: {name: refused, labels: {refused: 'yes'}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: refuser.example}
webhooks:
- name: refuser.refuser.example
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  namespaceSelector: {matchLabels: {refused: 'yes'}}
  rules: [{apiGroups: [''], apiVersions: ['*'], operations: [CREATE], resources: [configmaps, secrets]}]
  clientConfig: {service: {name: nobody, namespace: refused, path: /}}
",
    );
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: refused}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: inside, namespace: refused}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: inside, namespace: refused}
stringData: {password: canary-in-a-secret}
",
    );
    // A ServiceAccount without RBAC rules would be enough; the lint may warn about the webhook.
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        namespace == "refused" && ["configmaps", "secrets"].contains(&kind) && name == "inside"
    })
    .await;
    let done = attempted(&captured, &RestoreOptions::default()).await;
    fixture
        .target
        .kubectl_output(&["delete", "validatingwebhookconfiguration", "refuser.example"])
        .expect("the webhook can be deleted");
    assert_eq!(done.outcome.failures().count(), 2, "{:?}", done.outcome.results);
    let words: Vec<String> = done
        .outcome
        .failures()
        .map(|(_, failure)| failure.answer.clone())
        .collect();
    assert!(
        words
            .iter()
            .any(|words| words.contains("refuser.refuser.example")),
        "{words:?}"
    );
    assert!(!done.report.matches_plan());
    let everything = format!("{:?} {:?} {:?}", done.outcome, done.report, done.plan);
    assert!(!everything.contains("canary-in-a-secret"));
}

#[tokio::test]
async fn a_type_that_the_target_lacks_is_listed_before_anything_is_written() {
    let fixture = fixture();
    let mut captured = Captured::from(&fixture.source, |kind, _, name| {
        kind == "namespaces" && name == "default"
    })
    .await;
    let mut strange = captured.types[0].clone();
    strange.resource.group = "gone.example".into();
    strange.resource.resource = "widgets".into();
    strange.resource.kind = "Widget".into();
    strange.resource.version = "v1".into();
    strange.resource.namespaced = false;
    strange.custom = true;
    strange.verbs.clear();
    strange.served_versions = vec!["v1".into()];
    captured.types.push(strange);
    let widget = json!({"apiVersion": "gone.example/v1", "kind": "Widget",
        "metadata": {"name": "w", "uid": "1", "resourceVersion": "1"}});
    captured.objects.push((
        captured.types.len() - 1,
        serde_json::to_vec(&widget).expect("a value can be written"),
    ));
    let done = restored(&captured, &RestoreOptions::default()).await;
    let left: Vec<RuleId> = (done.plan.not_restored.iter())
        .filter(|left| &*left.object.name == "w")
        .map(|left| left.rule)
        .collect();
    assert_eq!(left, [RuleId::TypeNotServed]);
}

#[tokio::test]
async fn a_missing_permission_is_named_before_anything_is_written() {
    let fixture = fixture();
    apply(
        &fixture.target,
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: permit-configmaps}
rules: [{apiGroups: [''], resources: [configmaps], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: permit-configmaps}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: permit-configmaps}
subjects: [{kind: User, name: half, apiGroup: rbac.authorization.k8s.io}]
",
    );
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: permit}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: permit}}
---
{apiVersion: v1, kind: Secret, metadata: {name: b, namespace: permit}}
",
    );
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        namespace == "permit" && ["configmaps", "secrets"].contains(&kind) && name.len() == 1
    })
    .await;
    let admin = connect(&fixture.target).await;
    let discovery = admin.discover().await.expect("discovery works");
    let draft = captured.draft(&RestoreOptions::default());
    let facts = survey(&admin, &discovery, draft.wanted(), None)
        .await
        .expect("a survey");
    let plan = draft.plan(&facts).expect("a plan");
    let file = fixture.target.kubeconfig_for("half", None).expect("a kubeconfig");
    let half = Api::connect(&ConnectOptions::new(KubeconfigSource::File(file), None)).await;
    let (half, _) = half.expect("the cluster answers");
    let problems = preflight(&half, &plan, &facts, &captured.source())
        .await
        .expect("answers");
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert!(
        messages.iter().any(|m| m.contains("create secrets in permit")),
        "{messages:?}"
    );
    assert!(!messages.iter().any(|m| m.contains("configmaps")), "{messages:?}");
    assert!(
        preflight(&admin, &plan, &facts, &captured.source())
            .await
            .expect("answers")
            .is_empty()
    );
}
