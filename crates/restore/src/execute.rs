//! Carries out a plan: wave by wave, many objects concurrently, one request per object if one is enough.
//!
//! The executor makes no decisions: the plan contains what is written, in which order and with which field
//! manager. Every step is idempotent. A restore that was interrupted at any request is continued by the same
//! command: objects that the interrupted run created are recognized by their age (see [`crate::lease`]) and
//! completed, never created twice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use lifeboat_model::{Code, Diagnostic, ErrorKind, ObjectRef, Problem, Uid};
use lifeboat_plan::{Action, DeferredUntil, ExistingPolicy, Plan, PlannedObject, Step, TargetFacts, Wave};

use lifeboat_apiserver::api::{Api, ApiError};
use lifeboat_system::sleep;
use tokio_util::sync::CancellationToken;

mod attempt;
mod complete;
mod definitions;
mod retries;
mod steps;
mod waits;

use crate::healing::Healing;
use crate::lease::Lease;
use crate::outcome::{FailedStep, Failure, ObjectResult};
use attempt::{Kept, ObjectState};

pub use crate::holder::LeaseHolder;
pub use crate::lease::{LeaseEnd, LeaseError, LeaseRequest, RunRecord};
pub use crate::outcome::RestoreOutcome;
pub use crate::source::{CachedFrames, FrameSource, MemorySource, ObjectSource, PointFrames, SourceError};
pub use complete::CompleteObjects;

/// Settings of the execution. The plan determines what is written.
#[derive(Debug, Clone)]
pub struct RestoreSettings {
    /// The number of objects processed concurrently.
    pub concurrency: usize,
    /// The policy that the plan was made with, for objects that other clients create in the meantime.
    pub existing: ExistingPolicy,
    /// The time limit for a CustomResourceDefinition until its type is served.
    pub establish_within: Duration,
    /// The time limit for an object that is recreated until its deletion completes: its finalizers have to
    /// run.
    pub gone_within: Duration,
    /// The time limit for the backends of mutating webhooks until they are available. Configurations whose backends are
    /// not are created last.
    pub backends_within: Duration,
    /// The time after which API servers apply new admission policies and webhooks.
    pub admission_after: Duration,
    /// The time limit for the Pods of a namespace until they exist, before its Pod Security Standard is enforced.
    pub pods_within: Duration,
    /// Objects that an earlier process has completed for the same plan. They are left as they are if they exist.
    pub complete: CompleteObjects,
    /// Cancelled to interrupt the restore: what is being written is completed, and nothing else is begun.
    pub interrupt: CancellationToken,
}

impl Default for RestoreSettings {
    fn default() -> Self {
        Self {
            // Measured only with the API server on the same machine, sharing two cores: 16 and 32 created
            // about as many objects per second, 64 fewer. Not measured with a remote API server, where higher
            // values may help.
            concurrency: 32,
            existing: ExistingPolicy::Keep,
            // An API server with several replicas waits 5 s before it marks a definition established.
            establish_within: Duration::from_secs(60),
            gone_within: Duration::from_secs(60),
            // Images are pulled, and most backends start in seconds.
            backends_within: Duration::from_secs(120),
            // API servers read policies every second (`policyRefreshInterval` of apiserver).
            admission_after: Duration::from_secs(2),
            pods_within: Duration::from_secs(15),
            complete: CompleteObjects::default(),
            interrupt: CancellationToken::new(),
        }
    }
}

/// The time without progress after which objects that a definition without its rules still refuses are not tried again.
/// An API server uses a changed definition within about a second.
const RELAXED_WITHIN: Duration = Duration::from_secs(10);

/// The time limit for requests that were sent before an interrupt: longer than a write takes that no webhook delays.
const COMPLETE_WITHIN: Duration = Duration::from_secs(10);

/// Receives the progress of a restore. Implementations must return quickly.
pub trait RestoreProgress: Send + Sync {
    /// Pass number `pass` (from 1) over the plan begins, with `objects` objects remaining.
    fn pass(&self, pass: u32, objects: usize) {
        let _ = (pass, objects);
    }

