//! Objects that controllers create are left to the target's controllers, and volume bindings are restored.

use lifeboat_plan::RestoreOptions;
use serde_json::{Value, json};

use crate::support::{Captured, apply, connect, fixture, items, live, name, restored, until};

#[tokio::test]
async fn a_deployment_comes_back_without_doubling_its_pods() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: children}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: children}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
",
    );
    until(
        &fixture.source,
        "/api/v1/namespaces/children/pods",
        "two pods",
        |pods| items(pods).len() == 2,
    )
    .await;
    let captured = Captured::from(&fixture.source, |_, namespace, name| {
        namespace == "children" || name == "children"
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let path = "/apis/apps/v1/namespaces/children/deployments/web";
    until(&fixture.target, path, "ready", |web| {
        web["status"]["readyReplicas"] == 2
    })
    .await;
    let sets = live("/apis/apps/v1/namespaces/children/replicasets").await;
    assert_eq!(items(&sets).len(), 1);
    let pods = live("/api/v1/namespaces/children/pods").await;
    assert_eq!(items(&pods).len(), 2);
}

#[tokio::test]
async fn children_of_a_custom_resource_follow_its_new_uid() {
    let fixture = fixture();
    let definition = |group: &str| {
        format!(
            "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: boats.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: boats, singular: boat, kind: Boat, listKind: BoatList}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"
        )
    };
    apply(&fixture.source, &definition("harbour.example"));
    fixture
        .source
        .kubectl_output(&["wait", "--for=condition=Established", "crd/boats.harbour.example"])
        .expect("the definition is established");
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: harbour}
---
apiVersion: harbour.example/v1
kind: Boat
metadata: {name: ark, namespace: harbour, finalizers: [harbour.example/keep]}
spec: {big: 12345678901234567890, odd: 1.0e3}
",
    );
    let boat = "/apis/harbour.example/v1/namespaces/harbour/boats/ark";
    let source = connect(&fixture.source).await;
    let ark: Value = source.get_json(boat).await.expect("the boat exists");
    let uid = ark["metadata"]["uid"].as_str().expect("it has a uid");
    apply(
        &fixture.source,
        &format!(
            "
apiVersion: v1
kind: ConfigMap
metadata:
  name: cargo
  namespace: harbour
  ownerReferences:
  - {{apiVersion: harbour.example/v1, kind: Boat, name: ark, uid: {uid}, controller: true}}
data: {{a: b}}
"
        ),
    );
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "harbour" && kind != "serviceaccounts" && name != "kube-root-ca.crt")
            || name == "harbour"
            || name == "boats.harbour.example"
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let restored = live(boat).await;
    assert_ne!(restored["metadata"]["uid"], uid);
    assert_eq!(
        restored["spec"].to_string(),
        ark["spec"].to_string(),
        "numbers keep their text"
    );
    assert_eq!(
        restored["metadata"]["finalizers"],
        json!(["harbour.example/keep"])
    );
    let cargo = live("/api/v1/namespaces/harbour/configmaps/cargo").await;
    assert_eq!(
        cargo["metadata"]["ownerReferences"][0]["uid"],
        restored["metadata"]["uid"]
    );
}

#[tokio::test]
async fn a_finished_job_stays_finished_and_runs_nothing() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: jobs}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: jobs}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: once, image: once:1}]}
",
    );
    // No node runs its Pod in the source: the test marks it as finished.
    let path = "/apis/batch/v1/namespaces/jobs/jobs/once";
    until(&fixture.source, path, "started", |job| {
        job["status"]["startTime"].is_string()
    })
    .await;
    let pods = "/api/v1/namespaces/jobs/pods";
    let pods = until(&fixture.source, pods, "made", |pods| items(pods).len() == 1).await;
    let pod = name(&items(&pods)[0]);
    let done = r#"{"status":{"phase":"Succeeded"}}"#;
    let patch = [
        "-n",
        "jobs",
        "patch",
        "pod",
        &pod,
        "--subresource=status",
        "--type=merge",
        "-p",
        done,
    ];
    fixture
        .source
        .kubectl_output(&patch)
        .expect("the Pod can be ended");
    let finished = until(&fixture.source, path, "complete", |job| {
        job["status"]["succeeded"] == 1
    })
    .await;
    until(&fixture.source, path, "complete", |job| {
        job["status"]["completionTime"].is_string()
    })
    .await;
    let captured = Captured::from(&fixture.source, |_, namespace, name| {
        namespace == "jobs" || name == "jobs"
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let job = live(path).await;
    assert_eq!(job["status"]["startTime"], finished["status"]["startTime"]);
    assert!(job["status"]["completionTime"].is_string());
    assert_ne!(job["spec"]["suspend"], json!(true));
    lifeboat_system::sleep(std::time::Duration::from_secs(1)).await;
    assert!(
        items(&live("/api/v1/namespaces/jobs/pods").await).is_empty(),
        "nothing ran"
    );
}

#[tokio::test]
async fn a_volume_and_its_claim_are_bound_to_each_other_again() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: volumes}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: volumes-disk}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: ''
  hostPath: {path: /tmp/disk}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: volumes}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ''
  resources: {requests: {storage: 1Gi}}
