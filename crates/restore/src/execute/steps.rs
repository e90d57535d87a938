//! The requests that follow the one that creates an object.

use std::time::Duration;

use http::Method;
use lifeboat_model::{Diagnostic as _, ErrorKind};
use lifeboat_plan::{Bodies, PlannedObject, Step};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::attempt::{object_path, stop};
use super::{Shared, Stop};
use crate::outcome::{FailedStep, Failure};
use crate::wire::{self, MANAGER, MERGE_PATCH, text};
use lifeboat_system::sleep;

/// Pauses between reads of a CustomResourceDefinition: most are served within about 50 ms.
const LOOKS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(250)];

/// Runs one step. Every step is idempotent.
pub(super) async fn take(
    shared: &Shared<'_>,
    object: &PlannedObject,
    bodies: &Bodies,
    uid: &str,
    step: Step,
) -> Result<(), Stop> {
    match step {
        Step::WaitEstablished => established(shared, object, &bodies.create).await,
        Step::WaitReady => ready(shared, object).await,
        Step::SetManagedFields | Step::SetManagedFieldsLast => match &bodies.managed_fields {
            Some(entries) => {
                let change = json!({ "metadata": { "managedFields": entries } });
                patch(shared, object, uid, "", change, FailedStep::Ownership).await
            }
            None => Ok(()),
        },
        Step::SetStatus => match &bodies.status {
            Some(status) => {
                let change = json!({ "status": status });
                patch(shared, object, uid, "/status", change, FailedStep::Status).await
            }
            None => Ok(()),
        },
        Step::FinishJob => {
            let status = bodies.status.clone().unwrap_or_default();
            let change = json!({ "status": status });
            patch(shared, object, uid, "/status", change, FailedStep::Finish).await?;
            let change = json!({ "spec": { "suspend": bodies.suspend } });
            patch(shared, object, uid, "", change, FailedStep::Finish).await
        }
    }
}

/// Merge-patches the object with this uid only (RFC 7386). The server rejects another uid.
async fn patch(
    shared: &Shared<'_>,
    object: &PlannedObject,
    uid: &str,
    subresource: &str,
    mut change: Value,
    step: FailedStep,
) -> Result<(), Stop> {
    if !uid.is_empty() {
        change["metadata"]["uid"] = uid.into();
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
    let until = Instant::now() + shared.settings.establish_within;
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
            if Instant::now() >= until {
                return Err(not_established(shared, object).await);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOKS[1]);
        }
    }
    Ok(())
}

/// Waits until the object has the condition `Ready`.
async fn ready(shared: &Shared<'_>, object: &PlannedObject) -> Result<(), Stop> {
    let until = Instant::now() + shared.settings.establish_within;
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
        if Instant::now() >= until {
            return Err(not_established(shared, object).await);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOKS[1]);
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
