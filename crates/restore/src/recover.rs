//! Recovers a cluster of a recovery point into a target, step by step: load the objects, survey, plan, lint,
//! preflight, apply, prove. The command line and the delegates use the same code.
//!
//! The caller has verified the digests of the recovery point.

use std::collections::BTreeMap;
use std::sync::Arc;

use lifeboat_format::FrameRef;
use lifeboat_format::manifest::ClusterRecord;
use lifeboat_model::{Code, Diagnostic as _, Problem};
use lifeboat_plan::{ExistingObjects, LintFinding, Plan, RestoreOptions, Severity, TargetFacts};
use lifeboat_recovery_point::VerifiedPoint;
use lifeboat_store::ports::Clock;

use crate::execute::{
    CachedFrames, CompleteObjects, LeaseError, LeaseHolder, LeaseRequest, PointFrames, RestoreOutcome,
    RestoreProgress, RestoreSettings, restore,
};
use crate::lease::{LEASE_NAME, LEASE_NAMESPACE, Lease};
use crate::preflight::preflight;
use crate::prove::{ProveSettings, Proven, prove};
use crate::roll;
use crate::source::ObjectSource;
use crate::webhooks::RefusingWebhook;
use lifeboat_apiserver::api::Api;

mod draft;
mod error;

pub use draft::{LoadedPoint, draft, redactor};
pub use error::RecoverError;

/// A step whose progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The objects of the recovery point are read for the planner.
    Read,
    /// The target is surveyed.
    Survey,
    /// The plan is made.
    Plan,
    /// Permissions and objects in other versions are checked without writing.
    Preflight,
    /// Objects are written.
    Apply,
    /// The target is read back.
    Proof,
}

/// Receives the progress of a recovery.
pub trait RecoveryProgress: RestoreProgress {
    /// The plan with this hash is carried out.
    fn executing(&self, plan: &str) {
        let _ = plan;
    }
    /// A stage begins, with its number of objects if known.
    fn begin(&self, stage: Stage, objects: Option<u64>);
    /// `objects` more objects are done.
    fn advance(&self, stage: Stage, objects: u64);
    /// A stage has ended.
    fn end(&self, stage: Stage);
}

/// The input and settings of a recovery.
pub struct Recovery<'a> {
    /// The recovery point.
    pub point: &'a VerifiedPoint,
    /// The cluster of the recovery point to restore.
    pub record: &'a ClusterRecord,
    /// The user's options.
    pub options: &'a RestoreOptions,
    /// The hash of the only plan that may be carried out; `None` allows any.
    pub expected_plan: Option<&'a str>,
    /// Settings of the execution.
    pub settings: RestoreSettings,
    /// Whether the target is read back.
    pub prove: bool,
    /// Settings of the proof.
    pub proof: ProveSettings,
    /// The holder of the target's Lease.
    pub holder: LeaseHolder,
    /// A holder that reported its own end: its Lease is taken without waiting for expiry.
    pub ended: Option<LeaseHolder>,
    /// What an earlier process has completed, if it left a record. Without one, what exists in the target decides.
    pub earlier: Option<EarlierRun>,
    /// The clock for the informational timestamps of the Lease.
    pub clock: Arc<dyn Clock>,
}

/// What an earlier process of the same recovery has completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierRun {
    /// The hash of the plan. Nothing of the record is used for another plan.
    pub plan: String,
    /// The complete objects: ranges of indexes in the plan.
    pub complete: Vec<(u32, u32)>,
}

/// A plan, and the facts that it was made from.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The surveyed facts of the target.
    pub facts: TargetFacts,
    /// The hash of the plan.
    pub hash: String,
    /// The frames of the recovery point by their numbers in [`lifeboat_plan::Locator`].
    pub frames: Vec<FrameRef>,
}

/// A completed recovery.
pub struct Recovered {
    /// The plan that was carried out.
    pub plan: Plan,
    /// The result for each object, from the API server's responses.
    pub outcome: RestoreOutcome,
    /// The proof; `None` if the target was not read back.
    pub proven: Option<Proven>,
    /// Whether an interrupted recovery was continued.
    pub resumed: bool,
    /// Whether the recovery was interrupted ([`RestoreSettings::interrupt`]): the outcome says what was done until
    /// then.
    pub interrupted: bool,
    /// What the user should know beside the report, and what to do about it: a webhook that refused objects, a Lease
    /// that could not be deleted.
    pub warnings: Vec<Problem>,
}

