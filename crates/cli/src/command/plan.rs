//! `lifeboat plan`: shows what a restore would do, without writing.

use clap::Args;
use lifeboat_model::{ClusterName, Exit, Problem};
use lifeboat_plan::{LintFinding, Plan, Severity};
use lifeboat_restore::execute::{CachedFrames, PointFrames};
use lifeboat_restore::preflight::preflight;
use lifeboat_restore::recover::{RecoverError, draft};
use lifeboat_system::SystemRandomness;
use schemars::JsonSchema;
use serde::Serialize;

use super::open;
use super::restore_options::RestoreOptionArguments;
use crate::arguments::{ClusterArguments, PointArguments, RecoveryKeyArguments};
use crate::cluster;
use crate::context::Context;
use crate::failure::Failure;
use crate::measure::{Measured, Stopwatch};
use crate::output::Document;
use crate::progress::adapters::{PointProgress, RecoveryLines};

const AFTER: &str = "Example:
  lifeboat plan latest --context recovery --store points \\
      --verify-key keys/signing.pub.pem --recovery-key keys/recovery.key.pem

  `lifeboat plan APPLICATION@POINT` plans through the coordinator on AWS, without a store and a
  kubeconfig (`lifeboat help application plan`).

  The same point, options and target give the same plan and hash; `lifeboat restore
  --expect-plan` takes the hash and rejects any other plan. The command checks the
  permissions that the restore needs, and writes no objects.

Exit codes: 0 planned, 2 no such point or selection, 5 the point was rejected, 6 the cluster
cannot be used, 8 the store failed, 9 a key cannot be used, 10 a restore would reject this
plan, 12 AWS refused the request";

/// Options of `lifeboat plan`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// What is planned.
    #[command(flatten)]
    pub target: TargetArguments,
}

/// A recovery point, restore options and a target: what `plan` and `restore` share.
#[derive(Debug, Args)]
pub struct TargetArguments {
    /// The recovery point: `latest`, `latest-complete`, its id, or the beginning of its id
    pub point: String,
    /// The cluster of the point, if it has several
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<ClusterName>,
    /// Where the point is.
    #[command(flatten)]
    pub from: PointArguments,
    /// What opens it.
    #[command(flatten)]
    pub key: RecoveryKeyArguments,
    /// The target.
    #[command(flatten)]
    pub target: ClusterArguments,
    /// What is asked of the restore.
    #[command(flatten)]
    pub restore_options: RestoreOptionArguments,
}

/// A plan and what its lint says.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument {
    /// Always `lifeboat.dev/plan/v1`.
    pub format: String,
    /// The address of the target's API server.
    pub target: String,
    /// SHA-256 of the plan, for `restore --expect-plan`.
    pub hash: String,
    /// What the lint says; a finding of severity `error` refuses the plan.
    pub findings: Vec<LintFinding>,
    /// What else a restore by this user into this target would be refused for, before it writes: a
    /// permission that is missing, an object that the API server does not accept. Asked only where the
    /// lint has no error.
    pub refusals: Vec<Problem>,
    /// The plan.
    pub plan: Plan,
    /// Time and memory.
    pub measured: Measured,
}

impl PlanDocument {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/plan/v1";

    /// Reports whether a restore would refuse the plan.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        has_error(&self.findings) || !self.refusals.is_empty()
    }
}

fn has_error(findings: &[LintFinding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

impl Document for PlanDocument {
    fn table(&self) -> String {
        let mut text = format!("target {}\n{}", self.target, self.plan.table());
        text.push_str(&format!("\nhash {}\n", self.hash));
        for refusal in &self.refusals {
            text.push_str(&format!("refused {refusal}\n"));
        }
        if has_error(&self.findings) {
            text.push_str("a restore rejects this plan; resolve the findings of severity error first\n");
        } else if self.is_refused() {
            text.push_str("a restore rejects this plan; resolve what the target rejects first\n");
        }
        text
    }
}

/// Creates and prints a plan.
///
/// # Errors
/// If no plan can be created.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let document = context.block_on(make(&arguments.target, context))?;
    context.print(&document)?;
    Ok(if document.is_refused() {
        Exit::PlanRefused
    } else {
        Exit::Success
    })
}

/// Creates a plan without acquiring the target's Lease.
///
/// # Errors
/// If no plan can be created.
pub(super) async fn make(arguments: &TargetArguments, context: &Context) -> Result<PlanDocument, Failure> {
    let options = arguments.restore_options.options()?;
    let mut watch = Stopwatch::start();
    let readable = open::readable(&arguments.point, &arguments.from, &arguments.key, context).await?;
    watch.lap("open");
    let readable = readable.verify(&PointProgress::new(&context.progress)).await?;
    watch.lap("verify");
    let (api, _) = cluster::connect(&arguments.target, &SystemRandomness).await?;
    watch.lap("connect");
    let record = open::cluster(readable.point(), arguments.cluster.as_ref())?;
    let lines = RecoveryLines::new(&context.progress, &mut watch);
    let drafted = draft(&readable, record, options, &lines).await?;
    let planned = match drafted.plan(&api, None, &lines).await {
        Ok(planned) => planned,
        Err(error) => return Err(error.explain(&api).await.into()),
    };
    drop(lines);
    let findings = planned.plan.lint();
    let refusals = if has_error(&findings) {
        Vec::new()
    } else {
        let frames = CachedFrames::new(PointFrames::new(&readable, planned.frames));
        match preflight(&api, &planned.plan, &planned.facts, &frames).await {
            Ok(refusals) => refusals,
            Err(error) => return Err(RecoverError::from(error).explain(&api).await.into()),
        }
    };
    watch.lap("preflight");
    Ok(PlanDocument {
        format: PlanDocument::FORMAT.to_owned(),
        target: api.server().to_owned(),
        hash: planned.plan.hash(),
        findings,
        refusals,
        plan: planned.plan,
        measured: watch.finish(),
    })
}
