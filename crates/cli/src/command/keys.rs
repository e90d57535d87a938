//! `lifeboat keys`: creates the keys of recovery points.

use lifeboat_model::Exit;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use lifeboat_filesystem::keys::{self, KeyFiles};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Document;
use crate::output::table::Table;

const AFTER: &str = "Example:
  lifeboat keys generate --out keys

  A backup uses keys/recovery.pub.pem and keys/signing.key.pem, a restore
  keys/recovery.key.pem and keys/signing.pub.pem. Without recovery.key.pem a recovery point
  cannot be decrypted: keep a copy where it cannot be lost together with the cluster or the
  store.

Exit codes: 0 created, 8 the folder is not writable, 9 a key file already exists";

/// The subcommands of `lifeboat keys`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a recovery key (RSA-4096) and a signing key (ECDSA P-256), four PEM files
    Generate(Generate),
}

/// Options of `lifeboat keys generate`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Generate {
    /// The folder for the files; created if it does not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// The keys that were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeysDocument {
    /// Always `lifeboat.dev/keys/v1`.
    pub format: String,
    /// The four files.
    pub files: Vec<KeyFile>,
    /// The name of the recovery key, which manifests call the recipient.
    pub recovery_fingerprint: String,
    /// The name of the signing key.
    pub signing_fingerprint: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyFile {
    /// Where it is.
    pub path: String,
    /// The option that takes it.
    pub option: String,
    /// What it does.
    pub purpose: String,
}

impl Document for KeysDocument {
    fn table(&self) -> String {
        let mut table = Table::new(&["FILE", "OPTION", "PURPOSE"]);
        for file in &self.files {
            table.row([file.path.clone(), file.option.clone(), file.purpose.clone()]);
        }
        format!(
            "{}\nrecovery key  {}\nsigning key   {}\n",
            table.render(0),
            self.recovery_fingerprint,
            self.signing_fingerprint
        )
    }
}

/// Creates keys.
///
/// # Errors
/// If a file exists or cannot be written; no file is left behind then.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Failure> {
    let Command::Generate(arguments) = command;
    let made = keys::generate(&arguments.out)?;
    context.print(&document(&made))?;
    Ok(Exit::Success)
}

fn document(made: &KeyFiles) -> KeysDocument {
    let file = |path: &PathBuf, option: &str, purpose: &str| KeyFile {
        path: path.display().to_string(),
        option: option.to_owned(),
        purpose: purpose.to_owned(),
    };
    KeysDocument {
        format: "lifeboat.dev/keys/v1".to_owned(),
        files: vec![
            file(&made.recovery_public, "backup --recovery-public-key", "encrypts"),
            file(&made.signing_key, "backup --signing-key", "signs"),
            file(
                &made.recovery_key,
                "restore --recovery-key",
                "decrypts; keep it safe, on the recovery side only",
            ),
            file(&made.signing_public, "restore --verify-key", "verifies"),
        ],
        recovery_fingerprint: made.recovery.to_string(),
        signing_fingerprint: made.signing.to_string(),
    }
}
