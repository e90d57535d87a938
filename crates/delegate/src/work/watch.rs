//! Watching: how far a restore is, counted for its checkpoint and told to the log; and whether a capture has
//! to stop.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use lifeboat_capture::{CancellationToken, CaptureEvent, CaptureProgress};
use lifeboat_plan::Wave;
use lifeboat_restore::execute::RestoreProgress;
use lifeboat_restore::recover::{RecoveryProgress, Stage};
use lifeboat_store::ports::Clock;

/// Counts objects.
#[derive(Debug, Default)]
pub(super) struct ProgressCounter {
    planned: AtomicU64,
    done: AtomicU64,
}

impl ProgressCounter {
    /// How many objects the plan has, and how many of them were done.
    pub(super) fn seen(&self) -> (u64, u64) {
        (
            self.planned.load(Ordering::Relaxed),
            self.done.load(Ordering::Relaxed),
        )
    }
}

impl RecoveryProgress for ProgressCounter {
    fn begin(&self, stage: Stage, objects: Option<u64>) {
        if stage == Stage::Apply {
            self.planned.store(objects.unwrap_or_default(), Ordering::Relaxed);
        }
        tracing::info!(?stage, objects, "begun");
    }

    fn advance(&self, _: Stage, _: u64) {}

    fn end(&self, stage: Stage) {
        tracing::info!(?stage, "ended");
    }
}

impl RestoreProgress for ProgressCounter {
    fn pass(&self, pass: u32, objects: usize) {
        tracing::info!(pass, objects, "pass");
    }

    fn wave(&self, wave: Wave, objects: usize) {
        tracing::info!(wave = wave.title(), objects, "wave");
    }

    fn object(&self, failed: bool) {
        if !failed {
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Stops a capture when the clock says so. A timer alone would not do: it stands still while Lambda freezes
/// the process, and the deadline does not.
pub(super) struct CancellingProgress<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) stop_at: Timestamp,
    pub(super) cancellation: &'a CancellationToken,
}

impl CaptureProgress for CancellingProgress<'_> {
    fn event(&mut self, event: &CaptureEvent) {
        if matches!(event, CaptureEvent::Page { .. }) && self.clock.now() >= self.stop_at {
            self.cancellation.cancel();
        }
    }
}
