//! Reads the target back after a restore and reports whether the cluster matches the plan.
//!
//! The proof uses nothing that the restore reported: every type of the plan is listed again, every planned
//! object is compared with its planned body, and objects that are not in the plan are named. If identifiers were
//! translated, the same pass looks for those of the primary in every object, and in the objects of the types that the
//! plan does not have.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use lifeboat_model::{Code, Diagnostic, ErrorKind, Problem, ResourceType, Uid};
use lifeboat_plan::report::{Proof, Report, ReportBuilder};
use lifeboat_plan::{
    Action, Bodies, Difference, Locator, Plan, PlannedObject, Redactor, TargetFacts, TargetLeftovers, body,
    compare,
};
use serde_json::Value;

use crate::execute::{ObjectSource, RestoreOutcome, RestoreProgress, RunRecord, SourceError};
use crate::outcome::ObjectResult;
use crate::survey::listing::{PageEnd, Pages, pin};
use crate::survey::parse;
use crate::wire::text;
use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_apiserver::list::PageError;

mod others;
pub mod owners;
mod settle;
mod unplanned;
mod workloads;

/// Settings of a proof.
#[derive(Debug, Clone)]
pub struct ProveSettings {
    /// How long to wait for controllers to make the changes that the proof requires: claims and volumes that
    /// were bound to each other are bound again.
    pub settle_within: Duration,
    /// How long to wait until as many Pods of each workload are ready as in the source.
    pub ready_within: Duration,
}

impl Default for ProveSettings {
    fn default() -> Self {
        Self {
            // The binder syncs unbound claims at least every 15 s (`pvclaimbinder-sync-period`).
            settle_within: Duration::from_secs(30),
            // Nodes join and images are pulled.
            ready_within: Duration::from_secs(300),
        }
    }
}

/// A proof that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The objects of a type could not be read back.
    #[error("read back {path}")]
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
    /// The recovery point cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl ProveError {
    /// Returns the error of a list of a type.
    pub(crate) fn list(resource: &ResourceType) -> impl FnOnce(PageError) -> Self {
        let path = resource.collection_path();
        move |cause| Self::List { path, cause }
    }
}

impl Diagnostic for ProveError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::List { cause, .. } => cause.kind(),
            Self::Api(error) => error.kind(),
            Self::Source(error) => error.kind(),
        }
    }

    fn code(&self) -> Code {
        self.problem().code
    }

    fn problem(&self) -> Problem {
        match self {
            Self::List { cause, .. } => cause.problem(),
            Self::Api(error) => error.problem(),
            Self::Source(error) => Problem::new(
                Code::PackCorrupt,
                format!("failed to {error}"),
                "check the point with `lifeboat verify`",
            ),
        }
    }
}

/// The number of types read back concurrently.
const TYPES_AT_A_TIME: usize = 4;

/// What a proof found.
#[derive(Debug)]
pub struct Proven {
    /// The report.
    pub report: Report,
}

/// Reads back all objects of the plan's types, compares them, and returns the report. Before that, waits for
/// a limited time for the changes that the plan requires of controllers.
///
/// The report depends on the target alone and not on what this process observed during the restore: after an
/// interruption it is the same.
///
/// # Errors
/// [`ProveError`] if anything cannot be read: an incomplete proof is not returned.
#[tracing::instrument(skip_all)]
pub async fn prove(
    api: &Api,
    plan: &Plan,
    facts: &TargetFacts,
    source: &dyn ObjectSource,
    (outcome, run): (&RestoreOutcome, &RunRecord),
    settings: &ProveSettings,
    progress: &dyn RestoreProgress,
) -> Result<Proven, ProveError> {
    let mut unsettled = settle::settle(api, plan, source, outcome, settings).await?;
    let workloads = workloads::compare(api, plan, source, outcome, settings, progress).await?;
    let mut types: BTreeMap<&ResourceType, Vec<usize>> = BTreeMap::new();
    for (at, object) in plan.objects.iter().enumerate() {
        types.entry(&object.resource).or_default().push(at);
    }
    let version = pin(api).await?;
    let others = others::types(plan, facts, &types);
    let proving = Proving {
        api,
        plan,
        source,
        outcome,
        run,
        version: version.clone(),
        report: Mutex::new(Report::begin(plan)),
    };
    let read: Vec<Vec<unplanned::Unplanned>> = futures::stream::iter(types)
        .map(|(resource, places)| proving.read_back(resource, places))
        .buffer_unordered(TYPES_AT_A_TIME)
        .try_collect()
        .await?;
    let unread: Vec<Option<String>> = futures::stream::iter(&others)
        .map(|resource| proving.search(resource))
        .buffer_unordered(TYPES_AT_A_TIME)
        .collect()
        .await;
    let mut report = proving
        .report
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    report.workloads(workloads);
    unread.into_iter().flatten().for_each(|text| report.remark(text));
    for &at in &outcome.held {
        let text = "It was created after the workloads, because its backend was not available in time.";
        report.note(plan.objects[at].target.clone(), text.to_owned());
    }
    for (&at, objects) in &outcome.relaxed {
        let text =
            format!("It was without validation rules while {objects} objects that break them were created.");
        report.note(plan.objects[at].target.clone(), text);
    }
    for workload in &outcome.rolled {
        let text =
            "Its Pods were created again, because they had come up before admission could change them.";
        report.note(workload.clone(), text.to_owned());
    }
    let unplanned: Vec<unplanned::Unplanned> = read.into_iter().flatten().collect();
    for (at, failure) in outcome.failures() {
        report.fail(at, failure.to_string());
        unsettled.remove(&at);
    }
    for (at, why) in unsettled {
        report.fail(at, why);
    }
    let selecting = unplanned::selecting(api, &version, &unplanned).await?;
    for unplanned in unplanned::explain(unplanned, &selecting, facts, plan.redactor()) {
        report.unplanned(unplanned.object, unplanned.origin);
    }
    Ok(Proven {
        report: report.finish(),
    })
}

