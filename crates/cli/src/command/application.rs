//! `lifeboat application`: applications on AWS, by requests to the coordinator.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lifeboat_format::Sha256;
use lifeboat_model::request::{
    AcknowledgeRequest, Answer, ApplicationRequest, BackupRequest, CancelRequest, Request, RestoreRequest,
    TrustRequest,
};
use lifeboat_model::{
    Application, ApplicationDocument, ApplicationName, ClusterName, Code, Exit, IssueId, RequestToken,
};
use lifeboat_plan::RestoreOptions;
use lifeboat_store::ports::{Clock, Randomness};
use lifeboat_system::{SystemClock, SystemRandomness};
use serde_json::{Map, Value};

use super::restore_options::{RestoreOptionArguments, unparsable};
use crate::aws::AwsArguments;
use crate::context::Context;
use crate::failure::Failure;
use lifeboat_aws::coordinator::{CoordinatorClient, combine};

pub mod answer;
mod follow;
pub mod plan;

use answer::AnswerDocument;
use plan::PlanArguments;

const PUT: &str = "Example:
  lifeboat application put shop.yaml --profile recovery --region eu-central-1

  Checks access to the clusters at once. Missing access becomes an issue, which
  `lifeboat status` shows with the command that fixes it.

Exit codes: 0 stored, 2 the document is not valid, 12 AWS or the coordinator failed";

const SHOW: &str = "Example:
  lifeboat application show shop --profile recovery --region eu-central-1

Exit codes: 0 shown, 2 there is no such application, 12 AWS or the coordinator failed";

const LIST: &str = "Example:
  lifeboat application list --profile recovery --region eu-central-1

Exit codes: 0 listed, 12 AWS or the coordinator failed";

const BACKUP: &str = "Example:
  lifeboat application backup shop --wait --profile recovery --region eu-central-1

Exit codes: 0 started, or with --wait: the point is in the vault; 2 there is no such
application, 3 with --wait: the point is Partial, 6 with --wait: the backup failed, 12 AWS or
the coordinator failed";

const RESTORE: &str = "Example:
  lifeboat application restore shop latest --wait --profile recovery --region eu-central-1

  Restores into the clusters of the application document, or with --cluster and --into
  into another one. Options override those of the document. `lifeboat restore shop@latest`
  is short for the example without its profile, and `lifeboat plan shop@latest` shows the
  plan, with its hash for --expect-plan.

Exit codes: 0 started, or with --wait: the cluster matches the plan; 2 there is no such
application, point or cluster, 4 with --wait: the cluster does not match the plan, 10 it is
not the plan of --expect-plan, 12 AWS or the coordinator failed";

const POINTS: &str = "Example:
  lifeboat application points shop --profile recovery --region eu-central-1

Exit codes: 0 listed, 2 there is no such application, 12 AWS or the coordinator failed";

const CANCEL: &str = "Example:
  lifeboat application cancel shop --restore 20261121T112233Z-7f3a9c --profile recovery

  Without --restore, cancels the running backup. Objects that a restore has created are kept.

Exit codes: 0 cancelled, 2 no such backup or restore is running, 12 AWS or the coordinator
failed";

const TRUST: &str = "Example:
  lifeboat application trust shop --signing-key sha256:0a1b… --profile recovery

  Pins keys that an environment has registered, in place of those that are pinned. Recovery
  points that an earlier signing key signed stay valid; points that were encrypted for an
  earlier recovery key need that key.

Exit codes: 0 pinned, 2 no such key is registered, 12 AWS or the coordinator failed";

const ACKNOWLEDGE: &str = "Example:
  lifeboat application acknowledge shop LB-0905:20261121T112233Z-7f3a9c --profile recovery

  For issues that do not close by themselves: gives up a damaged or missing recovery point,
  ignores a folder of the vault, or allows the deletions that retention holds back.
  `lifeboat status` shows the command.

Exit codes: 0 acknowledged, 2 no such issue is open, 12 AWS or the coordinator failed";

