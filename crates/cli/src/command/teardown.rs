//! `lifeboat teardown`: takes the recovery side of an application back to standby, or to nothing.

use std::io::{IsTerminal as _, Write as _};

use clap::Args;
use jiff::Timestamp;
use lifeboat_aws::coordinator::{CoordinatorClient, combine};
use lifeboat_aws::session::Session;
use lifeboat_deploy::CloudFormation;
use lifeboat_deploy::recovery::take_down;
use lifeboat_infrastructure::{Adoption, Descriptions, RecoveryFacts};
use lifeboat_model::request::{Answer, ApplicationRequest, ApplicationStatus, Request};
use lifeboat_model::{ApplicationDocument, ApplicationName, ClusterName, Code, Exit, Problem};
use lifeboat_store::ports::Clock as _;
use lifeboat_system::SystemClock;

use crate::arguments::source::{StoreLocation, TrustedSigner};
use crate::arguments::{PointArguments, RecoveryKeyArguments, StoreArguments};
use crate::aws::AwsArguments;
use crate::command::deploy::change_set;
use crate::command::infrastructure::build::{self, TeardownDocument};
use crate::command::infrastructure::export;
use crate::command::open;
use crate::context::Context;
use crate::failure::Failure;

const AFTER: &str = "Examples:
  lifeboat teardown shop --profile recovery --region eu-central-1
  lifeboat teardown shop --all --confirm shop --profile recovery --region eu-central-1

  Deletes the clusters of the recovery side; networks, roles, repositories and file systems
  stay, in standby. --all deletes every stack of the application. Only stacks with its tag are
  changed; file systems, keys and repositories with images are never deleted.

  Refused while the recovery side may be where the application runs: until the primary has made
  a recovery point after the last restore. Without --confirm, asks for the name of the
  application. `lifeboat infrastructure teardown` asks no coordinator.

Exit codes: 0 done, 2 refused, or the name was not confirmed, 12 AWS or the coordinator
failed, or a stack failed";

/// Options of `lifeboat teardown`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The application
    #[arg(value_name = "NAME")]
    pub application: ApplicationName,
    /// Delete every stack of the application
    #[arg(long)]
    pub all: bool,
    /// The name of the application once more, instead of being asked for it
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<ApplicationName>,
    /// Tear down although the primary does not answer, so that the application may run in the recovery environment now
    #[arg(long)]
    pub even_if_in_use: bool,
    /// Who deletes, and where.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// Takes the recovery side down.
///
/// # Errors
/// LB-0920 if the application may run there, LB-0010 if the name is not confirmed, or if AWS or the coordinator refuses a
/// request.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let document = context.block_on(async {
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        Box::pin(make(arguments, context)).await
    })?;
    context.print(&document)?;
    Ok(Exit::Success)
}

async fn make(arguments: &Arguments, context: &Context) -> Result<TeardownDocument, Failure> {
    let application = &arguments.application;
    let session = arguments.aws.open().await?;
    let coordinator = CoordinatorClient::new(session.clone());
    let status = coordinator.status(application).await?;
    session.require(&status.recovery.account)?;
    let in_use = in_use(&status, SystemClock.now());
    match in_use {
        Some(problem) if !arguments.even_if_in_use => return Err(problem.into()),
        Some(problem) => context.progress.warn(format!("warning: {}", problem.message)),
        None => {}
    }
    confirm(arguments, &status)?;
    let recovery = session.in_region(&status.recovery.region);
    let stacks = CloudFormation::new(recovery.context(), recovery.environment());
    let tell = build::tell(context);
    let changed = if arguments.all {
        take_down(&stacks, application, &change_set, &tell, |_| true).await?
    } else {
        let document = document(&coordinator, application).await?;
        let descriptions = descriptions(arguments, &session, &status, context).await?;
        let facts = facts(&recovery, &document, &descriptions, context).await?;
        build::recovery(&stacks, &descriptions, facts, &tell)
            .stand_down()
            .await?
    };
    Ok(TeardownDocument {
        format: TeardownDocument::FORMAT.to_owned(),
        application: application.clone(),
        environment: recovery.environment().clone(),
        stacks: changed,
    })
}

/// Returns why the recovery side may be where the application runs. What proves the opposite is a recovery point that the
/// primary has made since the last restore, within its schedule: its delegate and its clusters have answered.
fn in_use(status: &ApplicationStatus, now: Timestamp) -> Option<Problem> {
    let name = &status.application;
    let running = status.restores.iter().find(|restore| !restore.state.is_over());
    if let Some(restore) = running {
        let message = format!(
            "the restore {} into {} has not ended",
            restore.token, restore.into
        );
        let remedy = format!(
            "wait for its end, or cancel it with `lifeboat application cancel {name} --restore {}`",
            restore.token
        );
        return Some(Problem::new(Code::RecoveryInUse, message, remedy));
    }
    let primary = &status.primary;
    let because = |why: String| {
        let remedy = format!(
            "if the primary still runs the application, prove it with `lifeboat application backup {name} --wait` and repeat the command; if the recovery side is not needed any more, add --even-if-in-use"
        );
        let message = format!("the recovery side of {name} may be where it runs: {why}");
        Some(Problem::new(Code::RecoveryInUse, message, remedy))
    };
    let Some(good) = &status.last_good else {
        return because(format!("{primary} has not made a recovery point"));
    };
    // One that failed or was cancelled may have begun to write.
    let mut restores = status.restores.iter();
    if let Some(restore) = restores.find(|restore| restore.requested_at >= good.created_at) {
        return because(format!(
            "{primary} has not made a recovery point since the restore {}, requested at {}",
            restore.token, restore.requested_at
        ));
    }
    let silent = status.issues.iter().find(|issue| {
        let about_primary = issue.id.as_str().contains(&primary.to_string());
        match issue.code {
            Code::BackupOverdue | Code::BackupFailed => true,
            Code::EnvironmentUnavailable | Code::DelegateNotResponding => about_primary,
            _ => false,
        }
    });
    if let Some(issue) = silent {
        return because(format!("{} since {}: {}", issue.code, issue.since, issue.message));
    }
    match status.overdue_at {
        Some(at) if at < now => because(format!("a recovery point of {primary} is overdue since {at}")),
        _ => None,
    }
}

