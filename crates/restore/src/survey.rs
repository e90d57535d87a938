//! Reads the target cluster before a restore: the facts that a plan is made from.
//!
//! A survey lists each type that the plan may need once, streamed, at one resourceVersion of the cluster, and
//! keeps the bodies only of objects that the plan asks for. It writes nothing: the two Service ranges that
//! are only visible in the server's error messages are found by dry runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use lifeboat_format::ObjectMetadata;
use lifeboat_model::{Code, Diagnostic, ErrorKind, ObjectRef, Problem, ResourceType, TypeName, shared};
use lifeboat_plan::{Existing, RequiredType, ServedType, TargetFacts, VersionServed};
use serde_json::Value;

use crate::execute::RunRecord;
use crate::wire::text;
use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_apiserver::discovery::Discovery;
use lifeboat_apiserver::list::PageError;

pub mod listing;
mod services;

use listing::{collect, pin};

/// The number of types listed concurrently. Most are small, and the time is mostly latency.
const TYPES_AT_A_TIME: usize = 8;

/// A failed survey. No plan is made from incomplete facts.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The objects of a type could not be listed.
    #[error("list the existing objects at {path}")]
    List {
        /// The path of the list.
        path: String,
        /// The cause.
        #[source]
        cause: PageError,
    },
    /// Another request failed.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Diagnostic for SurveyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::List { cause, .. } => cause.kind(),
            Self::Api(error) => error.kind(),
        }
    }

    fn code(&self) -> Code {
        self.problem().code
    }

    fn problem(&self) -> Problem {
        match self {
            Self::List { cause, .. } => cause.problem(),
            Self::Api(error) => error.problem(),
        }
    }
}

/// Reads what `wanted` and the plan's rules need from the target. `run` is the restore that holds the
/// target's Lease, if any: objects that it created in an interrupted attempt are marked.
///
/// # Errors
/// [`SurveyError`] if any list fails: with incomplete facts a restore could overwrite objects that it did not
/// see.
#[tracing::instrument(skip_all)]
pub async fn survey(
    api: &Api,
    discovery: &Discovery,
    wanted: Vec<RequiredType>,
    run: Option<&RunRecord>,
) -> Result<TargetFacts, SurveyError> {
    let at = pin(api).await?;
    let mut facts = TargetFacts {
        server_version: discovery.server_version.git_version.clone(),
        types: discovery.types.iter().map(served).collect(),
        service_ranges: services::service_ranges(api, discovery, &at).await?,
        ..TargetFacts::default()
    };
    let readings: Vec<SurveyPart> = futures::stream::iter(tasks(discovery, wanted))
        .map(|task| read(api, &at, run, task))
        .buffer_unordered(TYPES_AT_A_TIME)
        .try_collect()
        .await?;
    let mut existing = Vec::new();
    for found in readings {
        existing.extend(found.existing);
        facts.allocations.extend(found.allocations);
        facts.webhooks.extend(found.webhooks);
        facts.quotas.extend(found.quotas);
    }
    facts.existing = existing.into_iter().collect();
    // The lists complete in any order.
    facts.allocations.sort_by(|a, b| a.service.cmp(&b.service));
    facts
        .webhooks
        .sort_by_cached_key(|hook| (text(hook, "/kind").to_owned(), name(hook)));
    facts.quotas.sort_by_cached_key(name);
    tracing::info!(
        types = facts.types.len(),
        existing = facts.existing.len(),
        services = facts.allocations.len(),
        "surveyed"
    );
    Ok(facts)
}

fn name(object: &Value) -> (String, String) {
    let text = |pointer| text(object, pointer).to_owned();
    (text("/metadata/namespace"), text("/metadata/name"))
}

fn served(found: &lifeboat_apiserver::discovery::DiscoveredType) -> ServedType {
    ServedType {
        group: found.resource.group.clone(),
        resource: found.resource.resource.clone(),
        versions: (found.versions.iter())
            .map(|version| VersionServed {
                version: version.version.clone(),
                kind: version.kind.clone(),
                namespaced: version.namespaced,
                verbs: version.verbs.clone(),
            })
            .collect(),
    }
}

