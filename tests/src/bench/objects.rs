//! Objects as in real clusters: mixed types and sizes, several field owners, custom resources.
//!
//! The size of a recovery point depends on how much objects have in common. The assumptions are
//! documented where they are made; each is a proportion found in whole clusters, and none was
//! chosen for the result.

use serde_json::{Value, json};

mod large;
mod pods;
mod rng;
mod text;

use rng::Rng;
use text::APPLICATIONS;

pub use large::{DEFINITIONS, large};

/// One object to create, with its collection and its field manager.
pub struct Sample {
    /// The path of the collection to POST to.
    pub path: String,
    /// The field manager of the creation; becomes the owner in `managedFields`.
    pub manager: &'static str,
    /// The object to create.
    pub body: Value,
    /// A later write of another field manager, for some objects.
    pub second: Option<SecondOwner>,
}

/// A later write to an object by a second owner.
pub struct SecondOwner {
    /// The field manager of the write.
    pub manager: &'static str,
    /// The subresource as the end of the path (`/status`); empty for the object itself.
    pub subresource: &'static str,
    /// A JSON merge patch.
    pub patch: Value,
}

impl Sample {
    fn new(path: String, manager: &'static str, body: Value) -> Self {
        Self {
            path,
            manager,
            body,
            second: None,
        }
    }
}

/// The number of namespaces over which the objects are spread.
const NAMESPACES: usize = 40;

/// The number of objects in one release of Helm: one of each row of [`sample`], all in one namespace.
const RELEASE: usize = 20;

/// Returns what must exist before the samples: namespaces and the custom resource's definition.
#[must_use]
pub fn prerequisites() -> Vec<Sample> {
    let mut samples: Vec<Sample> = (0..NAMESPACES)
        .map(|n| {
            Sample::new(
                "/api/v1/namespaces".into(),
                "helm",
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace(n), "labels": {"team": format!("team-{}", n % 7)}}}),
            )
        })
        .collect();
    // Without controllers, the service account that admission requires for a Pod and the ConfigMap
    // with the certificate of the API server do not exist.
    samples.extend((0..NAMESPACES).map(|n| {
        Sample::new(
            format!("/api/v1/namespaces/{}/serviceaccounts", namespace(n)),
            "kube-controller-manager",
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace(n)}}),
        )
    }));
    samples.extend(large::root_certificates());
    samples.push(Sample::new(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".into(),
        "helm",
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "certificates.bench.example.com"},
            "spec": {
                "group": "bench.example.com", "scope": "Namespaced",
                "names": {"plural": "certificates", "singular": "certificate", "kind": "Certificate", "listKind": "CertificateList"},
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]
            }
        }),
    ));
    samples
}

fn namespace(number: usize) -> String {
    format!("bench-{:02}", number % NAMESPACES)
}

/// Returns `count` objects that a restore brings back; the same ones for the same count.
pub fn samples(count: usize) -> impl Iterator<Item = Sample> {
    let mut rng = Rng::new(0x11fe_b0a7);
    (0..count).map(move |number| sample(number, &mut rng))
}

/// Returns `count` objects as in a whole cluster: of every ten, four are applied by users, and six
/// are created from those by controllers: Pods, and ReplicaSets of former revisions.
pub fn cluster(count: usize) -> impl Iterator<Item = Sample> {
    let mut rng = Rng::new(0x0b5e_55ed);
    (0..count).map(move |number| match number % 10 {
        0..=3 => sample(number / 10 * 4 + number % 10, &mut rng),
        part => child(number / 10, part, &mut rng),
    })
}

