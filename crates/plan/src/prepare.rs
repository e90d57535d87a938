//! The object-local part of planning: what follows from an object and the options alone. [`crate::PlanBuilder::add`]
//! runs it to find the changes, [`crate::body()`] runs it again to build the body, and the digest ensures that both
//! results are the same.

use std::collections::BTreeMap;

use lifeboat_translate::identity::Leftover;
use lifeboat_translate::{PatchFailure, PatchRule, Subject, diff, pointer};
use serde_json::Value;

use crate::planned::PlannedChange;
use crate::render::ValueRenderer;
use crate::rule::RuleId;
use crate::settings::Settings;
use crate::source::SourceType;

mod accounts;
pub(crate) mod identities;
mod jobs;
mod pods;
pub(crate) mod revisions;
mod secrets;
mod snapshots;
mod volumes;

pub(crate) use identities::Translated;
use identities::Translator;
pub(crate) use jobs::JobCompletion;
pub(crate) use snapshots::SnapshotContent;
pub(crate) use volumes::Bound;

/// An object after the object-local rules.
pub(crate) struct Prepared {
    /// The body that is sent, without status, owner references and managed fields.
    pub(crate) body: Value,
    pub(crate) status: Option<Value>,
    pub(crate) managed_fields: Vec<Value>,
    pub(crate) owners: Vec<Value>,
    pub(crate) changes: Vec<PlannedChange>,
    /// What still names the primary.
    pub(crate) leftovers: Vec<Leftover>,
    /// The changes and leftovers of the status, which count only if it is restored.
    pub(crate) of_status: Translated,
    /// The indexes of the patches that apply.
    pub(crate) patches: Vec<u32>,
    /// Whether the options select the status for restore.
    pub(crate) wants_status: bool,
    /// How a finished Job is completed.
    pub(crate) ending: Option<JobCompletion>,
}

impl Prepared {
    /// Returns whether a request of the restore writes the whole status.
    pub(crate) fn restores_status(&self) -> bool {
        self.wants_status || self.ending.is_some_and(|ending| ending.finished)
    }
}

/// The failure of one patch on one object.
#[derive(Debug)]
pub(crate) struct PatchFault {
    pub(crate) patch: u32,
    pub(crate) failure: PatchFailure,
}

const SERVER_METADATA: [&str; 7] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Edits an object and records each edit as a change by a rule.
pub(crate) struct Editor<'a> {
    pub(crate) body: &'a mut Value,
    changes: &'a mut Vec<PlannedChange>,
    shower: ValueRenderer<'a>,
}

impl Editor<'_> {
    pub(crate) fn remove(&mut self, path: &str, rule: RuleId) -> Option<Value> {
        let removed = pointer::remove_and_prune(self.body, path)?;
        self.changes.push(PlannedChange {
            path: path.to_owned(),
            rule,
            patch: None,
            from: Some(self.shower.render(path, &removed)),
            to: None,
        });
        Some(removed)
    }

    pub(crate) fn set(&mut self, path: &str, value: Value, rule: RuleId) {
        let from = self.body.pointer(path).map(|old| self.shower.render(path, old));
        let to = Some(self.shower.render(path, &value));
        if pointer::set(self.body, path, value) {
            self.changes.push(PlannedChange {
                path: path.to_owned(),
                rule,
                patch: None,
                from,
                to,
            });
        }
    }
}

/// Returns the labels of an object.
pub(crate) fn labels(object: &Value) -> BTreeMap<String, String> {
    let map = object.pointer("/metadata/labels").and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Returns the properties of a captured object that conditions are evaluated on.
fn subject<'a>(
    r#type: &'a SourceType,
    object: &'a Value,
    labels: &'a BTreeMap<String, String>,
) -> Subject<'a> {
    Subject {
        group: &r#type.resource.group,
        resource: &r#type.resource.resource,
        singular: &r#type.singular,
        kind: &r#type.resource.kind,
        short_names: &r#type.short_names,
        namespace: pointer::text(object, "/metadata/namespace"),
        name: pointer::text(object, "/metadata/name").unwrap_or_default(),
        labels,
        object,
    }
}

