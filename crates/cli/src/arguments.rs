//! The command line. This is the only place that reads configuration: arguments and environment variables are read here
//! and passed on as values.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, ValueEnum};
#[cfg(feature = "aws")]
use lifeboat_model::AccountId;
use lifeboat_model::{ApplicationName, Filter, LabelSelector, TypeSelector};

use self::source::{KeySource, StoreLocation, TrustedSigner};
#[cfg(feature = "aws")]
use crate::aws::AwsArguments;
use crate::command::Command;
use crate::failure::Failure;
use crate::output::OutputFormat;
use crate::version;

const ABOUT: &str = "Keeps Kubernetes clusters recoverable";

const LONG_ABOUT: &str = "Keeps Kubernetes clusters recoverable.

lifeboat captures every object of a cluster at one point in time, seals it into an encrypted and
signed recovery point, restores it into another cluster, and verifies the result.";

const AFTER: &str = "Back up a cluster and restore it into another one:
  lifeboat keys generate --out keys
  lifeboat backup --store points --context this-cluster \\
      --recovery-public-key keys/recovery.pub.pem --signing-key keys/signing.key.pem
  lifeboat restore latest --store points --context other-cluster \\
      --recovery-key keys/recovery.key.pem --verify-key keys/signing.pub.pem

On AWS, up to the first recovery point:
  lifeboat deploy recovery --profile recovery --region eu-central-1
  lifeboat deploy primary --profile primary --region eu-west-1 \\
      --control 222222222222-eu-central-1 --recovery-public-key recovery.pub.pem \\
      --coordinator-public-key coordinator.pub.pem
  lifeboat deploy application shop.yaml --primary-profile primary --recovery-profile recovery

On AWS, on the bad day, with credentials of the recovery account:
  lifeboat plan shop@latest --profile recovery --region eu-central-1
  lifeboat restore shop@latest --profile recovery --region eu-central-1

Environment: LIFEBOAT_STORE, LIFEBOAT_APPLICATION, LIFEBOAT_RECOVERY_KEY,
LIFEBOAT_RECOVERY_PUBLIC_KEY, LIFEBOAT_SIGNING_KEY, LIFEBOAT_VERIFY_KEY and LIFEBOAT_LOG set
the options of that name; KUBECONFIG works as in kubectl; AWS_PROFILE, AWS_REGION and others
work as in the AWS CLI.

Exit codes:
    0  success
    1  diff: differences found
    2  the command line or a document is not valid, or refers to something that does not exist
    3  backup: the recovery point is Partial; infrastructure describe: something may not be read
    4  restore: the cluster does not match the plan
    5  the recovery point is rejected: corrupt, not signed by the pinned key, or of a newer format
    6  the cluster cannot be used
    7  another run holds the application or the target
    8  the store failed
    9  a key cannot be used
   10  the plan is rejected; no object was written
   11  status: a recovery point is overdue, or an issue of severity error is open
   12  AWS or the coordinator refused the request or failed, or a stack failed
   70  a bug in Lifeboat
  130  interrupted; run the same command again to continue

Every error has a code: `lifeboat explain LB-0103` prints its meaning and its fix.";

/// A whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "lifeboat",
    version = version::SHORT,
    long_version = version::long(),
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_help = "`lifeboat help COMMAND` shows an example and the exit codes.",
    after_long_help = AFTER,
    max_term_width = 100,
    disable_help_subcommand = false
)]
pub struct Arguments {
    /// Global options.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Global options.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Output format: table, json or yaml
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        hide_possible_values = true,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub output: OutputFormat,
    /// Log level on standard error: off, error, warn, info, debug or trace
    #[arg(
        long,
        global = true,
        value_enum,
        hide_possible_values = true,
        default_value_t,
        env = "LIFEBOAT_LOG",
        hide_env_values = true,
        value_name = "LEVEL"
    )]
    pub log_level: LogLevel,
    /// Progress on standard error: always, never, or auto (bars on a terminal, lines elsewhere)
    #[arg(
        long,
        global = true,
        value_enum,
        hide_possible_values = true,
        default_value_t,
        value_name = "MODE"
    )]
    pub progress: ProgressMode,
}

