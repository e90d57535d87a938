//! Checks before the first write: the health of the target, the permissions that the plan needs, and a strict
//! dry run of each object that is restored in another version, or of each object if the options ask for it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use lifeboat_model::{Code, Diagnostic as _, ErrorKind, Problem, ResourceType};
use lifeboat_plan::{Action, Operation, Ownership, Plan, PlannedObject, Step, TargetFacts, body};
use serde_json::json;

use super::execute::{ObjectSource, RestoreError};
use super::outcome::answer;
use super::wire::{self, Health, JSON, MANAGER};
use lifeboat_apiserver::api::{Api, ApiError};

/// The number of concurrent check requests.
const QUESTIONS: usize = 16;

/// The maximum number of namespaces or objects that a problem names.
const NAMED: usize = 5;

/// Checks the target for problems that would otherwise appear in the middle of the restore. Writes nothing;
/// an empty list means that the restore may begin.
///
/// # Errors
/// [`RestoreError`] if the checks cannot be made.
#[tracing::instrument(skip_all)]
pub async fn preflight(
    api: &Api,
    plan: &Plan,
    facts: &TargetFacts,
    source: &dyn ObjectSource,
) -> Result<Vec<Problem>, RestoreError> {
    if let Health::NotReady(status) = wire::health(api).await? {
        return Ok(vec![Problem::new(
            Code::ClusterUnreachable,
            format!("the API server of the target is not ready: {status}"),
            "list the failing checks with `kubectl get --raw '/readyz?verbose'`",
        )]);
    }
    let mut problems = permissions(api, plan).await?;
    problems.extend(dry_runs(api, plan, facts, source).await?);
    Ok(problems)
}

/// What the plan does with each type: group, resource, subresource and verb, with the namespaces.
type Needs<'a> = BTreeMap<(&'a str, &'a str, &'a str, &'a str), BTreeSet<Option<&'a str>>>;

fn needs(plan: &Plan) -> Needs<'_> {
    let mut needs = Needs::new();
    for object in &plan.objects {
        let resource: &ResourceType = &object.resource;
        let mut need = |verb, subresource| {
            needs
                .entry((
                    resource.group.as_str(),
                    resource.resource.as_str(),
                    subresource,
                    verb,
                ))
                .or_default()
                .insert(object.target.namespace.as_deref());
        };
        let verbs: &[&str] = match object.action {
            Action::Keep => continue,
            Action::Create => &["create", "get"],
            Action::CreateOrUpdate | Action::Update => &["create", "get", "update"],
            Action::Recreate => &["create", "get", "delete"],
            Action::Merge => &["get", "patch"],
        };
        for verb in verbs {
            need(verb, "");
        }
        let apply = Operation::Apply;
        if matches!(&object.ownership, Ownership::Single { operation, .. } if *operation == apply) {
            need("patch", "");
        }
        for step in &object.after {
            match step {
                Step::WaitEstablished | Step::WaitReady | Step::WaitSecond => {}
                Step::SetTemplate
                | Step::SetDeferredFields
                | Step::SetManagedFields
                | Step::SetManagedFieldsLast => {
                    need("patch", "");
                }
                Step::SetStatus => need("patch", "status"),
                Step::FinishJob => {
                    need("patch", "status");
                    need("patch", "");
                }
            }
        }
    }
    needs
}

async fn permissions(api: &Api, plan: &Plan) -> Result<Vec<Problem>, RestoreError> {
    let needs = needs(plan);
    // One review with wildcards recognizes an administrator and saves one review per type and verb.
    if needs.is_empty() || may(api, "*", "*", "*", "*", None).await? {
        return Ok(Vec::new());
    }
    let denied: Vec<Option<Problem>> = futures::stream::iter(&needs)
        .map(|(&(group, resource, subresource, verb), namespaces)| async move {
            if may(api, group, resource, subresource, verb, None).await? {
                return Ok(None);
            }
            let mut missing = Vec::new();
            for namespace in namespaces {
                match namespace {
                    Some(name) if may(api, group, resource, subresource, verb, Some(name)).await? => {}
                    Some(name) => missing.push(*name),
                    None => missing.push("the whole cluster"),
                }
            }
            Ok::<_, ApiError>(
                (!missing.is_empty()).then(|| denial(group, resource, subresource, verb, &missing)),
            )
        })
        .buffered(QUESTIONS)
        .try_collect()
        .await?;
    Ok(denied.into_iter().flatten().collect())
}

fn denial(group: &str, resource: &str, subresource: &str, verb: &str, missing: &[&str]) -> Problem {
    let mut what = lifeboat_model::TypeName::new(group, resource).to_string();
    if !subresource.is_empty() {
        what = format!("{what}/{subresource}");
    }
    Problem::new(
        Code::Forbidden,
        format!(
            "the plan requires permission to {verb} {what} in {}",
            some_of(missing)
        ),
        format!("grant the permission; `kubectl auth can-i {verb} {what} --all-namespaces` must answer yes"),
    )
}