    /// A wave begins with `objects` objects.
    fn wave(&self, wave: Wave, objects: usize) {
        let _ = (wave, objects);
    }

    /// `object` has been written, and takes longer than usual to be established or ready; other objects may depend on
    /// it. At most `limit` is waited for it.
    fn waiting(&self, object: &ObjectRef, limit: Duration) {
        let _ = (object, limit);
    }

    /// The object with this index in the plan needs nothing more.
    fn complete(&self, at: usize) {
        let _ = at;
    }

    /// One more object is done; a failed one may be retried.
    fn object(&self, failed: bool) {
        let _ = failed;
    }
}

/// Ignores all progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl RestoreProgress for Unwatched {}

/// A restore that stopped before its end. The Lease of the target stays: the same command continues it.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The API server cannot be reached or no longer accepts the credentials.
    #[error("continue the restore")]
    Api(#[from] ApiError),
    /// The recovery point cannot be read.
    #[error("continue the restore")]
    Source(#[from] SourceError),
    /// The Lease of the target is lost.
    #[error("continue the restore")]
    Lease(#[from] LeaseEnd),
}

impl Diagnostic for RestoreError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Api(error) => error.kind(),
            Self::Source(error) => error.kind(),
            Self::Lease(end) => end.kind(),
        }
    }

    fn code(&self) -> Code {
        self.problem().code
    }

    fn problem(&self) -> Problem {
        let again = "run the same command again; it continues where this run stopped";
        match self {
            Self::Api(error) => {
                let mut problem = error.problem();
                problem.guidance = format!("{}, then {again}", problem.guidance);
                problem
            }
            Self::Source(error) => Problem::new(
                Code::PackCorrupt,
                format!("failed to {error}"),
                format!("check the point with `lifeboat verify`; if it is intact, {again}"),
            ),
            Self::Lease(end) => end.problem(),
        }
    }
}

/// Pauses between passes without progress, before the restore gives up: 3.5 s in total. Most transient
/// failures pass at once (a stale cache in the API server, a controller that creates a ServiceAccount), so
/// that the first pauses are short; longer failures are not waited for.
const IDLE_PAUSES: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(450),
    Duration::from_millis(1_350),
    Duration::from_millis(1_500),
];

/// Carries out `plan`. `facts` are those that the plan was made from; `lease` must be held.
///
/// Objects that fail do not stop the others: those that may heal are retried until a pass makes no progress, and are
/// then reported in the outcome. If the restore is interrupted, the outcome says what was done until then.
///
/// # Errors
/// [`RestoreError`] only for a failure that affects every object.
#[tracing::instrument(skip_all)]
pub async fn restore(
    api: &Api,
    plan: &Plan,
    facts: &TargetFacts,
    source: &dyn ObjectSource,
    lease: &Lease,
    settings: &RestoreSettings,
    progress: &dyn RestoreProgress,
) -> Result<RestoreOutcome, RestoreError> {
    lease.wait_for_clock_tick().await;
    lease.confirm().await?;
    let mut run = Run::new(api, plan, facts, source, lease, settings, progress);
    let too_late = async {
        settings.interrupt.cancelled().await;
        sleep(COMPLETE_WITHIN).await;
    };
    // Requests that are not answered yet end with the Lease.
    tokio::select! {
        biased;
        end = lease.lost() => return Err(end.into()),
        done = run.all() => done?,
        () = too_late => {}
    }
    Ok(run.outcome())
}

/// State shared by all attempts.
struct Shared<'a> {
    api: &'a Api,
    plan: &'a Plan,
    facts: &'a TargetFacts,
    source: &'a dyn ObjectSource,
    lease: &'a Lease,
    settings: &'a RestoreSettings,
    progress: &'a dyn RestoreProgress,
    /// Source uids of owners: only their target uids are kept.
    owners: HashSet<&'a Uid>,
    uids: Mutex<HashMap<Uid, Uid>>,
}