/// Returns a ReplicaSet or Pod of a Deployment: three of each share one template.
fn child(family: usize, part: usize, rng: &mut Rng) -> Sample {
    let (namespace, name) = (namespace(family), format!("web-{family:06}"));
    let mut template = pods::template(
        family % APPLICATIONS,
        &name,
        &mut Rng::new(0x5eed_0000 + family as u64),
    );
    let hash = rng.hex(9);
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let owned = |kind: &str, owner: &str| {
        json!([{"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": true, "blockOwnerDeletion": true,
            "uid": format!("{:08x}-0000-4000-8000-{:012x}", family, part)}])
    };
    let labels = template["metadata"]["labels"].clone();
    template["spec"]["serviceAccountName"] = json!("default");
    if part < 7 {
        return Sample::new(
            format!("/apis/apps/v1/namespaces/{namespace}/replicasets"),
            "kube-controller-manager",
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {"name": format!("{name}-{hash}"), "namespace": namespace, "labels": labels, "ownerReferences": owned("Deployment", &name),
                    "annotations": {"deployment.kubernetes.io/desired-replicas": "2", "deployment.kubernetes.io/max-replicas": "3", "deployment.kubernetes.io/revision": part.to_string()}},
                "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}}),
        );
    }
    let node = rng.below(60);
    template["spec"]["nodeName"] = json!(pods::node(node));
    let mut pod = Sample::new(
        format!("/api/v1/namespaces/{namespace}/pods"),
        "kube-controller-manager",
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{name}-{hash}-{}", rng.hex(5)), "namespace": namespace, "labels": labels, "ownerReferences": owned("ReplicaSet", &format!("{name}-{hash}"))},
            "spec": template["spec"]}),
    );
    pod.second = Some(SecondOwner {
        manager: "kubelet",
        subresource: "/status",
        patch: json!({"status": pods::status(&template["spec"], node, rng)}),
    });
    pod
}

fn sample(number: usize, rng: &mut Rng) -> Sample {
    let namespace = namespace(number / RELEASE);
    let application = number % APPLICATIONS;
    let name = format!("app-{number:06}");
    let meta = json!({
        "name": name, "namespace": namespace,
        "labels": {"app.kubernetes.io/name": format!("app-{application}"), "app.kubernetes.io/instance": name, "app.kubernetes.io/managed-by": "Helm", "team": format!("team-{}", number % 7)},
        "annotations": {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}
    });
    let core = |resource: &str| format!("/api/v1/namespaces/{namespace}/{resource}");
    let of = |path: String, body: Value| Sample::new(path, "helm", body);
    match number % RELEASE {
        0..=5 => {
            // The size is the chart's, too.
            let bytes = [300, 800, 1_500, 2_500, 4_000, 9_000][application / RELEASE % 6];
            of(
                core("configmaps"),
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"application.properties": text::configuration(application, bytes, &name, rng)}}),
            )
        }
        6..=8 => {
            let bytes = [60, 400, 1_700][rng.below(3)];
            of(
                core("secrets"),
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": {"password": rng.secret(24), "tls.key": rng.secret(bytes)}}),
            )
        }
        9..=11 => of(
            format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 2, "selector": {"matchLabels": {"app.kubernetes.io/instance": name}}, "template": pods::template(application, &name, rng)}}),
        ),
        12 | 13 => of(
            core("services"),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"clusterIP": "None", "selector": {"app.kubernetes.io/instance": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 9090}]}}),
        ),
        14 => of(
            core("serviceaccounts"),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),
        ),
        15 => of(
            format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles"),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": [{"apiGroups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["get", "list", "watch"]}, {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": [name]}]}),
        ),
        16 => of(
            format!("/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"),
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/instance": name}}}}),
        ),
        17 => of(
            format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": {"ingressClassName": "alb", "rules": [{"host": format!("{name}.shop.example.com"), "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": name, "port": {"number": 80}}}}]}}]}}),
        ),
        _ => {
            let mut sample = of(
                format!("/apis/bench.example.com/v1/namespaces/{namespace}/certificates"),
                json!({"apiVersion": "bench.example.com/v1", "kind": "Certificate", "metadata": meta, "spec": {"secretName": name, "dnsNames": [format!("{name}.shop.example.com")], "issuerRef": {"kind": "ClusterIssuer", "name": "letsencrypt"}, "notes": text::configuration(application, 500, &name, rng), "serial": 9_007_199_254_740_993_i64}}),
            );
            // Every second custom resource was written by its operator as well: two field owners.
            if number.is_multiple_of(2) {
                sample.second = Some(SecondOwner {
                    manager: "operator",
                    subresource: "",
                    patch: json!({"metadata": {"annotations": {"bench.example.com/issued-at": rng.time()}, "finalizers": ["bench.example.com/revoke"]}}),
                });
            }
            sample
        }
    }
}

#[cfg(test)]
mod tests;
