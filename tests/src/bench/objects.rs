//! Objects as real clusters hold them: mixed types and sizes, several field owners, custom resources.

use serde_json::{Value, json};

/// One object to create, with the collection that takes it and the field manager that makes it.
pub struct Sample {
    /// The path of the collection to POST to.
    pub path: String,
    /// Who creates it; becomes the owner in `managedFields`.
    pub manager: &'static str,
    /// The object.
    pub body: Value,
    /// What a controller writes afterwards as a second owner (a merge patch), for some objects.
    pub second_owner: Option<Value>,
}

/// How many namespaces the objects are spread over.
const NAMESPACES: usize = 40;

/// A small deterministic generator (xorshift64*), so that two runs measure the same bytes.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("the remainder is below a usize")
    }

    /// Text that compresses like configuration: words and settings rather than random bytes.
    fn prose(&mut self, bytes: usize) -> String {
        const WORDS: [&str; 24] = [
            "server", "timeout", "retries", "enabled", "true", "false", "upstream", "cache", "replica",
            "https://", "internal", "region", "bucket", "level", "info", "metrics", "port", "8080", "limit",
            "queue", "orders", "payment", "token", "zone",
        ];
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            text.push_str(WORDS[self.below(WORDS.len())]);
            match self.below(6) {
                0 => text.push_str(&format!("={}\n", self.next() % 10_000)),
                1 => text.push_str(": \""),
                2 => text.push('\n'),
                _ => text.push('_'),
            }
        }
        text
    }

    /// Base64 of random bytes: Secrets hardly compress.
    fn secret(&mut self, bytes: usize) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..bytes.div_ceil(3) * 4)
            .map(|_| char::from(ALPHABET[self.below(64)]))
            .collect()
    }
}

/// What must exist before the samples: namespaces and the custom resource's definition.
#[must_use]
pub fn prerequisites() -> Vec<Sample> {
    let mut samples: Vec<Sample> = (0..NAMESPACES)
        .map(|n| Sample {
            path: "/api/v1/namespaces".into(),
            manager: "helm",
            body: json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace(n), "labels": {"team": format!("team-{}", n % 7)}}}),
            second_owner: None,
        })
        .collect();
    // Without controllers nobody makes the account that admission wants for a Pod.
    samples.extend((0..NAMESPACES).map(|n| Sample {
        path: format!("/api/v1/namespaces/{}/serviceaccounts", namespace(n)),
        manager: "kube-controller-manager",
        body: json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace(n)}}),
        second_owner: None,
    }));
    samples.push(Sample {
        path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".into(),
        manager: "helm",
        body: json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "certificates.bench.example.com"},
            "spec": {
                "group": "bench.example.com", "scope": "Namespaced",
                "names": {"plural": "certificates", "singular": "certificate", "kind": "Certificate", "listKind": "CertificateList"},
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]
            }
        }),
        second_owner: None,
    });
    samples
}

fn namespace(number: usize) -> String {
    format!("bench-{number:02}")
}

/// `count` objects that a restore brings back; the same ones for the same count.
pub fn samples(count: usize) -> impl Iterator<Item = Sample> {
    let mut noise = Noise(0x11fe_b0a7);
    (0..count).map(move |number| sample(number, &mut noise))
}

/// `count` objects as a whole cluster holds them: of every ten, four are what people applied and six
/// are what controllers made of it, ReplicaSets of former revisions and Pods.
pub fn cluster(count: usize) -> impl Iterator<Item = Sample> {
    let mut noise = Noise(0x0b5e_55ed);
    (0..count).map(move |number| match number % 10 {
        0..=3 => sample(number / 10 * 4 + number % 10, &mut noise),
        part => child(number / 10, part, &mut noise),
    })
}