struct Run<'a> {
    shared: Shared<'a>,
    slots: Vec<ObjectState>,
    passes: u32,
    /// Configurations that are created last because their backends were not available in time.
    held: Vec<usize>,
    /// Definitions without the rules that objects break, with the number of these objects.
    relaxed: BTreeMap<usize, usize>,
}

/// Returns the phase in which the objects of a wave are restored.
fn phase(wave: Wave) -> usize {
    match wave {
        Wave::AdmissionBackends => 1,
        Wave::MutatingAdmission => 2,
        Wave::Workloads => 3,
        Wave::YoungerWorkloads | Wave::Quotas => 4,
        Wave::LimitedWorkloads => 5,
        Wave::AggregatedApis | Wave::Admission => 6,
        _ => 0,
    }
}

/// Why an attempt ended early.
enum Stop {
    /// This object failed.
    Failed(Failure),
    /// The connection broke repeatedly. Whether this affects one object or all is not known.
    Lost(FailedStep, ApiError),
    /// A failure that affects every object.
    Fatal(RestoreError),
}

impl<'a> Run<'a> {
    fn new(
        api: &'a Api,
        plan: &'a Plan,
        facts: &'a TargetFacts,
        source: &'a dyn ObjectSource,
        lease: &'a Lease,
        settings: &'a RestoreSettings,
        progress: &'a dyn RestoreProgress,
    ) -> Self {
        let owners = (plan.objects.iter())
            .flat_map(|object| object.owners.iter().map(|owner| &owner.source_uid))
            .collect();
        Self {
            shared: Shared {
                api,
                plan,
                facts,
                source,
                lease,
                settings,
                progress,
                owners,
                uids: Mutex::default(),
            },
            slots: plan.objects.iter().map(|_| ObjectState::default()).collect(),
            passes: 1,
            held: Vec::new(),
            relaxed: BTreeMap::new(),
        }
    }

    /// Restores all objects. What can reject, change or hide other objects follows when these have completed their
    /// passes.
    async fn all(&mut self) -> Result<(), RestoreError> {
        let mut phases = [const { Vec::new() }; 7];
        for at in 0..self.shared.plan.objects.len() {
            if !self.is_complete_already(at) {
                phases[phase(self.shared.plan.objects[at].wave)].push(at);
            }
        }
        let [objects, backends, mutating, workloads, younger, limited, mut last] = phases;
        let mut failed = self.passes(objects).await?;
        self.last_steps().await?;
        self.set_deferred(DeferredUntil::Workloads).await?;
        failed.extend(backends);
        failed = self.passes(failed).await?;
        let (ready, held) = self.await_backends(mutating).await?;
        let is_new = !ready.is_empty();
        failed.extend(ready);
        failed = self.passes(failed).await?;
        if is_new && !self.is_interrupted() {
            sleep(self.shared.settings.admission_after).await;
        }
        failed.extend(workloads);
        failed = self.passes(failed).await?;
        self.await_pods().await?;
        self.set_deferred(DeferredUntil::PodsExist).await?;
        failed.extend(younger);
        failed = self.passes(failed).await?;
        if !limited.is_empty() {
            self.await_quotas(&limited).await?;
            if !self.is_interrupted() {
                sleep(self.shared.settings.admission_after).await;
            }
            failed.extend(limited);
            self.passes(failed).await?;
        }
        self.last_steps().await?;
        self.held.clone_from(&held);
        last.extend(held);
        last.sort_unstable();
        self.passes(last).await?;
        definitions::restore_rules(&self.shared, &mut self.slots, &mut self.relaxed).await?;
        self.last_steps().await
    }

