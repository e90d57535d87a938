//! Progress: counts the objects of a restore for its checkpoint and the log, and stops a capture when its
//! time is up.

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
    /// Returns the number of objects in the plan, and how many of them are done.
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

/// Stops a capture at its deadline by the clock. A timer alone is not enough: it does not advance while
/// Lambda freezes the process, whereas the deadline is a fixed time.
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
