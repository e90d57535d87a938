//! The summary that the builder keeps of an object: enough to plan it, and small, because there may be 300,000
//! objects.

use std::sync::Arc;

use lifeboat_model::ResourceType;
use lifeboat_translate::pointer;
use serde_json::Value;

use super::needs::Needed;
use crate::planned::{Ownership, PlannedChange, StatusPlan};
use crate::prepare::{Bound, SnapshotContent};
use crate::{Locator, RuleId};

/// An object that may be planned.
#[derive(Debug)]
pub(crate) struct ObjectSummary {
    pub(crate) r#type: u32,
    pub(crate) locator: Locator,
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) name: Box<str>,
    pub(crate) uid: Box<str>,
    pub(crate) digest: [u8; 32],
    pub(crate) ownership: Ownership,
    /// The entries of `managedFields`, if one of them has another version than the object; otherwise empty.
    pub(crate) entries: Box<[Entry]>,
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
    pub(crate) leftovers: Box<[String]>,
}

/// An object that is not restored.
#[derive(Debug)]
pub(crate) struct Skipped {
    pub(crate) r#type: u32,
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) name: Box<str>,
    pub(crate) uid: Box<str>,
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
    pub(crate) uid: Box<str>,
    pub(crate) controller: Option<bool>,
    pub(crate) block_owner_deletion: Option<bool>,
}

impl OwnerReference {
    pub(crate) fn read(reference: &Value) -> Option<Self> {
        let text = |name: &str| reference.get(name).and_then(Value::as_str).map(Into::into);
        let flag = |name: &str| reference.get(name).and_then(Value::as_bool);
        Some(Self {
            api_version: text("apiVersion")?,
            kind: text("kind")?,
            name: text("name")?,
            uid: text("uid")?,
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
    /// A default role or binding, which the API server of the target makes too.
    DefaultRbac(DefaultRbac),
    /// A default object of the API server that no API server resets any more, because its administrator said so.
    TakenOver,
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
}

impl Extra {
    pub(crate) fn of(r#type: &ResourceType, body: &Value, status: Option<&Value>) -> Option<Self> {
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
            _ => None,
        }
    }
}

/// Returns the webhooks of a configuration.
pub(crate) fn webhooks(configuration: &Value) -> Vec<Webhook> {
    pointer::list(configuration, "/webhooks")
        .map(|webhook| {
            let text = |path| pointer::text(webhook, path).map(str::to_owned);
            Webhook {
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
