//! Builds request bodies from the captured bytes, as the plan defines.

use lifeboat_model::{ErrorKind, Uid};
use lifeboat_translate::pointer;
use serde_json::Value;

use crate::{Ownership, Plan, PlannedObject, PlannedOwner, RuleId, StatusPlan, ownership, prepare};

/// The request bodies of one object.
#[derive(Clone, PartialEq)]
pub struct Bodies {
    /// The complete body of the create request. The proof compares the target with it.
    pub create: Value,
    /// `metadata.managedFields` for [`crate::Step::SetManagedFields`].
    pub managed_fields: Option<Value>,
    /// The entries of `metadata.managedFields` that the object has after the restore, if no step writes them: the
    /// request that creates the object does.
    pub created_entries: Vec<Value>,
    /// The object's `status` for [`crate::Step::SetStatus`] and [`crate::Step::FinishJob`].
    pub status: Option<Value>,
    /// For [`crate::Step::FinishJob`]: the final value of `spec.suspend`. The proof expects this value instead of the
    /// `true` in [`Bodies::create`].
    pub suspend: Option<bool>,
    /// The body of the create request, if fields are set later ([`crate::Step::SetDeferredFields`],
    /// [`crate::Step::SetTemplate`] by [`in_former_revision`]).
    pub without_deferred: Option<Value>,
    /// For [`crate::Step::SetDeferredFields`]: a JSON merge patch (RFC 7386) that sets these fields.
    pub deferred: Option<Value>,
}

impl Bodies {
    /// Returns the entries of `metadata.managedFields` that the object has after the restore.
    pub fn expected_entries(&self) -> impl Iterator<Item = &Value> {
        let written = self.managed_fields.as_ref().and_then(Value::as_array);
        written
            .unwrap_or(&self.created_entries)
            .iter()
            .filter(|entry| entry.get("manager").is_some())
    }
}

// Bodies of Secrets contain their values.
impl std::fmt::Debug for Bodies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bodies([redacted])")
    }
}

/// An error that prevents building a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The bytes are not a JSON object.
    #[error("read the captured bytes of {object} as a JSON object")]
    NotAnObject {
        /// The object.
        object: String,
    },
    /// The bytes differ from those that the plan was made from.
    #[error("build the planned content of {object}: its captured bytes differ from those of the plan")]
    OtherBytes {
        /// The object.
        object: String,
    },
    /// The UID of the owner in the target is not known, at least not yet.
    #[error("build the planned content of {object}: its owner {owner} is not in the target")]
    OwnerUnknown {
        /// The object.
        object: String,
        /// The owner in the target.
        owner: String,
    },
    /// An edit of the plan does not fit the object.
    #[error("build the planned content of {object}: the edit at {path} cannot be applied")]
    EditFailed {
        /// The object.
        object: String,
        /// The JSON pointer.
        path: String,
    },
}

impl BodyError {
    /// Returns how a caller should react.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAnObject { .. } | Self::OtherBytes { .. } => ErrorKind::Corrupt,
            // The owner may be created by a later pass.
            Self::OwnerUnknown { .. } => ErrorKind::Retry,
            Self::EditFailed { .. } => ErrorKind::Bug,
        }
    }
}

