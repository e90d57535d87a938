//! The delegate's loop: claims pending jobs, oldest first, passes each to the handler of its kind, and ends
//! its epoch with a result or a checkpoint.
//!
//! The deployed functions and the simulation in the coordinator's tests run the same loop.

use std::pin::{Pin, pin};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, select};
use jiff::{SignedDuration, Timestamp};
use lifeboat_format::VerifyingKey;
use lifeboat_model::{Arn, DelegateId, Diagnostic as _, EnvironmentId, ErrorKind, JobId, Problem};
use lifeboat_store::ports::{Clock, ETag, ObjectStore, StoreError};

use super::FORMAT;
use super::checkpoint::Progress;
use super::claim::{self, Ownership};
use super::data_keys::DataKeysWork;
use super::document::{Assignment, Checkpoint, Claim, Doing, ProgressReport};
use super::keys::JobFile;
use super::pending::{self, PendingJob, Rotation, Search};
use super::private_delegate::PrivateDelegateWork;
use super::read::Document as _;
use super::result::{AccessReport, JobResult, Outcome};
use super::signed::Trust;
use super::work::{BuildWork, CaptureWork, CheckWork, PlanWork, RestoreWork, SealWork, Work};

/// The time reserved at the end of an invocation for its last writes: a checkpoint takes a few requests to
/// S3, each of which may be retried.
const MARGIN: SignedDuration = SignedDuration::from_secs(45);

/// The interval at which a handler checks that it still owns its job. The cancellation of a restore waits for
/// it; one request to S3 every ten seconds costs next to nothing.
const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// The delegate's side of a scratch bucket.
pub struct Worker<'a, H> {
    /// The delegate whose jobs are processed.
    pub delegate: &'a DelegateId,
    /// The environment that the jobs must be assigned to.
    pub environment: &'a EnvironmentId,
    /// The ARN of the delegate's function, named in each result.
    pub function: &'a Arn,
    /// The keys of the coordinator; assignments that none of them has signed are refused.
    pub coordinators: &'a [VerifyingKey],
    /// The job that the event of the invocation names, if any.
    pub named: Option<&'a JobId>,
    /// Where a search of the bucket goes on that reached its limit.
    pub rotation: &'a Rotation,
    /// The scratch bucket.
    pub store: &'a dyn ObjectStore,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// The handlers of the kinds of work.
    pub handlers: &'a H,
}

/// A handler for one kind of work.
#[async_trait(?Send)]
pub trait Handler<W> {
    /// Works on one epoch until the job ends, the time is up, or ownership is lost. Failures are returned as
    /// a result.
    async fn handle(&self, epoch: &Epoch<'_>, work: &W) -> EpochEnd;
}

/// A handler for each kind of work.
pub trait Handlers:
    Handler<CaptureWork>
    + Handler<SealWork>
    + Handler<BuildWork>
    + Handler<RestoreWork>
    + Handler<PlanWork>
    + Handler<CheckWork>
    + Handler<DataKeysWork>
    + Handler<PrivateDelegateWork>
{
    /// Makes a key pair for an epoch of this work, if the handler needs one; returns the public half, PEM.
    fn recipient(&self, work: &Work) -> Option<String> {
        let _ = work;
        None
    }

    /// Called before a job ends with this outcome.
    fn job_ended(&self, work: &Work, claim: &Claim, outcome: &Outcome) {
        let _ = (work, claim, outcome);
    }
}

/// One epoch of one job: the input of a handler besides the payload.
pub struct Epoch<'a> {
    /// The newest assignment of the job.
    pub assignment: &'a Assignment,
    /// The claim of this epoch.
    pub claim: &'a Claim,
    /// The newest checkpoint of an earlier epoch.
    pub checkpoint: Option<&'a Checkpoint>,
    /// When the invocation ends.
    pub deadline: Deadline,
    /// The keys of the coordinator.
    pub coordinators: &'a [VerifyingKey],
    store: &'a dyn ObjectStore,
    clock: &'a dyn Clock,
}

/// How an epoch ends.
#[derive(Debug)]
pub enum EpochEnd {
    /// With a result, and the access reports for the job's clusters.
    Result(Outcome, Vec<AccessReport>),
    /// With a checkpoint, because the invocation nears its end.
    Checkpoint(Progress),
    /// Without a document, because another epoch owns the job.
    Fenced,
}

/// The reason to stop work before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The invocation nears its end.
    Time,
    /// Another epoch owns the job.
    Fenced,
    /// The coordinator has cancelled the job.
    Cancelled,
}

impl Stop {
    /// Returns how the epoch ends. `progress` is asked for when the next epoch goes on.
    pub fn end(self, progress: impl FnOnce() -> Progress) -> EpochEnd {
        match self {
            Self::Time => EpochEnd::Checkpoint(progress()),
            Self::Fenced => EpochEnd::Fenced,
            Self::Cancelled => EpochEnd::Result(Outcome::Cancelled {}, Vec::new()),
        }
    }
}

