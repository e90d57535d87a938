//! `lifeboat schema`: the JSON schemas of everything that is read or written as JSON.

use clap::{Args, ValueEnum};
use lifeboat_format::Statement;
#[cfg(feature = "aws")]
use lifeboat_infrastructure::cost::PriceTable;
use lifeboat_model::request::{Answer, Request};
use lifeboat_model::{ApplicationDocument, Code, Exit};
use lifeboat_plan::RestoreOptions;
use lifeboat_translate::IdentityMap;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};

#[cfg(feature = "aws")]
use super::application::plan::RecoveryPlanDocument;
use super::backup::BackupDocument;
#[cfg(feature = "aws")]
use super::deploy::DeployDocument;
use super::diff::DiffDocument;
use super::explain::Explanations;
#[cfg(feature = "aws")]
use super::infrastructure::build::InfrastructurePlanDocument;
#[cfg(feature = "aws")]
use super::infrastructure::describe::DescriptionsDocument;
use super::keys::KeysDocument;
use super::plan::PlanDocument;
use super::points::PointsDocument;
use super::restore::RestoreDocument;
use super::restore_options::PatchDocument;
use super::show::ShowDocument;
use super::verify::VerifyDocument;
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
    /// The signed manifest of a recovery point
    Manifest,
    /// The report of `restore`
    Report,
    /// The plan, as `plan` prints it
    Plan,
    /// The plan of a recovery, as `application plan` prints it
    #[cfg(feature = "aws")]
    RecoveryPlan,
    /// A file of `--patches`
    Patches,
    /// A file of `--identities`
    Identities,
    /// The result of `backup`
    Backup,
    /// The result of `points`
    Points,
    /// The result of `show`
    Show,
    /// The result of `verify`
    Verify,
    /// The result of `diff`
    Diff,
    /// The result of `keys generate`
    Keys,
    /// The result of `explain`
    Explanations,
    /// An application, as `application put` takes it
    Application,
    /// Options of a restore, as `rules` of an application and as requests hold them
    Options,
    /// A request to the coordinator
    Request,
    /// The answer of the coordinator: the result of `status` and `application`
    Answer,
    /// The result of `deploy`
    #[cfg(feature = "aws")]
    Deploy,
    /// The result of `infrastructure describe`
    #[cfg(feature = "aws")]
    Descriptions,
    /// The result of `infrastructure plan`
    #[cfg(feature = "aws")]
    InfrastructurePlan,
    /// A file of `--prices`
    #[cfg(feature = "aws")]
    Prices,
    /// An error on standard error
    Problem,
}

/// Prints a schema.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let schema = match arguments.document {
        Name::Manifest => of::<Statement>(),
        Name::Report => of::<RestoreDocument>(),
        Name::Plan => of::<PlanDocument>(),
        #[cfg(feature = "aws")]
        Name::RecoveryPlan => of::<RecoveryPlanDocument>(),
        Name::Patches => of_input::<PatchDocument>(),
        Name::Identities => of_input::<IdentityMap>(),
        Name::Backup => of::<BackupDocument>(),
        Name::Points => of::<PointsDocument>(),
        Name::Show => of::<ShowDocument>(),
        Name::Verify => of::<VerifyDocument>(),
        Name::Diff => of::<DiffDocument>(),
        Name::Keys => of::<KeysDocument>(),
        Name::Explanations => of::<Explanations>(),
        Name::Application => of_input::<ApplicationDocument>(),
        Name::Options => of_input::<RestoreOptions>(),
        Name::Request => of_input::<Request>(),
        Name::Answer => of::<Answer>(),
        #[cfg(feature = "aws")]
        Name::Deploy => of::<DeployDocument>(),
        #[cfg(feature = "aws")]
        Name::Descriptions => of::<DescriptionsDocument>(),
        #[cfg(feature = "aws")]
        Name::InfrastructurePlan => of::<InfrastructurePlanDocument>(),
        #[cfg(feature = "aws")]
        Name::Prices => of_input::<PriceTable>(),
        Name::Problem => of::<ProblemDocument>(),
    };
    let mut text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::of(Code::Bug, "failed to render the schema", &error))?;
    text.push('\n');
    write_out(text.as_bytes())?;
    Ok(Exit::Success)
}

/// Returns the schema of an output document; fields that are omitted when empty are not required.
fn of<T: JsonSchema>() -> schemars::Schema {
    SchemaSettings::default()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
}

/// Returns the schema of an input document; fields that have a default are not required.
fn of_input<T: JsonSchema>() -> schemars::Schema {
    SchemaGenerator::default().into_root_schema_for::<T>()
}
