//! The progress of a command: typed events, rendered as bars on a terminal and as lines elsewhere.
//!
//! All of it goes to standard error. [`adapters`] converts the progress that the other crates report to these events.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::arguments::ProgressMode;

pub mod adapters;
mod bars;
mod lines;

/// A part of a command that takes long enough to show its progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Asking the API server which types it serves.
    Discover,
    /// Listing and packing objects.
    Capture,
    /// Describing the AWS resources that the cluster stands on.
    Describe,
    /// Signing the manifest.
    Seal,
    /// Comparing the digest of every file.
    VerifyDigests,
    /// Decrypting and comparing every object.
    VerifyContents,
    /// Reading a recovery point's index.
    ReadIndex,
    /// Reading the objects of a recovery point.
    ReadObjects,
    /// Reading what the target holds.
    Survey,
    /// Writing to the target.
    Apply,
    /// Reading the target back.
    Proof,
}

impl Phase {
    /// Returns the name of the phase that the user sees.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Discover => "discovering types",
            Self::Capture => "capturing",
            Self::Describe => "describing AWS resources",
            Self::Seal => "sealing",
            Self::VerifyDigests => "checking digests",
            Self::VerifyContents => "checking contents",
            Self::ReadIndex => "reading the index",
            Self::ReadObjects => "reading the point",
            Self::Survey => "reading the target",
            Self::Apply => "restoring",
            Self::Proof => "verifying the target",
        }
    }
}

/// The unit of a phase's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Kubernetes objects.
    Objects,
    /// Bytes.
    Bytes,
    /// Resource types.
    Types,
}

/// A progress event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A phase begins; the total may become known later.
    Begun(Phase, Unit, Option<u64>),
    /// The total is known, or has grown.
    Total(Phase, u64),
    /// This amount more is done.
    Advanced(Phase, u64),
    /// The item that the phase is working on.
    At(Phase, String),
    /// The phase has ended.
    Ended(Phase),
    /// A message that the user should read.
    Note(String),
    /// A message that is shown even where no progress is.
    Warning(String),
}

/// Renders events.
trait Renderer: Send + Sync {
    fn event(&self, event: &Event);
    fn suspended(&self, write: &mut dyn FnMut());
    /// Ends rendering; what is drawn stays visible.
    fn close(&self) {}
}

/// The destination of events. Clones share it.
#[derive(Clone)]
pub struct Progress(Arc<dyn Renderer>);

impl Progress {
    /// Creates a destination for the requested mode: `auto` draws bars if standard error is a terminal.
    #[must_use]
    pub fn new(mode: ProgressMode) -> Self {
        match mode {
            ProgressMode::Never => Self(Arc::new(Nothing)),
            ProgressMode::Always => Self(Arc::new(bars::Bars::new())),
            ProgressMode::Auto if std::io::stderr().is_terminal() => Self(Arc::new(bars::Bars::new())),
            ProgressMode::Auto => Self(Arc::new(lines::Lines::to_stderr())),
        }
    }

    /// Renders an event.
    pub fn event(&self, event: &Event) {
        self.0.event(event);
    }

    /// Begins a phase; the total may become known later.
    pub fn begin(&self, phase: Phase, unit: Unit, total: Option<u64>) {
        self.event(&Event::Begun(phase, unit, total));
    }

    /// Adds to what is done.
    pub fn advance(&self, phase: Phase, by: u64) {
        self.event(&Event::Advanced(phase, by));
    }

    /// Ends a phase.
    pub fn end(&self, phase: Phase) {
        self.event(&Event::Ended(phase));
    }

    /// Shows a message that the user should read.
    pub fn note(&self, text: impl Into<String>) {
        self.event(&Event::Note(text.into()));
    }

    /// Shows a message that the user must not miss, also with `--progress never`.
    pub fn warn(&self, text: impl Into<String>) {
        self.event(&Event::Warning(text.into()));
    }

    /// Ends the drawing, so that further output appears below it.
    pub fn close(&self) {
        self.0.close();
    }

    /// Runs `write`, which may write to standard error, while no bar is drawn.
    pub fn suspended<T>(&self, write: impl FnOnce() -> T) -> T {
        let (mut write, mut result) = (Some(write), None);
        self.0
            .suspended(&mut || result = write.take().map(|write| write()));
        result.expect("a renderer calls what it is given")
    }
}

struct Nothing;

impl Renderer for Nothing {
    fn event(&self, event: &Event) {
        if let Event::Warning(text) = event {
            eprintln!("{text}");
        }
    }

    fn suspended(&self, write: &mut dyn FnMut()) {
        write();
    }
}
