//! `lifeboat status`: shows the status of the applications.

use clap::Args;
use lifeboat_model::request::{Answer, Request, StatusRequest};
use lifeboat_model::{ApplicationName, Exit};
use lifeboat_store::ports::Clock;
use lifeboat_system::SystemClock;

use super::application::answer::{AnswerDocument, needs_attention};
use crate::aws::AwsArguments;
use crate::context::Context;
use crate::failure::Failure;
use lifeboat_aws::coordinator::CoordinatorClient;

const AFTER: &str = "Example:
  lifeboat status --profile recovery --region eu-central-1

  Shows environments, clusters, the age of the last good recovery point against the schedule,
  running jobs, and open issues with the command that fixes each.

Exit codes: 0 all applications are protected, 2 there is no such application, 11 an application
has no recovery point within its schedule, or an issue of severity error is open (warnings do
not count), 12 AWS or the coordinator failed";

/// Options of `lifeboat status`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// One application; defaults to all
    #[arg(value_name = "APPLICATION")]
    pub application: Option<ApplicationName>,
    /// Of the control account.
    #[command(flatten)]
    pub aws: AwsArguments,
}

/// Requests the status from the coordinator, and prints it.
///
/// # Errors
/// If the coordinator cannot be called.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let request = Request::Status(StatusRequest {
        application: arguments.application.clone(),
    });
    let answer = context.block_on(async {
        // Boxed: the futures of the SDK nest deeper than the compiler's limit.
        Box::pin(async {
            let coordinator = CoordinatorClient::new(arguments.aws.open().await?);
            Ok::<_, Failure>(coordinator.ask(&request).await?)
        })
        .await
    })?;
    let exit = match &answer {
        Answer::Status(status) if status.applications.iter().any(needs_attention) => Exit::Attention,
        _ => Exit::Success,
    };
    context.print(&AnswerDocument::new(answer, SystemClock.now()))?;
    Ok(exit)
}
