//! Exit codes: what a script may read without parsing a line.

use std::process::ExitCode;

use lifeboat_model::Code;

/// The documented exit codes. A number is never given a second meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// What was asked for came true.
    Success = 0,
    /// `diff` found a difference.
    Different = 1,
    /// The command line, or a document it names, cannot be understood, or names what does not exist.
    Usage = 2,
    /// The recovery point was written but is Partial.
    Partial = 3,
    /// The restore ended, but the plan did not come true in full.
    NotAsPlanned = 4,
    /// The recovery point was refused: corrupt, not signed by the pinned key, or of a newer format.
    PointRefused = 5,
    /// The cluster cannot be used: not reached, not trusted, not permitted.
    ClusterUnusable = 6,
    /// Another run works on the same application or target.
    Busy = 7,
    /// The store failed: missing, denied, full.
    Storage = 8,
    /// A key cannot be used.
    Keys = 9,
    /// The plan was refused, before anything was written.
    PlanRefused = 10,
    /// `status`: a recovery point is missed, or an issue is open that leaves something unprotected.
    Attention = 11,
    /// AWS refused or failed, or a stack did not come about.
    Aws = 12,
    /// A fault of Lifeboat itself (`EX_SOFTWARE` of sysexits.h).
    Bug = 70,
    /// Interrupted by a signal (128 + SIGINT, as shells report it); the same command continues.
    Interrupted = 130,
}

impl Exit {
    /// The exit code that belongs to a problem's code.
    #[must_use]
    pub fn of(code: Code) -> Self {
        match code {
            Code::Bug => Self::Bug,
            Code::Interrupted => Self::Interrupted,
            Code::Usage
            | Code::InvalidDocument
            | Code::UnknownFilter
            | Code::PointNotFound
            | Code::ObjectNotFound
            | Code::UnknownSelector => Self::Usage,
            Code::KubeconfigUnreadable
            | Code::UnknownContext
            | Code::ClusterUnreachable
            | Code::Unauthenticated
            | Code::UntrustedCertificate
            | Code::NotKubernetes
            | Code::Forbidden
            | Code::IncompleteDiscovery
            | Code::CaptureDeadline
            | Code::BrokenList => Self::ClusterUnusable,
            Code::PartialPoint => Self::Partial,
            Code::StoreBusy | Code::TargetBusy => Self::Busy,
            Code::StoreNotFound
            | Code::StoreDenied
            | Code::StoreFull
            | Code::StoreConflict
            | Code::StoreFailed => Self::Storage,
            Code::KeyUnreadable
            | Code::WrongKeyHalf
            | Code::WrongKeyKind
            | Code::WrongKey
            | Code::KeyExists => Self::Keys,
            Code::SignatureInvalid
            | Code::DigestMismatch
            | Code::PackCorrupt
            | Code::NewerFormat
            | Code::ManifestMalformed
            | Code::PointSwapped
            | Code::PackMissing => Self::PointRefused,
            Code::PatchFailed
            | Code::TypeNotServed
            | Code::PlanRefused
            | Code::MissingDependency
            | Code::NameCollision => Self::PlanRefused,
            Code::RestoreIncomplete | Code::ProofFailed | Code::RestoreFailed => Self::NotAsPlanned,
            Code::ClusterNotVisible
            | Code::ClusterNotFound
            | Code::ClusterNotActive
            | Code::EndpointClosed
            | Code::NoAccessEntry
            | Code::AccessTooNarrow
            | Code::UnsupportedCluster
            | Code::UnsupportedVersion
            | Code::EndpointPrivate
            | Code::ConnectedCluster
            | Code::NoTaggedCluster
            | Code::ClockSkewed
            | Code::NotRegistered
            | Code::BackupFailed
            | Code::BackupOverdue
            | Code::JobLost
            | Code::DelegateSilent => Self::ClusterUnusable,
            Code::SigningKeyChanged | Code::RecoveryKeyChanged => Self::Keys,
            Code::ApplicationInvalid | Code::RequestRefused => Self::Usage,
            Code::VaultingFailed | Code::BucketUnsafe => Self::Storage,
            Code::VaultDamaged | Code::JobDocumentRefused => Self::PointRefused,
            Code::JobCancelled => Self::Interrupted,
            Code::NoCredentials
            | Code::WrongAccount
            | Code::AwsDenied
            | Code::AwsFailed
            | Code::StackFailed
            | Code::StackStuck
            | Code::StackMissing
            | Code::NoCoordinator
            | Code::CoordinatorFailed => Self::Aws,
            Code::NotPackaged => Self::Usage,
        }
    }

    /// The number that the process ends with.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
