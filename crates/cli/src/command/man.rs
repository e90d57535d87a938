//! `lifeboat man`: manual pages, generated from the command line's definition.

use std::path::PathBuf;

use clap::Args;
use lifeboat_model::{Code, Exit};

use crate::arguments::definition;
use crate::failure::Failure;

const AFTER: &str = "Example:
  lifeboat man --out ~/.local/share/man/man1

Exit codes: 0 written, 8 the folder cannot be written";

/// Options of `lifeboat man`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The folder for the pages, one per command; made if it does not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Writes the manual pages.
///
/// # Errors
/// If the folder cannot be written.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let folder = &arguments.out;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(definition(), folder))
        .map_err(|error| {
            Failure::of(
                Code::StoreFailed,
                format!("failed to write the manual pages to {}", folder.display()),
                &error,
            )
            .remedy("name a folder that can be written with --out")
        })?;
    Ok(Exit::Success)
}
