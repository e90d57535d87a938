//! Objects that are older than the rules of their definition: the definition is without these rules while they are
//! created, and has them again at the end.

use std::collections::BTreeMap;

use http::Method;
use lifeboat_model::ObjectRef;
use lifeboat_plan::relax::relax;
use lifeboat_plan::{Difference, PlannedObject, Step, Wave, compare, merge_into_live};
use serde_json::Value;

use super::attempt::{self, ObjectState, object_path};
use super::{RestoreError, Shared, steps};
use crate::outcome::FailedStep;
use crate::wire::{self, JSON};
use lifeboat_apiserver::api::ApiError;
use lifeboat_apiserver::list::escape_query;

/// The number of attempts against other writers of a definition.
const RACES: u32 = 5;

/// Returns whether the API server has rejected the content of an object.
pub(super) fn is_rejected(slot: &ObjectState) -> bool {
    slot.failure.as_ref().is_some_and(|failure| {
        failure.status == Some(422)
            && matches!(
                failure.step,
                FailedStep::Create | FailedStep::Update | FailedStep::Status
            )
    })
}

/// Returns the definitions that an interrupted run has left without their rules.
async fn left_relaxed(shared: &Shared<'_>) -> Result<Vec<usize>, RestoreError> {
    let mut found = Vec::new();
    if !shared.lease.run().resumed {
        return Ok(found);
    }
    for (at, object) in shared.plan.objects.iter().enumerate() {
        let known = shared.facts.existing.get(&object.target);
        if !is_definition(object) || !known.is_some_and(|known| known.created_by_this_run) {
            continue;
        }
        let (Ok(bodies), Some(live)) = (
            attempt::bodies(shared, object).await,
            wire::read(shared.api, &object_path(object)).await?,
        ) else {
            continue;
        };
        let redactor = shared.plan.redactor();
        let is_like = |planned: &Value| {
            let differences = compare(planned, &live, redactor);
            let mut of_schema = differences
                .iter()
                .filter(|one| one.path.starts_with("/spec/versions"));
            of_schema.all(|one| one.difference == Difference::Added)
        };
        if !is_like(&bodies.create) && is_like(&relax(&bodies.create)) {
            found.push(at);
        }
    }
    Ok(found)
}

/// Removes the rules of the definitions whose objects are rejected, of those that this restore has written. Returns the
/// objects to try again.
pub(super) async fn relax_rejecting(
    shared: &Shared<'_>,
    slots: &[ObjectState],
    failed: &[usize],
    relaxed: &mut BTreeMap<usize, usize>,
) -> Result<Vec<usize>, RestoreError> {
    let mut again = Vec::new();
    let mut rejected: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &at in failed.iter().filter(|&&at| is_rejected(&slots[at])) {
        let resource = &shared.plan.objects[at].resource;
        let name = format!("{}.{}", resource.resource, resource.group);
        let definition = ObjectRef::new(
            "customresourcedefinitions.apiextensions.k8s.io".into(),
            None,
            &name,
        );
        let mut definitions = shared
            .plan
            .objects
            .iter()
            .take_while(|object| object.wave == Wave::Crds);
        let place = definitions.position(|object| object.target == definition);
        if let Some(place) =
            place.filter(|&place| slots[place].made.is_some() && slots[place].failure.is_none())
        {
            rejected.entry(place).or_default().push(at);
        }
    }
    for (place, objects) in rejected {
        let object = &shared.plan.objects[place];
        let Ok(bodies) = attempt::bodies(shared, object).await else {
            continue;
        };
        let wanted = relax(&bodies.create);
        if wanted == bodies.create {
            continue;
        }
        tracing::info!(definition = %object.target, objects = objects.len(), "created without the rules that objects break");
        replace(shared, object, &wanted).await?;
        *relaxed.entry(place).or_default() += objects.len();
        again.extend(objects);
    }
    again.sort_unstable();
    Ok(again)
}

/// Brings the definitions to their captured form, those that an interrupted run has left without their rules too.
pub(super) async fn restore_rules(
    shared: &Shared<'_>,
    slots: &mut [ObjectState],
    relaxed: &mut BTreeMap<usize, usize>,
) -> Result<(), RestoreError> {
    for place in left_relaxed(shared).await? {
        relaxed.entry(place).or_default();
    }
    for &place in relaxed.keys() {
        let object = &shared.plan.objects[place];
        let done = async {
            let bodies = attempt::bodies(shared, object).await?;
            let failed = |error: ApiError| attempt::stop(FailedStep::Rules, &object.target, error);
            replace(shared, object, &bodies.create).await.map_err(failed)?;
            // The manager of the request owns what it has added again.
            let uid = slots[place].made.clone().unwrap_or_default();
            steps::take(shared, object, &bodies, &uid, Step::SetManagedFields).await
        };
        let failure = attempt::failure(shared, object, done.await).await?;
        if failure.is_some() {
            slots[place].failure = failure;
        }
    }
    Ok(())
}

fn is_definition(object: &PlannedObject) -> bool {
    object.target.r#type.as_str() == "customresourcedefinitions.apiextensions.k8s.io"
}

/// Replaces the live object, with its first owner as the field manager.
async fn replace(shared: &Shared<'_>, object: &PlannedObject, wanted: &Value) -> Result<(), ApiError> {
    let path = object_path(object);
    let (manager, _) = attempt::owner(object);
    let put = format!(
        "{path}?fieldManager={}&fieldValidation=Ignore",
        escape_query(manager)
    );
    let mut races = 0;
    loop {
        let live = wire::read(shared.api, &path).await?.unwrap_or_default();
        let sent = wire::send(
            shared.api,
            Method::PUT,
            &put,
            JSON,
            &merge_into_live(wanted, &live),
        )
        .await;
        races += 1;
        match sent {
            Ok(_) => return Ok(()),
            Err(error) if error.status() == Some(409) && races < RACES => {}
            Err(error) => return Err(error),
        }
    }
}
