//! Exit codes: what a script may read without parsing a line.

use std::process::ExitCode;

use lifeboat_model::Code;

/// The documented exit codes. A number is never given a second meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// The command did what was asked.
    Success = 0,
    /// `diff` found a difference.
    Different = 1,
    /// The command line, or a document it names, is not valid, or refers to something that does not exist.
    Usage = 2,
    /// The recovery point was written but is Partial.
    Partial = 3,
    /// The restore ended, but the cluster does not match the plan.
    DiffersFromPlan = 4,
    /// The recovery point was refused: corrupt, not signed by the pinned key, or of a newer format.
    PointRefused = 5,
    /// The cluster cannot be used: not reached, not trusted, not permitted.
    ClusterUnusable = 6,
    /// Another run holds the application or the target.
    Busy = 7,
    /// The store failed: missing, denied, full.
    Storage = 8,
    /// A key cannot be used.
    Keys = 9,
    /// The plan was refused, before anything was written.
    PlanRefused = 10,
    /// `status`: a recovery point is overdue, or an issue of severity error is open.
    Attention = 11,
    /// AWS or the coordinator refused the request or failed, or a stack failed.
    Aws = 12,
    /// A bug in Lifeboat (`EX_SOFTWARE` of sysexits.h).
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
            | Code::CaptureDeadlineExceeded
            | Code::InvalidList => Self::ClusterUnusable,
            Code::PartialPoint => Self::Partial,
            Code::StoreBusy | Code::TargetBusy => Self::Busy,
            Code::StoreNotFound
            | Code::StoreDenied
            | Code::StoreFull
            | Code::StoreConflict
            | Code::StoreFailed => Self::Storage,
            Code::KeyUnreadable
            | Code::PublicPrivateKeyMismatch
            | Code::UnsupportedKeyType
            | Code::RecoveryKeyMismatch
            | Code::KeyExists => Self::Keys,
            Code::SignatureInvalid
            | Code::DigestMismatch
            | Code::PackCorrupt
            | Code::NewerFormat
            | Code::ManifestMalformed
            | Code::PointIdentityMismatch
            | Code::PackMissing => Self::PointRefused,
            Code::PatchFailed
            | Code::TypeNotServed
            | Code::PlanRefused
            | Code::MissingDependency
            | Code::NameCollision => Self::PlanRefused,
            Code::RestoreIncomplete | Code::ProofFailed | Code::RestoreFailed => Self::DiffersFromPlan,
            Code::DescribeClusterDenied
            | Code::ClusterNotFound
            | Code::ClusterNotActive
            | Code::EndpointRestricted
            | Code::NoAccessEntry
            | Code::InsufficientAccess
            | Code::UnsupportedCluster
            | Code::UnsupportedVersion
            | Code::EndpointPrivate
            | Code::ExternalCluster
            | Code::NoTaggedCluster
            | Code::ClockSkewed
            | Code::NotRegistered
            | Code::BackupFailed
            | Code::BackupOverdue
            | Code::JobLost
            | Code::DelegateNotResponding => Self::ClusterUnusable,
            Code::SigningKeyChanged | Code::RecoveryKeyChanged => Self::Keys,
            Code::ApplicationInvalid | Code::RequestRefused => Self::Usage,
            Code::VaultingFailed | Code::BucketPolicyInvalid => Self::Storage,
            Code::VaultDamaged | Code::JobDocumentRefused => Self::PointRefused,
            Code::JobCancelled => Self::Interrupted,
            Code::NoCredentials
            | Code::WrongAccount
            | Code::AwsDenied
            | Code::AwsFailed
            | Code::StackFailed
            | Code::StackNotUpdatable
            | Code::RequiredStackMissing
            | Code::NoCoordinator
            | Code::CoordinatorFailed => Self::Aws,
            Code::PackagesMissing => Self::Usage,
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
