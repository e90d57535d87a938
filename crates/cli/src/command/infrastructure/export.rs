//! `lifeboat infrastructure export`: takes the descriptions of AWS resources out of a recovery point.

use std::path::PathBuf;

use clap::Args;
use lifeboat_infrastructure::Descriptions;
use lifeboat_model::{Code, Exit};
use lifeboat_recovery_point::{ReadablePoint, Silent};

use crate::arguments::{PointArguments, RecoveryKeyArguments};
use crate::command::open;
use crate::context::Context;
use crate::failure::Failure;

use super::describe::{DescriptionsDocument, write};

const AFTER: &str = "Example:
  lifeboat infrastructure export latest --store points --application shop \\
      --verify-key keys/signing.pub.pem --recovery-key keys/recovery.key.pem --out shop.aws.json

  The document is what the recovery stacks are made from. It may hold secrets: user data of
  launch templates, policies, and configurations of add-ons. Without --out it is printed as
  JSON.

Exit codes: 0 exported, 2 no such point, or it has no descriptions, 3 exported, except for what
`missing` lists, 5 refused, 8 the store failed or the file cannot be written, 9 a key cannot be
used or is not named, 12 AWS refused the request";

/// Options of `lifeboat infrastructure export`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The recovery point: `latest`, `latest-complete`, its id, or the beginning of its id
    pub point: String,
    /// The file for the document, which is replaced; defaults to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where the point is.
    #[command(flatten)]
    pub from: PointArguments,
    /// What opens it.
    #[command(flatten)]
    pub key: RecoveryKeyArguments,
}

/// Reads the descriptions of a recovery point, and prints them or writes them to a file.
///
/// # Errors
/// If the point does not exist, is refused or has no descriptions, or the file cannot be written.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let found = context.block_on(async {
        let readable = open::readable(&arguments.point, &arguments.from, &arguments.key, context).await?;
        descriptions(&readable).await
    })?;
    write(&DescriptionsDocument(found), arguments.out.as_deref(), context)
}

/// Reads the descriptions of a recovery point.
///
/// # Errors
/// If the point has none, or they cannot be read.
pub(in crate::command) async fn descriptions(readable: &ReadablePoint) -> Result<Descriptions, Failure> {
    let point = readable.point().point();
    let document = readable.descriptions(&Silent).await?;
    let document = document.ok_or_else(|| {
        Failure::new(
            Code::NoDescriptions,
            format!("the recovery point {point} does not describe AWS resources"),
        )
    })?;
    Descriptions::parse(&document).map_err(|error| {
        // The causes quote the text that they fail at, which may be a secret of user data.
        Failure::new(
            Code::InvalidDocument,
            format!("failed to read the descriptions of the recovery point {point}: {error}"),
        )
        .remedy("use a newer lifeboat")
    })
}
