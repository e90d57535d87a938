//! The planner's input from the recovery point.

use lifeboat_model::{ResourceType, TypeName};
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

/// What a recovery point says about its own completeness.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceCompleteness {
    /// The types and API groups that could not be read.
    pub missing: Vec<MissingSource>,
    /// Whether every Namespace of the source was listed at the same time as the objects in them: a namespace without
    /// its object did not exist.
    pub all_namespaces: bool,
}

/// A type or API group that could not be read when the recovery point was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSource {
    /// The type; `None` for an API group.
    pub r#type: Option<TypeName>,
    /// The API group, if the types in it are not known.
    pub group: Option<String>,
    /// The verb that failed.
    pub verb: String,
    /// The answer of the server.
    pub answer: String,
    /// How to fix it.
    pub remediation: String,
}