struct Proving<'a> {
    api: &'a Api,
    plan: &'a Plan,
    source: &'a dyn ObjectSource,
    outcome: &'a RestoreOutcome,
    run: &'a RunRecord,
    /// The resourceVersion of the cluster at which the lists are made.
    version: String,
    report: Mutex<ReportBuilder<'a>>,
}

/// The part of a page that the proof needs.
#[derive(Default)]
struct Read {
    /// Objects of the plan, by their place among those of the type.
    planned: Vec<(usize, Vec<u8>)>,
    unplanned: Vec<Value>,
    /// Objects that can name the primary, with their place if they are of the plan.
    naming: Vec<(Option<usize>, Vec<u8>)>,
}

impl<'a> Proving<'a> {
    fn report(&self) -> MutexGuard<'_, ReportBuilder<'a>> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the planned objects of a type, page by page, and returns the others.
    async fn read_back(
        &self,
        resource: &ResourceType,
        mut places: Vec<usize>,
    ) -> Result<Vec<unplanned::Unplanned>, ProveError> {
        let name = |at: usize| {
            let target = &self.plan.objects[at].target;
            (target.namespace.as_deref().unwrap_or_default(), &*target.name)
        };
        // A map of 300,000 names would take ten times the memory.
        places.sort_unstable_by(|a, b| name(*a).cmp(&name(*b)));
        let path = resource.collection_path();
        let mut pages = Pages::new(self.api, &path, Some(&self.version));
        let (mut compared, mut unplanned) = (vec![false; places.len()], Vec::new());
        let mut leftovers = TargetLeftovers::default();
        loop {
            let mut page = Read::default();
            let read = pages.next(|item, seen| {
                let key = (seen.namespace.as_deref().unwrap_or_default(), seen.name.as_ref());
                let place = places.binary_search_by(|at| name(*at).cmp(&key));
                if self.plan.may_name_primary(resource, item) {
                    page.naming.push((place.ok(), item.to_vec()));
                }
                if let Ok(place) = place {
                    page.planned.push((place, item.to_vec()));
                } else if let Some(body) = parse(item, resource)
                    && self.run.made(text(&body, "/metadata/creationTimestamp"))
                {
                    page.unplanned.push(body);
                }
            });
            let end = match read.await {
                Ok(end) => end,
                // The type's definition was not restored, so that none of its objects can exist.
                Err(PageError::Api(error)) if error.status() == Some(404) => PageEnd::Last,
                Err(cause) => return Err(ProveError::List { path, cause }),
            };
            if end == PageEnd::Restarted {
                unplanned.clear();
                leftovers = TargetLeftovers::default();
                continue;
            }
            for (place, raw) in page.naming {
                if let Some(live) = parse(&raw, resource) {
                    let planned = place.map(|place| &self.plan.objects[places[place]]);
                    self.plan.find_leftovers(resource, planned, live, &mut leftovers);
                }
            }
            for (place, raw) in page.planned {
                // A list that begins again contains objects that have been compared. An object that is neither proven
                // nor failed counts as missing.
                let is_new = !std::mem::replace(&mut compared[place], true);
                if let Some(live) = parse(&raw, resource).filter(|_| is_new) {
                    let at = places[place];
                    let object = &self.plan.objects[at];
                    let Locator { frame, position } = object.locator;
                    let captured = self.source.object(frame, position).await?;
                    self.compare(at, object, &captured, &live);
                }
            }
            unplanned.extend(page.unplanned);
            if end == PageEnd::Last {
                self.report().leftovers(leftovers);
                return Ok(unplanned::of_type(resource, unplanned));
            }
        }
    }

