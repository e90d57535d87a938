//! The options of a restore. The defaults are conservative: all objects are selected, existing objects are not
//! changed, and no status is written.

use std::collections::BTreeMap;

use lifeboat_model::{Filter, TypeSelector};
use lifeboat_translate::{IdentityMap, PatchRule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All options of a restore. Equal options for the same recovery point and target produce the same plan, byte for
/// byte.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RestoreOptions {
    /// Which objects are restored.
    pub selection: Selection,
    /// Namespaces that get another name in the target.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub namespace_map: BTreeMap<String, String>,
    /// The identifiers of the primary with their counterparts in the recovery environment. Without it, no identifier
    /// of AWS is translated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identities: Option<IdentityMap>,
    /// Whether everything that still names the primary rejects the plan, not only in objects whose controllers act
    /// outside the cluster. What the identity map declares in `leftovers` does not count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_leftovers: bool,
    /// Whether the API server is asked about every object before anything is written, with a dry run. Without it, only
    /// objects in another version than they were captured in are.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub validate: bool,
    /// Patches, applied in order after cleansing and translation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<PatchRule>,
    /// How objects that already exist in the target are handled.
    pub existing: ExistingPolicy,
    /// Rules that are off by default.
    pub rules: RuleSet,
    /// The node port range of the target, if it is not the default. No API exposes it: a dry run, unlike a real
    /// write, does not check the range.
    #[serde(skip_serializing_if = "PortRange::is_default")]
    pub node_port_range: PortRange,
}

/// A range of ports, both ends included, written `30000-32767`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

/// The error for text that is not a port range.
#[derive(Debug, thiserror::Error)]
#[error("expected a port range such as 30000-32767")]
pub struct InvalidPortRange;

impl PortRange {
    /// Returns whether the port is in the range.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for PortRange {
    /// Returns the default of kube-apiserver (`--service-node-port-range`), which every EKS cluster uses.
    fn default() -> Self {
        Self {
            first: 30_000,
            last: 32_767,
        }
    }
}

impl std::str::FromStr for PortRange {
    type Err = InvalidPortRange;

    fn from_str(text: &str) -> Result<Self, InvalidPortRange> {
        let (first, last) = text.split_once('-').ok_or(InvalidPortRange)?;
        let port = |text: &str| text.parse::<u16>().map_err(|_| InvalidPortRange);
        let (first, last) = (port(first)?, port(last)?);
        if first == 0 || first > last {
            return Err(InvalidPortRange);
        }
        Ok(Self { first, last })
    }
}

impl std::fmt::Display for PortRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl TryFrom<String> for PortRange {
    type Error = InvalidPortRange;

    fn try_from(text: String) -> Result<Self, InvalidPortRange> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}

impl JsonSchema for PortRange {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PortRange".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A range of ports, both ends included, such as 30000-32767.",
            "pattern": "^[0-9]{1,5}-[0-9]{1,5}$",
        })
    }
}

/// The selection of objects of the recovery point.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selection {
    /// Selects by namespace, type and label. A selected namespace includes its Namespace object, unless
    /// `clusterScoped: false` or a list of types excludes it.
    pub filter: Filter,
    /// Only objects with one of these names; `*` and `?` are wildcards. Empty means any name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// How an object that already exists in the target (and was not created by this run) is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExistingPolicy {
    /// It is not changed; differences are reported.
    #[default]
    Keep,
    /// It is updated to the state in the recovery point.
    Update,
    /// It is deleted and created again.
    Recreate,
}

/// Rules that are off by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RuleSet {
    /// Objects whose captured status is written back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restore_status: Vec<StatusRule>,
}

/// Objects whose status is restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusRule {
    /// The types, as in kubectl; `*` stands for every type.
    pub types: Vec<TypeSelector>,
    /// Only in these namespaces of the source; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Only these names, with `*` and `?` as wildcards; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}
