//! `make prove BUNDLE=file-or-folder` and `make prove SEEDS=number`: exit status 0 if both clusters match, 1 if not, 2
//! for an invalid command line, 130 if interrupted.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lifeboat_tests::environment::Environment;
use lifeboat_tests::prove::{ProveOptions, prove, prove_seed};

/// Creates objects in a new cluster, backs it up, restores into another one, and compares the two without any of
/// Lifeboat's own code.
#[derive(Parser)]
struct Arguments {
    /// Path of the JSON report.
    #[arg(long, default_value = "target/prove/report.json")]
    report: PathBuf,
    /// How many clusters of random objects to restore, instead of a bundle.
    #[arg(long, conflicts_with = "bundle", required_unless_present = "bundle")]
    seeds: Option<u64>,
    /// The first seed. Each cluster has the next one.
    #[arg(long, default_value_t = 1, requires = "seeds")]
    first_seed: u64,
    /// A file or a folder of manifests.
    bundle: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(bundle) = arguments.bundle.as_deref().filter(|bundle| !bundle.exists()) {
        eprintln!("{} does not exist", bundle.display());
        return ExitCode::from(2);
    }
    let stage = Environment::default();
    let outcome = stage.run(move |stage| {
        let passed = match arguments.bundle {
            Some(bundle) => {
                let report = arguments.report;
                prove(stage, &ProveOptions { bundle, report })?.passed()
            }
            None => prove_seeds(stage, &arguments)?,
        };
        Ok(if passed { 0 } else { 1 })
    });
    match outcome {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => {
            eprintln!("failed to compare the clusters: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn prove_seeds(stage: &Environment, arguments: &Arguments) -> anyhow::Result<bool> {
    let folder = arguments.report.parent().unwrap_or(&arguments.report);
    let count = arguments.seeds.unwrap_or_default();
    let mut failed = Vec::new();
    for seed in arguments.first_seed..arguments.first_seed.saturating_add(count) {
        if !prove_seed(stage, seed, folder)?.passed() {
            failed.push(seed.to_string());
        }
    }
    println!("\n{count} clusters, {} not as in the source", failed.len());
    if !failed.is_empty() {
        println!("seeds: {}", failed.join(" "));
    }
    Ok(failed.is_empty())
}
