//! What a proof comes to.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use super::lists::Lists;
use crate::audit::Finding;
use crate::snapshot::{array, text};

/// How many findings are printed; the JSON report holds all.
const SHOWN: usize = 40;

/// The outcome of a proof.
#[derive(Debug, Default, Serialize)]
pub struct Verdict {
    /// What is wrong beyond single objects.
    pub failures: Vec<String>,
    /// What is wrong with single objects, found without Lifeboat's code.
    pub findings: Vec<Finding>,
    /// What a reader should know and is not wrong.
    pub notes: Vec<String>,
    /// The lists of Lifeboat's report, grouped.
    pub lists: Lists,
    /// Seconds of each step.
    pub timings: BTreeMap<String, f64>,
    /// Versions of what took part.
    pub versions: BTreeMap<String, String>,
    /// Lifeboat's own report.
    pub lifeboat: Value,
}

impl Verdict {
    /// Whether both clusters match.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.findings.is_empty()
    }

    /// Adds a remark.
    pub fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Adds a failure.
    pub fn fail(&mut self, text: String) {
        self.failures.push(text);
    }

    /// Takes over what the plan's lint says.
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
