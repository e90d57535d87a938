//! Patches in a file: a versioned document in YAML or JSON.

use lifeboat_model::ErrorKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::patch::PatchRule;

/// The `apiVersion` that this program reads.
pub const API_VERSION: &str = "lifeboat.dev/v1";
/// The `kind` of the document.
pub const KIND: &str = "Patches";

/// A document of patches:
/// ```yaml
/// apiVersion: lifeboat.dev/v1
/// kind: Patches
/// patches:
///   - name: smaller replicas
///     when: { types: [deployments], labels: tier=front }
///     merge: { spec: { replicas: 1 } }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchDocument {
    /// `lifeboat.dev/v1`.
    pub api_version: String,
    /// `Patches`.
    pub kind: String,
    /// The patches, in the order of application.
    pub patches: Vec<PatchRule>,
}

/// A document that cannot be used. No value of the document is part of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is neither JSON nor YAML, or has other fields.
    #[error("read the patches: {0}")]
    Unreadable(String),
    /// It is another document, or one of a newer version.
    #[error("read the patches: expected {API_VERSION} {KIND}, found {found}")]
    OtherDocument {
        /// Its `apiVersion` and `kind`.
        found: String,
    },
    /// A patch can never be applied.
    #[error("read the patches: {title}: at {pointer:?}: {reason}")]
    InvalidPatch {
        /// The patch's name or number.
        title: String,
        /// The operation's JSON pointer.
        pointer: String,
        /// What is wrong.
        reason: String,
    },
}

impl DocumentError {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl PatchDocument {
    /// Reads a document. Text that begins with `{` is JSON, so that numbers keep their text; all other
    /// text is YAML.
    ///
    /// # Errors
    /// [`DocumentError`] says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let json = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).ok()
        } else {
            None
        };
        let value: serde_json::Value = match json {
            Some(value) => value,
            None => serde_yaml_ng::from_str(text).map_err(|error| {
                let place = error.location().map_or_else(String::new, |at| {
                    format!(" (line {}, column {})", at.line(), at.column())
                });
                DocumentError::Unreadable(format!("neither YAML nor JSON{place}"))
            })?,
        };
        let field = |name: &str| {
            value
                .get(name)
                .and_then(serde_json::Value::as_str)
                .unwrap_or("nothing")
        };
        if field("apiVersion") != API_VERSION || field("kind") != KIND {
            let found = format!("{} {}", field("apiVersion"), field("kind"));
            return Err(DocumentError::OtherDocument { found });
        }
        let document: Self =
            serde_json::from_value(value).map_err(|error| DocumentError::Unreadable(error.to_string()))?;
        for (index, patch) in document.patches.iter().enumerate() {
            if let Some(fault) = patch.faults().into_iter().next() {
                return Err(DocumentError::InvalidPatch {
                    title: patch.title(index),
                    pointer: fault.pointer,
                    reason: fault.reason,
                });
            }
        }
        Ok(document)
    }

    /// The JSON schema of the document.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const YAML: &str = "apiVersion: lifeboat.dev/v1\nkind: Patches\npatches:\n- name: smaller\n  when: {types: [deployments], labels: tier=front, equals: {/spec/replicas: 3}}\n  merge: {spec: {replicas: 1}}\n- jsonPatch: [{op: remove, path: /spec/paused}]\n";

    #[test]
    fn yaml_and_json_say_the_same() {
        let from_yaml = PatchDocument::parse(YAML).unwrap();
        let json = serde_json::to_string(&from_yaml).unwrap();
        assert_eq!(PatchDocument::parse(&json).unwrap(), from_yaml);
        assert_eq!(from_yaml.patches[0].title(0), "smaller");
        assert_eq!(from_yaml.patches[1].title(1), "patch 2");
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_reason() {
        for (text, expected) in [
            ("patches: [", "neither YAML nor JSON"),
            (
                "apiVersion: lifeboat.dev/v2\nkind: Patches\npatches: []",
                "found lifeboat.dev/v2 Patches",
            ),
            ("[]", "found nothing nothing"),
            (
                "apiVersion: lifeboat.dev/v1\nkind: Patches\npatches: []\nmore: 1",
                "unknown field",
            ),
            (
                "apiVersion: lifeboat.dev/v1\nkind: Patches\npatches: [{jsonPatch: [{op: add, path: /a}]}]",
                "patch 1",
            ),
            (
                "apiVersion: lifeboat.dev/v1\nkind: Patches\npatches: [{when: {names: [a]}}]",
                "needs `jsonPatch` or `merge`",
            ),
        ] {
            let message = PatchDocument::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn the_schema_names_what_a_user_writes() {
        let schema = serde_json::to_string(&PatchDocument::schema()).unwrap();
        for word in ["jsonPatch", "merge", "when", "namespaces", "labels", "equals"] {
            assert!(schema.contains(word), "{word}");
        }
    }
}