    fn compare(&self, at: usize, object: &PlannedObject, raw: &[u8], live: &Value) {
        let mut report = self.report();
        if self.outcome.results.get(at) == Some(&ObjectResult::KeptUnplanned) {
            report.fail(
                at,
                "another client created it after the plan was made, and it was kept",
            );
        }
        let uids = |uid: &Uid| Some(self.outcome.owner_uid(uid));
        match body(self.plan, object, raw, &uids) {
            Ok(bodies) => {
                let admitted = admitted(object, &bodies, live, self.plan.redactor());
                let proof = Proof {
                    bodies: &bodies,
                    answered: (object.action != Action::Keep).then_some(&admitted),
                    live,
                };
                report.prove(at, proof);
                if self.outcome.results.get(at) == Some(&ObjectResult::Restored) {
                    report.owners(at, owners::differences(object, &bodies, live));
                }
            }
            Err(error) => report.fail(at, error.to_string()),
        }
    }
}

/// Returns the object as the server admitted it, derived from the live one: a field that differs from the
/// plan and is owned only by the field managers of the restore can only have got its value during the write.
/// This is as good as the server's response, and is available after an interruption, when the response is
/// lost.
fn admitted(object: &PlannedObject, bodies: &Bodies, live: &Value, redactor: &Redactor) -> Value {
    let planned = planned_managers(object, bodies);
    let mut admitted = bodies.create.clone();
    for difference in compare(&bodies.create, live, redactor) {
        if difference.difference == Difference::Missing
            || lost_elements(&bodies.create, live, &difference.path)
        {
            continue;
        }
        let owners = owners::field_owners(live, &difference.path);
        if owners
            .iter()
            .all(|owner| planned.contains(&owner.manager.as_str()))
        {
            copy_path(&mut admitted, live, &difference.path);
        }
    }
    admitted
}

/// Returns whether a list has fewer elements than planned. Nobody owns an element that is gone, so that its removal
/// leaves no trace.
fn lost_elements(planned: &Value, live: &Value, pointer: &str) -> bool {
    let length = |value: &Value| value.pointer(pointer)?.as_array().map(Vec::len);
    matches!((length(planned), length(live)), (Some(planned), Some(live)) if live < planned)
}

/// Copies the value at `pointer` from one document into another, with the enclosing lists.
fn copy_path(into: &mut Value, from: &Value, pointer: &str) {
    let mut at = into;
    let mut source = from;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let index = token.parse::<usize>().ok();
        let next = match (source, index) {
            (Value::Array(elements), Some(index)) => elements.get(index),
            (other, _) => other.get(&token),
        };
        let Some(next) = next else {
            return;
        };
        match (&mut *at, index) {
            (Value::Array(elements), Some(index)) => {
                while elements.len() <= index {
                    elements.push(Value::Null);
                }
                at = &mut elements[index];
            }
            (Value::Object(members), _) => at = members.entry(token).or_insert(Value::Null),
            (other, _) => {
                *other = source.clone();
                return;
            }
        }
        source = next;
    }
    *at = source.clone();
}

/// Returns the field managers that the restore wrote with.
fn planned_managers<'a>(object: &'a PlannedObject, bodies: &'a Bodies) -> Vec<&'a str> {
    use lifeboat_plan::Ownership;
    let mut names = vec![crate::wire::MANAGER];
    match &object.ownership {
        Ownership::Single { manager, .. } => names.push(manager),
        Ownership::Several { first } => names.push(first),
        Ownership::None => {}
    }
    let listed = bodies.managed_fields.as_ref().and_then(Value::as_array);
    names.extend(listed.into_iter().flatten().map(|entry| text(entry, "/manager")));
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::copy_path;

    #[test]
    fn a_value_is_grafted_with_the_lists_around_it() {
        let live = json!({"a": {"list": [{"x": 1}, {"x": 2, "y": 3}]}, "b/c": 4});
        let mut planned = json!({"a": {"list": [{"x": 1}]}, "keep": true});
        copy_path(&mut planned, &live, "/a/list/1/y");
        copy_path(&mut planned, &live, "/b~1c");
        copy_path(&mut planned, &live, "/gone/away");
        assert_eq!(planned.pointer("/a/list/1/y"), Some(&json!(3)));
        assert_eq!(planned["b/c"], 4);
        assert_eq!(planned["keep"], true);
    }
}
