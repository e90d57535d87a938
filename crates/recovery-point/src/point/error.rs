//! Why a recovery point is refused.

use lifeboat_format::verify::VerifyError;
use lifeboat_format::{IndexError, ManifestError, PackError};
use lifeboat_model::{
    ApplicationName, ClusterName, Code, Diagnostic, ErrorKind, ObjectRef, PackName, RecoveryPointId,
};

use lifeboat_store::ports::{KeyError, StoreError};

/// A recovery point that cannot be found, trusted or read. Reads well after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum PointError {
    /// The store fails.
    #[error("read the recovery points")]
    Store {
        /// Why.
        #[source]
        source: StoreError,
    },
    /// There is no such point.
    #[error("find the recovery point {wanted} of {application}")]
    NotFound {
        /// The application.
        application: ApplicationName,
        /// What was asked for.
        wanted: String,
    },
    /// The beginning of an id fits several points.
    #[error("choose a recovery point of {application}: {wanted} matches {}", join(.candidates))]
    Ambiguous {
        /// The application.
        application: ApplicationName,
        /// What was asked for.
        wanted: String,
        /// What it fits.
        candidates: Vec<RecoveryPointId>,
    },
    /// The lock that was shown is that of another application.
    #[error("clean up {application} with the lock of {held}")]
    OtherLock {
        /// The application that was to be cleaned.
        application: ApplicationName,
        /// The application that is held.
        held: ApplicationName,
    },
    /// The manifest is refused.
    #[error("open the recovery point {point}: manifest.json is refused")]
    Manifest {
        /// The point.
        point: RecoveryPointId,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// A file, or the manifest as a whole, is not the one that was signed for its place.
    #[error("trust the recovery point {point}")]
    File {
        /// The point that holds the file.
        point: RecoveryPointId,
        /// Which file, and how it differs.
        #[source]
        source: VerifyError,
    },
    /// A file is missing.
    #[error("find the file {name} of the recovery point {point}")]
    FileMissing {
        /// The point that should hold the file.
        point: RecoveryPointId,
        /// The file.
        name: PackName,
    },
    /// The keys of the point cannot be unwrapped.
    #[error("decrypt the keys of the recovery point {point}")]
    Key {
        /// The point.
        point: RecoveryPointId,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A pack does not open.
    #[error("decrypt the file {name} of the recovery point {point}")]
    Pack {
        /// The point that holds the file.
        point: RecoveryPointId,
        /// The file.
        name: PackName,
        /// Why.
        #[source]
        source: PackError,
    },
    /// The index does not parse.
    #[error("read the index {name} of the recovery point {point}")]
    Index {
        /// The point that holds the file.
        point: RecoveryPointId,
        /// The file.
        name: PackName,
        /// Why.
        #[source]
        source: IndexError,
    },
    /// Index, packs and manifest contradict each other.
    #[error("trust the contents of the recovery point {point}: {name}: {what}")]
    Contents {
        /// The point.
        point: RecoveryPointId,
        /// The file, or the cluster for what concerns all its files.
        name: String,
        /// What does not fit.
        what: String,
    },
    /// There is no such cluster in the point.
    #[error("find the cluster {wanted} in the recovery point {point}, which contains {}", join(.there))]
    NoCluster {
        /// The point.
        point: RecoveryPointId,
        /// What was asked for.
        wanted: ClusterName,
        /// What there is.
        there: Vec<ClusterName>,
    },
    /// There is no such object in the point.
    #[error("find {object} in the recovery point {point}")]
    NoObject {
        /// The point.
        point: RecoveryPointId,
        /// What was asked for.
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
