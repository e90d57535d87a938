//! The error type of every command: a problem to show to the user, and the exit code of the process.

use std::error::Error;
use std::fmt;

use lifeboat_model::{Code, Exit, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod causes;

/// Why a command did not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    problem: Problem,
    exit: Exit,
}

impl Failure {
    /// Creates a failure with the guidance that belongs to its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Problem::of(code, message).into()
    }

    /// Creates a failure of an operation, with the error's message and its chain of causes.
    pub fn of(code: Code, operation: impl Into<String>, error: &dyn Error) -> Self {
        Problem::of(code, operation).caused_by(error).into()
    }

    /// Replaces the remedy by one that is more specific than that of the code.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.problem.guidance = remedy.into();
        self
    }

    /// Replaces the exit code by one that is more specific than that of the code: a missing permission refuses a plan
    /// before anything is written.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Returns the problem to show to the user.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns the exit code of the process.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Returns the problem as a document, for `--output json` and `yaml`.
    #[must_use]
    pub fn document(&self) -> ProblemDocument {
        ProblemDocument {
            format: ProblemDocument::FORMAT.to_owned(),
            exit_code: self.exit().number(),
            problem: self.problem.clone(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let exit = problem.code.exit();
        Self { problem, exit }
    }
}

/// A problem on standard error, where the output is meant for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProblemDocument {
    /// Always `lifeboat.dev/problem/v1`.
    pub format: String,
    /// The exit code of the process.
    pub exit_code: u8,
    /// What was wrong and what to do.
    pub problem: Problem,
}

impl ProblemDocument {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/problem/v1";
}
