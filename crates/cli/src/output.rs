//! What a command prints on standard output: a document that people, scripts and pipes read alike.
//!
//! Every document is a struct that serde and schemars know, with a `format` field that names it and
//! its version. Tables are one rendering of it, JSON and YAML two others; nothing but the document
//! goes to standard output.

use std::io::{self, Write};

use clap::ValueEnum;
use lifeboat_model::Code;
use serde::Serialize;

use crate::failure::Failure;

pub mod human;
pub mod table;
pub mod yaml;

/// How documents are rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// Text for people
    #[default]
    Table,
    /// JSON, one document
    Json,
    /// YAML, one document
    Yaml,
}

/// Something a command prints.
pub trait Document: Serialize {
    /// The rendering for people, each line ended.
    fn table(&self) -> String;
}

/// Writes a document to standard output.
///
/// # Errors
/// Where standard output fails for another reason than a reader that has gone.
pub fn print(document: &impl Document, format: OutputFormat) -> Result<(), Failure> {
    let text = match format {
        OutputFormat::Table => document.table(),
        OutputFormat::Json => json(document)?,
        OutputFormat::Yaml => yaml::render(&value(document)?),
    };
    write_out(text.as_bytes())
}

/// Writes bytes to standard output. A reader that has gone (`| head`) is not an error.
///
/// # Errors
/// Where standard output fails for another reason.
pub fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(
                Failure::of(Code::StoreFailed, "failed to write to standard output", &error)
                    .remedy("check where the output is redirected"),
            )
        }
        _ => Ok(()),
    }
}

fn json(document: &impl Serialize) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(document).map_err(|e| unprintable(&e))?;
    text.push('\n');
    Ok(text)
}

fn value(document: &impl Serialize) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(document).map_err(|e| unprintable(&e))
}

fn unprintable(error: &serde_json::Error) -> Failure {
    Failure::of(Code::Bug, "failed to render the result as JSON", error)
}

/// Writes a failure to standard error: as text, or as a JSON document where the output is meant for
/// machines.
pub fn print_failure(failure: &Failure, format: OutputFormat) {
    let text = match format {
        OutputFormat::Table => format!("{failure}\n"),
        OutputFormat::Json | OutputFormat::Yaml => {
            json(&failure.document()).unwrap_or_else(|_| format!("{failure}\n"))
        }
    };
    // Nobody can be told that standard error does not work.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}
