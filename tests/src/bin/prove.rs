//! `make prove BUNDLE=file-or-folder`: exit status 0 if both clusters match, 1 if not, 2 for an
//! invalid command line, 130 if interrupted.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lifeboat_tests::environment::Environment;
use lifeboat_tests::prove::{ProveOptions, prove};

/// Installs manifests in a new cluster, backs it up, restores into another one, and compares the
/// two without any of Lifeboat's own code.
#[derive(Parser)]
struct Arguments {
    /// Path of the JSON report.
    #[arg(long, default_value = "target/prove/report.json")]
    report: PathBuf,
    /// A file or a folder of manifests.
    bundle: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bundle.exists() {
        eprintln!("{} does not exist", arguments.bundle.display());
        return ExitCode::from(2);
    }
    let options = ProveOptions {
        bundle: arguments.bundle,
        report: arguments.report,
    };
    let stage = Environment::default();
    let outcome = stage.run(move |stage| Ok(if prove(stage, &options)?.passed() { 0 } else { 1 }));
    match outcome {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => {
            eprintln!("failed to compare the clusters: {error:#}");
            ExitCode::from(1)
        }
    }
}
