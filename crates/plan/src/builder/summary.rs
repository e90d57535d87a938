//! The summary that the builder keeps of an object: enough to plan it, and small, because there may be 300,000
//! objects.

use std::sync::Arc;

use lifeboat_model::{ResourceType, Uid};
use lifeboat_translate::identity::Leftover;
use lifeboat_translate::pointer;
use serde_json::Value;

use super::needs::Needed;
use crate::eks::auth::UserEntries;
use crate::planned::{Ownership, PlannedChange, StatusPlan};
use crate::prepare::{Bound, SnapshotContent, Translated};
use crate::{Locator, RuleId};

/// An object that may be planned.
#[derive(Debug)]
pub(crate) struct ObjectSummary {
    pub(crate) r#type: u32,
    pub(crate) locator: Locator,
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) name: Arc<str>,
    pub(crate) uid: Uid,
    pub(crate) digest: [u8; 32],
    pub(crate) ownership: Ownership,
    /// Whether the creator of the object owns fields of it.
    pub(crate) has_fields: bool,
    pub(crate) drops_status_owner: bool,
    /// `None` if there was no status.
    pub(crate) status: Option<StatusPlan>,
    /// Whether the object is a finished Job.
    pub(crate) finished: bool,
    pub(crate) owners: Box<[OwnerReference]>,
    pub(crate) needs: Box<[Needed]>,
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) changes: Box<[PlannedChange]>,
    /// Facts that only few objects have.
    pub(crate) rare: Option<Box<RareFacts>>,
}

impl ObjectSummary {
    /// Returns the entries of `managedFields`, if one of them has another version than the object.
    pub(crate) fn entries(&self) -> &[Entry] {
        self.rare.as_ref().map_or(&[], |rare| &rare.entries)
    }

    /// Returns the fields that mention a renamed namespace.
    pub(crate) fn mentions(&self) -> &[String] {
        self.rare.as_ref().map_or(&[], |rare| &rare.mentions)
    }

    /// Returns what still names the primary outside the status.
    pub(crate) fn leftovers(&self) -> &[Leftover] {
        self.rare.as_ref().map_or(&[], |rare| &rare.leftovers)
    }

    /// Returns the rules of its definition that the object breaks, by their index in the schemas of the builder.
    pub(crate) fn broken(&self) -> &[u32] {
        self.rare.as_ref().map_or(&[], |rare| &rare.broken)
    }

    /// Returns what the object is to EKS, if EKS manages it in each cluster.
    pub(crate) fn of_eks(&self) -> Option<&OfEks> {
        self.rare.as_ref()?.of_eks.as_ref()
    }

    /// Returns the translation of the status, which counts only if it is restored.
    pub(crate) fn of_status(&self) -> Option<&Translated> {
        self.rare.as_ref().map(|rare| &rare.of_status)
    }
}

/// Facts that only few objects have; see the methods of [`ObjectSummary`].
#[derive(Debug, PartialEq)]
pub(crate) struct RareFacts {
    pub(crate) entries: Box<[Entry]>,
    pub(crate) mentions: Vec<String>,
    pub(crate) leftovers: Vec<Leftover>,
    pub(crate) of_status: Translated,
    pub(crate) broken: Box<[u32]>,
    pub(crate) of_eks: Option<OfEks>,
}

/// An object that EKS manages in each cluster, and that a target of EKS may lack.
#[derive(Debug, PartialEq)]
pub(crate) enum OfEks {
    /// An object of a self-managed add-on.
    Addon {
        /// Who changed it, for the user.
        detail: Option<Box<str>>,
    },
    /// `aws-auth`.
    AwsAuth {
        /// The entries of users, as they are in the recovery environment.
        entries: UserEntries,
        /// The manager that wrote them.
        manager: Option<String>,
    },
}

impl RareFacts {
    /// Returns the facts, if there are any.
    pub(crate) fn boxed(self) -> Option<Box<Self>> {
        let is_empty = self.entries.is_empty()
            && self.mentions.is_empty()
            && self.leftovers.is_empty()
            && self.broken.is_empty()
            && self.of_eks.is_none()
            && self.of_status == Translated::default();
        (!is_empty).then(|| Box::new(self))
    }
}

/// An object that is not restored.
#[derive(Debug)]
pub(crate) struct Skipped {
    pub(crate) r#type: u32,
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) name: Arc<str>,
    pub(crate) uid: Uid,
    pub(crate) rule: RuleId,
    pub(crate) detail: Option<Box<str>>,
}

/// An entry of `managedFields` without its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) manager: Box<str>,
    pub(crate) operation: Box<str>,
    pub(crate) api_version: Box<str>,
}

