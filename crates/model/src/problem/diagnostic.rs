//! The common interface of errors that are reported to users.

use std::error::Error;

use super::{Code, Problem};
use crate::ErrorKind;

/// An error that can be reported to a user. Its text can be appended to "failed to".
pub trait Diagnostic: Error {
    /// How a caller should react to the error. Retry policy depends on the kind and never on a message.
    fn kind(&self) -> ErrorKind;

    /// The stable code.
    fn code(&self) -> Code;

    /// What to do; by default the remedy of the code.
    fn guidance(&self) -> String {
        self.code().explanation().remedy.to_owned()
    }

    /// Returns the error as it is reported: its text, its sources as causes, and its guidance.
    fn problem(&self) -> Problem {
        let problem = Problem::new(self.code(), format!("failed to {self}"), self.guidance());
        match self.source() {
            Some(source) => problem.caused_by(source),
            None => problem,
        }
    }
}
