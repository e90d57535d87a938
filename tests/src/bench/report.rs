//! The figures of a run: printed as they are measured, and written to a JSON file at the end.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One figure with its limit.
#[derive(Debug, Serialize, Deserialize)]
pub struct Figure {
    /// The figure itself.
    pub value: f64,
    /// The limit; absent if the figure is only reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bar: Option<f64>,
    /// Whether the figure is within its limit; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
    /// The measurements from which the figure was calculated.
    pub measured: BTreeMap<String, f64>,
}

/// All figures, by key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The figures.
    pub figures: BTreeMap<String, Figure>,
}

impl Report {
    /// Adds a figure whose limit is the largest value that it may have, and prints it.
    pub fn add(&mut self, key: &str, value: f64, bar: Option<f64>, measured: &[(&str, f64)]) {
        self.with(key, value, bar, bar.map(|bar| value <= bar), measured);
    }

    /// Adds a figure whose limit is the smallest value that it may have, and prints it.
    pub fn add_at_least(&mut self, key: &str, value: f64, bar: f64, measured: &[(&str, f64)]) {
        self.with(key, value, Some(bar), Some(value >= bar), measured);
    }

    fn with(
        &mut self,
        key: &str,
        value: f64,
        bar: Option<f64>,
        holds: Option<bool>,
        measured: &[(&str, f64)],
    ) {
        let verdict = match (bar, holds) {
            (Some(bar), Some(true)) => format!("  (bar {bar}: holds)"),
            (Some(bar), _) => format!("  (bar {bar}: MISSED)"),
            _ => String::new(),
        };
        let parts: Vec<String> = measured
            .iter()
            .map(|(name, value)| format!("{name} {value:.3}"))
            .collect();
        println!(
            "{key:<32} {value:>9.3}{verdict}\n{:<32}   {}",
            "",
            parts.join(", ")
        );
        let measured = measured
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect();
        self.figures.insert(
            key.to_owned(),
            Figure {
                value,
                bar,
                holds,
                measured,
            },
        );
    }

    /// Adds the figures of an earlier run, for a run that measures only some parts.
    ///
    /// # Errors
    /// If the file exists and is not such a report.
    pub fn keep(&mut self, path: &Path) -> Result<()> {
        match std::fs::read(path) {
            Ok(bytes) => {
                let earlier: Self = serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is not a report; delete it", path.display()))?;
                self.figures.extend(earlier.figures);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the figures as JSON.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, serde_json::to_vec_pretty(self)?)?;
        println!("written to {}", path.display());
        Ok(())
    }
}

/// Returns the median of measurements; for an even number the lower of the two middle values, which
/// favors the baseline.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}
