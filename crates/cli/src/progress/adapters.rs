//! Converts the progress that the other crates report to events.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lifeboat_capture::{CaptureEvent, CaptureProgress};
use lifeboat_format::manifest::TypeOutcome;
use lifeboat_model::{ObjectRef, TypeName};
use lifeboat_plan::Wave;
use lifeboat_recovery_point::Work;
use lifeboat_restore::execute::RestoreProgress;
use lifeboat_restore::recover::{RecoveryProgress, Stage};

use super::{Event, Phase, Progress, Unit};
use crate::measure::Stopwatch;

/// The progress of work on a recovery point, in bytes.
pub struct PointProgress {
    progress: Progress,
    /// The current phase: later calls do not name the work that they belong to.
    phase: Mutex<Option<Phase>>,
}

impl PointProgress {
    /// Creates an adapter that sends events to `progress`.
    #[must_use]
    pub fn new(progress: &Progress) -> Self {
        Self {
            progress: progress.clone(),
            phase: Mutex::new(None),
        }
    }

    fn current(&self) -> Option<Phase> {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn phase(work: Work) -> Phase {
    match work {
        Work::VerifyDigests => Phase::VerifyDigests,
        Work::VerifyContents => Phase::VerifyContents,
        Work::ReadIndex => Phase::ReadIndex,
    }
}

impl lifeboat_recovery_point::Progress for PointProgress {
    fn begin(&self, work: Work, bytes: u64) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = Some(phase(work));
        self.progress.begin(phase(work), Unit::Bytes, Some(bytes));
    }

    fn file(&self, name: &str) {
        if let Some(phase) = self.current() {
            self.progress.event(&Event::At(phase, name.to_owned()));
        }
    }

    fn advance(&self, bytes: u64) {
        if let Some(phase) = self.current() {
            self.progress.advance(phase, bytes);
        }
    }

    fn end(&self, work: Work) {
        self.progress.end(phase(work));
    }
}

/// The progress of a capture, in objects.
pub struct CaptureLines {
    progress: Progress,
    /// The number of objects stored so far, by type.
    types: BTreeMap<TypeName, u64>,
}

impl CaptureLines {
    /// Creates an adapter that sends events to `progress`.
    #[must_use]
    pub fn new(progress: &Progress) -> Self {
        progress.begin(Phase::Discover, Unit::Types, None);
        Self {
            progress: progress.clone(),
            types: BTreeMap::new(),
        }
    }
}

impl CaptureProgress for CaptureLines {
    fn event(&mut self, event: &CaptureEvent) {
        match event {
            CaptureEvent::Discovered { types, failed_groups } => {
                self.progress.advance(Phase::Discover, *types as u64);
                self.progress.end(Phase::Discover);
                if *failed_groups > 0 {
                    self.progress
                        .note(format!("{failed_groups} API groups could not be discovered"));
                }
                self.progress.begin(Phase::Capture, Unit::Objects, None);
            }
            CaptureEvent::Pinned { .. }
            | CaptureEvent::TypeStarted { .. }
            | CaptureEvent::Describing
            | CaptureEvent::Sealing => {}
            CaptureEvent::Page { r#type, objects, .. } => {
                let before = self.types.insert(r#type.clone(), *objects).unwrap_or_default();
                self.progress
                    .event(&Event::At(Phase::Capture, r#type.to_string()));
                self.progress
                    .advance(Phase::Capture, objects.saturating_sub(before));
            }
            CaptureEvent::Retrying { r#type, why } => {
                self.progress.note(format!("{type} is retried: {why}"));
            }
            CaptureEvent::TypeFinished { r#type, outcome } => {
                if let TypeOutcome::Failed { reason, message, .. } = outcome {
                    self.progress
                        .note(format!("{type} could not be read: {reason} {message}"));
                }
            }
        }
    }
}

impl Drop for CaptureLines {
    fn drop(&mut self) {
        self.progress.end(Phase::Capture);
    }
}

/// The progress of a backup: its capture, the description of AWS resources, and its seal, each measured as a lap.
pub struct BackupLines<'a> {
    capture: Option<CaptureLines>,
    is_describing: bool,
    is_sealing: bool,
    progress: Progress,
    watch: &'a mut Stopwatch,
}

impl<'a> BackupLines<'a> {
    /// Creates an adapter that sends events to `progress`, and measures the laps `capture` and `seal` with `watch`.
    #[must_use]
    pub fn new(progress: &Progress, watch: &'a mut Stopwatch) -> Self {
        Self {
            capture: Some(CaptureLines::new(progress)),
            is_describing: false,
            is_sealing: false,
            progress: progress.clone(),
            watch,
        }
    }

    fn end_capture(&mut self) {
        if self.capture.take().is_some() {
            self.watch.lap("capture");
        }
    }
}

impl CaptureProgress for BackupLines<'_> {
    fn event(&mut self, event: &CaptureEvent) {
        match event {
            CaptureEvent::Describing => {
                self.end_capture();
                self.progress.begin(Phase::Describe, Unit::Objects, None);
                self.is_describing = true;
            }
            CaptureEvent::Sealing => {
                self.end_capture();
                if std::mem::take(&mut self.is_describing) {
                    self.progress.end(Phase::Describe);
                    self.watch.lap("describe");
                }
                self.progress.begin(Phase::Seal, Unit::Objects, None);
                self.is_sealing = true;
            }
            _ => {
                if let Some(capture) = &mut self.capture {
                    capture.event(event);
                }
            }
        }
    }
}

impl Drop for BackupLines<'_> {
    fn drop(&mut self) {
        if self.is_describing {
            self.progress.end(Phase::Describe);
        }
        if self.is_sealing {
            self.progress.end(Phase::Seal);
            self.watch.lap("seal");
        }
    }
}

/// The progress of a recovery: each stage is shown, and measured as a lap.
pub struct RecoveryLines<'a> {
    progress: Progress,
    stopwatch: Mutex<&'a mut Stopwatch>,
}

