//! The commands, one file each. A command connects the crates that do the work, and prints nothing itself except its
//! document.

use clap::Subcommand;
use lifeboat_model::Exit;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::failure::Failure;

#[cfg(feature = "aws")]
pub mod application;
pub mod backup;
pub mod cat;
pub mod completions;
#[cfg(feature = "aws")]
pub mod deploy;
pub mod diff;
pub mod explain;
#[cfg(feature = "aws")]
pub mod infrastructure;
pub mod keys;
pub mod man;
pub mod missing;
pub mod open;
pub mod plan;
pub mod points;
pub mod restore;
pub mod restore_options;
pub mod schema;
pub mod show;
#[cfg(feature = "aws")]
pub mod status;
#[cfg(feature = "aws")]
pub mod teardown;
pub mod verify;

/// The commands of `lifeboat`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create the keys that encrypt and sign recovery points
    #[command(subcommand)]
    Keys(keys::Command),
    /// Capture a cluster and seal it into a recovery point
    Backup(Box<backup::Arguments>),
    /// List the recovery points
    Points(points::Arguments),
    /// Show the contents of a recovery point
    Show(show::Arguments),
    /// Verify the signature and the integrity of a recovery point
    Verify(verify::Arguments),
    /// Print one object of a recovery point
    Cat(cat::Arguments),
    /// Compare two recovery points, or a point and a live cluster
    Diff(Box<diff::Arguments>),
    /// Show what a restore would do, without writing
    Plan(Box<plan::Arguments>),
    /// Restore a recovery point into a cluster and verify the result
    Restore(Box<restore::Arguments>),
    /// Deploy the stacks to AWS: recovery, primary, then each application
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Deploy(deploy::Command),
    /// Describe the AWS resources that clusters stand on, and rebuild them in the recovery account
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Infrastructure(infrastructure::Command),
    /// Manage applications on AWS: documents, backups, restores and recovery points
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Application(application::Command),
    /// Show the status of the applications on AWS
    #[cfg(feature = "aws")]
    Status(status::Arguments),
    /// Take the recovery side of an application back to standby, or to nothing
    #[cfg(feature = "aws")]
    Teardown(teardown::Arguments),
    /// Print the completion script for a shell
    Completions(completions::Arguments),
    /// Write the manual pages
    #[command(hide = true)]
    Man(man::Arguments),
    /// Explain an error code and its fix
    Explain(explain::Arguments),
    /// Print the JSON schema of a document
    Schema(schema::Arguments),
}

/// Runs a command.
///
/// # Errors
/// Any error that prevents the command from completing.
pub fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Keys(command) => keys::run(&command, context),
        Command::Backup(arguments) => backup::run(&arguments, context),
        Command::Points(arguments) => points::run(&arguments, context),
        Command::Show(arguments) => show::run(&arguments, context),
        Command::Verify(arguments) => verify::run(&arguments, context),
        Command::Cat(arguments) => cat::run(&arguments, context),
        Command::Diff(arguments) => diff::run(&arguments, context),
        Command::Plan(arguments) => plan::run(&arguments, context),
        Command::Restore(arguments) => restore::run(&arguments, context),
        #[cfg(feature = "aws")]
        Command::Deploy(command) => deploy::run(&command, context),
        #[cfg(feature = "aws")]
        Command::Infrastructure(command) => infrastructure::run(&command, context),
        #[cfg(feature = "aws")]
        Command::Application(command) => application::run(&command, context),
        #[cfg(feature = "aws")]
        Command::Status(arguments) => status::run(&arguments, context),
        #[cfg(feature = "aws")]
        Command::Teardown(arguments) => teardown::run(&arguments, context),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments, context),
        Command::Schema(arguments) => schema::run(&arguments),
    }
}
