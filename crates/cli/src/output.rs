//! What a command prints on standard output: one document, readable by people and by programs.
//!
//! Every document is a struct with a JSON schema and a `format` field that contains its name and version. It is
//! rendered as a table, as JSON or as YAML; only the document is written to standard output.

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

/// A document that a command prints.
pub trait Document: Serialize {
    /// Renders the document as text; each line ends with a line break.
    fn table(&self) -> String;
}

/// Writes a document to standard output.
///
/// # Errors
/// If standard output cannot be written, except because its reader has closed it.
pub fn print(document: &impl Document, format: OutputFormat) -> Result<(), Failure> {
    match format {
        OutputFormat::Table => write_out(document.table().as_bytes()),
        OutputFormat::Json => print_json(document),
        OutputFormat::Yaml => write_out(yaml::render(&value(document)?).as_bytes()),
    }
}

/// Writes a document as JSON. It is not rendered in memory first: a plan or a report may name 300,000 objects.
fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::BufWriter::with_capacity(PIECE, io::stdout().lock());
    match serde_json::to_writer_pretty(&mut out, document) {
        Ok(()) => written(out.write_all(b"\n").and_then(|()| out.flush())),
        Err(error) if error.is_io() => written(Err(error.into())),
        Err(error) => Err(unprintable(&error)),
    }
}

/// The size in bytes of the pieces in which documents are written.
const PIECE: usize = 64 << 10;

/// Writes bytes to standard output. A reader that has closed it (`| head`) is not an error.
///
/// # Errors
/// If standard output cannot be written for another reason.
pub fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
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

/// Writes a failure to standard error: as text, or as a JSON document if the output format is JSON or YAML.
pub fn print_failure(failure: &Failure, format: OutputFormat) {
    let text = match format {
        OutputFormat::Table => format!("{failure}\n"),
        OutputFormat::Json | OutputFormat::Yaml => {
            json(&failure.document()).unwrap_or_else(|_| format!("{failure}\n"))
        }
    };
    // There is no other place to report an error of standard error.
    drop(io::stderr().lock().write_all(text.as_bytes()));
}
