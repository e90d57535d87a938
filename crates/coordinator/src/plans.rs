//! Plans of restores: one at a time for each application, each ending exactly once. A plan changes nothing; while a build
//! changes the stacks that it compares, it waits.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use lifeboat_format::Sha256;
use lifeboat_jobs::{BuildMode, ClusterTarget, Done, PlanDone, PlanWork, Work};
use lifeboat_model::request::{PlanRequest, PlanState};
use lifeboat_model::{ClusterName, Code, Problem, RecoveryPointId, RequestToken, Side};
use serde_json::{Map, Value};

use super::TRIES;
use super::backup::{End, later};
use super::decision::DecisionBuilder;
use super::requests::{Selected, not_taken};
use super::restore::forget_oldest;
use super::state::{JobEntry, PlanEnd, PlanRun};

/// The delay after a failure until the next attempt. Short, because a user waits for a plan.
const BACKOFF: SignedDuration = SignedDuration::from_secs(30);

/// The number of ended plans that are kept in the state.
const REMEMBERED: usize = 20;

/// The maximum number of plans in progress or queued: more are probably the mistake of a script.
const QUEUE: usize = 20;

/// What a restore would do, as a plan records it.
pub(super) struct Wanted<'a> {
    pub(super) point: &'a RecoveryPointId,
    pub(super) clusters: &'a [ClusterTarget],
    /// [`PlanRun::cluster_names`].
    pub(super) cluster_names: Option<&'a BTreeMap<ClusterName, ClusterName>>,
    pub(super) options: &'a Map<String, Value>,
}

impl Wanted<'_> {
    /// Returns how a restore differs from a plan.
    fn differences(&self, plan: &PlanRun) -> Vec<String> {
        let mut differences = Vec::new();
        if plan.point != *self.point {
            differences.push(format!(
                "the plan is of the recovery point {}, the restore of {}",
                plan.point, self.point
            ));
        }
        if plan.clusters != self.clusters || plan.cluster_names.as_ref() != self.cluster_names {
            differences.push("the plan is of other clusters".to_owned());
        }
        if plan.options != *self.options {
            differences.push("the plan has other options, or the application had other rules".to_owned());
        }
        differences
    }
}

