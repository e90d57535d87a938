//! What a recovery point lacks, as the documents of `backup` and `restore` list it.

use lifeboat_format::manifest::MissingRecord;
use lifeboat_model::TypeName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A type or API group that a Partial recovery point lacks. Exactly one of the two is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MissingPart {
    /// The type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<TypeName>,
    /// The API group, or group and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The verb that failed: `list`, `discover`.
    pub verb: String,
    /// What the API server answered.
    pub answer: String,
    /// How to fix it, if possible as a command.
    pub remediation: String,
}

impl MissingPart {
    /// Returns the part as text, with its fix.
    pub(super) fn text(&self) -> String {
        let what = self.r#type.as_ref().map_or_else(
            || format!("API group {}", self.group.as_deref().unwrap_or("?")),
            ToString::to_string,
        );
        format!(
            "    {what}: {} failed: {}\n      fix: {}\n",
            self.verb, self.answer, self.remediation
        )
    }
}

impl From<&MissingRecord> for MissingPart {
    fn from(record: &MissingRecord) -> Self {
        Self {
            r#type: record.r#type.clone(),
            group: record.group.clone(),
            verb: record.verb.clone(),
            answer: record.answer.clone(),
            remediation: record.remediation.clone(),
        }
    }
}
