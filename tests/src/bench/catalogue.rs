//! The duration of a tick of the coordinator with few and with many recovery points.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::report::Report;

/// The milliseconds of an idle tick, as the program prints them.
#[derive(Deserialize)]
struct Figures {
    tick_ms_10_points: f64,
    tick_ms_500k_points: f64,
}

/// Runs the example `catalogue` of the coordinator, which lies beside the benchmark, and adds its figures.
///
/// # Errors
/// If it fails.
pub fn measure(report: &mut Report) -> Result<()> {
    let this = std::env::current_exe()?;
    let program = this.parent().unwrap_or(Path::new(".")).join("examples/catalogue");
    let output = Command::new(&program)
        .output()
        .with_context(|| format!("run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {said}", program.display());
    let figures: Figures = serde_json::from_slice(&output.stdout)?;
    let Figures {
        tick_ms_10_points: few,
        tick_ms_500k_points: many,
    } = figures;
    report.add(
        "tick_500k_points_vs_10",
        many / few,
        Some(1.5),
        &[("tick_ms_500k_points", many), ("tick_ms_10_points", few)],
    );
    Ok(())
}
