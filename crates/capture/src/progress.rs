//! Progress events of a capture.

use lifeboat_format::manifest::TypeOutcome;
use lifeboat_model::TypeName;

/// A progress event. It contains names and numbers and no content of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureEvent {
    /// Discovery is complete.
    Discovered {
        /// The number of types that will be listed.
        types: usize,
        /// The number of API groups that could not be discovered.
        failed_groups: usize,
    },
    /// The resourceVersion of the capture is chosen.
    Pinned {
        /// The resourceVersion; absent if the server returns none.
        resource_version: Option<String>,
    },
    /// The list of a type starts.
    TypeStarted {
        /// The type.
        r#type: TypeName,
    },
    /// A page of a type is stored.
    Page {
        /// The type.
        r#type: TypeName,
        /// The number of objects of the type that were stored so far.
        objects: u64,
        /// The size of their lines so far in bytes.
        bytes: u64,
        /// The number of remaining items by the server's estimate (`remainingItemCount`), if it returns one.
        remaining: Option<u64>,
    },
    /// A transient error occurred, and the request is retried.
    Retrying {
        /// The type.
        r#type: TypeName,
        /// The error.
        why: String,
    },
    /// The list of a type has ended.
    TypeFinished {
        /// The type.
        r#type: TypeName,
        /// The outcome.
        outcome: TypeOutcome,
    },
    /// All clusters are captured, and the AWS resources that they stand on are being described.
    Describing,
    /// Everything is captured, and the recovery point is being sealed.
    Sealing,
}

/// Receives the progress of a capture. Called from the task that called [`super::capture`]; must return quickly.
pub trait CaptureProgress {
    /// Called for each event.
    fn event(&mut self, event: &CaptureEvent);
}

/// Ignores all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl CaptureProgress for Unwatched {
    fn event(&mut self, _: &CaptureEvent) {}
}
