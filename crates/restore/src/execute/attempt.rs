//! One attempt to restore one object.

use http::Method;
use lifeboat_format::metadata::peek_metadata;
use lifeboat_model::{Diagnostic as _, ErrorKind, ObjectRef, Uid};
use lifeboat_plan::{
    Action, Bodies, BodyError, ExistingPolicy, Locator, Operation, Ownership, PlannedObject, RuleId, Step,
    add_aws_auth_entries, additions, body, in_former_revision, merge_into_live,
};
use serde_json::Value;
use tokio::time::Instant;

use super::retries::NextAttempt;
use super::{RestoreError, Shared, Stop, steps};
use crate::outcome::{FailedStep, Failure};
use crate::survey::managers;
use crate::wire::{self, APPLY_PATCH, Health, JSON, MANAGER, MERGE_PATCH, text};
use lifeboat_apiserver::api::{Answer, ApiError};
use lifeboat_apiserver::list::escape_query;
use lifeboat_system::sleep;

/// The progress of one object, across passes. A restore has 300,000 of them.
#[derive(Default)]
pub(super) struct ObjectState {
    /// The uid in the target, once this restore has written the object.
    pub(super) made: Option<Uid>,
    /// The number of completed follow-up steps; the highest number if there is nothing left to do.
    steps_done: u16,
    /// Whether [`Step::SetDeferredFields`] is done.
    pub(super) deferred_done: bool,
    /// Whether [`Step::SetManagedFieldsLast`] is done.
    pub(super) last_done: bool,
    /// Why nothing is written, if the object exists and is kept.
    pub(super) kept: Option<Kept>,
    /// Why the last attempt failed.
    pub(super) failure: Option<Box<Failure>>,
    /// The number of failed attempts.
    failures: u32,
}

/// Why an object is kept as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The plan says so.
    Planned,
    /// Another client created it after the plan was made.
    Unplanned,
}

impl ObjectState {
    /// Marks the object as restored by an earlier process.
    pub(super) fn set_complete(&mut self, uid: &Uid) {
        self.made = Some(uid.clone());
        self.steps_done = u16::MAX;
        self.deferred_done = true;
        self.last_done = true;
    }

    /// Returns whether the object is restored as planned and needs no further step.
    pub(super) fn is_complete(&self, object: &PlannedObject) -> bool {
        let is_last_due = (object.after.contains(&Step::SetManagedFieldsLast) && !self.last_done)
            || (object.deferred().is_some() && !self.deferred_done);
        self.failure.is_none() && self.made.is_some() && !is_last_due && self.kept.is_none()
    }

    /// Returns when the object is tried again.
    pub(super) fn next_attempt(&self) -> NextAttempt {
        match &self.failure {
            Some(failure) => NextAttempt::of(&failure.healing, self.failures),
            None => NextAttempt::None,
        }
    }
}

/// The number of attempts of a request whose response was lost or that lost a race with another writer.
const RACES: u32 = 5;

/// Restores an object; completed steps are not repeated.
pub(super) async fn attempt(
    shared: &Shared<'_>,
    at: usize,
    mut slot: ObjectState,
) -> Result<ObjectState, RestoreError> {
    if let Some(end) = shared.lease.end() {
        return Err(end.into());
    }
    if shared.settings.interrupt.is_cancelled() {
        return Ok(slot);
    }
    let object = &shared.plan.objects[at];
    let done = work(shared, object, &mut slot).await;
    slot.failure = failure(shared, object, done).await?;
    slot.failures += u32::from(slot.failure.is_some());
    Ok(slot)
}

