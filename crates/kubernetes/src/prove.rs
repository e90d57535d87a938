//! Reads the target back after a restore and says whether the plan came true.
//!
//! The proof trusts nothing that the restore said: every type of the plan is listed again, every planned
//! object is compared with its planned body, and what nobody planned is named.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use lifeboat_format::glance::glance;
use lifeboat_model::{ErrorKind, ObjectRef, Problem, ResourceType, TypeName};
use lifeboat_plan::{
    Action, Difference, FieldDifference, Plan, PlannedObject, StatusPlan, TargetFacts, body, compare,
};
use serde_json::Value;
use tokio::time::Instant;

use crate::api::{Api, ApiError};
use crate::restore::outcome::ObjectResult;
use crate::restore::wire::text;
use crate::restore::{ObjectSource, RestoreOutcome, RunRecord, SourceError};
use crate::retry::wait;
use crate::survey::listing::{ListError, collect, pin};
use crate::survey::parse;

pub mod owners;
mod settle;
mod unplanned;

/// How a proof works.
#[derive(Debug, Clone)]
pub struct ProveSettings {
    /// How long controllers may take for what the proof requires of them: claims and volumes that were
    /// bound to each other are bound again.
    pub settle_within: Duration,
}

impl Default for ProveSettings {
    fn default() -> Self {
        Self {
            // The binder looks at unbound claims at least every 15 s (`pvclaimbinder-sync-period`).
            settle_within: Duration::from_secs(30),
        }
    }
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The objects of a type could not be read back.
    #[error("read back {path}")]
    List {
        /// The path of the list.
        path: String,
        /// What happened.
        #[source]
        cause: ListError,
    },
    /// Another request failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The recovery point cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl ProveError {
    /// The prescriptive kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::List { cause, .. } => cause.kind(),
            Self::Api(error) => error.kind(),
            Self::Source(error) => error.kind(),
        }
    }

    /// The error as it is shown to a user.
    #[must_use]
    pub fn problem(&self) -> Problem {
        match self {
            Self::List { cause, .. } => cause.problem(),
            Self::Api(error) => error.problem(),
            Self::Source(error) => Problem::new(
                lifeboat_model::Code::PackCorrupt,
                format!("failed to {error}"),
                "check the point with `lifeboat verify`",
            ),
        }
    }
}

/// Types read back at a time.
const TYPES_AT_A_TIME: usize = 4;

/// What was read back, before it is put into words.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Objects that are there, by their place in the plan, with every difference from the plan.
    pub compared: BTreeMap<usize, Compared>,
    /// Places in the plan of objects that are not there.
    pub missing: Vec<usize>,
    /// Objects that came into being during the restore and that nobody planned.
    pub unplanned: Vec<unplanned::Unplanned>,
    /// Objects of the plan's types that were in the target before the restore, by type.
    pub older: BTreeMap<TypeName, u64>,
}

/// One object that was read back.
#[derive(Debug, Default)]
pub struct Compared {
    /// Where it differs from the plan, and who is to blame.
    pub differences: Vec<(FieldDifference, Cause)>,
    /// What its controllers have not done although the plan requires it.
    pub unsettled: Option<String>,
    /// Ready and wanted replicas, of workloads.
    pub readiness: Option<(u64, u64)>,
}

/// Who made a field differ from the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The API server or its admission, while the object was written.
    Admission,
    /// Somebody who wrote to the object afterwards, by the name in `managedFields`.
    Manager(String),
    /// The object existed and was kept.
    Kept,
    /// Nothing explains it.
    Unknown,
}

