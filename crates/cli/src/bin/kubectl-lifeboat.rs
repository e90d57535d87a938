//! The kubectl plugin `kubectl lifeboat`: kubectl runs a program of this name. It executes `lifeboat` from its own
//! folder or from the PATH, so that there is only one program to install and to update.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The program's name as kubectl shows it. It is passed to `lifeboat` as argument 0, so that usage texts show this
/// name.
const CALLED_AS: &str = "kubectl-lifeboat";

fn main() -> ExitCode {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| {
            own.canonicalize()
                .unwrap_or(own)
                .parent()
                .map(|folder| folder.join("lifeboat"))
        })
        .filter(|program| program.exists());
    let program = beside.unwrap_or_else(|| PathBuf::from("lifeboat"));
    let mut command = Command::new(&program);
    command.args(std::env::args_os().skip(1));
    become_program(&mut command)
}

#[cfg(unix)]
fn become_program(command: &mut Command) -> ExitCode {
    use std::os::unix::process::CommandExt;
    not_started(&command.arg0(CALLED_AS).exec())
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> ExitCode {
    match command.status() {
        Ok(status) => ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
        Err(error) => not_started(&error),
    }
}

fn not_started(error: &std::io::Error) -> ExitCode {
    eprintln!(
        "LB-0001: {CALLED_AS} cannot start lifeboat\n  because: {error}\n  fix: install lifeboat in the folder of {CALLED_AS} or in the PATH"
    );
    ExitCode::from(70)
}
