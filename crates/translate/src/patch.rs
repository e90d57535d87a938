//! Patches as data: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386) with conditions.

use std::collections::BTreeMap;

use lifeboat_model::{LabelSelector, TypeSelector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{diff, glob, pointer};

/// A patch and the objects that it applies to. Conditions are evaluated on the object as captured. The patch
/// is applied after the object was cleaned and translated.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchRule {
    /// The name in reports, such as `smaller replicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which objects the patch applies to.
    #[serde(default)]
    pub when: Condition,
    /// The operations of a JSON Patch, applied before `merge`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json_patch: Vec<PatchOperation>,
    /// A JSON Merge Patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Value>,
}

// The values are not printed: a patch may set a value of a Secret.
impl std::fmt::Debug for PatchRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PatchRule")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Which objects a patch applies to. All given conditions must hold; without any, the patch applies to every
/// object.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Condition {
    /// Selects objects of one of these types, named as in kubectl.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeSelector>,
    /// Selects objects in one of these namespaces of the source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Selects objects with one of these names; `*` and `?` are wildcards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Selects objects with these labels.
    #[serde(skip_serializing_if = "LabelSelector::is_empty")]
    pub labels: LabelSelector,
    /// Selects objects with these values; the keys are JSON pointers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub equals: BTreeMap<String, Value>,
}

/// One operation of a JSON Patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchOperation {
    /// The kind of operation.
    pub op: Operation,
    /// The target location, as a JSON pointer.
    pub path: String,
    /// The source location of `move` and `copy`, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The value for `add`, `replace` and `test`. A `null` is a value.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub value: Option<Value>,
}

/// The operations of RFC 6902.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Adds a field or an element.
    Add,
    /// Removes a value, which must exist.
    Remove,
    /// Replaces a value, which must exist.
    Replace,
    /// Moves a value.
    Move,
    /// Copies a value.
    Copy,
    /// Fails unless the value equals the given one.
    Test,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The properties of an object that conditions are evaluated on, as captured.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The API group.
    pub group: &'a str,
    /// The plural name of the type.
    pub resource: &'a str,
    /// The singular name.
    pub singular: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The short names.
    pub short_names: &'a [String],
    /// The namespace; `None` for cluster-scoped types.
    pub namespace: Option<&'a str>,
    /// The name.
    pub name: &'a str,
    /// The labels.
    pub labels: &'a BTreeMap<String, String>,
    /// The whole object.
    pub object: &'a Value,
}

/// The error for a patch that cannot be applied to an object. Never contains values of the object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("apply the operation at {pointer:?}: {reason}")]
pub struct PatchFailure {
    /// The JSON pointer of the operation.
    pub pointer: String,
    /// Why the operation cannot be applied.
    pub reason: String,
}

impl Condition {
    /// Whether the object meets all conditions.
    #[must_use]
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        let Subject {
            group,
            resource,
            singular,
            kind,
            short_names,
            ..
        } = *subject;
        let type_fits = self.types.is_empty()
            || self
                .types
                .iter()
                .any(|t| t.0 == "*" || t.matches(group, resource, singular, kind, short_names));
        type_fits
            && (self.namespaces.is_empty()
                || subject
                    .namespace
                    .is_some_and(|ns| self.namespaces.iter().any(|n| n == ns)))
            && (self.names.is_empty()
                || self
                    .names
                    .iter()
                    .any(|pattern| glob::matches(pattern, subject.name)))
            && self.labels.matches(subject.labels)
            && self.equals.iter().all(|(pointer, wanted)| {
                subject
                    .object
                    .pointer(pointer)
                    .is_some_and(|value| diff::same(value, wanted))
            })
    }
}

impl PatchRule {
    /// Returns the title of the patch in reports: its name, or its number counted from 1.
    #[must_use]
    pub fn title(&self, index: usize) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| format!("patch {}", index.saturating_add(1)))
    }

    /// Applies the patch. On failure the object is unchanged.
    ///
    /// # Errors
    /// [`PatchFailure`] with the operation that cannot be applied.
    pub fn apply(&self, object: &mut Value) -> Result<(), PatchFailure> {
        if !self.json_patch.is_empty() {
            let operations = self
                .json_patch
                .iter()
                .map(PatchOperation::compile)
                .collect::<Result<Vec<_>, _>>()?;
            json_patch::patch(object, &operations).map_err(|error| PatchFailure {
                pointer: error.path.to_string(),
                reason: match error.kind {
                    json_patch::PatchErrorKind::TestFailed => {
                        "the value differs from the one that `test` expects"
                    }
                    json_patch::PatchErrorKind::InvalidFromPointer => "the path in `from` does not exist",
                    _ => "the path does not exist",
                }
                .to_owned(),
            })?;
        }
        if let Some(merge) = &self.merge {
            json_patch::merge(object, merge);
        }
        Ok(())
    }

    /// Returns what is wrong with the patch itself, independent of any object.
    #[must_use]
    pub fn faults(&self) -> Vec<PatchFailure> {
        let mut faults: Vec<PatchFailure> = self
            .json_patch
            .iter()
            .filter_map(|operation| operation.compile().err())
            .collect();
        let fault = |pointer: &str, reason: &str| PatchFailure {
            pointer: pointer.to_owned(),
            reason: reason.to_owned(),
        };
        if self.json_patch.is_empty() && self.merge.is_none() {
            faults.push(fault("", "the patch needs `jsonPatch` or `merge`"));
        }
        if self.merge.as_ref().is_some_and(|merge| !merge.is_object()) {
            faults.push(fault("", "`merge` must be a map"));
        }
        for pointer in self.when.equals.keys().filter(|p| !pointer::is_pointer(p)) {
            faults.push(fault(pointer, "not a JSON pointer such as `/metadata/name`"));
        }
        faults
    }
}

impl PatchOperation {
    fn compile(&self) -> Result<json_patch::PatchOperation, PatchFailure> {
        use json_patch::{
            AddOperation, CopyOperation, MoveOperation, PatchOperation as Op, RemoveOperation,
            ReplaceOperation, TestOperation, jsonptr::PointerBuf,
        };
        let fail = |reason: &str| PatchFailure {
            pointer: self.path.clone(),
            reason: reason.to_owned(),
        };
        let pointer = |text: &str| {
            PointerBuf::parse(text).map_err(|_| fail("not a JSON pointer such as `/metadata/name`"))
        };
        let path = pointer(&self.path)?;
        let value = || {
            self.value
                .clone()
                .ok_or_else(|| fail("the operation needs a `value`"))
        };
        let from = || {
            let from = self
                .from
                .as_deref()
                .ok_or_else(|| fail("the operation needs a `from`"))?;
            pointer(from)
        };
        Ok(match self.op {
            Operation::Add => Op::Add(AddOperation {
                path,
                value: value()?,
            }),
            Operation::Remove => Op::Remove(RemoveOperation { path }),
            Operation::Replace => Op::Replace(ReplaceOperation {
                path,
                value: value()?,
            }),
            Operation::Move => Op::Move(MoveOperation { from: from()?, path }),
            Operation::Copy => Op::Copy(CopyOperation { from: from()?, path }),
            Operation::Test => Op::Test(TestOperation {
                path,
                value: value()?,
            }),
        })
    }
}

#[cfg(test)]
mod tests;
