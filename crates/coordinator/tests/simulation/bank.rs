//! The second application of a hostile simulation. Nobody attacks it, and no fault strikes its processes: whatever
//! delays it, or is lost, is an effect of the attack on the other one.

use std::sync::atomic::Ordering;

use lifeboat_model::request::RestoreState;
use lifeboat_model::{Code, Issue};

use crate::fixture::{BANK, Fixture};
use crate::model::check_requests;
use crate::rng::START;

/// The number of steps after a time of the schedule in which its recovery point comes into the vault: the assignment,
/// the capture, which may last into the next step, the copy, which a request of a user postpones by a step, and one
/// more. Each further request of a user postpones it by another step.
const STEPS: i64 = 6;

impl Fixture {
    /// Attacks the other application in every step of a day without faults.
    pub(crate) fn attack_without_faults(mut self) {
        self.make_trusted_points();
        for _ in 0..24 {
            for _ in 0..6 {
                self.attack();
            }
            self.give_orders();
            self.pass(self.step);
            self.check_bank();
        }
        self.check_end_of_bank();
    }

    /// The Region of the recovery environment fails, or answers again.
    pub(crate) fn toggle_recovery(&mut self) {
        self.recovery.toggle();
        self.recovery_toggled = self.shared.seconds();
    }

    /// Checks the other application after a step.
    pub(crate) fn check_bank(&mut self) {
        let state = self.state_of(BANK);
        let bank = &self.applications[BANK];
        let (now, every) = (self.shared.seconds(), bank.every);
        let due = |steps: i64| (now - steps * self.step).div_euclid(every) * every;
        let mut requests: Vec<i64> = state
            .restores
            .iter()
            .map(|run| run.requested_at.as_second())
            .collect();
        requests.retain(|at| *at >= due(STEPS));
        let further = i64::try_from(requests.len().saturating_sub(1)).unwrap();
        let due = due(STEPS + further);
        let newest = state
            .points
            .values()
            .map(|entry| entry.created_at.as_second())
            .max();
        assert!(
            due < START || newest.is_some_and(|newest| newest >= due),
            "the recovery point of {due} is not in the vault at {now}: {:?}",
            state.points.keys()
        );
        let issues: Vec<&Issue> = state.issues.values().collect();
        for issue in &issues {
            assert!(self.is_expected(issue), "{issue}");
            let text = serde_json::to_string(issue).unwrap();
            assert!(!text.contains("shop"), "{issue}");
        }
        let unavailable = issues
            .iter()
            .any(|issue| issue.code == Code::EnvironmentUnavailable);
        assert_eq!(unavailable, self.recovery.is_dead(), "{issues:?}");
        self.check_vault_of_bank();
        self.applications[BANK].model.trusted = state.points.into_keys().collect();
    }

    /// Returns whether the other application may have this issue: the recovery environment fails sometimes.
    fn is_expected(&self, issue: &Issue) -> bool {
        let is_about_recovery = issue.id.as_str().contains(&self.recovery.id.to_string());
        // A document that waits for the Region is written in the step after, and read in the next one.
        let is_late = self.shared.seconds() - self.recovery_toggled <= 3 * self.step;
        // A delegate works on one job after another.
        let is_busy = || self.state_of(BANK).restores.iter().any(|run| run.end.is_none());
        match issue.code {
            Code::EnvironmentUnavailable => is_about_recovery && self.recovery.is_dead(),
            Code::AssignmentNotWritten => is_about_recovery && is_late,
            // If a step is an hour, a delegate that misses a job claims it an hour later.
            Code::DelegateNotResponding => self.is_coarse() || is_about_recovery && (is_late || is_busy()),
            _ => false,
        }
    }

    /// Nothing of the other application changes in the vault: retention keeps all its recovery points.
    fn check_vault_of_bank(&mut self) {
        let contents = self.vault.contents();
        let bank = &mut self.applications[BANK];
        for (key, bytes) in &bank.vaulted {
            assert_eq!(contents.get(key), Some(bytes), "{key} has changed in the vault");
        }
        let prefix = format!("{}/", bank.name);
        bank.vaulted = contents;
        bank.vaulted.retain(|key, _| key.starts_with(&prefix));
    }

    /// Checks that every restore of the other application ends, and that all its recovery points are left.
    pub(crate) fn check_end_of_bank(&mut self) {
        self.shared.chaos.store(false, Ordering::Relaxed);
        let end = self.restore(BANK, "latest", "bank-end");
        assert_eq!(end, RestoreState::Done);
        check_requests(self, BANK);
        self.check_vault_of_bank();
    }
}