/// The subcommands of `lifeboat application`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create or replace the document of an application
    #[command(after_long_help = PUT)]
    Put(PutArguments),
    /// Show the document of an application
    #[command(after_long_help = SHOW)]
    Show(NameArguments),
    /// List the applications
    #[command(after_long_help = LIST)]
    List(AskArguments),
    /// Start a backup
    #[command(after_long_help = BACKUP)]
    Backup(BackupArguments),
    /// Show the whole plan of a restore, without changing anything
    #[command(after_long_help = plan::AFTER)]
    Plan(Box<PlanArguments>),
    /// Restore a recovery point
    #[command(after_long_help = RESTORE)]
    Restore(Box<RestoreArguments>),
    /// List the recovery points in the vault, with the retention rule that keeps each
    #[command(after_long_help = POINTS)]
    Points(NameArguments),
    /// Cancel a backup, a restore or a plan
    #[command(after_long_help = CANCEL)]
    Cancel(CancelArguments),
    /// Pin other keys
    #[command(after_long_help = TRUST)]
    Trust(TrustArguments),
    /// Acknowledge an issue
    #[command(after_long_help = ACKNOWLEDGE)]
    Acknowledge(AcknowledgeArguments),
}

/// The credentials for a request to the coordinator.
#[derive(Debug, Clone, Args)]
pub struct AskArguments {
    /// Of the control account.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// The application that a command is about.
#[derive(Debug, Clone, Args)]
pub struct NameArguments {
    /// The application
    #[arg(value_name = "NAME")]
    pub name: ApplicationName,
    /// Who asks.
    #[command(flatten)]
    pub ask: AskArguments,
}

/// Options of `lifeboat application put`.
#[derive(Debug, Clone, Args)]
pub struct PutArguments {
    /// The application document, YAML or JSON (`lifeboat schema application`)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Who asks.
    #[command(flatten)]
    pub ask: AskArguments,
}

/// The token of a request, and whether to wait for its end.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Request")]
pub struct RequestArguments {
    /// Idempotency token of the request: the same token starts only once; defaults to a new one
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<RequestToken>,
    /// Wait until it ends, and show its progress
    #[arg(long)]
    pub wait: bool,
}

/// Options of `lifeboat application backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArguments {
    /// The application.
    #[command(flatten)]
    pub of: NameArguments,
    /// The request.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// Options of `lifeboat application restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArguments {
    /// The application.
    #[command(flatten)]
    pub of: NameArguments,
    /// The recovery point: latest, latest-complete, an id or the beginning of one
    #[arg(value_name = "POINT", default_value = "latest")]
    pub point: String,
    /// Only this cluster of the application
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub cluster: Option<ClusterName>,
    /// The EKS cluster of the recovery environment to write into; needs --cluster
    #[arg(long, value_name = "NAME", requires = "cluster", help_heading = "Target")]
    pub into: Option<ClusterName>,
    /// The recovery side takes over for good: the replication to its EFS file systems ends, so that they can be written to
    #[arg(long, help_heading = "Target")]
    pub failover: bool,
    /// Carry out the plan with this hash or nothing; `lifeboat application plan` with the same options prints it
    #[arg(long, value_name = "HASH", help_heading = "Execution")]
    pub expect_plan: Option<Sha256>,
    /// What is restored, and how.
    #[command(flatten)]
    pub restore_options: RestoreOptionArguments,
    /// The request.
    #[command(flatten)]
    pub request: RequestArguments,
}

/// Options of `lifeboat application cancel`.
#[derive(Debug, Clone, Args)]
pub struct CancelArguments {
    /// The application.
    #[command(flatten)]
    pub of: NameArguments,
    /// The restore or plan, by the token of its request; defaults to the running backup
    #[arg(long, value_name = "TOKEN", help_heading = "Request")]
    pub restore: Option<RequestToken>,
    /// Idempotency token of the request: repeating it does not cancel a later run
    #[arg(long, value_name = "TOKEN", help_heading = "Request")]
    pub token: Option<RequestToken>,
}

/// Options of `lifeboat application trust`.
#[derive(Debug, Clone, Args)]
pub struct TrustArguments {
    /// The application.
    #[command(flatten)]
    pub of: NameArguments,
    /// Fingerprint of the signing key to pin
    #[arg(
        long,
        value_name = "FINGERPRINT",
        required_unless_present = "recovery_key",
        help_heading = "Keys"
    )]
    pub signing_key: Option<String>,
    /// Fingerprint of the recovery key to pin
    #[arg(long, value_name = "FINGERPRINT", help_heading = "Keys")]
    pub recovery_key: Option<String>,
    /// Idempotency token of the request
    #[arg(long, value_name = "TOKEN", help_heading = "Request")]
    pub token: Option<RequestToken>,
}