impl Entry {
    /// Returns the entries, if one of them has another version than `api_version`.
    pub(crate) fn of_other_versions(entries: &[Value], api_version: &str) -> Box<[Self]> {
        let version = |entry: &Value| pointer::text(entry, "/apiVersion").map(str::to_owned);
        let differs = |entry: &Value| version(entry).is_some_and(|version| version != api_version);
        if !entries.iter().any(differs) {
            return Box::default();
        }
        let text = |entry: &Value, path| pointer::text(entry, path).unwrap_or_default().into();
        entries
            .iter()
            .map(|entry| Self {
                manager: text(entry, "/manager"),
                operation: text(entry, "/operation"),
                api_version: text(entry, "/apiVersion"),
            })
            .collect()
    }
}

/// A captured owner reference.
#[derive(Debug, Clone)]
pub(crate) struct OwnerReference {
    pub(crate) api_version: Box<str>,
    pub(crate) kind: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) uid: Uid,
    pub(crate) controller: Option<bool>,
    pub(crate) block_owner_deletion: Option<bool>,
}

impl OwnerReference {
    pub(crate) fn read(reference: &Value) -> Option<Self> {
        let text = |name: &str| reference.get(name).and_then(Value::as_str);
        let flag = |name: &str| reference.get(name).and_then(Value::as_bool);
        Some(Self {
            api_version: text("apiVersion")?.into(),
            kind: text("kind")?.into(),
            name: text("name")?.into(),
            uid: text("uid")?.into(),
            controller: flag("controller"),
            block_owner_deletion: flag("blockOwnerDeletion"),
        })
    }

    pub(crate) fn group(&self) -> &str {
        self.api_version.rsplit_once('/').map_or("", |(group, _)| group)
    }
}

/// Facts that only some types need.
#[derive(Debug)]
pub(crate) enum Extra {
    /// A Service.
    Service(Addresses),
    /// The `secrets` of a ServiceAccount.
    AccountSecrets(Vec<Value>),
    /// A webhook configuration, for the lint.
    Webhooks(Vec<Webhook>),
    /// A PersistentVolume that is or was bound to a claim.
    Bound(Bound),
    /// A VolumeSnapshotContent, for the lint.
    SnapshotContent(SnapshotContent),
    /// The ranges of a ServiceCIDR.
    ServiceRanges(Vec<String>),
    /// An EndpointSlice of the EndpointSlice controller, with the name of its Service.
    Slice(Arc<str>),
    /// The class and the node selector of a Pod with a RuntimeClass.
    Runtime(Runtime),
    /// The labels of the Pods of a workload.
    PodLabels(super::Selector),
    /// A MutatingAdmissionPolicy, with whether it applies to Pods.
    MutatingPolicy(bool),
    /// A ValidatingAdmissionPolicy, with whether it applies to Pods.
    ValidatingPolicy(bool),
    /// A MutatingAdmissionPolicyBinding, with its policy.
    PolicyBinding(Box<str>),
    /// JSON pointers of the labels by which a Namespace enforces a Pod Security Standard.
    PodSecurity(Vec<String>),
    /// A class that objects without a class get.
    DefaultClass {
        /// The JSON pointers that make it the default.
        paths: Vec<String>,
        /// When it was created.
        created: Box<str>,
    },
    /// An Ingress.
    Ingress {
        /// The paths of hosts that it claims.
        claims: Vec<String>,
        /// When it was created.
        created: Box<str>,
    },
    /// A default role or binding, which the API server of the target makes too.
    DefaultRbac(DefaultRbac),
    /// A default object of the API server that no API server resets any more, because its administrator said so.
    TakenOver,
}

/// The class and the node selector of a Pod.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    pub(crate) class: String,
    pub(crate) node_selector: super::Selector,
}

/// What a captured default role or binding may add to that of the target.
#[derive(Debug)]
pub(crate) struct DefaultRbac {
    /// The object with the fields that the API server extends and does not reset.
    pub(crate) body: Value,
    /// The manager that owned fields of it, if possible not the API server.
    pub(crate) manager: Option<String>,
}

impl DefaultRbac {
    pub(crate) fn read(body: &Value, entries: &[Value]) -> Self {
        let mut kept = Value::Object(serde_json::Map::new());
        for path in [
            "/rules",
            "/subjects",
            "/aggregationRule",
            "/metadata/labels",
            "/metadata/annotations",
        ] {
            if let Some(value) = body.pointer(path) {
                pointer::set(&mut kept, path, value.clone());
            }
        }
        let managers = || {
            entries
                .iter()
                .filter_map(|entry| pointer::text(entry, "/manager"))
        };
        let other = managers().find(|manager| *manager != "kube-apiserver");
        Self {
            body: kept,
            manager: other.or_else(|| managers().next()).map(str::to_owned),
        }
    }
}

