//! The proof fails on a target from which one thing was taken or changed by hand, whatever it is.

use std::sync::Arc;

use http::{Method, Request};
use lifeboat_apiserver::Api;
use lifeboat_plan::{RestoreOptions, Verdict};
use lifeboat_restore::execute::{LeaseHolder, LeaseRequest, Unwatched};
use lifeboat_restore::lease::Lease;
use lifeboat_restore::prove::{ProveSettings, prove};
use serde_json::{Value, json};

use crate::support::{Captured, RealClock, apply, connect, fixture, restored, turn};

const OBJECTS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: mut, labels: {team: a}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: mut, labels: {app: a}, annotations: {note: b}, finalizers: [example.com/keep]}
data: {a: "1", empty: ""}
---
apiVersion: v1
kind: Secret
metadata: {name: secret, namespace: mut}
stringData: {password: hidden}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: mut, annotations: {"eks.amazonaws.com/role-arn": "arn:aws:iam::111111111111:role/robot"}}
automountServiceAccountToken: false
imagePullSecrets: [{name: registry}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: mut}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list]}
- {apiGroups: [""], resources: [secrets], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: mut}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {kind: Group, name: oncall, apiGroup: rbac.authorization.k8s.io}
- {kind: User, name: ada, apiGroup: rbac.authorization.k8s.io}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: mut}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: https, port: 443}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: mut}
spec:
  replicas: 0
  paused: true
  revisionHistoryLimit: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {inject: "true"}}
    spec:
      serviceAccountName: robot
      initContainers: [{name: init, image: example.com/init:1}]
      containers:
      - {name: web, image: example.com/web:1, env: [{name: A, value: a}], args: [--port=80]}
      - {name: proxy, image: example.com/proxy:1}
      volumes: [{name: config, configMap: {name: config}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: queue, namespace: mut}
spec:
  replicas: 0
  serviceName: queue
  updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 2}}
  selector: {matchLabels: {app: queue}}
  template: {metadata: {labels: {app: queue}}, spec: {containers: [{name: queue, image: example.com/queue:1}]}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: mut}
spec:
  schedule: 0 3 * * *
  suspend: true
  timeZone: Europe/Zurich
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: example.com/job:1}]}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: mut}
spec:
  tls: [{hosts: [a.example.com], secretName: tls}]
  rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: mut}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: mut}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: mut}
spec: {minReplicas: 1, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: mut}
spec: {limits: [{type: Container, default: {cpu: 100m}}]}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: mut}
spec: {hard: {pods: "10"}}
"#;

type Change = fn(&mut Value);

