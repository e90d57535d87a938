//! Keeps the recovery stacks in standby up to date with the latest recovery point, so that what cannot be built is known
//! before it is needed.

use jiff::SignedDuration;
use lifeboat_jobs::{BuildMode, BuildWork, Done, Work};
use lifeboat_model::{Code, Problem, Side};

use super::TRIES;
use super::backup::{End, later};
use super::decision::DecisionBuilder;
use super::state::{JobEntry, Standby};

/// The delay after a failure until the next attempt. Nobody waits for it.
const BACKOFF: SignedDuration = SignedDuration::from_mins(5);

impl DecisionBuilder<'_> {
    pub(super) fn advance_standby(&mut self) {
        let mut standby = std::mem::take(&mut self.state.standby);
        self.follow_standby(&mut standby);
        self.state.standby = standby;
    }

    fn follow_standby(&mut self, standby: &mut Standby) {
        if !self.inventory.application.infrastructure.standby && standby.job.is_none() {
            *standby = Standby::default();
            return;
        }
        let Some(entry) = &mut standby.job else {
            return;
        };
        // A restore changes the same stacks, and comes first.
        if self.state.builds.iter().any(|run| run.end.is_none()) {
            entry.cancelled.get_or_insert(self.now);
        }
        let Work::Build(BuildWork { point, .. }) = &entry.work else {
            unreachable!("the work was made by `start_standby`");
        };
        let point = point.clone();
        let end = self.end_of(entry, Side::Recovery);
        if matches!(end, End::Open) {
            return;
        }
        standby.job = None;
        match end {
            End::Open | End::Cancelled => {}
            End::Done(Done::Build(_)) => {
                *standby = Standby {
                    point: Some(point),
                    ..Standby::default()
                };
            }
            End::Failed(_, true) if standby.failures + 1 < TRIES => {
                standby.next_at = Some(later(self.now, BACKOFF * (1 << standby.failures)));
                standby.failures += 1;
            }
            End::Done(_) | End::Failed(..) => {
                let mut problem = Problem::of(
                    Code::StandbyOutdated,
                    format!("the recovery stacks could not be brought to the recovery point {point}"),
                );
                if let End::Failed(cause, _) = end {
                    problem.causes.push(format!("{}: {}", cause.code, cause.message));
                    problem.causes.extend(cause.causes);
                    problem.guidance = cause.guidance;
                }
                // Another recovery point may heal it.
                *standby = Standby {
                    point: Some(point),
                    problem: Some(problem),
                    ..Standby::default()
                };
            }
        }
    }

    pub(super) fn start_standby(&mut self) {
        // Its change sets would be deleted. Somebody waits for a plan, and nobody for this.
        if self.is_planning() {
            return;
        }
        let application = &self.inventory.application;
        let standby = &self.state.standby;
        let waits = standby.next_at.is_some_and(|at| self.now < at);
        let is_building = self.state.builds.iter().any(|run| run.end.is_none());
        if !application.infrastructure.standby || standby.job.is_some() || waits || is_building {
            return;
        }
        let latest = self.state.in_order().into_iter().rev();
        let latest = latest
            .map(|(point, entry)| (point.clone(), entry))
            .find(|(_, entry)| entry.damaged.is_none());
        let Some((point, entry)) = latest.filter(|(point, _)| standby.point.as_ref() != Some(point)) else {
            return;
        };
        let Some(signer) = self.state.pins.signer_of(entry.signer.as_ref()) else {
            return;
        };
        let names = self.cluster_names();
        let work = Work::Build(self.build_work(&point, &signer.public_key, BuildMode::Standby, &names));
        let environment = application.recovery.clone();
        let job = self.job_now("build-standby");
        let mut entry = JobEntry::new(job, environment, work, self.now);
        self.follow(&mut entry);
        self.state.standby.job = Some(entry);
    }

    pub(super) fn standby_issue(&mut self) {
        if let Some(problem) = self.state.standby.problem.clone() {
            self.raise("standby", &problem);
        }
    }
}