/// The addresses and ports that a Service uses from the ranges of the cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    pub(crate) cluster_ips: Vec<String>,
    pub(crate) families: Vec<String>,
    pub(crate) policy: String,
    /// The JSON pointer and the number of each node port.
    pub(crate) node_ports: Vec<(String, u16)>,
    pub(crate) is_dns: bool,
    pub(crate) load_balancer: bool,
}

/// A webhook of a planned configuration.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) name: String,
    pub(crate) fails_closed: bool,
    pub(crate) backend: Option<(String, String)>,
    /// Whether it applies to the creation of Pods.
    pub(crate) of_pods: bool,
    /// Whether it applies to anything else.
    pub(crate) of_others: bool,
}

impl Extra {
    /// `created` is the creation time of the captured object.
    pub(crate) fn of(
        r#type: &ResourceType,
        body: &Value,
        status: Option<&Value>,
        created: &str,
    ) -> Option<Self> {
        match (r#type.group.as_str(), r#type.resource.as_str()) {
            ("", "services") => Some(Self::Service(Addresses::read(body))),
            ("networking.k8s.io", "servicecidrs") => {
                let ranges = pointer::list(body, "/spec/cidrs").filter_map(Value::as_str);
                Some(Self::ServiceRanges(ranges.map(str::to_owned).collect()))
            }
            ("snapshot.storage.k8s.io", "volumesnapshotcontents") => {
                Some(Self::SnapshotContent(SnapshotContent::read(body)))
            }
            ("", "persistentvolumes") => Bound::read(body, status).map(Self::Bound),
            ("", "serviceaccounts") => {
                let secrets: Vec<Value> = pointer::list(body, "/secrets").cloned().collect();
                (!secrets.is_empty()).then_some(Self::AccountSecrets(secrets))
            }
            (
                "admissionregistration.k8s.io",
                "validatingwebhookconfigurations" | "mutatingwebhookconfigurations",
            ) => Some(Self::Webhooks(webhooks(body))),
            ("admissionregistration.k8s.io", "mutatingadmissionpolicies") => Some(Self::MutatingPolicy(
                applies_to_pods(body, "/spec/matchConstraints/resourceRules").0,
            )),
            ("admissionregistration.k8s.io", "validatingadmissionpolicies") => Some(Self::ValidatingPolicy(
                applies_to_pods(body, "/spec/matchConstraints/resourceRules").0,
            )),
            ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings") => {
                pointer::text(body, "/spec/policyName").map(|policy| Self::PolicyBinding(policy.into()))
            }
            ("discovery.k8s.io", "endpointslices") => {
                let label = |key| pointer::text(body, &pointer::of(&["metadata", "labels", key]));
                let by = label("endpointslice.kubernetes.io/managed-by");
                (by == Some("endpointslice-controller.k8s.io"))
                    .then(|| Self::Slice(label("kubernetes.io/service-name").unwrap_or_default().into()))
            }
            ("", "pods") => {
                let class = pointer::text(body, "/spec/runtimeClassName")?;
                let selector = body.pointer("/spec/nodeSelector").and_then(Value::as_object);
                Some(Self::Runtime(Runtime {
                    class: class.to_owned(),
                    node_selector: selector.map(texts).unwrap_or_default(),
                }))
            }
            ("apps", "deployments" | "statefulsets" | "daemonsets" | "replicasets")
            | ("", "replicationcontrollers") => {
                let labels = body.pointer("/spec/template/metadata/labels")?.as_object()?;
                Some(Self::PodLabels(texts(labels)))
            }
            ("", "namespaces") => {
                const PREFIX: &str = "pod-security.kubernetes.io/enforce";
                let labels = body.pointer("/metadata/labels")?.as_object()?;
                let refuses = labels.get(PREFIX).is_some_and(|level| level != "privileged");
                let paths = labels.keys().filter(|key| key.starts_with(PREFIX));
                let paths: Vec<String> = paths
                    .map(|key| pointer::of(&["metadata", "labels", key]))
                    .collect();
                refuses.then_some(Self::PodSecurity(paths))
            }
            ("scheduling.k8s.io", "priorityclasses") => {
                (body.pointer("/globalDefault") == Some(&Value::Bool(true))).then(|| Self::DefaultClass {
                    paths: vec!["/globalDefault".to_owned()],
                    created: created.into(),
                })
            }
            ("storage.k8s.io", "storageclasses") => default_class(
                body,
                created,
                &[
                    "storageclass.kubernetes.io/is-default-class",
                    "storageclass.beta.kubernetes.io/is-default-class",
                ],
            ),
            ("networking.k8s.io", "ingressclasses") => {
                default_class(body, created, &["ingressclass.kubernetes.io/is-default-class"])
            }
            ("networking.k8s.io", "ingresses") => Some(Self::Ingress {
                claims: claims(body),
                created: created.into(),
            }),
            _ => None,
        }
    }
}

