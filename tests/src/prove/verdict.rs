//! The result of a proof.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use super::lists::Lists;
use crate::audit::Finding;
use crate::snapshot::{array, text};

/// The number of findings that are printed; the JSON report contains all.
const SHOWN: usize = 40;

/// The result of a proof.
#[derive(Debug, Default, Serialize)]
pub struct Verdict {
    /// Failures that do not concern single objects.
    pub failures: Vec<String>,
    /// Failures of single objects, found without Lifeboat's code.
    pub findings: Vec<Finding>,
    /// Information for the reader that is not a failure.
    pub notes: Vec<String>,
    /// The lists of Lifeboat's report, grouped.
    pub lists: Lists,
    /// The duration of each step, in seconds.
    pub timings: BTreeMap<String, f64>,
    /// The versions of the programs involved.
    pub versions: BTreeMap<String, String>,
    /// Lifeboat's own report.
    pub lifeboat: Value,
}

impl Verdict {
    /// Returns whether both clusters match.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.findings.is_empty()
    }

    /// Adds a note.
    pub fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Adds a failure.
    pub fn fail(&mut self, text: String) {
        self.failures.push(text);
    }

    /// Adds the findings of the plan's lint.
    pub fn lint(&mut self, plan: &Value) {
        for finding in array(plan, "/lint").chain(array(plan, "/findings")) {
            let line = format!("lint: {} {}", text(finding, "/code"), text(finding, "/message"));
            if text(finding, "/severity").eq_ignore_ascii_case("error") {
                self.fail(line);
            } else {
                self.note(line);
            }
        }
    }

    /// Writes everything as JSON.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut document = serde_json::to_value(self)?;
        document["verdict"] = if self.passed() { "pass" } else { "fail" }.into();
        std::fs::write(path, serde_json::to_vec_pretty(&document)?)
            .with_context(|| format!("write {}", path.display()))
    }

    /// Prints the lists and the verdict.
    pub fn print(&self) {
        self.lists.print();
        if !self.notes.is_empty() {
            println!("\nnotes: {}", self.notes.len());
            for note in &self.notes {
                println!("  {note}");
            }
        }
        if self.passed() {
            println!("\nPASS: the report is correct, and the target matches the source");
            return;
        }
        println!("\nfindings: {}", self.findings.len() + self.failures.len());
        for failure in &self.failures {
            println!("  {failure}");
        }
        for finding in self.findings.iter().take(SHOWN) {
            println!("  {finding}");
        }
        if self.findings.len() > SHOWN {
            println!(
                "  ... and {} more in the JSON report",
                self.findings.len() - SHOWN
            );
        }
        println!("\nFAIL");
    }
}
