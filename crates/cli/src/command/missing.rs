//! What a recovery point lacks, as the documents of `backup` and `restore` list it.

use lifeboat_format::manifest::{MissingRecord, UnreadRecord};
use lifeboat_model::TypeName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A type, API group or AWS resource that a Partial recovery point lacks. Exactly one of the three is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MissingPart {
    /// The type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<TypeName>,
    /// The API group, or group and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The ARN or id of the AWS resource, or its type as CloudFormation names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The verb that failed: `list`, `discover`; for an AWS resource the call, such as `iam:GetRole`.
    pub verb: String,
    /// What the API server answered; for an AWS resource the error code.
    pub answer: String,
    /// How to fix it, if possible as a command.
    pub remediation: String,
}

impl MissingPart {
    /// Returns the part as text, with its fix.
    pub(super) fn text(&self) -> String {
        let what = match (&self.r#type, &self.group, &self.resource) {
            (Some(name), ..) => name.to_string(),
            (None, Some(group), _) => format!("API group {group}"),
            (None, None, resource) => resource.clone().unwrap_or_default(),
        };
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
            resource: None,
            verb: record.verb.clone(),
            answer: record.answer.clone(),
            remediation: record.remediation.clone(),
        }
    }
}

impl From<&UnreadRecord> for MissingPart {
    fn from(record: &UnreadRecord) -> Self {
        let call = &record.call;
        let remediation = match record.code.as_str() {
            "NoAnswer" | "TimedOut" => "run the backup again".to_owned(),
            code if code.contains("Throttl") || code.contains("LimitExceeded") => {
                "run the backup again".to_owned()
            }
            _ => format!("allow {call} to the role that describes AWS resources, then run the backup again"),
        };
        Self {
            r#type: None,
            group: None,
            resource: Some(record.resource.clone()),
            verb: call.clone(),
            answer: record.code.clone(),
            remediation,
        }
    }
}