/// The end of an invocation.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Timestamp);

/// Counts of what an invocation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvocationSummary {
    /// Claimed jobs.
    pub claimed: u32,
    /// Jobs that ended, with any outcome.
    pub ended: u32,
    /// Jobs that ended their epoch with a checkpoint.
    pub checkpointed: u32,
    /// Documents in the bucket that were ignored.
    pub refused: u32,
}

impl Deadline {
    /// Returns when Lambda ends the invocation.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(at)
    }

    /// Returns when work has to stop, so that there is time to write a checkpoint.
    #[must_use]
    pub fn stop_at(self) -> Timestamp {
        self.0.saturating_sub(MARGIN).unwrap_or(self.0)
    }

    /// Returns the time left for work.
    #[must_use]
    pub fn remaining(self, now: Timestamp) -> Duration {
        let left = self.stop_at().duration_since(now);
        Duration::try_from(left).unwrap_or_default()
    }
}

impl EpochEnd {
    /// Ends the job as failed with this problem. `retry` says whether a new job may succeed without a change
    /// by the user.
    #[must_use]
    pub fn failed(problem: Problem, retry: bool) -> Self {
        Self::Result(Outcome::failed(&problem, retry), Vec::new())
    }
}

impl Epoch<'_> {
    /// Checks whether the delegate still owns the job.
    ///
    /// # Errors
    /// If a request to the store fails.
    pub async fn ownership(&self) -> Result<Ownership, StoreError> {
        let trust = Trust::Keys(self.coordinators);
        claim::check_ownership(self.store, self.claim, &self.assignment.environment, trust).await
    }

    /// Runs work to its end, or until there is a reason to stop. `sleep` waits in real or simulated time.
    ///
    /// # Errors
    /// The reason to stop.
    pub async fn while_owned<W: Future, S: Future>(
        &self,
        work: Pin<&mut W>,
        sleep: impl Fn(Duration) -> S,
    ) -> Result<W::Output, Stop> {
        self.while_told(work, sleep, || None).await
    }

    /// Runs work as [`Self::while_owned`] does, and writes what it is doing for somebody who waits, each time that the
    /// ownership is checked and `doing` has changed.
    ///
    /// # Errors
    /// The reason to stop.
    pub async fn while_told<W: Future, S: Future>(
        &self,
        mut work: Pin<&mut W>,
        sleep: impl Fn(Duration) -> S,
        doing: impl Fn() -> Option<Doing>,
    ) -> Result<W::Output, Stop> {
        let mut reporter = Reporter {
            epoch: self,
            told: None,
            gave_up: false,
        };
        loop {
            let left = self.deadline.remaining(self.clock.now());
            let timer = pin!(sleep(left.min(POLL_INTERVAL)));
            if let Either::Left((ended, _)) = select(work.as_mut(), timer).await {
                return Ok(ended);
            }
            if left <= POLL_INTERVAL {
                return Err(Stop::Time);
            }
            // A failed request to the store is not a reason to stop.
            match self.ownership().await {
                Ok(Ownership::Fenced) => return Err(Stop::Fenced),
                Ok(Ownership::Cancelled) => return Err(Stop::Cancelled),
                Ok(Ownership::Go) | Err(_) => {}
            }
            if let Some(doing) = doing() {
                reporter.tell(doing).await;
            }
        }
    }
}

/// Writes what the owner of an epoch is doing.
struct Reporter<'a> {
    epoch: &'a Epoch<'a>,
    /// What was written last.
    told: Option<(Doing, ETag)>,
    /// Whether nothing more is written: it is not allowed, or somebody else has written there.
    gave_up: bool,
}

impl Reporter<'_> {
    /// A report that cannot be written is no reason to stop the work.
    async fn tell(&mut self, doing: Doing) {
        if self.gave_up || self.told.as_ref().is_some_and(|(told, _)| *told == doing) {
            return;
        }
        let Claim { job, epoch, .. } = self.epoch.claim;
        let report = ProgressReport {
            format: FORMAT,
            job: job.clone(),
            epoch: *epoch,
            doing,
        };
        let (key, bytes) = (JobFile::Progress(*epoch).key(job), report.to_bytes().into());
        let written = match &self.told {
            None => self.epoch.store.put_new(&key, bytes).await,
            Some((_, etag)) => self.epoch.store.replace(&key, etag, bytes).await,
        };
        match written {
            Ok(etag) => self.told = Some((report.doing, etag)),
            Err(error) => {
                tracing::warn!(error = %error.problem(), "the progress is not told");
                self.gave_up = error.kind() != ErrorKind::Retry;
            }
        }
    }
}

