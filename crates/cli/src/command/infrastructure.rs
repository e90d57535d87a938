//! `lifeboat infrastructure`: the AWS resources that an application stands on.

use std::path::Path;

use clap::Subcommand;
use lifeboat_model::{Code, Exit};
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;

pub mod build;

/// The subcommands of `lifeboat infrastructure`.
#[derive(Debug, Subcommand)]
pub enum Command {
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
/// Any error that prevents the command from completing.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Plan(arguments) => build::plan(arguments, context),
        Command::Deploy(arguments) => build::deploy(arguments, context),
        Command::Teardown(arguments) => build::teardown(arguments, context),
    }
}

/// Writes a document to a file as JSON, whole or not at all.
fn write_json(file: &Path, document: &impl Serialize) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::of(
            Code::StoreFailed,
            format!("failed to write {}", file.display()),
            error,
        )
        .remedy("choose a file in a folder that can be written")
    };
    let mut text = serde_json::to_string_pretty(document).map_err(|error| failed(&error))?;
    text.push('\n');
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.unwrap_or(Path::new(".")).join(format!(".{name}.new"));
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, file))
        .map_err(|error| {
            drop(std::fs::remove_file(&new));
            failed(&error)
        })
}
