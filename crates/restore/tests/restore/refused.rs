//! Requests that admission refuses: what names the cause, what is tried again, and how soon a restore ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat_apiserver::Api;
use lifeboat_model::{Code, Diagnostic as _};
use lifeboat_plan::RestoreOptions;
use lifeboat_restore::execute::{LeaseError, LeaseHolder, LeaseRequest};
use lifeboat_restore::healing::Healing;
use lifeboat_restore::lease::Lease;
use lifeboat_restore::outcome::ObjectResult;
use lifeboat_restore::recover::RecoverError;

use crate::support::{Captured, RealClock, apply, attempted, connect, fixture, live, turn};

/// A fail-closed webhook without a backend, for the Lease of restores and for access reviews.
const LOCKOUT: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: lockout.example}
webhooks:
- name: lease.lockout.example
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  matchConditions: [{name: restore, expression: \"request.name == 'lifeboat-restore'\"}]
  rules: [{apiGroups: [coordination.k8s.io], apiVersions: ['*'], operations: ['*'], resources: [leases]}]
  clientConfig: {service: {name: nobody, namespace: lockout, path: /}}
";

async fn acquire(api: &Api, inputs: &str) -> Result<Lease, LeaseError> {
    let request = LeaseRequest {
        holder: LeaseHolder::this_process(),
        ended: None,
        inputs: inputs.into(),
        clock: Arc::new(RealClock),
    };
    Lease::acquire(api, request).await
}

#[tokio::test]
async fn a_lease_that_a_webhook_refuses_ends_quickly_and_names_the_configuration() {
    let _turn = turn().await;
    let target = &fixture().target;
    let api = connect(target).await;
    let lease = acquire(&api, "lockout").await.expect("nobody holds it");
    apply(target, LOCKOUT);
    // The API server applies a new configuration within about a second.
    lifeboat_system::sleep(Duration::from_secs(2)).await;
    let began = Instant::now();
    let kept = lease
        .release()
        .await
        .expect_err("the webhook refuses the deletion");
    assert_eq!(kept.code(), Code::WebhookRefuses, "{kept}");
    target
        .kubectl_output(&["delete", "validatingwebhookconfiguration", "lockout.example"])
        .expect("webhooks do not guard their configurations");
    let gone = ["-n", "kube-system", "delete", "lease", "lifeboat-restore"];
    for _ in 0..50 {
        if target.kubectl_output(&gone).is_ok() {
            break;
        }
        lifeboat_system::sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    apply(target, LOCKOUT);
    lifeboat_system::sleep(Duration::from_secs(2)).await;
    let began = Instant::now();
    let refused = acquire(&api, "lockout")
        .await
        .err()
        .expect("the webhook refuses the Lease");
    let problem = RecoverError::from(refused).explain(&api).await.problem();
    target
        .kubectl_output(&["delete", "validatingwebhookconfiguration", "lockout.example"])
        .expect("webhooks do not guard their configurations");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(problem.code, Code::WebhookRefuses);
    assert_eq!(
        problem.guidance,
        "start its backend (Service lockout/nobody), or delete the configuration: `kubectl delete validatingwebhookconfiguration lockout.example`"
    );
    assert!(
        problem
            .causes
            .iter()
            .any(|cause| cause.contains("failed calling webhook \"lease.lockout.example\"")),
        "{problem}"
    );
}

#[tokio::test]
async fn what_admission_refuses_for_good_is_not_tried_in_every_pass() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: strict}
---
apiVersion: v1
kind: Pod
metadata: {name: privileged, namespace: strict}
spec:
  containers: [{name: c, image: example.com/c, securityContext: {privileged: true}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: beside, namespace: strict}
",
    );
    // The namespace of the target is stricter than that of the source.
    apply(
        &fixture.target,
        "{apiVersion: v1, kind: Namespace, metadata: {name: strict, labels: {pod-security.kubernetes.io/enforce: restricted}}}",
    );
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "strict" && matches!(name, "privileged" | "beside"))
            || (kind == "namespaces" && name == "strict")
    })
    .await;
    let began = Instant::now();
    let done = attempted(&captured, &RestoreOptions::default()).await;
    let failures: Vec<_> = done.outcome.failures().collect();
    let [(at, failure)] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert_eq!(&*done.plan.objects[*at].target.name, "privileged");
    assert_eq!(failure.healing, Healing::Never, "{failure}");
    assert_eq!(done.outcome.passes, 1, "{failure}");
    assert!(failure.answer.contains("violates PodSecurity"), "{failure}");
    assert!(began.elapsed() < Duration::from_secs(20));
    let beside = live("/api/v1/namespaces/strict/configmaps/beside").await;
    assert_eq!(beside["metadata"]["name"], "beside");
}

#[tokio::test]
async fn objects_behind_one_webhook_are_tried_one_at_a_time() {
    let fixture = fixture();
    apply(
        &fixture.target,
        "
apiVersion: v1
kind: Namespace
metadata: {name: behind, labels: {behind: 'yes'}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: behind.example}
webhooks:
- name: behind.behind.example
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  namespaceSelector: {matchLabels: {behind: 'yes'}}
  rules: [{apiGroups: [''], apiVersions: ['*'], operations: [CREATE], resources: [configmaps]}]
  clientConfig: {service: {name: nobody, namespace: behind, path: /}}
",
    );
    let mut manifests = String::from("{apiVersion: v1, kind: Namespace, metadata: {name: behind}}");
    for number in 0..20 {
        manifests += &format!(
            "\n---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{number}, namespace: behind}}}}"
        );
    }
    apply(&fixture.source, &manifests);
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "behind" && kind == "configmaps" && name != "kube-root-ca.crt")
            || (kind == "namespaces" && name == "behind")
    })
    .await;
    let done = attempted(&captured, &RestoreOptions::default()).await;
    fixture
        .target
        .kubectl_output(&["delete", "validatingwebhookconfiguration", "behind.example"])
        .expect("webhooks do not guard their configurations");
    let failed = done.outcome.failures().count();
    assert_eq!(failed, 20);
    for (_, failure) in done.outcome.failures() {
        assert_eq!(
            failure.webhook.as_deref(),
            Some("behind.behind.example"),
            "{failure}"
        );
        assert_eq!(
            failure.healing.clone(),
            Healing::WithTime(Some("webhook behind.behind.example".into()))
        );
    }
    assert!(
        done.outcome
            .results
            .iter()
            .any(|result| *result != ObjectResult::NotAttempted)
    );
}