/// Reads back everything of the plan's types and compares. Waits a bounded time for what the plan
/// requires of controllers.
///
/// # Errors
/// [`ProveError`]; a proof with a gap would be none.
#[tracing::instrument(skip_all)]
pub async fn gather(
    api: &Api,
    plan: &Plan,
    facts: &TargetFacts,
    source: &dyn ObjectSource,
    outcome: &RestoreOutcome,
    run: &RunRecord,
    settings: &ProveSettings,
) -> Result<Evidence, ProveError> {
    let until = Instant::now() + settings.settle_within;
    let mut evidence = Evidence::default();
    let mut types: BTreeMap<&ResourceType, Vec<usize>> = BTreeMap::new();
    for (at, object) in plan.objects.iter().enumerate() {
        types.entry(&object.resource).or_default().push(at);
    }
    let mut todo: Vec<(&ResourceType, Vec<usize>)> = types.into_iter().collect();
    let mut first = true;
    loop {
        let version = pin(api).await?;
        let version = version.as_str();
        let read: Vec<Found> = futures::stream::iter(&todo)
            .map(|(resource, places)| read_back(api, plan, source, outcome, run, version, resource, places))
            .buffer_unordered(TYPES_AT_A_TIME)
            .try_collect()
            .await?;
        let mut waiting: Vec<usize> = Vec::new();
        evidence
            .missing
            .retain(|at| !todo.iter().any(|(_, places)| places.contains(at)));
        for found in read {
            waiting.extend(
                found
                    .compared
                    .iter()
                    .filter(|(_, c)| c.unsettled.is_some())
                    .map(|(at, _)| *at),
            );
            evidence.compared.extend(found.compared);
            evidence.missing.extend(found.missing);
            if first {
                evidence.unplanned.extend(found.unplanned);
                if found.older.1 > 0 {
                    evidence.older.insert(found.older.0, found.older.1);
                }
            }
        }
        first = false;
        todo.retain(|(_, places)| places.iter().any(|at| waiting.contains(at)));
        if todo.is_empty() || Instant::now() >= until {
            break;
        }
        wait(Duration::from_millis(500)).await;
    }
    evidence.missing.sort_unstable();
    evidence.unplanned = unplanned::explain(evidence.unplanned, facts);
    Ok(evidence)
}

struct Found {
    compared: BTreeMap<usize, Compared>,
    missing: Vec<usize>,
    unplanned: Vec<unplanned::Unplanned>,
    older: (TypeName, u64),
}

/// What one type's list holds that the proof looks at.
#[derive(Default)]
struct Read {
    planned: HashMap<usize, Vec<u8>>,
    unplanned: Vec<Value>,
    older: u64,
}

#[expect(clippy::too_many_arguments, reason = "one call, in the loop above")]
async fn read_back(
    api: &Api,
    plan: &Plan,
    source: &dyn ObjectSource,
    outcome: &RestoreOutcome,
    run: &RunRecord,
    version: &str,
    resource: &ResourceType,
    places: &[usize],
) -> Result<Found, ProveError> {
    let by_name: HashMap<(&str, &str), usize> = (places.iter())
        .map(|&at| {
            let target = &plan.objects[at].target;
            (
                (
                    target.namespace.as_deref().unwrap_or_default(),
                    target.name.as_str(),
                ),
                at,
            )
        })
        .collect();
    let path = resource.collection_path();
    let read = collect(api, &path, Some(version), |read: &mut Read, item| {
        let Ok(seen) = glance(item) else {
            return;
        };
        let key = (seen.namespace.as_deref().unwrap_or_default(), seen.name.as_ref());
        if let Some(&at) = by_name.get(&key) {
            read.planned.insert(at, item.to_vec());
        } else if let Some(body) = parse(item, resource) {
            if run.made(text(&body, "/metadata/creationTimestamp")) {
                read.unplanned.push(body);
            } else {
                read.older += 1;
            }
        }
    })
    .await;
    let mut read = match read {
        Ok(read) => read,
        // Its definition was not restored, so that nothing of it can be there.
        Err(ListError::Api(error)) if error.status() == Some(404) => Read::default(),
        Err(cause) => return Err(ProveError::List { path, cause }),
    };
    let mut found = Found {
        compared: BTreeMap::new(),
        missing: Vec::new(),
        unplanned: unplanned::of_type(resource, read.unplanned),
        older: (resource.name(), read.older),
    };
    for &at in places {
        let object = &plan.objects[at];
        let Some(live) = read.planned.remove(&at).and_then(|raw| parse(&raw, resource)) else {
            found.missing.push(at);
            continue;
        };
        let raw = source
            .object(object.locator.frame, object.locator.position)
            .await?;
        let compared = compare_one(plan, object, &outcome.results[at], outcome, &raw, &live);
        found.compared.insert(at, compared);
    }
    Ok(found)
}

