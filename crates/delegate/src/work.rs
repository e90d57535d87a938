//! The loop over open jobs.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lifeboat_format::RecipientKey;
use lifeboat_jobs::claim::{self, Ownership, PendingJob};
use lifeboat_jobs::document::ClusterTarget;
use lifeboat_jobs::{AccessReport, Claim, FORMAT, JobResult, Outcome, VaultPlace, Work};
use lifeboat_model::{ApplicationName, Arn, Code, EnvironmentId, ErrorKind, Problem};
use lifeboat_store::ports::{Clock, KeyUnwrapper, ObjectStore, Randomness, Signer, StoreError};
use lifeboat_store::prefix::{CAPTURES, PrefixStore};

use crate::clusters::{Clusters, Unreachable};
use crate::metrics::job_ended;

mod capture;
mod check;
mod restore;
mod seal;
mod watch;

/// What is kept back of an invocation for its last writes: a checkpoint takes a few requests to S3, each of
/// which may be tried again.
const MARGIN: SignedDuration = SignedDuration::from_secs(45);

/// How often work asks whether it is still wanted. Who cancels a restore waits for that, and a request to S3 in ten
/// seconds costs next to nothing.
const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// A delegate with everything that it reaches the world through.
pub struct Delegate {
    /// The application.
    pub application: ApplicationName,
    /// Where it works.
    pub environment: EnvironmentId,
    /// The function.
    pub function: Arn,
    /// The role that clusters know.
    pub role: Arn,
    /// The version of Lifeboat.
    pub version: String,
    /// The scratch bucket.
    pub scratch: Arc<dyn ObjectStore>,
    /// The clusters.
    pub clusters: Arc<dyn Clusters>,
    /// What the side of this delegate can do.
    pub side: SidePorts,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub ids: Arc<dyn Randomness>,
    /// How many objects a capture asks for at a time ([`lifeboat_capture::PAGE_SIZE`]).
    pub page_size: u32,
}

/// What each side has and the other has not.
pub enum SidePorts {
    /// Backs up.
    Primary {
        /// Signs recovery points.
        signer: Arc<dyn Signer>,
        /// What they are encrypted to. Deployed with the function; no assignment changes it.
        recipient: Box<RecipientKey>,
    },
    /// Restores.
    Recovery {
        /// Decrypts data keys.
        unwrapper: Arc<dyn KeyUnwrapper>,
        /// Holds recovery points.
        vault: Arc<dyn ObjectStore>,
        /// Where that is. Deployed with the function; no assignment leads elsewhere.
        place: VaultPlace,
    },
}

/// When an invocation ends.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Timestamp);

impl Deadline {
    /// Lambda ends the invocation then.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(at)
    }

    /// Until when work may go on, so that there is time to write down how far it came.
    #[must_use]
    pub fn stop_at(self) -> Timestamp {
        self.0.saturating_sub(MARGIN).unwrap_or(self.0)
    }

    /// How long work may go on.
    #[must_use]
    pub fn remaining(self, now: Timestamp) -> Duration {
        let left = self.stop_at().duration_since(now);
        Duration::try_from(left).unwrap_or_default()
    }
}

/// What an invocation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvocationSummary {
    /// Jobs that were claimed.
    pub claimed: u32,
    /// Jobs that ended, well or not.
    pub ended: u32,
    /// Jobs whose next epoch goes on.
    pub checkpointed: u32,
    /// Documents in the bucket that had no effect.
    pub refused: u32,
}

/// How an epoch ends.
enum End {
    /// With a result.
    Result(Outcome, Vec<AccessReport>),
    /// With a checkpoint, because the invocation ends.
    Checkpoint(lifeboat_jobs::Progress),
    /// With nothing: somebody else has the job.
    Fenced,
}

/// Why work stops before its end.
#[derive(Debug, Clone, Copy)]
enum Stop {
    /// The invocation ends.
    Time,
    /// Somebody else has the job.
    Fenced,
    /// Nobody waits for it any more.
    Cancelled,
}

/// What a job needs to know of its epoch.
struct Epoch<'a> {
    offer: &'a PendingJob,
    claim: &'a Claim,
    deadline: Deadline,
}

impl Delegate {
    /// Does what is open until nothing is, or until the invocation nears its end.
    ///
    /// # Errors
    /// Where the scratch bucket cannot be used. What goes wrong with a job is its result.
    pub async fn run(&self, invocation: &str, deadline: Deadline) -> Result<InvocationSummary, StoreError> {
        let mut summary = InvocationSummary::default();
        loop {
            let now = self.clock.now();
            if now >= deadline.stop_at() {
                return Ok(summary);
            }
            let since = claim::since(now);
            let offers = claim::pending_jobs(
                self.scratch.as_ref(),
                &self.application,
                &self.environment,
                &since,
            )
            .await?;
            summary.refused = u32::try_from(offers.refused.len()).unwrap_or(u32::MAX);
            for refused in &offers.refused {
                tracing::warn!(key = %refused.key, code = %refused.problem.code, problem = %refused.problem.message, "a document was refused");
            }
            let mut progressed = false;
            for offer in &offers.open {
                if self.clock.now() >= deadline.stop_at() {
                    return Ok(summary);
                }
                progressed |= self.take(offer, invocation, deadline, &mut summary).await?;
            }
            // What was assigned in the meantime is done at once; what others have claimed is theirs.
            if !progressed {
                return Ok(summary);
            }
        }
    }