/// Returns why the object failed, if it did; an error if all other objects would fail as well.
pub(super) async fn failure(
    shared: &Shared<'_>,
    object: &PlannedObject,
    done: Result<(), Stop>,
) -> Result<Option<Box<Failure>>, RestoreError> {
    match done {
        Ok(()) => Ok(None),
        Err(Stop::Failed(failure)) => Ok(Some(Box::new(failure))),
        // If the server responds to other requests, the connection breaks because of this object alone, for
        // example when a proxy times out during its admission.
        Err(Stop::Lost(step, error)) => match wire::health(shared.api).await {
            Ok(Health::Ready | Health::Unknown) => {
                Ok(Some(Box::new(Failure::from_api(step, &object.target, &error))))
            }
            Ok(Health::NotReady(_)) | Err(_) => Err(error.into()),
        },
        Err(Stop::Fatal(error)) => Err(error),
    }
}

/// Runs a step that does not follow the request that creates the object at once.
pub(super) async fn late_step(
    shared: &Shared<'_>,
    at: usize,
    mut slot: ObjectState,
    step: Step,
) -> Result<ObjectState, RestoreError> {
    let object = &shared.plan.objects[at];
    let done = async {
        let bodies = bodies(shared, object).await?;
        let uid = slot.made.clone().unwrap_or_default();
        steps::take(shared, object, &bodies, &uid, step).await
    };
    slot.failure = failure(shared, object, done.await).await?;
    let is_done = slot.failure.is_none();
    match step {
        Step::SetDeferredFields => slot.deferred_done = is_done,
        _ => slot.last_done = is_done,
    }
    Ok(slot)
}

async fn work(shared: &Shared<'_>, object: &PlannedObject, slot: &mut ObjectState) -> Result<(), Stop> {
    let known = shared.facts.existing.get(&object.target);
    if object.action == Action::Keep {
        if let Some(known) = known {
            shared.note_uid(&object.source_uid, &known.uid);
        }
        slot.kept = Some(Kept::Planned);
        return Ok(());
    }
    if slot.made.is_none()
        && object.action == Action::Create
        && let Some(known) = known
        && known.created_by_this_run
        && created_by_this_run(object, known.managers.iter().map(|manager| &**manager))
    {
        // The interrupted run created it. Follow-up steps may be missing.
        shared.note_uid(&object.source_uid, &known.uid);
        slot.made = Some(known.uid.clone());
    }
    let steps_left = object.after.len() > usize::from(slot.steps_done);
    if slot.made.is_some() && !steps_left {
        return Ok(());
    }
    let bodies = bodies(shared, object).await?;
    if slot.made.is_none() {
        match make(shared, object, &bodies).await? {
            Made::Ours(uid) => {
                shared.note_uid(&object.source_uid, &uid);
                slot.made = Some(uid);
            }
            Made::Foreign(uid) => {
                shared.note_uid(&object.source_uid, &uid);
                slot.kept = Some(Kept::Unplanned);
                slot.steps_done = u16::MAX;
                return Ok(());
            }
        }
    }
    let uid = slot.made.clone().unwrap_or_default();
    let mut late = None;
    for step in object.after.iter().skip(usize::from(slot.steps_done)) {
        match step {
            Step::SetManagedFieldsLast | Step::SetDeferredFields => {}
            // An object that is not established in time is not waited for again; its other steps do not depend on it.
            Step::WaitEstablished | Step::WaitReady => {
                match steps::take(shared, object, &bodies, &uid, *step).await {
                    Err(Stop::Failed(failure)) if failure.kind == ErrorKind::Deadline => late = Some(failure),
                    done => done?,
                }
            }
            _ => steps::take(shared, object, &bodies, &uid, *step).await?,
        }
        slot.steps_done += 1;
    }
    // After an interrupt nothing is wrong with it; the next run waits for it.
    let late = late.filter(|_| !shared.settings.interrupt.is_cancelled());
    late.map_or(Ok(()), |failure| Err(Stop::Failed(failure)))
}