/// What the objects of a type that are not wanted themselves are read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Wanted,
    Services,
    Webhooks,
    Quotas,
}

struct Task {
    resource: ResourceType,
    required: RequiredType,
    used: Purpose,
}

#[derive(Default)]
struct SurveyPart {
    /// Namespaces and field managers, which many objects share.
    names: BTreeSet<Arc<str>>,
    /// Sets of field managers.
    managers: BTreeSet<Arc<[Arc<str>]>>,
    existing: Vec<(ObjectRef, Existing)>,
    allocations: Vec<lifeboat_plan::ServiceAllocation>,
    webhooks: Vec<Value>,
    quotas: Vec<Value>,
}

/// Returns the types to list: wanted types that the target serves, and types that every plan needs.
fn tasks(discovery: &Discovery, wanted: Vec<RequiredType>) -> Vec<Task> {
    const ALWAYS: [(&str, Purpose); 4] = [
        ("services", Purpose::Services),
        (
            "validatingwebhookconfigurations.admissionregistration.k8s.io",
            Purpose::Webhooks,
        ),
        (
            "mutatingwebhookconfigurations.admissionregistration.k8s.io",
            Purpose::Webhooks,
        ),
        ("resourcequotas", Purpose::Quotas),
    ];
    let always = ALWAYS.map(|(name, used)| (TypeName::from(name), used));
    let mut wanted: BTreeMap<TypeName, RequiredType> = (wanted.into_iter())
        .map(|required| (required.type_name.clone(), required))
        .collect();
    for (name, _) in &always {
        (wanted.entry(name.clone())).or_insert_with(|| RequiredType::none(name.clone()));
    }
    let served = wanted.into_values().filter_map(|required| {
        let name = &required.type_name;
        let known = discovery.find(name).filter(|known| known.is_listable())?;
        let used = always.iter().find(|(always, _)| always == name);
        Some(Task {
            resource: known.resource.clone(),
            used: used.map_or(Purpose::Wanted, |(_, used)| *used),
            required,
        })
    });
    served.collect()
}

/// The number of namespaces up to which a type is listed namespace by namespace: a restore of one namespace
/// into a big cluster must not list the whole cluster.
const FEW_NAMESPACES: usize = 4;

impl Task {
    /// Returns the paths to list.
    fn paths(&self) -> Vec<String> {
        let namespaces = &self.required.namespaces;
        if self.used != Purpose::Wanted || !self.resource.namespaced || namespaces.len() > FEW_NAMESPACES {
            return vec![self.resource.collection_path()];
        }
        namespaces
            .iter()
            .map(|namespace| self.resource.path_in(namespace.as_deref()))
            .collect()
    }
}

async fn read(api: &Api, at: &str, run: Option<&RunRecord>, task: Task) -> Result<SurveyPart, SurveyError> {
    let mut all = SurveyPart::default();
    for path in task.paths() {
        let found: SurveyPart = collect(api, &path, Some(at), |found, item, seen| {
            collect_item(found, item, seen, &task, run)
        })
        .await
        .map_err(|cause| SurveyError::List { path, cause })?;
        all.existing.extend(found.existing);
        all.allocations.extend(found.allocations);
        all.webhooks.extend(found.webhooks);
        all.quotas.extend(found.quotas);
    }
    Ok(all)
}

