//! What a capture tells while it runs.

use lifeboat_format::manifest::TypeOutcome;
use lifeboat_model::TypeName;

/// One thing that happened. Holds names and numbers and no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureEvent {
    /// Discovery is done.
    Discovered {
        /// How many types will be listed.
        types: usize,
        /// How many groups could not be discovered.
        failed_groups: usize,
    },
    /// The version of the whole cluster is chosen.
    Pinned {
        /// The version; absent where the server names none.
        resource_version: Option<String>,
    },
    /// The first page of a type is asked for.
    TypeStarted {
        /// The type.
        r#type: TypeName,
    },
    /// A page of a type is stored.
    Page {
        /// The type.
        r#type: TypeName,
        /// How many objects of the type were taken so far.
        objects: u64,
        /// The size of their lines so far, in bytes.
        bytes: u64,
        /// How many are still to come, by the server's estimate.
        remaining: Option<u64>,
    },
    /// Something passing went wrong and is tried again.
    Retrying {
        /// The type.
        r#type: TypeName,
        /// What went wrong.
        why: String,
    },
    /// A type is done.
    TypeFinished {
        /// The type.
        r#type: TypeName,
        /// What became of it.
        outcome: TypeOutcome,
    },
    /// All clusters are captured, and the recovery point is being sealed.
    Sealing,
}

/// Watches a capture. Called from the task that called [`super::capture`]; must return quickly.
pub trait CaptureProgress {
    /// Something happened.
    fn event(&mut self, event: &CaptureEvent);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl CaptureProgress for Unwatched {
    fn event(&mut self, _: &CaptureEvent) {}
}
