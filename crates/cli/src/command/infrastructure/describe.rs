//! `lifeboat infrastructure describe`: reads the AWS resources that clusters stand on.

use std::path::{Path, PathBuf};

use clap::Args;
use lifeboat_describe::{Wanted, describe};
use lifeboat_infrastructure::Descriptions;
use lifeboat_model::{Code, Exit};
use schemars::JsonSchema;
use serde::Serialize;

use crate::aws::AwsArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Document;

use super::replace;

const AFTER: &str = "Example:
  lifeboat infrastructure describe orders web --profile primary --out shop.json

  Reads clusters with their node groups and access, VPCs, roles with their policies, and keys.
  The document is what the recovery stacks are made from. It may hold secrets: user data of
  launch templates, policies, and configurations of add-ons. Without --out it is printed as
  JSON.

Exit codes: 0 described, 3 described, except for what `missing` lists: it may not be read or
does not exist; 8 the file cannot be written, 12 AWS failed";

/// Options of `lifeboat infrastructure describe`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The EKS clusters
    #[arg(value_name = "CLUSTER", required = true)]
    pub clusters: Vec<String>,
    /// The file for the document, which is replaced; defaults to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Of the primary account.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// The descriptions, as they are printed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct DescriptionsDocument(pub Descriptions);

impl DescriptionsDocument {
    fn json(&self) -> Result<String, Failure> {
        let text = serde_json::to_string_pretty(self);
        let mut text = text
            .map_err(|error| Failure::of(Code::Bug, "failed to render the descriptions as JSON", &error))?;
        text.push('\n');
        Ok(text)
    }

    /// Returns what was found in one line.
    fn summary(&self) -> String {
        let found = &self.0;
        let counts = [
            ("clusters", found.clusters.len()),
            ("VPCs", found.vpcs.len()),
            ("subnets", found.subnets.len()),
            ("security groups", found.security_groups.len()),
            ("roles", found.roles.len()),
            ("keys", found.keys.len()),
        ];
        let counts = counts.map(|(what, count)| format!("{what}: {count}"));
        counts.join(", ")
    }
}

impl Document for DescriptionsDocument {
    /// The document is for programs, and has no other text for people than JSON.
    fn table(&self) -> String {
        self.json().unwrap_or_default()
    }
}

/// Reads the descriptions, and prints them or writes them to a file.
///
/// # Errors
/// If AWS cannot be called, or the file cannot be written.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let found = context.block_on(async {
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        Box::pin(async {
            let session = arguments.aws.open().await?;
            let account = session.environment().account.clone();
            let wanted = Wanted::new(account, arguments.clusters.iter().cloned());
            let found = describe(session.context(), &wanted).await;
            found.map_err(|error| {
                let doing = "describe the AWS resources of the clusters";
                Failure::from(session.context().problem(doing, error.answer()))
            })
        })
        .await
    })?;
    write(&DescriptionsDocument(found), arguments.out.as_deref(), context)
}

/// Prints descriptions, or writes them to a file. What they lack is told, and is the exit code.
pub(super) fn write(
    document: &DescriptionsDocument,
    out: Option<&Path>,
    context: &Context,
) -> Result<Exit, Failure> {
    for missing in &document.0.missing {
        let (resource, call) = (&missing.resource, &missing.call);
        context
            .progress
            .note(format!("{resource}: {call} failed: {}", missing.code));
    }
    match out {
        None => context.print(document)?,
        Some(file) => {
            replace(file, document.json()?.as_bytes()).map_err(|error| {
                let failed = format!("failed to write the descriptions to {}", file.display());
                Failure::of(Code::StoreFailed, failed, &error)
                    .remedy("name a file in a folder that exists and can be written with --out")
            })?;
            context.progress.note(document.summary());
        }
    }
    if document.0.missing.is_empty() {
        Ok(Exit::Success)
    } else {
        Ok(Exit::Partial)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lifeboat_model::{AccountId, Region};

    use super::*;

    #[test]
    fn the_printed_document_can_be_read_again() {
        let account = AccountId::parse("111111111111").unwrap();
        let found = Descriptions::new(account, Region::parse("eu-west-1").unwrap());
        let document = DescriptionsDocument(found.clone());
        assert_eq!(Descriptions::parse(document.table().as_bytes()).unwrap(), found);
        assert!(document.summary().starts_with("clusters: 0, VPCs: 0"));
    }
}