impl DecisionBuilder<'_> {
    /// Returns the parts of the plan with this hash, if a restore would carry it out.
    ///
    /// What else the hash covers is compared by the jobs, each for its part, before they change anything.
    pub(super) fn expected_plan(&self, hash: &str, wanted: &Wanted<'_>) -> Result<PlanDone, Problem> {
        let expected = hash.parse::<Sha256>();
        let expected = expected.map_err(|error| not_taken(format!("`expectPlan` is no hash: {error}")))?;
        let latest_first = || self.state.plans.iter().rev();
        let found = latest_first().filter(|plan| plan.hash() == Some(expected));
        let found: Vec<&PlanRun> = found.collect();
        let same = found.iter().find(|plan| wanted.differences(plan).is_empty());
        if let Some(done) = same.and_then(|plan| plan.end.as_ref()?.done.clone()) {
            return Ok(done);
        }
        let mut problem = match found.first() {
            None => Problem::of(Code::PlanUnknown, format!("no plan has the hash {expected}")),
            Some(_) => Problem::of(
                Code::PlanChanged,
                format!("the restore would not carry out the plan with the hash {expected}"),
            ),
        };
        problem.causes = found
            .first()
            .map(|plan| wanted.differences(plan))
            .unwrap_or_default();
        let mut others = latest_first().filter(|plan| wanted.differences(plan).is_empty());
        if let Some(other) = others.find_map(PlanRun::hash) {
            problem
                .causes
                .push(format!("the latest plan of this restore has the hash {other}"));
        }
        Err(problem)
    }

    pub(super) fn take_plan(
        &mut self,
        request: &PlanRequest,
        token: &RequestToken,
        Selected {
            point,
            signer,
            targets,
        }: Selected,
    ) -> Result<RecoveryPointId, String> {
        if self.state.plans.iter().filter(|run| run.end.is_none()).count() >= QUEUE {
            return Err(format!("{QUEUE} plans are already waiting"));
        }
        let application = &self.inventory.application;
        let mut options = application.rules.clone();
        options.extend(request.options.clone());
        let rebuild = application.infrastructure.rebuild;
        let cluster_names = rebuild.then(|| self.cluster_names_with(&targets));
        self.state.plans.push(PlanRun {
            token: token.clone(),
            point: point.clone(),
            signer,
            environment: application.recovery.clone(),
            clusters: targets,
            cluster_names,
            options,
            requested_at: self.now,
            attempt: 1,
            next_at: self.now,
            job: None,
            cancelled: false,
            end: None,
        });
        Ok(point)
    }

    pub(super) fn advance_plans(&mut self) {
        let mut runs = std::mem::take(&mut self.state.plans);
        for run in runs.iter_mut().filter(|run| run.end.is_none()) {
            self.advance_plan(run);
        }
        self.state.plans = runs;
    }

    fn advance_plan(&mut self, run: &mut PlanRun) {
        let Some(entry) = &mut run.job else {
            if run.cancelled {
                self.end_plan(run, PlanState::Cancelled, None, None);
            }
            return;
        };
        if run.cancelled {
            entry.cancelled.get_or_insert(self.now);
        }
        match self.end_of(entry, Side::Recovery) {
            End::Open => {}
            End::Cancelled => self.end_plan(run, PlanState::Cancelled, None, None),
            End::Done(Done::Plan(done)) if is_of(&done, run) => {
                let state = match done.is_rejected() {
                    true => PlanState::Rejected,
                    false => PlanState::Done,
                };
                self.end_plan(run, state, Some(done), None);
            }
            End::Done(_) => {
                let problem = Problem::new(
                    Code::JobDocumentRefused,
                    format!("the result of the plan {} is of the wrong kind", run.token),
                    "deploy the same version of Lifeboat in all environments of the application",
                );
                self.end_plan(run, PlanState::Failed, None, Some(problem));
            }
            End::Failed(problem, retry) => {
                if run.cancelled {
                    self.end_plan(run, PlanState::Cancelled, None, Some(problem));
                } else if retry && run.attempt < TRIES {
                    run.job = None;
                    run.next_at = later(self.now, BACKOFF * (1 << (run.attempt - 1)));
                    run.attempt += 1;
                } else {
                    self.end_plan(run, PlanState::Failed, None, Some(problem));
                }
            }
        }
    }

    fn end_plan(
        &self,
        run: &mut PlanRun,
        state: PlanState,
        done: Option<PlanDone>,
        problem: Option<Problem>,
    ) {
        run.end = Some(PlanEnd {
            state,
            at: self.now,
            job: run.job.take().map(|entry| entry.job),
            problems: problem.into_iter().collect(),
            done,
        });
    }

    /// Whether a plan compares the stacks of the application now.
    pub(super) fn is_planning(&self) -> bool {
        let mut runs = self.state.plans.iter();
        runs.any(|run| run.end.is_none() && run.job.is_some())
    }

    /// Starts the first plan that is due, unless a build changes the stacks.
    pub(super) fn start_plans(&mut self) {
        let is_building =
            self.state.standby.job.is_some() || self.state.builds.iter().any(|run| run.end.is_none());
        let is_busy = is_building || self.is_planning();
        let mut runs = std::mem::take(&mut self.state.plans);
        if let Some(run) = runs.iter_mut().find(|run| run.end.is_none())
            && !is_busy
            && run.next_at <= self.now
            // The key that signed this recovery point, which need not be the one that is pinned now.
            && let Some(signer) = self.state.pins.signer_of(run.signer.as_ref())
        {
            let key = &signer.public_key;
            // With nodes, which are part of what is built in the end.
            let build = |names| self.build_work(&run.point, key, BuildMode::Active, names);
            let build = run.cluster_names.as_ref().map(build);
            let work = Work::Plan(PlanWork {
                point: run.point.clone(),
                vault: self.inventory.vault_place.clone(),
                signer: signer.public_key.clone(),
                clusters: run.clusters.clone(),
                options: run.options.clone(),
                build: build.map(Box::new),
            });
            let job = self.job_now("plan");
            let mut entry = JobEntry::new(job, run.environment.clone(), work, self.now);
            self.follow(&mut entry);
            run.job = Some(entry);
        }
        forget_oldest(&mut runs, REMEMBERED, |run| run.end.is_some());
        self.state.plans = runs;
    }
}

/// Returns whether a result has the parts that were asked for, and no others.
fn is_of(done: &PlanDone, run: &PlanRun) -> bool {
    let asked = run.clusters.iter().map(|target| &target.name);
    done.infrastructure.is_some() == run.cluster_names.is_some()
        && asked.collect::<std::collections::BTreeSet<_>>() == done.clusters.keys().collect()
}