impl Recovery<'_> {
    /// Runs the recovery. If it is interrupted at any moment (future dropped, process killed) and run again
    /// with the same inputs, it continues and ends in the same state.
    ///
    /// # Errors
    /// [`RecoverError`]. Failed objects are not an error: the outcome names them.
    pub async fn run(&self, api: &Api, watch: &dyn RecoveryProgress) -> Result<Recovered, RecoverError> {
        match self.run_unexplained(api, watch).await {
            Ok(recovered) => Ok(recovered),
            Err(error) => Err(error.explain(api).await),
        }
    }

    async fn run_unexplained(
        &self,
        api: &Api,
        watch: &dyn RecoveryProgress,
    ) -> Result<Recovered, RecoverError> {
        let drafted = draft(self.point, self.record, self.options.clone(), watch);
        let drafted = self.unless_interrupted(drafted).await?;
        let request = LeaseRequest {
            holder: self.holder.clone(),
            ended: self.ended.clone(),
            inputs: self.inputs(),
            clock: Arc::clone(&self.clock),
        };
        let acquired = async { Ok(Lease::acquire(api, request).await?) };
        let lease = match self.unless_interrupted(acquired).await {
            Err(RecoverError::Interrupted) => {
                // The request that creates the Lease may have been sent.
                drop(Lease::release_of(api, &self.holder).await);
                return Err(RecoverError::Interrupted);
            }
            acquired => acquired?,
        };
        let plan = self.plan(api, drafted, &lease, watch);
        let planned = match self.unless_interrupted(plan).await {
            Ok(planned) => planned,
            Err(error) => {
                // Nothing was written, so that the Lease is not needed. A continued run keeps its Lease, or its
                // record: it marks the objects that the run has created.
                if !lease.run().resumed {
                    drop(lease.release().await);
                } else if matches!(error, RecoverError::Interrupted) {
                    drop(lease.interrupt().await);
                }
                return Err(error);
            }
        };
        let mut recovered = self.execute(api, planned, &lease, watch).await?;
        let released = if recovered.interrupted {
            lease.interrupt().await
        } else {
            lease.release().await
        };
        recovered.warnings = warnings(api, &recovered.outcome, released.err()).await;
        Ok(recovered)
    }

    /// Runs one part of a recovery that writes no objects, unless the recovery is interrupted.
    async fn unless_interrupted<T>(
        &self,
        part: impl Future<Output = Result<T, RecoverError>>,
    ) -> Result<T, RecoverError> {
        tokio::select! {
            biased;
            () = self.settings.interrupt.cancelled() => Err(RecoverError::Interrupted),
            done = part => done,
        }
    }

    /// Returns a digest of the plan's inputs: an interrupted run is only continued with the same inputs. The
    /// digest is written into the target and covers patches, which may contain Secret values; therefore it is
    /// keyed with the recovery point's key.
    fn inputs(&self) -> String {
        let manifest = self.point.point().manifest_digest().to_string();
        redactor(self.point).digest(&(manifest, &self.record.name, self.options))
    }

    /// Returns what an earlier process has completed of the plan with this hash.
    fn complete_of(&self, hash: &str) -> Option<&[(u32, u32)]> {
        let earlier = self.earlier.as_ref().filter(|earlier| earlier.plan == hash)?;
        Some(&earlier.complete)
    }

    fn frames(&self, frames: Vec<FrameRef>) -> CachedFrames<PointFrames<'_>> {
        CachedFrames::new(PointFrames::new(self.point, frames))
    }

    /// Returns the plan if it may be carried out.
    async fn plan(
        &self,
        api: &Api,
        drafted: LoadedPoint,
        lease: &Lease,
        watch: &dyn RecoveryProgress,
    ) -> Result<Planned, RecoverError> {
        let planned = drafted.plan(api, Some(lease.run()), watch).await?;
        if let Some(expected) = self.expected_plan.filter(|expected| *expected != planned.hash) {
            return Err(RecoverError::OtherPlan {
                expected: expected.to_owned(),
                found: planned.hash,
            });
        }
        let errors = planned
            .plan
            .lint()
            .into_iter()
            .filter(|finding| finding.severity == Severity::Error);
        refuse(errors.map(LintFinding::into_problem).collect())?;
        if self.complete_of(&planned.hash).is_some() {
            // The same plan has passed before.
            return Ok(planned);
        }
        watch.begin(Stage::Preflight, None);
        let refused = preflight(
            api,
            &planned.plan,
            &planned.facts,
            &self.frames(planned.frames.clone()),
        )
        .await?;
        watch.end(Stage::Preflight);
        refuse(refused)?;
        Ok(planned)
    }

    /// Proves the restore. Pods that came up before admission could change them are created again once.
    async fn proof(
        &self,
        (api, lease): (&Api, &Lease),
        (plan, facts): (&Plan, &TargetFacts),
        frames: &dyn ObjectSource,
        outcome: &mut RestoreOutcome,
        watch: &dyn RecoveryProgress,
    ) -> Result<Proven, RecoverError> {
        let run = lease.run();
        let proven = prove(api, plan, facts, frames, (outcome, run), &self.proof, watch).await?;
        let rolled = roll::uninjected(plan, &proven.report);
        if rolled.is_empty() {
            return Ok(proven);
        }
        roll::roll(api, run, &rolled).await?;
        outcome.rolled = rolled;
        Ok(prove(api, plan, facts, frames, (outcome, run), &self.proof, watch).await?)
    }

    async fn execute(
        &self,
        api: &Api,
        planned: Planned,
        lease: &Lease,
        watch: &dyn RecoveryProgress,
    ) -> Result<Recovered, RecoverError> {
        let Planned {
            plan,
            mut facts,
            hash,
            frames,
        } = planned;
        let frames = self.frames(frames);
        let mut settings = self.settings.clone();
        if let Some(ranges) = self.complete_of(&hash) {
            settings.complete = CompleteObjects::from_ranges(ranges, plan.objects.len());
        }
        watch.begin(Stage::Apply, Some(plan.objects.len() as u64));
        watch.executing(&hash);
        let mut outcome = restore(api, &plan, &facts, &frames, lease, &settings, watch).await?;
        watch.end(Stage::Apply);
        // The proof reads the objects of the target again.
        facts.existing = ExistingObjects::default();
        let proven = if self.prove && !outcome.interrupted {
            watch.begin(Stage::Proof, None);
            let proof = self.proof((api, lease), (&plan, &facts), &frames, &mut outcome, watch);
            match self.unless_interrupted(proof).await {
                // All objects were written, and only the proof is missing.
                Err(RecoverError::Interrupted) => None,
                proven => {
                    watch.end(Stage::Proof);
                    Some(proven?)
                }
            }
        } else {
            None
        };
        Ok(Recovered {
            interrupted: outcome.interrupted || (self.prove && proven.is_none()),
            plan,
            outcome,
            proven,
            resumed: lease.run().resumed,
            warnings: Vec::new(),
        })
    }
}

