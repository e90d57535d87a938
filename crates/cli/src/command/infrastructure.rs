//! `lifeboat infrastructure`: the AWS resources that clusters stand on, and the stacks that rebuild them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use clap::Subcommand;
use lifeboat_model::Exit;

use crate::context::Context;
use crate::failure::Failure;

pub mod build;
pub mod describe;
pub mod export;

/// The subcommands of `lifeboat infrastructure`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Describe the AWS resources that clusters stand on, without changing any
    Describe(describe::Arguments),
    /// Take the descriptions of AWS resources out of a recovery point
    Export(Box<export::Arguments>),
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
        Command::Export(arguments) => export::run(arguments, context),
        Command::Plan(arguments) => build::plan(arguments, context),
        Command::Deploy(arguments) => build::deploy(arguments, context),
        Command::Teardown(arguments) => build::teardown(arguments, context),
    }
}

/// Replaces a file as a whole: a reader sees the former content or the new one. Only its owner may read it.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let part = file.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = create(&part).and_then(|mut out| {
        out.write_all(content)?;
        out.sync_all()?;
        fs::rename(&part, file)
    });
    if written.is_err() {
        // It may not exist; the first error is the one to report.
        drop(fs::remove_file(&part));
    }
    written
}

fn create(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.json");
        fs::write(&file, "former").unwrap();
        replace(&file, b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(replace(&folder.path().join("none/shop.json"), b"new").is_err());
        // A folder cannot be replaced; nothing remains of the attempt.
        let busy = folder.path().join("busy");
        fs::create_dir(&busy).unwrap();
        fs::write(busy.join("file"), "").unwrap();
        assert!(replace(&busy, b"new").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
