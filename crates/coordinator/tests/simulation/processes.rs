//! The processes of a simulation, which may die at any step, and the time, which passes while all wait.

use std::pin::Pin;
use std::task::{Context, Waker};

use futures::executor::block_on;
use lifeboat_coordinator::state_key;
use lifeboat_model::environment::Side;
use lifeboat_store::ports::ObjectStore;

use crate::fixture::Fixture;

/// The time after the begin of a step in which events of claims are delivered, in seconds: delegates begin their invocations
/// at its begin.
const EVENTS: i64 = 240;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// An invocation of the coordinator or of a delegate.
pub(crate) struct Process {
    /// The place of its application in the list.
    application: usize,
    task: Task,
    /// When Lambda ends the process.
    ends: i64,
    /// Whether it waits for time to pass.
    asleep: bool,
    /// When the first timer ends that it waits for.
    alarm: i64,
}

impl Fixture {
    pub(crate) fn start(&mut self, application: usize, task: Task, ends: i64) {
        self.processes.push(Process {
            application,
            task,
            ends,
            asleep: false,
            alarm: i64::MAX,
        });
    }

    /// Runs every process until all wait for time to pass. Each may die at any step.
    pub(crate) fn settle(&mut self) {
        loop {
            let awake: Vec<usize> = (0..self.processes.len())
                .filter(|at| !self.processes[*at].asleep)
                .collect();
            if awake.is_empty() {
                break;
            }
            let at = awake[self.shared.below(awake.len() as u64) as usize];
            let process = &mut self.processes[at];
            let application = process.application;
            self.shared.spare(self.applications[application].spared);
            let ready = process
                .task
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_ready();
            process.asleep = self.shared.take_asleep();
            process.alarm = self.shared.take_alarm();
            if ready || self.shared.fault(400) {
                drop(self.processes.swap_remove(at));
            }
            self.see_state(application);
        }
    }

    /// Advances the time by `seconds`, or until the first timer ends; processes whose invocation ends meanwhile are
    /// removed.
    pub(crate) fn advance(&mut self, seconds: i64) {
        let now = self.shared.seconds();
        let alarms = self.processes.iter().map(|process| process.alarm);
        let first = alarms.filter(|alarm| *alarm > now).min().unwrap_or(i64::MAX);
        let then = first.min(now + seconds);
        self.shared.advance_to(then);
        self.processes.retain(|process| process.ends > then);
        for process in &mut self.processes {
            process.asleep = false;
        }
    }

    fn see_state(&mut self, application: usize) {
        let of = &mut self.applications[application];
        if let Ok((bytes, _)) = block_on(self.state.get(&state_key(&of.name))) {
            of.model.see(&bytes, self.shared.now());
        }
    }

    /// Advances the time by one step: events and ticks start processes, and waiting ones continue.
    pub(crate) fn pass(&mut self, seconds: i64) {
        let end = self.shared.seconds() + seconds;
        for application in 0..self.applications.len() {
            self.tick(application);
        }
        let began = self.shared.seconds();
        while self.shared.seconds() < end {
            self.settle();
            if self.shared.seconds() - began < EVENTS {
                self.deliver_claims();
            }
            self.advance(seconds.min(60).min(end - self.shared.seconds()));
        }
        self.settle();
        for application in 0..self.applications.len() {
            self.see_state(application);
        }
    }

    /// Delivers the events of claims by private delegates, and of the assignments that follow: a restore waits for its data
    /// keys no longer than an invocation lasts, which may be less than a step.
    fn deliver_claims(&mut self) {
        for application in 0..self.applications.len() {
            if !self.applications[application].private.is_empty() && !self.shared.fault(3) {
                self.start_coordinator(application, Vec::new());
                self.settle();
                self.start_delegate(application, Side::Recovery, None);
            }
        }
    }

    fn tick(&mut self, application: usize) {
        self.shared.spare(self.applications[application].spared);
        let chaos = self.shared.has_faults();
        for _ in 0..=u64::from(chaos) * self.shared.below(2) {
            if !self.shared.fault(6) {
                self.start_coordinator(application, Vec::new());
            }
        }
        for side in [Side::Primary, Side::Recovery] {
            for _ in 0..=u64::from(chaos) * self.shared.below(2) {
                if !self.shared.fault(6) {
                    self.start_delegates(application, side);
                }
            }
        }
    }
}
