//! The benchmark: ratios to a baseline that is measured in the same run on the same machine.
//!
//! An absolute value means little on a shared machine. So each claim is the ratio of two
//! measurements that alternate, and the median of the repetitions counts.

pub mod archive;
pub mod aws;
pub mod catalogue;
pub mod floor;
pub mod objects;
pub mod report;
pub mod scenario;
pub mod translation;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;

/// Runs an example of a crate, which lies beside the benchmark, and returns the figures that it prints as JSON.
fn example<T: DeserializeOwned>(name: &str) -> Result<T> {
    let this = std::env::current_exe()?;
    let folder = this.parent().unwrap_or(Path::new("."));
    let program = folder.join("examples").join(name);
    let output = Command::new(&program)
        .output()
        .with_context(|| format!("run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {said}", program.display());
    Ok(serde_json::from_slice(&output.stdout)?)
}