/// Returns what the user should know beside the report.
async fn warnings(api: &Api, outcome: &RestoreOutcome, unreleased: Option<LeaseError>) -> Vec<Problem> {
    let mut warnings = Vec::new();
    let mut refused: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, failure) in outcome.failures() {
        if let Some(webhook) = &failure.webhook {
            *refused.entry(webhook).or_default() += 1;
        }
    }
    for (name, objects) in refused {
        let webhook = RefusingWebhook::find(api, name).await;
        let objects = match objects {
            1 => "1 object".to_owned(),
            more => format!("{more} objects"),
        };
        warnings.push(webhook.explain(Problem::of(
            Code::WebhookRefuses,
            format!("the admission webhook {name} refused {objects}"),
        )));
    }
    if let Some(error) = unreleased {
        warnings.push(unreleased_lease(api, &error).await);
    }
    warnings
}

/// Returns the warning that the Lease could not be deleted at the end of the run.
async fn unreleased_lease(api: &Api, error: &LeaseError) -> Problem {
    let delete = format!("`kubectl -n {LEASE_NAMESPACE} delete lease {LEASE_NAME}`");
    let problem = Problem::new(
        error.code(),
        format!(
            "the Lease {LEASE_NAMESPACE}/{LEASE_NAME} could not be deleted; the report of the restore is complete without it"
        ),
        format!("delete it with {delete}"),
    )
    .caused_by(match error {
        LeaseError::Api(error) => error,
        other => other,
    });
    let refusal = match error {
        LeaseError::Api(error) => error.refusal(),
        LeaseError::Busy { .. } | LeaseError::Malformed { .. } => None,
    };
    let Some(webhook) = refusal.and_then(|refusal| refusal.webhook()) else {
        return problem;
    };
    let webhook = RefusingWebhook::find(api, webhook).await;
    let mut problem = webhook.explain(problem);
    problem.guidance = format!("{}; then delete the Lease with {delete}", webhook.guidance());
    problem
}

fn refuse(problems: Vec<Problem>) -> Result<(), RecoverError> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(RecoverError::Refused { problems })
    }
}

/// Combines the reasons why a plan was rejected into one.
pub(crate) fn combine(problems: &[Problem]) -> Problem {
    Problem::combined(problems.iter().cloned()).unwrap_or_else(|| {
        Problem::new(
            Code::Bug,
            "a plan was rejected without a reason",
            "report this as a bug; no object was written",
        )
    })
}
