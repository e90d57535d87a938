//! The requests that follow the one that creates an object.

use std::time::Duration;

use http::Method;
use lifeboat_model::{Diagnostic as _, ErrorKind, Uid};
use lifeboat_plan::{Bodies, PlannedObject, Step};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::attempt::{object_path, owner, stop};
use super::{Shared, Stop};
use crate::outcome::{FailedStep, Failure};
use crate::wire::{self, APPLY_PATCH, JSON_PATCH, MANAGER, MERGE_PATCH, text};
use lifeboat_apiserver::list::escape_query;
use lifeboat_system::sleep;

/// Pauses between reads of a CustomResourceDefinition: most are served within about 50 ms.
const LOOKS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(250)];

/// The time after which the progress names what is waited for.
pub(super) const NAMED_AFTER: Duration = Duration::from_secs(3);

/// A wait for one object, with its time limit.
struct Wait<'a> {
    shared: &'a Shared<'a>,
    object: &'a PlannedObject,
    begun: Instant,
    named: bool,
}

impl<'a> Wait<'a> {
    fn begin(shared: &'a Shared<'a>, object: &'a PlannedObject) -> Self {
        Self {
            shared,
            object,
            begun: Instant::now(),
            named: false,
        }
    }

    /// Pauses; returns `false` if the time is up.
    async fn pause(&mut self, pause: &mut Duration) -> bool {
        let limit = self.shared.settings.establish_within;
        let waited = self.begun.elapsed();
        if waited >= limit || self.shared.settings.interrupt.is_cancelled() {
            return false;
        }
        if waited >= NAMED_AFTER && !self.named {
            self.named = true;
            self.shared.progress.waiting(&self.object.target, limit);
        }
        sleep(*pause).await;
        *pause = (*pause * 2).min(LOOKS[1]);
        true
    }
}

/// Runs one step. Every step is idempotent.
pub(super) async fn take(
    shared: &Shared<'_>,
    object: &PlannedObject,
    bodies: &Bodies,
    uid: &Uid,
    step: Step,
) -> Result<(), Stop> {
    match step {
        Step::WaitEstablished => established(shared, object, &bodies.create).await,
        Step::WaitReady => ready(shared, object).await,
        Step::WaitSecond => {
            sleep(Duration::from_secs(1)).await;
            Ok(())
        }
        Step::SetTemplate => {
            revision_recorded(shared, object).await?;
            set_template(shared, object, &bodies.create, uid).await
        }
        Step::SetDeferredFields => match &bodies.deferred {
            Some(change) => patch(shared, object, uid, "", change.clone(), FailedStep::Deferred).await,
            None => Ok(()),
        },
        Step::SetManagedFields | Step::SetManagedFieldsLast => match &bodies.managed_fields {
            Some(entries) => {
                let change = json!({ "metadata": { "managedFields": entries } });
                patch(shared, object, uid, "", change, FailedStep::Ownership).await
            }
            None => Ok(()),
        },
        Step::SetStatus => match &bodies.status {
            Some(status) => set_status(shared, object, uid, status, FailedStep::Status).await,
            None => Ok(()),
        },
        Step::FinishJob => {
            let status = bodies.status.clone().unwrap_or_default();
            set_status(shared, object, uid, &status, FailedStep::Finish).await?;
            let change = json!({ "spec": { "suspend": bodies.suspend } });
            patch(shared, object, uid, "", change, FailedStep::Finish).await
        }
    }
}

/// Replaces the status of the object with this uid only. A JSON patch (RFC 6902) keeps nulls, which a merge patch
/// would remove, and the server checks the uid before it applies the rest.
async fn set_status(
    shared: &Shared<'_>,
    object: &PlannedObject,
    uid: &Uid,
    status: &Value,
    step: FailedStep,
) -> Result<(), Stop> {
    let mut operations = Vec::new();
    if !uid.is_empty() {
        operations.push(json!({ "op": "test", "path": "/metadata/uid", "value": uid.to_string() }));
    }
    operations.push(json!({ "op": "add", "path": "/status", "value": status }));
    let path = format!(
        "{}/status?fieldManager={MANAGER}&fieldValidation=Ignore",
        object_path(object)
    );
    match wire::send(shared.api, Method::PATCH, &path, JSON_PATCH, &operations.into()).await {
        Ok(_) => Ok(()),
        Err(error) => Err(stop(step, &object.target, error)),
    }
}

/// Merge-patches the object with this uid only (RFC 7386). The server rejects another uid.
async fn patch(
    shared: &Shared<'_>,
    object: &PlannedObject,
    uid: &Uid,
    subresource: &str,
    mut change: Value,
    step: FailedStep,
) -> Result<(), Stop> {
    if !uid.is_empty() {
        change["metadata"]["uid"] = uid.to_string().into();
    }
    let path = format!(
        "{}{subresource}?fieldManager={MANAGER}&fieldValidation=Ignore",
        object_path(object)
    );
    match wire::send(shared.api, Method::PATCH, &path, MERGE_PATCH, &change).await {
        Ok(_) => Ok(()),
        Err(error) => Err(stop(step, &object.target, error)),
    }
}

