//! Objects that came into being during the restore although nobody planned them.

use lifeboat_model::{ObjectRef, ResourceType};
use lifeboat_plan::{Draft, Locator, RestoreOptions, SourceType, TargetFacts};
use serde_json::Value;

use crate::restore::lease::{LEASE_NAME, LEASE_NAMESPACE};
use crate::restore::wire::text;

/// An object that nobody planned.
#[derive(Clone)]
pub(super) struct Unplanned {
    /// The object.
    pub(super) object: ObjectRef,
    /// Its owner or the writer that `managedFields` names first.
    pub(super) origin: Option<String>,
    resource: ResourceType,
    body: Value,
}

impl std::fmt::Debug for Unplanned {
    /// Shows no body: it may be that of a Secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unplanned({}, from {:?})", self.object, self.origin)
    }
}

/// The objects of one type, but for our own Lease.
pub(super) fn of_type(resource: &ResourceType, objects: Vec<Value>) -> Vec<Unplanned> {
    let ours = ObjectRef::new(
        "leases.coordination.k8s.io".into(),
        Some(LEASE_NAMESPACE),
        LEASE_NAME,
    );
    (objects.into_iter())
        .map(|body| Unplanned {
            object: ObjectRef::new(
                resource.name(),
                Some(text(&body, "/metadata/namespace")),
                text(&body, "/metadata/name"),
            ),
            origin: origin(&body),
            resource: resource.clone(),
            body,
        })
        .filter(|unplanned| unplanned.object != ours)
        .collect()
}

fn origin(body: &Value) -> Option<String> {
    let owner = body
        .pointer("/metadata/ownerReferences/0")
        .map(|owner| format!("owned by {} {}", text(owner, "/kind"), text(owner, "/name")));
    owner.or_else(|| {
        let manager = text(body, "/metadata/managedFields/0/manager");
        (!manager.is_empty()).then(|| format!("written by {manager}"))
    })
}

/// Leaves out what the cluster's own controllers and servers make: exactly those objects that a planner
/// would refuse to restore if the target were captured now, by the same rules.
pub(super) fn explain(mut found: Vec<Unplanned>, facts: &TargetFacts) -> Vec<Unplanned> {
    let mut types: Vec<SourceType> = Vec::new();
    for unplanned in &found {
        if !types.iter().any(|known| known.resource == unplanned.resource) {
            types.push(SourceType {
                resource: unplanned.resource.clone(),
                singular: String::new(),
                short_names: Vec::new(),
                verbs: Vec::new(),
                served_versions: vec![unplanned.resource.version.clone()],
                custom: false,
            });
        }
    }
    let mut draft = Draft::new(RestoreOptions::default(), &types, "", "");
    for (at, unplanned) in found.iter().enumerate() {
        let Some(known) = types.iter().find(|known| known.resource == unplanned.resource) else {
            continue;
        };
        let raw = serde_json::to_vec(&unplanned.body).expect("a JSON value can be written");
        let locator = Locator {
            frame: 0,
            position: u32::try_from(at).unwrap_or(u32::MAX),
        };
        // What cannot be understood stays in the list, where somebody looks at it.
        let _ = draft.observe(known, locator, &raw);
    }
    let facts = TargetFacts {
        types: facts.types.clone(),
        ..TargetFacts::default()
    };
    if let Ok(plan) = draft.plan(&facts) {
        let explained: std::collections::BTreeSet<&ObjectRef> = (plan.not_restored.iter())
            .filter(|left| left.rule != lifeboat_plan::RuleId::TypeNotServed)
            .map(|left| &left.object)
            .collect();
        // The account that every namespace gets is planned to be updated, not refused.
        found.retain(|unplanned| {
            let default_account =
                unplanned.object.r#type.as_str() == "serviceaccounts" && unplanned.object.name == "default";
            !explained.contains(&unplanned.object) && !default_account
        });
    }
    found.sort_by(|a, b| a.object.cmp(&b.object));
    found
}
