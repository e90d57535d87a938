//! The catalogue: which recovery points are in the vault, whether they are valid, which are kept, and which
//! are removed.

use lifeboat_model::{Code, Problem, RecoveryPointId};

use super::backup::point_entry;
use super::decision::DecisionBuilder;
use super::state::PointEntry;
use super::{Action, ActionOutcome, VERIFY_EVERY, VaultView};
use crate::retention::{self, PointFacts};

impl DecisionBuilder<'_> {
    /// Applies the results of this process's actions since its last decision.
    pub(super) fn take_performed(&mut self) {
        for performed in &self.inventory.performed {
            match performed {
                ActionOutcome::VaultUnfinished { point } => {
                    let now = self.now;
                    if let Some(vaulting) = self.vaulting(point) {
                        vaulting.next_at = now;
                    }
                }
                ActionOutcome::VaultFailed {
                    point,
                    problem,
                    retry,
                } => {
                    let (problem, retry) = (problem.clone(), *retry);
                    let now = self.now;
                    let Some(vaulting) = self.vaulting(point) else {
                        continue;
                    };
                    vaulting.failures = match retry {
                        true => vaulting.failures + 1,
                        false => super::VAULT_TRIES,
                    };
                    vaulting.next_at =
                        super::backup::later(now, super::VAULT_LEASE * (1 << vaulting.failures.min(5)));
                    vaulting.problem = Some(problem);
                }
                ActionOutcome::Verified { point, damaged } => {
                    if let Some(entry) = self.state.points.get_mut(point) {
                        entry.verified_at = self.now;
                        entry.damaged.clone_from(damaged);
                    }
                }
                ActionOutcome::Notified(notice) => self.state.notices.retain(|held| held != notice.as_ref()),
                ActionOutcome::Forged { .. } => {}
            }
        }
    }

    fn vaulting(&mut self, point: &RecoveryPointId) -> Option<&mut super::state::Vaulting> {
        let run = self.state.backup.as_mut().filter(|run| run.point == *point)?;
        run.vaulting.as_mut()
    }

    /// Updates the catalogue from the contents of the vault.
    pub(super) fn sync_catalogue(&mut self) {
        let running = self.state.backup.as_ref().map(|run| run.point.clone());
        for (point, view) in &self.inventory.vault {
            let ours = Some(point) == running.as_ref();
            if ours || self.state.expiring.contains(point) || self.state.points.contains_key(point) {
                continue;
            }
            match view {
                // A complete recovery point is valid even if its entry was lost with the state, or its run
                // was ended.
                VaultView::Signed(signed) => {
                    self.state
                        .points
                        .insert(point.clone(), point_entry(signed, self.now));
                }
                VaultView::Unfinished => {
                    self.state.expiring.insert(point.clone());
                }
                VaultView::Refused(problem) => {
                    let problem = problem.clone();
                    self.raise(point.as_str(), &damaged_point_problem(point, &problem));
                }
                VaultView::Known => {}
            }
        }
        for (point, entry) in &mut self.state.points {
            let gone = !self.inventory.vault.contains_key(point);
            if gone && entry.damaged.is_none() {
                entry.damaged = Some(Problem::new(
                    Code::PointNotFound,
                    format!("the recovery point {point} is missing from the vault"),
                    "check who deleted it; restore the previous object versions of the bucket if they exist",
                ));
            }
        }
        self.state
            .expiring
            .retain(|point| self.inventory.vault.contains_key(point));
    }

    /// Marks recovery points without a reason to be kept for removal, and records the reasons of the others.
    pub(super) fn apply_retention(&mut self) {
        let facts = self.facts();
        let reasons = retention::reasons(&facts, &self.inventory.application.retention, self.now);
        for (point, reasons) in reasons {
            if reasons.is_empty() {
                self.state.points.remove(&point);
                self.state.expiring.insert(point);
            } else if let Some(entry) = self.state.points.get_mut(&point) {
                entry.kept_by = reasons;
            }
        }
    }

    pub(super) fn facts(&self) -> Vec<PointFacts> {
        let in_use = |point: &RecoveryPointId| {
            let mut restores = self.state.restores.iter();
            restores.any(|run| run.end.is_none() && run.point == *point)
        };
        self.state
            .points
            .iter()
            .map(|(point, entry)| entry.facts(point, in_use(point)))
            .collect()
    }

    /// Removes marked recovery points, and verifies the one that is due.
    pub(super) fn clean_up(&mut self) {
        for point in &self.state.expiring {
            self.actions.push(Action::ExpirePoint { point: point.clone() });
        }
        let running = self.state.backup.as_ref().map(|run| &run.point);
        for point in &self.inventory.captures {
            // A capture of a run that this state does not contain is removed too.
            if Some(point) != running {
                let primary = || self.inventory.application.primary.clone();
                self.state.captures.entry(point.clone()).or_insert_with(primary);
            }
        }
        let primary = &self.inventory.application.primary;
        self.state.captures.retain(|point, environment| {
            environment != primary
                || !self.inventory.is_available(primary)
                || self.inventory.captures.contains(point)
        });
        let reachable = self.state.captures.iter();
        for (point, environment) in
            reachable.filter(|(_, environment)| self.inventory.is_available(environment))
        {
            self.actions.push(Action::DeleteCapture {
                environment: environment.clone(),
                point: point.clone(),
            });
        }
        let copying = self
            .state
            .backup
            .as_ref()
            .is_some_and(|run| run.vaulting.is_some());
        let oldest = self
            .state
            .points
            .iter()
            .min_by_key(|(_, entry)| entry.verified_at);
        if let (Some((point, entry)), Some(pin), false) = (oldest, &self.state.pins.signing_key, copying)
            && is_due(entry, self.now)
        {
            self.actions.push(Action::VerifyVault {
                point: point.clone(),
                signer: pin.public_key.clone(),
            });
        }
    }
}

fn is_due(entry: &PointEntry, now: jiff::Timestamp) -> bool {
    now.duration_since(entry.verified_at) >= VERIFY_EVERY
}

/// Returns the problem of a damaged recovery point as an issue.
pub(super) fn damaged_point_problem(point: &RecoveryPointId, problem: &Problem) -> Problem {
    let mut damage = Problem::new(
        Code::VaultDamaged,
        format!("the recovery point {point} in the vault cannot be used"),
        problem.guidance.clone(),
    );
    damage.causes.push(problem.message.clone());
    damage.causes.extend(problem.causes.iter().cloned());
    damage
}
