//! A cluster of a recovery point brought back into a target, step by step: read what the planner needs,
//! survey, plan, lint, preflight, apply, prove. The command line and the delegates do the same by this.
//!
//! Whoever calls has verified the point's digests before: here the objects are used.

use std::sync::Arc;

use lifeboat_format::manifest::ClusterRecord;
use lifeboat_model::{Code, Problem};
use lifeboat_plan::{LintFinding, Plan, RestoreOptions, Severity, TargetFacts};
use lifeboat_recovery_point::VerifiedPoint;
use lifeboat_store::ports::Clock;

use crate::execute::{
    CachedFrames, LeaseHolder, LeaseRequest, PointFrames, RestoreOutcome, RestoreProgress, RestoreSettings,
    restore,
};
use crate::lease::Lease;
use crate::preflight::preflight;
use crate::prove::{ProveSettings, Proven, prove};
use lifeboat_apiserver::api::Api;

mod draft;
mod error;

pub use draft::{LoadedPoint, draft, redactor};
pub use error::RecoverError;

/// A step that takes long enough to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Objects of the point are read for the planner.
    Read,
    /// The target is looked at.
    Survey,
    /// The plan is made.
    Plan,
    /// Permissions and doubtful objects are tried without writing.
    Preflight,
    /// Objects are written.
    Apply,
    /// The target is read back.
    Proof,
}

/// Hears how far a recovery is.
pub trait RecoveryProgress: RestoreProgress {
    /// A stage begins, with so many objects where that is known.
    fn begin(&self, stage: Stage, objects: Option<u64>);
    /// So many objects more are done.
    fn advance(&self, stage: Stage, objects: u64);
    /// A stage has ended.
    fn end(&self, stage: Stage);
}

/// What is recovered, and how.
pub struct Recovery<'a> {
    /// The point.
    pub point: &'a VerifiedPoint,
    /// The cluster of the point.
    pub record: &'a ClusterRecord,
    /// What the user asks for.
    pub options: &'a RestoreOptions,
    /// The only plan that may be carried out, by its hash; any where none is given.
    pub expected_plan: Option<&'a str>,
    /// How the plan is carried out.
    pub settings: RestoreSettings,
    /// Whether the target is read back.
    pub prove: bool,
    /// Who holds the target meanwhile.
    pub holder: LeaseHolder,
    /// A holder that is known to have ended, because it said so itself: its Lease is not waited for.
    pub ended: Option<LeaseHolder>,
    /// The time, for the fields of the Lease that people read.
    pub clock: Arc<dyn Clock>,
}

/// A plan, and the facts that it was made from.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The target as it was.
    pub facts: TargetFacts,
}

/// A recovery that came to its end.
pub struct Recovered {
    /// The plan that was carried out.
    pub plan: Plan,
    /// What became of each object by the API server's answers.
    pub outcome: RestoreOutcome,
    /// What the target showed when it was read back, where it was.
    pub proven: Option<Proven>,
    /// Whether an interrupted recovery was continued.
    pub resumed: bool,
}

impl Recovery<'_> {
    /// Does it. Given up at any moment (the future dropped, the process killed) and done again with the same
    /// inputs, it continues and ends in the same state.
    ///
    /// # Errors
    /// [`RecoverError`]. Objects that could not be restored are none: the outcome names them.
    pub async fn run(&self, api: &Api, watch: &dyn RecoveryProgress) -> Result<Recovered, RecoverError> {
        let drafted = draft(self.point, self.record, self.options.clone(), watch).await?;
        let request = LeaseRequest {
            holder: self.holder.clone(),
            ended: self.ended.clone(),
            inputs: self.inputs(),
            clock: Arc::clone(&self.clock),
        };
        let lease = Lease::acquire(api, request).await?;
        let planned = match self.plan(api, &drafted, &lease, watch).await {
            Ok(planned) => planned,
            Err(error) => {
                // Nothing was written, so nothing of this run needs to be remembered. A run that is continued
                // keeps its Lease: it says what the run has made.
                if !lease.run().resumed {
                    drop(lease.release().await);
                }
                return Err(error);
            }
        };
        let recovered = self.execute(api, &drafted, planned, &lease, watch).await?;
        lease.release().await?;
        Ok(recovered)
    }

    /// What the plan follows from, as a digest: an interrupted run is continued by the same inputs only. It is
    /// written into the target, and patches may hold Secret values: so it has the point's key.
    fn inputs(&self) -> String {
        let manifest = self.point.point().manifest_digest().to_string();
        redactor(self.point).digest(&(manifest, &self.record.name, self.options))
    }

    fn frames<'a>(&'a self, drafted: &'a LoadedPoint) -> CachedFrames<PointFrames<'a>> {
        CachedFrames::new(PointFrames::new(self.point, &drafted.index))
    }

    /// The plan, if it may be carried out.
    async fn plan(
        &self,
        api: &Api,
        drafted: &LoadedPoint,
        lease: &Lease,
        watch: &dyn RecoveryProgress,
    ) -> Result<Planned, RecoverError> {
        let planned = drafted.plan(api, Some(lease.run()), watch).await?;
        let hash = planned.plan.hash();
        if let Some(expected) = self.expected_plan.filter(|expected| *expected != hash) {
            return Err(RecoverError::OtherPlan {
                expected: expected.to_owned(),
                found: hash,
            });
        }
        let errors = planned
            .plan
            .lint()
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error);
        refuse(errors.map(as_problem).collect())?;
        watch.begin(Stage::Preflight, None);
        let refused = preflight(api, &planned.plan, &planned.facts, &self.frames(drafted)).await?;
        watch.end(Stage::Preflight);
        refuse(refused)?;
        Ok(planned)
    }

    async fn execute(
        &self,
        api: &Api,
        drafted: &LoadedPoint,
        planned: Planned,
        lease: &Lease,
        watch: &dyn RecoveryProgress,
    ) -> Result<Recovered, RecoverError> {
        let Planned { plan, facts } = planned;
        let frames = self.frames(drafted);
        watch.begin(Stage::Apply, Some(plan.objects.len() as u64));
        let outcome = restore(api, &plan, &facts, &frames, lease, &self.settings, watch).await?;
        watch.end(Stage::Apply);
        let proven = if self.prove {
            watch.begin(Stage::Proof, None);
            let settings = ProveSettings::default();
            let proven = prove(api, &plan, &facts, &frames, &outcome, lease.run(), &settings).await?;
            watch.end(Stage::Proof);
            Some(proven)
        } else {
            None
        };
        Ok(Recovered {
            plan,
            outcome,
            proven,
            resumed: lease.run().resumed,
        })
    }
}

fn refuse(problems: Vec<Problem>) -> Result<(), RecoverError> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(RecoverError::Refused { problems })
    }
}

fn as_problem(finding: LintFinding) -> Problem {
    let object = finding
        .object
        .as_ref()
        .map_or_else(String::new, |object| format!("{object}: "));
    Problem::new(
        finding.code,
        format!("{object}{}", finding.message),
        finding.guidance,
    )
}

/// The first problem as the one that is shown, the others as what is wrong beside it.
pub(crate) fn combine(problems: &[Problem]) -> Problem {
    let Some((first, others)) = problems.split_first() else {
        return Problem::new(
            Code::Bug,
            "a plan was rejected without a reason",
            "report this as a bug; no object was written",
        );
    };
    let mut first = first.clone();
    let others = others
        .iter()
        .map(|other| format!("also {}: {} ({})", other.code, other.message, other.guidance));
    first.causes.extend(others);
    first
}
