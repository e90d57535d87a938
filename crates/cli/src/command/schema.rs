//! `lifeboat schema`: the JSON schemas of everything that is read or written as JSON.

use clap::{Args, ValueEnum};
use lifeboat_model::Code;
use schemars::{JsonSchema, SchemaGenerator};

use crate::exit::Exit;
use crate::failure::{Failure, ProblemDocument};
use crate::output::write_out;

const AFTER: &str = "Example:
  lifeboat schema patches > patches.schema.json

Exit codes: 0 printed, 2 unknown document";

/// Options of `lifeboat schema`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The document
    #[arg(value_enum)]
    pub document: Name,
}

/// The documents that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// An error on standard error
    Problem,
}

/// Prints a schema.
///
/// # Errors
/// Where standard output fails.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let schema = match arguments.document {
        Name::Problem => of::<ProblemDocument>(),
    };
    let mut text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::of(Code::Bug, "failed to render the schema", &error))?;
    text.push('\n');
    write_out(text.as_bytes())?;
    Ok(Exit::Success)
}

fn of<T: JsonSchema>() -> schemars::Schema {
    SchemaGenerator::default().into_root_schema_for::<T>()
}