fn compare_one(
    plan: &Plan,
    object: &PlannedObject,
    result: &ObjectResult,
    outcome: &RestoreOutcome,
    raw: &[u8],
    live: &Value,
) -> Compared {
    // An owner that failed has no uid; the object that needs it failed too and is reported as such.
    let uids = |uid: &str| Some(outcome.uids.get(uid).cloned().unwrap_or_else(|| uid.to_owned()));
    let Ok(bodies) = body(plan, object, raw, &uids) else {
        return Compared {
            unsettled: Some("its planned body cannot be made from the recovery point".to_owned()),
            ..Compared::default()
        };
    };
    let mut expected = bodies.create;
    if let Some(suspend) = bodies.suspend {
        expected["spec"]["suspend"] = suspend.into();
    }
    if object.status == StatusPlan::Restore
        && let Some(status) = bodies.status
    {
        expected["status"] = status;
    }
    let kept = object.action == Action::Keep || *result == ObjectResult::KeptUnplanned;
    let differences = (compare(&expected, live).into_iter())
        .map(|difference| {
            let cause = match kept {
                true => Cause::Kept,
                false => cause(
                    &difference,
                    &expected,
                    bodies.managed_fields.as_ref(),
                    object,
                    live,
                ),
            };
            (difference, cause)
        })
        .collect();
    let captured: Value = serde_json::from_slice(raw).unwrap_or_default();
    Compared {
        differences,
        unsettled: (!kept)
            .then(|| settle::unsettled(object, &captured, live))
            .flatten(),
        readiness: settle::readiness(live),
    }
}

/// Who made a field differ.
fn cause(
    difference: &FieldDifference,
    expected: &Value,
    entries: Option<&Value>,
    object: &PlannedObject,
    live: &Value,
) -> Cause {
    let planned = planned_managers(object, entries, expected);
    let is_planned = |name: &String| planned.contains(name);
    let owners = owners::field_owners(live, &difference.path);
    if let Some(other) = owners.iter().find(|owner| !is_planned(&owner.manager)) {
        return Cause::Manager(other.manager.clone());
    }
    match difference.difference {
        Difference::Added | Difference::Changed => Cause::Admission,
        // Nobody owns a field that is gone. Who wrote to the object after us may have removed it.
        Difference::Missing => {
            let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
            let other = (entries.into_iter().flatten())
                .filter(|entry| text(entry, "/subresource").is_empty())
                .map(|entry| text(entry, "/manager").to_owned())
                .find(|name| !is_planned(name));
            match other {
                Some(name) => Cause::Manager(name),
                None => Cause::Unknown,
            }
        }
    }
}

/// The managers in whose names the restore wrote.
fn planned_managers(object: &PlannedObject, entries: Option<&Value>, expected: &Value) -> Vec<String> {
    use lifeboat_plan::Ownership;
    let mut names = vec![crate::restore::wire::MANAGER.to_owned()];
    match &object.ownership {
        Ownership::Single { manager, .. } => names.push(manager.clone()),
        Ownership::Several { first } => names.push(first.clone()),
        Ownership::None => {}
    }
    let listed = entries.or_else(|| expected.pointer("/metadata/managedFields"));
    for entry in listed.and_then(Value::as_array).into_iter().flatten() {
        names.push(text(entry, "/manager").to_owned());
    }
    names
}