/// A ReplicaSet or Pod of a Deployment: three of each share one template.
fn child(family: usize, part: usize, noise: &mut Noise) -> Sample {
    let (namespace, name) = (namespace(family % NAMESPACES), format!("web-{family:06}"));
    let mut template = pod_template(&name, &mut Noise(0x5eed + family as u64));
    let hash = format!("{:09x}", noise.next() & 0xf_ffff_ffff);
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let owned = |kind: &str, owner: &str| {
        json!([{"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": true, "blockOwnerDeletion": true,
            "uid": format!("{:08x}-0000-4000-8000-{:012x}", family, part)}])
    };
    let labels = template["metadata"]["labels"].clone();
    template["spec"]["serviceAccountName"] = json!("default");
    if part < 7 {
        return Sample {
            path: format!("/apis/apps/v1/namespaces/{namespace}/replicasets"),
            manager: "kube-controller-manager",
            body: json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {"name": format!("{name}-{hash}"), "namespace": namespace, "labels": labels, "ownerReferences": owned("Deployment", &name),
                    "annotations": {"deployment.kubernetes.io/desired-replicas": "2", "deployment.kubernetes.io/max-replicas": "3", "deployment.kubernetes.io/revision": part.to_string()}},
                "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}}),
            second_owner: None,
        };
    }
    Sample {
        path: format!("/api/v1/namespaces/{namespace}/pods"),
        manager: "kube-controller-manager",
        body: json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{name}-{hash}-{:05x}", noise.next() & 0xf_ffff), "namespace": namespace, "labels": labels, "ownerReferences": owned("ReplicaSet", &format!("{name}-{hash}"))},
            "spec": template["spec"]}),
        second_owner: None,
    }
}

fn sample(number: usize, noise: &mut Noise) -> Sample {
    let namespace = namespace(number % NAMESPACES);
    let name = format!("app-{number:06}");
    let meta = json!({
        "name": name, "namespace": namespace,
        "labels": {"app.kubernetes.io/name": format!("app-{}", number % 300), "app.kubernetes.io/instance": name, "app.kubernetes.io/managed-by": "Helm", "team": format!("team-{}", number % 7)},
        "annotations": {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}
    });
    let core = |resource: &str| format!("/api/v1/namespaces/{namespace}/{resource}");
    let of = |path: String, body: Value| Sample {
        path,
        manager: "helm",
        body,
        second_owner: None,
    };
    match number % 20 {
        0..=5 => {
            let bytes = [300, 800, 1_500, 2_500, 4_000, 9_000][noise.below(6)];
            of(
                core("configmaps"),
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"application.properties": noise.prose(bytes)}}),
            )
        }
        6..=8 => {
            let bytes = [60, 400, 1_700][noise.below(3)];
            of(
                core("secrets"),
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": {"password": noise.secret(24), "tls.key": noise.secret(bytes)}}),
            )
        }
        9..=11 => of(
            format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 2, "selector": {"matchLabels": {"app.kubernetes.io/instance": name}}, "template": pod_template(&name, noise)}}),
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
                json!({"apiVersion": "bench.example.com/v1", "kind": "Certificate", "metadata": meta, "spec": {"secretName": name, "dnsNames": [format!("{name}.shop.example.com")], "issuerRef": {"kind": "ClusterIssuer", "name": "letsencrypt"}, "notes": noise.prose(500), "serial": 9_007_199_254_740_993_i64}}),
            );
            // Every second custom resource has been touched by its operator: two field owners.
            if number.is_multiple_of(2) {
                sample.second_owner = Some(
                    json!({"metadata": {"annotations": {"bench.example.com/issued-at": format!("2026-01-{:02}", 1 + number % 28)}, "finalizers": ["bench.example.com/revoke"]}}),
                );
            }
            sample
        }
    }
}

fn pod_template(name: &str, noise: &mut Noise) -> Value {
    let environment: Vec<Value> = (0..6 + noise.below(10))
        .map(|n| json!({"name": format!("SETTING_{n}"), "value": noise.prose(20)}))
        .collect();
    json!({
        "metadata": {"labels": {"app.kubernetes.io/instance": name}, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {
            "serviceAccountName": name,
            "containers": [{
                "name": "app", "image": format!("111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/{name}:1.{}.0", noise.below(90)),
                "ports": [{"containerPort": 8080, "name": "http"}], "env": environment,
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 10},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}]
            }],
            "volumes": [{"name": "config", "configMap": {"name": name}}]
        }
    })
}
