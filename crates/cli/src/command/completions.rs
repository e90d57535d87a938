//! `lifeboat completions`: completion scripts, generated from the command line's definition.

use clap::Args;
use clap_complete::Shell;
use lifeboat_model::Exit;

use crate::arguments::definition;
use crate::failure::Failure;
use crate::output::write_out;

const AFTER: &str = "Example:
  lifeboat completions bash > ~/.local/share/bash-completion/completions/lifeboat

Exit codes: 0 printed, 2 unknown shell";

/// Options of `lifeboat completions`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the completion script.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut definition(), "lifeboat", &mut script);
    write_out(&script)?;
    Ok(Exit::Success)
}
