//! Records one added object in a [`PlanBuilder`].

use std::sync::Arc;

use lifeboat_model::Uid;
use lifeboat_translate::pointer;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::summary::{DefaultRbac, Entry, Extra, ObjectSummary, OfEks, OwnerReference, RareFacts, Skipped};
use super::uids::UidReference;
use super::{PlanBuilder, needs};
use crate::planned::{Ownership, StatusPlan};
use crate::{Locator, RuleId, SourceType, eks, ownership, prepare, skip};

/// The fields that are needed of an object whose whole type is not restored.
#[derive(Deserialize)]
pub(super) struct MetadataOnly {
    metadata: SlimMetadata,
}

#[derive(Deserialize)]
struct SlimMetadata {
    name: String,
    namespace: Option<String>,
    uid: Option<String>,
    labels: Option<std::collections::BTreeMap<String, String>>,
    #[serde(rename = "deletionTimestamp")]
    deletion: Option<IgnoredAny>,
}

/// The depth to which serde_json parses (its recursion limit is 128, including the innermost value).
pub(super) const DEEPEST: usize = 127;

/// Returns the nesting depth of arrays and objects in a JSON text.
pub(super) fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Returns the type of an object that has no class, if admission would give it the default one.
fn classless(r#type: &lifeboat_model::ResourceType, body: &Value) -> Option<&'static str> {
    let lacks = |path: &str| pointer::text(body, path).is_none_or(str::is_empty);
    match (r#type.group.as_str(), r#type.resource.as_str()) {
        ("", "pods") => lacks("/spec/priorityClassName").then_some("pods"),
        // An empty class is a decision: the claim is for volumes without a class.
        ("", "persistentvolumeclaims") => body
            .pointer("/spec/storageClassName")
            .is_none_or(Value::is_null)
            .then_some("persistentvolumeclaims"),
        ("networking.k8s.io", "ingresses") => (lacks("/spec/ingressClassName")
            && lacks("/metadata/annotations/kubernetes.io~1ingress.class"))
        .then_some("ingresses"),
        _ => None,
    }
}

impl PlanBuilder {
    pub(super) fn record_slim(&mut self, r#type: &SourceType, index: u32, rule: RuleId, slim: MetadataOnly) {
        let SlimMetadata {
            name,
            namespace,
            uid,
            labels,
            deletion,
        } = slim.metadata;
        let taken = self.takes(
            r#type,
            namespace.as_deref(),
            &name,
            Some(&labels.unwrap_or_default()),
        );
        let namespace = self.intern(namespace.as_deref());
        if !taken {
            self.leave_out((index, namespace, name.into()), uid.as_deref().map(Uid::from));
            return;
        }
        let rule = if deletion.is_some() {
            RuleId::Terminating
        } else {
            rule
        };
        self.skipped.push(Skipped {
            r#type: index,
            namespace,
            name: name.into(),
            uid: uid.as_deref().map(Uid::from).unwrap_or_default(),
            rule,
            detail: None,
        });
    }

    fn leave_out(&mut self, known: super::Known, uid: Option<Uid>) {
        self.unselected.insert(known);
        self.unselected_uids.extend(uid);
    }

