//! The planner's input from the recovery point.

use lifeboat_model::ResourceType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A type as recorded in the recovery point (`TypeRecord` of the manifest).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceType {
    /// The type, at the version in which its objects were captured.
    pub resource: ResourceType,
    /// The singular name, for selectors.
    #[serde(default)]
    pub singular: String,
    /// The short names, for selectors.
    #[serde(default)]
    pub short_names: Vec<String>,
    /// The verbs that the source served; empty means unknown.
    #[serde(default)]
    pub verbs: Vec<String>,
    /// Every version that the source served.
    #[serde(default)]
    pub served_versions: Vec<String>,
    /// Whether a CustomResourceDefinition defines the type.
    #[serde(default)]
    pub custom: bool,
}

impl SourceType {
    /// Returns whether a selector in kubectl's notation selects this type; `*` selects every type.
    #[must_use]
    pub fn is_named_by(&self, selector: &lifeboat_model::TypeSelector) -> bool {
        let ResourceType {
            group,
            resource,
            kind,
            ..
        } = &self.resource;
        selector.0 == "*" || selector.matches(group, resource, &self.singular, kind, &self.short_names)
    }
}

/// The location of an object's bytes, which the planner passes through for the caller. It is not part of the plan's
/// text or hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Locator {
    /// The number of the frame, assigned by the caller without gaps.
    pub frame: u32,
    /// The index of the object in the frame, starting at 0.
    pub position: u32,
}