",
    );
    let claim = "/api/v1/namespaces/volumes/persistentvolumeclaims/disk";
    until(&fixture.source, claim, "bound", |claim| {
        claim["status"]["phase"] == "Bound"
    })
    .await;
    let captured = Captured::from(&fixture.source, |_, namespace, name| {
        namespace == "volumes" || name == "volumes" || name == "volumes-disk"
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let claim = until(&fixture.target, claim, "bound", |claim| {
        claim["status"]["phase"] == "Bound"
    })
    .await;
    assert_eq!(claim["spec"]["volumeName"], "volumes-disk");
    let volume = live("/api/v1/persistentvolumes/volumes-disk").await;
    assert_eq!(volume["spec"]["claimRef"]["uid"], claim["metadata"]["uid"]);
}

#[tokio::test]
async fn accounts_get_what_they_had_and_tokens_of_the_target() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: accounts}
",
    );
    let account = "/api/v1/namespaces/accounts/serviceaccounts/default";
    until(&fixture.source, account, "there", |account| {
        account["kind"] == "ServiceAccount"
    })
    .await;
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: ServiceAccount
metadata:
  name: default
  namespace: accounts
  annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::111122223333:role/x'}
imagePullSecrets: [{name: registry}]
---
apiVersion: v1
kind: Secret
metadata:
  name: token
  namespace: accounts
  annotations: {kubernetes.io/service-account.name: default}
type: kubernetes.io/service-account-token
",
    );
    let secret = "/api/v1/namespaces/accounts/secrets/token";
    let old = until(&fixture.source, secret, "filled", |secret| {
        secret["data"]["token"].is_string()
    })
    .await;
    let captured = Captured::from(&fixture.source, |_, namespace, name| {
        namespace == "accounts" || name == "accounts"
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let account = live(account).await;
    assert_eq!(account["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(
        account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"],
        "arn:aws:iam::111122223333:role/x"
    );
    let new = until(&fixture.target, secret, "filled", |secret| {
        secret["data"]["token"].is_string()
    })
    .await;
    assert_ne!(new["data"]["token"], old["data"]["token"]);
}

#[tokio::test]
async fn a_stateful_set_finds_its_claims_and_they_find_their_volumes() {
    let fixture = fixture();
    let volume = |at: usize| {
        format!(
            "
apiVersion: v1
kind: PersistentVolume
metadata: {{name: stateful-{at}}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: stateful
  hostPath: {{path: /stateful-{at}}}
---"
        )
    };
    let set = "
apiVersion: v1
kind: Namespace
metadata: {name: stateful}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: stateful}
spec:
  serviceName: db
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: db:1, volumeMounts: [{name: data, mountPath: /data}]}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      storageClassName: stateful
      resources: {requests: {storage: 1Gi}}
";
    apply(&fixture.source, &format!("{}{}{set}", volume(0), volume(1)));
    let claims = "/api/v1/namespaces/stateful/persistentvolumeclaims";
    let bound = |list: &Value| {
        let claims = items(list);
        claims.len() == 2 && claims.iter().all(|claim| claim["status"]["phase"] == "Bound")
    };
    let before = until(&fixture.source, claims, "two bound claims", bound).await;
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        // The target's own controllers create the Pods; the claims must exist before them.
        (namespace == "stateful" && kind != "events")
            || name == "stateful"
            || (kind == "persistentvolumes" && name.starts_with("stateful-"))
    })
    .await;
    restored(&captured, &RestoreOptions::default()).await;
    let after = until(&fixture.target, claims, "two bound claims", bound).await;
    let pairs = |list: &Value| -> Vec<(String, Value)> {
        let claims = items(list);
        let mut pairs: Vec<_> = claims
            .iter()
            .map(|claim| (name(claim), claim["spec"]["volumeName"].clone()))
            .collect();
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        pairs
    };
    assert_eq!(
        pairs(&after),
        pairs(&before),
        "each claim has the volume that it had"
    );
    for claim in items(&after) {
        let volume = claim["spec"]["volumeName"].as_str().unwrap_or_default();
        let volume = live(&format!("/api/v1/persistentvolumes/{volume}")).await;
        assert_eq!(volume["spec"]["claimRef"]["uid"], claim["metadata"]["uid"]);
    }
    let path = "/apis/apps/v1/namespaces/stateful/statefulsets/db";
    until(&fixture.target, path, "ready", |set| {
        set["status"]["readyReplicas"] == 2
    })
    .await;
    assert_eq!(items(&live(claims).await).len(), 2, "no further claim was made");
}