/// Returns the paths of hosts that an Ingress claims from the controller of its class.
fn claims(ingress: &Value) -> Vec<String> {
    let text = |value: &Value, path: &str| pointer::text(value, path).unwrap_or_default().to_owned();
    let class = text(ingress, "/spec/ingressClassName")
        + &text(ingress, "/metadata/annotations/kubernetes.io~1ingress.class");
    let mut found: Vec<String> = pointer::list(ingress, "/spec/rules")
        .flat_map(|rule| {
            let host = text(rule, "/host");
            let class = class.clone();
            pointer::list(rule, "/http/paths").map(move |path| {
                let path = pointer::text(path, "/path").unwrap_or("/");
                format!("{class} {host} {path}")
            })
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

fn default_class(body: &Value, created: &str, annotations: &[&str]) -> Option<Extra> {
    let paths = annotations
        .iter()
        .map(|key| pointer::of(&["metadata", "annotations", key]));
    let set: Vec<String> = paths
        .filter(|path| pointer::text(body, path) == Some("true"))
        .collect();
    (!set.is_empty()).then(|| Extra::DefaultClass {
        paths: set,
        created: created.into(),
    })
}

/// Returns the texts of a map, such as labels.
pub(crate) fn texts(map: &serde_json::Map<String, Value>) -> super::Selector {
    map.iter()
        .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())))
        .collect()
}

/// Returns whether rules of admission apply to the creation of Pods, and whether they apply to anything else.
fn applies_to_pods(object: &Value, rules: &str) -> (bool, bool) {
    let (mut pods, mut others) = (false, false);
    for rule in pointer::list(object, rules) {
        let texts =
            |path: &str| -> Vec<&str> { pointer::list(rule, path).filter_map(Value::as_str).collect() };
        let (groups, resources, operations) =
            (texts("/apiGroups"), texts("/resources"), texts("/operations"));
        let creates = operations
            .iter()
            .any(|operation| matches!(*operation, "*" | "CREATE"));
        let is_core = groups.iter().any(|group| matches!(*group, "" | "*"));
        let is_pods = |resource: &&str| matches!(*resource, "*" | "*/*" | "pods" | "pods/*");
        pods |= creates && is_core && resources.iter().any(is_pods);
        others |= groups.iter().any(|group| !group.is_empty())
            || resources
                .iter()
                .any(|resource| !matches!(*resource, "pods" | "pods/*"));
    }
    (pods, others)
}

/// Returns the webhooks of a configuration.
pub(crate) fn webhooks(configuration: &Value) -> Vec<Webhook> {
    pointer::list(configuration, "/webhooks")
        .map(|webhook| {
            let text = |path| pointer::text(webhook, path).map(str::to_owned);
            let (of_pods, of_others) = applies_to_pods(webhook, "/rules");
            Webhook {
                of_pods,
                of_others,
                name: text("/name").unwrap_or_default(),
                fails_closed: pointer::text(webhook, "/failurePolicy") != Some("Ignore"),
                backend: text("/clientConfig/service/namespace").zip(text("/clientConfig/service/name")),
            }
        })
        .collect()
}

impl Addresses {
    fn read(body: &Value) -> Self {
        let texts = |path: &str| -> Vec<String> {
            pointer::list(body, path)
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect()
        };
        let port = |value: &Value| {
            value
                .as_u64()
                .and_then(|p| u16::try_from(p).ok())
                .filter(|p| *p != 0)
        };
        let mut node_ports: Vec<(String, u16)> = pointer::list(body, "/spec/ports")
            .enumerate()
            .filter_map(|(index, p)| {
                Some((format!("/spec/ports/{index}/nodePort"), port(p.get("nodePort")?)?))
            })
            .collect();
        if let Some(health) = body.pointer("/spec/healthCheckNodePort").and_then(port) {
            node_ports.push(("/spec/healthCheckNodePort".to_owned(), health));
        }
        let mut cluster_ips = texts("/spec/clusterIPs");
        if cluster_ips.is_empty() {
            cluster_ips.extend(pointer::text(body, "/spec/clusterIP").map(str::to_owned));
        }
        cluster_ips.retain(|ip| !ip.is_empty() && ip != "None");
        let word = |path| pointer::text(body, path).unwrap_or_default();
        Self {
            cluster_ips,
            families: texts("/spec/ipFamilies"),
            policy: word("/spec/ipFamilyPolicy").to_owned(),
            node_ports,
            is_dns: word("/metadata/namespace") == "kube-system"
                && (word("/metadata/name") == "kube-dns" || word("/metadata/labels/k8s-app") == "kube-dns"),
            load_balancer: word("/spec/type") == "LoadBalancer",
        }
    }
}
