//! Fixtures for tests: a source cluster from objects, a target, and the plan between them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lifeboat_model::ResourceType;
use serde_json::Value;

use crate::{
    Bodies, Locator, NotRestored, Plan, PlanBuilder, PlanError, PlannedObject, RestoreOptions, RuleId,
    ServedType, SourceType, TargetFacts, VersionServed, body,
};

/// The types of the source: group, version, plural, kind, namespaced.
const TYPES: &[(&str, &str, &str, &str, bool)] = &[
    ("", "v1", "namespaces", "Namespace", false),
    ("", "v1", "nodes", "Node", false),
    ("", "v1", "events", "Event", true),
    ("", "v1", "pods", "Pod", true),
    ("", "v1", "services", "Service", true),
    ("", "v1", "endpoints", "Endpoints", true),
    ("", "v1", "configmaps", "ConfigMap", true),
    ("", "v1", "secrets", "Secret", true),
    ("", "v1", "serviceaccounts", "ServiceAccount", true),
    ("", "v1", "persistentvolumes", "PersistentVolume", false),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true),
    ("", "v1", "resourcequotas", "ResourceQuota", true),
    ("apps", "v1", "deployments", "Deployment", true),
    ("apps", "v1", "replicasets", "ReplicaSet", true),
    ("apps", "v1", "statefulsets", "StatefulSet", true),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", true),
    ("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", false),
    (
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        false,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "validatingadmissionpolicies",
        "ValidatingAdmissionPolicy",
        false,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "mutatingadmissionpolicies",
        "MutatingAdmissionPolicy",
        false,
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "mutatingadmissionpolicybindings",
        "MutatingAdmissionPolicyBinding",
        false,
    ),
    ("batch", "v1", "jobs", "Job", true),
    ("batch", "v1", "cronjobs", "CronJob", true),
    ("coordination.k8s.io", "v1", "leases", "Lease", true),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", true),
    ("networking.k8s.io", "v1", "ipaddresses", "IPAddress", false),
    ("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", false),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterroles",
        "ClusterRole",
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "rolebindings",
        "RoleBinding",
        true,
    ),
    (
        "scheduling.k8s.io",
        "v1",
        "priorityclasses",
        "PriorityClass",
        false,
    ),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", false),
    ("storage.k8s.io", "v1", "csinodes", "CSINode", false),
    (
        "storage.k8s.io",
        "v1",
        "volumeattachments",
        "VolumeAttachment",
        false,
    ),
    (
        "storage.k8s.io",
        "v1",
        "csistoragecapacities",
        "CSIStorageCapacity",
        true,
    ),
    (
        "certificates.k8s.io",
        "v1",
        "certificatesigningrequests",
        "CertificateSigningRequest",
        false,
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "v1",
        "flowschemas",
        "FlowSchema",
        false,
    ),
    ("apiregistration.k8s.io", "v1", "apiservices", "APIService", false),
    (
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        false,
    ),
    (
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        false,
    ),
    ("shop.example.com", "v1", "orders", "Order", true),
    (
        "snapshot.storage.k8s.io",
        "v1",
        "volumesnapshots",
        "VolumeSnapshot",
        true,
    ),
    (
        "snapshot.storage.k8s.io",
        "v1",
        "volumesnapshotcontents",
        "VolumeSnapshotContent",
        false,
    ),
    (
        "elbv2.k8s.aws",
        "v1beta1",
        "targetgroupbindings",
        "TargetGroupBinding",
        true,
    ),
    (
        "crd.k8s.amazonaws.com",
        "v1alpha1",
        "eniconfigs",
        "ENIConfig",
        false,
    ),
];

pub(crate) fn types() -> Vec<SourceType> {
    TYPES
        .iter()
        .map(|(group, version, resource, kind, namespaced)| SourceType {
            resource: ResourceType {
                group: (*group).to_owned(),
                version: (*version).to_owned(),
                resource: (*resource).to_owned(),
                kind: (*kind).to_owned(),
                namespaced: *namespaced,
            },
            singular: kind.to_ascii_lowercase(),
            short_names: Vec::new(),
            verbs: ["create", "get", "list"].map(str::to_owned).to_vec(),
            served_versions: vec![(*version).to_owned()],
            custom: group.contains("example.com") || group.contains("aws"),
        })
        .collect()
}

pub(crate) fn type_of(object: &Value) -> SourceType {
    let api_version = object["apiVersion"].as_str().unwrap();
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let kind = object["kind"].as_str().unwrap();
    types()
        .into_iter()
        .find(|t| t.resource.group == group && t.resource.kind == kind)
        .unwrap_or_else(|| custom_type(api_version, kind, object))
}

/// Returns the type of a custom resource that [`TYPES`] does not have.
fn custom_type(api_version: &str, kind: &str, object: &Value) -> SourceType {
    let (group, version) = api_version.split_once('/').unwrap();
    let singular = kind.to_ascii_lowercase();
    let plural = match singular.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if singular.ends_with("ss") => format!("{singular}es"),
        None if singular.ends_with('s') => singular.clone(),
        None => format!("{singular}s"),
    };
    SourceType {
        resource: ResourceType {
            group: group.to_owned(),
            version: version.to_owned(),
            resource: plural,
            kind: kind.to_owned(),
            namespaced: object.pointer("/metadata/namespace").is_some(),
        },
        singular,
        short_names: Vec::new(),
        verbs: ["create", "get", "list"].map(str::to_owned).to_vec(),
        served_versions: vec![version.to_owned()],
        custom: true,
    }
}