/// Each mutation with the path of its object.
const MUTATIONS: &[(&str, &str, Change)] = &[
    (
        "a label of a Namespace is changed",
        "/api/v1/namespaces/mut",
        |o| o["metadata"]["labels"]["team"] = json!("b"),
    ),
    ("a label is removed", CONFIG, |o| {
        remove(o, "/metadata/labels", "app")
    }),
    ("an annotation is removed", CONFIG, |o| {
        remove(o, "/metadata/annotations", "note")
    }),
    ("a finalizer is removed", CONFIG, |o| {
        o["metadata"]["finalizers"] = json!([])
    }),
    ("a key is removed", CONFIG, |o| remove(o, "/data", "a")),
    ("an empty key is removed", CONFIG, |o| remove(o, "/data", "empty")),
    ("a value is changed", CONFIG, |o| o["data"]["a"] = json!("2")),
    (
        "a value of a Secret is changed",
        "/api/v1/namespaces/mut/secrets/secret",
        |o| o["data"]["password"] = json!("b3RoZXI="),
    ),
    ("a role of IAM is changed", ACCOUNT, |o| {
        o["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = json!("x")
    }),
    ("an imagePullSecret is removed", ACCOUNT, |o| {
        o["imagePullSecrets"] = json!([])
    }),
    ("a token is mounted", ACCOUNT, |o| {
        o["automountServiceAccountToken"] = json!(true)
    }),
    ("a rule is removed", ROLE, |o| pop(o, "/rules")),
    ("a verb is removed", ROLE, |o| pop(o, "/rules/0/verbs")),
    ("a verb is added", ROLE, |o| {
        o["rules"][0]["verbs"] = json!(["get", "list", "delete"])
    }),
    ("a subject is removed", BINDING, |o| pop(o, "/subjects")),
    ("a subject is changed", BINDING, |o| {
        o["subjects"][1]["name"] = json!("eve")
    }),
    ("a selector is changed", SERVICE, |o| {
        o["spec"]["selector"]["app"] = json!("x")
    }),
    ("a port is removed", SERVICE, |o| pop(o, "/spec/ports")),
    ("a Deployment is scaled", DEPLOYMENT, |o| {
        o["spec"]["replicas"] = json!(1)
    }),
    ("a Deployment is resumed", DEPLOYMENT, |o| {
        remove(o, "/spec", "paused")
    }),
    ("a container is removed", DEPLOYMENT, |o| {
        pop(o, "/spec/template/spec/containers")
    }),
    ("an init container is removed", DEPLOYMENT, |o| {
        remove(o, "/spec/template/spec", "initContainers")
    }),
    ("an image is changed", DEPLOYMENT, |o| {
        o["spec"]["template"]["spec"]["containers"][0]["image"] = json!("x")
    }),
    ("an environment variable is removed", DEPLOYMENT, |o| {
        remove(o, "/spec/template/spec/containers/0", "env")
    }),
    ("an argument is changed", DEPLOYMENT, |o| {
        o["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["--port=81"])
    }),
    ("a volume is removed", DEPLOYMENT, |o| {
        remove(o, "/spec/template/spec", "volumes")
    }),
    ("an account is removed", DEPLOYMENT, |o| {
        remove(o, "/spec/template/spec", "serviceAccountName");
        remove(o, "/spec/template/spec", "serviceAccount");
    }),
    ("an annotation of a template is removed", DEPLOYMENT, |o| {
        remove(o, "/spec/template/metadata", "annotations")
    }),
    ("a history is cut", DEPLOYMENT, |o| {
        o["spec"]["revisionHistoryLimit"] = json!(1)
    }),
    (
        "a partition is removed",
        "/apis/apps/v1/namespaces/mut/statefulsets/queue",
        |o| o["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(0),
    ),
    ("a schedule is changed", CRONJOB, |o| {
        o["spec"]["schedule"] = json!("0 4 * * *")
    }),
    ("a CronJob is resumed", CRONJOB, |o| {
        o["spec"]["suspend"] = json!(false)
    }),
    ("a time zone is removed", CRONJOB, |o| {
        remove(o, "/spec", "timeZone")
    }),
    ("TLS is removed", INGRESS, |o| remove(o, "/spec", "tls")),
    ("a host is changed", INGRESS, |o| {
        o["spec"]["rules"][0]["host"] = json!("b.example.com")
    }),
    (
        "a policy type is removed",
        "/apis/networking.k8s.io/v1/namespaces/mut/networkpolicies/deny",
        |o| pop(o, "/spec/policyTypes"),
    ),
    (
        "a budget is changed",
        "/apis/policy/v1/namespaces/mut/poddisruptionbudgets/web",
        |o| o["spec"]["minAvailable"] = json!(0),
    ),
    (
        "a limit of an autoscaler is changed",
        "/apis/autoscaling/v2/namespaces/mut/horizontalpodautoscalers/web",
        |o| o["spec"]["maxReplicas"] = json!(3),
    ),
    (
        "a default of a LimitRange is changed",
        "/api/v1/namespaces/mut/limitranges/limits",
        |o| o["spec"]["limits"][0]["default"]["cpu"] = json!("200m"),
    ),
    (
        "a quota is changed",
        "/api/v1/namespaces/mut/resourcequotas/quota",
        |o| o["spec"]["hard"]["pods"] = json!("99"),
    ),
];

const CONFIG: &str = "/api/v1/namespaces/mut/configmaps/config";
const ACCOUNT: &str = "/api/v1/namespaces/mut/serviceaccounts/robot";
const ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/mut/roles/reader";
const BINDING: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/mut/rolebindings/readers";
const SERVICE: &str = "/api/v1/namespaces/mut/services/web";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/mut/deployments/web";
const CRONJOB: &str = "/apis/batch/v1/namespaces/mut/cronjobs/nightly";
const INGRESS: &str = "/apis/networking.k8s.io/v1/namespaces/mut/ingresses/web";

fn remove(object: &mut Value, path: &str, key: &str) {
    let map = object.pointer_mut(path).and_then(Value::as_object_mut);
    map.and_then(|map| map.remove(key)).expect("it is there");
}

fn pop(object: &mut Value, path: &str) {
    let list = object.pointer_mut(path).and_then(Value::as_array_mut);
    list.and_then(Vec::pop).expect("it is there");
}

/// Replaces an object as `kubectl edit` does, whatever its controllers have written in the meantime.
async fn put(api: &Api, path: &str, object: &Value) {
    let mut object = object.clone();
    for _ in 0..10 {
        let live: Value = api
            .get_json(path)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("{path}?fieldManager=kubectl-edit"))
            .header(http::header::ACCEPT, "application/json")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(object.to_string().into())
            .expect("a request");
        match api.request(request).await {
            Ok(_) => return,
            Err(error) if error.status() == Some(409) => {}
            Err(error) => panic!("{path}: {error}"),
        }
    }
    panic!("{path} changes all the time");
}

#[tokio::test]
async fn the_proof_finds_every_mutation() {
    let fixture = fixture();
    apply(&fixture.source, OBJECTS);
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "mut" || (kind == "namespaces" && name == "mut")) && kind != "events"
    })
    .await;
    let options = RestoreOptions::default();
    let done = restored(&captured, &options).await;
    let _turn = turn().await;
    let api = connect(&fixture.target).await;
    let lease = LeaseRequest {
        holder: LeaseHolder::this_process(),
        ended: None,
        inputs: "mutations".to_owned(),
        clock: Arc::new(RealClock),
    };
    let lease = Lease::acquire(&api, lease).await.expect("nobody else restores");
    let source = captured.source();
    let settings = ProveSettings::default();
    let mut missed = Vec::new();
    for (what, path, change) in MUTATIONS {
        let before: Value = api
            .get_json(path)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut mutated = before.clone();
        change(&mut mutated);
        put(&api, path, &mutated).await;
        let proven = prove(
            &api,
            &done.plan,
            &done.facts,
            &source,
            (&done.outcome, lease.run()),
            &settings,
            &Unwatched,
        )
        .await
        .expect("the target can be read");
        if proven.report.verdict == Verdict::MatchesPlan {
            missed.push(*what);
        }
        // Back to the captured state, so that the next mutation is alone.
        put(&api, path, &before).await;
    }
    lease.release().await.expect("the Lease can be deleted");
    assert!(missed.is_empty(), "not found: {missed:?}");
    assert!(MUTATIONS.len() >= 30);
}