    pub(super) fn record(
        &mut self,
        r#type: &SourceType,
        index: u32,
        locator: Locator,
        name: &str,
        object: Value,
    ) {
        let namespace_text = pointer::text(&object, "/metadata/namespace").map(str::to_owned);
        let namespace = self.intern(namespace_text.as_deref());
        let created = pointer::text(&object, "/metadata/creationTimestamp")
            .unwrap_or_default()
            .to_owned();
        let uid: Uid = pointer::text(&object, "/metadata/uid").unwrap_or_default().into();
        let labels = prepare::labels(&object);
        let skip = skip::object(r#type, namespace.as_deref(), name, &labels, &object);
        self.learn(
            r#type,
            namespace.as_deref(),
            name,
            &object,
            skip.as_ref().map(|(rule, _)| *rule),
        );
        self.workloads
            .learn(r#type, namespace.clone(), name, locator, &object, &self.settings);
        if !self.takes(r#type, namespace.as_deref(), name, Some(&labels)) {
            self.leave_out((index, namespace, name.into()), Some(uid));
            return;
        }
        let is_default_rbac = matches!(skip, Some((RuleId::BootstrapRbac, _)));
        let taken_over = skip.is_none() && skip::is_default_of_server(r#type, &labels, &object);
        let of_eks = match &skip {
            Some((RuleId::EksManaged, detail)) => self.of_eks(name, &object, detail.as_deref()),
            _ => None,
        };
        // What a default role or binding adds to that of the target depends on the target, and so does what a cluster of
        // EKS lacks.
        if let Some((rule, detail)) = skip.filter(|_| !is_default_rbac && of_eks.is_none()) {
            let detail = detail.map(String::into_boxed_str);
            let name = name.into();
            self.skipped.push(Skipped {
                r#type: index,
                namespace,
                name,
                uid,
                rule,
                detail,
            });
            return;
        }
        let mut prepared = match prepare::prepare(&self.settings, r#type, object) {
            Ok(prepared) => prepared,
            Err(fault) => {
                self.note_patch_use(&[fault.patch]);
                let source = self.source_ref(index, namespace, name.into());
                self.patch_faults.push((source, fault));
                return;
            }
        };
        self.note_patch_use(&prepared.patches);
        if (&*r#type.resource.group, &*r#type.resource.resource)
            == (super::crds::GROUP, super::crds::RESOURCE)
        {
            // As it will be in the target.
            self.schemas.learn(&self.types, &prepared.body);
        }
        if matches!(of_eks, Some(OfEks::AwsAuth { .. })) {
            // Its entries are translated one by one, and most are not restored.
            prepared
                .changes
                .retain(|change| !change.path.starts_with("/data"));
            prepared.leftovers.clear();
        }
        let broken = self.broken_rules(r#type, index, &mut prepared);
        if prepared.ending.is_some_and(|ending| ending.expires) {
            let (rule, detail) = (RuleId::FinishedJobExpires, None);
            self.skipped.push(Skipped {
                r#type: index,
                namespace,
                name: name.into(),
                uid,
                rule,
                detail,
            });
            return;
        }
        self.classless.extend(classless(&r#type.resource, &prepared.body));
        let mentions = self.settings.namespaces.residual_references(&prepared.body, 5);
        let drops_status_owner =
            !prepared.wants_status && prepared.managed_fields.iter().any(ownership::is_of_status);
        let restores_status = prepared.restores_status();
        let api_version = r#type.resource.api_version();
        let entries = ownership::entries(prepared.managed_fields, restores_status);
        let mut body = prepared.body;
        let item = self.items.len();
        let uids = super::uids::find(&body).into_iter();
        self.uid_references.extend(uids.map(|(path, uid)| UidReference {
            item,
            path: path.into(),
            uid,
        }));
        let digest = self.settings.redactor.bytes(&body);
        let extra = if is_default_rbac {
            Some(Extra::DefaultRbac(DefaultRbac::read(&body, &entries)))
        } else if taken_over {
            Some(Extra::TakenOver)
        } else {
            Extra::of(&r#type.resource, &body, prepared.status.as_ref(), &created)
        };
        let needs = needs::of(&r#type.resource, &body);
        if !prepared.owners.is_empty() {
            // References can be owned as well.
            pointer::set(
                &mut body,
                "/metadata/ownerReferences",
                Value::from(prepared.owners.clone()),
            );
        }
        let ownership = ownership::decide(&entries, &body, restores_status && prepared.status.is_some());
        let ownership = self.share_manager(ownership);
        self.items.push(ObjectSummary {
            r#type: index,
            locator,
            namespace,
            name: name.into(),
            uid,
            digest,
            ownership,
            has_fields: ownership::has_fields(&body),
            drops_status_owner,
            status: match (
                &prepared.status,
                prepared.wants_status || prepared.ending.is_some(),
            ) {
                (None, _) => None,
                (Some(_), true) => Some(StatusPlan::Restore),
                (Some(_), false) => Some(StatusPlan::Drop),
            },
            finished: prepared.ending.is_some(),
            owners: prepared.owners.iter().filter_map(OwnerReference::read).collect(),
            needs,
            extra: extra.map(Box::new),
            changes: prepared.changes.into_boxed_slice(),
            rare: RareFacts {
                entries: Entry::of_other_versions(&entries, &api_version),
                mentions,
                leftovers: prepared.leftovers,
                of_status: prepared.of_status,
                broken,
                of_eks,
            }
            .boxed(),
        });
    }

    /// Returns what an object that EKS manages may add to a target that lacks it. Principals that are not let into the
    /// target are noted.
    fn of_eks(&mut self, name: &str, object: &Value, detail: Option<&str>) -> Option<OfEks> {
        if name != eks::AWS_AUTH {
            let detail = detail.map(Box::from);
            return eks::is_of_addon(name).then_some(OfEks::Addon { detail });
        }
        let (entries, left) = match &self.settings.accounts {
            Some(accounts) if !self.settings.identities.is_empty() => {
                eks::auth::split(object, &self.settings.identities, accounts)
            }
            _ => (Default::default(), eks::principals(object)),
        };
        self.principals.extend(left);
        (!entries.is_empty()).then(|| OfEks::AwsAuth {
            entries,
            manager: eks::writer(object).map(str::to_owned),
        })
    }

    /// Returns the rules of its definition that an object breaks when it is created. The status counts if it is a field
    /// as any other, or is restored.
    fn broken_rules(
        &mut self,
        r#type: &SourceType,
        index: u32,
        prepared: &mut prepare::Prepared,
    ) -> Box<[u32]> {
        if !self.schemas.knows(index) {
            return Box::default();
        }
        let definition = self.definition_of(&r#type.resource);
        let has_subresource = definition
            .and_then(|definition| definition.served.get(&r#type.resource.version))
            .is_some_and(|has_status| *has_status);
        let status = (!has_subresource || prepared.wants_status).then(|| prepared.status.take());
        if let Some(status) = status.flatten() {
            pointer::set(&mut prepared.body, "/status", status);
        }
        let broken = self.schemas.check(index, &prepared.body);
        let body = prepared.body.as_object_mut();
        prepared.status = body
            .and_then(|body| body.remove("status"))
            .or(prepared.status.take());
        broken
    }

    /// Makes objects of one field manager share its name.
    fn share_manager(&mut self, ownership: Ownership) -> Ownership {
        let mut share = |name: Arc<str>| lifeboat_model::shared(&mut self.managers, &name);
        match ownership {
            Ownership::Single { manager, operation } => Ownership::Single {
                manager: share(manager),
                operation,
            },
            Ownership::Several { first } => Ownership::Several { first: share(first) },
            Ownership::None => Ownership::None,
        }
    }

    fn note_patch_use(&mut self, patches: &[u32]) {
        for index in patches {
            if let Some(uses) = usize::try_from(*index)
                .ok()
                .and_then(|i| self.patch_uses.get_mut(i))
            {
                *uses += 1;
            }
        }
    }

    /// Records what the plans of other objects need from this one, selected or not.
    fn learn(
        &mut self,
        r#type: &SourceType,
        namespace: Option<&str>,
        name: &str,
        object: &Value,
        skip: Option<RuleId>,
    ) {
        match (r#type.resource.group.as_str(), r#type.resource.resource.as_str()) {
            (super::crds::GROUP, super::crds::RESOURCE) => {
                self.schemas.learn(&self.types, object);
                if let Some(facts) = super::crds::CrdFacts::read(name, object) {
                    self.crds
                        .insert((facts.group.clone(), facts.resource.clone()), facts);
                }
            }
            ("", "namespaces") => {
                let interned = self.intern(Some(name));
                self.existing_namespaces.extend(interned.clone());
                if let (Some(RuleId::Terminating), Some(namespace)) = (skip, interned) {
                    self.terminating.insert(namespace);
                }
            }
            ("", "services") => {
                if namespace == Some("default") && name == "kubernetes" {
                    self.first_addresses = pointer::list(object, "/spec/clusterIPs")
                        .filter_map(|ip| ip.as_str()?.parse().ok())
                        .collect();
                }
                let selector = object.pointer("/spec/selector").and_then(Value::as_object);
                if let (Some(selector), Some(namespace)) = (
                    selector.filter(|selector| !selector.is_empty()),
                    self.intern(namespace),
                ) {
                    let labels = super::summary::texts(selector);
                    self.selecting.insert((namespace, name.into()), labels);
                }
            }
            _ => {}
        }
    }
}
