//! Translation and plan: the throughput of one core, the time and memory of a plan, and what is left of the primary.

use anyhow::Result;
use serde::Deserialize;

use super::example;
use super::report::Report;

/// The smallest limit for the bytes of objects that one core translates, in MB per second, the scan for leftovers
/// included.
const TRANSLATE_MB_PER_S: f64 = 200.0;

/// The limits for a plan of 100,000 objects: seconds, and MiB of resident memory.
const PLAN_S: f64 = 5.0;
const PLAN_PEAK_MIB: f64 = 512.0;

/// The figures of the example `throughput` of the crate `translate`.
#[derive(Deserialize)]
struct Throughput {
    mb_per_s_few: f64,
    mb_per_s_many: f64,
}

/// The figures of the example `plan` of the crate `plan`.
#[derive(Deserialize)]
struct Planned {
    plan_s: f64,
    peak_mib: Option<f64>,
    objects: f64,
    undeclared_leftovers: f64,
}

/// Runs both examples and adds their figures.
///
/// # Errors
/// If one fails.
pub fn measure(report: &mut Report) -> Result<()> {
    let Throughput {
        mb_per_s_few: few,
        mb_per_s_many: many,
    } = example("throughput")?;
    let measured = [
        ("one object in 4 names the primary", many),
        ("one in 400 does", few),
    ];
    report.add_at_least("translate_mb_per_s_core", many, TRANSLATE_MB_PER_S, &measured);
    let Planned {
        plan_s,
        peak_mib,
        objects,
        undeclared_leftovers: left,
    } = example("plan")?;
    let objects = [("objects", objects)];
    report.add("plan_s_100k_objects", plan_s, Some(PLAN_S), &objects);
    if let Some(peak) = peak_mib {
        report.add("plan_peak_mib_100k_objects", peak, Some(PLAN_PEAK_MIB), &objects);
    }
    report.add("unlisted_leftovers", left, Some(0.0), &[]);
    Ok(())
}
