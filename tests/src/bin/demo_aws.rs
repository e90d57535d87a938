//! `make demo-aws`: the guided tour on a local AWS.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use lifeboat_tests::aws;
use lifeboat_tests::environment::Environment;

/// Two accounts, the stacks, an issue and the command that resolves it, a recovery point, a restore.
#[derive(Parser)]
struct Arguments {
    /// How to compile the functions.
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

#[derive(Clone, Copy, ValueEnum)]
enum Profile {
    /// With optimization.
    Release,
    /// With optimization, compiled faster.
    Test,
    /// Without optimization.
    Dev,
    /// Not at all: the binaries of an earlier build without optimization are used.
    Built,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let profile = match arguments.profile {
        Profile::Release => "release",
        Profile::Test => "test",
        Profile::Dev => "dev",
        Profile::Built => "built",
    };
    let stage = Environment::default();
    match stage.run(move |_| aws::run(profile)) {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => {
            eprintln!("the demo failed: {error:#}");
            ExitCode::from(1)
        }
    }
}