    /// Returns whether an earlier process has completed the object and it still exists.
    fn is_complete_already(&mut self, at: usize) -> bool {
        let shared = &self.shared;
        let object = &shared.plan.objects[at];
        let known = shared.facts.existing.get(&object.target).filter(|known| {
            known.created_by_this_run
                || matches!(
                    object.action,
                    Action::Update | Action::CreateOrUpdate | Action::Merge
                )
        });
        let Some(known) = known.filter(|_| shared.settings.complete.contains(at)) else {
            return false;
        };
        shared.note_uid(&object.source_uid, &known.uid);
        self.slots[at].set_complete(&known.uid);
        shared.progress.complete(at);
        shared.progress.object(false);
        true
    }

    /// Runs passes over these objects, then over those that their definitions reject without the rules that these break.
    /// Returns those that failed and may heal.
    async fn passes(&mut self, todo: Vec<usize>) -> Result<Vec<usize>, RestoreError> {
        let mut failed = todo.clone();
        self.passes_as_planned(todo).await?;
        failed.retain(|&at| self.slots[at].failure.is_some());
        let mut todo =
            definitions::relax_rejecting(&self.shared, &self.slots, &failed, &mut self.relaxed).await?;
        let mut until = tokio::time::Instant::now() + RELAXED_WITHIN;
        // Until the API server uses the definition without the rules.
        while !todo.is_empty() && tokio::time::Instant::now() < until && !self.is_interrupted() {
            let before = todo.len();
            todo = self.pass(&todo).await?;
            todo.retain(|&at| definitions::is_rejected(&self.slots[at]));
            if todo.len() < before {
                until = tokio::time::Instant::now() + RELAXED_WITHIN;
            }
            sleep(IDLE_PAUSES[0]).await;
        }
        for at in todo {
            if let Some(failure) = &mut self.slots[at].failure {
                failure.healing = Healing::Never;
            }
        }
        failed.retain(|&at| {
            let failure = self.slots[at].failure.as_ref();
            failure.is_some_and(|failure| failure.healing != Healing::Never)
        });
        Ok(failed)
    }

    /// Runs passes over these objects until all are done, none may heal, or a pass makes no progress.
    async fn passes_as_planned(&mut self, mut todo: Vec<usize>) -> Result<(), RestoreError> {
        let mut idle = IDLE_PAUSES.iter();
        let mut pass = 1;
        let mut held = Vec::new();
        while !todo.is_empty() && !self.is_interrupted() {
            self.shared.progress.pass(pass, todo.len());
            let causes = self.causes(&todo);
            let failed = self.pass(&todo).await?;
            let healed = retries::healed(&causes, &failed);
            let progressed = failed.len() < todo.len();
            held.extend(failed);
            let next = retries::next(&held, &healed, |at| self.slots[at].next_attempt());
            if progressed {
                idle = IDLE_PAUSES.iter();
            } else if !next.todo.is_empty() {
                match idle.next() {
                    Some(pause) => sleep(*pause).await,
                    None => break,
                }
            }
            (todo, held) = (next.todo, next.held);
            pass += 1;
        }
        self.passes = self.passes.max(pass.saturating_sub(1));
        Ok(())
    }

    /// Returns the cause that each of these objects waits for together with others.
    fn causes(&self, todo: &[usize]) -> Vec<(usize, String)> {
        let cause = |&at: &usize| Some((at, self.slots[at].next_attempt().shared_cause()?.to_owned()));
        todo.iter().filter_map(cause).collect()
    }

    fn is_interrupted(&self) -> bool {
        self.shared.settings.interrupt.is_cancelled()
    }

    /// Runs one pass over these objects, wave by wave and depth by depth, and returns those that failed.
    async fn pass(&mut self, todo: &[usize]) -> Result<Vec<usize>, RestoreError> {
        let objects = &self.shared.plan.objects;
        let mut failed = Vec::new();
        let mut wave = None;
        for group in
            todo.chunk_by(|&a, &b| (objects[a].wave, objects[a].depth) == (objects[b].wave, objects[b].depth))
        {
            let now = objects[group[0]].wave;
            if wave.replace(now) != Some(now) {
                let size = todo.iter().filter(|&&at| objects[at].wave == now).count();
                self.shared.progress.wave(now, size);
            }
            if self.is_interrupted() {
                break;
            }
            self.group(group, &mut failed).await?;
        }
        failed.sort_unstable();
        Ok(failed)
    }

