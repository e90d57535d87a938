//! What one lister is given to do, and what it hands back.

use lifeboat_format::manifest::TypeOutcome;
use lifeboat_model::ResourceType;
use lifeboat_recovery_point::cursor::Position;

use super::dependencies::ExternalReferences;
use super::outcome::TypeFailure;
use super::storage::StorageVersions;

/// One path that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Collection {
    pub(super) path: String,
    /// The namespace, where only one is listed.
    pub(super) namespace: Option<String>,
    pub(super) fields: String,
}

/// A type that is to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListJob {
    pub(super) resource: ResourceType,
    pub(super) collections: Vec<Collection>,
    /// Whether the filter must be asked for each object, because the server does not apply it.
    pub(super) check_namespace: bool,
    /// False for definitions that are only read for the storage versions in them.
    pub(super) store: bool,
}

/// A job that is to be done, or to be gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) job: ListJob,
    pub(super) begun: Option<Begun>,
}

impl From<ListJob> for Task {
    fn from(job: ListJob) -> Self {
        Self { job, begun: None }
    }
}

/// How far an earlier run came with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) position: Position,
    pub(super) version: Option<String>,
    pub(super) why_not_pinned: Option<String>,
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

/// What became of a job.
pub(super) struct Done {
    pub(super) resource: ResourceType,
    pub(super) failure: Option<TypeFailure>,
    /// Where to go on, where the capture was stopped before the end of the type.
    pub(super) rest: Option<Position>,
    /// False where the job only read definitions.
    pub(super) stored: bool,
    pub(super) version: Option<String>,
    pub(super) why_not_pinned: Option<String>,
    pub(super) objects: u64,
    pub(super) bytes: u64,
    pub(super) references: ExternalReferences,
    pub(super) storage: StorageVersions,
}

impl Done {
    /// As the manifest tells it; `user` is who we are, where known.
    pub(super) fn outcome(&self, user: Option<&str>) -> TypeOutcome {
        if let Some(failure) = &self.failure {
            return failure.outcome(user);
        }
        TypeOutcome::Listed {
            resource_version: self.version.clone(),
            pinned: self.why_not_pinned.is_none(),
            why: self.why_not_pinned.clone(),
            objects: self.objects,
            bytes: self.bytes,
        }
    }
}
