//! `lifeboat infrastructure`: the AWS resources that clusters stand on, and the stacks that rebuild them.

use clap::Subcommand;
use lifeboat_model::Exit;

use crate::context::Context;
use crate::failure::Failure;

pub mod build;
pub mod describe;

/// The subcommands of `lifeboat infrastructure`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Describe the AWS resources that clusters stand on, without changing any
    Describe(describe::Arguments),
    /// Show what the recovery stacks would create, change and remove
    Plan(Box<build::PlanArguments>),
    /// Deploy the recovery stacks: network, roles, storage and clusters
    Deploy(Box<build::DeployArguments>),
    /// Delete the clusters of the recovery side, or all of its stacks
    Teardown(Box<build::TeardownArguments>),
}

/// Runs a subcommand.
///
/// # Errors
/// Any error that prevents the subcommand from completing.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Describe(arguments) => describe::run(arguments, context),
        Command::Plan(arguments) => build::plan(arguments, context),
        Command::Deploy(arguments) => build::deploy(arguments, context),
        Command::Teardown(arguments) => build::teardown(arguments, context),
    }
}
