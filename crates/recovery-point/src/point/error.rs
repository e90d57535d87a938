//! Reasons for which a recovery point is refused.

use lifeboat_format::verify::VerifyError;
use lifeboat_format::{IndexError, ManifestError, PackError};
use lifeboat_model::{
    ApplicationName, ClusterName, Code, Diagnostic, ErrorKind, ObjectRef, PackName, RecoveryPointId,
};

use lifeboat_store::ports::{KeyError, StoreError};

/// A recovery point that cannot be found, trusted or read. The text can be appended to "failed to".
#[derive(Debug, thiserror::Error)]
pub enum PointError {
    /// The store failed.
    #[error("read the recovery points")]
    Store {
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The recovery point does not exist.
    #[error("find the recovery point {wanted} of {application}")]
    NotFound {
        /// The application.
        application: ApplicationName,
        /// What was requested.
        wanted: String,
    },
    /// The prefix of an id matches several recovery points.
    #[error("choose a recovery point of {application}: {wanted} matches {}", join(.candidates))]
    Ambiguous {
        /// The application.
        application: ApplicationName,
        /// The prefix that was requested.
        wanted: String,
        /// The ids that match.
        candidates: Vec<RecoveryPointId>,
    },
    /// The given lock belongs to another application.
    #[error("clean up {application} with the lock of {held}")]
    OtherLock {
        /// The application that was to be cleaned up.
        application: ApplicationName,
        /// The application that is locked.
        held: ApplicationName,
    },
    /// The manifest is refused.
    #[error("open the recovery point {point}: manifest.json is refused")]
    Manifest {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The cause.
        #[source]
        source: ManifestError,
    },
    /// A file, or the manifest as a whole, differs from what was signed for its location.
    #[error("trust the recovery point {point}")]
    File {
        /// The recovery point that contains the file.
        point: RecoveryPointId,
        /// The file, and how it differs.
        #[source]
        source: VerifyError,
    },
    /// A file is missing.
    #[error("find the file {name} of the recovery point {point}")]
    FileMissing {
        /// The recovery point that should contain the file.
        point: RecoveryPointId,
        /// The name of the file.
        name: PackName,
    },
    /// The data keys of the recovery point cannot be unwrapped.
    #[error("decrypt the keys of the recovery point {point}")]
    Key {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The cause.
        #[source]
        source: KeyError,
    },
    /// A pack cannot be read or decrypted.
    #[error("decrypt the file {name} of the recovery point {point}")]
    Pack {
        /// The recovery point that contains the file.
        point: RecoveryPointId,
        /// The name of the file.
        name: PackName,
        /// The cause.
        #[source]
        source: PackError,
    },
    /// The index cannot be parsed.
    #[error("read the index {name} of the recovery point {point}")]
    Index {
        /// The recovery point that contains the file.
        point: RecoveryPointId,
        /// The name of the file.
        name: PackName,
        /// The cause.
        #[source]
        source: IndexError,
    },
    /// Index, packs and manifest contradict each other.
    #[error("trust the contents of the recovery point {point}: {name}: {what}")]
    Contents {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The file, or the cluster if all its files are concerned.
        name: String,
        /// What does not match.
        what: String,
    },
    /// The recovery point does not contain the cluster.
    #[error("find the cluster {wanted} in the recovery point {point}, which contains {}", join(.there))]
    NoCluster {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The cluster that was requested.
        wanted: ClusterName,
        /// The clusters that exist.
        there: Vec<ClusterName>,
    },
    /// The recovery point does not contain the object.
    #[error("find {object} in the recovery point {point}")]
    NoObject {
        /// The id of the recovery point.
        point: RecoveryPointId,
        /// The object that was requested.
        object: ObjectRef,
    },
}

fn join<T: ToString>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

impl Diagnostic for PointError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Store { source } => source.kind(),
            Self::NotFound { .. } | Self::NoCluster { .. } | Self::NoObject { .. } => ErrorKind::Gone,
            Self::Ambiguous { .. } => ErrorKind::Invalid,
            Self::OtherLock { .. } => ErrorKind::Bug,
            Self::Manifest { source, .. } => source.kind(),
            Self::File { source, .. } => source.kind(),
            Self::FileMissing { .. } | Self::Contents { .. } => ErrorKind::Corrupt,
            Self::Key { source, .. } => source.kind(),
            Self::Pack { source, .. } => source.kind(),
            Self::Index { source, .. } => source.kind(),
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Store { source } => source.code(),
            Self::NotFound { .. } | Self::Ambiguous { .. } => Code::PointNotFound,
            Self::OtherLock { .. } => Code::Bug,
            Self::Manifest { source, .. } => source.code(),
            Self::File { source, .. } => source.code(),
            Self::FileMissing { .. } => Code::PackMissing,
            Self::Key { source, .. } => source.code(),
            Self::Pack { source, .. } => source.code(),
            Self::Index { source, .. } => source.code(),
            Self::Contents { .. } => Code::PackCorrupt,
            Self::NoCluster { .. } => Code::UnknownSelector,
            Self::NoObject { .. } => Code::ObjectNotFound,
        }
    }

    fn guidance(&self) -> String {
        let text = match self {
            Self::Store { source } => return source.guidance(),
            Self::Key { source, .. } => return source.guidance(),
            Self::NotFound { .. } => {
                "list the points with `lifeboat points`; an id may be abbreviated if it is unique"
            }
            Self::Ambiguous { .. } => "type more characters of the id",
            Self::OtherLock { .. } => "report this as a bug",
            Self::NoCluster { .. } => "use one of the clusters of the recovery point",
            Self::NoObject { .. } => {
                "check type, namespace and name; `lifeboat show` lists the contents of the point"
            }
            Self::Manifest { .. } if self.code() == Code::NewerFormat => "use a newer lifeboat",
            Self::Pack { .. } if self.code() == Code::NewerFormat => "use a newer lifeboat",
            Self::Manifest { .. } if self.code() == Code::SignatureInvalid => {
                "check that the given key is the signing key of the point; if it is, the point was modified: use another one, and check who can write to the store"
            }
            Self::Manifest { .. }
            | Self::File { .. }
            | Self::FileMissing { .. }
            | Self::Pack { .. }
            | Self::Index { .. }
            | Self::Contents { .. } => {
                "do not use this recovery point: use another one (`lifeboat points`) or a copy of the store, and check who can modify the store"
            }
        };
        text.to_owned()
    }
}
