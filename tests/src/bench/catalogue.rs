//! The duration of a tick of the coordinator with few and with many recovery points.

use anyhow::Result;
use serde::Deserialize;

use super::example;
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
    let Figures {
        tick_ms_10_points: few,
        tick_ms_500k_points: many,
    } = example("catalogue")?;
    report.add(
        "tick_500k_points_vs_10",
        many / few,
        Some(1.5),
        &[("tick_ms_500k_points", many), ("tick_ms_10_points", few)],
    );
    Ok(())
}