/// Options of `lifeboat application acknowledge`.
#[derive(Debug, Clone, Args)]
pub struct AcknowledgeArguments {
    /// The application.
    #[command(flatten)]
    pub of: NameArguments,
    /// The id of the issue
    #[arg(value_name = "ISSUE")]
    pub issue: IssueId,
    /// Idempotency token of the request: repeating it does not acknowledge a later issue
    #[arg(long, value_name = "TOKEN", help_heading = "Request")]
    pub token: Option<RequestToken>,
}

/// Sends a request to the coordinator, and prints the answer.
///
/// # Errors
/// The problems for which the coordinator refuses the request, or why it cannot be called.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Failure> {
    if let Command::Plan(arguments) = command {
        return plan::run(arguments, context);
    }
    let (answer, exit) = context.block_on(async {
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        Box::pin(ask(command, context)).await
    })?;
    context.print(&answer)?;
    Ok(exit)
}

async fn ask(command: &Command, context: &Context) -> Result<(AnswerDocument, Exit), Failure> {
    let (request, asks) = match command {
        Command::Put(arguments) => {
            let (document, _) = read_document(&arguments.file)?;
            let request = ApplicationRequest::Put(Box::new(document));
            (Request::Application(request), &arguments.ask)
        }
        Command::Show(arguments) => {
            let application = arguments.name.clone();
            let request = ApplicationRequest::Get { application };
            (Request::Application(request), &arguments.ask)
        }
        Command::List(asks) => (Request::Application(ApplicationRequest::List {}), asks),
        Command::Points(arguments) => {
            let coordinator = CoordinatorClient::new(arguments.ask.aws.open().await?);
            let points = coordinator.points(&arguments.name).await?;
            return Ok((now(Answer::Points(points)), Exit::Success));
        }
        Command::Cancel(arguments) => {
            let request = CancelRequest {
                application: arguments.of.name.clone(),
                restore: arguments.restore.clone(),
                token: Some(named(arguments.token.as_ref())),
            };
            (Request::Cancel(request), &arguments.of.ask)
        }
        Command::Trust(arguments) => {
            let request = TrustRequest {
                application: arguments.of.name.clone(),
                signing_key: arguments.signing_key.clone(),
                recovery_key: arguments.recovery_key.clone(),
                token: Some(named(arguments.token.as_ref())),
            };
            (Request::Trust(request), &arguments.of.ask)
        }
        Command::Acknowledge(arguments) => {
            let request = AcknowledgeRequest {
                application: arguments.of.name.clone(),
                issue: arguments.issue.clone(),
                token: Some(named(arguments.token.as_ref())),
            };
            (Request::Acknowledge(request), &arguments.of.ask)
        }
        Command::Backup(arguments) => return backup(arguments, context).await,
        Command::Restore(arguments) => return restore(arguments, context).await,
        Command::Plan(_) => unreachable!("`run` prints a plan as a document of its own"),
    };
    let coordinator = CoordinatorClient::new(asks.aws.open().await?);
    Ok((now(coordinator.ask(&request).await?), Exit::Success))
}

fn now(answer: Answer) -> AnswerDocument {
    AnswerDocument::new(answer, SystemClock.now())
}

async fn backup(arguments: &BackupArguments, context: &Context) -> Result<(AnswerDocument, Exit), Failure> {
    let request = BackupRequest {
        application: arguments.of.name.clone(),
        token: Some(named(arguments.request.token.as_ref())),
    };
    let coordinator = CoordinatorClient::new(arguments.of.ask.aws.open().await?);
    if !arguments.request.wait {
        let accepted = coordinator.accepted(&Request::Backup(request)).await?;
        return Ok((now(Answer::Accepted(accepted)), Exit::Success));
    }
    let (points, exit) = follow::backup(&coordinator, request, context).await?;
    Ok((now(Answer::Points(points)), exit))
}

async fn restore(arguments: &RestoreArguments, context: &Context) -> Result<(AnswerDocument, Exit), Failure> {
    let request = RestoreRequest {
        application: arguments.of.name.clone(),
        point: arguments.point.clone(),
        cluster: arguments.cluster.clone(),
        into: arguments.into.clone(),
        failover: arguments.failover,
        expect_plan: arguments.expect_plan.map(String::from),
        options: options(&arguments.restore_options.options()?)?,
        token: Some(named(arguments.request.token.as_ref())),
    };
    let coordinator = CoordinatorClient::new(arguments.of.ask.aws.open().await?);
    let accepted = coordinator.accepted(&Request::Restore(request)).await?;
    if !arguments.request.wait {
        return Ok((now(Answer::Accepted(accepted)), Exit::Success));
    }
    let (status, exit) = follow::restore(&coordinator, &accepted, context).await?;
    let reports = follow::reports(&coordinator, &status, context).await;
    Ok((now(Answer::Status(status)).with_reports(reports), exit))
}

