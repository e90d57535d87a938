//! What errors have in common that reach a user.

use std::error::Error;

use super::{Code, Problem};
use crate::ErrorKind;

/// An error that a user may see. Its text reads well after "failed to".
pub trait Diagnostic: Error {
    /// What a caller does about it. Retry policy reads this and never a message.
    fn kind(&self) -> ErrorKind;

    /// The stable code.
    fn code(&self) -> Code;

    /// What to do; the remedy of the code where the error does not know better.
    fn guidance(&self) -> String {
        self.code().explanation().remedy.to_owned()
    }

    /// The error as it is shown: its text, its sources as causes, and what to do.
    fn problem(&self) -> Problem {
        let problem = Problem::new(self.code(), format!("failed to {self}"), self.guidance());
        match self.source() {
            Some(source) => problem.caused_by(source),
            None => problem,
        }
    }
}
