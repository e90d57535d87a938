//! The jobs of listers and their results.

use lifeboat_format::manifest::TypeOutcome;
use lifeboat_model::ResourceType;
use lifeboat_recovery_point::cursor::Position;

use super::definitions::Definitions;
use super::dependencies::ExternalReferences;
use super::outcome::TypeFailure;

/// A path that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Collection {
    pub(super) path: String,
    /// The namespace, if only one is listed.
    pub(super) namespace: Option<String>,
    pub(super) fields: String,
}

/// The job to list a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListJob {
    pub(super) resource: ResourceType,
    pub(super) collections: Vec<Collection>,
    /// Whether the filter must be checked for each object, because the server does not apply it.
    pub(super) check_namespace: bool,
    /// False if CustomResourceDefinitions are read only for their storage versions.
    pub(super) store: bool,
}

/// A job to start or to continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) job: ListJob,
    pub(super) begun: Option<StartedListing>,
}

impl From<ListJob> for Task {
    fn from(job: ListJob) -> Self {
        Self { job, begun: None }
    }
}

/// The progress of an earlier run on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StartedListing {
    pub(super) position: Position,
    pub(super) version: Option<String>,
    pub(super) why_not_pinned: Option<String>,
    pub(super) objects: u64,
    pub(super) bytes: u64,
}

/// The result of a job.
pub(super) struct Done {
    pub(super) resource: ResourceType,
    pub(super) failure: Option<TypeFailure>,
    /// The position to continue from, if the capture was stopped before the end of the type.
    pub(super) rest: Option<Position>,
    /// False if the job read CustomResourceDefinitions only for their storage versions.
    pub(super) stored: bool,
    pub(super) version: Option<String>,
    pub(super) why_not_pinned: Option<String>,
    pub(super) objects: u64,
    pub(super) bytes: u64,
    pub(super) references: ExternalReferences,
    pub(super) definitions: Definitions,
}

impl Done {
    /// Returns the outcome for the manifest; `user` is the name of the authenticated user, if known.
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