/// The least severe log lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogLevel {
    /// None
    Off,
    /// What failed
    Error,
    /// And what is odd
    #[default]
    Warn,
    /// And what is done
    Info,
    /// And how
    Debug,
    /// And each request
    Trace,
}

/// When and how progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, lines elsewhere
    #[default]
    Auto,
    /// Bars
    Always,
    /// Nothing
    Never,
}

/// The store that contains the recovery points.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Recovery points")]
pub struct StoreArguments {
    /// The recovery points: a folder, or for commands that read also s3://BUCKET[/PREFIX], such as the vault
    #[arg(
        long,
        visible_alias = "vault",
        env = "LIFEBOAT_STORE",
        hide_env_values = true,
        value_name = "LOCATION"
    )]
    pub store: StoreLocation,
    /// The application: the set of clusters that is recovered together
    #[arg(
        long,
        env = "LIFEBOAT_APPLICATION",
        hide_env_values = true,
        value_name = "NAME",
        default_value = "default"
    )]
    pub application: ApplicationName,
}

/// A recovery point to read: its store, and the key that must have signed it.
#[derive(Debug, Clone, Args)]
pub struct PointArguments {
    /// Where recovery points are.
    #[command(flatten)]
    pub store: StoreArguments,
    /// The key that must have signed the point: the public signing key (signing.pub.pem), or its fingerprint sha256:…
    // Optional here, so that the refusal can name the signer that the points state.
    #[arg(
        long,
        env = "LIFEBOAT_VERIFY_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "Recovery points"
    )]
    pub verify_key: Option<TrustedSigner>,
    /// The account that must own the bucket; defaults to that of the credentials
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "ID", help_heading = "Recovery points")]
    pub bucket_owner: Option<AccountId>,
    /// Who reads the bucket and uses the KMS key.
    #[cfg(feature = "aws")]
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// The recovery key, which every command that reads the contents of a recovery point decrypts with.
#[derive(Debug, Clone, Args)]
pub struct RecoveryKeyArguments {
    /// The private recovery key, to decrypt: a file (recovery.key.pem), or the ARN or alias of a KMS key; defaults to
    /// alias/lifeboat-recovery for points in S3
    #[arg(
        long,
        env = "LIFEBOAT_RECOVERY_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "Recovery points"
    )]
    pub recovery_key: Option<KeySource>,
}

/// The keys of a backup, which is the only command that writes a recovery point: the public half of the recovery key,
/// so that the backup cannot decrypt what it wrote, and the private half of the signing key.
#[derive(Debug, Clone, Args)]
pub struct SealingKeyArguments {
    /// The public recovery key (recovery.pub.pem), to encrypt; may be repeated, and a file may hold several: each of them
    /// can decrypt the point
    #[arg(
        long = "recovery-public-key",
        required = true,
        // The former name of the option, from before it had an environment variable of its own.
        alias = "recovery-key",
        env = "LIFEBOAT_RECOVERY_PUBLIC_KEY",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Recovery points"
    )]
    pub recovery_public_key: Vec<PathBuf>,
    /// The private signing key (signing.key.pem), to sign
    #[arg(
        long,
        env = "LIFEBOAT_SIGNING_KEY",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Recovery points"
    )]
    pub signing_key: PathBuf,
}

/// The cluster, selected as kubectl selects it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArguments {
    /// The kubeconfig; defaults to KUBECONFIG, then ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; defaults to its current-context
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The files of the environment, as kubectl reads them
    #[arg(long = "kubeconfig-files", env = "KUBECONFIG", hide = true, hide_env = true)]
    pub from_environment: Option<OsString>,
    /// The home folder, for the default kubeconfig
    #[arg(long = "home-folder", env = "HOME", hide = true, hide_env = true)]
    pub home: Option<PathBuf>,
}