fn some_of(names: &[&str]) -> String {
    let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMED) {
        None | Some(0) => named,
        Some(more) => format!("{named} and {more} more"),
    }
}

/// Asks the API server whether the caller has a permission (`SelfSubjectAccessReview`). The server stores
/// nothing.
async fn may(
    api: &Api,
    group: &str,
    resource: &str,
    subresource: &str,
    verb: &str,
    namespace: Option<&str>,
) -> Result<bool, ApiError> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "verb": verb,
            "namespace": namespace.unwrap_or_default(),
        }},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let answer = wire::send_again(api, Method::POST, path, JSON, &review).await?;
    let answer: serde_json::Value = answer.json()?;
    Ok(answer.pointer("/status/allowed") == Some(&serde_json::Value::Bool(true)))
}

/// Sends a dry run for every object that is restored in another version than it was captured in: strict field
/// validation names each field that would be lost. If the options ask for it, also for every other object whose type the
/// target serves already: validation may have become stricter since the object was created.
async fn dry_runs(
    api: &Api,
    plan: &Plan,
    facts: &TargetFacts,
    source: &dyn ObjectSource,
) -> Result<Vec<Problem>, RestoreError> {
    let served: BTreeSet<(&str, &str)> = (facts.types.iter())
        .map(|served| (served.group.as_str(), served.resource.as_str()))
        .collect();
    let is_served = |object: &&PlannedObject| {
        let resource = (object.resource.group.as_str(), object.resource.resource.as_str());
        object.preflight || (plan.validates() && is_foreseeable(object) && served.contains(&resource))
    };
    let problems: Vec<Option<Problem>> = futures::stream::iter(plan.objects.iter().filter(is_served))
        .map(|object| dry_run(api, plan, facts, source, object))
        .buffered(QUESTIONS)
        .try_collect()
        .await?;
    Ok(problems.into_iter().flatten().collect())
}

/// Returns whether a dry run of the object shows what its creation will be answered. Addresses and ports of Services may
/// be in ranges that the plan itself restores.
fn is_foreseeable(object: &PlannedObject) -> bool {
    !matches!(object.action, Action::Keep | Action::Merge) && object.target.r#type.as_str() != "services"
}

async fn dry_run(
    api: &Api,
    plan: &Plan,
    facts: &TargetFacts,
    source: &dyn ObjectSource,
    object: &PlannedObject,
) -> Result<Option<Problem>, RestoreError> {
    let raw = source
        .object(object.locator.frame, object.locator.position)
        .await?;
    // Validation does not look up owners, so that any uid will do.
    let made = body(plan, object, &raw, &|uid| Some(uid.clone()));
    let mut wanted = match made {
        Ok(bodies) => bodies.without_deferred.unwrap_or(bodies.create),
        Err(error) => return Ok(Some(refused(object, &error.to_string()))),
    };
    // The identifier that takes the place of a symbol is not known yet, and no API server accepts the symbol.
    if plan.has_symbols(&wanted) {
        return Ok(None);
    }
    let mut namespace = object.target.namespace.as_deref();
    if let Some(name) = namespace
        && !exists(facts, name)
    {
        // The object's namespace may not exist yet; validation gives the same result in `default`.
        namespace = Some("default");
        wanted["metadata"]["namespace"] = "default".into();
    }
    let strictness = if object.preflight { "Strict" } else { "Ignore" };
    let path = format!(
        "{}?dryRun=All&fieldValidation={strictness}&fieldManager={MANAGER}",
        object.resource.path_in(namespace)
    );
    match wire::send_again(api, Method::POST, &path, JSON, &wanted).await {
        Ok(_) => Ok(None),
        Err(error) => match error.kind() {
            ErrorKind::Invalid if error.refusal().is_some() => {
                Ok(Some(refused(object, &answer(&object.target, &error))))
            }
            // The object exists, an admission webhook is not ready, or permission is missing: other checks
            // report these.
            _ if error.refusal().is_some() => Ok(None),
            _ => Err(error.into()),
        },
    }
}

fn exists(facts: &TargetFacts, namespace: &str) -> bool {
    namespace == "default"
        || (facts.existing).contains(&lifeboat_model::ObjectRef::new(
            "namespaces".into(),
            None,
            namespace,
        ))
}

fn refused(object: &PlannedObject, why: &str) -> Problem {
    Problem::new(
        Code::TypeNotServed,
        format!(
            "the target does not accept {} as {}: {why}",
            object.source(),
            object.resource.api_version()
        ),
        "exclude it with `--exclude-type` or `--name`, patch it, or upgrade the target",
    )
}

#[cfg(test)]
mod tests;
