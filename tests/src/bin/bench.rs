//! `make bench`: prints each ratio with its measurements and writes `target/bench/report.json`.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;
use lifeboat_tests::bench::{aws, catalogue, report::Report, scenario, translation};

/// Measures Lifeboat against a bare client on the same machine in the same run.
#[derive(Parser)]
struct Arguments {
    /// Path of the JSON report.
    #[arg(long, default_value = "target/bench/report.json")]
    report: PathBuf,
    /// Number of objects in the capture that is compared with listing.
    #[arg(long, default_value_t = 60_000)]
    size: usize,
    /// Numbers of objects in the captures whose memory is compared: it must not grow.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 300_000])]
    memory: Vec<usize>,
    /// Number of objects in the restore whose memory is measured, from the beginning and resumed at half.
    #[arg(long, default_value_t = 300_000)]
    restore_memory: usize,
    /// Number of objects in the restore.
    #[arg(long, default_value_t = 20_000)]
    restore: usize,
    /// Repetitions of each measurement; the median counts.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Number of objects in the backup through AWS.
    #[arg(long, default_value_t = 100_000)]
    aws_size: usize,
    /// How to compile the functions for AWS: release, dev, or built for the existing binaries.
    #[arg(long, default_value = "release")]
    aws_profile: String,
    /// Run only these parts; the report keeps the figures of the others.
    #[arg(long, value_delimiter = ',', default_values = PARTS)]
    only: Vec<String>,
}

/// All parts of the benchmark.
const PARTS: [&str; 7] = [
    "restore",
    "restore-memory",
    "capture",
    "memory",
    "catalogue",
    "translation",
    "aws",
];

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    for part in &arguments.only {
        ensure!(
            PARTS.contains(&part.as_str()),
            "{part} is not one of {}",
            PARTS.join(", ")
        );
    }
    if arguments.only.len() < PARTS.len() {
        report.keep(&arguments.report)?;
    }
    let wanted = |part: &str| arguments.only.iter().any(|only| only == part);
    if wanted("restore") {
        scenario::restore(&mut report, arguments.restore, arguments.repetitions).await?;
    }
    if wanted("restore-memory") {
        scenario::restore_memory(&mut report, arguments.restore_memory).await?;
    }
    if wanted("capture") {
        scenario::capture(&mut report, arguments.size, arguments.repetitions).await?;
    }
    if wanted("memory") {
        for objects in arguments.memory {
            scenario::memory(&mut report, objects).await?;
        }
    }
    if wanted("catalogue") {
        catalogue::measure(&mut report)?;
    }
    if wanted("translation") {
        translation::measure(&mut report)?;
    }
    if wanted("aws") {
        let sizes = aws::Sizes {
            profile: arguments.aws_profile.clone(),
            objects: arguments.aws_size,
            repetitions: arguments.repetitions,
        };
        tokio::task::block_in_place(|| aws::measure(&mut report, &sizes))?;
    }
    report.write(&arguments.report)
}