pub(super) async fn bodies(shared: &Shared<'_>, object: &PlannedObject) -> Result<Bodies, Stop> {
    let read = |locator: Locator| async move {
        let raw = shared.source.object(locator.frame, locator.position).await;
        raw.map_err(|error| Stop::Fatal(error.into()))
    };
    let unprepared = |error: BodyError| {
        Stop::Failed(Failure::without_answer(
            FailedStep::Prepare,
            error.kind(),
            error.to_string(),
        ))
    };
    let raw = read(object.locator).await?;
    let mut bodies = body(shared.plan, object, &raw, &|uid| shared.uid_of(uid)).map_err(unprepared)?;
    if let Some(held) = object.held() {
        let revision = read(held.locator).await?;
        let first = in_former_revision(shared.plan, object, &raw, &revision, &bodies.create);
        bodies.without_deferred = Some(first.map_err(unprepared)?);
    }
    Ok(bodies)
}

/// Which object the target now contains.
enum Made {
    /// The planned object, with this uid.
    Ours(Uid),
    /// An object that another client created after the plan was made, and that is kept.
    Foreign(Uid),
}

async fn make(shared: &Shared<'_>, object: &PlannedObject, bodies: &Bodies) -> Result<Made, Stop> {
    let is_aws_auth = object
        .changes
        .iter()
        .any(|change| change.rule == RuleId::AwsAuthAdded);
    match object.action {
        _ if is_aws_auth => let_in(shared, object, bodies).await,
        Action::Create | Action::Keep => create(shared, object, bodies, shared.settings.existing).await,
        Action::CreateOrUpdate => create(shared, object, bodies, ExistingPolicy::Update).await,
        Action::Update => update(shared, object, bodies).await,
        Action::Recreate => recreate(shared, object, bodies).await,
        Action::Merge => merge(shared, object, bodies).await,
    }
}

/// Writes the additions of the plan alone, so that everything else stays as the API server has it.
async fn merge(shared: &Shared<'_>, object: &PlannedObject, bodies: &Bodies) -> Result<Made, Stop> {
    let path = format!(
        "{}?fieldManager={}&fieldValidation=Ignore",
        object_path(object),
        escape_query(owner(object).0)
    );
    let additions = additions(object, bodies);
    match wire::send(shared.api, Method::PATCH, &path, MERGE_PATCH, &additions).await {
        Ok(answer) => Ok(Made::Ours(uid_of(&answer))),
        Err(error) => Err(stop(FailedStep::Update, &object.target, error)),
    }
}

/// Adds entries to `aws-auth`, or creates it with them. EKS may do either at the same time, for nodes that are built while
/// the objects are restored.
async fn let_in(shared: &Shared<'_>, object: &PlannedObject, bodies: &Bodies) -> Result<Made, Stop> {
    let path = object_path(object);
    let patch_path = format!(
        "{path}?fieldManager={}&fieldValidation=Ignore",
        escape_query(owner(object).0)
    );
    for _ in 0..RACES {
        let live = (wire::read(shared.api, &path).await)
            .map_err(|error| stop(FailedStep::Update, &object.target, error))?;
        let Some(live) = live else {
            match create(shared, object, bodies, ExistingPolicy::Keep).await? {
                Made::Ours(uid) => return Ok(Made::Ours(uid)),
                Made::Foreign(_) => continue,
            }
        };
        let Some(patch) = add_aws_auth_entries(&bodies.create, &live) else {
            return Ok(Made::Ours(text(&live, "/metadata/uid").into()));
        };
        match wire::send(shared.api, Method::PATCH, &patch_path, MERGE_PATCH, &patch).await {
            Ok(answer) => return Ok(Made::Ours(uid_of(&answer))),
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(stop(FailedStep::Update, &object.target, error)),
        }
    }
    Err(contended(FailedStep::Update))
}

