//! The delegate's work for each kind of job.

use std::sync::Arc;

use lifeboat_capture::infrastructure::DescribeResources;
use lifeboat_format::{RecipientKey, VerifyingKey};
use lifeboat_jobs::pending::Rotation;
use lifeboat_jobs::worker::{Deadline, EpochEnd, Handlers, InvocationSummary, Worker};
use lifeboat_jobs::{AccessReport, Claim, ClusterTarget, Outcome, VaultPlace, Work};
use lifeboat_model::{ApplicationName, Arn, Code, DelegateId, Diagnostic, EnvironmentId, JobId, Problem};
use lifeboat_store::ports::{Clock, KeyUnwrapper, ObjectStore, Randomness, Signer, StoreError};
use lifeboat_store::prefix::{CAPTURES, PrefixStore};

use crate::clusters::{Clusters, Unreachable};
use crate::infrastructure::BuildStacks;
use crate::metrics::job_ended;
use crate::private_delegates::PrivateDelegates;

mod build;
mod capture;
mod check;
mod data_keys;
mod plan;
mod private_delegate;
mod restore;
mod seal;
mod watch;

pub use data_keys::EpochKeys;

/// A delegate with its external dependencies.
pub struct Delegate {
    /// Its id.
    pub id: DelegateId,
    /// The application.
    pub application: ApplicationName,
    /// The environment of the function.
    pub environment: EnvironmentId,
    /// The function's ARN.
    pub function: Arn,
    /// The ARN of the role that the clusters authenticate.
    pub role: Arn,
    /// The version of Lifeboat.
    pub version: String,
    /// The scratch bucket.
    pub scratch: Arc<dyn ObjectStore>,
    /// The public keys of the coordinator. Deployed with the function; only assignments that one of them has signed
    /// are worked on.
    pub coordinators: Vec<VerifyingKey>,
    /// Where a search of the scratch bucket goes on that reached its limit.
    pub rotation: Rotation,
    /// The clusters.
    pub clusters: Arc<dyn Clusters>,
    /// The dependencies of the delegate's side.
    pub side: SidePorts,
    /// Deploys the private delegates of the environment; none if the function was deployed without the permissions.
    pub private_delegates: Option<Arc<dyn PrivateDelegates>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub ids: Arc<dyn Randomness>,
    /// The number of objects per page of a capture ([`lifeboat_capture::PAGE_SIZE`]).
    pub page_size: u32,
}

/// What the side that backs up makes recovery points with.
#[derive(Clone, Copy)]
pub(crate) struct Sealing<'a> {
    pub(crate) signer: &'a dyn Signer,
    pub(crate) recipients: &'a [RecipientKey],
    pub(crate) resources: Option<&'a dyn DescribeResources>,
}

/// The dependencies that differ by side.
pub enum SidePorts {
    /// The side that backs up.
    Primary {
        /// Signs recovery points; none in a private delegate, which leaves that to the public one.
        signer: Option<Arc<dyn Signer>>,
        /// The keys that recovery points are encrypted for. Deployed with the function; no assignment changes
        /// them.
        recipients: Vec<RecipientKey>,
        /// The AWS resources that the clusters stand on; none if these are not described.
        resources: Option<Arc<dyn DescribeResources>>,
    },
    /// The side that restores.
    Recovery {
        /// Decrypts data keys.
        unwrapper: Arc<dyn KeyUnwrapper>,
        /// The vault.
        vault: Arc<dyn ObjectStore>,
        /// The location of the vault. Deployed with the function; no assignment changes it.
        place: VaultPlace,
        /// Builds what clusters stand on; none if the function was deployed without the permissions.
        stacks: Option<Arc<dyn BuildStacks>>,
    },
    /// The side that restores, in the VPC of a cluster.
    PrivateRecovery {
        /// The key pair of the current epoch.
        keys: EpochKeys,
        /// The vault.
        vault: Arc<dyn ObjectStore>,
        /// The location of the vault. Deployed with the function; no assignment changes it.
        place: VaultPlace,
    },
}

impl SidePorts {
    /// Returns what seals recovery points; none on the side that restores and in private delegates.
    fn sealing(&self) -> Option<Sealing<'_>> {
        match self {
            Self::Primary {
                signer: Some(signer),
                recipients,
                resources,
            } => Some(Sealing {
                signer: signer.as_ref(),
                recipients,
                resources: resources.as_deref(),
            }),
            Self::Primary { signer: None, .. } | Self::Recovery { .. } | Self::PrivateRecovery { .. } => None,
        }
    }

    /// Returns the keys that captures are encrypted for; none on the side that restores.
    fn recipients(&self) -> Option<&[RecipientKey]> {
        match self {
            Self::Primary { recipients, .. } => Some(recipients),
            Self::Recovery { .. } | Self::PrivateRecovery { .. } => None,
        }
    }
}

impl Delegate {
    /// Processes jobs until none is pending, or until the invocation nears its end. `named` is the job that the
    /// event of the invocation names, if any.
    ///
    /// # Errors
    /// If requests to the scratch bucket fail. The failure of a job is its result.
    pub async fn run(
        &self,
        invocation: &str,
        deadline: Deadline,
        named: Option<&JobId>,
    ) -> Result<InvocationSummary, StoreError> {
        let worker = Worker {
            delegate: &self.id,
            environment: &self.environment,
            function: &self.function,
            coordinators: &self.coordinators,
            named,
            rotation: &self.rotation,
            store: self.scratch.as_ref(),
            clock: self.clock.as_ref(),
            handlers: self,
        };
        worker.run(invocation, deadline).await
    }

    /// Returns the failure of a job for another delegate.
    fn wrong_delegate(kind: &str) -> EpochEnd {
        EpochEnd::failed(
            Problem::new(
                Code::JobDocumentRefused,
                format!("{kind} is not a job for this delegate of the application"),
                "report this as a bug of the coordinator",
            ),
            false,
        )
    }

    /// Returns the part of the scratch bucket with the layout of a vault.
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
            private: unreachable.and_then(|unreachable| unreachable.private.clone()),
        }
    }
}

impl Handlers for Delegate {
    fn recipient(&self, work: &Work) -> Option<String> {
        match (&self.side, work) {
            (SidePorts::PrivateRecovery { keys, .. }, Work::Restore(_)) => keys.renew(),
            _ => None,
        }
    }

    fn job_ended(&self, work: &Work, claim: &Claim, outcome: &Outcome) {
        // Printed without the log format: CloudWatch extracts metrics only from lines that are a single JSON
        // document.
        println!(
            "{}",
            job_ended(&self.application, work.kind(), claim, outcome, self.clock.now())
        );
    }
}

/// Returns the problem of an error, and whether another try may succeed without a change by the user.
fn failure(error: &impl Diagnostic) -> (Problem, bool) {
    (error.problem(), error.kind().is_retryable())
}
