//! Progress: counts the objects of a restore for its checkpoint and the log, and stops a capture when its
//! time is up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use lifeboat_capture::{CancellationToken, CaptureEvent, CaptureProgress};
use lifeboat_jobs::{CompleteRanges, Doing, RestoreCheckpoint};
use lifeboat_model::{RestoreProgress as RestoreReport, RestoreStep};
use lifeboat_plan::Wave;
use lifeboat_recovery_point::progress::{Progress, Work};
use lifeboat_restore::execute::{CompleteObjects, RestoreProgress};
use lifeboat_restore::recover::{RecoveryProgress, Stage};
use lifeboat_store::ports::Clock;

/// Records what a restore has completed, for its checkpoint.
#[derive(Debug, Default)]
pub(super) struct ProgressCounter {
    earlier: RestoreCheckpoint,
    planned: AtomicU64,
    done: AtomicU64,
    /// The number of files whose verification began, and of those that are verified.
    files: AtomicU64,
    verified: AtomicU64,
    executing: Mutex<Option<(String, CompleteObjects)>>,
    /// The stage that began last, and its wave.
    stage: Mutex<Option<(Stage, Option<Wave>)>>,
}

impl ProgressCounter {
    /// Begins with the checkpoint of an earlier epoch.
    pub(super) fn after(earlier: RestoreCheckpoint) -> Self {
        Self {
            files: AtomicU64::new(earlier.verified_files),
            verified: AtomicU64::new(earlier.verified_files),
            earlier,
            ..Self::default()
        }
    }

    /// Returns what the restore is at.
    pub(super) fn doing(&self) -> Doing {
        let stage = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let planned = self.planned.load(Ordering::Relaxed);
        Doing::Restore(RestoreReport {
            step: match stage.map(|(stage, _)| stage) {
                None => RestoreStep::Verify,
                Some(Stage::Read) => RestoreStep::Read,
                Some(Stage::Survey) => RestoreStep::Survey,
                Some(Stage::Plan) => RestoreStep::Plan,
                Some(Stage::Preflight) => RestoreStep::Preflight,
                Some(Stage::Apply) => RestoreStep::Apply,
                Some(Stage::Proof) => RestoreStep::Prove,
            },
            wave: stage.and_then(|(_, wave)| Some(wave?.title().to_owned())),
            done: self.done.load(Ordering::Relaxed),
            total: (planned > 0).then_some(planned),
        })
    }

    fn begun(&self, stage: Stage, wave: Option<Wave>) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some((stage, wave));
    }

    /// Returns the checkpoint. An epoch that did not begin to write keeps what the earlier one had completed.
    pub(super) fn checkpoint(&self) -> RestoreCheckpoint {
        let verified_files = self.verified.load(Ordering::Relaxed);
        let executing = self.executing.lock().unwrap_or_else(PoisonError::into_inner);
        match executing.as_ref() {
            None => RestoreCheckpoint {
                verified_files,
                ..self.earlier.clone()
            },
            Some((plan, complete)) => RestoreCheckpoint {
                planned: self.planned.load(Ordering::Relaxed),
                done: self.done.load(Ordering::Relaxed),
                verified_files,
                complete: Some(CompleteRanges {
                    plan: plan.clone(),
                    ranges: complete.ranges(),
                }),
            },
        }
    }
}

impl Progress for ProgressCounter {
    fn file(&self, _: &str) {
        // The files are verified one after another.
        let begun = self.files.fetch_add(1, Ordering::Relaxed);
        self.verified.store(begun, Ordering::Relaxed);
    }

    fn end(&self, work: Work) {
        if work == Work::VerifyDigests {
            self.verified
                .store(self.files.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

impl RecoveryProgress for ProgressCounter {
    fn executing(&self, plan: &str) {
        let mut executing = self.executing.lock().unwrap_or_else(PoisonError::into_inner);
        *executing = Some((plan.to_owned(), CompleteObjects::default()));
    }

    fn begin(&self, stage: Stage, objects: Option<u64>) {
        if stage == Stage::Apply {
            self.planned.store(objects.unwrap_or_default(), Ordering::Relaxed);
        }
        self.begun(stage, None);
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
        self.begun(Stage::Apply, Some(wave));
        tracing::info!(wave = wave.title(), objects, "wave");
    }

    fn complete(&self, at: usize) {
        let mut executing = self.executing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, complete)) = executing.as_mut() {
            complete.insert(at);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_keeps_what_earlier_epochs_completed_until_this_one_writes() {
        let earlier = RestoreCheckpoint {
            planned: 9,
            done: 4,
            verified_files: 2,
            complete: Some(CompleteRanges {
                plan: "a".to_owned(),
                ranges: vec![(0, 3)],
            }),
        };
        let counter = ProgressCounter::after(earlier.clone());
        assert_eq!(counter.checkpoint(), earlier);
        counter.file("three");
        assert_eq!(counter.checkpoint(), earlier, "it is not verified yet");
        counter.file("four");
        assert_eq!(counter.checkpoint().verified_files, 3);
        Progress::end(&counter, Work::VerifyDigests);
        let checkpoint = counter.checkpoint();
        assert_eq!(checkpoint.verified_files, 4);
        assert_eq!(checkpoint.complete, earlier.complete, "nothing was written yet");
        counter.executing("b");
        for at in [0, 1, 5] {
            RestoreProgress::complete(&counter, at);
        }
        let complete = counter.checkpoint().complete.unwrap_or_default();
        assert_eq!(
            (complete.plan.as_str(), complete.ranges),
            ("b", vec![(0, 1), (5, 5)])
        );
    }

    #[test]
    fn a_restore_tells_its_step_its_wave_and_its_objects() {
        let counter = ProgressCounter::default();
        let told = || match counter.doing() {
            Doing::Restore(report) => report.to_string(),
            Doing::Build(_) => unreachable!("it restores"),
        };
        assert_eq!(told(), "verifying the recovery point");
        RecoveryProgress::begin(&counter, Stage::Plan, Some(9));
        assert_eq!(told(), "planning");
        RecoveryProgress::begin(&counter, Stage::Apply, Some(9));
        RestoreProgress::wave(&counter, Wave::Workloads, 4);
        for failed in [false, true, false] {
            RestoreProgress::object(&counter, failed);
        }
        assert_eq!(
            told(),
            "writing objects, 2 of 9 objects are restored, wave \"workloads\""
        );
        RecoveryProgress::begin(&counter, Stage::Proof, None);
        assert!(told().starts_with("comparing the target with the plan"));
    }
}