    /// Processes the objects of one wave and depth concurrently.
    async fn group(&mut self, group: &[usize], failed: &mut Vec<usize>) -> Result<(), RestoreError> {
        let shared = &self.shared;
        let mut rest = group.iter();
        let mut attempts = FuturesUnordered::new();
        loop {
            let free = shared.settings.concurrency.max(1).saturating_sub(attempts.len());
            for &at in rest.by_ref().take(free) {
                let slot = std::mem::take(&mut self.slots[at]);
                attempts.push(async move { (at, attempt::attempt(shared, at, slot).await) });
            }
            let Some((at, slot)) = attempts.next().await else {
                return Ok(());
            };
            let slot = slot?;
            let has_failed = slot.failure.is_some();
            let was_attempted = has_failed || slot.made.is_some() || slot.kept.is_some();
            if was_attempted {
                shared.progress.object(has_failed);
            }
            if has_failed {
                failed.push(at);
            } else if slot.is_complete(&shared.plan.objects[at]) {
                shared.progress.complete(at);
            }
            self.slots[at] = slot;
        }
    }

    /// Waits until the backends of mutating webhooks are available. Returns the configurations that can be created, and
    /// those whose backends are not available in time.
    async fn await_backends(
        &self,
        configurations: Vec<usize>,
    ) -> Result<(Vec<usize>, Vec<usize>), RestoreError> {
        let until = tokio::time::Instant::now() + self.shared.settings.backends_within;
        let (mut ready, mut held) = (Vec::new(), Vec::new());
        for at in configurations {
            let object = &self.shared.plan.objects[at];
            let mut are_ready = true;
            for backend in object.awaits() {
                if self.is_interrupted() {
                    return Ok((ready, held));
                }
                let limit = self.shared.settings.backends_within;
                self.shared.progress.waiting(backend, limit);
                are_ready &= waits::available(&self.shared, backend, until).await?;
            }
            if are_ready { &mut ready } else { &mut held }.push(at);
        }
        Ok((ready, held))
    }