/// Returns the token of a request. Without a token, a request that is sent again after its answer was lost would start
/// a second run.
fn named(given: Option<&RequestToken>) -> RequestToken {
    if let Some(token) = given {
        return token.clone();
    }
    let mut random = [0; 4];
    SystemRandomness.random(&mut random);
    let second = SystemClock.now().strftime("%Y%m%dT%H%M%SZ");
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    RequestToken::parse(format!("{second}-{random}")).expect("digits, letters and '-' make a token")
}

/// Returns only the options that were given: those that were not given leave the rules of the application unchanged.
fn options(restore_options: &RestoreOptions) -> Result<Map<String, Value>, Failure> {
    let fields = |options: &RestoreOptions| match serde_json::to_value(options) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => unreachable!("a struct with fields is an object"),
        Err(error) => Err(Failure::of(
            Code::Bug,
            "failed to write the options as JSON",
            &error,
        )),
    };
    let defaults = fields(&RestoreOptions::default())?;
    let mut given = fields(restore_options)?;
    given.retain(|name, value| defaults.get(name) != Some(value));
    Ok(given)
}

/// Reads and validates an application document.
///
/// # Errors
/// LB-0011 if it is not an application document, else every problem found in it.
pub(super) fn read_document(file: &Path) -> Result<(ApplicationDocument, Application), Failure> {
    let named = format!("failed to read the application document {}", file.display());
    let invalid = |error: &dyn std::error::Error| {
        unparsable(&named, error).remedy("compare the file with `lifeboat schema application`")
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        let failure = Failure::of(Code::InvalidDocument, named.as_str(), &error);
        match error.kind() {
            std::io::ErrorKind::NotFound => failure.remedy(
                "check the path; `lifeboat deploy primary` prints a document to begin with, `lifeboat schema application` describes it",
            ),
            _ => failure.remedy("check the permissions of the file"),
        }
    })?;
    // JSON is also YAML, but only a JSON parser keeps the text of numbers.
    let document: ApplicationDocument = if text.trim_start().starts_with('{') {
        serde_json::from_str(&text).map_err(|error| invalid(&error))?
    } else {
        serde_yaml_ng::from_str(&text).map_err(|error| invalid(&error))?
    };
    match document.parse() {
        Ok(application) => Ok((document, application)),
        Err(problems) => Err(combine(problems).into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use lifeboat_plan::ExistingPolicy;

    use super::*;

    #[test]
    fn only_options_that_were_given_are_laid_over_the_rules() {
        assert!(options(&RestoreOptions::default()).unwrap().is_empty());
        let restore_options = RestoreOptions {
            existing: ExistingPolicy::Update,
            ..RestoreOptions::default()
        };
        let given = options(&restore_options).unwrap();
        assert_eq!(Value::Object(given), serde_json::json!({"existing": "update"}));
    }

    #[test]
    fn each_request_has_a_name_of_its_own() {
        assert_ne!(named(None), named(None));
        let token = RequestToken::parse("mine").unwrap();
        assert_eq!(named(Some(&token)), token);
    }

    #[test]
    fn a_document_is_checked_before_anybody_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.yaml");
        let good = "format: 1\nname: shop\nprimary: {account: \"111111111111\", region: eu-west-1}\n\
                    recovery: {account: \"222222222222\", region: eu-central-1}\nclusters: [{name: orders}]\n";
        std::fs::write(&file, good).unwrap();
        let (_, application) = read_document(&file).unwrap();
        assert_eq!(application.name.as_str(), "shop");
        std::fs::write(
            &file,
            good.replace("name: shop", "name: Shop!")
                .replace("111111111111", "1"),
        )
        .unwrap();
        let refused = read_document(&file).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(refused.to_string().contains("also LB-"), "{refused}");
        std::fs::write(&file, format!("{good}colour: red\n")).unwrap();
        let unknown = read_document(&file).unwrap_err();
        assert!(unknown.to_string().contains("colour"), "{unknown}");
    }
}
