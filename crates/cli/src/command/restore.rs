//! `lifeboat restore`: verifies a recovery point, plans, lints, applies in waves, and proves the result.

use std::sync::Arc;

use clap::Args;
use lifeboat_apiserver::Api;
use lifeboat_format::manifest::ClusterRecord;
use lifeboat_model::{Code, Diagnostic as _, Exit};
use lifeboat_recovery_point::VerifiedPoint;
use lifeboat_restore::LeaseHolder;
use lifeboat_restore::execute::RestoreSettings;
use lifeboat_restore::prove::ProveSettings;
use lifeboat_restore::recover::{RecoverError, Recovered, Recovery};
use lifeboat_system::{SystemClock, SystemRandomness};
use tokio_util::sync::CancellationToken;

use super::open;
use super::plan::{self, TargetArguments};
use crate::cluster;
use crate::context::Context;
use crate::failure::Failure;
use crate::measure::{Measured, Stopwatch};
use crate::output::print_failure;
use crate::progress::adapters::{PointProgress, RecoveryLines};

mod document;
mod unverified;

pub use document::RestoreDocument;

const AFTER: &str = "Examples:
  lifeboat restore latest --context recovery --store points \\
      --verify-key keys/signing.pub.pem --recovery-key keys/recovery.key.pem
  lifeboat restore latest --context recovery --profile recovery --application shop \\
      --vault s3://lifeboat-vault-222222222222-eu-central-1 --verify-key signing.pub.pem

  The second command reads the vault itself and asks no coordinator; the KMS key
  alias/lifeboat-recovery decrypts.

  `lifeboat restore APPLICATION@POINT` restores through the coordinator on AWS, and waits
  (`lifeboat help application restore`).

  Verifies every file, makes and lints the plan, and checks permissions before anything is
  written. `lifeboat plan` or --dry-run shows the plan first. Run the same command again to
  continue an interrupted restore: Ctrl-C completes what is being written, prints what was done
  and releases the target. Only one restore at a time writes to a target
  (Lease kube-system/lifeboat-restore).

Exit codes: 0 the cluster matches the plan and runs what the source ran, 2 no such point or
selection, 4 it does not match the plan, or workloads differ or are not ready, 5 the point was
rejected, 6 the cluster cannot be used, 7 another restore holds the target, 8 the store failed,
9 a key cannot be used, 10 the plan was rejected and no object was written, 12 AWS refused the
request, 130 interrupted";

/// Options of `lifeboat restore`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// What is restored, and where.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Reject any plan except the one with this hash
    #[arg(long, value_name = "HASH", help_heading = "Execution")]
    pub expect_plan: Option<String>,
    /// Print the plan without writing objects
    #[arg(long, help_heading = "Execution")]
    pub dry_run: bool,
    /// Do not read the target back; the report then uses only the API server's responses
    #[arg(long, help_heading = "Execution")]
    pub no_proof: bool,
    /// How long to wait until as many Pods of each workload are ready as in the source
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = super::backup::duration, help_heading = "Execution")]
    pub ready_within: std::time::Duration,
    /// Number of objects to write in parallel
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, value_parser = clap::value_parser!(u8).range(1..=200), help_heading = "Execution")]
    pub concurrency: u8,
}

/// The concurrency of [`RestoreSettings::default`], in a type whose range clap can check.
const DEFAULT_CONCURRENCY: u8 = 32;

/// Restores, and prints the report.
///
/// # Errors
/// If nothing was restored, or the restore ended before its last wave. A difference from the plan is not an error: it
/// is in the report, and the exit code reports it.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.dry_run {
        let document = context.block_on(plan::make(&arguments.target, context))?;
        expect(arguments, &document.hash)?;
        context.print(&document)?;
        return Ok(if document.is_refused() {
            Exit::PlanRefused
        } else {
            Exit::Success
        });
    }
    let document = context.block_on_interruptible(|interrupt| make(arguments, context, interrupt))?;
    context.print(&document)?;
    match document.failure() {
        None => Ok(Exit::Success),
        Some(failure) => {
            print_failure(&failure, context.output);
            Ok(failure.exit())
        }
    }
}

