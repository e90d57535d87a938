//! Backups: their start, progress and failure.

use jiff::SignedDuration;
use lifeboat_model::{Code, DelegateId, Problem, Side};

use super::clusters::sources;
use super::decision::{DecisionBuilder, job_of};
use super::follow::Step;
use super::state::{BackupRun, JobEntry, Retry, Vaulting};
use super::{Action, TRIES, VAULT_LEASE, VAULT_LEASE_DOUBLINGS, VAULT_TRIES, VaultView};
use lifeboat_jobs::split::{may_be_big, partition_types};
use lifeboat_jobs::{CaptureWork, Done, Failure, Outcome, SealWork, Sealed, Work};
use lifeboat_recovery_point::cursor::{TypeCounts, Types};

/// The delay after a failure until the next attempt; doubled each time. Short enough for an hourly objective,
/// long enough for a throttled API server to recover.
const BACKOFF: SignedDuration = SignedDuration::from_mins(2);

/// The progress of a run, as found by one decision.
enum Progress {
    Open,
    Sealed(Sealed),
    Cancelled,
    Failed(Problem, bool),
}

impl DecisionBuilder<'_> {
    pub(super) fn advance_backup(&mut self) {
        let Some(mut run) = self.state.backup.take() else {
            return;
        };
        if run.vaulting.is_some() {
            return self.advance_vaulting(run);
        }
        match self.progress(&mut run) {
            Progress::Open => self.state.backup = Some(run),
            Progress::Sealed(sealed) => {
                run.vaulting = Some(Vaulting {
                    sealed,
                    failures: 0,
                    unfinished: 0,
                    problem: None,
                    next_at: self.now,
                });
                self.advance_vaulting(run);
            }
            Progress::Cancelled => self.drop_run(&run),
            Progress::Failed(problem, retry) => self.fail_run(&run, problem, retry),
        }
    }

    fn progress(&mut self, run: &mut BackupRun) -> Progress {
        let (mut open, mut cancelled, mut failed, mut sealed) = (false, false, None, None);
        let mut parts = Vec::new();
        for entry in &mut run.captures {
            match self.end_of(entry, Side::Primary) {
                End::Open => open = true,
                End::Cancelled => cancelled = true,
                End::Failed(problem, retry) => failed = Some((problem, retry)),
                End::Done(Done::Capture(done)) => match done.counted {
                    None => sealed = done.sealed,
                    Some(counted) => match parts_of(&entry.work, counted) {
                        Some(works) => {
                            let delegate = entry.job.delegate();
                            parts.extend(
                                works
                                    .into_iter()
                                    .map(|(name, work)| (delegate.clone(), name, work)),
                            );
                        }
                        None => failed = Some((wrong_result(entry), true)),
                    },
                },
                End::Done(_) => failed = Some((wrong_result(entry), true)),
            }
        }
        if failed.is_none() && !cancelled {
            open |= self.add_parts(run, parts);
        }
        if failed.is_some() || cancelled {
            // The other jobs are of no use without this recovery point.
            for entry in &mut run.captures {
                entry.cancelled.get_or_insert(self.now);
            }
            if open {
                return Progress::Open;
            }
            return match failed {
                Some((problem, retry)) => Progress::Failed(problem, retry),
                None => Progress::Cancelled,
            };
        }
        if open {
            return Progress::Open;
        }
        if let (1, Some(sealed)) = (run.captures.len(), sealed) {
            return Progress::Sealed(sealed);
        }
        self.progress_of_seal(run)
    }

    /// Adds the jobs that capture a cluster in parts; returns whether any were added.
    fn add_parts(&mut self, run: &mut BackupRun, parts: Vec<(DelegateId, String, Work)>) -> bool {
        let before = run.captures.len();
        for (delegate, name, work) in parts {
            let job = job_of(&delegate, &format!("{}-{name}", run.point));
            if run.captures.iter().all(|entry| entry.job != job) {
                let mut entry = JobEntry::new(job, run.environment.clone(), work, self.now);
                self.follow(&mut entry);
                run.captures.push(entry);
            }
        }
        run.captures.len() > before
    }

    fn progress_of_seal(&mut self, run: &mut BackupRun) -> Progress {
        let mut entry = match run.seal.take() {
            Some(entry) => entry,
            None => {
                let work = Work::Seal(SealWork {
                    point: run.point.clone(),
                    parts: run.captures.iter().map(|entry| entry.job.clone()).collect(),
                });
                let job = self.job(&format!("{}-seal", run.point));
                JobEntry::new(job, run.environment.clone(), work, self.now)
            }
        };
        let end = self.end_of(&mut entry, Side::Primary);
        let wrong = wrong_result(&entry);
        run.seal = Some(entry);
        match end {
            End::Open => Progress::Open,
            End::Cancelled => Progress::Cancelled,
            End::Failed(problem, retry) => Progress::Failed(problem, retry),
            End::Done(Done::Seal(sealed)) => Progress::Sealed(sealed),
            End::Done(_) => Progress::Failed(wrong, true),
        }
    }

    fn advance_vaulting(&mut self, mut run: BackupRun) {
        let Some(vaulting) = &mut run.vaulting else {
            return;
        };
        // Without the vault nothing is known about the copy.
        let Ok(vault) = &self.inventory.vault else {
            self.state.backup = Some(run);
            return;
        };
        match vault.get(&run.point) {
            Some(VaultView::Signed { summary, signer }) => {
                self.add_point(&run.point, summary, signer, run.started_at);
                self.state.failed = None;
                self.state.retry = None;
                return self.drop_run(&run);
            }
            // The catalogue contains it, but the run has not ended. Both are in one document, so this should
            // not happen; the run ends in any case.
            Some(VaultView::Known) => return self.drop_run(&run),
            Some(VaultView::Unfinished | VaultView::Refused(_)) | None => {}
        }
        if vaulting.failures >= VAULT_TRIES && vaulting.next_at <= self.now {
            let problem = vaulting.problem.take().unwrap_or_else(|| {
                Problem::new(
                    Code::VaultingFailed,
                    format!(
                        "the recovery point {} could not be copied into the vault",
                        run.point
                    ),
                    "check the log group of the function lifeboat-coordinator",
                )
            });
            // Reported at once, even though another attempt follows: the capture may differ from what was
            // sealed.
            self.raise(run.point.as_str(), &problem);
            self.state.abandoned.insert(run.point.clone());
            return self.fail_run(&run, problem, true);
        }
        if let Some(pin) = &self.state.pins.signing_key
            && vaulting.next_at <= self.now
            && !self.inventory.user_waits
            && self.inventory.is_available(&run.environment)
        {
            // One coordinator copies at a time; if it dies, the next one continues after the lease. The try counts from
            // its beginning: a copy that ends the process would otherwise be repeated for ever.
            vaulting.failures += 1;
            let lease = VAULT_LEASE * (1 << vaulting.unfinished.min(VAULT_LEASE_DOUBLINGS));
            vaulting.next_at = later(self.now, lease);
            self.actions.push(Action::VaultPoint {
                environment: run.environment.clone(),
                point: run.point.clone(),
                manifest: vaulting.sealed.manifest,
                signer: pin.public_key.clone(),
                started: run.started_at,
                until: vaulting.next_at,
            });
        }
        self.state.backup = Some(run);
    }

    /// Ends a run; its capture is removed.
    fn drop_run(&mut self, run: &BackupRun) {
        self.state
            .captures
            .insert(run.point.clone(), run.environment.clone());
        self.state.backup = None;
    }

    fn fail_run(&mut self, run: &BackupRun, problem: Problem, retry: bool) {
        self.drop_run(run);
        if retry && run.attempt < TRIES {
            let pause = BACKOFF * (1 << (run.attempt - 1));
            self.state.retry = Some(Retry {
                at: later(self.now, pause),
                attempt: run.attempt + 1,
            });
        } else {
            self.state.retry = None;
            self.state.failed = Some(problem);
        }
    }

    pub(super) fn start_backup(&mut self) {
        if self.state.backup.is_some() || !self.wants_backup() || !self.is_ready() || !self.knows_clusters() {
            return;
        }
        let (Some(recipient), clusters) = (
            self.state.pins.recovery_key.clone(),
            sources(&self.inventory.application, &self.state.found),
        ) else {
            return;
        };
        if clusters.is_empty() {
            return;
        }
        let point = self.new_point();
        let environment = self.inventory.application.primary.clone();
        let clusters: Vec<_> = (clusters.into_iter())
            .map(|cluster| self.delegate_of(cluster))
            .collect();
        // A private delegate cannot seal.
        let seal = matches!(&clusters[..], [(delegate, _)] if delegate.cluster().is_none());
        // The count covers all clusters together, so that it is an upper bound for each.
        let last = self.state.in_order().last().map(|(_, entry)| entry.objects);
        let captures = clusters
            .into_iter()
            .map(|(delegate, cluster)| {
                let job = job_of(&delegate, &format!("{point}-capture-{}-00", cluster.name));
                let work = Work::Capture(CaptureWork {
                    point: point.clone(),
                    clusters: vec![cluster],
                    filter: self.inventory.application.filter.clone(),
                    types: Types::All,
                    recipient: recipient.public_key.clone(),
                    seal,
                    part: 0,
                    split: may_be_big(last),
                });
                JobEntry::new(job, environment.clone(), work, self.now)
            })
            .collect();
        let mut run = BackupRun {
            point,
            started_at: self.now,
            attempt: self.state.retry.take().map_or(1, |retry| retry.attempt),
            environment,
            captures,
            seal: None,
            vaulting: None,
        };
        // A clock that was set back must not repeat a scheduled time.
        self.state.last_started = self.state.last_started.max(Some(self.now));
        self.state.requested = None;
        for entry in &mut run.captures {
            self.follow(entry);
        }
        self.state.backup = Some(run);
    }

    pub(super) fn wants_backup(&self) -> bool {
        let state = &self.state;
        let scheduled = match state.last_started {
            Some(last) => self.inventory.application.schedule.is_due(last, self.now),
            // The first recovery point is made at once.
            None => true,
        };
        let retry = state.retry.as_ref().is_some_and(|retry| retry.at <= self.now);
        scheduled || retry || state.requested.is_some()
    }

    /// Returns how a job ended, and stores its access reports.
    pub(super) fn end_of(&mut self, entry: &mut JobEntry, side: Side) -> End {
        match self.follow(entry) {
            Step::Open => End::Open,
            Step::Cancelled => End::Cancelled,
            Step::Lost(problem) => End::Failed(problem, true),
            Step::Ended(result) => {
                self.take_access(side, entry, result.access);
                if matches!(result.outcome, Outcome::Done(_)) {
                    // Any completed work needed access to the clusters.
                    self.state.checked_at.insert(side, self.now);
                }
                match result.outcome {
                    Outcome::Done(done) => End::Done(done),
                    Outcome::Failed { failures, retry } => End::Failed(first(&failures, entry), retry),
                    Outcome::Cancelled {} => End::Cancelled,
                }
            }
        }
    }
}

