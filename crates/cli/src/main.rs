//! The program `lifeboat`. Its code is in the library of the same package.

use std::process::ExitCode;

fn main() -> ExitCode {
    lifeboat_cli::run(std::env::args_os().collect()).into()
}
