//! The commands, one file each. A command joins the crates that do the work, and says nothing itself
//! but its document.

use clap::Subcommand;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

pub mod completions;
pub mod explain;
pub mod keys;
pub mod schema;

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the keys that recovery points are encrypted and signed with
    #[command(subcommand)]
    Keys(keys::Command),
    /// Print the completion script of a shell
    Completions(completions::Arguments),
    /// Say what a code means and what to do
    Explain(explain::Arguments),
    /// Print the JSON schema of a document
    Schema(schema::Arguments),
}

/// Runs a command.
///
/// # Errors
/// Whatever keeps the command from doing what was asked.
pub fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Keys(command) => keys::run(&command, context),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments, context),
        Command::Schema(arguments) => schema::run(&arguments),
    }
}
