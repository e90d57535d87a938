//! `lifeboat infrastructure`: the AWS resources that clusters stand on.

use clap::Subcommand;
use lifeboat_model::Exit;

use crate::context::Context;
use crate::failure::Failure;

pub mod describe;

/// The subcommands of `lifeboat infrastructure`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Describe the AWS resources that clusters stand on, without changing any
    Describe(describe::Arguments),
}

/// Runs a subcommand.
///
/// # Errors
/// Any error that prevents the subcommand from completing.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Describe(arguments) => describe::run(arguments, context),
    }
}
