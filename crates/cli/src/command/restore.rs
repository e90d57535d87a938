//! `lifeboat restore`: verify, plan, lint, apply in waves, prove.

use std::sync::Arc;

use clap::Args;
use lifeboat_filesystem::{PemUnwrapper, SystemClock, SystemIds};
use lifeboat_format::manifest::ClusterRecord;
use lifeboat_jobs::UnlockedPoint;
use lifeboat_kubernetes::prove::{ProveSettings, prove};
use lifeboat_kubernetes::restore::lease::Lease;
use lifeboat_kubernetes::restore::preflight::preflight;
use lifeboat_kubernetes::restore::{CachedFrames, Holder, LeaseRequest, PointFrames};
use lifeboat_kubernetes::{Api, RestoreSettings, restore};
use lifeboat_model::{Code, Problem};
use lifeboat_plan::{RestoreOptions, Severity};

use super::open;
use super::plan::{self, TargetArguments};
use super::planning::{self, Drafted, Planned};
use crate::cluster;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::measure::Stopwatch;
use crate::output::print_failure;
use crate::progress::adapters::{PointProgress, RestoreLines};
use crate::progress::{Phase, Unit};

mod document;
mod unproven;

pub use document::{Readiness, RestoreDocument};

const AFTER: &str = "Example:
  lifeboat restore latest --context recovery --store points \\
      --verify-key keys/signing.pub.pem --recovery-key keys/recovery.key.pem

  Every file is verified, the plan is made and linted, and permissions are checked before
  anything is written. `lifeboat plan` or --dry-run shows the plan first. An interrupted
  restore is continued by the same command. Only one restore at a time works on a target
  (Lease kube-system/lifeboat-restore).

Exit codes: 0 the plan came true, 2 no such point or selection, 4 it did not come true in
full, 5 the point was refused, 6 the cluster cannot be used, 7 another restore works on the
target, 8 the store failed, 9 a key cannot be used, 10 the plan was refused and nothing was
written, 130 interrupted";

/// Options of `lifeboat restore`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// What is restored, and where.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Refuse any plan but the one with this hash
    #[arg(long, value_name = "HASH", help_heading = "Execution")]
    pub expect_plan: Option<String>,
    /// Make and print the plan, write nothing
    #[arg(long, help_heading = "Execution")]
    pub dry_run: bool,
    /// Do not read the target back; the report then rests on the API server's answers alone
    #[arg(long, help_heading = "Execution")]
    pub no_proof: bool,
    /// Objects that are written at a time
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, value_parser = clap::value_parser!(u8).range(1..=200), help_heading = "Execution")]
    pub concurrency: u8,
}

/// The concurrency of [`RestoreSettings::default`], as a number that clap can check the range of.
const DEFAULT_CONCURRENCY: u8 = 32;

/// Restores, and prints the report.
///
/// # Errors
/// Where nothing was restored, or the restore ended in the middle. A plan that did not come true is
/// reported, and the exit code says so.
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
    let document = context.block_on(make(arguments, context))?;
    context.print(&document)?;
    match document.failure() {
        None => Ok(Exit::Success),
        Some(failure) => {
            print_failure(&failure, context.output);
            Ok(failure.exit())
        }
    }
}

async fn make(arguments: &Arguments, context: &Context) -> Result<RestoreDocument, Failure> {
    let target = &arguments.target;
    let options = target.wish.options()?;
    let mut watch = Stopwatch::start();
    let unwrapper = PemUnwrapper::load(&target.key.recovery_key)?;
    let opened = open::point(&target.point, &target.from).await?.point;
    let point = opened.unlock(&unwrapper).await?;
    let record = open::cluster(point.point(), target.cluster.as_ref())?.clone();
    watch.lap("open");
    // Not a byte is used before every file is the one that was signed.
    opened
        .verify_digests(&PointProgress::new(&context.progress))
        .await?;
    watch.lap("verify");
    let (api, _) = cluster::connect(&target.target, &SystemIds).await?;
    watch.lap("connect");
    let drafted = planning::draft(&point, &record, options.clone(), context, &mut watch).await?;
    let request = LeaseRequest {
        holder: Holder::this_process(),
        inputs: inputs(&point, &record, &options),
        clock: Arc::new(SystemClock),
    };
    let lease = Lease::acquire(&api, request).await?;
    let run = Run {
        arguments,
        context,
        options: &options,
        point: &point,
        record: &record,
        drafted: &drafted,
        api: &api,
        lease: &lease,
    };
    let planned = match run.plan(&mut watch).await {
        Ok(planned) => planned,
        Err(failure) => {
            // Nothing was written, so nothing of this run needs to be remembered. A run that is
            // continued keeps its Lease: it says what the run has made.
            if !lease.run().resumed {
                drop(lease.release().await);
            }
            return Err(failure);
        }
    };
    let document = run.execute(planned, &mut watch).await?;
    lease.release().await?;
    Ok(document)
}

