//! The objects that an object needs, other than its namespace and the definition of its type.

use lifeboat_model::{ObjectRef, ResourceType};
use lifeboat_translate::{place, pointer};
use serde_json::Value;

use crate::planned::Dependency;

/// An object that a planned object needs, by its name in the target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Needed {
    pub(crate) r#type: &'static str,
    pub(crate) place: FieldPath,
    pub(crate) name: Box<str>,
    pub(crate) need: Dependency,
}

/// The scope of a needed object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FieldPath {
    Cluster,
    SameNamespace,
    Namespace(Box<str>),
}

impl Needed {
    pub(crate) fn object(&self, own_namespace: Option<&str>) -> ObjectRef {
        ObjectRef::new(
            self.r#type.into(),
            self.place.namespace(own_namespace),
            &self.name,
        )
    }
}

impl FieldPath {
    /// Returns the namespace of the needed object, given that of the object that needs it.
    pub(crate) fn namespace<'a>(&'a self, own_namespace: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::Cluster => None,
            Self::SameNamespace => own_namespace,
            Self::Namespace(namespace) => Some(&**namespace),
        }
    }
}

struct Collector(Vec<Needed>);

impl Collector {
    fn add(&mut self, r#type: &'static str, place: FieldPath, name: Option<&str>, need: Dependency) {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            self.0.push(Needed {
                r#type,
                place,
                name: name.into(),
                need,
            });
        }
    }
}

/// Returns the objects that a prepared body needs.
pub(crate) fn of(r#type: &ResourceType, body: &Value) -> Box<[Needed]> {
    let mut found = Collector(Vec::new());
    let text = |path: &str| pointer::text(body, path);
    if let Some(spec) =
        place::pod_spec_of(&r#type.group, &r#type.resource).and_then(|path| body.pointer(path))
    {
        of_pod(spec, &mut found);
    }
    match (r#type.group.as_str(), r#type.resource.as_str()) {
        ("", "persistentvolumeclaims") => {
            let volume = text("/spec/volumeName").filter(|name| !name.is_empty());
            found.add(
                "persistentvolumes",
                FieldPath::Cluster,
                volume,
                Dependency::Required,
            );
            if volume.is_none() {
                found.add(
                    "storageclasses.storage.k8s.io",
                    FieldPath::Cluster,
                    text("/spec/storageClassName"),
                    Dependency::Required,
                );
            }
        }
        ("apps", "statefulsets") => {
            for claim in pointer::list(body, "/spec/volumeClaimTemplates") {
                let class = pointer::text(claim, "/spec/storageClassName");
                found.add(
                    "storageclasses.storage.k8s.io",
                    FieldPath::Cluster,
                    class,
                    Dependency::Required,
                );
            }
        }
        ("networking.k8s.io", "ingresses") => found.add(
            "ingressclasses.networking.k8s.io",
            FieldPath::Cluster,
            text("/spec/ingressClassName"),
            Dependency::Required,
        ),
        ("gateway.networking.k8s.io", "gateways") => found.add(
            "gatewayclasses.gateway.networking.k8s.io",
            FieldPath::Cluster,
            text("/spec/gatewayClassName"),
            Dependency::Required,
        ),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            if text("/roleRef/kind") == Some("Role") {
                found.add(
                    "roles.rbac.authorization.k8s.io",
                    FieldPath::SameNamespace,
                    text("/roleRef/name"),
                    Dependency::Required,
                );
            } else {
                found.add(
                    "clusterroles.rbac.authorization.k8s.io",
                    FieldPath::Cluster,
                    text("/roleRef/name"),
                    Dependency::Required,
                );
            }
            for subject in pointer::list(body, "/subjects") {
                if let (Some("ServiceAccount"), Some(namespace)) = (
                    pointer::text(subject, "/kind"),
                    pointer::text(subject, "/namespace"),
                ) {
                    let place = FieldPath::Namespace(namespace.into());
                    found.add(
                        "serviceaccounts",
                        place,
                        pointer::text(subject, "/name"),
                        Dependency::Optional,
                    );
                }
            }
        }
        ("apiregistration.k8s.io", "apiservices") => {
            if let Some(namespace) = text("/spec/service/namespace") {
                let place = FieldPath::Namespace(namespace.into());
                found.add(
                    "services",
                    place,
                    text("/spec/service/name"),
                    Dependency::Required,
                );
            }
        }
        ("admissionregistration.k8s.io", _) => {
            for webhook in super::summary::webhooks(body) {
                if let Some((namespace, name)) = webhook.backend {
                    let place = FieldPath::Namespace(namespace.into());
                    found.add("services", place, Some(&name), Dependency::Required);
                }
            }
        }
        ("", "secrets") if text("/type") == Some("kubernetes.io/service-account-token") => found.add(
            "serviceaccounts",
            FieldPath::SameNamespace,
            text("/metadata/annotations/kubernetes.io~1service-account.name"),
            // The token controller deletes the Secret of an account that does not exist.
            Dependency::Exists,
        ),
        _ => {}
    }
    found.0.sort();
    found.0.dedup();
    found.0.into_boxed_slice()
}

fn of_pod(spec: &Value, found: &mut Collector) {
    use FieldPath::{Cluster, SameNamespace};
    let text = |path: &str| pointer::text(spec, path);
    // The API server's controllers create a `default` ServiceAccount in every namespace.
    let account = text("/serviceAccountName").filter(|name| *name != "default");
    found.add("serviceaccounts", SameNamespace, account, Dependency::Required);
    found.add(
        "priorityclasses.scheduling.k8s.io",
        Cluster,
        text("/priorityClassName"),
        Dependency::Required,
    );
    found.add(
        "runtimeclasses.node.k8s.io",
        Cluster,
        text("/runtimeClassName"),
        Dependency::Required,
    );
    let is_optional = |source: &Value| source.get("optional") == Some(&Value::Bool(true));
    for volume in pointer::list(spec, "/volumes") {
        let claim = pointer::text(volume, "/persistentVolumeClaim/claimName");
        found.add(
            "persistentvolumeclaims",
            SameNamespace,
            claim,
            Dependency::Required,
        );
        for (kind, path, name) in [
            ("configmaps", "/configMap", "/name"),
            ("secrets", "/secret", "/secretName"),
        ] {
            if let Some(source) = volume.pointer(path).filter(|source| !is_optional(source)) {
                found.add(
                    kind,
                    SameNamespace,
                    pointer::text(source, name),
                    Dependency::Optional,
                );
            }
        }
    }
    for secret in pointer::list(spec, "/imagePullSecrets") {
        found.add(
            "secrets",
            SameNamespace,
            pointer::text(secret, "/name"),
            Dependency::Optional,
        );
    }
    for container in pointer::list(spec, "/initContainers").chain(pointer::list(spec, "/containers")) {
        let from = pointer::list(container, "/envFrom").flat_map(|from| {
            [
                ("configmaps", from.get("configMapRef")),
                ("secrets", from.get("secretRef")),
            ]
        });
        let single = pointer::list(container, "/env").flat_map(|env| {
            [
                ("configmaps", env.pointer("/valueFrom/configMapKeyRef")),
                ("secrets", env.pointer("/valueFrom/secretKeyRef")),
            ]
        });
        for (kind, source) in from.chain(single) {
            if let Some(source) = source.filter(|source| !is_optional(source)) {
                found.add(
                    kind,
                    SameNamespace,
                    pointer::text(source, "/name"),
                    Dependency::Optional,
                );
            }
        }
    }
}