    /// Waits until the Pods exist that are older than fields which are set next, or than the quotas of their namespaces.
    async fn await_pods(&self) -> Result<(), RestoreError> {
        let limit = self.shared.settings.pods_within;
        let until = tokio::time::Instant::now() + limit;
        let mut awaited = HashSet::new();
        for (object, slot) in self.shared.plan.objects.iter().zip(&self.slots) {
            let deferred = object.deferred();
            let is_deferred = deferred.is_some_and(|deferred| deferred.until == DeferredUntil::PodsExist)
                && slot.made.is_some()
                && !slot.deferred_done;
            let is_quota = object.wave == Wave::Quotas && slot.made.is_none();
            let namespace = match object.target.r#type.as_str() {
                "namespaces" => Some(&*object.target.name),
                _ => object.target.namespace.as_deref(),
            };
            if !(is_deferred || is_quota) || !awaited.insert(namespace) {
                continue;
            }
            if self.is_interrupted() {
                return Ok(());
            }
            waits::pods_exist(&self.shared, &object.target, namespace, limit, until).await?;
        }
        Ok(())
    }

    /// Waits until the restored quotas that limit these workloads are in force.
    async fn await_quotas(&self, limited: &[usize]) -> Result<(), RestoreError> {
        let objects = &self.shared.plan.objects;
        let namespace = |at: usize| objects[at].target.namespace.as_deref();
        let limited: HashSet<Option<&str>> = limited.iter().map(|at| namespace(*at)).collect();
        let until = tokio::time::Instant::now() + self.shared.settings.pods_within;
        for (at, slot) in self.slots.iter().enumerate() {
            let limits = objects[at].wave == Wave::Quotas && limited.contains(&namespace(at));
            if limits && slot.made.is_some() && !self.is_interrupted() {
                waits::quota_in_force(&self.shared, &objects[at], until).await?;
            }
        }
        Ok(())
    }

    /// Sets the fields that are due now.
    async fn set_deferred(&mut self, until: DeferredUntil) -> Result<(), RestoreError> {
        self.late_steps(Step::SetDeferredFields, |object, slot| {
            let deferred = object.deferred();
            deferred.is_some_and(|deferred| deferred.until == until)
                && slot.failure.is_none()
                && !slot.deferred_done
        })
        .await
    }

    /// Runs the steps that may need services of the restored workloads. Failed steps are retried by the next
    /// call.
    async fn last_steps(&mut self) -> Result<(), RestoreError> {
        self.late_steps(Step::SetManagedFieldsLast, |object, slot| {
            let may_be_tried = (slot.failure.as_ref()).is_none_or(|one| one.step == FailedStep::Ownership);
            object.after.contains(&Step::SetManagedFieldsLast)
                && may_be_tried
                && !slot.last_done
                && (object.deferred().is_none() || slot.deferred_done)
        })
        .await
    }

    /// Runs a step of the objects for which it is due.
    async fn late_steps(
        &mut self,
        step: Step,
        is_due: impl Fn(&PlannedObject, &ObjectState) -> bool,
    ) -> Result<(), RestoreError> {
        if self.is_interrupted() {
            return Ok(());
        }
        let objects = &self.shared.plan.objects;
        let pending: Vec<_> = (objects.iter().zip(&mut self.slots).enumerate())
            .filter(|(_, (object, slot))| {
                object.action != Action::Keep && slot.made.is_some() && is_due(object, slot)
            })
            .map(|(at, (_, slot))| (at, std::mem::take(slot)))
            .collect();
        let shared = &self.shared;
        // Each of these requests may wait for the timeout of a webhook that has no backend.
        let mut steps = futures::stream::iter(pending)
            .map(|(at, slot)| async move { (at, attempt::late_step(shared, at, slot, step).await) })
            .buffer_unordered(shared.settings.concurrency.max(1));
        while let Some((at, slot)) = steps.next().await {
            let slot = slot?;
            if slot.is_complete(&shared.plan.objects[at]) {
                shared.progress.complete(at);
            }
            self.slots[at] = slot;
        }
        Ok(())
    }

    fn outcome(self) -> RestoreOutcome {
        let interrupted = self.is_interrupted();
        let results = (self.slots.into_iter())
            .map(|slot| match slot.failure {
                Some(failure) => ObjectResult::Failed(failure),
                // Its request may have been sent; the next run finds out.
                None if interrupted && slot.made.is_none() && slot.kept.is_none() => {
                    ObjectResult::NotAttempted
                }
                None => match slot.kept {
                    None => ObjectResult::Restored,
                    Some(Kept::Planned) => ObjectResult::Kept,
                    Some(Kept::Unplanned) => ObjectResult::KeptUnplanned,
                },
            })
            .collect();
        RestoreOutcome {
            interrupted,
            results,
            uids: self
                .shared
                .uids
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
            passes: self.passes,
            held: self.held,
            relaxed: self.relaxed,
            rolled: BTreeSet::new(),
        }
    }
}

impl Shared<'_> {
    fn uid_of(&self, source_uid: &Uid) -> Option<Uid> {
        (self.uids.lock().unwrap_or_else(PoisonError::into_inner))
            .get(source_uid)
            .cloned()
    }

    fn note_uid(&self, source_uid: &Uid, uid: &Uid) {
        if self.owners.contains(source_uid) {
            (self.uids.lock().unwrap_or_else(PoisonError::into_inner))
                .insert(source_uid.clone(), uid.clone());
        }
    }
}