/// Builds the bodies of an object. Pure: the same plan, bytes and UIDs produce the same bodies.
///
/// `uids` maps the UID of an owner in the source to its UID in the target, including owners that the plan keeps.
///
/// # Errors
/// [`BodyError`] if the bytes and the plan do not match.
pub fn body(
    plan: &Plan,
    object: &PlannedObject,
    raw: &[u8],
    uids: &dyn Fn(&Uid) -> Option<Uid>,
) -> Result<Bodies, BodyError> {
    let name = || object.source().to_string();
    let captured: Value = serde_json::from_slice(raw)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| BodyError::NotAnObject { object: name() })?;
    let other_bytes = || BodyError::OtherBytes { object: name() };
    let r#type = plan
        .sources
        .get(&object.source().r#type)
        .ok_or_else(other_bytes)?;
    let prepared = prepare::prepare(&plan.settings, r#type, captured).map_err(|_| other_bytes())?;
    if plan.settings.redactor.bytes(&prepared.body) != object.digest {
        return Err(other_bytes());
    }
    let with_status = prepared.restores_status();
    let mut create = prepared.body;
    for edit in object.edits() {
        let fits = match &edit.value {
            Some(value) => pointer::set(&mut create, &edit.path, value.clone()),
            None => pointer::remove_and_prune(&mut create, &edit.path).is_some(),
        };
        // `clusterIP` and `clusterIPs` are removed together, but old objects have only the first.
        if !fits && edit.value.is_some() {
            return Err(BodyError::EditFailed {
                object: name(),
                path: edit.path.clone(),
            });
        }
    }
    if !object.owners.is_empty() {
        let owners = object
            .owners
            .iter()
            .map(|owner| reference(object, owner, uids))
            .collect::<Result<Vec<_>, _>>()?;
        pointer::set(&mut create, "/metadata/ownerReferences", Value::from(owners));
    }
    let mut status = None;
    match (object.status, prepared.status) {
        (StatusPlan::Field, Some(field)) => {
            pointer::set(&mut create, "/status", field);
        }
        (StatusPlan::Restore, captured) => status = captured,
        _ => {}
    }
    let mut entries = ownership::in_planned_versions(
        ownership::entries(prepared.managed_fields, with_status),
        object.entry_versions(),
    );
    ownership::of_target_owners(&mut entries, &object.owners, uids);
    let (managed_fields, created_entries) = match object.ownership {
        Ownership::Several { .. } => (Some(Value::from(entries)), Vec::new()),
        // One empty entry removes all owners.
        Ownership::None => (Some(serde_json::json!([{}])), Vec::new()),
        Ownership::Single { .. } => (None, entries),
    };
    let later = object.deferred().map(|deferred| later(&create, &deferred.fields));
    let (without_deferred, deferred) = later.unzip();
    Ok(Bodies {
        create,
        managed_fields,
        created_entries,
        status,
        suspend: prepared.ending.map(|ending| ending.suspend),
        without_deferred,
        deferred,
    })
}

/// Builds the body that creates a StatefulSet whose rollout is held ([`crate::HeldRevision`]): without Pods, and with the
/// template of its former revision. `raw` are its captured bytes, `revision` those of the ControllerRevision, and `create`
/// is [`Bodies::create`].
///
/// # Errors
/// [`BodyError`] if the bytes and the plan do not match.
pub fn in_former_revision(
    plan: &Plan,
    object: &PlannedObject,
    raw: &[u8],
    revision: &[u8],
    create: &Value,
) -> Result<Value, BodyError> {
    const TEMPLATE: &str = "/spec/template";
    let other_bytes = || BodyError::OtherBytes {
        object: object.source().to_string(),
    };
    let mut captured: Value = serde_json::from_slice(raw).map_err(|_| other_bytes())?;
    let revision: Value = serde_json::from_slice(revision).map_err(|_| other_bytes())?;
    let data = revision.get("data").ok_or_else(other_bytes)?;
    let is_planned =
        |held: &crate::HeldRevision| held.digest == hex::encode(plan.settings.redactor.bytes(data));
    if !object.held().is_some_and(is_planned) {
        return Err(other_bytes());
    }
    let template = prepare::revisions::template(&revision).ok_or_else(other_bytes)?;
    pointer::set(&mut captured, TEMPLATE, template);
    let r#type = plan
        .sources
        .get(&object.source().r#type)
        .ok_or_else(other_bytes)?;
    // Translations and patches apply to every revision.
    let prepared = prepare::prepare(&plan.settings, r#type, captured).map_err(|_| other_bytes())?;
    let mut first = create.clone();
    if let Some(template) = prepared.body.pointer(TEMPLATE) {
        pointer::set(&mut first, TEMPLATE, template.clone());
    }
    pointer::set(&mut first, "/spec/replicas", 0.into());
    Ok(first)
}

/// Returns an object with fields as they are at its creation, and the merge patch that gives them their final values.
fn later(body: &Value, fields: &[crate::Edit]) -> (Value, Value) {
    let (mut first, mut patch) = (body.clone(), Value::Object(serde_json::Map::new()));
    for field in fields {
        let Some(value) = body.pointer(&field.path) else {
            continue;
        };
        pointer::set(&mut patch, &field.path, value.clone());
        match &field.value {
            Some(value) => drop(pointer::set(&mut first, &field.path, value.clone())),
            None => drop(pointer::remove(&mut first, &field.path)),
        }
    }
    (first, patch)
}

/// Builds the JSON merge patch (RFC 7386) of [`crate::Action::Merge`] from [`Bodies::create`]: the fields to which the
/// plan adds something.
#[must_use]
pub fn additions(object: &PlannedObject, bodies: &Bodies) -> Value {
    let mut patch = Value::Object(serde_json::Map::new());
    for change in &object.changes {
        if matches!(change.rule, RuleId::DefaultRbacAdded | RuleId::AwsAuthAdded)
            && let Some(value) = bodies.create.pointer(&change.path)
        {
            pointer::set(&mut patch, &change.path, value.clone());
        }
    }
    patch
}

/// Builds the body of a request that replaces a live object from [`Bodies::create`]. It gets the UID and
/// resourceVersion of the live object, and the fields in which the target's controllers record the binding of a
/// volume and its claim. Without those fields a bound claim would be set to the phase `Lost` permanently.
#[must_use]
pub fn merge_into_live(create: &Value, live: &Value) -> Value {
    const BOUND: &str = "/metadata/annotations/pv.kubernetes.io~1bound-by-controller";
    const COMPLETED: &str = "/metadata/annotations/pv.kubernetes.io~1bind-completed";
    let mut wanted = create.clone();
    let mut paths = vec!["/metadata/uid", "/metadata/resourceVersion"];
    let same = |path: &str| create.pointer(path) == live.pointer(path);
    match pointer::text(create, "/kind") {
        Some("PersistentVolume")
            if create.get("apiVersion") == Some(&Value::from("v1"))
                && same("/spec/claimRef/name")
                && same("/spec/claimRef/namespace")
                && create.pointer("/spec/claimRef/uid").is_none() =>
        {
            paths.extend(["/spec/claimRef/uid", "/spec/claimRef/resourceVersion", BOUND]);
        }
        Some("PersistentVolumeClaim")
            if create.get("apiVersion") == Some(&Value::from("v1")) && same("/spec/volumeName") =>
        {
            paths.extend([COMPLETED, BOUND]);
        }
        _ => {}
    }
    for path in paths {
        if let Some(value) = live.pointer(path) {
            pointer::set(&mut wanted, path, value.clone());
        }
    }
    wanted
}

fn reference(
    object: &PlannedObject,
    owner: &PlannedOwner,
    uids: &dyn Fn(&Uid) -> Option<Uid>,
) -> Result<Value, BodyError> {
    let uid = uids(&owner.source_uid).ok_or_else(|| BodyError::OwnerUnknown {
        object: object.source().to_string(),
        owner: owner.owner.to_string(),
    })?;
    let mut reference = serde_json::json!({
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.owner.name,
        "uid": uid,
    });
    for (field, flag) in [
        ("controller", owner.controller),
        ("blockOwnerDeletion", owner.block_owner_deletion),
    ] {
        if let Some(flag) = flag {
            pointer::set(&mut reference, &format!("/{field}"), Value::Bool(flag));
        }
    }
    Ok(reference)
}