impl<'a> RecoveryLines<'a> {
    /// Creates an adapter that sends events to `progress`, and measures with `stopwatch`.
    #[must_use]
    pub fn new(progress: &Progress, stopwatch: &'a mut Stopwatch) -> Self {
        Self {
            progress: progress.clone(),
            stopwatch: Mutex::new(stopwatch),
        }
    }
}

/// Returns the phase that is shown for a stage, if any, and the name of its lap.
fn shown(stage: Stage) -> (Option<Phase>, &'static str) {
    match stage {
        Stage::Read => (Some(Phase::ReadObjects), "read"),
        Stage::Survey => (Some(Phase::Survey), "survey"),
        // Not shown: it takes too little time.
        Stage::Plan => (None, "plan"),
        Stage::Preflight => (None, "preflight"),
        Stage::Apply => (Some(Phase::Apply), "apply"),
        Stage::Proof => (Some(Phase::Proof), "proof"),
    }
}

impl RecoveryProgress for RecoveryLines<'_> {
    fn begin(&self, stage: Stage, objects: Option<u64>) {
        if let (Some(phase), _) = shown(stage) {
            self.progress.begin(phase, Unit::Objects, objects);
        }
    }

    fn advance(&self, stage: Stage, objects: u64) {
        if let (Some(phase), _) = shown(stage) {
            self.progress.advance(phase, objects);
        }
    }

    fn end(&self, stage: Stage) {
        let (phase, lap) = shown(stage);
        if let Some(phase) = phase {
            self.progress.end(phase);
        }
        self.stopwatch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .lap(lap);
    }
}

impl RestoreProgress for RecoveryLines<'_> {
    fn pass(&self, pass: u32, objects: usize) {
        if pass > 1 {
            self.progress
                .note(format!("{objects} objects are retried (pass {pass})"));
        }
    }

    fn wave(&self, wave: Wave, _: usize) {
        self.progress
            .event(&Event::At(Phase::Apply, wave.title().to_owned()));
    }

    fn waiting(&self, object: &ObjectRef, limit: Duration) {
        self.progress.note(format!(
            "{object} is waited for, at most {} seconds",
            limit.as_secs()
        ));
    }

    fn object(&self, failed: bool) {
        if !failed {
            self.progress.advance(Phase::Apply, 1);
        }
    }
}