/// Returns the indexes of the patches that apply to a captured object.
fn selected_patches(patches: &[PatchRule], r#type: &SourceType, object: &Value) -> Vec<u32> {
    if patches.is_empty() {
        return Vec::new();
    }
    let labels = labels(object);
    let subject = subject(r#type, object, &labels);
    (0..)
        .zip(patches)
        .filter(|(_, patch)| patch.when.holds(&subject))
        .map(|(index, _)| index)
        .collect()
}

fn wants_status(settings: &Settings, r#type: &SourceType, object: &Value) -> bool {
    let namespace = pointer::text(object, "/metadata/namespace");
    let name = pointer::text(object, "/metadata/name").unwrap_or_default();
    settings.rules.restore_status.iter().any(|rule| {
        rule.types.iter().any(|selector| r#type.is_named_by(selector))
            && (rule.namespaces.is_empty()
                || namespace.is_some_and(|ns| rule.namespaces.iter().any(|n| n == ns)))
            && (rule.names.is_empty()
                || rule
                    .names
                    .iter()
                    .any(|pattern| lifeboat_translate::glob::matches(pattern, name)))
    })
}

/// Runs the object-local rules, the translation and the patches, in this order.
pub(crate) fn prepare(
    settings: &Settings,
    r#type: &SourceType,
    mut body: Value,
) -> Result<Prepared, PatchFault> {
    let (group, resource) = (r#type.resource.group.as_str(), r#type.resource.resource.as_str());
    let shower = ValueRenderer::of_type(group, resource, &settings.redactor);
    let patches = selected_patches(&settings.patches, r#type, &body);
    let wants_status = wants_status(settings, r#type, &body);
    let translator = Translator::new(settings, r#type, &body);
    let mut changes = Vec::new();

    let take_list = |value: Option<Value>| match value {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let (mut managed_fields, mut owners) = (Vec::new(), Vec::new());
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVER_METADATA {
            metadata.remove(field);
        }
        managed_fields = take_list(metadata.remove("managedFields"));
        owners = take_list(metadata.remove("ownerReferences"));
    }
    let mut status = body.as_object_mut().and_then(|object| object.remove("status"));

    let mut editor = Editor {
        body: &mut body,
        changes: &mut changes,
        shower,
    };
    let mut ending = None;
    match (group, resource) {
        ("", "persistentvolumeclaims") => volumes::claim(&mut editor),
        ("", "secrets") => secrets::secret(&mut editor),
        ("", "serviceaccounts") => accounts::account(&mut editor, settings),
        ("", "pods") => pods::pod(&mut editor),
        ("batch", "jobs") => ending = jobs::job(&mut editor, &mut status),
        (snapshots::GROUP, "volumesnapshotcontents") => snapshots::content(&mut editor, status.as_ref()),
        (snapshots::GROUP, "volumesnapshots") => snapshots::snapshot(&mut editor, status.as_ref()),
        _ => {}
    }

    for rewritten in settings.namespaces.apply(group, resource, &mut body) {
        let is_label = rewritten.path == "/metadata/labels/kubernetes.io~1metadata.name";
        changes.push(PlannedChange {
            path: rewritten.path,
            rule: if is_label {
                RuleId::NamespaceNameLabel
            } else {
                RuleId::MapNamespace
            },
            patch: None,
            from: Some(rewritten.from),
            to: Some(rewritten.to),
        });
    }
    let translated = translator.object(&mut body, &mut managed_fields);
    changes.extend(translated.changes);
    let of_status = translator.status(status.as_mut());
    for index in &patches {
        apply_patch(settings, *index, &mut body, &mut changes, shower)?;
    }
    let leftovers = match patches.as_slice() {
        [] => translated.leftovers,
        // A patch may remove what the translation left.
        _ => translator.leftovers(&body),
    };
    Ok(Prepared {
        body,
        status,
        managed_fields,
        owners,
        changes,
        leftovers,
        of_status,
        patches,
        wants_status,
        ending,
    })
}

const IDENTITY: [&str; 4] = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"];

fn apply_patch(
    settings: &Settings,
    index: u32,
    body: &mut Value,
    changes: &mut Vec<PlannedChange>,
    shower: ValueRenderer<'_>,
) -> Result<(), PatchFault> {
    let fault = |failure| PatchFault {
        patch: index,
        failure,
    };
    let Some(patch) = usize::try_from(index).ok().and_then(|i| settings.patches.get(i)) else {
        return Ok(());
    };
    let before = body.clone();
    patch.apply(body).map_err(fault)?;
    if let Some(path) = IDENTITY
        .into_iter()
        .find(|path| before.pointer(path) != body.pointer(path))
    {
        return Err(fault(PatchFailure {
            pointer: path.to_owned(),
            reason:
                "a patch cannot change type, namespace or name; use --map-namespace to rename a namespace"
                    .to_owned(),
        }));
    }
    // The plan would overwrite a patch of these fields.
    let own = [
        "/status",
        "/metadata/ownerReferences",
        "/metadata/managedFields",
        "/metadata/uid",
        "/metadata/resourceVersion",
    ];
    if let Some(path) = own.into_iter().find(|path| body.pointer(path).is_some()) {
        return Err(fault(PatchFailure {
            pointer: path.to_owned(),
            reason: "the API server or the plan sets this field; it cannot be patched".to_owned(),
        }));
    }
    diff::diff(&before, body, &mut |path, sides| {
        let show = |value: Option<&Value>| value.map(|value| shower.render(&path, value));
        changes.push(PlannedChange {
            from: show(sides.left),
            to: show(sides.right),
            rule: RuleId::Patch,
            patch: Some(index),
            path: path.clone(),
        });
    });
    Ok(())
}
