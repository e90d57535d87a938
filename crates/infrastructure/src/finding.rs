//! What cannot be built as it was, or needs a decision of the user.

use std::collections::BTreeSet;

use lifeboat_model::{Code, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The stack must not be built.
    Error,
    /// The stack can be built, and differs from the primary in a way that matters.
    Warning,
    /// Nothing needs to be done.
    Note,
}

/// One finding about a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// The resource by its id, name or ARN in the primary, or by its logical id in the template.
    pub resource: String,
    /// The stable code.
    pub code: Code,
    /// What is the case, in one sentence.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    /// Returns the finding as it is reported.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::new(
            self.code,
            format!("{}: {}", self.resource, self.what),
            &self.remedy,
        )
    }
}

/// Findings, each once and in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Findings(BTreeSet<Finding>);

impl Findings {
    pub(crate) fn error(&mut self, code: Code, resource: &str, what: impl Into<String>) {
        self.add(Severity::Error, code, resource, what.into());
    }

    pub(crate) fn warning(&mut self, code: Code, resource: &str, what: impl Into<String>) {
        self.add(Severity::Warning, code, resource, what.into());
    }

    pub(crate) fn note(&mut self, code: Code, resource: &str, what: impl Into<String>) {
        self.add(Severity::Note, code, resource, what.into());
    }

    /// Adds a warning whose remedy is more than that of its code: a command.
    pub(crate) fn warning_with(
        &mut self,
        code: Code,
        resource: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.insert(Finding {
            severity: Severity::Warning,
            resource: resource.to_owned(),
            code,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    fn add(&mut self, severity: Severity, code: Code, resource: &str, what: String) {
        self.0.insert(Finding {
            severity,
            resource: resource.to_owned(),
            code,
            what,
            remedy: code.explanation().remedy.to_owned(),
        });
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.0.into_iter().collect()
    }
}
