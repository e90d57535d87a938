//! The catalogue: which recovery points are in the vault, whether they are valid, which are kept, and which
//! are removed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use lifeboat_format::Fingerprint;
use lifeboat_model::{Code, Problem, RecoveryPointId};
use lifeboat_recovery_point::SignedSummary;

use super::decision::DecisionBuilder;
use super::state::{Deletions, PointEntry};
use super::{Action, ActionOutcome, VERIFY_AGAIN, VERIFY_EVERY, VaultView};
use crate::retention::{self, PointFacts, Reason};

/// How far in the future the ID of a recovery point may be that the state does not contain: the clocks of two
/// coordinators differ by less.
const FUTURE: SignedDuration = SignedDuration::from_hours(1);

/// The number of copies given up that are remembered.
const ABANDONED: usize = 100;

/// The number of recovery points that one decision removes from the vault.
const EXPIRED_AT_ONCE: usize = 50;

/// The number of captures that one look finds and one decision removes. A backup has one, which is removed once it is
/// in the vault.
pub(super) const CAPTURES_AT_ONCE: usize = 20;

impl DecisionBuilder<'_> {
    /// Applies the results of this process's actions since its last decision.
    pub(super) fn take_performed(&mut self) {
        for performed in &self.inventory.performed {
            match performed {
                ActionOutcome::VaultUnfinished { point } => {
                    let now = self.now;
                    if let Some(vaulting) = self.vaulting(point) {
                        vaulting.failures = vaulting.failures.saturating_sub(1);
                        vaulting.unfinished += 1;
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
                    if !retry {
                        vaulting.failures = super::VAULT_TRIES;
                    }
                    vaulting.next_at = match vaulting.failures < super::VAULT_TRIES {
                        true => {
                            super::backup::later(now, super::VAULT_LEASE * (1 << vaulting.failures.min(5)))
                        }
                        false => now,
                    };
                    vaulting.problem = Some(problem);
                }
                ActionOutcome::Verified { point, damaged } => {
                    if let Some(entry) = self.state.points.get_mut(point) {
                        entry.verified_at = self.now;
                        entry.damaged.clone_from(damaged);
                    }
                }
                ActionOutcome::Notified(notice) => self.state.notices.retain(|held| held != notice.as_ref()),
                ActionOutcome::Expired { point } => drop(self.state.expiring.remove(point)),
                ActionOutcome::Forged { .. } | ActionOutcome::Unsigned => {}
            }
        }
    }

    fn vaulting(&mut self, point: &RecoveryPointId) -> Option<&mut super::state::Vaulting> {
        let run = self.state.backup.as_mut().filter(|run| run.point == *point)?;
        run.vaulting.as_mut()
    }

    /// Updates the catalogue from the contents of the vault. Nothing that is found there, or is no longer found,
    /// makes a recovery point expire.
    pub(super) fn sync_catalogue(&mut self) {
        let Ok(vault) = &self.inventory.vault else {
            return;
        };
        let running = self.state.backup.as_ref().map(|run| run.point.clone());
        for (point, view) in vault {
            let ours = Some(point) == running.as_ref();
            if ours || self.state.expiring.contains(point) || self.state.points.contains_key(point) {
                continue;
            }
            match view {
                // A complete recovery point is valid even if its entry was lost with the state, or its run
                // was ended.
                VaultView::Signed { summary, signer } => match self.started_before(point) {
                    Some(started) => self.add_point(point, summary, signer, started),
                    None => self.unknown_point(point, &in_the_future(point)),
                },
                VaultView::Unfinished if self.state.abandoned.contains(point) => {
                    self.state.expiring.insert(point.clone());
                }
                VaultView::Unfinished => self.unknown_point(point, &unfinished(point)),
                VaultView::Refused(problem) => self.unknown_point(point, problem),
                VaultView::Known => {}
            }
        }
        let mut reappeared = Vec::new();
        for (point, entry) in &mut self.state.points {
            if !self.inventory.is_listed(point) {
                continue;
            }
            let gone = !vault.contains_key(point);
            let missing = (entry.damaged.as_ref()).is_some_and(|problem| problem.code == Code::PointMissing);
            if gone && !missing {
                entry.damaged = Some(missing_point(point));
            } else if !gone && missing {
                reappeared.push(point.clone());
            }
        }
        for point in reappeared {
            // Verified before it counts as good again.
            if let Some(entry) = self.state.points.get_mut(&point) {
                entry.damaged = Some(unverified(&point));
                entry.verified_at = Timestamp::UNIX_EPOCH;
            }
        }
        let is_there =
            |point: &RecoveryPointId| vault.contains_key(point) || !self.inventory.is_listed(point);
        self.state.expiring.retain(is_there);
        // A slow copy may still write into a folder that was removed.
        while self.state.abandoned.len() > ABANDONED {
            self.state.abandoned.pop_first();
        }
        self.state.ignored.retain(is_there);
    }

    /// Returns when the backup of a recovery point that this state does not contain began, by its ID, whose time is
    /// that of a coordinator; `None` if that is in the future.
    fn started_before(&self, point: &RecoveryPointId) -> Option<Timestamp> {
        let latest = super::backup::later(self.now, FUTURE);
        point.started_at().filter(|started| *started <= latest)
    }

    /// Adds a recovery point to the catalogue, as the latest.
    pub(super) fn add_point(
        &mut self,
        point: &RecoveryPointId,
        summary: &SignedSummary,
        signer: &Fingerprint,
        started: Timestamp,
    ) {
        let entry = PointEntry {
            created_at: started,
            order: self.state.next_order,
            signer: Some(signer.clone()),
            completeness: summary.completeness,
            objects: summary.objects,
            bytes: summary.bytes,
            clusters: (summary.clusters.iter())
                .map(|cluster| cluster.name.clone())
                .collect(),
            vaulted_at: self.now,
            verified_at: self.now,
            damaged: None,
            kept_by: BTreeSet::new(),
        };
        self.state.next_order += 1;
        self.state.points.insert(point.clone(), entry);
        self.state.abandoned.remove(point);
    }

    fn unknown_point(&mut self, point: &RecoveryPointId, cause: &Problem) {
        if self.state.ignored.contains(point) {
            return;
        }
        let problem = Problem::of(
            Code::PointUnknown,
            format!("the folder {point} in the vault is not a recovery point that this application trusts"),
        );
        let problem = with_cause(problem, cause);
        self.raise_acknowledgeable(point.as_str(), &problem);
    }

    /// Marks recovery points without a reason to be kept for removal, and records the reasons of the others. Removes
    /// no more in a day than [`retention::DAILY_SHARE`] percent of them, the oldest first.
    pub(super) fn apply_retention(&mut self) {
        let groups = self.groups();
        let count = self.count();
        let day = &mut self.state.deletions;
        let is_over = |since| self.now.duration_since(since) >= retention::DAY || since > self.now;
        if day.since.is_none_or(is_over) {
            *day = Deletions {
                since: Some(self.now),
                points: count,
                allowed: false,
            };
        }
        let rules = &self.inventory.application.retention;
        let mut reasons = BTreeMap::new();
        for (facts, later) in &groups {
            reasons.extend(retention::reasons(facts, later, rules, self.now));
        }
        let mut due: Vec<&PointFacts> = (groups.iter().flat_map(|(facts, _)| facts))
            .filter(|facts| reasons[&facts.point].is_empty())
            .collect();
        due.sort_by_key(|facts| (facts.order, &facts.point));
        let allowed = match day.allowed {
            true => due.len() as u64,
            false => retention::allowed_deletions(due.len() as u64, day.points, count),
        };
        let began = day.points;
        let held = due.split_off(usize::try_from(allowed).unwrap_or(usize::MAX).min(due.len()));
        for facts in due {
            self.state.points.remove(&facts.point);
            self.state.expiring.insert(facts.point.clone());
        }
        for (point, mut reasons) in reasons {
            if let Some(entry) = self.state.points.get_mut(&point) {
                if reasons.is_empty() {
                    reasons.insert(Reason::Held);
                }
                entry.kept_by = reasons;
            }
        }
        if !held.is_empty() {
            let problem = Problem::of(
                Code::RetentionHeld,
                format!(
                    "the retention rules delete {} more of the {began} recovery points that the day began with, but at most {} percent are deleted in a day",
                    held.len(),
                    retention::DAILY_SHARE
                ),
            );
            let issue = self.acknowledgeable("", &problem).as_warning();
            self.found.push(issue);
        }
    }

    pub(super) fn facts(&self) -> Vec<PointFacts> {
        let in_use = |point: &RecoveryPointId| {
            let mut restores = self.state.restores.iter();
            let mut plans = self.state.plans.iter();
            restores.any(|run| run.end.is_none() && run.point == *point)
                || plans.any(|run| run.end.is_none() && run.point == *point)
        };
        self.state
            .points
            .iter()
            .map(|(point, entry)| entry.facts(point, in_use(point)))
            .collect()
    }

    /// Removes marked recovery points, and verifies the one that is due.
    pub(super) fn clean_up(&mut self) {
        if self.inventory.vault.is_ok() {
            for point in self.state.expiring.iter().take(EXPIRED_AT_ONCE) {
                self.actions.push(Action::ExpirePoint { point: point.clone() });
            }
        }
        let running = self.state.backup.as_ref().map(|run| &run.point);
        // A capture of a run that this state does not contain is removed too, a few at a time: anybody who can write
        // to the bucket can make many.
        let primary = &self.inventory.application.primary;
        let unknown = self
            .inventory
            .captures
            .iter()
            .filter(|point| Some(*point) != running && !self.state.captures.contains_key(*point));
        for point in unknown.take(CAPTURES_AT_ONCE) {
            self.actions.push(Action::DeleteCapture {
                environment: primary.clone(),
                point: point.clone(),
            });
        }
        self.state.captures.retain(|point, environment| {
            environment != primary
                || !self.inventory.is_available(primary)
                || self.inventory.captures.contains(point)
        });
        let reachable = self.state.captures.iter();
        for (point, environment) in reachable
            .filter(|(_, environment)| self.inventory.is_available(environment))
            .take(CAPTURES_AT_ONCE)
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
        if copying || self.inventory.user_waits || self.inventory.vault.is_err() {
            return;
        }
        let due = self
            .state
            .points
            .iter()
            .filter(|(_, entry)| is_due(entry, self.now));
        let oldest = due.min_by_key(|(_, entry)| entry.verified_at);
        if let Some((point, entry)) = oldest
            && let Some(signer) = self.state.pins.signer_of(entry.signer.as_ref())
        {
            self.actions.push(Action::VerifyVault {
                point: point.clone(),
                signer: signer.public_key.clone(),
            });
        }
    }
}