/// Compares the confirmation with the name of the application, and asks for it if there is none.
fn confirm(arguments: &Arguments, status: &ApplicationStatus) -> Result<(), Failure> {
    let application = &arguments.application;
    if let Some(confirmed) = &arguments.confirm {
        return match confirmed == application {
            true => Ok(()),
            false => Err(not_confirmed(&format!(
                "--confirm names {confirmed}, not {application}"
            ))),
        };
    }
    let what = match arguments.all {
        true => "all stacks",
        false => "the clusters",
    };
    let asked = format!(
        "This deletes {what} of {application} in {}.\nEnter the name of the application to confirm: ",
        status.recovery
    );
    match ask(&asked) {
        None => Err(not_confirmed("the name of the application is not confirmed")
            .remedy(format!("add --confirm {application}; nothing was changed"))),
        Some(name) if name == application.as_str() => Ok(()),
        Some(_) => Err(not_confirmed("the name that was entered is another one")),
    }
}

fn not_confirmed(message: &str) -> Failure {
    Failure::new(Code::Usage, message).remedy("repeat the name of the application; nothing was changed")
}

/// Asks a question on the terminal; `None` if there is none.
fn ask(question: &str) -> Option<String> {
    let (mut terminal, input) = (std::io::stderr(), std::io::stdin());
    if !terminal.is_terminal() || !input.is_terminal() {
        return None;
    }
    write!(terminal, "{question}").ok()?;
    terminal.flush().ok()?;
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    Some(line.trim().to_owned())
}

async fn document(
    coordinator: &CoordinatorClient,
    application: &ApplicationName,
) -> Result<ApplicationDocument, Failure> {
    let request = Request::Application(ApplicationRequest::Get {
        application: application.clone(),
    });
    match coordinator.ask(&request).await? {
        Answer::Application(document) => Ok(*document),
        _ => Err(Failure::new(
            Code::CoordinatorFailed,
            "the coordinator did not answer with the application document",
        )),
    }
}

/// Reads the descriptions of the last good recovery point in the vault, which the stacks were built from.
async fn descriptions(
    arguments: &Arguments,
    session: &Session,
    status: &ApplicationStatus,
    context: &Context,
) -> Result<Descriptions, Failure> {
    let latest = status
        .last_good
        .as_ref()
        .map_or("latest", |good| good.point.as_str());
    let signer = status
        .signing_key
        .as_deref()
        .map(str::parse::<TrustedSigner>)
        .transpose();
    let from = PointArguments {
        store: StoreArguments {
            store: StoreLocation::S3 {
                bucket: session.environment().vault_bucket(),
                prefix: None,
            },
            application: arguments.application.clone(),
        },
        verify_key: signer.map_err(|error| {
            Failure::of(
                Code::CoordinatorFailed,
                "failed to read the fingerprint of the signing key",
                &error,
            )
        })?,
        bucket_owner: None,
        aws: arguments.aws.clone(),
    };
    let key = RecoveryKeyArguments { recovery_key: None };
    let readable = open::readable(latest, &from, &key, context).await?;
    export::descriptions(&readable).await
}

/// Returns the facts from which the stacks are generated in standby.
async fn facts(
    session: &Session,
    document: &ApplicationDocument,
    descriptions: &Descriptions,
    context: &Context,
) -> Result<RecoveryFacts, Failure> {
    let application = document.parse().map_err(combine)?;
    let mut facts = build::facts(session, &application.name).await?;
    let named = descriptions.clusters.iter().filter_map(|cluster| {
        let mut specs = application.clusters.iter();
        let into = match &application.restore_into {
            Some(pattern) => pattern.target(&ClusterName::parse(&cluster.name).ok()?),
            None => specs
                .find(|spec| spec.cluster.as_str() == cluster.name)?
                .restore_into
                .clone(),
        };
        Some((cluster.name.clone(), into?.to_string()))
    });
    facts.cluster_names = named.collect();
    let infrastructure = application.infrastructure;
    let adopted = infrastructure.adopt.into_iter();
    facts.adopted = adopted.map(|(from, to)| Adoption::mapped(from, to)).collect();
    facts.adopt_existing = infrastructure.adopt_existing;
    facts.adopt_tags = infrastructure.adopt_tags;
    facts.managed_addons = infrastructure.managed_addons;
    facts.irsa_to_pod_identity = infrastructure.irsa_to_pod_identity;
    facts.allow_nearest_version = infrastructure.allow_nearest_version;
    build::look_up(&mut facts, session, descriptions, context).await?;
    Ok(facts)
}

#[cfg(test)]
mod tests;
