//! What the delegate does for each kind of job.

use std::sync::Arc;

use lifeboat_format::RecipientKey;
use lifeboat_jobs::worker::{Deadline, EpochEnd, Handlers, InvocationSummary, Worker};
use lifeboat_jobs::{AccessReport, Claim, ClusterTarget, Outcome, VaultPlace, Work};
use lifeboat_model::{ApplicationName, Arn, Code, EnvironmentId, Problem};
use lifeboat_store::ports::{Clock, KeyUnwrapper, ObjectStore, Randomness, Signer, StoreError};
use lifeboat_store::prefix::{CAPTURES, PrefixStore};

use crate::clusters::{Clusters, Unreachable};
use crate::metrics::job_ended;

mod capture;
mod check;
mod restore;
mod seal;
mod watch;

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

impl Delegate {
    /// Works until no job is pending, or until the invocation nears its end.
    ///
    /// # Errors
    /// Where the scratch bucket cannot be used. What goes wrong with a job is its result.
    pub async fn run(&self, invocation: &str, deadline: Deadline) -> Result<InvocationSummary, StoreError> {
        let worker = Worker {
            application: &self.application,
            environment: &self.environment,
            delegate: &self.function,
            store: self.scratch.as_ref(),
            clock: self.clock.as_ref(),
            handlers: self,
        };
        worker.run(invocation, deadline).await
    }

    /// The answer to a job that only the other side can do.
    fn wrong_side(kind: &str) -> EpochEnd {
        EpochEnd::failed(
            Problem::new(
                Code::JobDocumentRefused,
                format!("{kind} is not a job for this side of the application"),
                "report this as a bug of the coordinator",
            ),
            false,
        )
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

impl Handlers for Delegate {
    fn job_ended(&self, work: &Work, claim: &Claim, outcome: &Outcome) {
        // Not a log line: CloudWatch reads metrics from lines that are nothing else.
        println!(
            "{}",
            job_ended(&self.application, work.kind(), claim, outcome, self.clock.now())
        );
    }
}