/// The objects to select.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub struct FilterArguments {
    /// Only this namespace; may be repeated
    #[arg(short = 'n', long = "namespace", value_name = "NAME")]
    pub namespaces: Vec<String>,
    /// Exclude this namespace; may be repeated
    #[arg(long = "exclude-namespace", value_name = "NAME")]
    pub exclude_namespaces: Vec<String>,
    /// Only this type, named as in kubectl (deploy, deployments.apps); may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub types: Vec<String>,
    /// Exclude this type; may be repeated
    #[arg(long = "exclude-type", value_name = "TYPE")]
    pub exclude_types: Vec<String>,
    /// Only objects with these labels, in the syntax of kubectl -l
    #[arg(
        short = 'l',
        long = "selector",
        value_name = "SELECTOR",
        default_value = "",
        hide_default_value = true
    )]
    pub labels: LabelSelector,
    /// Include cluster-scoped objects; by default only if no namespace is selected
    #[arg(long, value_name = "BOOL")]
    pub cluster_scoped: Option<bool>,
}

impl FilterArguments {
    /// Returns the filter that these options describe.
    #[must_use]
    pub fn filter(&self) -> Filter {
        let types = |names: &[String]| names.iter().cloned().map(TypeSelector).collect();
        Filter {
            namespaces: self.namespaces.clone(),
            exclude_namespaces: self.exclude_namespaces.clone(),
            types: types(&self.types),
            exclude_types: types(&self.exclude_types),
            labels: self.labels.clone(),
            cluster_scoped: self.cluster_scoped,
        }
    }
}

/// What a command line requests.
#[derive(Debug)]
pub enum Parsed {
    /// A text to print: help or the version.
    Text(String),
    /// A command to run.
    Command(Box<Arguments>),
}

/// Returns the definition of the whole command line, for help texts and completions.
#[must_use]
pub fn definition() -> clap::Command {
    Arguments::command()
}

/// Parses a command line.
///
/// # Errors
/// LB-0010 if it cannot be parsed.
pub fn parse(arguments: Vec<OsString>) -> Result<Parsed, Failure> {
    let mut definition = definition();
    #[cfg(feature = "aws")]
    let arguments = short_form::expanded(arguments, &definition);
    if called_by_kubectl(&arguments) {
        definition = definition.bin_name("kubectl lifeboat");
    }
    let parsed = definition
        .try_get_matches_from_mut(&arguments)
        .and_then(|mut matches| Arguments::from_arg_matches_mut(&mut matches));
    match parsed {
        Ok(arguments) => Ok(Parsed::Command(Box::new(arguments))),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Parsed::Text(error.render().to_string()))
        }
        Err(error) => Err(usage::failure(&error, &definition, &arguments)),
    }
}

fn called_by_kubectl(arguments: &[OsString]) -> bool {
    arguments.first().is_some_and(|program| {
        Path::new(program)
            .file_stem()
            .is_some_and(|name| name == "kubectl-lifeboat" || name == "kubectl_lifeboat")
    })
}

/// Returns the output format that a command line requests, even if the command line cannot be parsed as a whole.
#[must_use]
pub fn output_format(arguments: &[OsString]) -> OutputFormat {
    let mut format = OutputFormat::default();
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(argument) = arguments.next() {
        let value = match argument {
            "--" => break,
            "-o" | "--output" => arguments.next(),
            other => other.strip_prefix("--output=").or_else(|| {
                let value = other.strip_prefix("-o")?;
                Some(value.strip_prefix('=').unwrap_or(value))
            }),
        };
        if let Some(wanted) = value.and_then(|value| OutputFormat::from_str(value, false).ok()) {
            format = wanted;
        }
    }
    format
}

#[cfg(feature = "aws")]
mod short_form;
pub mod source;
mod usage;

#[cfg(test)]
mod tests;
