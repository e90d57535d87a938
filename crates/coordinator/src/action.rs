//! What a decision asks for, and what came of it.

use lifeboat_format::Sha256;
use lifeboat_jobs::{Assignment, Cancel};
use lifeboat_model::{EnvironmentId, JobId, Problem, RecoveryPointId};

use super::state::Notice;

/// Something to be done. Doing it twice does nothing more.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write an assignment into the scratch bucket of its environment.
    PutAssignment(Box<Assignment>),
    /// Tell a delegate to end a job early.
    PutCancel {
        /// Where.
        environment: EnvironmentId,
        /// What.
        cancel: Cancel,
    },
    /// Verify a sealed point and copy it into the vault.
    VaultPoint {
        /// The environment in whose scratch bucket it lies.
        environment: EnvironmentId,
        /// The point.
        point: RecoveryPointId,
        /// The digest of the manifest that the delegate has told of.
        manifest: Sha256,
        /// The pinned signing key, PEM.
        signer: String,
    },
    /// Check a point in the vault again.
    VerifyVault {
        /// The point.
        point: RecoveryPointId,
        /// The pinned signing key, PEM.
        signer: String,
    },
    /// Remove a capture from a scratch bucket.
    DeleteCapture {
        /// The environment.
        environment: EnvironmentId,
        /// The point.
        point: RecoveryPointId,
    },
    /// Remove a point from the vault, its manifest first.
    ExpirePoint {
        /// The point.
        point: RecoveryPointId,
    },
    /// Tell somebody.
    Notify(Box<Notice>),
}

/// What became of an action that the buckets do not show.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionOutcome {
    /// A copy into the vault did not come to its end, though nothing failed.
    VaultUnfinished {
        /// The point.
        point: RecoveryPointId,
    },
    /// A copy into the vault failed.
    VaultFailed {
        /// The point.
        point: RecoveryPointId,
        /// Why.
        problem: Problem,
        /// Whether the same copy may succeed later.
        retry: bool,
    },
    /// A point in the vault was checked.
    Verified {
        /// The point.
        point: RecoveryPointId,
        /// Why it is damaged, if it is.
        damaged: Option<Problem>,
    },
    /// Somebody was told.
    Notified(Box<Notice>),
    /// Something else lies where an assignment or a cancel belongs.
    Forged {
        /// The job.
        job: JobId,
    },
}
