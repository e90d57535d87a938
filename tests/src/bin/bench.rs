//! `make bench`: prints each ratio with what it was made of and writes `target/bench/report.json`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use lifeboat_tests::bench::{report::Report, scenario};

/// Measures Lifeboat against a bare client on the same machine in the same run.
#[derive(Parser)]
struct Arguments {
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench/report.json")]
    report: PathBuf,
    /// Objects of the large capture.
    #[arg(long, default_value_t = 300_000)]
    size: usize,
    /// Objects of the small capture, against which memory must stay flat.
    #[arg(long, default_value_t = 10_000)]
    small: usize,
    /// Objects of the restore.
    #[arg(long, default_value_t = 20_000)]
    restore: usize,
    /// Repetitions of each measurement; the median counts.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Only these parts.
    #[arg(long, value_delimiter = ',', default_values = ["capture", "memory", "restore"])]
    only: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    let wanted = |part: &str| arguments.only.iter().any(|only| only == part);
    if wanted("memory") {
        scenario::capture(&mut report, arguments.small, 1, false).await?;
    }
    if wanted("restore") {
        scenario::restore(&mut report, arguments.restore, arguments.repetitions).await?;
    }
    if wanted("capture") {
        scenario::capture(&mut report, arguments.size, arguments.repetitions, true).await?;
    }
    report.write(&arguments.report)
}
