//! The one type in which every command fails: a problem that a user can read, and its exit code.

use std::error::Error;
use std::fmt;

use lifeboat_model::{Code, Exit, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod causes;

/// Why a command ended without doing what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    problem: Problem,
    exit: Exit,
}

impl Failure {
    /// A failure with the guidance that belongs to its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            problem: Problem::new(code, message, code.explanation().remedy),
            exit: code.exit(),
        }
    }

    /// A failure of an operation, with the error's own code and its chain of causes.
    pub fn of(code: Code, operation: impl Into<String>, error: &dyn Error) -> Self {
        Self {
            problem: Problem::new(code, operation, code.explanation().remedy).caused_by(error),
            exit: code.exit(),
        }
    }

    /// The same failure with a remedy that is more exact than the code's.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.problem.guidance = remedy.into();
        self
    }

    /// The same failure with an exit code that says more than that of its code: a missing permission
    /// refuses a plan before anything is written.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// What the user reads.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The problem as a document, for `--output json` and `yaml`.
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
