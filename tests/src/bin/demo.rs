//! `make demo`: the guided tour. `--keep` leaves the clusters running until Ctrl-C.

use std::process::ExitCode;

use clap::Parser;
use lifeboat_tests::demo;
use lifeboat_tests::environment::Environment;

/// Two real clusters, a backup, a restore, and the proof.
#[derive(Parser)]
struct Arguments {
    /// Leave the clusters running until Ctrl-C, and print how to use them.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let stage = Environment::default();
    match stage.run(move |stage| demo::run(stage, arguments.keep)) {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => {
            eprintln!("the demo failed: {error:#}");
            ExitCode::from(1)
        }
    }
}
