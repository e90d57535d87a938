//! `lifeboat verify`: verifies that a recovery point is complete and unchanged since it was signed.

use clap::Args;
use lifeboat_format::manifest::Completeness;
use lifeboat_model::Exit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::open::{self, Vault};
use super::show::completeness;
use crate::arguments::{PointArguments, RecoveryKeyArguments};
use crate::context::Context;
use crate::failure::Failure;
use crate::measure::{Measured, Stopwatch};
use crate::output::{Document, human};
use crate::progress::adapters::PointProgress;

const AFTER: &str = "Examples:
  lifeboat verify latest --store points --verify-key keys/signing.pub.pem
  lifeboat verify latest --store points --verify-key keys/signing.pub.pem \\
      --recovery-key keys/recovery.key.pem

  The first command compares the digest of every file with the signed manifest and needs no
  private key. The second one also decrypts everything and compares every object with the index
  and the manifest.

Exit codes: 0 intact, 2 no such point, 5 rejected, 8 the store failed, 9 a key cannot be used or
is not named, 12 AWS refused the request";

const WITH_KEY: &str = "The private recovery key, to verify the contents too: a file (recovery.key.pem), or the ARN or alias of a KMS key";

/// Options of `lifeboat verify`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER, mut_arg("recovery_key", |key| key.help(WITH_KEY)))]
pub struct Arguments {
    /// The recovery point: `latest`, `latest-complete`, its id, or the beginning of its id
    pub point: String,
    /// Where it is.
    #[command(flatten)]
    pub from: PointArguments,
    /// What opens it; with it the contents are checked too.
    #[command(flatten)]
    pub key: RecoveryKeyArguments,
}

/// What was verified; only printed where all of it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyDocument {
    /// Always `lifeboat.dev/verify/v1`.
    pub format: String,
    /// The point.
    pub point: String,
    /// The fingerprint of the key that signed the manifest.
    pub signed_by: String,
    /// Whether everything that was asked for is in the point.
    pub completeness: Completeness,
    /// How many files have the signed digest.
    pub files: u64,
    /// Their size in bytes.
    pub stored_bytes: u64,
    /// What was decrypted; absent where only digests were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// Time and memory.
    pub measured: Measured,
}

/// What was decrypted and compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contents {
    /// Objects, each with the digest of the index.
    pub objects: u64,
    /// The size of the objects in bytes.
    pub bytes: u64,
    /// Encrypted frames.
    pub frames: u64,
}

impl Document for VerifyDocument {
    fn table(&self) -> String {
        let mut text = format!(
            "{} is intact ({})\n  signature  by {}\n  files      {} with the signed digest, {}\n",
            self.point,
            completeness(self.completeness),
            self.signed_by,
            human::count(self.files),
            human::bytes(self.stored_bytes)
        );
        match &self.contents {
            Some(contents) => text.push_str(&format!(
                "  contents   {} decrypted and compared, {}\n",
                human::counted(contents.objects, "object", "objects"),
                human::bytes(contents.bytes)
            )),
            None => text.push_str("  contents   not decrypted; use --recovery-key to check them\n"),
        }
        text
    }
}

/// Verifies a recovery point.
///
/// # Errors
/// The first check that fails.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let progress = PointProgress::new(&context.progress);
    let mut watch = Stopwatch::start();
    let document = context.block_on(async {
        let (vault, unwrapper) = match arguments.key.recovery_key {
            Some(_) => {
                let (vault, unwrapper) = open::unlocked(&arguments.from, &arguments.key).await?;
                (vault, Some(unwrapper))
            }
            None => (Vault::open(&arguments.from).await?, None),
        };
        let opened = vault.point(&arguments.point, context).await?;
        watch.lap("open");
        let contents = match &unwrapper {
            None => {
                opened.point.verify_digests(&progress).await?;
                watch.lap("digests");
                None
            }
            // Reading all contents also compares the digest of every file.
            Some(unwrapper) => {
                let readable = open::decrypt(&opened.point, unwrapper.as_ref(), &arguments.key).await?;
                watch.lap("unlock");
                let report = readable.verify_contents(&progress).await?;
                watch.lap("contents");
                Some(Contents {
                    objects: report.objects,
                    bytes: report.bytes,
                    frames: report.frames,
                })
            }
        };
        Ok(VerifyDocument {
            format: "lifeboat.dev/verify/v1".to_owned(),
            point: opened.point.point().to_string(),
            signed_by: opened.signed_by,
            completeness: opened.point.statement().predicate.completeness,
            files: opened.point.files().count() as u64,
            stored_bytes: opened.point.bytes(),
            contents,
            measured: watch.finish(),
        })
    })?;
    context.print(&document)?;
    Ok(Exit::Success)
}