/// Adds what the plan needs from an object.
fn collect_item(
    found: &mut SurveyPart,
    item: &[u8],
    seen: &ObjectMetadata<'_>,
    task: &Task,
    run: Option<&RunRecord>,
) {
    let wanted = task.required.contains(seen.namespace.as_deref(), &seen.name);
    if !wanted && task.used == Purpose::Wanted {
        return;
    }
    let Some(body) = parse(item, &task.resource) else {
        return;
    };
    let made = run.is_some_and(|run| run.made(text(&body, "/metadata/creationTimestamp")));
    let is_extended = is_default_rbac(&body, &task.resource) || is_aws_auth(&body, &task.resource);
    let kept = kept(&body, &task.resource, made);
    // Default roles are never created by a restore, but may have been extended by an interrupted attempt. So may
    // `aws-auth`.
    let made = made || (is_extended && run.is_some_and(|run| wrote(run, &body)));
    match task.used {
        Purpose::Services => found.allocations.push(services::allocation(&body)),
        // Objects that an interrupted attempt of this run created are part of the plan, not of its inputs.
        Purpose::Webhooks if !made => found.webhooks.push(body.clone()),
        Purpose::Quotas if !made => found.quotas.push(body.clone()),
        _ => {}
    }
    if wanted {
        let object = ObjectRef {
            r#type: task.required.type_name.clone(),
            namespace: seen
                .namespace
                .as_deref()
                .map(|namespace| shared(&mut found.names, namespace)),
            name: seen.name.as_ref().into(),
        };
        let names: Vec<Arc<str>> = managers(&body)
            .map(|manager| shared(&mut found.names, manager))
            .collect();
        let managers = match found.managers.get(names.as_slice()) {
            Some(known) => known.clone(),
            None => {
                let new: Arc<[Arc<str>]> = names.into();
                found.managers.insert(new.clone());
                new
            }
        };
        let existing = Existing {
            uid: seen.uid.as_ref().into(),
            created_by_this_run: made,
            managers,
            body: kept.map(Box::new),
        };
        found.existing.push((object, existing));
    }
}

/// Returns the names of the managers that own fields of an object.
pub(crate) fn managers(body: &Value) -> impl Iterator<Item = &str> {
    let entries = body.pointer("/metadata/managedFields").and_then(Value::as_array);
    (entries.into_iter().flatten()).map(|entry| text(entry, "/manager"))
}

/// Returns whether the API server makes the object, as a default role or binding.
fn is_default_rbac(body: &Value, resource: &ResourceType) -> bool {
    resource.group == "rbac.authorization.k8s.io"
        && text(body, "/metadata/labels/kubernetes.io~1bootstrapping") == "rbac-defaults"
}

/// Returns whether fields of the object have been written since the run began.
fn wrote(run: &RunRecord, body: &Value) -> bool {
    let entries = body.pointer("/metadata/managedFields").and_then(Value::as_array);
    (entries.into_iter().flatten()).any(|entry| run.made(text(entry, "/time")))
}

/// Returns whether the object says who may enter a cluster of EKS.
fn is_aws_auth(body: &Value, resource: &ResourceType) -> bool {
    resource.group.is_empty()
        && resource.resource == "configmaps"
        && text(body, "/metadata/namespace") == "kube-system"
        && text(body, "/metadata/name") == "aws-auth"
}

/// Returns what the plan needs of the content of an existing object ([`Existing::body`]). `made` says whether this run
/// created it: then it is planned as it was.
fn kept(body: &Value, resource: &ResourceType, made: bool) -> Option<Value> {
    match resource.name().as_str() {
        "statefulsets.apps" => Some(body.clone()),
        "customresourcedefinitions.apiextensions.k8s.io" => Some(lifeboat_plan::definition_outline(body)),
        _ if is_default_rbac(body, resource) => Some(body.clone()),
        _ if is_aws_auth(body, resource) && !made => Some(body.clone()),
        _ => None,
    }
}

/// Parses an object of a list and adds `apiVersion` and `kind`, which items of a list lack.
pub(crate) fn parse(item: &[u8], resource: &ResourceType) -> Option<Value> {
    let mut body: Value = serde_json::from_slice(item).ok()?;
    let object = body.as_object_mut()?;
    if !object.contains_key("kind") {
        object.insert("kind".to_owned(), resource.kind.clone().into());
    }
    if !object.contains_key("apiVersion") {
        object.insert("apiVersion".to_owned(), resource.api_version().into());
    }
    Some(body)
}
