//! Changes that the options make to an object: namespace, patches, status.

use lifeboat_plan::RestoreOptions;
use serde_json::{Value, json};

use crate::support::{Captured, apply, fixture, live, restored};

fn options(value: Value) -> RestoreOptions {
    serde_json::from_value(value).expect("the options are well formed")
}

#[tokio::test]
async fn a_namespace_gets_another_name_wherever_structure_names_it() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: map-old}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: worker, namespace: map-old}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: map-old}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: map-old}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {kind: ServiceAccount, name: worker, namespace: map-old}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: 'system:serviceaccount:map-old:worker'}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:serviceaccounts:map-old'}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: map-binding}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: worker, namespace: map-old}]
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: map-volume}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: none
  hostPath: {path: /nowhere}
  claimRef: {namespace: map-old, name: data}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: map-hook}
webhooks:
- name: hook.map.example
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  clientConfig: {service: {namespace: map-old, name: hook}}
  rules: [{apiGroups: [map.example], apiVersions: [v1], operations: [CREATE], resources: [things]}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.map-served.example}
spec:
  group: map-served.example
  version: v1
  groupPriorityMinimum: 10
  versionPriority: 10
  insecureSkipTLSVerify: true
  service: {namespace: map-old, name: server}
",
    );
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        let cluster_wide = [
            "map-old",
            "map-binding",
            "map-volume",
            "map-hook",
            "v1.map-served.example",
        ];
        (namespace == "map-old" && !["configmaps", "secrets"].contains(&kind))
            || (namespace.is_empty() && cluster_wide.contains(&name))
    })
    .await;
    restored(
        &captured,
        &options(json!({"namespaceMap": {"map-old": "map-new"}})),
    )
    .await;
    live("/api/v1/namespaces/map-new/serviceaccounts/worker").await;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let binding = live(&format!("{rbac}/namespaces/map-new/rolebindings/reader")).await;
    assert_eq!(binding["subjects"][0]["namespace"], "map-new");
    assert_eq!(
        binding["subjects"][1]["name"],
        "system:serviceaccount:map-new:worker"
    );
    assert_eq!(binding["subjects"][2]["name"], "system:serviceaccounts:map-new");
    let binding = live(&format!("{rbac}/clusterrolebindings/map-binding")).await;
    assert_eq!(binding["subjects"][0]["namespace"], "map-new");
    let volume = live("/api/v1/persistentvolumes/map-volume").await;
    assert_eq!(volume["spec"]["claimRef"]["namespace"], "map-new");
    let hook = live("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/map-hook").await;
    assert_eq!(
        hook["webhooks"][0]["clientConfig"]["service"]["namespace"],
        "map-new"
    );
    let service = live("/apis/apiregistration.k8s.io/v1/apiservices/v1.map-served.example").await;
    assert_eq!(service["spec"]["service"]["namespace"], "map-new");
    // An APIService without a server would make discovery of the target incomplete for the other tests.
    for (kind, name) in [
        ("apiservice", "v1.map-served.example"),
        ("validatingwebhookconfiguration", "map-hook"),
    ] {
        let deleted = fixture.target.kubectl_output(&["delete", kind, name]);
        assert!(deleted.is_ok(), "{deleted:?}");
    }
}

#[tokio::test]
async fn patches_change_exactly_what_their_conditions_select() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: patched}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: chosen, namespace: patched, labels: {tier: web}}
data: {region: eu-west-1, drop: me, keep: it}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other, namespace: patched, labels: {tier: db}}
data: {region: eu-west-1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: elsewhere, namespace: patched, labels: {tier: web}}
data: {region: us-east-1, drop: me}
",
    );
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "patched" && kind == "configmaps" && name != "kube-root-ca.crt") || name == "patched"
    })
    .await;
    let options = options(json!({"patches": [
        {"when": {"types": ["cm"], "namespaces": ["patched"], "labels": "tier=web", "equals": {"/data/region": "eu-west-1"}},
         "jsonPatch": [{"op": "test", "path": "/data/drop", "value": "me"},
                       {"op": "remove", "path": "/data/drop"},
                       {"op": "replace", "path": "/data/region", "value": "eu-central-1"}]},
        {"when": {"types": ["configmaps"], "names": ["o*", "else*"]},
         "merge": {"data": {"drop": null, "added": "yes"}}},
    ]}));
    let done = restored(&captured, &options).await;
    let data = async |name: &str| {
        let path = format!("/api/v1/namespaces/patched/configmaps/{name}");
        live(&path).await["data"].clone()
    };
    assert_eq!(
        data("chosen").await,
        json!({"region": "eu-central-1", "keep": "it"})
    );
    assert_eq!(
        data("other").await,
        json!({"region": "eu-west-1", "added": "yes"})
    );
    assert_eq!(
        data("elsewhere").await,
        json!({"region": "us-east-1", "added": "yes"})
    );
    assert_eq!(done.report.summary.unexplained, 0);
}

#[tokio::test]
async fn the_status_is_restored_where_a_rule_asks_for_it_and_only_there() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.status.example}
spec:
  group: status.example
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat, listKind: BoatList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: v1
kind: Namespace
metadata: {name: status}
",
    );
    let mut captured = Captured::from(&fixture.source, |_, _, name| {
        name == "boats.status.example" || name == "status"
    })
    .await;
    let boats = captured.types.iter().position(|known| {
        (known.resource.group.as_str(), known.resource.resource.as_str()) == ("status.example", "boats")
    });
    let boats = boats.expect("the type is served");
    for name in ["with", "without"] {
        let boat = json!({"apiVersion": "status.example/v1", "kind": "Boat",
            "metadata": {"name": name, "namespace": "status", "uid": format!("u-{name}"),
                "managedFields": [
                    {"manager": "maker", "operation": "Update", "apiVersion": "status.example/v1",
                     "time": "2026-11-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:n": {}}}},
                    {"manager": "operator", "operation": "Update", "apiVersion": "status.example/v1",
                     "time": "2026-11-01T00:00:00Z", "fieldsType": "FieldsV1", "subresource": "status",
                     "fieldsV1": {"f:status": {"f:afloat": {}}}}]},
            "spec": {"n": 1}, "status": {"afloat": true}});
        captured.objects.push((boats, boat.to_string().into_bytes()));
    }
    let options = options(json!({"rules": {"restoreStatus": [{"types": ["boats"], "names": ["with"]}]}}));
    restored(&captured, &options).await;
    let path = "/apis/status.example/v1/namespaces/status/boats";
    let with = live(&format!("{path}/with")).await;
    assert_eq!(with["status"], json!({"afloat": true}));
    let owner = with["metadata"]["managedFields"].as_array().into_iter().flatten();
    let owner: Vec<_> = owner.filter(|entry| entry["subresource"] == "status").collect();
    assert_eq!(owner.len(), 1, "{with}");
    assert_eq!(owner[0]["manager"], "operator");
    let without = live(&format!("{path}/without")).await;
    assert!(without.get("status").is_none(), "{without}");
}