impl<H: Handlers> Worker<'_, H> {
    /// Processes jobs until none is pending, or until the invocation nears its end.
    ///
    /// # Errors
    /// If requests to the scratch bucket fail. The failure of a job is its result.
    pub async fn run(&self, invocation: &str, deadline: Deadline) -> Result<InvocationSummary, StoreError> {
        let mut summary = InvocationSummary::default();
        loop {
            let now = self.clock.now();
            if now >= deadline.stop_at() {
                return Ok(summary);
            }
            let search = Search {
                store: self.store,
                delegate: self.delegate,
                environment: self.environment,
                keys: self.coordinators,
                rotation: self.rotation,
                named: self.named,
            };
            let pending = search.run(&pending::since(now)).await?;
            summary.refused = u32::try_from(pending.refusals).unwrap_or(u32::MAX);
            for refused in &pending.refused {
                tracing::warn!(key = %refused.key, code = %refused.problem.code, problem = %refused.problem.message, "a document was refused");
            }
            let mut progressed = false;
            for job in &pending.open {
                if self.clock.now() >= deadline.stop_at() {
                    return Ok(summary);
                }
                progressed |= self.take(job, invocation, deadline, &mut summary).await?;
            }
            // New assignments are processed at once; jobs that other invocations have claimed are skipped.
            if !progressed {
                return Ok(summary);
            }
        }
    }

    /// Claims and processes one job unless another invocation has claimed it. Returns whether it was claimed.
    #[tracing::instrument(name = "job", skip_all, fields(application = %self.delegate.application(), job = %job.assignment.job, epoch = job.assignment.epoch.get()))]
    async fn take(
        &self,
        job: &PendingJob,
        invocation: &str,
        deadline: Deadline,
        summary: &mut InvocationSummary,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let recipient = self.handlers.recipient(&job.assignment.work);
        let claim = claim::claim(self.store, job, invocation, now, deadline.0, recipient);
        let Some(claim) = claim.await? else {
            return Ok(false);
        };
        summary.claimed += 1;
        tracing::info!(work = job.assignment.work.kind(), "claimed");
        let epoch = Epoch {
            assignment: &job.assignment,
            claim: &claim,
            checkpoint: job.checkpoint.as_ref(),
            deadline,
            coordinators: self.coordinators,
            store: self.store,
            clock: self.clock,
        };
        let end = match epoch.ownership().await? {
            Ownership::Go => self.handle(&epoch).await,
            Ownership::Cancelled => EpochEnd::Result(Outcome::Cancelled {}, Vec::new()),
            Ownership::Fenced => EpochEnd::Fenced,
        };
        match end {
            EpochEnd::Fenced => tracing::warn!("another epoch owns the job"),
            EpochEnd::Checkpoint(progress) => {
                claim::checkpoint(self.store, &claim, progress, self.clock.now()).await?;
                summary.checkpointed += 1;
                tracing::info!("checkpointed");
            }
            EpochEnd::Result(outcome, access) => {
                // Checked right before the write: the result of a fenced delegate has no effect, but would
                // prevent the end of the job.
                if epoch.ownership().await? == Ownership::Fenced {
                    tracing::warn!("another epoch owns the job; this result is discarded");
                    return Ok(true);
                }
                self.finish(&job.assignment.work, &claim, outcome, access).await?;
                summary.ended += 1;
            }
        }
        Ok(true)
    }

    async fn handle(&self, epoch: &Epoch<'_>) -> EpochEnd {
        match &epoch.assignment.work {
            Work::Capture(work) => self.handlers.handle(epoch, work).await,
            Work::Seal(work) => self.handlers.handle(epoch, work).await,
            Work::Build(work) => self.handlers.handle(epoch, work).await,
            Work::Restore(work) => self.handlers.handle(epoch, work).await,
            Work::Plan(work) => self.handlers.handle(epoch, work).await,
            Work::Check(work) => self.handlers.handle(epoch, work).await,
            Work::DataKeys(work) => self.handlers.handle(epoch, work).await,
            Work::PrivateDelegate(work) => self.handlers.handle(epoch, work).await,
        }
    }

    async fn finish(
        &self,
        work: &Work,
        claim: &Claim,
        outcome: Outcome,
        access: Vec<AccessReport>,
    ) -> Result<(), StoreError> {
        log(&outcome, &access);
        self.handlers.job_ended(work, claim, &outcome);
        let result = JobResult {
            format: FORMAT,
            job: claim.job.clone(),
            epoch: claim.epoch,
            at: self.clock.now(),
            outcome,
            access,
            environment: self.environment.clone(),
            delegate: self.function.clone(),
        };
        claim::finish(self.store, &result).await.map(drop)
    }
}

fn log(outcome: &Outcome, access: &[AccessReport]) {
    for report in access {
        for finding in &report.findings {
            tracing::warn!(cluster = %report.cluster, code = %finding.code(), said = %finding.said().line(), "access is missing");
        }
    }
    match outcome {
        Outcome::Done(_) => tracing::info!("done"),
        Outcome::Cancelled {} => tracing::info!("cancelled"),
        Outcome::Failed { failures, retry } => {
            for failure in failures {
                tracing::error!(code = %failure.code, problem = %failure.said.line(), retry, "failed");
            }
        }
    }
}

#[cfg(test)]
mod tests;