async fn create(
    shared: &Shared<'_>,
    object: &PlannedObject,
    bodies: &Bodies,
    existing: ExistingPolicy,
) -> Result<Made, Stop> {
    let path = object_path(object);
    let mut lost = None;
    for _ in 0..RACES {
        let error = match ask_to_create(shared, object, bodies).await {
            Ok(answer) => return Ok(Made::Ours(uid_of(&answer))),
            Err(error) => error,
        };
        let conflict = error.kind() == ErrorKind::Conflict;
        if !conflict && !matches!(error, ApiError::Interrupted { .. }) {
            return Err(stop(FailedStep::Create, &object.target, error));
        }
        // The object exists, or the response was lost: a read by name shows which, and nothing is created
        // twice.
        let live = (wire::read(shared.api, &path).await)
            .map_err(|error| stop(FailedStep::Create, &object.target, error))?;
        if let Some(live) = live {
            let uid: Uid = text(&live, "/metadata/uid").into();
            let made_now = shared
                .lease
                .run()
                .made(text(&live, "/metadata/creationTimestamp"));
            if made_now
                && created_by_this_run(object, managers(&live))
                && object.action != Action::CreateOrUpdate
            {
                return Ok(Made::Ours(uid));
            }
            return match existing {
                ExistingPolicy::Keep => Ok(Made::Foreign(uid)),
                ExistingPolicy::Update => update(shared, object, bodies).await,
                ExistingPolicy::Recreate => {
                    delete(shared, object, &uid).await?;
                    continue;
                }
            };
        }
        lost = Some(error);
    }
    Err(match lost {
        Some(error) => stop(FailedStep::Create, &object.target, error),
        None => contended(FailedStep::Create),
    })
}

/// Sends one request that creates the object with its first owner as the field manager.
async fn ask_to_create(
    shared: &Shared<'_>,
    object: &PlannedObject,
    bodies: &Bodies,
) -> Result<Answer, ApiError> {
    let (manager, apply) = owner(object);
    let manager = escape_query(manager);
    if apply {
        // Without `force`, a field that another manager set in the meantime is a conflict, and the object is
        // read again.
        let path = format!(
            "{}?fieldManager={manager}&fieldValidation=Ignore",
            object_path(object)
        );
        return wire::send(shared.api, Method::PATCH, &path, APPLY_PATCH, first(bodies)).await;
    }
    let collection = object.resource.path_in(object.target.namespace.as_deref());
    let path = format!("{collection}?fieldManager={manager}&fieldValidation=Ignore");
    wire::send(shared.api, Method::POST, &path, JSON, first(bodies)).await
}

/// Returns the body of the first request, without the fields that are set later.
fn first(bodies: &Bodies) -> &Value {
    bodies.without_deferred.as_ref().unwrap_or(&bodies.create)
}

/// Returns the field manager for the write, and whether it is a server-side apply.
pub(super) fn owner(object: &PlannedObject) -> (&str, bool) {
    match &object.ownership {
        Ownership::Single { manager, operation } => (manager, *operation == Operation::Apply),
        Ownership::Several { first } => (first, false),
        Ownership::None => (MANAGER, false),
    }
}

/// Returns whether a live object that is young enough was created by this plan and not by another client at
/// the same time: the plan's field manager is among the owners of its fields. An object without owners (a
/// cluster's admission may remove them) counts as created by this plan.
fn created_by_this_run<'m>(object: &PlannedObject, managers: impl Iterator<Item = &'m str>) -> bool {
    let (planned, _) = owner(object);
    let mut managers = managers.peekable();
    managers.peek().is_none() || managers.any(|manager| manager == planned)
}

async fn update(shared: &Shared<'_>, object: &PlannedObject, bodies: &Bodies) -> Result<Made, Stop> {
    let stop = |error| stop(FailedStep::Update, &object.target, error);
    let path = object_path(object);
    let put = format!(
        "{path}?fieldManager={}&fieldValidation=Ignore",
        escape_query(owner(object).0)
    );
    for _ in 0..RACES {
        let Some(live) = wire::read(shared.api, &path).await.map_err(stop)? else {
            match ask_to_create(shared, object, bodies).await {
                Ok(answer) => return Ok(Made::Ours(uid_of(&answer))),
                Err(error)
                    if error.kind() == ErrorKind::Conflict
                        || matches!(error, ApiError::Interrupted { .. }) =>
                {
                    continue;
                }
                Err(error) => return Err(stop(error)),
            }
        };
        // The Pods of a StatefulSet that exists stay.
        let planned = match object.held() {
            Some(_) => &bodies.create,
            None => first(bodies),
        };
        let wanted = merge_into_live(planned, &live);
        match wire::send(shared.api, Method::PUT, &put, JSON, &wanted).await {
            Ok(answer) => return Ok(Made::Ours(uid_of(&answer))),
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone) => {}
            Err(error) => return Err(stop(error)),
        }
    }
    Err(contended(FailedStep::Update))
}