/// What the plan follows from, as a digest: an interrupted run is continued by the same inputs only.
/// It is written into the target, and patches may hold Secret values: so it has the point's key.
fn inputs(point: &UnlockedPoint, record: &ClusterRecord, options: &RestoreOptions) -> String {
    let manifest = point.point().manifest_digest().to_string();
    planning::redactor(point).digest(&(manifest, &record.name, options))
}

struct Run<'a> {
    arguments: &'a Arguments,
    context: &'a Context,
    options: &'a RestoreOptions,
    point: &'a UnlockedPoint,
    record: &'a ClusterRecord,
    drafted: &'a Drafted,
    api: &'a Api,
    lease: &'a Lease,
}

impl Run<'_> {
    fn frames(&self) -> CachedFrames<PointFrames<'_>> {
        CachedFrames::new(PointFrames::new(self.point, &self.drafted.index))
    }

    /// The plan, if it may be carried out.
    async fn plan(&self, watch: &mut Stopwatch) -> Result<Planned, Failure> {
        let planned = self
            .drafted
            .plan(self.api, Some(self.lease.run()), self.context, watch)
            .await?;
        expect(self.arguments, &planned.plan.hash())?;
        let errors = planned
            .plan
            .lint()
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error);
        let problems = errors.map(|finding| {
            let object = finding
                .object
                .as_ref()
                .map_or_else(String::new, |object| format!("{object}: "));
            Problem::new(
                finding.code,
                format!("{object}{}", finding.message),
                finding.guidance,
            )
        });
        refuse(problems.collect())?;
        refuse(preflight(self.api, &planned.plan, &planned.facts, &self.frames()).await?)?;
        watch.lap("preflight");
        Ok(planned)
    }

    async fn execute(&self, planned: Planned, watch: &mut Stopwatch) -> Result<RestoreDocument, Failure> {
        let Planned { plan, facts, .. } = planned;
        let settings = RestoreSettings {
            concurrency: usize::from(self.arguments.concurrency),
            existing: self.options.existing,
            ..RestoreSettings::default()
        };
        let frames = self.frames();
        let progress = RestoreLines::new(&self.context.progress, plan.objects.len() as u64);
        let outcome = restore(self.api, &plan, &facts, &frames, self.lease, &settings, &progress).await?;
        self.context.progress.end(Phase::Apply);
        watch.lap("apply");
        let (report, readiness) = if self.arguments.no_proof {
            (unproven::report(&plan, &outcome), Vec::new())
        } else {
            self.context.progress.begin(Phase::Proof, Unit::Objects, None);
            let run = self.lease.run();
            let proven = prove(
                self.api,
                &plan,
                &facts,
                &frames,
                &outcome,
                run,
                &ProveSettings::default(),
            )
            .await?;
            self.context.progress.end(Phase::Proof);
            watch.lap("proof");
            let readiness = proven.readiness.into_iter();
            let readiness = readiness.map(|(object, (ready, wanted))| Readiness {
                object,
                ready,
                wanted,
            });
            (proven.report, readiness.collect())
        };
        Ok(RestoreDocument {
            target: self.api.server().to_owned(),
            proven: !self.arguments.no_proof,
            resumed: self.lease.run().resumed,
            passes: outcome.passes,
            missing: self.record.missing.clone(),
            findings: plan.lint(),
            readiness,
            report,
            measured: watch.finish(),
        })
    }
}

/// Refuses every plan but the expected one.
fn expect(arguments: &Arguments, hash: &str) -> Result<(), Failure> {
    match &arguments.expect_plan {
        Some(expected) if expected != hash => Err(Failure::new(
            Code::PlanRefused,
            format!("the plan is {hash}, not the expected {expected}"),
        )
        .remedy("the point, the options or the target have changed: read `lifeboat plan` again")),
        _ => Ok(()),
    }
}

/// The first problem as the failure, the others as what is wrong beside it.
fn refuse(problems: Vec<Problem>) -> Result<(), Failure> {
    let mut problems = problems.into_iter();
    let Some(mut first) = problems.next() else {
        return Ok(());
    };
    let others = problems.map(|other| format!("also {}: {} ({})", other.code, other.message, other.guidance));
    first.causes.extend(others);
    Err(Failure::from(first).with_exit(Exit::PlanRefused))
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
