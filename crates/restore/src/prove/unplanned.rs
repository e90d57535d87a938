//! Objects that appeared during the restore and are not in the plan.

use std::collections::BTreeSet;

use lifeboat_model::{ObjectRef, ResourceType};
use lifeboat_plan::{Locator, PlanBuilder, Redactor, RestoreOptions, SourceType, TargetFacts};
use serde_json::Value;

use super::ProveError;
use crate::lease::{LEASE_NAME, LEASE_NAMESPACE};
use crate::survey::listing::collect;
use crate::wire::text;
use lifeboat_apiserver::api::Api;

/// An object that is not in the plan.
#[derive(Clone)]
pub(super) struct Unplanned {
    /// The object.
    pub(super) object: ObjectRef,
    /// Its owner, or the first manager in `managedFields`.
    pub(super) origin: Option<String>,
    resource: ResourceType,
    body: Value,
}

impl std::fmt::Debug for Unplanned {
    /// Omits the body, which may be that of a Secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unplanned({}, from {:?})", self.object, self.origin)
    }
}

/// Returns the objects of one type, without the restore's own Lease.
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

fn is_run(job: &Value) -> bool {
    let owners = job.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let mut owners = owners.into_iter().flatten();
    owners.any(|owner| text(owner, "/kind") == "CronJob")
        && text(job, "/metadata/annotations/cronjob.kubernetes.io~1instantiate").is_empty()
}

const ENDPOINTS: &str = "endpoints";
const SLICES: &str = "endpointslices.discovery.k8s.io";
const SERVICES: &str = "/api/v1/services";

/// Namespace and name of each Service that has a selector. The endpoints controller creates an Endpoints
/// object of the same name for each; only the Service distinguishes it from a manually created one.
pub(super) type Selecting = BTreeSet<(String, String)>;

/// Lists the Services of the target that have a selector, if there are objects that need it.
pub(super) async fn selecting(
    api: &Api,
    version: &str,
    found: &[Unplanned],
) -> Result<Selecting, ProveError> {
    if !found
        .iter()
        .any(|one| matches!(one.object.r#type.as_str(), ENDPOINTS | SLICES))
    {
        return Ok(Selecting::new());
    }
    collect(api, SERVICES, Some(version), |selecting, service, _| {
        note_selecting(selecting, service);
    })
    .await
    .map_err(|cause| ProveError::List {
        path: SERVICES.to_owned(),
        cause,
    })
}

fn note_selecting(selecting: &mut Selecting, service: &[u8]) {
    // A Service that cannot be parsed counts as one without a selector.
    let service: Value = serde_json::from_slice(service).unwrap_or_default();
    let selector = service.pointer("/spec/selector").and_then(Value::as_object);
    if selector.is_some_and(|selector| !selector.is_empty()) {
        let text = |pointer| text(&service, pointer).to_owned();
        selecting.insert((text("/metadata/namespace"), text("/metadata/name")));
    }
}

/// Removes objects that the cluster's own controllers and servers create: exactly those that a planner would
/// refuse to restore if the target were captured now, by the same rules.
pub(super) fn explain(
    mut found: Vec<Unplanned>,
    selecting: &Selecting,
    facts: &TargetFacts,
    redactor: &Redactor,
) -> Vec<Unplanned> {
    found.retain(|unplanned| {
        let ObjectRef {
            r#type,
            namespace,
            name,
        } = &unplanned.object;
        let namespace = namespace.as_deref().unwrap_or_default().to_owned();
        match r#type.as_str() {
            ENDPOINTS => !selecting.contains(&(namespace, name.to_string())),
            SLICES => {
                let service = text(&unplanned.body, "/metadata/labels/kubernetes.io~1service-name");
                !selecting.contains(&(namespace, service.to_owned()))
            }
            // A run that the CronJob's controller has begun.
            "jobs.batch" => !is_run(&unplanned.body),
            _ => true,
        }
    });
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
    let mut draft = PlanBuilder::new(RestoreOptions::default(), &types, "", "", redactor.clone());
    for (at, unplanned) in found.iter().enumerate() {
        let Some(known) = types.iter().find(|known| known.resource == unplanned.resource) else {
            continue;
        };
        let raw = serde_json::to_vec(&unplanned.body).expect("a JSON value can be written");
        let locator = Locator {
            frame: 0,
            position: u32::try_from(at).unwrap_or(u32::MAX),
        };
        // An object that the planner cannot parse stays in the list, so that the report shows it.
        let _ = draft.add(known, locator, &raw);
    }
    let facts = TargetFacts {
        types: facts.types.clone(),
        ..TargetFacts::default()
    };
    if let Ok(plan) = draft.plan(&facts) {
        let explained: BTreeSet<&ObjectRef> = (plan.not_restored.iter())
            .filter(|left| left.rule != lifeboat_plan::RuleId::TypeNotServed)
            .map(|left| &left.object)
            .collect();
        // The plan updates the default ServiceAccount of each namespace instead of refusing it.
        found.retain(|unplanned| {
            let default_account =
                unplanned.object.r#type.as_str() == "serviceaccounts" && &*unplanned.object.name == "default";
            !explained.contains(&unplanned.object) && !default_account
        });
    }
    found.sort_by(|a, b| a.object.cmp(&b.object));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn endpoints_are_explained_by_a_service_of_their_name_that_has_a_selector() {
        let mut selecting = Selecting::new();
        for service in [
            json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": {"selector": {"app": "web"}}}),
            json!({"metadata": {"namespace": "shop", "name": "empty"}, "spec": {"selector": {}}}),
            json!({"metadata": {"namespace": "shop", "name": "manual"}, "spec": {}}),
        ] {
            note_selecting(&mut selecting, service.to_string().as_bytes());
        }
        let resource = ResourceType {
            group: String::new(),
            version: "v1".into(),
            resource: "endpoints".into(),
            kind: "Endpoints".into(),
            namespaced: true,
        };
        let endpoints = |(namespace, name): (&str, &str)| {
            json!({"apiVersion": "v1", "kind": "Endpoints",
                "metadata": {"namespace": namespace, "name": name, "uid": format!("{namespace}-{name}")}})
        };
        let all = [
            ("shop", "web"),
            ("shop", "empty"),
            ("shop", "manual"),
            ("other", "web"),
        ];
        let found = of_type(&resource, all.into_iter().map(endpoints).collect());
        let left = explain(
            found,
            &selecting,
            &TargetFacts::default(),
            &Redactor::new(&[7; 32]),
        );
        let left: Vec<String> = left.iter().map(|one| one.object.to_string()).collect();
        assert_eq!(
            left,
            [
                "endpoints other/web",
                "endpoints shop/empty",
                "endpoints shop/manual"
            ]
        );
    }
}
