//! Deletes recovery stacks, and takes the deletion protection off their clusters first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use lifeboat_infrastructure::{Stack as RecoveryStack, TAG};
use lifeboat_model::{ApplicationName, Problem};
use serde_json::Value;

use super::{ChangeSetName, STACK_TAG, Tell};
use crate::stack::{self, OnFailure, StackResource, StackSpec, Stacks};

/// Deletes the recovery stacks of an application that `is_wanted` selects, those that were built last first. Returns their
/// names in CloudFormation.
///
/// Nothing but the tags of the stacks is needed, so that what older descriptions built is deleted as well. Resources that
/// hold data (file systems, keys, repositories with images) are retained. The deletion protection that a cluster has from
/// its template is taken off.
///
/// # Errors
/// LB-1290 if a cluster keeps its protection, LB-1005 if a deletion fails otherwise, or the code of a failed call.
pub async fn take_down(
    stacks: &dyn Stacks,
    application: &ApplicationName,
    change_set: ChangeSetName<'_>,
    tell: Tell<'_>,
    is_wanted: impl Fn(&RecoveryStack) -> bool,
) -> Result<Vec<String>, Problem> {
    let tags = BTreeMap::from([(TAG.to_owned(), application.to_string())]);
    let found = stacks.all().await?;
    let ours = found.into_iter().filter_map(|(name, stack)| {
        let is_ours = stack.tags.get(TAG).map(String::as_str) == Some(application.as_str());
        let stack = RecoveryStack::of_symbol(stack.tags.get(STACK_TAG)?)?;
        (is_ours && is_wanted(&stack)).then_some((stack, name))
    });
    let mut ours: Vec<(RecoveryStack, String)> = ours.collect();
    ours.sort();
    let mut deleted = Vec::new();
    for (stack, name) in ours.into_iter().rev() {
        if matches!(stack, RecoveryStack::Cluster(_)) {
            unprotect(stacks, &name, &tags, change_set, tell).await?;
        }
        if stack::delete(stacks, &name, &tags, tell).await? {
            deleted.push(name);
        }
    }
    Ok(deleted)
}

/// Takes the deletion protection off the clusters of a stack by a change of its template: EKS refuses to delete an active
/// cluster that has it (<https://docs.aws.amazon.com/eks/latest/userguide/deletion-protection.html>).
///
/// What the stack does not hold, because it failed, is left out of the changed template, so that nothing is built that is
/// deleted next. A stack that cannot be updated any more is left to its deletion.
async fn unprotect(
    stacks: &dyn Stacks,
    name: &str,
    tags: &BTreeMap<String, String>,
    change_set: ChangeSetName<'_>,
    tell: Tell<'_>,
) -> Result<(), Problem> {
    let Some(found) = stack::stable(stacks, name, tags, tell).await? else {
        return Ok(());
    };
    if stack::is_remnant(&found.status) || found.status.ends_with("ROLLBACK_FAILED") {
        return Ok(());
    }
    let held = stacks.resources(name).await?;
    let Some(template) = unprotected(&stacks.template(name).await?, &held) else {
        return Ok(());
    };
    tell(&format!("{name}: taking the deletion protection off its cluster"));
    let spec = StackSpec {
        stack: name.to_owned(),
        template: Cow::Owned(template),
        parameters: BTreeMap::new(),
        tags: found.tags,
        change_set: change_set(),
        on_failure: OnFailure::Keep,
    };
    stack::deploy(stacks, &spec, tell).await.map(drop)
}

/// Returns the template without deletion protection, and without the resources that the stack does not hold; `None` if no
/// cluster of the stack is protected. One that EKS never made active needs no change.
fn unprotected(template: &str, held: &[StackResource]) -> Option<String> {
    let mut template: Value = serde_json::from_str(template).ok()?;
    let resources = template["Resources"].as_object_mut()?;
    let held: BTreeSet<&str> = (held.iter())
        .filter(|resource| resource.is_built())
        .map(|resource| resource.resource.as_str())
        .collect();
    let all: Vec<String> = resources.keys().cloned().collect();
    resources.retain(|name, _| held.contains(name.as_str()));
    let mut is_protected = false;
    for resource in resources.values_mut() {
        let protection = resource.pointer_mut("/Properties/DeletionProtection");
        if let Some(protection) = protection.filter(|protection| **protection == Value::Bool(true)) {
            *protection = Value::Bool(false);
            is_protected = true;
        }
    }
    let left_out = all.iter().filter(|name| !held.contains(name.as_str()));
    let left_out: BTreeSet<&str> = left_out.map(String::as_str).collect();
    if let Some(outputs) = template["Outputs"].as_object_mut() {
        outputs.retain(|_, output| !refers(output, &left_out));
    }
    is_protected.then(|| template.to_string())
}

/// Reports whether a value refers to one of these resources.
fn refers(value: &Value, resources: &BTreeSet<&str>) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| refers(item, resources)),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let named = match name.as_str() {
                "Ref" => value.as_str(),
                "Fn::GetAtt" => value[0].as_str(),
                _ => None,
            };
            named.is_some_and(|name| resources.contains(name)) || refers(value, resources)
        }),
        _ => false,
    }
}
