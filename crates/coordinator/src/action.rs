//! The actions of a decision, and their results.

use jiff::Timestamp;
use lifeboat_format::Sha256;
use lifeboat_jobs::{Assignment, Cancel};
use lifeboat_model::{EnvironmentId, JobId, Problem, RecoveryPointId};

use super::state::Notice;

/// An action. Actions are idempotent.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write an assignment into the scratch bucket of its environment.
    PutAssignment(Box<Assignment>),
    /// Write the request to end a job early into the scratch bucket of its environment.
    PutCancel {
        /// The environment.
        environment: EnvironmentId,
        /// The document to write.
        cancel: Cancel,
    },
    /// Verify a sealed recovery point and copy it into the vault.
    VaultPoint {
        /// The environment whose scratch bucket contains it.
        environment: EnvironmentId,
        /// The recovery point.
        point: RecoveryPointId,
        /// The digest of the manifest as reported by the delegate.
        manifest: Sha256,
        /// The pinned signing key, PEM.
        signer: String,
        /// When the backup began, by the coordinator's clock. An earlier creation time in the manifest is refused.
        started: Timestamp,
        /// When the lease of the copy ends. Another coordinator may continue the copy then.
        until: Timestamp,
    },
    /// Verify a recovery point in the vault again.
    VerifyVault {
        /// The recovery point.
        point: RecoveryPointId,
        /// The key that signed it, PEM.
        signer: String,
    },
    /// Remove a capture from a scratch bucket.
    DeleteCapture {
        /// The environment.
        environment: EnvironmentId,
        /// The recovery point.
        point: RecoveryPointId,
    },
    /// Remove a recovery point from the vault, its manifest first.
    ExpirePoint {
        /// The recovery point.
        point: RecoveryPointId,
    },
    /// Remove a segment of the archive that the state no longer names.
    DeleteSegment {
        /// Its digest.
        id: Sha256,
    },
    /// Send a notice.
    Notify(Box<Notice>),
}

/// The result of an action that the buckets do not show.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionOutcome {
    /// A copy into the vault has not completed yet, without a failure.
    VaultUnfinished {
        /// The recovery point.
        point: RecoveryPointId,
    },
    /// A copy into the vault failed.
    VaultFailed {
        /// The recovery point.
        point: RecoveryPointId,
        /// The cause.
        problem: Problem,
        /// Whether a retry may succeed.
        retry: bool,
    },
    /// A recovery point in the vault was verified.
    Verified {
        /// The recovery point.
        point: RecoveryPointId,
        /// Why it is damaged, if it is.
        damaged: Option<Problem>,
    },
    /// A recovery point was removed from the vault.
    Expired {
        /// The recovery point.
        point: RecoveryPointId,
    },
    /// A notice was sent.
    Notified(Box<Notice>),
    /// An assignment or cancellation was not signed.
    Unsigned,
    /// The key of an assignment or cancel has other content.
    Forged {
        /// The job.
        job: JobId,
    },
}
