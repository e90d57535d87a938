//! The decision: a pure function from the state and the inventory to the next state, the actions and the
//! responses.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lifeboat_model::request::Answer;
use lifeboat_model::{DelegateId, Issue, JobId, ObjectKey, Problem, RecoveryPointId};

use super::action::Action;
use super::archive::OpenArchive;
use super::inventory::Inventory;
use super::state::State;
use super::status::status;
use lifeboat_recovery_point::layout::point_id_after;
use lifeboat_store::ports::{Clock, Randomness};

/// The result of a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The next state; equal to the previous one if nothing changed.
    pub state: State,
    /// The actions to execute once the state is written.
    pub actions: Vec<Action>,
    /// The responses to the requests, in their order.
    pub answers: Vec<Answer>,
    /// The objects of the state bucket that must be written before the state, each once.
    pub segments: Vec<(ObjectKey, Vec<u8>)>,
}

/// Makes a decision. Performs no I/O.
#[must_use]
pub fn decide(inventory: &Inventory, state: &State, now: Timestamp) -> Decision {
    let mut builder = DecisionBuilder::new(inventory, state.clone(), now);
    builder.open_archive();
    builder.pin_keys();
    builder.take_performed();
    builder.sync_catalogue();
    builder.answer_requests();
    builder.advance_checks();
    builder.advance_backup();
    builder.advance_builds();
    builder.advance_standby();
    builder.advance_restores();
    builder.advance_plans();
    builder.advance_deployments();
    builder.start_backup();
    builder.start_checks();
    builder.start_builds();
    builder.start_standby();
    builder.start_restores();
    builder.start_plans();
    builder.start_deployments();
    builder.apply_retention();
    builder.clean_up();
    builder.find_issues();
    builder.close_archive();
    builder.finish(state)
}

/// A decision in progress: every part reads the inventory and changes the state.
pub(super) struct DecisionBuilder<'w> {
    pub(super) inventory: &'w Inventory,
    pub(super) state: State,
    pub(super) now: Timestamp,
    pub(super) actions: Vec<Action>,
    pub(super) answers: Vec<Answer>,
    /// The opened segments of the archive.
    pub(super) archive: OpenArchive,
    /// The issues found by this decision.
    pub(super) found: Vec<Issue>,
    /// The clusters, by ARN, whose access reports this decision has stored.
    pub(super) reported: BTreeSet<String>,
    /// The number of random suffixes drawn.
    drawn: u64,
}

struct Values {
    now: Timestamp,
    random: [u8; 3],
}

impl Clock for Values {
    fn now(&self) -> Timestamp {
        self.now
    }
}

impl Randomness for Values {
    fn random(&self, bytes: &mut [u8]) {
        for (byte, random) in bytes.iter_mut().zip(self.random) {
            *byte = random;
        }
    }
}

impl<'w> DecisionBuilder<'w> {
    pub(super) fn new(inventory: &'w Inventory, state: State, now: Timestamp) -> Self {
        Self {
            inventory,
            state,
            now,
            actions: Vec::new(),
            answers: Vec::new(),
            archive: OpenArchive::default(),
            found: Vec::new(),
            reported: BTreeSet::new(),
            drawn: 0,
        }
    }

    /// Returns three random bytes, different in each call (splitmix64 over the inventory's random number).
    pub(super) fn random_suffix(&mut self) -> [u8; 3] {
        self.drawn += 1;
        let mut z = self
            .inventory
            .random
            .wrapping_add(self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [a, b, c, ..] = (z ^ (z >> 31)).to_be_bytes();
        [a, b, c]
    }

    /// Returns an ID that sorts after every recovery point of the catalogue. Folders that somebody else made in a
    /// bucket have no influence on it.
    pub(super) fn new_point(&mut self) -> RecoveryPointId {
        let values = Values {
            now: self.now,
            random: self.random_suffix(),
        };
        let newest = [
            self.state.points.keys().next_back(),
            self.state.archive.last().map(|record| &record.last),
        ];
        point_id_after(newest.into_iter().flatten().max(), &values, &values)
    }

    /// Returns the ID of the public delegate's job with this name.
    pub(super) fn job(&self, name: &str) -> JobId {
        job_of(&self.public(), name)
    }

    /// Returns the id of the application's public delegate.
    pub(super) fn public(&self) -> DelegateId {
        DelegateId::public(&self.state.application)
    }

    /// Returns the ID of a job of the public delegate that begins with the current second, so that jobs sort by time.
    pub(super) fn job_now(&mut self, kind: &str) -> JobId {
        self.job_now_of(&self.public(), kind)
    }

    /// Returns the ID of a job of this delegate that begins with the current second.
    pub(super) fn job_now_of(&mut self, delegate: &DelegateId, kind: &str) -> JobId {
        let [a, b, c] = self.random_suffix();
        let second = self.now.strftime("%Y%m%dT%H%M%SZ");
        job_of(delegate, &format!("{second}-{a:02x}{b:02x}{c:02x}-{kind}"))
    }

    pub(super) fn raise(&mut self, about: &str, problem: &Problem) {
        let problem = problem.clone().bounded();
        let issue = Issue::new(&self.state.application, about, &problem, self.now);
        self.found.push(issue);
    }

    /// Raises an issue that stays open until somebody acknowledges it.
    pub(super) fn raise_acknowledgeable(&mut self, about: &str, problem: &Problem) {
        let issue = self.acknowledgeable(about, problem);
        self.found.push(issue);
    }

    /// Returns an issue with the command that acknowledges it.
    pub(super) fn acknowledgeable(&self, about: &str, problem: &Problem) -> Issue {
        let application = &self.state.application;
        let issue = Issue::new(application, about, problem, self.now);
        let command = format!("lifeboat application acknowledge {application} {}", issue.id);
        issue.with_command(Some(command))
    }

    pub(super) fn finish(mut self, before: &State) -> Decision {
        // A status shows what this decision has found.
        for answer in &mut self.answers {
            if let Answer::Status(answer) = answer {
                let Inventory {
                    application, jobs, ..
                } = self.inventory;
                answer.applications = vec![status(application, &self.state, jobs, self.now)];
            }
        }
        if self.state != *before {
            self.state.revision = before.revision + 1;
        }
        Decision {
            state: self.state,
            actions: self.actions,
            answers: self.answers,
            segments: self.archive.written,
        }
    }
}

/// Returns the ID of a delegate's job with this name.
pub(super) fn job_of(delegate: &DelegateId, name: &str) -> JobId {
    JobId::new(delegate, name).expect("names are made of point ids and names of clusters")
}