/// Waits until the controller of a StatefulSet has recorded the revision that it was created with.
async fn revision_recorded(shared: &Shared<'_>, object: &PlannedObject) -> Result<(), Stop> {
    let mut wait = Wait::begin(shared, object);
    let mut pause = LOOKS[0];
    loop {
        let live = (wire::read(shared.api, &object_path(object)).await)
            .map_err(|error| stop(FailedStep::Rollout, &object.target, error))?
            .unwrap_or_default();
        if !text(&live, "/status/currentRevision").is_empty() {
            // A controller sees what it has written itself a moment later, and takes the next template for the first one
            // until it does.
            sleep(LOOKS[1]).await;
            return Ok(());
        }
        if !wait.pause(&mut pause).await {
            return Err(Stop::Failed(Failure::without_answer(
                FailedStep::Rollout,
                ErrorKind::Deadline,
                "its controller has not recorded the former revision".to_owned(),
            )));
        }
    }
}

/// Sets the planned template and number of Pods of a StatefulSet with this uid only, as its first owner.
async fn set_template(
    shared: &Shared<'_>,
    object: &PlannedObject,
    create: &Value,
    uid: &Uid,
) -> Result<(), Stop> {
    let (manager, apply) = owner(object);
    let path = format!(
        "{}?fieldManager={}&fieldValidation=Ignore",
        object_path(object),
        escape_query(manager)
    );
    let sent = if apply {
        let mut wanted = create.clone();
        wanted["metadata"]["uid"] = uid.to_string().into();
        wire::send(
            shared.api,
            Method::PATCH,
            &format!("{path}&force=true"),
            APPLY_PATCH,
            &wanted,
        )
        .await
    } else {
        let mut operations = vec![json!({ "op": "test", "path": "/metadata/uid", "value": uid.to_string() })];
        for path in ["/spec/template", "/spec/replicas"] {
            operations.push(match create.pointer(path) {
                Some(value) => json!({ "op": "add", "path": path, "value": value }),
                None => json!({ "op": "remove", "path": path }),
            });
        }
        wire::send(shared.api, Method::PATCH, &path, JSON_PATCH, &operations.into()).await
    };
    match sent {
        Ok(_) => Ok(()),
        Err(error) => Err(stop(FailedStep::Rollout, &object.target, error)),
    }
}

#[derive(Deserialize)]
struct Resources {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
}

/// Waits until discovery shows every version that the definition serves. A type appears in discovery only
/// when its definition is established.
///
/// A served type may still be slow: during its first two seconds the API server delays every POST of a new
/// type by two seconds (`serveResource` of apiextensions-apiserver). A small restore whose custom resources
/// follow that soon takes two seconds longer, once, regardless of their number.
async fn established(shared: &Shared<'_>, object: &PlannedObject, definition: &Value) -> Result<(), Stop> {
    let group = text(definition, "/spec/group");
    let plural = text(definition, "/spec/names/plural");
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    let mut wait = Wait::begin(shared, object);
    for version in versions.into_iter().flatten() {
        if version.get("served") != Some(&Value::Bool(true)) {
            continue;
        }
        let path = format!("/apis/{group}/{}", text(version, "/name"));
        let mut pause = LOOKS[0];
        loop {
            let served = match shared.api.get_json::<Resources>(&path).await {
                Ok(found) => found.resources.iter().any(|resource| resource.name == plural),
                Err(error) if matches!(error.kind(), ErrorKind::Gone | ErrorKind::Retry) => false,
                Err(error) => return Err(stop(FailedStep::Establish, &object.target, error)),
            };
            if served {
                break;
            }
            if !wait.pause(&mut pause).await {
                return Err(not_established(shared, object).await);
            }
        }
    }
    Ok(())
}

/// Waits until the object has the condition `Ready`.
async fn ready(shared: &Shared<'_>, object: &PlannedObject) -> Result<(), Stop> {
    let mut wait = Wait::begin(shared, object);
    let mut pause = LOOKS[0];
    loop {
        let live = (wire::read(shared.api, &object_path(object)).await)
            .map_err(|error| stop(FailedStep::Establish, &object.target, error))?
            .unwrap_or_default();
        let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
        let is_ready =
            |condition: &Value| text(condition, "/type") == "Ready" && text(condition, "/status") == "True";
        if conditions.is_some_and(|conditions| conditions.iter().any(is_ready)) {
            return Ok(());
        }
        if !wait.pause(&mut pause).await {
            return Err(not_established(shared, object).await);
        }
    }
}

/// Returns why the object is not established or ready, from its conditions.
async fn not_established(shared: &Shared<'_>, object: &PlannedObject) -> Stop {
    let live = match wire::read(shared.api, &object_path(object)).await {
        Ok(live) => live.unwrap_or_default(),
        Err(error) => return stop(FailedStep::Establish, &object.target, error),
    };
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
    let why: Vec<String> = (conditions.into_iter().flatten())
        .filter(|condition| text(condition, "/status") != "True")
        .map(|condition| format!("{}: {}", text(condition, "/type"), text(condition, "/message")))
        .collect();
    let why = match why.is_empty() {
        true => "its conditions give no reason".to_owned(),
        false => why.join("; "),
    };
    Stop::Failed(Failure::without_answer(
        FailedStep::Establish,
        ErrorKind::Deadline,
        why,
    ))
}
