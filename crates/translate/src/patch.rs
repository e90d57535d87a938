//! Patches as data: JSON Patch (RFC 6902) and merge patch (RFC 7386) with conditions.

use std::collections::BTreeMap;

use lifeboat_model::{LabelSelector, TypeSelector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A patch and the objects that it applies to. Conditions look at the object as it was captured; the
/// patch is applied after cleansing and translation.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchRule {
    /// A name for reports, such as `smaller replicas`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which objects it applies to.
    #[serde(default)]
    pub when: Condition,
    /// The operations of a JSON Patch, applied first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json_patch: Vec<PatchOperation>,
    /// A merge patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Value>,
}

// A patch may put a value into a Secret.
impl std::fmt::Debug for PatchRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PatchRule")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Which objects a patch applies to: all that is said must hold; nothing said means every object.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Condition {
    /// One of these types, as in kubectl.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeSelector>,
    /// In one of these namespaces of the source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// With one of these names; `*` and `?` are wildcards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// With these labels.
    #[serde(skip_serializing_if = "LabelSelector::is_empty")]
    pub labels: LabelSelector,
    /// JSON pointers and the values that must stand there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub equals: BTreeMap<String, Value>,
}

/// One operation of a JSON Patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchOperation {
    /// What is done.
    pub op: Operation,
    /// Where, a JSON pointer.
    pub path: String,
    /// From where, for `move` and `copy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The value, for `add`, `replace` and `test`. A `null` is a value.
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
    /// Adds a field or element.
    Add,
    /// Removes what must be there.
    Remove,
    /// Replaces what must be there.
    Replace,
    /// Moves.
    Move,
    /// Copies.
    Copy,
    /// Fails unless the value is the one given.
    Test,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