/// Returns every type of the source: those of [`TYPES`] and those of the objects.
fn types_with(objects: &[Value]) -> Vec<SourceType> {
    let mut types = types();
    for object in objects {
        let r#type = type_of(object);
        if !types.iter().any(|known| known.resource == r#type.resource) {
            types.push(r#type);
        }
    }
    types
}

/// Returns the facts of an empty target that serves the built-in types of the source.
pub(crate) fn facts() -> TargetFacts {
    TargetFacts {
        server_version: "v1.36.3".to_owned(),
        types: types().into_iter().filter(|t| !t.custom).map(served).collect(),
        service_ranges: vec!["10.96.0.0/16".to_owned()],
        ..TargetFacts::default()
    }
}

/// Returns the facts of an empty target that serves every type of the source.
pub(crate) fn facts_with_custom_types() -> TargetFacts {
    TargetFacts {
        types: types().into_iter().map(served).collect(),
        ..facts()
    }
}

fn served(r#type: SourceType) -> ServedType {
    let resource = r#type.resource;
    ServedType {
        group: resource.group,
        resource: resource.resource,
        versions: vec![VersionServed {
            version: resource.version,
            kind: resource.kind,
            namespaced: resource.namespaced,
            verbs: vec!["create".to_owned()],
        }],
    }
}

pub(crate) fn options(value: Value) -> RestoreOptions {
    serde_json::from_value(value).unwrap()
}

pub(crate) struct Fixture {
    pub(crate) objects: Vec<Value>,
    pub(crate) options: RestoreOptions,
    pub(crate) facts: TargetFacts,
}

/// Returns the redactor of all tests.
pub(crate) fn redactor() -> crate::Redactor {
    crate::Redactor::new(&[7; 32])
}

impl Fixture {
    /// Creates a fixture with objects, and a Namespace for each namespace that they are in.
    pub(crate) fn new(objects: impl Into<Vec<Value>>) -> Self {
        let mut objects: Vec<Value> = objects.into();
        let namespaces: std::collections::BTreeSet<String> = objects
            .iter()
            .filter_map(|o| o["metadata"]["namespace"].as_str().map(str::to_owned))
            .collect();
        let has = |name: &String| {
            objects
                .iter()
                .any(|o| o["kind"] == "Namespace" && o["metadata"]["name"] == **name)
        };
        let missing: Vec<String> = namespaces.into_iter().filter(|name| !has(name)).collect();
        objects.extend(missing.into_iter().map(|name| {
            serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata":
                {"name": name, "uid": format!("uid-ns-{name}"), "labels": {"kubernetes.io/metadata.name": name}},
                "status": {"phase": "Active"}})
        }));
        Self {
            objects,
            options: RestoreOptions::default(),
            facts: facts(),
        }
    }

    pub(crate) fn with(mut self, options: Value) -> Self {
        self.options = self::options(options);
        self
    }

    /// Lets the target serve every type of the source.
    pub(crate) fn serving_all(mut self) -> Self {
        self.facts.types = types_with(&self.objects).into_iter().map(served).collect();
        self
    }

    pub(crate) fn draft(&self) -> PlanBuilder {
        let mut draft = PlanBuilder::new(
            self.options.clone(),
            &types_with(&self.objects),
            "20261121T112233Z-7f3a9c",
            "shop",
            redactor(),
        );
        let mut objects: Vec<(u32, &Value)> = (0..).zip(&self.objects).collect();
        objects.sort_by_key(|(_, object)| !PlanBuilder::comes_first(&type_of(object).resource.name()));
        for (position, object) in objects {
            let raw = serde_json::to_vec(object).unwrap();
            draft
                .add(&type_of(object), Locator { frame: 0, position }, &raw)
                .unwrap();
        }
        draft
    }

    pub(crate) fn try_plan(&self) -> Result<Plan, PlanError> {
        self.draft().plan(&self.facts)
    }

    pub(crate) fn plan(&self) -> Plan {
        let plan = self.try_plan().unwrap_or_else(|e| panic!("{:#?}", e.problems));
        let bugs: Vec<_> = plan
            .lint()
            .into_iter()
            .filter(|f| f.code == lifeboat_model::Code::Bug)
            .collect();
        assert!(bugs.is_empty(), "{bugs:#?}");
        plan
    }

    /// Returns the bodies of the planned object with this target name. The UIDs of owners are prefixed with `new-`.
    pub(crate) fn bodies(&self, plan: &Plan, target: &str) -> Bodies {
        let object = find(plan, target);
        let raw =
            serde_json::to_vec(&self.objects[usize::try_from(object.locator.position).unwrap()]).unwrap();
        body(plan, object, &raw, &|uid| {
            Some(format!("new-{uid}").as_str().into())
        })
        .unwrap()
    }
}

pub(crate) fn find<'a>(plan: &'a Plan, target: &str) -> &'a PlannedObject {
    plan.objects
        .iter()
        .find(|object| object.target.to_string() == target)
        .unwrap_or_else(|| panic!("{target} is not planned; not restored: {:#?}", plan.not_restored))
}

pub(crate) fn left_out<'a>(plan: &'a Plan, source: &str) -> &'a NotRestored {
    plan.not_restored
        .iter()
        .find(|entry| entry.object.to_string() == source)
        .unwrap_or_else(|| panic!("{source} is not left out"))
}

/// Returns the rules that changed an object, each once.
pub(crate) fn rules(object: &PlannedObject) -> Vec<RuleId> {
    let rules: std::collections::BTreeSet<RuleId> = object.changes.iter().map(|change| change.rule).collect();
    rules.into_iter().collect()
}

/// Returns an object in the namespace `shop` whose UID follows from its name, with these fields.
pub(crate) fn named(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let mut object = serde_json::json!({"apiVersion": api_version, "kind": kind, "metadata":
        {"name": name, "namespace": "shop", "uid": format!("uid-{name}")}});
    merge(&mut object, rest);
    object
}

/// Merges fields into an object, map by map.
pub(crate) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