async fn make(
    arguments: &Arguments,
    context: &Context,
    interrupt: CancellationToken,
) -> Result<RestoreDocument, Failure> {
    let target = &arguments.target;
    let options = target.restore_options.options()?;
    let mut watch = Stopwatch::start();
    let opening = prepare(target, context, &mut watch);
    let (point, record, api) = interrupt
        .run_until_cancelled(opening)
        .await
        .unwrap_or_else(|| Err(RecoverError::Interrupted.into()))?;
    let recovery = Recovery {
        point: &point,
        record: &record,
        options: &options,
        expected_plan: arguments.expect_plan.as_deref(),
        settings: RestoreSettings {
            concurrency: usize::from(arguments.concurrency),
            existing: options.existing,
            interrupt,
            ..RestoreSettings::default()
        },
        prove: !arguments.no_proof,
        proof: ProveSettings {
            ready_within: arguments.ready_within,
            ..ProveSettings::default()
        },
        holder: LeaseHolder::this_process(),
        ended: None,
        earlier: None,
        clock: Arc::new(SystemClock),
    };
    let lines = RecoveryLines::new(&context.progress, &mut watch);
    let recovered = recovery.run(&api, &lines).await.map_err(failure)?;
    drop(lines);
    Ok(document(&api, &record, recovered, watch.finish()))
}

/// Opens and verifies the recovery point, and connects to the target.
async fn prepare(
    target: &TargetArguments,
    context: &Context,
    watch: &mut Stopwatch,
) -> Result<(VerifiedPoint, ClusterRecord, Api), Failure> {
    let point = open::readable(&target.point, &target.from, &target.key, context).await?;
    let record = open::cluster(point.point(), target.cluster.as_ref())?.clone();
    watch.lap("open");
    let point = point.verify(&PointProgress::new(&context.progress)).await?;
    watch.lap("verify");
    let (api, _) = cluster::connect(&target.target, &SystemRandomness).await?;
    watch.lap("connect");
    Ok((point, record, api))
}

/// Returns the document of a recovery that ran to its end, or until it was interrupted.
fn document(api: &Api, record: &ClusterRecord, recovered: Recovered, measured: Measured) -> RestoreDocument {
    let Recovered {
        plan,
        outcome,
        proven,
        resumed,
        interrupted,
        warnings,
    } = recovered;
    let is_proven = proven.is_some();
    let mut report = match proven {
        None => unverified::report(&plan, &outcome),
        Some(proven) => proven.report,
    };
    report.warnings = warnings;
    RestoreDocument {
        target: api.server().to_owned(),
        proven: is_proven,
        resumed,
        interrupted,
        passes: outcome.passes,
        missing: record
            .missing
            .iter()
            .map(super::missing::MissingPart::from)
            .collect(),
        findings: plan.lint(),
        report,
        measured,
    }
}

/// Converts an error. A refused plan has an exit code of its own, whatever the reason is.
fn failure(error: RecoverError) -> Failure {
    let refused = matches!(error, RecoverError::Refused { .. });
    let failure = Failure::from(error.problem());
    if refused {
        failure.with_exit(Exit::PlanRefused)
    } else {
        failure
    }
}

/// Rejects every plan except the expected one.
fn expect(arguments: &Arguments, hash: &str) -> Result<(), Failure> {
    match &arguments.expect_plan {
        Some(expected) if expected != hash => Err(Failure::new(
            Code::PlanRefused,
            format!("the plan has the hash {hash}, not the expected {expected}"),
        )
        .remedy("the point, the options or the target changed: review `lifeboat plan` again")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_concurrency_is_that_of_the_executor() {
        assert_eq!(
            usize::from(DEFAULT_CONCURRENCY),
            RestoreSettings::default().concurrency
        );
    }
}