    /// Takes one job if nobody else has it. Says whether it was taken.
    #[tracing::instrument(name = "job", skip_all, fields(application = %self.application, job = %offer.assignment.job, epoch = offer.assignment.epoch.get()))]
    async fn take(
        &self,
        offer: &PendingJob,
        invocation: &str,
        deadline: Deadline,
        summary: &mut InvocationSummary,
    ) -> Result<bool, StoreError> {
        let store = self.scratch.as_ref();
        let now = self.clock.now();
        let Some(claim) = claim::claim(store, offer, invocation, now, deadline.0).await? else {
            return Ok(false);
        };
        summary.claimed += 1;
        tracing::info!(work = offer.assignment.work.kind(), "claimed");
        let epoch = Epoch {
            offer,
            claim: &claim,
            deadline,
        };
        let end = match claim::check_ownership(store, &claim).await? {
            Ownership::Go => Box::pin(self.work(&epoch)).await,
            Ownership::Cancelled => End::Result(Outcome::Cancelled {}, Vec::new()),
            Ownership::Fenced => End::Fenced,
        };
        match end {
            End::Fenced => tracing::warn!("another epoch owns the job"),
            End::Checkpoint(progress) => {
                claim::checkpoint(store, &claim, progress, self.clock.now()).await?;
                summary.checkpointed += 1;
                tracing::info!("checkpointed");
            }
            End::Result(outcome, access) => {
                // Asked right before the write: what a fenced delegate writes has no effect, but would stand
                // in the way of the job's end.
                if claim::check_ownership(store, &claim).await? == Ownership::Fenced {
                    tracing::warn!("another epoch owns the job; this result is discarded");
                    return Ok(true);
                }
                log(&outcome, &access);
                let work = offer.assignment.work.kind();
                // Not a log line: CloudWatch reads metrics from lines that are nothing else.
                println!(
                    "{}",
                    job_ended(&self.application, work, &claim, &outcome, self.clock.now())
                );
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
                claim::finish(store, &result).await?;
                summary.ended += 1;
            }
        }
        Ok(true)
    }

    async fn work(&self, epoch: &Epoch<'_>) -> End {
        match (&epoch.offer.assignment.work, &self.side) {
            (Work::Capture { .. }, SidePorts::Primary { signer, recipient }) => {
                self.capture(epoch, signer.as_ref(), recipient).await
            }
            (Work::Seal { .. }, SidePorts::Primary { signer, .. }) => self.seal(epoch, signer.as_ref()).await,
            (
                Work::Restore { vault: asked, .. },
                SidePorts::Recovery {
                    unwrapper,
                    vault,
                    place,
                },
            ) => match asked == place {
                true => self.restore(epoch, unwrapper.as_ref(), vault).await,
                false => failed(
                    Problem::new(
                        Code::JobDocumentRefused,
                        format!(
                            "the assignment refers to a recovery point in the bucket {:?} of {} in {}, but the vault of this delegate is {:?} of {} in {}",
                            asked.bucket, asked.owner, asked.region, place.bucket, place.owner, place.region
                        ),
                        "if the vault moved, deploy the stack `application` of the recovery side again",
                    ),
                    false,
                ),
            },
            (
                Work::Check {
                    clusters,
                    cluster_tags,
                },
                _,
            ) => self.check(clusters, cluster_tags).await,
            (work, _) => failed(
                Problem::new(
                    Code::JobDocumentRefused,
                    format!("{} is not a job for this side of the application", work.kind()),
                    "report this as a bug of the coordinator",
                ),
                false,
            ),
        }
    }

    /// Drives work to its end, or until there is a reason to stop.
    async fn while_wanted<W: Future>(
        &self,
        epoch: &Epoch<'_>,
        mut work: Pin<&mut W>,
    ) -> Result<W::Output, Stop> {
        loop {
            let left = epoch.deadline.remaining(self.clock.now());
            if let Ok(ended) = tokio::time::timeout(left.min(POLL_INTERVAL), work.as_mut()).await {
                return Ok(ended);
            }
            if left <= POLL_INTERVAL {
                return Err(Stop::Time);
            }
            // An answer that does not come is no reason to stop.
            match claim::check_ownership(self.scratch.as_ref(), epoch.claim).await {
                Ok(Ownership::Fenced) => return Err(Stop::Fenced),
                Ok(Ownership::Cancelled) => return Err(Stop::Cancelled),
                Ok(Ownership::Go) | Err(_) => {}
            }
        }
    }

    /// The part of the scratch bucket that is laid out as a vault.
    fn captures(&self) -> Arc<dyn ObjectStore> {
        Arc::new(PrefixStore::new(Arc::clone(&self.scratch), CAPTURES))
    }

    fn report(&self, target: &ClusterTarget, unreachable: Option<&Unreachable>) -> AccessReport {
        AccessReport {
            cluster: target.name.clone(),
            arn: target.arn.clone(),
            role: self.role.clone(),
            checked_at: self.clock.now(),
            findings: unreachable.map_or_else(Vec::new, |unreachable| unreachable.findings.clone()),
        }
    }
}

/// A job that could not be done.
fn failed(problem: Problem, retry: bool) -> End {
    let problems = vec![problem];
    End::Result(Outcome::Failed { problems, retry }, Vec::new())
}

/// Whether another try of what failed so may help by itself.
fn is_retryable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Retry | ErrorKind::Conflict | ErrorKind::Deadline)
}

fn log(outcome: &Outcome, access: &[AccessReport]) {
    for report in access {
        for finding in &report.findings {
            tracing::warn!(cluster = %report.cluster, code = %finding.problem.code, problem = %finding.problem.message, "access is missing");
        }
    }
    match outcome {
        Outcome::Done(_) => tracing::info!("done"),
        Outcome::Cancelled {} => tracing::info!("cancelled"),
        Outcome::Failed { problems, retry } => {
            for problem in problems {
                let causes = problem.causes.join(": ");
                tracing::error!(code = %problem.code, problem = %problem.message, %causes, retry, "failed");
            }
        }
    }
}