async fn recreate(shared: &Shared<'_>, object: &PlannedObject, bodies: &Bodies) -> Result<Made, Stop> {
    let path = object_path(object);
    let live = (wire::read(shared.api, &path).await)
        .map_err(|error| stop(FailedStep::Delete, &object.target, error))?;
    if let Some(live) = live {
        let made_now = shared
            .lease
            .run()
            .made(text(&live, "/metadata/creationTimestamp"));
        let uid = Uid::from(text(&live, "/metadata/uid"));
        if made_now && created_by_this_run(object, managers(&live)) {
            return Ok(Made::Ours(uid));
        }
        delete(shared, object, &uid).await?;
    }
    create(shared, object, bodies, ExistingPolicy::Recreate).await
}

/// Deletes the object with this uid and waits until it is gone.
async fn delete(shared: &Shared<'_>, object: &PlannedObject, uid: &Uid) -> Result<(), Stop> {
    let path = object_path(object);
    let stop = |error| stop(FailedStep::Delete, &object.target, error);
    match wire::delete(shared.api, &path, &uid.to_string(), None).await {
        Ok(()) => {}
        // The name now belongs to another object, so that the one to delete is gone.
        Err(error) if error.kind() == ErrorKind::Conflict => {}
        Err(error) => return Err(stop(error)),
    }
    let until = Instant::now() + shared.settings.gone_within;
    let mut pause = std::time::Duration::from_millis(10);
    loop {
        let live = wire::read(shared.api, &path).await.map_err(stop)?;
        let Some(live) = live.filter(|live| Uid::from(text(live, "/metadata/uid")) == *uid) else {
            return Ok(());
        };
        if Instant::now() >= until {
            let finalizers = live.pointer("/metadata/finalizers").unwrap_or(&Value::Null);
            return Err(Stop::Failed(Failure::without_answer(
                FailedStep::Delete,
                ErrorKind::Deadline,
                format!("it still exists, blocked by its finalizers {finalizers}"),
            )));
        }
        sleep(pause).await;
        pause = (pause * 2).min(std::time::Duration::from_secs(1));
    }
}

pub(super) fn object_path(object: &PlannedObject) -> String {
    let ObjectRef { namespace, name, .. } = &object.target;
    object.resource.object_path(namespace.as_deref(), name)
}

fn uid_of(answer: &Answer) -> Uid {
    // An aggregated API may return an object without a uid; such an object cannot be an owner.
    peek_metadata(&answer.body)
        .map(|seen| seen.uid.as_ref().into())
        .unwrap_or_default()
}

fn contended(step: FailedStep) -> Stop {
    Stop::Failed(Failure::without_answer(
        step,
        ErrorKind::Conflict,
        "another client keeps changing it".to_owned(),
    ))
}

/// Classifies an error: one that affects every object ends the restore, and the same command continues it.
pub(super) fn stop(step: FailedStep, object: &ObjectRef, error: ApiError) -> Stop {
    match &error {
        ApiError::Refused(refusal) if refusal.status != 401 => {
            Stop::Failed(Failure::from_api(step, object, &error))
        }
        ApiError::TooLarge { .. } | ApiError::Request { .. } => {
            Stop::Failed(Failure::from_api(step, object, &error))
        }
        ApiError::Interrupted { .. } => Stop::Lost(step, error),
        _ => Stop::Fatal(error.into()),
    }
}