/// Pods are compared with those that ran in the source, not only counted.
#[tokio::test]
async fn a_container_that_admission_injected_in_the_source_and_not_in_the_target_fails_the_proof() {
    let fixture = fixture();
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: mut-pods}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: mut-pods}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: example.com/web:1}]}}
",
    );
    let pods = "/api/v1/namespaces/mut-pods/pods";
    let listed = crate::support::until(&fixture.source, pods, "a list with a Pod", |list| {
        list["items"].as_array().is_some_and(|pods| pods.len() == 1)
    })
    .await;
    let pod = crate::support::name(&listed["items"][0]);
    let mut captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "mut-pods" && kind != "events") || (kind == "namespaces" && name == "mut-pods")
    })
    .await;
    let same = crate::support::attempted(&captured, &RestoreOptions::default())
        .await
        .report;
    assert_eq!(same.verdict, Verdict::MatchesPlan, "{}", same.text());
    captured.edit("Pod", &pod, |pod| {
        let containers = pod["spec"]["containers"].as_array_mut().expect("a list");
        containers.push(json!({"name": "proxy", "image": "example.com/proxy:1"}));
    });
    let options = RestoreOptions {
        existing: lifeboat_plan::ExistingPolicy::Update,
        ..RestoreOptions::default()
    };
    let report = crate::support::attempted(&captured, &options).await.report;
    assert_eq!(report.verdict, Verdict::WorkloadsDiffer, "{}", report.text());
    let found = &report.workloads[0].differences[0];
    assert_eq!((found.path.as_str(), &found.target), ("/containers/proxy", &None));
}

/// What admission adds to a Pod belongs to no field manager.
#[tokio::test]
async fn a_label_that_admission_adds_in_the_target_and_not_in_the_source_fails_the_proof() {
    let fixture = fixture();
    apply(
        &fixture.target,
        r#"
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: mut-labels}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: mut-labels}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: '[JSONPatch{op: "add", path: "/metadata/labels/injected", value: "yes"}]'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: mut-labels}
spec: {policyName: mut-labels}
"#,
    );
    apply(
        &fixture.source,
        "
apiVersion: v1
kind: Namespace
metadata: {name: mut-labels}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: mut-labels}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: example.com/web:1}]}}
",
    );
    let pods = "/api/v1/namespaces/mut-labels/pods";
    let is_there = |list: &Value| list["items"].as_array().is_some_and(|pods| pods.len() == 1);
    crate::support::until(&fixture.source, pods, "a list with a Pod", is_there).await;
    let captured = Captured::from(&fixture.source, |kind, namespace, name| {
        (namespace == "mut-labels" && kind != "events") || (kind == "namespaces" && name == "mut-labels")
    })
    .await;
    // API servers read policies every second.
    lifeboat_system::sleep(std::time::Duration::from_secs(3)).await;
    let done = crate::support::attempted(&captured, &RestoreOptions::default()).await;
    crate::support::until(&fixture.target, pods, "a list with a Pod", is_there).await;
    let report = crate::support::proven_again(&captured, &done).await;
    for kind in ["mutatingadmissionpolicybinding", "mutatingadmissionpolicy"] {
        let deleted = fixture.target.kubectl_output(&["delete", kind, "mut-labels"]);
        deleted.expect("the policy can be deleted");
    }
    assert_eq!(report.verdict, Verdict::WorkloadsDiffer, "{}", report.text());
    let found = &report.workloads[0].differences[0];
    assert_eq!((found.path.as_str(), &found.source), ("/labels/injected", &None));
}
