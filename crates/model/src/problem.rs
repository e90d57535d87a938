//! Problems as reported to users: a stable code, a message and guidance.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::{bounded, bounded_to};

mod code;
mod diagnostic;
mod exit;

pub use code::{Code, Explanation};
pub use diagnostic::Diagnostic;
pub use exit::Exit;

/// A problem as it is reported to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Problem {
    /// The stable code, such as `LB-0805`.
    pub code: Code,
    /// What is wrong, in one sentence, without repeating the causes.
    pub message: String,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do, as an exact command if possible.
    pub guidance: String,
}

impl Problem {
    /// Creates a problem with the remedy of its code as guidance.
    #[must_use]
    pub fn of(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, message, code.explanation().remedy)
    }

    /// Creates a problem without causes.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, guidance: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            causes: Vec::new(),
            guidance: guidance.into(),
        }
    }

    /// Combines problems into one: the first as the main one, the others as its causes. `None` if there are none.
    #[must_use]
    pub fn combined(problems: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut problems = problems.into_iter();
        let mut first = problems.next()?;
        let others =
            problems.map(|other| format!("also {}: {} ({})", other.code, other.message, other.guidance));
        first.causes.extend(others);
        Some(first)
    }

    /// Adds `error` and the chain of its sources as causes.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }
}

/// The maximum number of characters of a message or of guidance that contains texts of others: longer than any that
/// Lifeboat writes itself.
const LONGEST_MESSAGE: usize = 2048;

/// The maximum number of causes.
const MOST_CAUSES: usize = 16;

impl Problem {
    /// Returns the problem with every text within limits and without control characters, for texts of others that are
    /// part of it: the names in a parser's message, the answer of a server.
    #[must_use]
    pub fn bounded(self) -> Self {
        let causes = self.causes.iter().take(MOST_CAUSES);
        Self {
            code: self.code,
            message: bounded_to(&self.message, LONGEST_MESSAGE),
            causes: causes.map(|cause| bounded(cause)).collect(),
            guidance: bounded_to(&self.guidance, LONGEST_MESSAGE),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        for cause in &self.causes {
            write!(f, "\n  because: {cause}")?;
        }
        write!(f, "\n  fix: {}", self.guidance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_what_why_and_what_to_do() {
        let cause = std::io::Error::other("connection refused");
        let problem = Problem::new(
            Code::ClusterUnreachable,
            "the API server at https://127.0.0.1:1 does not answer",
            "check the address with `kubectl cluster-info`",
        )
        .caused_by(&cause);
        assert_eq!(
            problem.to_string(),
            "LB-0103: the API server at https://127.0.0.1:1 does not answer\n  because: connection refused\n  fix: check the address with `kubectl cluster-info`"
        );
    }
}