fn is_due(entry: &PointEntry, now: Timestamp) -> bool {
    let every = match &entry.damaged {
        // Its folder is looked for in every decision.
        Some(problem) if problem.code == Code::PointMissing => return false,
        Some(_) => VERIFY_AGAIN,
        None => VERIFY_EVERY,
    };
    now.duration_since(entry.verified_at) >= every
}

fn missing_point(point: &RecoveryPointId) -> Problem {
    Problem::of(
        Code::PointMissing,
        format!("the recovery point {point} is missing from the vault"),
    )
}

fn unverified(point: &RecoveryPointId) -> Problem {
    Problem::of(
        Code::VaultDamaged,
        format!("the recovery point {point} was missing from the vault and has not been verified since"),
    )
}

fn unfinished(point: &RecoveryPointId) -> Problem {
    Problem::of(Code::PointUnknown, format!("{point} has no manifest"))
}

fn in_the_future(point: &RecoveryPointId) -> Problem {
    Problem::of(
        Code::PointUnknown,
        format!("the time in the name of {point} is in the future"),
    )
}

/// Adds a problem to the causes of another one.
pub(super) fn with_cause(mut problem: Problem, cause: &Problem) -> Problem {
    problem.causes.push(cause.message.clone());
    problem.causes.extend(cause.causes.iter().cloned());
    problem
}

/// Returns the problem of a damaged or missing recovery point as an issue.
pub(super) fn damaged_point_problem(point: &RecoveryPointId, problem: &Problem) -> Problem {
    if problem.code == Code::PointMissing {
        return problem.clone();
    }
    let damage = Problem::new(
        Code::VaultDamaged,
        format!("the recovery point {point} in the vault cannot be used"),
        problem.guidance.clone(),
    );
    with_cause(damage, problem)
}