/// The end of a job.
pub(super) enum End {
    Open,
    Done(Done),
    Failed(Problem, bool),
    Cancelled,
}

/// Returns names and work of the jobs that capture a cluster in parts; `None` if the delegate was not asked
/// to count, or if the counts make one part. Equal counts give equal parts.
fn parts_of(work: &Work, counted: TypeCounts) -> Option<Vec<(String, Work)>> {
    let Work::Capture(CaptureWork {
        point,
        clusters,
        filter,
        recipient,
        split: true,
        ..
    }) = work
    else {
        return None;
    };
    let [cluster] = clusters.as_slice() else {
        return None;
    };
    let mut partition_types = partition_types(&counted.types);
    // The job of the last part captures every type that the others do not.
    partition_types.pop();
    if partition_types.is_empty() {
        return None;
    }
    let resource_version = counted.resource_version;
    let others = partition_types.iter().flatten().cloned().collect();
    let only = |types: std::collections::BTreeSet<_>| Types::Only {
        types: types.into_iter().collect(),
        resource_version: resource_version.clone(),
    };
    let mut types: Vec<Types> = partition_types.into_iter().map(only).collect();
    types.push(Types::Except {
        types: others,
        resource_version: resource_version.clone(),
    });
    let works = (1..).zip(types).map(|(part, types)| {
        let work = Work::Capture(CaptureWork {
            point: point.clone(),
            clusters: clusters.clone(),
            filter: filter.clone(),
            types,
            recipient: recipient.clone(),
            seal: false,
            part,
            split: false,
        });
        (format!("capture-{}-{part:02}", cluster.name), work)
    });
    Some(works.collect())
}

/// Words the first failure of a job.
fn first(failures: &[Failure], entry: &JobEntry) -> Problem {
    failures.first().map(Failure::problem).unwrap_or_else(|| {
        Problem::new(
            Code::JobLost,
            format!("the job {} failed without giving a reason", entry.job),
            "check the log of the delegate",
        )
    })
}

fn wrong_result(entry: &JobEntry) -> Problem {
    Problem::new(
        Code::JobDocumentRefused,
        format!(
            "the result of the {} job {} is of the wrong kind",
            entry.work.kind(),
            entry.job
        ),
        "deploy the same version of Lifeboat in all environments of the application",
    )
}

pub(super) fn later(now: jiff::Timestamp, by: SignedDuration) -> jiff::Timestamp {
    now.saturating_add(by).unwrap_or(jiff::Timestamp::MAX)
}
